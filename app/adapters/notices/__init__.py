"""Second channels: letters by e-mail."""

from app.adapters.notices.mail import MailNotices
from app.canon.notice import NoticeSender

__all__ = ["load_notices"]


def load_notices(*, smtp_url: str | None, mail_from: str) -> NoticeSender:
    """Letters over the company's SMTP server; without one each fails with a sentence that says what to set."""
    return MailNotices(smtp_url, mail_from)

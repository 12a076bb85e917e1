"""Second channels: letters by e-mail, a Telegram bot, signed posts."""

from collections.abc import Sequence

from app.adapters.notices.mail import MailNotices
from app.adapters.notices.telegram import BASE_URL, TelegramBot
from app.adapters.webhooks import Webhooks
from app.canon.notice import ChatSender, NoticeSender, Poster

__all__ = ["load_chats", "load_notices", "load_posts"]


def load_notices(*, smtp_url: str | None, mail_from: str) -> NoticeSender:
    """Letters over the company's SMTP server; without one each fails with a sentence that says what to set."""
    return MailNotices(smtp_url, mail_from)


def load_chats(*, token: str | None, base_url: str | None) -> ChatSender | None:
    """The bot of `token`, at Telegram's own servers unless `base_url` names others; None without a token."""
    return TelegramBot(token, base_url or BASE_URL) if token else None


def load_posts(allow_private: Sequence[str]) -> Poster:
    """Posts to public addresses, and to private ones that are listed."""
    return Webhooks(allow_private)

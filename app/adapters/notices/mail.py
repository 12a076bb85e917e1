"""Letters to a founder over SMTP."""

import ssl
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.policy import SMTPUTF8 as SMTPUTF8_POLICY
from email.utils import formatdate
from functools import cached_property

from app.adapters.tools.email import hand_in, mail_server, message_id, plain_address
from app.canon.notice import Notice, NoticeFailed
from app.canon.tool import OutcomeUnknown, ToolFailed


class MailNotices:
    """`canon.notice.NoticeSender` over one SMTP server."""

    def __init__(self, smtp_url: str | None, mail_from: str) -> None:
        self._smtp_url = smtp_url
        self._mail_from = mail_from

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    async def send(self, notice: Notice) -> None:
        try:
            server = mail_server(self._smtp_url)
            letter = self._letter(notice).as_bytes()
            await hand_in(server, self._tls, plain_address(self._mail_from), [notice.to], letter)
        except (ToolFailed, OutcomeUnknown) as error:
            raise _failed(error) from error

    def _letter(self, notice: Notice) -> EmailMessage:
        ascii_only = notice.to.isascii() and self._mail_from.isascii()
        message = EmailMessage(policy=SMTP_POLICY if ascii_only else SMTPUTF8_POLICY)
        message["From"] = self._mail_from
        message["To"] = notice.to
        message["Subject"] = " ".join(notice.subject.split())
        message["Date"] = formatdate()
        message["Message-ID"] = message_id(notice.key, self._mail_from)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(notice.text)
        return message


def _failed(error: ToolFailed | OutcomeUnknown) -> NoticeFailed:
    if isinstance(error, ToolFailed) and error.code:
        return NoticeFailed(str(error), gone=False, code=error.code, **error.data)
    return NoticeFailed(str(error), code="channel.failed", said=str(error))

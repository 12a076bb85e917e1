"""Mail over SMTP. A message whose fate is not known is never sent a second time."""

import hashlib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.policy import SMTPUTF8 as SMTPUTF8_POLICY
from email.utils import formatdate
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

from app.adapters.tools.wording import text_argument, texts_argument
from app.canon.addresses import mail_of
from app.canon.errors import NotFound, Unavailable
from app.canon.tool import EvidenceItem, OutcomeUnknown, ToolCall, ToolFailed, ToolResult, ToolSpec, Wording
from app.canon.vocabulary import Risk

if TYPE_CHECKING:
    import aiosmtplib

SECONDS = 30.0
MAX_RECIPIENTS = 50
MAX_ATTACHMENT_BYTES = 20 * 1024 * 1024
NO_SERVER = "no mail server is set: give FLR_SMTP_URL, for example smtp://user:password@mail.example.com:587"


class MailServer(msgspec.Struct, frozen=True):
    """Where mail is handed in. `secure` means TLS from the first byte; otherwise STARTTLS is used when offered."""

    host: str
    port: int
    secure: bool
    user: str | None = None
    password: str | None = None


class SendEmailTool:
    """Sends one mail to recipients that the gate has passed or the founder has approved."""

    spec = ToolSpec(
        name="send_email",
        description=(
            "Send a plain-text mail. `attachments` are names of documents written in this run or files of the ticket."
        ),
        parameters={
            "type": "object",
            "properties": {
                "to": {
                    "type": "array",
                    "items": {"type": "string"},
                    "minItems": 1,
                    "maxItems": MAX_RECIPIENTS,
                    "description": "Mail addresses",
                },
                "subject": {"type": "string", "maxLength": 500},
                "body": {"type": "string", "maxLength": 500_000},
                "attachments": {"type": "array", "items": {"type": "string"}, "maxItems": 20},
            },
            "required": ["to", "subject", "body"],
            "additionalProperties": False,
        },
        risk=Risk.OUTBOUND,
        effect="external",
        destinations=("to",),
        text=("subject", "body"),
        attachments=("attachments",),
        words={
            "en": Wording("send e-mail", "Send e-mail to {to}: “{subject}”."),
            "id": Wording("mengirim surel", "Kirim surel ke {to}: “{subject}”."),
        },
    )

    def __init__(self, smtp_url: str | None, mail_from: str) -> None:
        self.smtp_url = smtp_url
        self.mail_from = mail_from

    @cached_property
    def server(self) -> MailServer:
        return mail_server(self.smtp_url)

    @cached_property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    async def perform(self, call: ToolCall) -> ToolResult:
        recipients = [_recipient(address) for address in texts_argument(call.arguments, "to")]
        if not recipients:
            raise ToolFailed("`to` names nobody", code="tool.arguments")
        server = self.server
        message = await self._message(call, recipients)
        content = message.as_bytes()
        answer = await hand_in(server, self.tls, plain_address(self.mail_from), recipients, content)
        message_id = str(message["Message-ID"])
        return ToolResult(
            f"Sent to {', '.join(recipients)} ({message_id}).",
            {"message_id": message_id, "to": recipients, "answer": answer},
            evidence=(EvidenceItem("message.eml", "message/rfc822", content),),
        )

    async def _message(self, call: ToolCall, recipients: Sequence[str]) -> EmailMessage:
        plain = all(address.isascii() for address in (*recipients, self.mail_from))
        message = EmailMessage(policy=SMTP_POLICY if plain else SMTPUTF8_POLICY)
        message["From"] = self.mail_from
        message["To"] = ", ".join(recipients)
        message["Subject"] = _one_line(text_argument(call.arguments, "subject"))
        message["Date"] = formatdate()
        message["Message-ID"] = message_id(call.key, self.mail_from)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text_argument(call.arguments, "body"))
        await _attach(message, call)
        return message


def mail_server(url: str | None) -> MailServer:
    """Reads `FLR_SMTP_URL`. Raises `ToolFailed` with a sentence that says what to set."""
    if not url:
        raise ToolFailed(NO_SERVER, code="mail.no_server")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        said = f"FLR_SMTP_URL cannot be read ({error}): write smtp://user:password@host:port"
        raise ToolFailed(said, code="mail.setting") from None
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ToolFailed("FLR_SMTP_URL must begin with smtp:// or smtps:// and name a host", code="mail.setting")
    secure = parts.scheme == "smtps"
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return MailServer(parts.hostname, port or (465 if secure else 587), secure, user, password)


def message_id(key: str, mail_from: str) -> str:
    """The same for every attempt of one step, so that a receiver can tell a repetition."""
    domain = plain_address(mail_from).rpartition("@")[2]
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{domain}>"


def _recipient(address: str) -> str:
    if mail_of(address) is None:
        raise ToolFailed(
            f"{address!r} is no mail address: give one address for each entry of `to`", code="tool.arguments"
        )
    return plain_address(address)


def plain_address(address: str) -> str:
    """`a@b.co` out of `Ani <a@b.co>`."""
    text = address.strip()
    return text.rpartition("<")[2].removesuffix(">").strip() if text.endswith(">") else text


def _one_line(subject: str) -> str:
    return " ".join(subject.split())


async def _attach(message: EmailMessage, call: ToolCall) -> None:
    files = {file.name: file for file in call.inputs.files}
    total = 0
    for name in texts_argument(call.arguments, "attachments"):
        if name not in files:
            raise ToolFailed(
                f"there is no document or file {name!r}; there are: {', '.join(files) or 'none'}",
                code="tool.file_unknown",
            )
        try:
            content = await call.inputs.read(name)
        except NotFound as error:
            raise ToolFailed(f"{name} is not stored any more: {error}", code="tool.file_away") from error
        except Unavailable as error:
            raise ToolFailed(
                f"{name} cannot be read now, so nothing was sent: {error}", code="tool.file_away"
            ) from error
        total += len(content)
        if total > MAX_ATTACHMENT_BYTES:
            raise ToolFailed(
                f"the attachments have more than {MAX_ATTACHMENT_BYTES} bytes together", code="tool.file_large"
            )
        _attach_one(message, name, files[name].media_type, content)


def _attach_one(message: EmailMessage, name: str, media_type: str, content: bytes) -> None:
    kind, _, subtype = media_type.partition(";")[0].strip().partition("/")
    if kind == "text":
        try:
            message.add_attachment(content.decode("utf-8"), subtype=subtype or "plain", filename=name)
        except UnicodeDecodeError:
            message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    elif kind in {"message", "multipart", ""} or not subtype:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    else:
        message.add_attachment(content, maintype=kind, subtype=subtype, filename=name)


async def hand_in(
    server: MailServer, tls: ssl.SSLContext, sender: str, recipients: Sequence[str], content: bytes
) -> str:
    """Give a finished message to the server; its answer. Raises `ToolFailed` (not sent), `OutcomeUnknown`."""
    import aiosmtplib

    client = aiosmtplib.SMTP(
        hostname=server.host, port=server.port, use_tls=server.secure, timeout=SECONDS, tls_context=tls
    )
    try:
        await _open(client, server, sender, recipients)
    except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
        client.close()
        raise ToolFailed(f"the mail was not sent: {_sentence(error, server)}", code="tool.mail_away") from error
    try:
        answer = await client.data(content)
    except aiosmtplib.SMTPResponseException as error:
        client.close()
        raise ToolFailed(
            f"the mail server refused the message: {error.code} {error.message}", code="tool.mail_refused"
        ) from error
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        client.close()
        raise OutcomeUnknown(f"the mail was handed over and the server's answer was lost ({_reason(error)})") from error
    await _part(client)
    return f"{answer.code} {answer.message}"


async def _open(client: "aiosmtplib.SMTP", server: MailServer, sender: str, recipients: Sequence[str]) -> None:
    """Everything before the message itself: whatever fails here, nothing was sent."""
    await client.connect()
    if server.user:
        if not client.is_connected or not (server.secure or _is_encrypted(client) or _is_loopback(server.host)):
            raise ValueError("the server offers no TLS, so the password is not sent")
        await client.login(server.user, server.password or "")
    utf8 = not all(address.isascii() for address in (sender, *recipients))
    options = ["SMTPUTF8"] if utf8 else []
    if utf8 and not client.supports_extension("smtputf8"):
        raise ValueError("the server takes no addresses with letters outside ASCII")
    await client.mail(sender, options=options, encoding="utf-8" if utf8 else "ascii")
    for recipient in recipients:
        await client.rcpt(recipient, encoding="utf-8" if utf8 else "ascii")


def _is_encrypted(client: "aiosmtplib.SMTP") -> bool:
    return client.transport is not None and client.transport.get_extra_info("sslcontext") is not None


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")


async def _part(client: "aiosmtplib.SMTP") -> None:
    import aiosmtplib

    try:
        await client.quit()
    except (aiosmtplib.SMTPException, OSError, TimeoutError):
        client.close()


def _sentence(error: BaseException, server: MailServer) -> str:
    import aiosmtplib

    if isinstance(error, aiosmtplib.SMTPRecipientRefused):
        return f"the server refused {error.recipient}: {error.code} {error.message}"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"the server answered {error.code} {error.message}"
    if isinstance(error, ValueError):
        return str(error)
    return f"{server.host}:{server.port} cannot be reached ({_reason(error)}); check FLR_SMTP_URL"


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__

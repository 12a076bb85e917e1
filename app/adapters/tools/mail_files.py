"""Letters that came as `.eml` files: headers, text and what hangs on them."""

from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart

import msgspec

from app.adapters.tools.page_text import page_text
from app.adapters.tools.wording import declared_text, storable
from app.canon.tool import InputFile, ToolFailed


class MailPart(msgspec.Struct, frozen=True):
    name: str
    media_type: str
    size_bytes: int


class Mail(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    """One letter as its reader sees it; `attachments` are read by `mail.eml#name`."""

    sender: str
    to: str
    cc: str
    reply_to: str
    date: str
    subject: str
    message_id: str
    body: str
    attachments: tuple[MailPart, ...]

    def text(self) -> str:
        """Headers, an empty line, the body, the attachments."""
        heads = (
            ("From", self.sender),
            ("To", self.to),
            ("Cc", self.cc),
            ("Reply-To", self.reply_to),
            ("Date", self.date),
            ("Subject", self.subject),
        )
        lines = [f"{name}: {value}" for name, value in heads if value]
        parts = [f"Attachment: {part.name} ({part.media_type}, {part.size_bytes} bytes)" for part in self.attachments]
        return "\n".join((*lines, "", self.body, *parts))


def is_mail(file: InputFile) -> bool:
    return file.media_type.startswith("message/rfc822") or file.name.lower().endswith(".eml")


def opened_mail(content: bytes) -> Mail:
    """The letter in these bytes. Headers that cannot be read are left empty."""
    message = _message(content)
    return Mail(
        sender=_header(message, "from"),
        to=_header(message, "to"),
        cc=_header(message, "cc"),
        reply_to=_header(message, "reply-to"),
        date=_header(message, "date"),
        subject=_header(message, "subject"),
        message_id=_header(message, "message-id"),
        body=_body(message),
        attachments=tuple(
            MailPart(name, part.get_content_type(), len(_payload(part))) for name, part in _attachments(message)
        ),
    )


def part_of(content: bytes, name: str) -> tuple[str, str, bytes]:
    """Name, media type and bytes of an attachment. Raises `ToolFailed`."""
    parts = dict(_attachments(_message(content)))
    if name not in parts:
        raise ToolFailed(f"the mail has no attachment {name!r}; attachments: {', '.join(parts) or 'none'}")
    return name, parts[name].get_content_type(), _payload(parts[name])


def _message(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=policy.default)


def _header(message: EmailMessage, name: str) -> str:
    try:
        return storable(" ".join(str(message.get(name, "")).split()))
    except (ValueError, LookupError, AttributeError, TypeError):
        return ""


def _payload(part: MIMEPart) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else part.as_bytes()


def _body(message: EmailMessage) -> str:
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    text = declared_text(_payload(part), part.get_content_charset() or "")
    return storable(page_text(text) if part.get_content_type() == "text/html" else text.strip())


def _attachments(message: EmailMessage) -> list[tuple[str, MIMEPart]]:
    found: list[tuple[str, MIMEPart]] = []
    for index, part in enumerate(message.iter_attachments(), start=1):
        found.append((storable(part.get_filename() or f"part-{index}"), part))
    return found

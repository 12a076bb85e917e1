"""Letters that came as `.eml` files: headers, text and what hangs on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from itertools import islice
from typing import Any

import msgspec

from app.adapters.tools.page_text import page_text
from app.adapters.tools.wording import declared_text, storable
from app.canon.tool import InputFile, ToolFailed

MAX_HEADER_CHARACTERS = 8_000
MAX_PART_HEADER_CHARACTERS = 2_000
MAX_PARTS = 200
MAX_COMPARISONS = 50_000_000
"""Each line is held against the boundary of every part around it."""


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


@contextmanager
def _to_a_depth() -> Iterator[None]:
    try:
        yield
    except RecursionError as error:
        raise ToolFailed(_INTRICATE) from error


_INTRICATE = "the mail has so many parts inside of parts that it is not opened: attach what is needed of it by itself"


@_to_a_depth()
def opened_mail(content: bytes) -> Mail:
    """The letter in these bytes. Headers that cannot be read are left empty. Raises `ToolFailed`."""
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


@_to_a_depth()
def part_of(content: bytes, name: str) -> tuple[str, str, bytes]:
    """Name, media type and bytes of an attachment. Raises `ToolFailed`."""
    parts = dict(_attachments(_message(content)))
    if name not in parts:
        raise ToolFailed(
            f"the mail has no attachment {name!r}; attachments: {', '.join(parts) or 'none'}", code="tool.file_unknown"
        )
    return name, parts[name].get_content_type(), _payload(parts[name])


class _Short(policy.EmailPolicy):
    """The time that a header takes grows with the square of its length: more than any letter needs is not read."""

    def header_fetch_parse(self, name: str, value: str) -> Any:
        most = MAX_PART_HEADER_CHARACTERS if name.lower().startswith("content-") else MAX_HEADER_CHARACTERS
        return super().header_fetch_parse(name, value[:most])


def _message(content: bytes) -> EmailMessage:
    if content.count(b"\n") * content.lower().count(b"boundary") > MAX_COMPARISONS:
        raise ToolFailed(_INTRICATE)
    return message_from_bytes(content, policy=_SHORT)  # type: ignore[arg-type]  # its message is the default policy's


_SHORT = _Short()


def _header(message: EmailMessage, name: str) -> str:
    try:
        return storable(" ".join(str(message.get(name, "")).split()))
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError):
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
    for index, part in enumerate(islice(message.iter_attachments(), MAX_PARTS), start=1):
        found.append((storable(part.get_filename() or f"part-{index}"), part))
    return found

"""Arguments and answers as text: read with clear messages, written compactly."""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Sequence

from app.canon.tool import Arguments, ToolFailed


def text_argument(arguments: Arguments, name: str) -> str:
    """The text given as `name`. Raises `ToolFailed` when it is missing or something else."""
    value = arguments.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ToolFailed(f"`{name}` is missing or is no text", code="tool.arguments")
    return value


def texts_argument(arguments: Arguments, name: str) -> list[str]:
    """The list of texts given as `name`; missing and null mean an empty list. Raises `ToolFailed`."""
    value = arguments.get(name)
    if value is None:
        return []
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ToolFailed(f"`{name}` must be a list of texts", code="tool.arguments")
    return [str(item) for item in value]


def decoded(content: bytes) -> str:
    """Text of a file whose encoding nobody declared: a byte order mark, else UTF-8, else Windows-1252."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def declared_text(content: bytes, charset: str) -> str:
    """Text in the encoding that a stranger declares; `decoded` where that is none, or not that of the bytes. Encodings
    of host names and of program texts are none: time grows with the square of the length there."""
    try:
        if _TEXT_ENCODING.fullmatch(codecs.lookup(charset).name):
            return content.decode(charset)
    except (LookupError, ValueError):
        pass
    return decoded(content)


_TEXT_ENCODING = re.compile(r"(ascii|big5|charmap|cp|euc|gb|hp|hz|iso|johab|koi8|kz|latin|mac|ptcp|shift|tis|utf).*")


def storable(text: str) -> str:
    """The text without what no ledger can hold: NUL and lone surrogates become the replacement sign."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode() if _odd(text) else text


def _odd(text: str) -> bool:
    return "\0" in text or any("\ud800" <= character <= "\udfff" for character in text)


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """RFC 4180 with plain line ends; null is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if item is None else item for item in row] for row in rows)
    return out.getvalue()

"""Opaque, stable cursors: the last row's id, marked with the list it belongs to."""

import base64
import binascii
from uuid import UUID

from app.work_queue.errors import CursorUnknown


def write_cursor(mark: str, last: UUID) -> str:
    """A cursor after `last` in the list called `mark`."""
    return base64.urlsafe_b64encode(mark.encode() + b":" + last.bytes).rstrip(b"=").decode()


def read_cursor(mark: str, cursor: str) -> UUID:
    """The id that `write_cursor` put in. Raises `CursorUnknown`."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        named, _, last = raw.partition(b":")
        if named != mark.encode():
            raise CursorUnknown("this cursor belongs to another list: start again without one")
        return UUID(bytes=last)
    except (binascii.Error, ValueError) as error:
        raise CursorUnknown("this is not a cursor: start again without one") from error

"""Where evidence bytes live: content-addressed, write-once."""

import re
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType

_KEY = re.compile(r"(?!/)(?!.*(?:^|/)\.{1,2}(?:/|$))(?!.*//)[A-Za-z0-9._/=+@ -]{1,512}(?<!/)")


def is_key(key: str) -> bool:
    """Whether a store may take `key`: at most 512 plain characters, no empty, `.` or `..` part."""
    return _KEY.fullmatch(key) is not None


class EvidenceRef(msgspec.Struct, frozen=True):
    """Names evidence in an event. `key` is the store key, `sha256` lower-case hex over the stored bytes.

    `subject` is there for personal evidence: the stored bytes are ciphertext under that subject's key.
    """

    sha256: str
    key: str
    size_bytes: int
    media_type: str
    name: str = ""
    subject: str | UnsetType = UNSET


class StoredObject(msgspec.Struct, frozen=True):
    key: str
    size_bytes: int
    sha256: str
    media_type: str


class AlreadyStored(Exception):
    """The key exists already; nothing was written."""


class NotStored(Exception):
    """There is no object under this key."""


class StoreUnavailable(Exception):
    """The store does not answer; the bytes stay where they are."""


class EvidenceStore(Protocol):
    """Raises AlreadyStored, NotStored, StoreUnavailable and nothing of a vendor's."""

    async def put_once(self, key: str, content: bytes, media_type: str) -> StoredObject:
        """Store `content` under a key that nobody has. Raises ValueError for what is no key."""
        ...

    async def head(self, key: str) -> StoredObject: ...

    async def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """Bytes from `start` to `end` inclusive (HTTP range semantics)."""
        ...

    async def url(self, key: str, ttl_seconds: int, name: str | None) -> str | None:
        """A signed, expiring address of the store's own, or None when the application serves the bytes."""
        ...

    async def close(self) -> None: ...

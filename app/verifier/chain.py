"""The hash chain: `hash(seq) = SHA-256(hash(seq - 1) || int64 seq || leaf)`."""

import hashlib
import struct
from uuid import UUID

_SEQ = struct.Struct(">q")


def genesis(tenant: UUID) -> bytes:
    """The hash before the first event: SHA-256 of the tenant's 16 bytes."""
    return hashlib.sha256(tenant.bytes).digest()


def leaf_of(document: bytes) -> bytes:
    """`SHA-256(0x00 || document)`, also the RFC 6962 leaf hash."""
    return hashlib.sha256(b"\x00" + document).digest()


def link(before: bytes, seq: int, leaf: bytes) -> bytes:
    """The chain's hash after the event `seq`."""
    return hashlib.sha256(before + _SEQ.pack(seq) + leaf).digest()

"""Signed checkpoints as C2SP signed notes (tlog-checkpoint): text that anyone can verify with one public key."""

import base64
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec

from app.governance_ledger.document import instant
from app.verifier.errors import Broken
from app.verifier.notes import key_hash, kid_of, origin, read_note

__all__ = ["MEDIA_TYPE", "Checkpoint", "NoteRefused", "key_hash", "object_key", "origin", "sign", "text_of", "verify"]

MEDIA_TYPE = "text/plain; charset=utf-8"


class NoteRefused(Exception):
    """The note is not a checkpoint of this tenant under this key; the message says why."""


class Checkpoint(msgspec.Struct, frozen=True):
    """What a note states: `size` events have the RFC 6962 root `root_hash` and the chain's head `head_hash`."""

    tenant: UUID
    size: int
    root_hash: bytes
    head_hash: bytes
    signed_at: datetime


def object_key(tenant: UUID, serial: int) -> str:
    """Where the evidence store keeps the tenant's checkpoint number `serial` (from 1, gapless)."""
    return f"checkpoints/{tenant}/{serial:012d}"


def text_of(checkpoint: Checkpoint) -> str:
    """The signed text: origin, size, root, then our two extension lines."""
    return (
        f"{origin(checkpoint.tenant)}\n{checkpoint.size}\n{base64.b64encode(checkpoint.root_hash).decode()}\n"
        f"chain {checkpoint.head_hash.hex()}\ntime {instant(checkpoint.signed_at)}\n"
    )


def sign(checkpoint: Checkpoint, *signers: tuple[bytes, Callable[[bytes], bytes]]) -> str:
    """The note: the text, an empty line, a signature line for each of `signers`: public key, and what signs with it."""
    text, name = text_of(checkpoint), origin(checkpoint.tenant)
    lines = [f"— {name} {_signature(name, text, *signer)}\n" for signer in signers]
    return f"{text}\n{''.join(lines)}"


def _signature(name: str, text: str, public: bytes, signer: Callable[[bytes], bytes]) -> str:
    return base64.b64encode(key_hash(name, public) + signer(text.encode())).decode()


def verify(note: str, tenant: UUID, public: bytes) -> Checkpoint:
    """What the note states. Raises `NoteRefused` unless `public` (32 raw bytes) signed it for this tenant's log."""
    try:
        read = read_note(note, tenant, {kid_of(public): public})
        return Checkpoint(tenant, read.size, read.root, read.head, datetime.fromisoformat(read.time))
    except (Broken, ValueError) as error:
        raise NoteRefused(str(error)) from error

"""Signed checkpoints as C2SP signed notes (tlog-checkpoint): text that anyone can verify with one public key."""

import base64
import hashlib
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.governance_ledger.document import instant

MEDIA_TYPE = "text/plain; charset=utf-8"
_ED25519 = b"\x01"


class NoteRefused(Exception):
    """The note is not a checkpoint of this tenant under this key; the message says why."""


class Checkpoint(msgspec.Struct, frozen=True):
    """What a note states: `size` events have the RFC 6962 root `root_hash` and the chain's head `head_hash`."""

    tenant: UUID
    size: int
    root_hash: bytes
    head_hash: bytes
    signed_at: datetime


def origin(tenant: UUID) -> str:
    """The name of a tenant's log, first line of each of its notes."""
    return f"5-layer-runtime/ledger/{tenant}"


def object_key(tenant: UUID, serial: int) -> str:
    """Where the evidence store keeps the tenant's checkpoint number `serial` (from 1, gapless)."""
    return f"checkpoints/{tenant}/{serial:012d}"


def key_hash(name: str, public: bytes) -> bytes:
    """Four bytes that tell which key of that name signed (C2SP signed-note)."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


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
    text, _, signatures = note.partition("\n\n")
    text += "\n"
    wanted = f"— {origin(tenant)} "
    for line in signatures.splitlines():
        if line.startswith(wanted) and _holds(text, line.removeprefix(wanted), origin(tenant), public):
            return _parse(text, tenant)
    raise NoteRefused("no signature of the tenant's log by this key")


def _holds(text: str, encoded: str, name: str, public: bytes) -> bool:
    try:
        blob = base64.b64decode(encoded, validate=True)
        if blob[:4] != key_hash(name, public):
            return False
        Ed25519PublicKey.from_public_bytes(public).verify(blob[4:], text.encode())
    except (ValueError, InvalidSignature):
        return False
    return True


def _parse(text: str, tenant: UUID) -> Checkpoint:
    try:
        named, size, root, chain, time = text.splitlines()
        checkpoint = Checkpoint(
            tenant,
            int(size),
            base64.b64decode(root, validate=True),
            bytes.fromhex(chain.removeprefix("chain ")),
            datetime.fromisoformat(time.removeprefix("time ")),
        )
    except ValueError as error:
        raise NoteRefused(f"the note cannot be read: {error}") from error
    if named != origin(tenant) or text_of(checkpoint) != text:
        raise NoteRefused("the note is of another log")
    return checkpoint

"""Checkpoints: C2SP signed notes (tlog-checkpoint) under one Ed25519 key."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.verifier.errors import Broken

_TEXT = re.compile(
    r"(?P<origin>[^\n]+)\n(?P<size>0|[1-9][0-9]{0,17})\n(?P<root>[A-Za-z0-9+/=]{44})\nchain (?P<head>[0-9a-f]{64})\n"
    r"time (?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z)\n"
)


class Checkpoint(NamedTuple):
    """What a note states, and the `kid` of the key that signed it. `time` is in the form of documents."""

    size: int
    root: bytes
    head: bytes
    time: str
    kid: str


def origin(tenant: UUID) -> str:
    """The name of a tenant's log."""
    return f"5-layer-runtime/ledger/{tenant}"


def key_hash(name: str, public: bytes) -> bytes:
    """Four bytes that tell which key of that name signed (C2SP signed-note, Ed25519)."""
    return hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]


def kid_of(public: bytes) -> str:
    """16 hex digits that name a public key of 32 raw bytes."""
    return hashlib.sha256(public).hexdigest()[:16]


def read_note(note: str, tenant: UUID, keys: Mapping[str, bytes]) -> Checkpoint:
    """What the note states, once one of `keys` (kid to 32 raw bytes) has signed it for this tenant's log.

    Signatures by others (witnesses) are let be. Raises `Broken`.
    """
    text, gap, signatures = note.partition("\n\n")
    found = _TEXT.fullmatch(text + "\n")
    if not gap or found is None:
        raise Broken("a checkpoint that is no signed note of a ledger")
    if found["origin"] != origin(tenant):
        raise Broken(f"a checkpoint of another log: {found['origin'][:100]}")
    kid = _signer(text + "\n", signatures, found["origin"], keys)
    if kid is None:
        raise Broken(f"the checkpoint over {found['size']} events is not signed by the given key")
    return Checkpoint(
        int(found["size"]), base64.b64decode(found["root"]), bytes.fromhex(found["head"]), found["time"], kid
    )


def _signer(text: str, signatures: str, name: str, keys: Mapping[str, bytes]) -> str | None:
    if not signatures.endswith("\n"):
        return None
    for line in signatures.removesuffix("\n").split("\n"):
        if not line.startswith(f"— {name} "):
            continue
        try:
            blob = base64.b64decode(line.rpartition(" ")[2], validate=True)
        except binascii.Error:
            continue
        for kid, public in keys.items():
            if blob[:4] == key_hash(name, public) and holds(public, blob[4:], text.encode()):
                return kid
    return None


def holds(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the Ed25519 key signed the message."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True

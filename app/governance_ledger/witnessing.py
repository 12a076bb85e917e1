"""Witnesses after C2SP: tlog-witness (add-checkpoint) and tlog-cosignature (cosignature/v1, Ed25519). No I/O.

A witness cosigns a checkpoint only when it follows from the last one it saw. With its key, anyone can tell that the
ledger showed everybody the same history.
"""

import base64
import binascii
import hashlib
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.canon.errors import Misconfigured
from app.governance_ledger.notes import origin

COSIGNATURE = b"\x04"
LOG = b"\x01"
SIZE_MEDIA_TYPE = "text/x.tlog.size"
_TIME_BYTES, _ID_BYTES, _SIGNATURE_BYTES = 8, 4, 64


class Witness(msgspec.Struct, frozen=True):
    """A witness's name, its 32 raw bytes of public key, and its submission prefix (empty: only to verify with)."""

    name: str
    public: bytes
    url: str


class CosignatureRefused(Exception):
    """The lines hold no cosignature of this witness over this checkpoint; the message says why."""


def parse_witnesses(text: str) -> tuple[Witness, ...]:
    """`vkey url` for each witness, separated by commas: `witness.example/w1+CMp+BAAA… https://witness.example/w1`.

    Raises `Misconfigured`.
    """
    return tuple(_parse(entry) for entry in text.split(",") if entry.strip())


def verifier_key(name: str, public: bytes, kind: bytes = LOG) -> str:
    """A key in the form that signed-note tools take: `name+id+base64`."""
    return f"{name}+{_key_id(name, public, kind).hex()}+{base64.b64encode(kind + public).decode()}"


def log_verifier_key(tenant: UUID, public: bytes) -> str:
    """What the operator of a witness is given: the verifier key of the tenant's log under the sealer's public key."""
    return verifier_key(origin(tenant), public)


def request_body(old_size: int, proof: Sequence[str], note: str) -> bytes:
    """The body of add-checkpoint; `proof` (hex) leads from `old_size` to the size of `note`."""
    lines = [f"old {old_size}", *(base64.b64encode(bytes.fromhex(part)).decode() for part in proof)]
    return ("\n".join(lines) + "\n\n" + note).encode()


def check_cosignature(witness: Witness, lines: str, note: str) -> tuple[str, datetime]:
    """The witness's own line among `lines`, and when it cosigned. Raises `CosignatureRefused`."""
    text = note.partition("\n\n")[0] + "\n"
    wanted = f"— {witness.name} "
    reason = "no line is of this witness"
    for line in lines.splitlines():
        if line.startswith(wanted):
            try:
                return line + "\n", _cosigned_at(witness, line.removeprefix(wanted), text)
            except (ValueError, InvalidSignature, OverflowError) as error:
                reason = str(error) or "its signature does not hold"
    raise CosignatureRefused(f"no cosignature of {witness.name}: {reason}")


def _cosigned_at(witness: Witness, encoded: str, text: str) -> datetime:
    blob = base64.b64decode(encoded, validate=True)
    if blob[:_ID_BYTES] != _key_id(witness.name, witness.public, COSIGNATURE):
        raise ValueError("it signed with another key")
    if len(blob) != _ID_BYTES + _TIME_BYTES + _SIGNATURE_BYTES:
        raise ValueError("it is no cosignature/v1")
    (seconds,) = struct.unpack_from(">Q", blob, _ID_BYTES)
    message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
    Ed25519PublicKey.from_public_bytes(witness.public).verify(blob[_ID_BYTES + _TIME_BYTES :], message)
    return datetime.fromtimestamp(seconds, UTC)


def _key_id(name: str, public: bytes, kind: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + kind + public).digest()[:_ID_BYTES]


def _parse(entry: str) -> Witness:
    key, _, url = entry.strip().partition(" ")
    name, _, rest = key.partition("+")
    named, _, encoded = rest.partition("+")
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        blob = b""
    if not name or len(blob) != 33 or blob[:1] != COSIGNATURE or named != _key_id(name, blob[1:], COSIGNATURE).hex():
        raise Misconfigured(
            f"FLR_WITNESSES: {key[:60]!r} is no verifier key of a witness: write name+id+base64 of type 0x04 "
            "(cosignature/v1), a space, and its address"
        )
    if not url.strip().startswith(("https://", "http://")):
        raise Misconfigured(f"FLR_WITNESSES: write the address of {name} after its key, as https://...")
    return Witness(name, blob[1:], url.strip().rstrip("/"))

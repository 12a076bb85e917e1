"""How events name evidence: by the hash of the stored bytes."""

import hashlib

import msgspec
from msgspec import UNSET

from app.canon.evidence import EvidenceRef
from app.governance_ledger.errors import EvidenceTooLarge

MAX_BYTES = 64 * 1024 * 1024


def key_of(sha256: str) -> str:
    """The store key of bytes: `sha256/<first two>/<all 64 hex digits>`."""
    return f"sha256/{sha256[:2]}/{sha256}"


def check_size(content: bytes, name: str) -> None:
    """Raises `EvidenceTooLarge`."""
    if len(content) > MAX_BYTES:
        raise EvidenceTooLarge(f"{name}: {len(content)} bytes; evidence may hold {MAX_BYTES}")


def ref_of(stored: bytes, *, media_type: str, name: str, subject: str | msgspec.UnsetType = UNSET) -> EvidenceRef:
    """How an event names these bytes; `subject` whose personal data they are."""
    sha256 = hashlib.sha256(stored).hexdigest()
    return EvidenceRef(sha256, key_of(sha256), len(stored), media_type, name, subject)

"""Evidence: bytes that an event names by their hash.

Bytes are spooled in the caller's transaction and moved to the store afterwards, so that no work waits for the store.
"""

import hashlib

from app.canon.evidence import EvidenceRef, EvidenceStore, NotStored
from app.governance_ledger.errors import EvidenceTooLarge, EvidenceUnknown
from app.postgres import Transaction

MAX_BYTES = 64 * 1024 * 1024

_KEEP = """
WITH known AS (
  SELECT 1 FROM governance_ledger.evidence_objects WHERE tenant_id = $1 AND sha256 = $2 LIMIT 1
), object AS (
  INSERT INTO governance_ledger.evidence_objects (tenant_id, sha256, key, size_bytes, media_type, name)
  SELECT $1, $2, $3, $4, $5, $6 WHERE NOT EXISTS (SELECT FROM known)
  RETURNING 1
)
INSERT INTO governance_ledger.evidence_spool (tenant_id, key, sha256, media_type, content)
SELECT $1, $3, $2, $5, $7 FROM object
"""

_SPOOLED = """
SELECT substring(content FROM $3 FOR $4) FROM governance_ledger.evidence_spool
 WHERE tenant_id = $1 AND key = $2 LIMIT 1
"""

_KNOWN = "SELECT EXISTS (SELECT FROM governance_ledger.evidence_objects WHERE tenant_id = $1 AND key = $2)"
_LONGEST = 2**30


def key_of(sha256: str) -> str:
    """The store key of bytes: `sha256/<first two>/<all 64 hex digits>`."""
    return f"sha256/{sha256[:2]}/{sha256}"


async def keep_evidence(tx: Transaction, content: bytes, *, media_type: str, name: str) -> EvidenceRef:
    """Keep `content` in the caller's transaction, to be named by an event. The same bytes are kept once.

    The bytes are readable at once and reach the store after the commit. Raises `EvidenceTooLarge`.
    """
    if len(content) > MAX_BYTES:
        raise EvidenceTooLarge(f"{name}: {len(content)} bytes; evidence may hold {MAX_BYTES}")
    sha256 = hashlib.sha256(content).hexdigest()
    ref = EvidenceRef(sha256, key_of(sha256), len(content), media_type, name)
    await tx.connection.execute(
        _KEEP, tx.tenant, ref.sha256, ref.key, ref.size_bytes, ref.media_type, ref.name, content
    )
    return ref


async def read_evidence(
    tx: Transaction, store: EvidenceStore, key: str, start: int = 0, end: int | None = None
) -> bytes:
    """Bytes `start` to `end` (inclusive) of evidence of this tenant. Spool first: what left it is in the store.

    Raises `EvidenceUnknown`, `StoreUnavailable`.
    """
    if not await tx.connection.fetchval(_KNOWN, tx.tenant, key):
        raise EvidenceUnknown(f"there is no evidence {key}")
    length = _LONGEST if end is None else max(end - start + 1, 0)
    spooled = await tx.connection.fetchval(_SPOOLED, tx.tenant, key, start + 1, length)
    if spooled is not None:
        return bytes(spooled)
    try:
        return await store.get(key, start, end)
    except NotStored as error:
        raise EvidenceUnknown(f"the store has lost {key}; the ledger still names it") from error

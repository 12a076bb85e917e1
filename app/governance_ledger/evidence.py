"""Evidence: bytes that an event names by their hash.

Bytes are spooled in the caller's transaction and moved to the store afterwards, so that no work waits for the store.
"""

import hashlib
import re
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from msgspec import UNSET

from app.canon.evidence import EvidenceRef, EvidenceStore, NotStored, StoreUnavailable
from app.governance_ledger import store as rows
from app.governance_ledger.addressing import ALG, Recipient
from app.governance_ledger.addressing import OVERHEAD_BYTES as ADDRESSED_BYTES
from app.governance_ledger.errors import (
    EvidenceAway,
    EvidenceDiffers,
    EvidenceErased,
    EvidenceSealed,
    EvidenceUnknown,
)
from app.governance_ledger.refs import check_size, ref_of
from app.governance_ledger.subjects import OVERHEAD_BYTES, DataKey, Keeper, SubjectKey, open_bytes, seal_bytes
from app.postgres import Database, Transaction

_FIND = """
SELECT o.size_bytes, o.sha256, o.media_type, o.name, o.alg, s.id AS spooled,
       k.id AS subject_id, k.subject, k.kek_id, k.wrapped_key, k.erased_at
  FROM governance_ledger.evidence_objects o
  LEFT JOIN governance_ledger.evidence_spool s ON s.tenant_id = o.tenant_id AND s.key = o.key
  LEFT JOIN governance_ledger.subject_keys k ON k.tenant_id = o.tenant_id AND k.id = o.subject_id
 WHERE o.tenant_id = $1 AND o.sha256 = $2 ORDER BY o.kept_at, o.id LIMIT 1
"""

_SPOOLED = "SELECT substring(content FROM $2 FOR $3) FROM governance_ledger.evidence_spool WHERE id = $1"
_LONGEST = 2**30
_KEY = re.compile(r"sha256/[0-9a-f]{2}/([0-9a-f]{64})")


class Kept(msgspec.Struct, frozen=True):
    """Evidence of a tenant; `spooled` is the spool row that still holds the bytes, if any.

    `size_bytes` is that of the stored bytes, which are ciphertext when they belong to `subject_key`.
    """

    size_bytes: int
    sha256: str
    media_type: str
    name: str
    spooled: int | None
    subject_key: SubjectKey | None
    alg: str | None

    @property
    def plain_bytes(self) -> int:
        """The size of what a reader gets."""
        if self.subject_key is None:
            return self.size_bytes
        return self.size_bytes - (ADDRESSED_BYTES if self.alg == ALG else OVERHEAD_BYTES)

    def require_unerased(self) -> None:
        """Raises `EvidenceErased`."""
        key = self.subject_key
        if key is not None and key.erased_at is not None:
            said = f"subject {key.subject} was erased on {key.erased_at:%Y-%m-%d}: nobody can read this"
            raise EvidenceErased(said, erased_at=key.erased_at)


async def keep_evidence(
    tx: Transaction, content: bytes, *, media_type: str, name: str, subject: DataKey | Recipient | None = None
) -> EvidenceRef:
    """Keep `content` in the caller's transaction, to be named by an event. The same bytes are kept once.

    The bytes are readable at once and reach the store after the commit. With `subject` (from `open_subject` or
    `recipient_of`) they are encrypted first: hash and size are those of the stored bytes, and erasing the subject makes
    them unreadable. Raises `EvidenceTooLarge`, `SubjectErased`.
    """
    check_size(content, name)
    stored = _as_stored(tx.tenant, subject, content)
    ref = ref_of(stored, media_type=media_type, name=name, subject=UNSET if subject is None else subject.subject)
    alg = ALG if isinstance(subject, Recipient) else None
    await rows.insert_evidence(tx, ref, stored, None if subject is None else subject.id, alg)
    return ref


def _as_stored(tenant: UUID, subject: DataKey | Recipient | None, content: bytes) -> bytes:
    if subject is None:
        return content
    return subject.sealed(tenant, content) if isinstance(subject, Recipient) else seal_bytes(tenant, subject, content)


async def find_evidence(tx: Transaction, key: str) -> Kept:
    """What the tenant's ledger knows of `key`. Raises `EvidenceUnknown`."""
    found = _KEY.fullmatch(key)
    row = None if found is None else await tx.connection.fetchrow(_FIND, tx.tenant, found[1])
    if row is None:
        raise EvidenceUnknown(f"there is no evidence {key}")
    sealing = None
    if row["subject_id"] is not None:
        sealing = SubjectKey(row["subject_id"], row["subject"], row["kek_id"], row["wrapped_key"], row["erased_at"])
    named = (row["size_bytes"], row["sha256"], row["media_type"], row["name"], row["spooled"])
    return Kept(*named, sealing, row["alg"])


async def read_evidence(
    tx: Transaction,
    store: EvidenceStore,
    key: str,
    start: int = 0,
    end: int | None = None,
    *,
    keeper: Keeper | None = None,
) -> bytes:
    """Bytes `start` to `end` (inclusive) of the tenant's evidence `key`; all of it is checked against its hash.

    Reads from the store inside the caller's transaction: for large objects open a `Database` of your own and use
    `fetch_evidence`. Personal evidence needs the `keeper`. Raises `EvidenceUnknown`, `EvidenceDiffers`, `EvidenceAway`,
    `EvidenceErased`, `EvidenceSealed`.
    """
    kept = await find_evidence(tx, key)
    opening = _Opening(tx.tenant, kept, keeper, start, end)
    content = await _spooled(tx, kept, *opening.span)
    return opening.of(content if content is not None else await _stored(store, key, kept, *opening.span))


async def fetch_evidence(
    database: Database,
    tenant: UUID,
    store: EvidenceStore,
    key: str,
    start: int = 0,
    end: int | None = None,
    *,
    keeper: Keeper | None = None,
) -> bytes:
    """Like `read_evidence`, with a short transaction of its own that is over before the store is asked."""
    async with database.transaction(tenant) as tx:
        kept = await find_evidence(tx, key)
        opening = _Opening(tenant, kept, keeper, start, end)
        content = await _spooled(tx, kept, *opening.span)
    return opening.of(content if content is not None else await _stored(store, key, kept, *opening.span))


async def fetch_stored(
    database: Database, tenant: UUID, store: EvidenceStore, key: str, start: int = 0, end: int | None = None
) -> bytes:
    """The bytes whose hash the ledger names: ciphertext where they are personal. For exports, which need no key.

    A short transaction of its own. Raises `EvidenceUnknown`, `EvidenceDiffers`, `EvidenceAway`, and `EvidenceErased`
    for what the store holds no more and nobody could read.
    """
    async with database.transaction(tenant) as tx:
        kept = await find_evidence(tx, key)
        content = await _spooled(tx, kept, start, end)
    return content if content is not None else await _stored(store, key, kept, start, end)


class _Opening:
    """How stored bytes become what was asked for: as they are, or as part of all of them decrypted."""

    def __init__(self, tenant: UUID, kept: Kept, keeper: Keeper | None, start: int, end: int | None) -> None:
        """Raises `EvidenceErased`, `EvidenceSealed`."""
        kept.require_unerased()
        self._key: DataKey | None = None
        self._tenant, self._start, self._end, self._kept = tenant, start, end, kept
        if kept.subject_key is not None:
            if keeper is None:
                raise EvidenceSealed("this evidence is personal: read it over the API, which holds the subjects' keys")
            self._key = keeper.unwrap(tenant, kept.subject_key)

    @property
    def span(self) -> tuple[int, int | None]:
        """What to read of the stored bytes."""
        return (self._start, self._end) if self._key is None else (0, None)

    def of(self, stored: bytes) -> bytes:
        if self._key is None:
            return stored
        try:
            content = open_bytes(self._tenant, self._key, stored, self._kept.alg)
        except InvalidTag as error:
            raise EvidenceDiffers(f"sha256 {self._kept.sha256} was not encrypted with its subject's key") from error
        return content[self._start : None if self._end is None else self._end + 1]


async def _spooled(tx: Transaction, kept: Kept, start: int, end: int | None) -> bytes | None:
    """What the spool still holds. What left it since is in the store: the mover deletes after the store confirmed."""
    if kept.spooled is None:
        return None
    length = _LONGEST if end is None else max(end - start + 1, 0)
    content: bytes | None = await tx.connection.fetchval(_SPOOLED, kept.spooled, start + 1, length)
    return content


async def _stored(store: EvidenceStore, key: str, kept: Kept, start: int, end: int | None) -> bytes:
    try:
        content = await store.get(key, start, end)
    except NotStored as error:
        kept.require_unerased()
        raise EvidenceDiffers(f"the store has lost {key}; the ledger still names it") from error
    except StoreUnavailable as error:
        raise EvidenceAway("the evidence store does not answer: try again") from error
    whole = start == 0 and (end is None or end >= kept.size_bytes - 1)
    if whole and hashlib.sha256(content).hexdigest() != kept.sha256:
        raise EvidenceDiffers(f"the store holds other bytes under {key} than the ledger names")
    return content

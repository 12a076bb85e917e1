"""The full-store audit: every object that a tenant's ledger names is read back and hashed.

What the store says about an object is not asked: only its bytes count. Transactions are short and over before the store
is read, so that an audit of hours holds nobody up.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import Literal, TypeAlias
from uuid import UUID

import asyncpg
import msgspec

from app.canon.evidence import EvidenceStore, NotStored, StoreUnavailable
from app.governance_ledger.errors import EvidenceAway
from app.postgres import Database

Verdict: TypeAlias = Literal["same", "waiting", "erased", "missing", "differs", "unlisted"]

PAGE = 500
READ_BYTES = 8 * 1024 * 1024
AT_ONCE = 8

_COUNT = """
SELECT (SELECT count(DISTINCT sha256) FROM governance_ledger.evidence_objects WHERE tenant_id = $1)
     + (SELECT count(*) FROM governance_ledger.ledger_checkpoints WHERE tenant_id = $1)
     + (SELECT count(*) FROM governance_ledger.ledger_attestations WHERE tenant_id = $1)
"""

_OBJECTS = """
SELECT o.sha256 AS place, o.key, o.sha256, o.size_bytes,
       EXISTS (SELECT FROM governance_ledger.evidence_spool s WHERE s.tenant_id = $1 AND s.key = o.key) AS spooled,
       o.subject_id IS NOT NULL AND EXISTS (
         SELECT FROM governance_ledger.ledger_seals s
           JOIN governance_ledger.governance_events e ON e.xid = s.xid AND e.n = s.n
          WHERE s.tenant_id = $1 AND s.type = 'subject.erased'
            AND 'governance_ledger.subject_keys/' || o.subject_id = ANY (e.subjects)) AS erased
  FROM (
    SELECT DISTINCT ON (sha256) sha256, key, size_bytes, subject_id FROM governance_ledger.evidence_objects
     WHERE tenant_id = $1 AND sha256 > coalesce($2, '') ORDER BY sha256 LIMIT $3
  ) o ORDER BY place
"""

_CHECKPOINTS = """
SELECT c.serial AS place, c.key, encode(sha256(convert_to(c.note, 'UTF8')), 'hex') AS sha256,
       octet_length(convert_to(c.note, 'UTF8'))::bigint AS size_bytes,
       EXISTS (SELECT FROM governance_ledger.evidence_spool s WHERE s.tenant_id = $1 AND s.key = c.key) AS spooled,
       false AS erased
  FROM governance_ledger.ledger_checkpoints c
 WHERE c.tenant_id = $1 AND c.serial > coalesce($2, 0) ORDER BY place LIMIT $3
"""

_ATTESTATIONS = """
SELECT a.key AS place, a.key, encode(sha256(a.content), 'hex') AS sha256, octet_length(a.content)::bigint AS size_bytes,
       EXISTS (SELECT FROM governance_ledger.evidence_spool s WHERE s.tenant_id = $1 AND s.key = a.key) AS spooled,
       false AS erased
  FROM (
    SELECT content, concat('checkpoints/', tenant_id, '/', lpad(serial::text, 12, '0'), '.', kind, '.',
                           left(encode(sha256(convert_to(name, 'UTF8')), 'hex'), 16)) AS key
      FROM governance_ledger.ledger_attestations WHERE tenant_id = $1
  ) a WHERE a.key > coalesce($2, '') ORDER BY place LIMIT $3
"""

_SPOOLED = """
SELECT bool_and(encode(sha256(content), 'hex') = $3) FROM governance_ledger.evidence_spool
 WHERE tenant_id = $1 AND key = $2
"""

_LAST_OF_PAGE = """
SELECT max(n) FROM (
  SELECT n FROM governance_ledger.governance_events
   WHERE tenant_id = $1 AND n > $2 AND evidence_sha256 IS NOT NULL ORDER BY n LIMIT $3
) page
"""

_UNLISTED = """
SELECT e.event_id, r.ref ->> 'key' AS key, (r.ref ->> 'size_bytes')::bigint AS size_bytes
  FROM governance_ledger.governance_events e
 CROSS JOIN LATERAL jsonb_array_elements(e.body::jsonb #> '{body,evidence}') AS r (ref)
 WHERE e.tenant_id = $1 AND e.n > $2 AND e.n <= $3 AND e.evidence_sha256 IS NOT NULL
   AND NOT EXISTS (
     SELECT FROM governance_ledger.evidence_objects o WHERE o.tenant_id = $1 AND o.sha256 = r.ref ->> 'sha256')
 ORDER BY e.n
"""


class Audited(msgspec.Struct, frozen=True):
    """One object and what was found. `says` is a sentence where something is wrong.

    `same`: the store holds these bytes. `waiting`: the spool does, the store not yet. `erased`: their subject's key was
    destroyed, as a sealed event says, whether the ciphertext is still there or not. `missing`, `differs`: neither holds
    them. `unlisted`: an event names evidence that the list of kept evidence lacks.
    """

    key: str
    size_bytes: int
    verdict: Verdict
    says: str = ""


class _Named(msgspec.Struct, frozen=True):
    """An object as the ledger names it."""

    key: str
    sha256: str
    size_bytes: int
    spooled: bool
    erased: bool


async def count_evidence(database: Database, tenant: UUID) -> int:
    """How many objects the tenant's ledger names: evidence and checkpoints. In a transaction of its own."""
    async with database.transaction(tenant) as tx:
        return int(await tx.connection.fetchval(_COUNT, tenant))


async def audit_evidence(
    database: Database, tenant: UUID, store: EvidenceStore, *, page: int = PAGE
) -> AsyncIterator[Audited]:
    """Every object that the tenant's ledger names, as it is compared; then every event that names an unlisted one.

    Reads all bytes of the store, at most `AT_ONCE` objects at a time and 8 MiB of each. Opens transactions of its own,
    each over `page` objects or events.
    Raises `EvidenceAway` when the store does not answer: nothing is known then about what was not compared yet.
    """
    for statement in (_OBJECTS, _CHECKPOINTS, _ATTESTATIONS):
        async for named in _pages(database, tenant, statement, page):
            for first in range(0, len(named), AT_ONCE):
                for audited in await _compare_all(database, tenant, store, named[first : first + AT_ONCE]):
                    yield audited
    async for audited in _unlisted(database, tenant, page):
        yield audited


async def _pages(database: Database, tenant: UUID, statement: str, page: int) -> AsyncIterator[Sequence[_Named]]:
    place: str | int | None = None
    while True:
        async with database.transaction(tenant) as tx:
            rows = await tx.connection.fetch(statement, tenant, place, page)
        if not rows:
            return
        yield [_named(row) for row in rows]
        place = rows[-1]["place"]


def _named(row: asyncpg.Record) -> _Named:
    return _Named(row["key"], row["sha256"], row["size_bytes"], row["spooled"], row["erased"])


async def _compare_all(
    database: Database, tenant: UUID, store: EvidenceStore, named: Sequence[_Named]
) -> list[Audited]:
    answers = await asyncio.gather(*(_compare(database, tenant, store, one) for one in named), return_exceptions=True)
    audited = [answer for answer in answers if isinstance(answer, Audited)]
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return audited


async def _compare(database: Database, tenant: UUID, store: EvidenceStore, named: _Named) -> Audited:
    if named.spooled:
        async with database.transaction(tenant) as tx:
            same = await tx.connection.fetchval(_SPOOLED, tenant, named.key, named.sha256)
        if same is not None:
            return _of_spool(named, same)
    # What is not in the spool, or has just left it, is in the store: the mover deletes after the store confirmed.
    return await _of_store(store, named)


def _of_spool(named: _Named, same: bool) -> Audited:
    if same:
        return Audited(named.key, named.size_bytes, "waiting")
    return Audited(named.key, named.size_bytes, "differs", "the spool holds other bytes than the ledger names")


async def _of_store(store: EvidenceStore, named: _Named) -> Audited:
    try:
        size_bytes, sha256 = await _read(store, named)
    except NotStored:
        if named.erased:
            return Audited(named.key, named.size_bytes, "erased")
        return Audited(named.key, named.size_bytes, "missing", "the store has lost it; the ledger still names it")
    except StoreUnavailable as error:
        raise EvidenceAway(f"the evidence store does not answer, so the audit is not finished: {error}") from error
    if size_bytes != named.size_bytes:
        says = f"the ledger names {named.size_bytes} bytes, the store holds {_at_least(size_bytes, named)}"
        return Audited(named.key, named.size_bytes, "differs", says)
    if sha256 != named.sha256:
        return Audited(named.key, named.size_bytes, "differs", f"the ledger names other bytes: here is {sha256}")
    return Audited(named.key, named.size_bytes, "erased" if named.erased else "same")


async def _read(store: EvidenceStore, named: _Named) -> tuple[int, str]:
    """Size and hash of what the store holds; reading ends early when it is more than it should be."""
    digest, size_bytes = hashlib.sha256(), 0
    while size_bytes <= named.size_bytes:
        part = await store.get(named.key, size_bytes, size_bytes + READ_BYTES - 1)
        digest.update(part)
        size_bytes += len(part)
        if len(part) < READ_BYTES:
            break
    return size_bytes, digest.hexdigest()


def _at_least(size_bytes: int, named: _Named) -> str:
    return f"{size_bytes}" if size_bytes < named.size_bytes else f"{size_bytes} or more"


async def _unlisted(database: Database, tenant: UUID, page: int) -> AsyncIterator[Audited]:
    after = 0
    while True:
        async with database.transaction(tenant) as tx:
            last = await tx.connection.fetchval(_LAST_OF_PAGE, tenant, after, page)
            rows = [] if last is None else await tx.connection.fetch(_UNLISTED, tenant, after, last)
        for row in rows:
            says = f"event {row['event_id']} names it, the list of kept evidence does not"
            yield Audited(row["key"], row["size_bytes"], "unlisted", says)
        if last is None:
            return
        after = last

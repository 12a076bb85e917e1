"""Recomputing a tenant's chain from the stored bytes."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from hashlib import sha256
from struct import Struct
from typing import Protocol
from uuid import UUID

import asyncpg
import msgspec

from app.governance_ledger.merkle import Frontier, Subtree
from app.governance_ledger.model import Break
from app.postgres import Transaction
from app.verifier.approvals import MUST_BE_SIGNED

BATCH = 4_000
# The few statements of a full pass that read a whole ledger may take longer than any other of the application.
WHOLE_LEDGER_SECONDS = 1800
_SEQ = Struct(">q")
_BROKEN_LINK = "the chain's hash does not follow from the event"

_LINKS = """
SELECT s.seq, s.hash, e.leaf, convert_to(e.body, 'UTF8') AS document, {altered} AS altered, {approval} AS approval,
       {bereft} AS bereft
  FROM governance_ledger.ledger_seals s
  LEFT JOIN governance_ledger.governance_events e ON e.xid = s.xid AND e.n = s.n AND e.tenant_id = s.tenant_id
 WHERE s.tenant_id = $1 AND s.seq > $2 AND s.seq <= $3
 ORDER BY s.seq
"""

# The document's text is laid out in a fixed order, so each column is found again at its start or its end, without
# parsing it. Columns are outside the hash: one that differs was altered. The tail holds the event's own n and xid,
# which whoever writes `data` cannot know, so it stands nowhere else.
_ALTERED = """
NOT (starts_with(e.body, format('{"at":"%s","body":{"actor":%s,"approval":%s,"data":',
         to_char(e.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
         to_json(e.actor), coalesce(to_json(e.approval_signature), 'null')))
       AND strpos(e.body, format(
         '%s,"occurred_at":"%s","run_id":%s,"step":%s,"ticket_id":%s,"type":%s},"effect":{"digest":"%s","n":"%s"},'
         '"id":"%s","n":"%s","subjects":%s,"tenant":"%s","v":"1","xid":"%s"}',
         CASE WHEN e.evidence_url IS NULL THEN ',"evidence":[]' END,
         to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
         coalesce('"' || e.run_id || '"', 'null'), coalesce(e.step::text, 'null'),
         coalesce('"' || e.ticket_id || '"', 'null'), to_json(e.type), encode(e.effect_digest, 'hex'), e.effect_n,
         e.event_id, e.n, CASE WHEN e.subjects = '{}' THEN '[]' ELSE array_to_json(e.subjects)::text END,
         e.tenant_id, e.xid)) > 0
       AND (e.evidence_url IS NULL
         OR strpos(e.body, concat('"evidence":[{"key":', to_json(e.evidence_url), ',')) > 0)
       AND e.evidence_sha256 IS NOT DISTINCT FROM right(e.evidence_url, 64)
       AND (s.occurred_at, s.type) = (e.occurred_at, e.type)
       AND s.ticket_id IS NOT DISTINCT FROM e.ticket_id AND s.run_id IS NOT DISTINCT FROM e.run_id)
"""

# Events that approvals are followed by. Those that may not do without a signature are the verifier's to name.
_APPROVAL = f"""
(e.approval_signature IS NOT NULL OR e.type IN ({", ".join(f"'{kind}'" for kind in MUST_BE_SIGNED)})
       OR e.type LIKE 'founder.%' OR e.type LIKE 'approval.%' OR e.type LIKE 'mandate.%' OR e.type LIKE 'rule.%')
"""

# Events that account for changes of which none is left. OFFSET keeps it a look-up for the few that have any.
_BEREFT = """
(e.effect_n > 0 AND NOT EXISTS (
         SELECT FROM governance_ledger.changes c WHERE c.xid = e.xid AND c.tenant_id = e.tenant_id OFFSET 0))
"""
LINKS = _LINKS.format(altered="false", approval="false", bereft="false")
LINKS_AND_COLUMNS = _LINKS.format(altered=_ALTERED, approval=_APPROVAL, bereft=_BEREFT)

_SUBTREES = """
SELECT height, place, hash FROM governance_ledger.ledger_subtrees WHERE tenant_id = $1 ORDER BY height, place
"""

_NAME = """
SELECT e.event_id FROM governance_ledger.ledger_seals s
  JOIN governance_ledger.governance_events e ON e.xid = s.xid AND e.n = s.n AND e.tenant_id = s.tenant_id
 WHERE s.tenant_id = $1 AND s.seq = $2
"""


class Broken(Exception):
    """The ledger is not what it was; `found` is the first place at which that shows."""

    def __init__(self, reason: str, seq: int | None = None, event_id: UUID | None = None) -> None:
        super().__init__(reason)
        self.found = Break(seq, event_id, reason)


class Position(msgspec.Struct):
    """How far a chain was recomputed: the last `seq` and its hash."""

    seq: int
    hash: bytes


class Watch(Protocol):
    """Sees the events that hold, as they are read: for what else is to be known of each."""

    def see(self, rows: Sequence[asyncpg.Record]) -> None:
        """The next rows of `LINKS_AND_COLUMNS`."""


async def replay(
    tx: Transaction,
    at: Position,
    end: int,
    roots: Mapping[int, bytes],
    *,
    columns: bool = False,
    watch: Watch | None = None,
) -> None:
    """Move `at` on to `end`, recomputing every leaf and link.

    From the beginning on, the signed `roots` by size are compared too, and the subtrees that proofs are made of. With
    `columns` every column that stands outside the hash is held against the document, in the same reading, and `watch`
    sees each event.

    Raises `Broken`; `at` then is the last place that held.
    """
    tree = Frontier() if at.seq == 0 and roots else None
    async for rows in _batches(tx, LINKS_AND_COLUMNS if columns else LINKS, at.seq, end):
        leaves, fault = _follow(rows, at)
        if tree is not None:
            _grow(tree, leaves, roots)
        if fault is not None:
            raise Broken(fault, at.seq + 1, await name_of(tx, at.seq + 1))
        if watch is not None:
            watch.see(rows)
    if at.seq != end:
        raise Broken("a seal is missing", at.seq + 1)
    if tree is not None:
        await _compare_subtrees(tx, tree, max(roots))


async def name_of(tx: Transaction, seq: int) -> UUID | None:
    """The id of the event that is sealed under the number."""
    found: UUID | None = await tx.connection.fetchval(_NAME, tx.tenant, seq)
    return found


async def _batches(tx: Transaction, statement: str, after: int, end: int) -> AsyncIterator[list[asyncpg.Record]]:
    """The database works on the next batch while this process hashes the one before it."""
    coming: asyncio.Task[list[asyncpg.Record]] | None = None
    try:
        for start in range(after, end, BATCH):
            rows = await (coming or _fetch(tx, statement, start, end))
            following = start + BATCH < end
            coming = asyncio.create_task(_fetch(tx, statement, start + BATCH, end)) if following else None
            await asyncio.sleep(0)
            yield rows
    finally:
        if coming is not None:
            await coming


async def _fetch(tx: Transaction, statement: str, start: int, end: int) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await tx.connection.fetch(statement, tx.tenant, start, min(start + BATCH, end))
    return rows


def _follow(rows: Sequence[asyncpg.Record], at: Position) -> tuple[list[bytes], str | None]:
    """Recompute a batch: the leaves that held, and what is wrong with the event after them."""
    seq, head = at.seq, at.hash
    leaves: list[bytes] = []
    fault = None
    for number, stored, column, document, altered, _, _ in rows:
        if number != seq + 1:
            fault = "a seal is missing" if number > seq else f"the chain forks: two seals have the number {number}"
            break
        if document is None:
            fault = "the sealed event is missing"
            break
        leaf = sha256(b"\x00" + document).digest()
        linked = sha256(head + _SEQ.pack(number) + leaf).digest()
        if linked != stored or leaf != column or altered:
            fault = "a column differs from the sealed document" if linked == stored else _BROKEN_LINK
            break
        seq, head = number, linked
        leaves.append(leaf)
    at.seq, at.hash = seq, head
    return leaves, fault


def _grow(tree: Frontier, leaves: Sequence[bytes], roots: Mapping[int, bytes]) -> None:
    begun, start = 0, tree.size
    for size in sorted(size for size in roots if start < size <= start + len(leaves)):
        tree.extend(leaves[begun : size - start])
        begun = size - start
        if roots[size] != tree.root():
            raise Broken("the tree's root differs from the signed checkpoint", size)
    tree.extend(leaves[begun:])


async def _compare_subtrees(tx: Transaction, tree: Frontier, covered: int) -> None:
    """Hold the kept subtrees against the recomputed ones, up to the newest checkpoint. Raises `Broken`."""
    rows = await tx.connection.fetch(_SUBTREES, tx.tenant)
    kept = {Subtree(height, place): root for height, place, root in rows}
    for subtree, root in tree.kept:
        last = (subtree.place + 1) << subtree.height
        if last <= covered and kept.get(subtree) != root:
            raise Broken("a kept subtree of the tree differs from the events below it", last)

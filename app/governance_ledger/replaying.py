"""Recomputing a tenant's chain from the stored bytes."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from hashlib import sha256
from struct import Struct
from typing import Protocol
from uuid import UUID

import asyncpg
import msgspec

from app.governance_ledger.columns import TOLD, agree, altered_from
from app.governance_ledger.merkle import Frontier, Subtree
from app.governance_ledger.model import Break
from app.postgres import Transaction
from app.verifier.approvals import MUST_BE_SIGNED

BATCH = 4_000
PART = 125
# The few statements of a full pass that read a whole ledger may take longer than any other of the application.
WHOLE_LEDGER_SECONDS = 1800
_SEQ = Struct(">q")
DOUBTFUL = "a column may differ from the sealed document"

# textsend gives the text as bytes as they are stored, and spares the check that convert_to makes of each.
_LINKS = """
SELECT s.seq, s.hash, e.leaf, textsend(e.body) AS document, {told} AS told, {approval} AS approval, {bereft} AS bereft
  FROM governance_ledger.ledger_seals s
  LEFT JOIN governance_ledger.governance_events e ON e.xid = s.xid AND e.n = s.n AND e.tenant_id = s.tenant_id
 WHERE s.tenant_id = $1 AND s.seq > $2 AND s.seq <= $3
 ORDER BY s.seq
"""

# Events that approvals are followed by. Those that may not do without a signature are the verifier's to name.
_APPROVAL = f"""
(e.approval_signature IS NOT NULL OR e.type IN ({", ".join(f"'{kind}'" for kind in MUST_BE_SIGNED)})
       OR e.type LIKE 'founder.%' OR e.type LIKE 'approval.%' OR e.type LIKE 'mandate.%' OR e.type LIKE 'rule.%'
       OR e.type LIKE 'quorum.%')
"""

# Events that account for changes of which none is left. OFFSET keeps it a look-up for the few that have any.
_BEREFT = """
(e.effect_n > 0 AND NOT EXISTS (
         SELECT FROM governance_ledger.changes c WHERE c.xid = e.xid AND c.tenant_id = e.tenant_id OFFSET 0))
"""
LINKS = _LINKS.format(told="NULL", approval="false", bereft="false")
LINKS_AND_COLUMNS = _LINKS.format(told=TOLD, approval=_APPROVAL, bereft=_BEREFT)

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
    reading = _Reading(tx, columns, tree, roots, watch)
    while (fault := await reading.run(at, end)) is not None:
        name = await name_of(tx, at.seq + 1)
        if fault is not DOUBTFUL:
            raise Broken(fault, at.seq + 1, name)
        last = min(at.seq + BATCH, end)
        altered = await altered_from(tx, at.seq + 1, last)
        if altered == at.seq + 1:
            raise Broken("a column differs from the sealed document", altered, name)
        reading.settled = last if altered is None else altered - 1
    if at.seq != end:
        raise Broken("a seal is missing", at.seq + 1)
    if tree is not None:
        await _compare_subtrees(tx, tree, max(roots))


class _Reading(msgspec.Struct):
    """What a pass over the chain compares. Columns up to `settled` are known to be right."""

    tx: Transaction
    columns: bool
    tree: Frontier | None
    roots: Mapping[int, bytes]
    watch: Watch | None
    settled: int = 0

    async def run(self, at: Position, end: int) -> str | None:
        """Move `at` on, to `end` or to what is wrong with the event after it."""
        statement = LINKS_AND_COLUMNS if self.columns else LINKS
        async with aclosing(_parts(self.tx, statement, at.seq, end)) as parts:
            async for rows in parts:
                leaves, fault = _follow(rows, at, self.settled if self.columns else end)
                if self.tree is not None:
                    _grow(self.tree, leaves, self.roots)
                if self.watch is not None:
                    self.watch.see(rows[: len(leaves)])
                if fault is not None:
                    return fault
        return None


async def name_of(tx: Transaction, seq: int) -> UUID | None:
    """The id of the event that is sealed under the number."""
    found: UUID | None = await tx.connection.fetchval(_NAME, tx.tenant, seq)
    return found


async def _parts(tx: Transaction, statement: str, after: int, end: int) -> AsyncGenerator[list[asyncpg.Record]]:
    """The database works on the next batch while this process hashes the one before it, and takes what comes in between
    two parts of it: a server that is not listened to stands still."""
    coming: asyncio.Task[list[asyncpg.Record]] | None = None
    try:
        for start in range(after, end, BATCH):
            rows = await (coming or _fetch(tx, statement, start, end))
            following = start + BATCH < end
            coming = asyncio.create_task(_fetch(tx, statement, start + BATCH, end)) if following else None
            for first in range(0, len(rows), PART):
                await asyncio.sleep(0)
                yield rows[first : first + PART]
    finally:
        if coming is not None:
            await coming


async def _fetch(tx: Transaction, statement: str, start: int, end: int) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await tx.connection.fetch(statement, tx.tenant, start, min(start + BATCH, end))
    return rows


def _follow(rows: Sequence[asyncpg.Record], at: Position, settled: int) -> tuple[list[bytes], str | None]:
    """Recompute a part: the leaves that held, and what is wrong with the event after them. Columns up to `settled` are
    known to be right."""
    seq, head = at.seq, at.hash
    leaves: list[bytes] = []
    fault = None
    for number, stored, column, document, told, _, _ in rows:
        if number != seq + 1:
            fault = "a seal is missing" if number > seq else f"the chain forks: two seals have the number {number}"
            break
        if document is None:
            fault = "the sealed event is missing"
            break
        leaf = sha256(b"\x00" + document).digest()
        linked = sha256(head + _SEQ.pack(number) + leaf).digest()
        if linked != stored:
            fault = "the chain's hash does not follow from the event"
            break
        if leaf != column:
            fault = "a column differs from the sealed document"
            break
        if number > settled and not agree(told, document):
            fault = DOUBTFUL
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

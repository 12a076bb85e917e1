"""Checkpoints and proofs for whoever holds a note, a receipt or an event. A proof reads a few hundred hashes."""

from collections.abc import Iterable
from uuid import UUID

import msgspec

from app.canon.errors import Conflict, Fault, NotFound
from app.governance_ledger.errors import EventUnknown
from app.governance_ledger.merkle import Subtree
from app.governance_ledger.model import CheckpointSummary, Page
from app.governance_ledger.proofs import (
    Range,
    consistency_ranges,
    inclusion_ranges,
    kept_below,
    path_of,
    root_of_full,
    subtrees_of,
)
from app.postgres import Transaction

MAX_LIMIT = 500

_CHECKPOINTS = """
SELECT serial, size, encode(root_hash, 'hex'), encode(head_hash, 'hex'), kid, signed_at, note
  FROM governance_ledger.ledger_checkpoints
 WHERE tenant_id = $1 AND serial < coalesce($2, 9223372036854775807) ORDER BY serial DESC LIMIT $3
"""

_OF_SIZE = """
SELECT serial, size, encode(root_hash, 'hex'), encode(head_hash, 'hex'), kid, signed_at, note
  FROM governance_ledger.ledger_checkpoints WHERE tenant_id = $1 AND size = $2
"""

_PLACE = """
SELECT e.leaf, s.seq FROM governance_ledger.governance_events e
  LEFT JOIN governance_ledger.ledger_seals s ON s.tenant_id = e.tenant_id AND s.n = e.n
 WHERE e.tenant_id = $1 AND e.event_id = $2
"""

_LEAVES = """
SELECT s.seq - 1, e.leaf
  FROM unnest($2::bigint[], $3::bigint[]) AS wanted (first, count)
 CROSS JOIN LATERAL (
   SELECT * FROM governance_ledger.ledger_seals
    WHERE tenant_id = $1 AND seq > wanted.first AND seq <= wanted.first + wanted.count OFFSET 0) s
  JOIN governance_ledger.governance_events e ON e.xid = s.xid AND e.n = s.n AND e.tenant_id = s.tenant_id
"""

_KEPT = """
SELECT k.height, k.place, k.hash
  FROM unnest($2::smallint[], $3::bigint[], $4::bigint[]) AS wanted (height, first, count)
  JOIN governance_ledger.ledger_subtrees k ON k.tenant_id = $1 AND k.height = wanted.height
   AND k.place >= wanted.first AND k.place < wanted.first + wanted.count
"""


class CheckpointUnknown(NotFound):
    """There is no such checkpoint yet: the first is signed within seconds of the first event."""

    code = "ledger.young"


class NotCovered(Conflict):
    """No checkpoint covers this yet; the message says how far the newest goes."""

    code = "ledger.young"


class TreeIncomplete(Fault):
    """Hashes of the tree are missing from the database: run `chain-verify` with `full=true`."""


class InclusionProof(msgspec.Struct, frozen=True, kw_only=True):
    """`leaf` is number `index` (from 0) of the tree of `size`; `hashes` lead from it to the root (RFC 9162, 2.1.3).

    All hashes are hex. `checkpoint` is the one of exactly this size, null when none was signed there.
    """

    event_id: UUID
    leaf: str
    seq: int
    index: int
    size: int
    hashes: tuple[str, ...]
    checkpoint: CheckpointSummary | None


class ConsistencyProof(msgspec.Struct, frozen=True, kw_only=True):
    """`hashes` (hex) prove that the tree of `second` leaves begins with that of `first` (RFC 9162, 2.1.4)."""

    first: int
    second: int
    hashes: tuple[str, ...]


async def list_checkpoints(tx: Transaction, *, before: int | None, limit: int) -> Page[CheckpointSummary]:
    """A page of the tenant's checkpoints below serial `before`, newest first; `limit` of 1 to 500."""
    limit = max(1, min(limit, MAX_LIMIT))
    rows = await tx.connection.fetch(_CHECKPOINTS, tx.tenant, before, limit + 1)
    items = tuple(CheckpointSummary(*row) for row in rows[:limit])
    return Page(items, str(items[-1].serial) if len(rows) > limit else None)


async def latest_checkpoint(tx: Transaction) -> CheckpointSummary:
    """The newest checkpoint of the tenant. Raises `CheckpointUnknown`."""
    page = await list_checkpoints(tx, before=None, limit=1)
    if not page.items:
        raise CheckpointUnknown("there is no checkpoint yet: the first is signed within seconds of the first event")
    return page.items[0]


async def prove_inclusion(tx: Transaction, event_id: UUID, size: int | None = None) -> InclusionProof:
    """That an event stands in the tree of `size`, by default that of the newest checkpoint.

    Raises `EventUnknown`, `NotCovered`, `CheckpointUnknown`, `TreeIncomplete`.
    """
    row = await tx.connection.fetchrow(_PLACE, tx.tenant, event_id)
    if row is None:
        raise EventUnknown(f"there is no event {event_id}")
    size = await _covered(tx, size)
    seq = row["seq"]
    if seq is None or seq > size:
        raise NotCovered(f"the tree of {size} does not hold event {event_id} yet: ask again in some seconds")
    hashes = await _path(tx, inclusion_ranges(seq - 1, size))
    return InclusionProof(
        event_id=event_id,
        leaf=row["leaf"].hex(),
        seq=seq,
        index=seq - 1,
        size=size,
        hashes=hashes,
        checkpoint=await _checkpoint_of_size(tx, size),
    )


async def prove_consistency(tx: Transaction, first: int, second: int | None = None) -> ConsistencyProof:
    """That the tree of `second` (by default the newest checkpoint's) begins with that of `first`.

    Raises `NotCovered`, `CheckpointUnknown`, `TreeIncomplete`.
    """
    second = await _covered(tx, second)
    if first > second:
        raise NotCovered(f"the tree has {second} events and no {first}")
    return ConsistencyProof(first=first, second=second, hashes=await _path(tx, consistency_ranges(first, second)))


async def _covered(tx: Transaction, size: int | None) -> int:
    newest = await latest_checkpoint(tx)
    if size is None:
        return newest.size
    if size > newest.size:
        raise NotCovered(f"the newest checkpoint covers {newest.size} events, you ask about {size}")
    return size


async def _checkpoint_of_size(tx: Transaction, size: int) -> CheckpointSummary | None:
    row = await tx.connection.fetchrow(_OF_SIZE, tx.tenant, size)
    return None if row is None else CheckpointSummary(*row)


async def _path(tx: Transaction, ranges: list[Range]) -> tuple[str, ...]:
    wanted = {subtree for span in ranges for subtree in subtrees_of(span)}
    kept = await _kept(tx, wanted)
    try:
        roots = {subtree: root_of_full([kept[below] for below in _below(subtree)]) for subtree in wanted}
    except KeyError as error:
        raise TreeIncomplete(f"the tree lacks {error}: run chain-verify with full=true") from error
    return tuple(part.hex() for part in path_of(ranges, roots))


async def _kept(tx: Transaction, wanted: Iterable[Subtree]) -> dict[Subtree, bytes]:
    """The leaves and the kept hashes from which the roots of `wanted` are computed."""
    spans = sorted(map(kept_below, wanted))
    kept: dict[Subtree, bytes] = {}
    leaves = [(first, count) for height, first, count in spans if not height]
    if leaves:
        rows = await tx.connection.fetch(_LEAVES, tx.tenant, *map(list, zip(*leaves, strict=True)))
        kept |= {Subtree(0, place): leaf for place, leaf in rows}
    above = [span for span in spans if span[0]]
    if above:
        rows = await tx.connection.fetch(_KEPT, tx.tenant, *map(list, zip(*above, strict=True)))
        kept |= {Subtree(height, place): root for height, place, root in rows}
    return kept


def _below(subtree: Subtree) -> list[Subtree]:
    height, first, count = kept_below(subtree)
    return [Subtree(height, place) for place in range(first, first + count)]

"""Receipts as the ledger keeps them: whole, as they were handed out, each in the transaction of its event.

Whole, and not as a key's name and a signature to which the event would give the rest: the receipt of an event that was
cut away says what it promised only if it can be read without it.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import asyncpg

from app.governance_ledger.batching import give_way
from app.governance_ledger.document import instant
from app.governance_ledger.model import Receipt
from app.governance_ledger.receipts import Receipts
from app.governance_ledger.replaying import BATCH, Broken
from app.postgres import Transaction
from app.verifier import errors
from app.verifier.receipts import Recorded, gone, hold, read_receipt

_STORE = """
INSERT INTO governance_ledger.ledger_receipts (tenant_id, event_id, receipt)
SELECT $1, event_id, receipt FROM unnest($2::uuid[], $3::text[]) AS given (event_id, receipt) ORDER BY event_id
    ON CONFLICT DO NOTHING
RETURNING event_id
"""

_STORED = """
SELECT event_id, receipt FROM governance_ledger.ledger_receipts WHERE tenant_id = $1 AND event_id = ANY ($2)
"""

# The limit makes the planner look each event up, where it would read all events there are.
_BESIDE_EVENTS = """
SELECT r.event_id, r.receipt, e.leaf, e.xid::text AS xid, e.recorded_at, e.seq
  FROM governance_ledger.ledger_receipts r
  LEFT JOIN LATERAL (
    SELECT e.leaf, e.xid, e.recorded_at,
           (SELECT s.seq FROM governance_ledger.ledger_seals s
             WHERE s.tenant_id = e.tenant_id AND s.n = e.n LIMIT 1) AS seq
      FROM governance_ledger.governance_events e
     WHERE e.event_id = r.event_id AND e.tenant_id = r.tenant_id LIMIT 1) e ON true
 WHERE r.tenant_id = $1 AND r.event_id > $2 ORDER BY r.event_id LIMIT $3
"""


async def issue(tx: Transaction, signer: Receipts, recorded: Iterable[Receipt]) -> Mapping[UUID, str]:
    """The signed receipt of each event, in the transaction that recorded it: a new one is signed and stored, all in one
    statement; an event that was recorded before keeps the receipt that it had."""
    given: dict[UUID, str] = {}
    for place, receipt in enumerate(recorded):
        await give_way(place)
        given[receipt.event_id] = signer.sign(tx.tenant, receipt)
    if not given:
        return given
    new = await tx.connection.fetch(_STORE, tx.tenant, list(given), list(given.values()))
    before = given.keys() - {row["event_id"] for row in new}
    return given | (await fetch_receipts(tx, list(before)) if before else {})


async def fetch_receipts(tx: Transaction, event_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The stored receipts of these events, by event: not every event has one."""
    rows = await tx.connection.fetch(_STORED, tx.tenant, event_ids)
    return {row["event_id"]: row["receipt"] for row in rows}


async def judge_receipts(tx: Transaction, keys: Mapping[str, bytes] | None) -> int:
    """How many receipts are stored: each was signed for its event as it stands. Without `keys` (kid to 32 raw bytes) it
    is only seen that the event stands. Raises `Broken`."""
    count, after = 0, UUID(int=0)
    while rows := await tx.connection.fetch(_BESIDE_EVENTS, tx.tenant, after, BATCH):
        await asyncio.to_thread(_judge, str(tx.tenant), rows, keys)
        count, after = count + len(rows), rows[-1]["event_id"]
    return count


def _judge(tenant: str, rows: Sequence[asyncpg.Record], keys: Mapping[str, bytes] | None) -> None:
    for row in rows:
        try:
            if row["leaf"] is None:
                raise gone(str(row["event_id"]))
            if keys is not None:
                hold(read_receipt(row["receipt"], tenant, keys), _recorded(row))
        except errors.Broken as broken:
            raise Broken(broken.reason, row["seq"], row["event_id"]) from broken


def _recorded(row: asyncpg.Record) -> Recorded:
    return Recorded(str(row["event_id"]), row["leaf"].hex(), row["xid"], instant(row["recorded_at"]))

"""The console's figures, kept as events are sealed, so that a page costs the same however long the ledger is.

A reading of the ledger and never a second truth: `counts` adds what is not kept yet, and `forget` has all counted anew.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from app.canon.errors import NotFound
from app.governance_ledger import Tally, count_beyond, latest_seq
from app.postgres import LOST, Database, Transaction
from app.role_registry import company

RULES = 1
"""Raise it with every change of what is counted or how: then all is counted anew, as where the zone has changed."""
TYPES = (
    "approval.decided",
    "approval.expired",
    "approval.raised",
    "model.done",
    "revenue.recorded",
    "role.hired",
    "ticket.done",
    "ticket.failed",
    "ticket.opened",
    "ticket.returned",
    "tool.done",
    "tool.refused",
    "tool.unknown",
)
NEWEST = 10
LONGEST_LOOK_SECONDS = 900
"""From a card's opening to the answer; a phone that was left lying counts for no more."""
MOST_AT_ONCE = 10_000
REST_SECONDS = 1.0

_LOG = logging.getLogger("flr.tallies")

_MARK = "SELECT seq, rules FROM founder_console.tally_marks WHERE tenant_id = $1 FOR NO KEY UPDATE SKIP LOCKED"
_MOVE = "UPDATE founder_console.tally_marks SET seq = $2, rules = $3 WHERE tenant_id = $1"
_FORGET = "DELETE FROM founder_console.tallies WHERE tenant_id = $1"
_BEGIN = """
INSERT INTO founder_console.tally_marks (tenant_id, seq, rules)
SELECT $1, 0, $2 WHERE NOT EXISTS (SELECT FROM founder_console.tally_marks WHERE tenant_id = $1)
ON CONFLICT (tenant_id) DO NOTHING
"""
_ADD = """
INSERT INTO founder_console.tallies AS t
       (tenant_id, span, type, slot, role, name, verdict, unit, n, amount, newest, newest_at)
SELECT $1, span, type, slot, role, name, verdict, unit, n, amount, newest, newest_at
  FROM jsonb_to_recordset($2::jsonb) AS given (span text, type text, slot timestamptz, role text, name text,
       verdict text, unit text, n bigint, amount numeric, newest uuid[], newest_at timestamptz[])
ON CONFLICT (tenant_id, span, type, slot, role, name, verdict, unit) DO UPDATE
   SET n = t.n + excluded.n, amount = t.amount + excluded.amount,
       newest = (excluded.newest || t.newest)[1:10], newest_at = (excluded.newest_at || t.newest_at)[1:10]
"""


def rules_of(zone: ZoneInfo) -> str:
    """By which rules, and whose days."""
    return f"{RULES} {zone.key}"


async def advance(tx: Transaction, zone: ZoneInfo, *, most: int = MOST_AT_ONCE) -> int:
    """Count what was sealed since the last time, `most` events at most: how many seals are still to be counted.

    Who comes while another transaction counts leaves it to that one, and gets 0.
    """
    rules = rules_of(zone)
    await tx.connection.execute(_BEGIN, tx.tenant, rules)
    mark = await tx.connection.fetchrow(_MARK, tx.tenant)
    if mark is None:
        return 0
    head, begin = await latest_seq(tx), int(mark["seq"])
    if mark["rules"] != rules or begin > head:
        await tx.connection.execute(_FORGET, tx.tenant)
        begin = 0
    upto = min(head, begin + most)
    if (upto, rules) != (mark["seq"], mark["rules"]):
        found = await count_beyond(tx, TYPES, begin, upto=upto, longest_look=LONGEST_LOOK_SECONDS)
        await tx.connection.execute(_ADD, tx.tenant, _rows(found, zone))
        await tx.connection.execute(_MOVE, tx.tenant, upto, rules)
    return head - upto


async def forget(tx: Transaction) -> None:
    """Have everything counted anew: what is asked for at once, the rest by and by."""
    await tx.connection.execute("DELETE FROM founder_console.tally_marks WHERE tenant_id = $1", tx.tenant)
    await tx.connection.execute(_FORGET, tx.tenant)


def _rows(found: Sequence[Tally], zone: ZoneInfo) -> str:
    rows = [("quarter", one) for one in found] + [("day", one) for one in _days(found, zone)]
    return msgspec.json.encode(
        [{"span": span, **msgspec.structs.asdict(one), "amount": str(one.amount)} for span, one in rows]
    ).decode()


def day_of(moment: datetime, zone: ZoneInfo) -> datetime:
    """The midnight before it, there."""
    return moment.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)


def _days(found: Sequence[Tally], zone: ZoneInfo) -> list[Tally]:
    """Quarters of an hour as days."""
    by_day: dict[tuple[object, ...], list[Tally]] = {}
    for one in sorted(found, key=lambda tally: tally.slot, reverse=True):
        key = (day_of(one.slot, zone), one.type, one.role, one.name, one.verdict, one.unit)
        by_day.setdefault(key, []).append(one)
    return [
        msgspec.structs.replace(
            same[0],
            slot=day_of(same[0].slot, zone),
            n=sum(one.n for one in same),
            amount=sum(one.amount for one in same),
            newest=tuple(chain.from_iterable(one.newest for one in same))[:NEWEST],
            newest_at=tuple(chain.from_iterable(one.newest_at for one in same))[:NEWEST],
        )
        for same in by_day.values()
    ]


class Counter:
    """Counts for every company whose events are sealed while this process runs. Composition starts `run`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._due: set[UUID] = set()
        self._called = asyncio.Event()

    def call(self, tenant: UUID) -> None:
        """Something of that company was sealed."""
        self._due.add(tenant)
        self._called.set()

    async def run(self) -> None:
        """Until it is cancelled. What the database was away for is counted with what comes next."""
        while True:
            await self._called.wait()
            await asyncio.sleep(REST_SECONDS)
            self._called.clear()
            due, self._due = self._due, set()
            for tenant in due:
                try:
                    await self._count(tenant)
                except LOST as error:
                    _LOG.warning("figures are not counted (%s); the next page counts what is missing", error)

    async def _count(self, tenant: UUID) -> None:
        """All there is, in transactions of their own."""
        left = 1
        while left:
            async with self._database.transaction(tenant) as tx:
                try:
                    zone = ZoneInfo((await company(tx)).time_zone)
                except NotFound:
                    return
                left = await advance(tx, zone)

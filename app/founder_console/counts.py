"""Counts of events for pages and sentences: what `tallies` keeps, with what it does not keep yet.

Every count names the newest events that it was counted from.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from app.founder_console.naming import as_uuid
from app.founder_console.tallies import LONGEST_LOOK_SECONDS, NEWEST, TYPES, advance, day_of, rules_of
from app.governance_ledger import RecordedEvent, Tally, count_between, count_beyond
from app.postgres import Transaction

SECOND_UNITS = ("tokens", "seconds_open")
SLOT = timedelta(minutes=15)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
NEVER = datetime(9000, 1, 1, tzinfo=UTC)
MUCH = 500

Step: TypeAlias = Literal["", "day", "month"]
Span: TypeAlias = Literal["day", "quarter"]

_SUMS = """
SELECT coalesce(m.seq, 0) AS mark, s.*, {newest}
  FROM (VALUES (1)) one LEFT JOIN founder_console.tally_marks m ON m.tenant_id = $1 AND m.rules = $2
  LEFT JOIN LATERAL (
       SELECT type, {at} AS at, role, name, verdict, unit, sum(n)::bigint AS n, sum(amount) AS amount, max(slot) AS last
         FROM founder_console.tallies
        WHERE m.seq IS NOT NULL AND tenant_id = $1 AND span = $7 AND type = ANY ($3::text[])
              AND slot >= $4 AND slot < $5 AND ($6::text[] IS NULL OR name = ANY ($6))
        GROUP BY 1, 2, 3, 4, 5, 6) s ON true
"""
_SOURCES = """
  LEFT JOIN LATERAL (
       SELECT array_agg(u.id) AS newest, array_agg(u.at) AS newest_at
         FROM (SELECT u.id, u.at FROM founder_console.tallies t, unnest(t.newest, t.newest_at) AS u (id, at)
                WHERE t.tenant_id = $1 AND t.span = $7 AND t.type = s.type AND t.slot >= $4 AND t.slot <= s.last
                      AND t.role = s.role AND t.name = s.name AND t.verdict = s.verdict AND t.unit = s.unit
                ORDER BY t.slot DESC LIMIT 10) u) u ON true
"""
_ALL_TIME = _SUMS.format(at="NULL::timestamptz", newest="u.newest, u.newest_at") + _SOURCES
_STEPS = {
    step: _SUMS.format(at=f"date_trunc('{step}', slot, $8)", newest="NULL AS newest, NULL AS newest_at")
    for step in ("day", "month")
}
_NEWEST = """
SELECT coalesce(m.seq, 0) AS mark, r.role, t.newest[1] AS event_id, t.newest_at[1] AS at
  FROM unnest($3::text[]) AS r (role)
  LEFT JOIN founder_console.tally_marks m ON m.tenant_id = $1 AND m.rules = $2
  LEFT JOIN LATERAL (
       SELECT newest, newest_at FROM founder_console.tallies
        WHERE m.seq IS NOT NULL AND tenant_id = $1 AND span = 'day' AND role <> '' AND role = r.role AND type = ANY ($4)
        ORDER BY slot DESC LIMIT 1) t ON true
"""


class Source(msgspec.Struct, frozen=True):
    """A ledger event that a sentence rests on."""

    event_id: UUID
    at: datetime


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Events that are alike, counted: fields as in `governance_ledger.Tally`. Either `sources` are the newest of them,
    ten at most, or `at` is the first instant of their day or month."""

    type: str
    at: datetime | None = None
    role_id: UUID | None = None
    name: str = ""
    verdict: str = ""
    unit: str = ""
    n: int
    amount: int = 0
    sources: tuple[Source, ...] = ()


def events_in(counts: Iterable[Count]) -> int:
    """How many events: those that are counted in two units are counted once."""
    return sum(one.n for one in counts if one.unit not in SECOND_UNITS)


def source_of(event: RecordedEvent) -> Source:
    return Source(event.event_id, event.occurred_at)


def newest_of(counts: Iterable[Count], most: int = NEWEST) -> tuple[Source, ...]:
    """The newest events behind all of `counts`, newest first."""
    known = {source.event_id: source for one in counts for source in one.sources}
    return tuple(sorted(known.values(), key=lambda one: one.at, reverse=True)[:most])


class _Wanted(NamedTuple):
    """What is to be counted, whenever it was."""

    types: Sequence[str]
    names: Sequence[str] | None
    step: Step


class Figures:
    """One transaction's view of the figures, in the company's zone. `head` is how far the chain is linked."""

    def __init__(self, tx: Transaction, zone: ZoneInfo, head: int) -> None:
        self._tx = tx
        self._zone = zone
        self._head = head
        self._tail: tuple[int, list[Tally]] | None = None

    async def count(
        self,
        *types: str,
        since: datetime,
        until: datetime = NEVER,
        step: Step = "",
        names: Sequence[str] | None = None,
    ) -> tuple[Count, ...]:
        """What occurred from `since` until before `until`, which is a midnight: alike with alike; in steps of days or
        months if wanted, then without sources."""
        wanted = _Wanted(types, names, step)
        midnight = _upward(since, day_of(since, self._zone), timedelta(days=1))
        found = await self._span("day", midnight, until, wanted)
        if since < midnight:
            begin = _upward(since, EPOCH + (since - EPOCH) // SLOT * SLOT, SLOT)
            found += await self._span("quarter", begin, midnight, wanted)
            rest = await count_between(self._tx, types, since, begin, longest_look=LONGEST_LOOK_SECONDS)
            found += self._counted(rest, wanted)
        return _merged(found)

    async def _span(self, span: Span, begin: datetime, end: datetime, wanted: "_Wanted") -> list[Count]:
        """What is kept of whole spans, and what is not kept yet."""
        statement, rules = _STEPS[wanted.step] if wanted.step else _ALL_TIME, rules_of(self._zone)
        values = [self._tx.tenant, rules, wanted.types, begin, end, wanted.names, span]
        values += [self._zone.key] if wanted.step else []
        records = await self._tx.connection.fetch(statement, *values)
        if self._tail is None and self._head - records[0]["mark"] > MUCH:
            while await advance(self._tx, self._zone):
                pass
            records = await self._tx.connection.fetch(statement, *values)
        kept = [_count(dict(one), one["at"] and one["at"].astimezone(self._zone)) for one in records if one["type"]]
        fresh = [one for one in await self._beyond(records[0]["mark"]) if begin <= one.slot < end]
        return [*self._counted(fresh, wanted), *kept]

    def _counted(self, tallies: Sequence[Tally], wanted: "_Wanted") -> list[Count]:
        return [
            _count(msgspec.structs.asdict(one), self._begin_of(wanted.step, one.slot))
            for one in tallies
            if one.type in wanted.types and (wanted.names is None or one.name in wanted.names)
        ]

    def _begin_of(self, step: Step, slot: datetime) -> datetime | None:
        day = day_of(slot, self._zone)
        return {"": None, "day": day, "month": day.replace(day=1)}[step]

    async def newest_of(self, role_ids: Sequence[UUID], *types: str) -> dict[UUID, Source]:
        """The last event of each role, of these types."""
        if not role_ids:
            return {}
        roles = [str(role_id) for role_id in role_ids]
        records = await self._tx.connection.fetch(_NEWEST, self._tx.tenant, rules_of(self._zone), roles, types)
        found = {UUID(one["role"]): Source(one["event_id"], one["at"]) for one in records if one["event_id"]}
        for one in await self._beyond(records[0]["mark"]):
            if one.type in types and one.role in roles:
                fresh = Source(one.newest[0], one.newest_at[0])
                found[UUID(one.role)] = max(found.get(UUID(one.role), fresh), fresh, key=lambda source: source.at)
        return found

    async def _beyond(self, mark: int) -> list[Tally]:
        """What is not kept yet."""
        if self._tail is None or self._tail[0] != mark:
            self._tail = mark, await count_beyond(self._tx, TYPES, mark, longest_look=LONGEST_LOOK_SECONDS)
        return self._tail[1]


def _count(one: Mapping[str, Any], at: datetime | None) -> Count:
    return Count(
        type=one["type"],
        at=at,
        role_id=as_uuid(one["role"]),
        name=one["name"],
        verdict=one["verdict"],
        unit=one["unit"],
        n=one["n"],
        amount=int(one["amount"]),
        sources=tuple(map(Source, one["newest"], one["newest_at"])) if one["newest"] else (),
    )


def _merged(counts: Iterable[Count]) -> tuple[Count, ...]:
    """Alike with alike; instants are compared, in whichever zone they are written."""
    found: dict[tuple[object, ...], list[Count]] = {}
    for one in counts:
        found.setdefault((one.type, one.at, one.role_id, one.name, one.verdict, one.unit), []).append(one)
    return tuple(
        msgspec.structs.replace(
            same[0],
            n=sum(one.n for one in same),
            amount=sum(one.amount for one in same),
            sources=newest_of(same),
        )
        for same in found.values()
    )


def _upward(moment: datetime, begin: datetime, width: timedelta) -> datetime:
    """`moment` where a span begins with it, else where the next one begins."""
    return begin if begin == moment else begin + width

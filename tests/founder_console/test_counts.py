"""Figures are the ledger's, however much of them is kept: deleted, half kept or all kept, they say the same."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.founder_console.counts import Count, Figures, events_in, newest_of
from app.founder_console.tallies import TYPES, advance, forget
from app.governance_ledger import Event, append_many, latest_seq
from app.governance_ledger.sealing import seal
from app.postgres import Database
from tests.governance_ledger.ledgers import connected

JAKARTA = ZoneInfo("Asia/Jakarta")
MIDNIGHT = datetime(2026, 11, 20, tzinfo=JAKARTA)
ROLE = str(UUID(int=7))
MAYBE_ROLE = st.sampled_from(("", ROLE, str(UUID(int=8))))
CALLED = st.fixed_dictionaries({"role_id": MAYBE_ROLE, "cost_usd_micros": st.integers(0, 9)})
EARNED = st.fixed_dictionaries(
    {"role_id": MAYBE_ROLE, "amount_minor": st.integers(-5, 9).map(str), "currency": st.sampled_from(("IDR", "USD"))}
)
KINDS: st.SearchStrategy[tuple[str, dict[str, object]]] = st.one_of(
    st.tuples(st.just("model.done"), CALLED),
    st.tuples(st.just("revenue.recorded"), EARNED),
    st.tuples(st.just("x.counted"), st.just(dict[str, object]())),
)
MINUTES = st.integers(-3 * 24 * 60, 3 * 24 * 60)
Told: TypeAlias = list[tuple[tuple[str, dict[str, object]], int]]
TOLD: st.SearchStrategy[Told] = st.lists(st.tuples(KINDS, MINUTES), max_size=20)


pytestmark = pytest.mark.made_up_events


@pytest.fixture
async def sealer(sealer_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    async with connected(sealer_dsn) as connection:
        yield connection


def event(of: str, at: datetime = MIDNIGHT, /, **data: object) -> Event:
    return Event(type=of, actor="worker:x", data=data, occurred_at=at)


async def tell(database: Database, tenant: UUID, *events: Event) -> None:
    async with database.transaction(tenant) as tx:
        await append_many(tx, events)


async def keep(database: Database, tenant: UUID, zone: ZoneInfo = JAKARTA, most: int = 10_000) -> int:
    async with database.transaction(tenant) as tx:
        return await advance(tx, zone, most=most)


async def read(database: Database, tenant: UUID, since: datetime, *types: str, zone: ZoneInfo = JAKARTA) -> list[Count]:
    async with database.transaction(tenant) as tx:
        figures = Figures(tx, zone, await latest_seq(tx))
        return [*await figures.count(*(types or TYPES), since=since)]


def sums(counts: list[Count]) -> Counter[tuple[str, UUID | None, str, str]]:
    """How many of what, and of how much, by what makes them alike."""
    found: Counter[tuple[str, UUID | None, str, str]] = Counter()
    for one in counts:
        found[one.type, one.role_id, one.unit, "n"] += one.n
        found[one.type, one.role_id, one.unit, "amount"] += one.amount
    return found


def by_hand(told: Told, since: datetime) -> Counter[tuple[str, UUID | None, str, str]]:
    """The same, event by event."""
    found: Counter[tuple[str, UUID | None, str, str]] = Counter()
    for (kind, data), minutes in told:
        if MIDNIGHT + timedelta(minutes=minutes) < since or kind not in TYPES:
            continue
        role = UUID(str(data["role_id"])) if data["role_id"] else None
        units = {"usd_micros": data.get("cost_usd_micros"), "tokens": 0}
        if kind == "revenue.recorded":
            units = {str(data["currency"]): data["amount_minor"]}
        for unit, amount in units.items():
            found[kind, role, unit, "n"] += 1
            found[kind, role, unit, "amount"] += int(str(amount))
    return found


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=TOLD, more=TOLD, since=MINUTES)
async def test_a_count_is_the_ledgers_however_much_of_it_is_kept(
    database: Database, sealer: asyncpg.Connection, first: Told, more: Told, since: int
) -> None:
    tenant, begin = uuid4(), MIDNIGHT + timedelta(minutes=since)

    async def told(*parts: Told) -> None:
        assert sums(await read(database, tenant, begin)) == by_hand([one for part in parts for one in part], begin)

    await tell(database, tenant, *(event(kind, MIDNIGHT + timedelta(minutes=at), **data) for (kind, data), at in first))
    await told(first)
    await seal(sealer)
    await told(first)
    await keep(database, tenant, most=7)
    await told(first)
    await keep(database, tenant)
    await told(first)
    await tell(database, tenant, *(event(kind, MIDNIGHT + timedelta(minutes=at), **data) for (kind, data), at in more))
    await told(first, more)
    await seal(sealer)
    await keep(database, tenant)
    await told(first, more)
    async with database.transaction(tenant) as tx:
        await forget(tx)
    await told(first, more)


async def test_days_begin_at_the_companys_midnight_and_are_counted_anew_when_it_moves(
    database: Database, sealer: asyncpg.Connection
) -> None:
    tenant = uuid4()
    before, after = MIDNIGHT - timedelta(seconds=1), MIDNIGHT
    await tell(database, tenant, *(event("ticket.done", at) for at in (before, after, after)))
    await seal(sealer)
    await keep(database, tenant)
    for zone in (JAKARTA, ZoneInfo("Asia/Kolkata"), JAKARTA):
        async with database.transaction(tenant) as tx:
            figures = Figures(tx, zone, await latest_seq(tx))
            days = await figures.count("ticket.done", since=MIDNIGHT.astimezone(zone) - timedelta(days=2), step="day")
        found = {one.at and one.at.astimezone(zone).date().isoformat(): one.n for one in days}
        assert found == ({"2026-11-19": 1, "2026-11-20": 2} if zone is JAKARTA else {"2026-11-19": 3})
        await keep(database, tenant, zone)


async def test_a_time_within_a_quarter_of_an_hour_is_exact(database: Database, sealer: asyncpg.Connection) -> None:
    tenant, noon = uuid4(), MIDNIGHT + timedelta(hours=12)
    await tell(database, tenant, *(event("ticket.done", noon + timedelta(minutes=at)) for at in range(40)))
    await seal(sealer)
    await keep(database, tenant)
    for minutes in (0, 1, 14, 15, 16, 39, 40):
        counts = await read(database, tenant, noon + timedelta(minutes=minutes), "ticket.done")
        assert events_in(counts) == 40 - minutes
        assert all(source.at >= noon + timedelta(minutes=minutes) for one in counts for source in one.sources)


async def test_a_count_names_its_newest_events(database: Database, sealer: asyncpg.Connection) -> None:
    tenant = uuid4()
    days = [MIDNIGHT + timedelta(hours=6 * number) for number in range(30)]
    await tell(database, tenant, *(event("ticket.failed", at) for at in days[:25]))
    await seal(sealer)
    await keep(database, tenant)
    await tell(database, tenant, *(event("ticket.failed", at) for at in days[25:]))
    counts = await read(database, tenant, MIDNIGHT, "ticket.failed")
    assert events_in(counts) == 30
    assert [source.at for source in newest_of(counts)] == [at.astimezone(UTC) for at in reversed(days[20:])]


async def test_who_comes_while_another_counts_reads_what_stands(database: Database, sealer: asyncpg.Connection) -> None:
    tenant = uuid4()
    await tell(database, tenant, *(event("ticket.opened") for _ in range(5)))
    await seal(sealer)
    async with database.transaction(tenant) as tx:
        assert await advance(tx, JAKARTA, most=2) == 3
    async with database.transaction(tenant) as counting:
        await advance(counting, JAKARTA)
        assert await keep(database, tenant) == 0
        assert events_in(await read(database, tenant, MIDNIGHT, "ticket.opened")) == 5
    assert events_in(await read(database, tenant, MIDNIGHT, "ticket.opened")) == 5


async def test_what_a_decision_took_is_counted_beside_it(database: Database) -> None:
    tenant = uuid4()
    decided: dict[str, object] = {"decision": "approve", "kind": "tool_call", "tool": "pay", "seconds_pending": 30}
    await tell(
        database,
        tenant,
        event("approval.decided", MIDNIGHT, **decided, seconds_open=5_000),
        event("approval.decided", MIDNIGHT, **decided, seconds_open=None),
        event("approval.decided", MIDNIGHT, **decided | {"kind": "start"}, seconds_open=7),
    )
    counts = await read(database, tenant, MIDNIGHT, "approval.decided")
    found = {(one.name, one.unit): (one.verdict, one.n, one.amount) for one in counts}
    assert found == {
        ("pay", "seconds_pending"): ("approve", 2, 60),
        ("pay", "seconds_open"): ("approve", 1, 900),
        ("", "seconds_pending"): ("approve", 1, 30),
        ("", "seconds_open"): ("approve", 1, 7),
    }
    assert events_in(counts) == 3


async def test_the_last_sign_of_a_worker_is_found_kept_or_not(database: Database, sealer: asyncpg.Connection) -> None:
    tenant, later = uuid4(), MIDNIGHT + timedelta(days=9)
    await tell(database, tenant, event("role.hired", role_id=ROLE), event("tool.done", later, role_id=ROLE, tool="x"))
    found = []
    for _ in range(2):
        async with database.transaction(tenant) as tx:
            figures = Figures(tx, JAKARTA, await latest_seq(tx))
            found.append(await figures.newest_of([UUID(ROLE), UUID(int=9)], "role.hired", "tool.done"))
        await seal(sealer)
        await keep(database, tenant)
    assert [source.at for one in found for source in one.values()] == [later, later]

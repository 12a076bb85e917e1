"""What is asked often never reads the whole ledger, however long it has become."""

from datetime import UTC, datetime

import asyncpg
import pytest

from app.canon.vocabulary import new_id
from app.governance_ledger import EventFilter
from app.governance_ledger.sealing import seal
from app.governance_ledger.store import page_statement
from app.governance_ledger.verifying import UNSEALED, UNSEALED_OF_ALL
from app.postgres import Database
from tests.governance_ledger.ledgers import OTHER, TENANT, record, verify

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
FILTERS = (
    EventFilter(),
    EventFilter(type="x.counted"),
    EventFilter(type="x."),
    EventFilter(type="run.closed", since=MARCH),
    EventFilter(ticket_id=new_id()),
    EventFilter(run_id=new_id()),
)


@pytest.fixture
async def long_ledger(database: Database, sealer: asyncpg.Connection) -> None:
    for tenant in (TENANT, OTHER):
        for _ in range(4):
            await record(database, 2_000, tenant)
    await seal(sealer)
    await record(database, 3)


async def plan_of(database: Database, statement: str, *values: object) -> str:
    async with database.transaction(TENANT) as tx:
        rows = await tx.connection.fetch(f"EXPLAIN {statement}", TENANT, *values)
    return "\n".join(row[0] for row in rows)


@pytest.mark.usefixtures("long_ledger")
async def test_no_page_and_no_verification_scans_all_events(database: Database, superuser: asyncpg.Connection) -> None:
    for analyzed in (False, True):
        if analyzed:
            await superuser.execute("ANALYZE")
        assert "Seq Scan on governance_events" not in await plan_of(database, UNSEALED)
        for where in FILTERS:
            statement, values = page_statement(where, after=None, limit=50, newest_first=True)
            plan = await plan_of(database, statement, *values)
            assert "Seq Scan on governance_events" not in plan, where
            assert "Seq Scan on ledger_seals" not in plan, where
        assert "Seq Scan on ledger_seals" not in await plan_of(database, UNSEALED_OF_ALL)


@pytest.mark.usefixtures("long_ledger")
async def test_a_long_ledger_verifies_and_counts_what_waits(database: Database) -> None:
    report = await verify(database, full=True, max_merge_delay_seconds=600)
    assert (report.ok, report.to_seq, report.unsealed.count) == (True, 8_000, 3), report.first_break


async def test_a_transactions_changes_are_found_by_nothing_but_its_id(superuser: asyncpg.Connection) -> None:
    """With an index that leads with the tenant each event under the digest form reads the tenant's history."""
    rows = await superuser.fetch(
        "SELECT indexname FROM pg_indexes WHERE schemaname = 'governance_ledger' AND tablename = 'changes'"
    )
    assert [row["indexname"] for row in rows] == ["changes_pkey"]


async def test_sealing_never_scans_all_events(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection
) -> None:
    """Its plan is made once, perhaps while the ledger is empty, and must do when it is long."""
    await seal(sealer)
    for _ in range(8):
        await record(database, 500)
        await seal(sealer)
    await sealer.execute("SELECT pg_stat_force_next_flush()")
    scans = await superuser.fetch(
        "SELECT seq_scan, idx_scan > 0 FROM pg_stat_all_tables WHERE schemaname = 'governance_ledger' "
        "AND relname = 'governance_events'"
    )
    assert [tuple(row) for row in scans] == [(0, True)]
    assert (await verify(database)).to_seq == 4_000

"""The sealer links every committed event once, without gaps, whatever commits late."""

import asyncio
import random
from uuid import UUID

import asyncpg

from app.governance_ledger import Event, append, read_event
from app.governance_ledger.chain import genesis, leaf_of, link
from app.governance_ledger.sealing import seal
from app.postgres import Database
from tests.governance_ledger.ledgers import OTHER, TENANT, connected, record, verify


async def chain_of(superuser: asyncpg.Connection, tenant: UUID) -> list[tuple[int, UUID]]:
    """The sealed events in order, after recomputing each link."""
    rows = await superuser.fetch(
        "SELECT s.seq, s.hash, e.event_id, e.body FROM governance_ledger.ledger_seals s "
        "JOIN governance_ledger.governance_events e USING (tenant_id, n) WHERE s.tenant_id = $1 ORDER BY s.seq",
        tenant,
    )
    head = genesis(tenant)
    for row in rows:
        head = link(head, row["seq"], leaf_of(row["body"].encode()))
        assert head == row["hash"]
    return [(row["seq"], row["event_id"]) for row in rows]


async def test_sealed_events_form_one_gapless_chain_for_each_tenant(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection
) -> None:
    await seal(sealer)
    mine, other = await record(database, 5), await record(database, 3, OTHER)
    assert await seal(sealer) == 8
    assert await chain_of(superuser, TENANT) == [(n + 1, receipt.event_id) for n, receipt in enumerate(mine)]
    assert await chain_of(superuser, OTHER) == [(n + 1, receipt.event_id) for n, receipt in enumerate(other)]
    async with database.transaction(TENANT) as tx:
        event = await read_event(tx, mine[2].event_id)
    assert event.seq == 3
    assert event.hash is not None


async def test_a_batch_of_several_tenants_is_sealed_in_one_statement(
    database: Database, sealer: asyncpg.Connection
) -> None:
    await seal(sealer)
    await record(database, 500)
    await record(database, 300, OTHER)
    said: list[str] = []
    sealer.add_query_logger(lambda record: said.append(record.query))
    assert await seal(sealer) == 800
    await asyncio.sleep(0)  # the driver tells its loggers in the loop's next turn
    assert len(said) == 1, said


async def test_nothing_new_seals_nothing_and_writes_nothing(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection
) -> None:
    await record(database, 1)
    await seal(sealer)
    before = await superuser.fetchval("SELECT ctid::text || xmin::text FROM governance_ledger.ledger_mark")
    assert await seal(sealer) == 0
    assert await superuser.fetchval("SELECT ctid::text || xmin::text FROM governance_ledger.ledger_mark") == before


async def test_a_transaction_that_commits_late_is_sealed_then_and_stalls_nobody(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection
) -> None:
    await seal(sealer)
    async with database.transaction(TENANT) as late:
        first = await append(late, Event(type="x.late", actor="system"))
        others = await record(database, 3)
        assert await seal(sealer) == 3
        await record(database, 1)
        assert await seal(sealer) == 1
    assert await seal(sealer) == 1
    order = [event_id for _, event_id in await chain_of(superuser, TENANT)]
    assert order[:3] == [receipt.event_id for receipt in others]
    assert order[4] == first.event_id


async def test_what_is_rolled_back_leaves_no_gap(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection
) -> None:
    await record(database, 2)
    try:
        async with database.transaction(TENANT) as tx:
            await append(tx, Event(type="x.lost", actor="system"))
            raise RuntimeError
    except RuntimeError:
        pass
    await record(database, 2)
    await seal(sealer)
    assert [seq for seq, _ in await chain_of(superuser, TENANT)] == [1, 2, 3, 4]


async def test_events_of_savepoints_are_sealed_with_their_transaction(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection
) -> None:
    await seal(sealer)
    async with database.transaction(TENANT) as tx:
        await append(tx, Event(type="x.one", actor="system"))
        async with tx.savepoint():
            await append(tx, Event(type="x.two", actor="system"))
        assert await seal(sealer) == 0
    await seal(sealer)
    assert len(await chain_of(superuser, TENANT)) == 2


async def test_two_sealers_and_many_writers_give_one_chain_without_forks(
    database: Database, sealer_dsn: str, superuser: asyncpg.Connection
) -> None:
    done = asyncio.Event()

    async def seals() -> None:
        async with connected(sealer_dsn) as connection:
            while not done.is_set():
                await seal(connection)
            await seal(connection)

    async def writes(number: int) -> int:
        chance, kept = random.Random(number), 0
        for _ in range(25):
            tenant = chance.choice([TENANT, OTHER])
            try:
                async with database.transaction(tenant) as tx:
                    await append(tx, Event(type="x.race", actor=f"writer:{number}"))
                    await asyncio.sleep(chance.random() / 50)
                    if chance.random() < 0.2:
                        raise RuntimeError
                    kept += 1
            except RuntimeError:
                pass
        return kept

    sealing = [asyncio.create_task(seals()) for _ in range(2)]
    kept = sum(await asyncio.gather(*(writes(number) for number in range(8))))
    done.set()
    await asyncio.gather(*sealing)
    mine, other = await chain_of(superuser, TENANT), await chain_of(superuser, OTHER)
    assert [seq for seq, _ in mine] == list(range(1, len(mine) + 1))
    assert [seq for seq, _ in other] == list(range(1, len(other) + 1))
    assert len({event_id for _, event_id in mine + other}) == len(mine) + len(other) == kept


async def test_a_seal_says_once_what_is_new(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection
) -> None:
    said: list[str] = []
    await superuser.add_listener("console", lambda *message: said.append(message[3]))
    await record(database, 5)
    await record(database, 2)
    await seal(sealer)
    await seal(sealer)
    await superuser.fetchval("SELECT 1")
    assert sorted(said) == sorted([f"{UUID(int=0)} 1", f"{TENANT} 7"])


async def test_a_chain_that_two_sealers_made_verifies(database: Database, sealer: asyncpg.Connection) -> None:
    await record(database, 30)
    await seal(sealer)
    report = await verify(database, full=True)
    assert (report.ok, report.to_seq, report.unsealed.count) == (True, 30, 0)

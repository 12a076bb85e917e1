"""What the ledger costs: appends beside plain inserts of the same bytes, the Law's two forms, sealing and verifying."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import asyncpg

from app import event_loop
from app.auth import load_keys
from app.canon.evidence import EvidenceRef
from app.governance_ledger import ChainReport, Event, append, append_many, verify_chain
from app.governance_ledger.chain import genesis
from app.governance_ledger.proving import latest_checkpoint, prove_inclusion
from app.governance_ledger.replaying import Position, replay
from app.governance_ledger.sealing import publish_key, sign_checkpoints
from app.own_postgres import url
from app.postgres import Database, Transaction
from app.settings import Settings
from bench._appends import (
    DATA,
    DOCUMENT_BYTES,
    HEX,
    RUN,
    TENANT,
    TICKET,
    WARM_SECONDS,
    Bench,
    append_script,
    business_script,
    plain_script,
)
from bench._machine import bench_home, environment_of
from bench.figures import Figure, arguments, middle, show
from db.zz_govern.lifted import lift_guards, restore_guards

_TABLES = """
CREATE SCHEMA bench AUTHORIZATION flr_owner;
GRANT USAGE ON SCHEMA bench TO flr_app;
SET LOCAL ROLE flr_owner;
CREATE TABLE bench.plain (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id uuid NOT NULL,
  body text NOT NULL);
CREATE TABLE bench.free (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, amount bigint NOT NULL, note text NOT NULL);
CREATE TABLE bench.presence (LIKE bench.free INCLUDING ALL);
CREATE TABLE bench.digest (LIKE bench.free INCLUDING ALL);
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA bench TO flr_app;
SELECT governance_ledger.govern_presence('bench.presence', 'bench.presence', 'id');
SELECT governance_ledger.govern_digest('bench.digest', 'bench.digest', 'id');
RESET ROLE;
"""


def main() -> None:
    chosen = arguments(str(__doc__))
    with bench_home() as settings:
        bench = Bench(settings, *((2, 1) if chosen.quick else (5, 3)))
        asyncio.run(_prepare(settings))
        with _sealer(settings):
            figures = _costs(bench, (64,) if chosen.quick else (64, 8, 1))
            figures |= event_loop.run(_pooled(settings, bench.pairs, bench.seconds))
            figures |= event_loop.run(_sealed(settings))
        figures |= event_loop.run(_drained(settings, 20_000 if chosen.quick else 100_000))
        figures |= event_loop.run(_verified(settings, 20_000 if chosen.quick else 100_000))
    show(figures, as_json=chosen.json)


def _costs(bench: Bench, spread: Sequence[int]) -> dict[str, Figure]:
    appends = _appends(bench, {1: (64, 8, 1), 64: spread})
    slowest = [bench.latencies(script(1), 64) for script in (append_script, plain_script)]
    append_p99, plain_p99 = (waits[len(waits) * 99 // 100] for waits in slowest)
    presence, presence_rate = bench.ratio(business_script("presence"), business_script("free"), 64)
    digest, digest_rate = bench.ratio(business_script("digest"), business_script("free"), 8)
    return {
        **appends,
        "append_p99": Figure(append_p99 / plain_p99, "x", f"64 clients, p99 of plain: {plain_p99:.1f} ms", 3, "less"),
        "presence_law": Figure(
            presence, "x", f"64 clients, row and event without the Law, {presence_rate:.0f}/s", 0.75
        ),
        "digest_law": Figure(digest, "x", f"8 clients, row and event without the Law, {digest_rate:.0f}/s", 0.40),
    }


def _appends(bench: Bench, measured: Mapping[int, Sequence[int]]) -> dict[str, Figure]:
    """An append beside a plain durable INSERT of the same bytes, the sealer running: numbers of clients by tenants."""
    figures = {}
    for tenants, name, bar in ((1, "one_tenant", 0.65), (64, "64_tenants", 0.75)):
        for clients in measured[tenants]:
            ratio, rate = bench.ratio(append_script(tenants), plain_script(tenants), clients)
            suffix = "" if clients == 64 else f"_c{clients}"
            said = f"{clients} clients, plain durable INSERT of the same bytes, {rate:.0f}/s"
            figures[f"append_{name}{suffix}"] = Figure(ratio, "x", said, bar)
    return figures


_PLAIN = "INSERT INTO bench.plain (tenant_id, body) VALUES ($1, $2)"
_ANSWER = EvidenceRef(key=f"sha256/5c/{HEX}", media_type="application/json", name="answer", sha256=HEX, size_bytes=4096)
_DONE = Event(
    type="tool.done",
    actor="worker:018f0000-0000-7000-8000-00000000cccc",
    data=json.loads(DATA),
    ticket_id=UUID(TICKET),
    run_id=UUID(RUN),
    step=7,
    evidence=(_ANSWER,),
)


async def _pooled(settings: Settings, pairs: int, seconds: float) -> dict[str, Figure]:
    """The same by the product's own code: 64 callers over its pool, each with a transaction of its own."""

    async def appended(tx: Transaction) -> None:
        await append(tx, _DONE)

    async def inserted(tx: Transaction) -> None:
        await tx.connection.execute(_PLAIN, tx.tenant, "-" * DOCUMENT_BYTES)

    ratios, rates = [], []
    async with Database(url(settings.home, "flr_app")) as database:
        for write in (appended, inserted):
            await _callers(database, write, WARM_SECONDS)
        for number in range(pairs):
            pair = (appended, inserted) if number % 2 else (inserted, appended)
            rate = {write: await _callers(database, write, seconds) for write in pair}
            ratios.append(rate[appended] / rate[inserted])
            rates.append(rate[inserted])
    said = f"64 callers over the product's pool, plain INSERT by the same code, {middle(rates):.0f}/s"
    return {"append_pooled": Figure(middle(ratios), "x", said, 0.65)}


async def _callers(database: Database, write: Callable[[Transaction], Awaitable[None]], seconds: float) -> float:
    """Transactions a second of 64 callers at once."""
    until, done = time.perf_counter() + seconds, 0

    async def call() -> None:
        nonlocal done
        while time.perf_counter() < until:
            async with database.transaction(TENANT) as tx:
                await write(tx)
            done += 1

    await asyncio.gather(*(call() for _ in range(64)))
    return done / seconds


async def _prepare(settings: Settings) -> None:
    connection = await asyncpg.connect(url(settings.home, "postgres"))
    try:
        async with connection.transaction():
            await lift_guards(connection)
            await connection.execute(_TABLES)
            await restore_guards(connection, [])
    finally:
        await connection.close()


@contextmanager
def _sealer(settings: Settings) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "app.sealer"], env=environment_of(settings, 0), stderr=subprocess.DEVNULL
    )
    try:
        asyncio.run(_until_it_leads(settings))
        yield
    finally:
        process.terminate()
        process.wait()


async def _until_it_leads(settings: Settings) -> None:
    connection = await asyncpg.connect(url(settings.home, "postgres"))
    try:
        for _ in range(600):
            if await connection.fetchval("SELECT count(*) FROM governance_ledger.ledger_keys"):
                return
            await asyncio.sleep(0.05)
        raise SystemExit("the sealer does not start")
    finally:
        await connection.close()


_LATENCY = """
SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM s.sealed_at - e.recorded_at)) * 1000 AS p99_ms,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM s.sealed_at - e.recorded_at)) * 1000 AS p50_ms,
       count(*) AS events, count(*) - count(s.seq) AS unsealed,
       (SELECT count(*) FROM (SELECT tenant_id FROM governance_ledger.ledger_seals
                               GROUP BY tenant_id HAVING max(seq) <> count(*)) gaps) AS gaps,
       (SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()) AS deadlocks
  FROM governance_ledger.governance_events e LEFT JOIN governance_ledger.ledger_seals s USING (tenant_id, n)
"""


async def _sealed(settings: Settings) -> dict[str, Figure]:
    await asyncio.sleep(1)
    connection = await asyncpg.connect(url(settings.home, "postgres"))
    try:
        row = await connection.fetchrow(_LATENCY)
    finally:
        await connection.close()
    assert row is not None
    said = f"over the {row['events']} events of the load above; p50 {row['p50_ms']:.0f} ms"
    wrong = row["unsealed"] + row["gaps"] + row["deadlocks"]
    return {
        "event_to_sealed_p99": Figure(row["p99_ms"], "ms", said, 500, "less"),
        "unsealed_gaps_deadlocks": Figure(wrong, "", "events not sealed, chains with gaps, deadlocks", 0, "less"),
    }


async def _drained(settings: Settings, count: int) -> dict[str, Figure]:
    """What waits after a sealer's absence is linked at this rate."""
    event = Event(type="tool.done", actor="worker:1", data={"tool": "mail_send", "tokens": 912, "sha256": "5" * 64})
    async with Database(url(settings.home, "flr_app")) as database:
        for _ in range(count // 1_000):
            async with database.transaction(UUID(int=TENANT.int | 0xFFFE)) as tx:
                await append_many(tx, [event] * 1_000)
    connection = await asyncpg.connect(url(settings.home, "flr_sealer"))
    try:
        began = time.perf_counter()
        sealed = await connection.fetchval("SELECT governance_ledger.seal()", timeout=600)
        rate = sealed / (time.perf_counter() - began)
    finally:
        await connection.close()
    return {"backlog_drain": Figure(rate, "/s", f"one seal of {sealed} waiting events", 50_000)}


_AT = """
SELECT e.event_id FROM governance_ledger.ledger_seals s
  JOIN governance_ledger.governance_events e ON e.xid = s.xid AND e.n = s.n
 WHERE s.tenant_id = $1 AND s.seq = $2
"""


async def _verified(settings: Settings, count: int) -> dict[str, Figure]:
    tenant = UUID(int=TENANT.int | 0xFFFF)
    async with Database(url(settings.home, "flr_app")) as database:
        await _fill(database, settings, tenant, count)
        chain = [await _replayed(database, tenant, count) for _ in range(3)]
        full = [await _timed(database, tenant, full=True) for _ in range(3)]
        incremental = []
        for _ in range(5):
            await _fill(database, settings, tenant, 1_000)
            incremental.append(await _timed(database, tenant, full=False))
        proofs = await _proved(database, settings, tenant)
    for report, _ in (*full, *incremental):
        if not report.ok:
            raise SystemExit(f"the chain does not verify: {report.first_break}")
    rate = middle([report.events / seconds for report, seconds in full])
    wait = middle([seconds * 1000 for _, seconds in incremental])
    return {
        "verify_1000_new": Figure(wait, "ms", "from where the last verification ended", 100, "less"),
        "verify_chain": Figure(middle(chain), "/s", f"{count} events: every hash and link", 100_000),
        "verify_full": Figure(rate, "/s", "the same and every column, roots, coverage", 100_000),
        "prove": Figure(
            middle(proofs) * 1000, "ms", f"inclusion of any of {count} events, from the database", 50, "less"
        ),
    }


async def _proved(database: Database, settings: Settings, tenant: UUID) -> list[float]:
    """Seconds for each of fifty proofs of inclusion, of events all over the tree."""
    connection = await asyncpg.connect(url(settings.home, "flr_sealer"))
    try:
        key = load_keys(settings.keys, "seal")[0]
        await publish_key(connection, key)
        await sign_checkpoints(connection, key, every=timedelta(0))
    finally:
        await connection.close()
    seconds = []
    async with database.transaction(tenant) as tx:
        size = (await latest_checkpoint(tx)).size
        for part in range(50):
            event_id = await tx.connection.fetchval(_AT, tenant, size * part // 50 + 1)
            began = time.perf_counter()
            await prove_inclusion(tx, event_id)
            seconds.append(time.perf_counter() - began)
    return seconds


async def _replayed(database: Database, tenant: UUID, count: int) -> float:
    """Events a second of recomputing the chain alone."""
    async with database.transaction(tenant) as tx:
        began = time.perf_counter()
        await replay(tx, Position(0, genesis(tenant)), count, {})
        return count / (time.perf_counter() - began)


async def _fill(database: Database, settings: Settings, tenant: UUID, count: int) -> None:
    event = Event(type="tool.done", actor="worker:1", data={"tool": "mail_send", "tokens": 912, "sha256": "5" * 64})
    events: Sequence[Event] = [event] * 1_000
    for _ in range(count // 1_000):
        async with database.transaction(tenant) as tx:
            await append_many(tx, events)
    connection = await asyncpg.connect(url(settings.home, "flr_sealer"))
    try:
        await connection.fetchval("SELECT governance_ledger.seal()", timeout=600)
    finally:
        await connection.close()


async def _timed(database: Database, tenant: UUID, *, full: bool) -> tuple[ChainReport, float]:
    async with database.transaction(tenant) as tx:
        began = time.perf_counter()
        report = await verify_chain(tx, full=full)
        return report, time.perf_counter() - began


if __name__ == "__main__":
    main()

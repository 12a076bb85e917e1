"""How the ledger behaves as it grows: appends, verification, pages and bytes at 10^4, 10^5 and 10^6 events.

With `--most 10000000` also at 10^7 (some 20 GB, half an hour). Events are loaded through the same trigger as any, many
in one statement; what is measured afterwards is measured as in production.
"""

import argparse
import asyncio
import time
from typing import NamedTuple

import asyncpg

from app import event_loop
from app.auth import load_keys
from app.governance_ledger import Event, EventFilter, append_many, read_events, verify_chain
from app.governance_ledger.sealing import publish_key, seal, sign_checkpoints
from app.own_postgres import url
from app.postgres import Database
from app.settings import Settings
from bench._appends import BODY, HEX, TENANT, Bench, append_script, plain_script
from bench._machine import bench_home
from bench.figures import Figure, middle, show
from bench.ledger import _prepare as prepare_tables

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
QUICK = SIZES[:2]
CLIENTS = 8
BATCH = 50_000

_LOAD = """
INSERT INTO governance_ledger.governance_events
  (tenant_id, event_id, occurred_at, type, actor, ticket_id, run_id, step, evidence_url, subjects, body)
SELECT $1, uuidv7(), now(), (ARRAY['tool.done', 'tool.intended', 'model.done', 'run.closed'])[1 + i % 4],
       'worker:018f0000-0000-7000-8000-00000000cccc', lpad(to_hex(i / 20), 32, '0')::uuid,
       lpad(to_hex(i / 20), 32, 'f')::uuid,
       i % 20, $2, ARRAY['execution_graph.runs/' || lpad(to_hex(i / 20), 32, 'f')::uuid], $3
  FROM generate_series($4::bigint, $5::bigint) i
"""

_BYTES = """
SELECT pg_table_size('governance_ledger.governance_events') AS events,
       pg_indexes_size('governance_ledger.governance_events') AS events_indexes,
       pg_table_size('governance_ledger.ledger_seals') AS seals,
       pg_indexes_size('governance_ledger.ledger_seals') AS seals_indexes,
       (SELECT count(*) FROM governance_ledger.ledger_seals) AS count
"""


class Stage(NamedTuple):
    """What was measured at one size. Bytes are for each event."""

    size: int
    load_rate: float
    append_rate: float
    plain_rate: float
    verify_1000_ms: float
    page_ms: float
    type_page_ms: float
    full_rate: float
    event_bytes: float
    seal_bytes: float
    index_bytes: float

    @property
    def ratio(self) -> float:
        return self.append_rate / self.plain_rate


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__))
    parser.add_argument("--json", action="store_true", help="one object of figures")
    parser.add_argument("--quick", action="store_true", help="to 10^5 only")
    parser.add_argument("--most", type=int, default=1_000_000, help="the largest size (default 10^6)")
    chosen = parser.parse_args()
    sizes = QUICK if chosen.quick else tuple(size for size in SIZES if size <= chosen.most)
    with bench_home() as settings:
        asyncio.run(prepare_tables(settings))
        bench = Bench(settings, *((1, 1) if chosen.quick else (3, 3)))
        stages = []
        for size in sizes:
            stages.append(_stage(bench, size))
            if not chosen.json:
                print(_line(stages[-1]), flush=True)
    show(_figures(stages), as_json=chosen.json)


def _stage(bench: Bench, size: int) -> Stage:
    loaded = event_loop.run(_grow(bench.settings, size))
    appends, plains = [], []
    for _ in range(bench.pairs):
        plains.append(bench.rate(plain_script(1), CLIENTS))
        appends.append(bench.rate(append_script(1), CLIENTS))
    return event_loop.run(_measure(bench.settings, size, loaded, middle(appends), middle(plains)))


async def _grow(settings: Settings, size: int) -> float:
    """Load up to `size` events, sealed and signed as they come; events a second."""
    app = await asyncpg.connect(url(settings.home, "flr_app"))
    sealer = await asyncpg.connect(url(settings.home, "flr_sealer"))
    began, loaded = time.perf_counter(), 0
    try:
        await app.execute(f"SET app.tenant = '{TENANT}'")
        await _catch_up(settings, sealer)
        here = await sealer.fetchval("SELECT count(*) FROM governance_ledger.ledger_seals WHERE tenant_id = $1", TENANT)
        while here < size:
            step = min(BATCH, size - here)
            await app.execute(_LOAD, TENANT, f"sha256/5c/{HEX}", BODY, here + 1, here + step, timeout=600)
            await _catch_up(settings, sealer)
            here, loaded = here + step, loaded + step
        rate = loaded / (time.perf_counter() - began)
    finally:
        await app.close()
        await sealer.close()
    await _analyze(settings)
    return rate


async def _catch_up(settings: Settings, sealer: asyncpg.Connection) -> None:
    from datetime import timedelta

    key = load_keys(settings.keys, "seal")[0]
    await publish_key(sealer, key)
    await sealer.fetchval("SELECT governance_ledger.seal()", timeout=600)
    await sign_checkpoints(sealer, key, every=timedelta(0))


async def _analyze(settings: Settings) -> None:
    """What autovacuum does in its own time."""
    connection = await asyncpg.connect(url(settings.home, "postgres"))
    try:
        await connection.execute("VACUUM (ANALYZE) governance_ledger.governance_events", timeout=1200)
        await connection.execute("VACUUM (ANALYZE) governance_ledger.ledger_seals", timeout=1200)
    finally:
        await connection.close()


async def _measure(settings: Settings, size: int, loaded: float, append: float, plain: float) -> Stage:
    sealer = await asyncpg.connect(url(settings.home, "flr_sealer"))
    async with Database(url(settings.home, "flr_app")) as database:
        try:
            await _catch_up(settings, sealer)
            report, full_seconds = await _verify(database, full=True)
            events = [Event(type="tool.done", actor="worker:1", data={"tool": "mail_send", "sha256": "5" * 64})] * 1_000
            waits = []
            for _ in range(5):
                async with database.transaction(TENANT) as tx:
                    await append_many(tx, events)
                await seal(sealer)
                waits.append((await _verify(database, full=False))[1] * 1000)
            row = await sealer.fetchrow(_BYTES)
        finally:
            await sealer.close()
        assert row is not None
        return Stage(
            size,
            loaded,
            append,
            plain,
            middle(waits),
            await _paged(database, EventFilter()),
            await _paged(database, EventFilter(type="run.closed")),
            report / full_seconds,
            row["events"] / row["count"],
            row["seals"] / row["count"],
            (row["events_indexes"] + row["seals_indexes"]) / row["count"],
        )


async def _verify(database: Database, *, full: bool) -> tuple[int, float]:
    """How many events, in how many seconds."""
    async with database.transaction(TENANT) as tx:
        began = time.perf_counter()
        report = await verify_chain(tx, full=full, max_merge_delay_seconds=3600)
        seconds = time.perf_counter() - began
    if not report.ok:
        raise SystemExit(f"the chain does not verify: {report.first_break}")
    return report.events, seconds


async def _paged(database: Database, where: EventFilter) -> float:
    """Milliseconds for the newest page of 50."""
    waits = []
    for _ in range(7):
        async with database.transaction(TENANT) as tx:
            began = time.perf_counter()
            await read_events(tx, where)
            waits.append((time.perf_counter() - began) * 1000)
    return middle(waits)


def _line(stage: Stage) -> str:
    return (
        f"{stage.size:>10,}: load {stage.load_rate:,.0f}/s; append {stage.append_rate:,.0f}/s at {CLIENTS} clients, "
        f"{stage.ratio:.2f} of plain; verify 1,000 new {stage.verify_1000_ms:.0f} ms, all {stage.full_rate:,.0f}/s; "
        f"page {stage.page_ms:.1f} ms, of a type {stage.type_page_ms:.1f} ms; bytes an event: "
        f"{stage.event_bytes:.0f} + seal {stage.seal_bytes:.0f} + indexes {stage.index_bytes:.0f}"
    )


def _figures(stages: list[Stage]) -> dict[str, Figure]:
    first, last = stages[0], stages[-1]
    bytes_each = last.event_bytes + last.seal_bytes + last.index_bytes
    at = f"at {last.size:,} events"
    return {
        "append_stays_flat": Figure(
            last.ratio / first.ratio,
            "x",
            f"append beside a plain INSERT {at}, against the same at {first.size:,}",
            0.8,
        ),
        "verify_1000_new": Figure(
            last.verify_1000_ms, "ms", f"{at}; {first.verify_1000_ms:.0f} ms at first", 100, "less"
        ),
        "newest_page": Figure(last.page_ms, "ms", f"{at}; {first.page_ms:.1f} ms at first", 20, "less"),
        "newest_page_of_a_type": Figure(
            last.type_page_ms, "ms", f"{at}; {first.type_page_ms:.1f} ms at first", 20, "less"
        ),
        "bytes_an_event": Figure(bytes_each, "B", f"{at}; table, seal and indexes", 3_000, "less"),
    }


if __name__ == "__main__":
    main()

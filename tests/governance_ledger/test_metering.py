"""The one who watches the installation sees what no seal covers, and is told when it is more than was promised."""

import math
import re
from pathlib import Path

import asyncpg
from prometheus_client import REGISTRY

from app.governance_ledger import Event, append
from app.governance_ledger.metering import measure, unsealed_of_all
from app.governance_ledger.sealing import seal
from app.postgres import Database
from tests.api import api_of
from tests.governance_ledger.ledgers import OTHER, record


def said() -> dict[str, float]:
    names = ("unsealed_events", "unsealed_oldest_seconds", "merge_delay_seconds", "merge_delay_exceeded")
    found = {name: REGISTRY.get_sample_value(f"flr_ledger_{name}") for name in names}
    return {name: value for name, value in found.items() if value is not None}


async def test_what_waits_is_counted_over_all_tenants(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection
) -> None:
    await seal(sealer)
    await record(database, 3)
    await record(database, 2, OTHER)
    assert (await unsealed_of_all(database)).count == 5
    await measure(database, 5)
    assert (said()["unsealed_events"], said()["merge_delay_exceeded"], said()["merge_delay_seconds"]) == (5, 0, 5)
    assert 0 < said()["unsealed_oldest_seconds"] < 5
    await measure(database, 0)
    assert said()["merge_delay_exceeded"] == 1
    await seal(sealer)
    await measure(database, 0)
    assert (said()["unsealed_events"], said()["unsealed_oldest_seconds"], said()["merge_delay_exceeded"]) == (0, 0, 0)


async def test_an_event_that_committed_late_is_counted_until_it_is_sealed(
    database: Database, sealer: asyncpg.Connection
) -> None:
    await seal(sealer)
    async with database.transaction(OTHER) as late:
        await late.connection.execute("SELECT pg_current_xact_id()")
        await record(database, 1)
        await seal(sealer)
        assert (await unsealed_of_all(database)).count == 0
        await append(late, Event(type="x.late", actor="system"))
    assert (await unsealed_of_all(database)).count == 1
    await seal(sealer)
    assert (await unsealed_of_all(database)).count == 0


async def test_the_metrics_page_tells_it(database: Database, home: Path) -> None:
    async with api_of(home, database) as api:
        before = (await api.client.get("/metrics")).text
        await record(database, 4)
        after = (await api.client.get("/metrics")).text
    counts = [
        float(re.findall(r"^flr_ledger_unsealed_events (.+)$", page, re.MULTILINE)[0]) for page in (before, after)
    ]
    assert counts[1] - counts[0] == 4


async def test_a_database_that_does_not_answer_is_no_good_news(database: Database) -> None:
    await measure(database, 5)
    away = await Database(database.url).connect()
    await away.pool.close()
    await measure(away, 5)
    assert math.isnan(said()["merge_delay_exceeded"])

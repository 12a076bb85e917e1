"""What no seal covers yet, over all tenants, as Prometheus gauges: past the merge delay a promise is broken."""

import math

from prometheus_client import Gauge

from app.governance_ledger.model import Unsealed
from app.postgres import LOST, Database

COUNT = Gauge("flr_ledger_unsealed_events", "Committed events that no seal covers yet, over all tenants.")
OLDEST = Gauge("flr_ledger_unsealed_oldest_seconds", "Age of the oldest event that no seal covers yet; 0 without one.")
ALLOWED = Gauge("flr_ledger_merge_delay_seconds", "Within so many seconds every event is promised to be sealed.")
EXCEEDED = Gauge(
    "flr_ledger_merge_delay_exceeded", "1 while an event waits for longer than is promised: alert on it; 0 else."
)


async def measure(database: Database, max_merge_delay_seconds: int) -> None:
    """Set the gauges from the database; NaN, which no threshold accepts for good, when it does not answer."""
    ALLOWED.set(max_merge_delay_seconds)
    try:
        unsealed = await unsealed_of_all(database)
    except LOST:
        for gauge in (COUNT, OLDEST, EXCEEDED):
            gauge.set(math.nan)
        return
    COUNT.set(unsealed.count)
    OLDEST.set(unsealed.oldest_age_ms / 1000)
    EXCEEDED.set(unsealed.oldest_age_ms > max_merge_delay_seconds * 1000)


async def unsealed_of_all(database: Database) -> Unsealed:
    """Over all tenants, on a connection of the pool outside any transaction."""
    async with database.pool.acquire(timeout=2) as connection:
        row = await connection.fetchrow("SELECT * FROM governance_ledger.unsealed()", timeout=5)
    assert row is not None
    return Unsealed(row["count"], row["oldest_age_ms"])

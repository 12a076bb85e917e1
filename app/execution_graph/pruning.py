"""Taking away what only a replay needed: bodies of old journals, and checkpoints that a backbone left behind.

A pruned run keeps its steps with states, digests, times and costs; the ledger keeps every event, and the store the
evidence. Checkpoints hold coarse words of a run that is closed, so nothing is recorded of them.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from app.execution_graph import store
from app.execution_graph.runs import run_event
from app.governance_ledger import append_many
from app.postgres import Database, Transaction

LEAST_DAYS = 32
AT_ONCE = 200
SYSTEM = "system:execution_graph"


class Pruned(msgspec.Struct, frozen=True):
    """How much went, or would go: runs, their steps, bytes of requests and answers, rows of checkpoints."""

    runs: int = 0
    steps: int = 0
    bytes: int = 0
    checkpoints: int = 0

    def __add__(self, other: "Pruned") -> "Pruned":
        return Pruned(
            self.runs + other.runs,
            self.steps + other.steps,
            self.bytes + other.bytes,
            self.checkpoints + other.checkpoints,
        )


async def would_prune(tx: Transaction, days: int) -> Pruned:
    """What `prune` would take away of runs closed more than `days` ago; 0 days: checkpoints alone. Changes nothing."""
    left = int(await tx.connection.fetchval(_COUNT_CHECKPOINTS))
    if days == 0:
        return Pruned(checkpoints=left)
    row: Any = await tx.connection.fetchrow(_WOULD, days)
    return Pruned(int(row["runs"]), int(row["steps"]), int(row["bytes"]), left)


_WOULD = """
SELECT count(*) AS runs, coalesce(sum(steps), 0) AS steps, coalesce(sum(bytes), 0) AS bytes
FROM execution_graph.prunable_runs($1, NULL)
"""


async def prune(tx: Transaction, days: int, *, actor: str) -> Pruned:
    """Take the bodies of at most 200 runs away that closed more than `days` ago (never less than 32; 0: of none), and
    the checkpoints of all runs closed for an hour. Event `run.pruned` of each run. Call again until nothing goes."""
    removed = Pruned(checkpoints=await _drop_checkpoints(tx))
    if days == 0:
        return removed
    rows = {row["run_id"]: row for row in await tx.connection.fetch(_PRUNE, days, AT_ONCE)}
    events = [
        run_event(await store.get_run(tx, run_id), "pruned", actor, data=_said(row, days))
        for run_id, row in rows.items()
    ]
    if events:
        await append_many(tx, events)
    return removed + Pruned(len(rows), sum(row["steps"] for row in rows.values()), sum(_bytes(rows)))


_PRUNE = "SELECT * FROM execution_graph.prune_runs($1, $2)"


def _said(row: Any, days: int) -> dict[str, object]:
    return {"steps": row["steps"], "bytes": row["bytes"], "older_than_days": max(days, LEAST_DAYS)}


def _bytes(rows: Mapping[UUID, Any]) -> list[int]:
    return [int(row["bytes"]) for row in rows.values()]


async def _drop_checkpoints(tx: Transaction) -> int:
    gone = 0
    for table in ("checkpoint_writes", "checkpoint_blobs", "checkpoints"):
        sql = f"DELETE FROM execution_graph.{table} c USING execution_graph.runs r WHERE {_LEFT} RETURNING 1"  # noqa: S608
        gone += len(await tx.connection.fetch(sql))
    return gone


_LEFT = "c.thread_id = r.id::text AND r.closed_at < clock.now() - interval '1 hour'"
_COUNT_CHECKPOINTS = " + ".join(
    f"(SELECT count(*) FROM execution_graph.{table} c JOIN execution_graph.runs r ON {_LEFT})"  # noqa: S608
    for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
).join(("SELECT ", ""))


async def prune_all(database: Database, days: int) -> Pruned:
    """Prune what is due, in every tenant, in transactions of 200 runs."""
    async with database.pool.acquire(timeout=5) as connection:
        tenants = [row[0] for row in await connection.fetch(_TENANTS, days)]
    gone = Pruned()
    for tenant in tenants:
        gone += await prune_tenant(database, tenant, days, actor=SYSTEM)
    return gone


_TENANTS = "SELECT * FROM execution_graph.tenants_to_prune($1)"


async def prune_tenant(database: Database, tenant: UUID, days: int, *, actor: str) -> Pruned:
    """All that is due in one tenant."""
    gone = Pruned()
    while True:
        async with database.transaction(tenant) as tx:
            now = await prune(tx, days, actor=actor)
        gone += now
        if now.runs < AT_ONCE:
            return gone

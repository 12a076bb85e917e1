"""All SQL over the parts of a ticket's work: runs of which each continues the one before."""

from typing import Any
from uuid import UUID

import msgspec

from app.execution_graph.model import Run, Step, Totals
from app.execution_graph.store import RUN_COLUMNS, STEP_COLUMNS, run_of
from app.postgres import Transaction


class Earlier(msgspec.Struct, frozen=True):
    """What the parts before have in their journals: the tool steps in order, and how often a model was called. `starts`
    are the numbers with which their steps began."""

    steps: tuple[Step, ...] = ()
    model_calls: int = 0
    starts: tuple[int, ...] = ()


async def earlier(tx: Transaction, run: Run) -> Earlier:
    if run.part == 1:
        return Earlier()
    rows = await tx.connection.fetch(_TOOL_STEPS, run.chain, run.part)
    calls = await tx.connection.fetchval(_MODEL_CALLS, run.chain, run.part)
    starts = await tx.connection.fetch(_STARTS, run.chain, run.part)
    return Earlier(tuple(Step(**row) for row in rows), int(calls), tuple(row["first_step"] for row in starts))


_BEFORE = "run_id IN (SELECT id FROM execution_graph.runs WHERE (id = $1 OR first_run_id = $1) AND part_number < $2)"
_TOOL_STEPS = f"""
SELECT {STEP_COLUMNS} FROM execution_graph.run_steps WHERE {_BEFORE} AND kind = 'tool' AND beat = 'act' ORDER BY step
"""  # noqa: S608 - only constants are joined
_STARTS = """
SELECT first_step FROM execution_graph.runs WHERE (id = $1 OR first_run_id = $1) AND part_number < $2
ORDER BY first_step
"""
_MODEL_CALLS = f"""
SELECT count(*) FROM execution_graph.run_steps WHERE {_BEFORE} AND kind = 'model' AND beat = 'act'
"""  # noqa: S608 - only constants are joined


async def totals_before(tx: Transaction, run: Run) -> Totals:
    """Sums over the journals of the parts before, as `model.totals` counts."""
    if run.part == 1:
        return Totals(0, 0, 0, 0, 0, {})
    row: Any = await tx.connection.fetchrow(_SUMS, run.chain, run.part)
    money = await tx.connection.fetch(_MONEY, run.chain, run.part)
    sums = {name: int(value) for name, value in row.items()}
    return Totals(**sums, tool_money={one["currency"]: int(one["minor"]) for one in money})


_SUMS = f"""
SELECT count(*) AS steps, count(*) FILTER (WHERE kind = 'model') AS model_calls,
  count(*) FILTER (WHERE kind = 'tool' AND state IN ('done', 'unknown')) AS tool_calls,
  coalesce(sum(cost_usd_micros), 0) AS cost_usd_micros, coalesce(sum(tokens), 0) AS tokens
FROM execution_graph.run_steps WHERE {_BEFORE}
"""  # noqa: S608 - only constants are joined
_MONEY = f"""
SELECT currency, sum(money_minor) AS minor FROM execution_graph.run_steps
WHERE {_BEFORE} AND money_minor IS NOT NULL AND state IN ('done', 'unknown') GROUP BY currency
"""  # noqa: S608 - only constants are joined


async def next_part(tx: Transaction, run_id: UUID) -> UUID | None:
    """The run that continues this one."""
    sql = "SELECT id FROM execution_graph.runs WHERE continues = $1"
    found: UUID | None = await tx.connection.fetchval(sql, run_id)
    return found


async def last_part(tx: Transaction, run: Run) -> Run:
    """The newest run of the chain that `run` belongs to; itself as a rule."""
    if run.status != "continued":
        return run
    return run_of(await tx.connection.fetchrow(_LAST, run.chain))


_LAST = f"""
SELECT {RUN_COLUMNS} FROM execution_graph.runs WHERE first_run_id = $1 ORDER BY part_number DESC LIMIT 1
"""  # noqa: S608 - only constants are joined


async def begin_at(tx: Transaction, run_id: UUID, worked_ms: int) -> None:
    """Let a next part count its working time from where the one before stood."""
    sql = "UPDATE execution_graph.run_leases SET worked_ms = $2 WHERE run_id = $1"
    await tx.connection.execute(sql, run_id, worked_ms)

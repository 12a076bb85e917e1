"""All SQL of the execution graph. Row-level security keeps every statement within the transaction's tenant."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from app.canon.vocabulary import Money
from app.execution_graph.errors import RunUnknown
from app.execution_graph.model import Lease, Run, RunStatus, Step
from app.postgres import Transaction

RUN_COLUMNS = """id, ticket_id, role_id, role_version, status, backbone, worker, router, model, tools, approval_id,
  summary, created_at, started_at, closed_at, continues, first_run_id, part_number AS part,
  first_step, cause, pruned_at"""
STEP_COLUMNS = """step, beat, kind, name, attempts, request_digest, request, state, approval_id, effect, verdict,
  answer, secret, cost_usd_micros, tokens, money_minor, currency, planned_at, ended_at, edited"""


async def now(tx: Transaction) -> datetime:
    """The database's instant, by which undo windows end."""
    moment: datetime = await tx.connection.fetchval("SELECT clock.now()")
    return moment


def run_of(row: Any) -> Run:
    return Run(**{**row, "tools": tuple(row["tools"])})


async def insert_run(tx: Transaction, run: Run) -> Run | None:
    """The stored run, with its lease that nobody holds; None when the ticket has an open run already."""
    engine = (run.backbone, run.worker, run.router, run.model)
    work = (run.ticket_id, run.role_id, run.role_version, run.status, *engine, list(run.tools))
    place = (run.continues, run.first_run_id, run.part, run.first_step)
    row = await tx.connection.fetchrow(_INSERT_RUN, run.id, tx.tenant, *work, *place)
    return None if row is None else run_of(row)


_INSERT_RUN = f"""
WITH made AS (
  INSERT INTO execution_graph.runs (id, tenant_id, ticket_id, role_id, role_version, status, backbone, worker, router,
    model, tools, continues, first_run_id, part_number, first_step, created_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, clock.now())
  ON CONFLICT (ticket_id) WHERE status IN ('queued', 'running', 'held', 'paused') DO NOTHING
  RETURNING {RUN_COLUMNS}
), leased AS (
  INSERT INTO execution_graph.run_leases (run_id, tenant_id) SELECT id, $2 FROM made
)
SELECT * FROM made
"""  # noqa: S608 - only constants are joined


async def get_run(tx: Transaction, run_id: UUID) -> Run:
    """Raises `RunUnknown`."""
    row = await tx.connection.fetchrow(f"SELECT {RUN_COLUMNS} FROM execution_graph.runs WHERE id = $1", run_id)  # noqa: S608
    if row is None:
        raise RunUnknown(f"there is no run {run_id}")
    return run_of(row)


async def lock_run(tx: Transaction, run_id: UUID) -> Run:
    """The same, locked until the transaction ends."""
    sql = f"SELECT {RUN_COLUMNS} FROM execution_graph.runs WHERE id = $1 FOR NO KEY UPDATE"  # noqa: S608
    row = await tx.connection.fetchrow(sql, run_id)
    if row is None:
        raise RunUnknown(f"there is no run {run_id}")
    return run_of(row)


async def open_run_of(tx: Transaction, ticket_id: UUID) -> Run | None:
    row = await tx.connection.fetchrow(_OPEN_RUN, ticket_id)
    return None if row is None else run_of(row)


_OPEN_RUN = f"""
SELECT {RUN_COLUMNS} FROM execution_graph.runs
WHERE ticket_id = $1 AND status IN ('queued', 'running', 'held', 'paused')
"""  # noqa: S608


async def runs_of_ticket(tx: Transaction, ticket_id: UUID) -> tuple[Run, ...]:
    """Oldest first."""
    sql = f"SELECT {RUN_COLUMNS} FROM execution_graph.runs WHERE ticket_id = $1 ORDER BY id"  # noqa: S608
    return tuple(run_of(row) for row in await tx.connection.fetch(sql, ticket_id))


async def paused_runs(tx: Transaction, role_id: UUID | None) -> tuple[Run, ...]:
    """Runs that stand still because their role, or for None the company, was paused."""
    rows = await tx.connection.fetch(_PAUSED, role_id)
    return tuple(run_of(row) for row in rows)


_PAUSED = f"""
SELECT {RUN_COLUMNS} FROM execution_graph.runs WHERE status = 'paused' AND role_id IS NOT DISTINCT FROM $1
ORDER BY id FOR NO KEY UPDATE
"""  # noqa: S608


async def runs_waiting_for(tx: Transaction, approval_id: UUID) -> tuple[UUID, ...]:
    sql = "SELECT id FROM execution_graph.runs WHERE approval_id = $1 AND status = 'held' ORDER BY id"
    return tuple(row["id"] for row in await tx.connection.fetch(sql, approval_id))


async def change_run(tx: Transaction, run_id: UUID, **changes: object) -> Run:
    """The run with the named columns set; `closed_at` and `started_at` as True mean now."""
    values: list[object] = [run_id]
    sets = []
    for column, value in changes.items():
        if value is True:
            sets.append(f"{column} = coalesce({column}, clock.now())")
        else:
            values.append(list(value) if isinstance(value, tuple) else value)
            sets.append(f"{column} = ${len(values)}")
    sql = f"UPDATE execution_graph.runs SET {', '.join(sets)} WHERE id = $1 RETURNING {RUN_COLUMNS}"  # noqa: S608
    row = await tx.connection.fetchrow(sql, *values)
    if row is None:
        raise RunUnknown(f"there is no run {run_id}")
    return run_of(row)


async def brief_of(tx: Transaction, run_id: UUID) -> str:
    return str(await tx.connection.fetchval("SELECT brief FROM execution_graph.runs WHERE id = $1", run_id))


# --- leases -----------------------------------------------------------------------------------------------------------


class Taken(NamedTuple):
    """`failures` is how often the run was taken without a step more than the last time, this time included."""

    epoch: int
    worked_ms: int
    failures: int


async def take_lease(tx: Transaction, run_id: UUID, owner: int, dead: int | None, seconds: int) -> Taken | None:
    """None when somebody drives the run, nobody wants it driven, or its row is being written."""
    row = await tx.connection.fetchrow(_TAKE, run_id, owner, dead, seconds)
    return None if row is None else Taken(*row)


_TAKE = """
WITH free AS (
  SELECT run_id FROM execution_graph.run_leases
  WHERE run_id = $1 AND wanted AND (lease_until IS NULL OR lease_until <= clock_timestamp() OR owner = $3)
  FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE execution_graph.run_leases l
SET owner = $2, epoch = l.epoch + 1, lease_until = clock_timestamp() + make_interval(secs => $4),
    failures = CASE WHEN s.steps > l.seen_steps THEN 1 ELSE l.failures + 1 END, seen_steps = s.steps
FROM free, (SELECT count(*)::int AS steps FROM execution_graph.run_steps WHERE run_id = $1) s
WHERE l.run_id = free.run_id
RETURNING l.epoch, l.worked_ms, l.failures
"""


async def fence(tx: Transaction, lease: Lease) -> RunStatus | None:
    """The run's status while `lease` holds, and keeps it so until the transaction ends; None when it was lost."""
    status: RunStatus | None = await tx.connection.fetchval(_FENCE, lease.run_id, lease.owner, lease.epoch)
    return status


_FENCE = """
SELECT r.status FROM execution_graph.run_leases l JOIN execution_graph.runs r ON r.id = l.run_id
WHERE l.run_id = $1 AND l.owner = $2 AND l.epoch = $3 FOR SHARE OF l
"""


async def renew_leases(tx: Transaction, leases: Mapping[Lease, int], seconds: int) -> set[UUID]:
    """The runs whose leases still hold, each now for `seconds` more, with how many milliseconds it was driven."""
    owner = next(iter(leases)).owner
    ids, epochs = [lease.run_id for lease in leases], [lease.epoch for lease in leases]
    rows = await tx.connection.fetch(_RENEW, ids, epochs, owner, seconds, list(leases.values()))
    return {row["run_id"] for row in rows}


_RENEW = """
UPDATE execution_graph.run_leases l
SET lease_until = clock_timestamp() + make_interval(secs => $4), worked_ms = greatest(l.worked_ms, mine.worked_ms)
FROM unnest($1::uuid[], $2::int[], $5::bigint[]) AS mine (run_id, epoch, worked_ms)
WHERE l.run_id = mine.run_id AND l.epoch = mine.epoch AND l.owner = $3
RETURNING l.run_id
"""


async def statuses(tx: Transaction, run_ids: Sequence[UUID]) -> Mapping[UUID, tuple[RunStatus, UUID | None]]:
    """Status and role of each run."""
    sql = "SELECT id, status, role_id FROM execution_graph.runs WHERE id = ANY($1)"
    return {row["id"]: (row["status"], row["role_id"]) for row in await tx.connection.fetch(sql, list(run_ids))}


async def give_lease_back(
    tx: Transaction, lease: Lease, *, worked_ms: int, after_seconds: float = 0, clean: bool = True
) -> bool:
    """Whether somebody should drive the run on, not before `after_seconds`. `clean` forgets counted failures."""
    values = (lease.run_id, lease.owner, lease.epoch, after_seconds, clean, worked_ms)
    return bool(await tx.connection.fetchval(_GIVE_BACK, *values))


_GIVE_BACK = """
UPDATE execution_graph.run_leases
SET owner = NULL, failures = CASE WHEN $5 THEN 0 ELSE failures END, worked_ms = greatest(worked_ms, $6),
    lease_until = CASE WHEN $4::float8 > 0 THEN clock_timestamp() + make_interval(secs => $4::float8) END
WHERE run_id = $1 AND owner = $2 AND epoch = $3
RETURNING wanted
"""


async def want(tx: Transaction, run_id: UUID, *, wanted: bool = True) -> None:
    """Somebody should drive the run now; or nobody, until it is wanted again. Whoever drives it goes on."""
    await tx.connection.execute(_WANT, run_id, wanted)


_WANT = """
UPDATE execution_graph.run_leases
SET wanted = $2, lease_until = CASE WHEN owner IS NULL THEN NULL ELSE lease_until END
WHERE run_id = $1
"""


async def is_driven(tx: Transaction, run_id: UUID) -> bool:
    """A worker holds an unexpired lease."""
    return bool(await tx.connection.fetchval(_DRIVEN, run_id))


_DRIVEN = """
SELECT owner IS NOT NULL AND lease_until > clock_timestamp() FROM execution_graph.run_leases WHERE run_id = $1
"""


# --- the journal ------------------------------------------------------------------------------------------------------


async def steps_of(tx: Transaction, run_id: UUID) -> tuple[Step, ...]:
    """In order."""
    sql = f"SELECT {STEP_COLUMNS} FROM execution_graph.run_steps WHERE run_id = $1 ORDER BY step"  # noqa: S608
    return tuple(Step(**row) for row in await tx.connection.fetch(sql, run_id))


async def write_step(tx: Transaction, lease: Lease, step: Step) -> Step:
    """The step as stored. Instants are the database's: `planned_at` of the first writing, `ended_at` of the last."""
    row = await tx.connection.fetchrow(_WRITE_STEP, *_values(tx, lease, step))
    if row is None:
        raise RuntimeError("a written step comes back")
    return msgspec.structs.replace(step, planned_at=row["planned_at"], ended_at=row["ended_at"])


async def write_fenced_step(tx: Transaction, lease: Lease, step: Step, *, new: bool) -> Step | None:
    """The same while `lease` holds, until the transaction ends; a `new` step while the run is running. Else None."""
    row = await tx.connection.fetchrow(_WRITE_FENCED, *_values(tx, lease, step), lease.owner, new)
    if row is None:
        return None
    return msgspec.structs.replace(step, planned_at=row["planned_at"], ended_at=row["ended_at"])


def _values(tx: Transaction, lease: Lease, step: Step) -> tuple[object, ...]:
    return (
        tx.tenant,
        lease.run_id,
        lease.epoch,
        step.step,
        step.beat,
        step.kind,
        step.name,
        step.attempts,
        step.request_digest,
        step.request,
        step.state,
        step.approval_id,
        step.effect,
        step.verdict,
        step.answer,
        step.secret,
        step.cost_usd_micros,
        step.tokens,
        step.money_minor,
        step.currency,
    )


_INTO_STEPS = """INSERT INTO execution_graph.run_steps AS s (tenant_id, run_id, epoch, step, beat, kind, name, attempts,
  request_digest, request, state, approval_id, effect, verdict, answer, secret, cost_usd_micros, tokens, money_minor,
  currency, planned_at, ended_at)"""

_OVER_STEP = """ON CONFLICT (run_id, step) DO UPDATE SET
  epoch = excluded.epoch, attempts = excluded.attempts, state = excluded.state, approval_id = excluded.approval_id,
  verdict = excluded.verdict, answer = excluded.answer, secret = excluded.secret,
  cost_usd_micros = excluded.cost_usd_micros, tokens = excluded.tokens, money_minor = excluded.money_minor,
  currency = excluded.currency, ended_at = excluded.ended_at
RETURNING planned_at, ended_at"""

_WRITE_STEP = f"""
{_INTO_STEPS}
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, clock.now(),
  CASE WHEN $15::text IS NOT NULL THEN clock.now() END)
{_OVER_STEP}
"""

_WRITE_FENCED = f"""
WITH mine AS (
  SELECT 1 FROM execution_graph.run_leases l JOIN execution_graph.runs r ON r.id = l.run_id
  WHERE l.run_id = $2 AND l.epoch = $3 AND l.owner = $21 AND (NOT $22::boolean OR r.status = 'running') FOR SHARE OF l
)
{_INTO_STEPS}
SELECT $1::uuid, $2::uuid, $3::int, $4::int, $5, $6, $7, $8::int, $9, $10, $11, $12::uuid, $13, $14, $15, $16::boolean,
  $17::bigint, $18::bigint, $19::bigint, $20, clock.now(), CASE WHEN $15::text IS NOT NULL THEN clock.now() END
FROM mine
{_OVER_STEP}
"""  # noqa: S608 - only constants are joined


async def edit_held_step(tx: Transaction, run_id: UUID, step: int, edited: str | None, approval_id: UUID) -> bool:
    """Keep what the founder made of a held call, and the question it waits for now; False when it is held no more."""
    return bool(await tx.connection.fetchval(_EDIT_STEP, run_id, step, edited, approval_id))


_EDIT_STEP = """
UPDATE execution_graph.run_steps SET edited = $3, approval_id = $4
WHERE run_id = $1 AND step = $2 AND state = 'held' AND answer IS NULL RETURNING true
"""


async def ask_again(tx: Transaction, run_id: UUID, step: int, approval_id: UUID) -> bool:
    """Let a call whose outcome is unknown wait for this question; False when its outcome is known by now."""
    return bool(await tx.connection.fetchval(_ASK_AGAIN, run_id, step, approval_id))


_ASK_AGAIN = """
UPDATE execution_graph.run_steps SET approval_id = $3
WHERE run_id = $1 AND step = $2 AND state = 'unknown' AND answer IS NULL RETURNING true
"""


def money_of(step: Step) -> Money | None:
    return None if step.money_minor is None or step.currency is None else Money(step.money_minor, step.currency)

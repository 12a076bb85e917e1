"""All SQL of agents outside."""

from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import msgspec

from app.canon.agent import Finished, Proposed
from app.execution_graph.model import Run
from app.execution_graph.store import RUN_COLUMNS, run_of
from app.postgres import Transaction

Said: TypeAlias = Proposed | Finished


class Session(msgspec.Struct, frozen=True):
    """Who may propose for a run now. `live` until its lease runs out."""

    session: UUID
    holder: str
    lease_until: datetime
    live: bool


async def session_of(tx: Transaction, run_id: UUID, *, lock: bool = False) -> Session | None:
    sql = "SELECT session, holder, lease_until, lease_until > clock.now() AS live FROM execution_graph.outside_sessions"
    row = await tx.connection.fetchrow(f"{sql} WHERE run_id = $1{' FOR UPDATE' if lock else ''}", run_id)
    return None if row is None else Session(**row)


async def put_session(tx: Transaction, run_id: UUID, session: UUID, holder: str, seconds: int) -> datetime:
    """When its lease runs out."""
    until: datetime = await tx.connection.fetchval(_PUT, run_id, tx.tenant, session, holder, seconds)
    return until


_PUT = """
INSERT INTO execution_graph.outside_sessions (run_id, tenant_id, session, holder, lease_until, taken_at)
VALUES ($1, $2, $3, $4, clock.now() + make_interval(secs => $5), clock.now())
ON CONFLICT (run_id) DO UPDATE SET session = excluded.session, holder = excluded.holder,
  lease_until = excluded.lease_until, taken_at = excluded.taken_at
RETURNING lease_until
"""


async def renew(tx: Transaction, run_id: UUID, session: UUID, seconds: int) -> None:
    await tx.connection.execute(_RENEW, run_id, session, seconds)


_RENEW = """
UPDATE execution_graph.outside_sessions SET lease_until = clock.now() + make_interval(secs => $3)
WHERE run_id = $1 AND session = $2
"""


async def add(tx: Transaction, run_id: UUID, number: int, session: UUID, by: str, said: Said) -> None:
    text = msgspec.json.encode(said).decode()
    await tx.connection.execute(_ADD, run_id, number, tx.tenant, session, by, text)


_ADD = """
INSERT INTO execution_graph.outside_proposals (run_id, number, tenant_id, session, proposed_by, proposal, proposed_at)
VALUES ($1, $2, $3, $4, $5, $6, clock.now())
"""


async def proposal(tx: Transaction, run_id: UUID, number: int) -> Said | None:
    sql = "SELECT proposal FROM execution_graph.outside_proposals WHERE run_id = $1 AND number = $2"
    text = await tx.connection.fetchval(sql, run_id, number)
    return None if text is None else msgspec.json.decode(text, type=Said)


async def count(tx: Transaction, run_id: UUID) -> int:
    sql = "SELECT count(*) FROM execution_graph.outside_proposals WHERE run_id = $1"
    return int(await tx.connection.fetchval(sql, run_id))


async def offered(tx: Transaction) -> tuple[Run, ...]:
    """Open runs for agents outside, oldest first, at most 100."""
    sql = f"""SELECT {RUN_COLUMNS} FROM execution_graph.runs
    WHERE worker = 'external' AND status IN ('queued', 'running', 'held', 'paused') ORDER BY id LIMIT 100"""  # noqa: S608
    return tuple(run_of(row) for row in await tx.connection.fetch(sql))

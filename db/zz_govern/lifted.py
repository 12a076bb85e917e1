"""What a migration run owes the ledger: the guard is lifted inside its transaction only, and an event says so."""

from collections.abc import Sequence

import asyncpg

from app.governance_ledger import Event, append
from app.governance_ledger.model import SYSTEM_TENANT
from app.postgres import Transaction

GUARDS = ("flr_guard_ddl", "flr_guard_drop")


async def lift_guards(connection: asyncpg.Connection) -> None:
    """Disable the event triggers until `restore_guards`, or until the transaction is rolled back."""
    await _alter(connection, "DISABLE")


async def restore_guards(connection: asyncpg.Connection, applied: Sequence[str]) -> None:
    """Enable them again, and record `migration.applied` in the installation's own chain when anything was."""
    if applied:
        await connection.fetchval("SELECT set_config('app.tenant', $1, true)", str(SYSTEM_TENANT))
        event = Event(type="migration.applied", actor="system:migrate", data={"migrations": list(applied)})
        await append(Transaction(connection, SYSTEM_TENANT), event)
        await connection.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    await _alter(connection, "ENABLE ALWAYS")


async def _alter(connection: asyncpg.Connection, how: str) -> None:
    present = await connection.fetch("SELECT evtname FROM pg_event_trigger WHERE evtname = ANY($1)", GUARDS)
    for record in present:
        await connection.execute(f'ALTER EVENT TRIGGER "{record["evtname"]}" {how}')

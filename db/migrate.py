"""Brings a database to the present schema: all rooms, one transaction, one migrator at a time."""

import contextlib
import io
import logging
import os
import sys
from pathlib import Path

import asyncpg

from db.numbers import pass_ledger

LOG = logging.getLogger(__name__)

LOCK = "SET LOCAL lock_timeout = '60s'; SELECT pg_advisory_xact_lock(hashtext('flr.migrate'))"
# Rights and settings of the database itself, which neither a dump of its schemas nor a copy of a template brings along.
DATABASE = Path(__file__).parent / "foundation" / "sql" / "0002_database.sql"
OLDEST_POSTGRESQL = 16
MAY_MIGRATE = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"


class DatabaseUnfit(Exception):
    """This database, or this user of it, cannot carry the schema; the message says what would do."""


class MigrationFailed(Exception):
    """A migration was refused; the database is as it was before."""


async def migrate(url: str, *, passwords: dict[str, str] | None = None) -> list[str]:
    """The ids of the migrations that were applied now, in order; empty when the schema was up to date.

    `url` is the administrator's. `passwords` are set for the login roles it names. All or nothing. In a
    restored dump the transaction numbers go on behind the ledger's (`db.numbers`). Raises
    `DatabaseUnfit`, `MigrationFailed` when a migration is refused, and what asyncpg raises when it cannot connect.
    """
    os.environ["PICCOLO_CONF"] = "db.piccolo_conf"
    from piccolo.apps.migrations.commands.forwards import run_forwards

    from db.piccolo_conf import DB
    from db.zz_govern.lifted import lift_guards, restore_guards

    await _pass_ledger(url)
    DB.config = {"dsn": url, "timeout": 20, "command_timeout": 600}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        async with DB.transaction() as transaction:
            connection = transaction.connection
            await connection.execute(LOCK)
            await _check_database(connection)
            before = await _applied(connection)
            await lift_guards(connection)
            try:
                result = await run_forwards("all")
            except asyncpg.PostgresError as error:
                raise MigrationFailed(_explain(error, said.getvalue())) from error
            if not result.success:
                raise MigrationFailed(result.message or said.getvalue().strip())
            await connection.execute(DATABASE.read_text(encoding="utf-8"))
            await _set_passwords(connection, passwords or {})
            after = await _applied(connection)
            await restore_guards(connection, after[len(before) :])
    return after[len(before) :]


async def _pass_ledger(url: str) -> None:
    connection = await asyncpg.connect(url, timeout=20)
    try:
        spent = await pass_ledger(connection)
    finally:
        await connection.close()
    if spent:
        LOG.warning("this database is a restored dump: %d transaction numbers were spent, past the ledger's", spent)


async def _check_database(connection: asyncpg.Connection) -> None:
    version = connection.get_server_version()
    if version.major < OLDEST_POSTGRESQL:
        raise DatabaseUnfit(f"This is PostgreSQL {version.major}: {OLDEST_POSTGRESQL} or newer is needed.")
    if not await connection.fetchval(MAY_MIGRATE):
        user = await connection.fetchval("SELECT current_user")
        raise DatabaseUnfit(
            f"The database's user {user} may not make roles: migrate with the DATABASE_URL of an administrator."
        )


async def _applied(connection: asyncpg.Connection) -> list[str]:
    if await connection.fetchval("SELECT to_regclass('public.migration')") is None:
        return []
    rows = await connection.fetch("SELECT name FROM public.migration ORDER BY id")
    return [str(row["name"]) for row in rows]


async def _set_passwords(connection: asyncpg.Connection, passwords: dict[str, str]) -> None:
    for role, password in passwords.items():
        statement = await connection.fetchval(
            "SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)", role, password
        )
        await connection.execute(statement)


def _explain(error: asyncpg.PostgresError, said: str) -> str:
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "")
    where = getattr(error, "context", None) or getattr(error, "position", None) or ""
    return f"{type(error).__name__}: {error} ({where}) after: {last.strip()}".replace(" ()", "")


if __name__ == "__main__":
    import asyncio

    for name in asyncio.run(migrate(sys.argv[1])):
        sys.stdout.write(f"{name}\n")

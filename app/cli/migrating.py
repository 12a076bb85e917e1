"""`flr migrate`: the schema, as the administrator of the database, and the keys of this home."""

import argparse
import asyncio
from contextlib import ExitStack

from app.cli.output import CannotRun, Commands, Failed, command, show
from app.settings import Settings


def add(commands: Commands) -> None:
    command(
        commands,
        "migrate",
        migrate,
        help="bring the database to the present schema",
        about="Apply all migrations in one transaction, as the administrator that DATABASE_URL names, or in the "
        "embedded database of FLR_HOME, which is started for the purpose when no `flr serve` runs it. "
        "Makes the signing keys in FLR_HOME/keys that are not there yet.",
    )


def migrate(arguments: argparse.Namespace, settings: Settings) -> None:
    """All or nothing, any number of migrators at once. Raises `Failed` with the reason."""
    from app.auth import ensure_keys
    from app.governance_ledger import ensure_subjects_key
    from app.own_postgres import DatabaseUnusable, is_running, running
    from app.role_registry import ensure_vault_key

    with ExitStack() as stack:
        try:
            if settings.database_url is None and not is_running(settings.home):
                stack.enter_context(running(settings.home))
        except DatabaseUnusable as error:
            raise CannotRun(str(error)) from error
        applied = asyncio.run(_migrate(settings))
        ensure_keys(settings.keys, "token", "approval", "receipt", "seal")
        ensure_subjects_key(settings.keys)
        ensure_vault_key(settings.keys)
    show(arguments, {"applied": applied}, "\n".join(applied) or "The database is up to date.")


async def _migrate(settings: Settings) -> list[str]:
    import asyncpg

    from app.database_urls import owner_url, passwords, why_unusable
    from app.own_postgres import create_database
    from db.migrate import DatabaseUnfit, MigrationFailed, migrate

    try:
        if settings.database_url is None:
            await create_database(settings.home)
        return await migrate(owner_url(settings), passwords=passwords(settings))
    except MigrationFailed as error:
        raise Failed(f"The database is as it was, a migration was refused: {error}") from error
    except DatabaseUnfit as error:
        raise CannotRun(str(error)) from error
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CannotRun(why_unusable(owner_url(settings), error)) from error

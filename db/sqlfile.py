"""What every `db/<room>/` says in one line: its place in the order, and a migration made of `.sql` files."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.conf.apps import AppConfig
from piccolo.engine.finder import engine_finder

OWNER = "flr_owner"


def room(piccolo_app: str, *, after: Sequence[str]) -> AppConfig:
    """The Piccolo app of the room whose `piccolo_app.py` calls; migrated after the rooms named in `after`."""
    folder = Path(piccolo_app).parent
    return AppConfig(
        app_name=folder.name,
        migrations_folder_path=str(folder / "migrations"),
        migration_dependencies=[f"db.{name}.piccolo_app" for name in after],
    )


def sql_migration(migration: str, *names: str) -> Callable[[], Awaitable[MigrationManager]]:
    """The `forwards` of a migration file: runs `../sql/<name>` for each name, in the migrator's one transaction.

    Each file starts as `flr_owner`, so that what it creates belongs to that role, which cannot log in. A file that
    needs the administrator (roles, event triggers, ownership) says `RESET ROLE;` itself.
    """
    path = Path(migration)
    folder = path.parent.parent

    async def run() -> None:
        from db.zz_govern.lifted import lift_guards

        engine = engine_finder()
        transaction = engine.current_transaction.get() if engine else None
        if transaction is None:
            raise RuntimeError("migrations run inside db.migrate only, which opens the one transaction for all rooms")
        for name in names:
            await transaction.connection.execute("RESET ROLE")
            # A fresh database meets the migration that makes the guard before this one.
            await lift_guards(transaction.connection)
            if folder.name != "foundation":
                await transaction.connection.execute(f"SET LOCAL ROLE {OWNER}")
            await transaction.connection.execute((folder / "sql" / name).read_text(encoding="utf-8"))
        await transaction.connection.execute("RESET ROLE")

    async def forwards() -> MigrationManager:
        manager = MigrationManager(migration_id=path.stem, app_name=folder.name, description=", ".join(names))
        manager.add_raw(run)
        return manager

    return forwards

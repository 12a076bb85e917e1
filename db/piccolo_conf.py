"""What Piccolo's migrations read. `db.migrate` names the database; no other process imports this module."""

from piccolo.conf.apps import AppRegistry
from piccolo.engine.postgres import PostgresEngine

ROOMS = (
    "foundation",
    "governance_ledger",
    "work_queue",
    "role_registry",
    "execution_graph",
    "founder_console",
    "zz_govern",
)


class Migrator(PostgresEngine):
    """Connects nowhere until `db.migrate` has set `config`."""

    async def get_version(self) -> float:
        """Piccolo asks while the engine is being built, when there is no address yet."""
        return 18.0


DB = Migrator(config={}, extensions=())
APP_REGISTRY = AppRegistry(apps=[f"db.{room}.piccolo_app" for room in ROOMS])

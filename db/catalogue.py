"""Writes `db/catalogue.txt`: what a freshly migrated database's catalogue says about everything that protects it."""

import asyncio
import sys
import tempfile
from pathlib import Path

import asyncpg

from app.governance_ledger.catalogue import read_catalogue, write
from app.own_postgres import create_database, running
from app.own_postgres import url as embedded_url
from db.migrate import migrate

PINNED = Path(__file__).with_name("catalogue.txt")
HEAD = """\
# What protects the ledger, one fact a line, from a freshly migrated database. `flr doctor` and
# `chain-verify?full=true` hold the live catalogue against it. `python -m db.catalogue` writes it anew: read the diff.
"""


async def read_fresh(home: Path) -> str:
    """The text for a database that is made and migrated for this in `home`."""
    with running(home):
        await create_database(home)
        await migrate(embedded_url(home, "postgres"))
        connection = await asyncpg.connect(embedded_url(home, "postgres"))
        try:
            return HEAD + write(await read_catalogue(connection))
        finally:
            await connection.close()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="flr-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        text = asyncio.run(read_fresh(Path(folder) / "home"))
    PINNED.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{PINNED}: {len(text.splitlines())} lines\n")


if __name__ == "__main__":
    main()

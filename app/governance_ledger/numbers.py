"""A ledger orders its events by PostgreSQL's transaction numbers, which a restored dump does not bring along."""

from typing import TYPE_CHECKING

import asyncpg

from app.canon.errors import Misconfigured

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

_BEHIND = """
SELECT pg_snapshot_xmax(pg_current_snapshot()) < pg_snapshot_xmax(snap) FROM governance_ledger.ledger_mark
"""


async def refuse_rewound(connection: "asyncpg.Connection | PoolConnectionProxy") -> None:
    """Raises `Misconfigured` on a server whose next transaction number is below those that are sealed already.

    Events with such numbers would never be sealed, and could meet those of old events.
    """
    if await connection.fetchval("SELECT to_regclass('governance_ledger.ledger_mark')") is None:
        return
    if await connection.fetchval(_BEHIND):
        raise Misconfigured(
            "This database was restored from a dump into a server that counts transactions anew, which the ledger "
            "orders its events by: run `flr migrate` before anything is written."
        )

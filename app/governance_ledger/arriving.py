"""What every process asks of its database before its first statement."""

from typing import TYPE_CHECKING

import asyncpg

from app.database_urls import refuse_pooler
from app.governance_ledger.numbers import refuse_rewound

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy


async def check_database(connection: "asyncpg.Connection | PoolConnectionProxy", url: str) -> None:
    """That PostgreSQL itself answers at `url`, and that it counts transactions on from the ledger's. Raises
    `InvalidSetting` and `Misconfigured`."""
    await refuse_pooler(connection, url)
    await refuse_rewound(connection)

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.governance_ledger.ledgers import connected


@pytest.fixture
async def sealer(sealer_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the sealer's role."""
    async with connected(sealer_dsn) as connection:
        yield connection

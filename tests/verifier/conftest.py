from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from app.adapters.evidence.folder import FolderStore
from tests.governance_ledger.ledgers import connected


@pytest.fixture
async def sealer(sealer_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the sealer's role."""
    async with connected(sealer_dsn) as connection:
        yield connection


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "evidence")

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from app.adapters.evidence.folder import FolderStore
from app.postgres import Database
from tests.governance_ledger.ledgers import TENANT, connected, receive, record, sign
from tests.verifier.decisions import Call, a_company, a_role, decided
from tests.verifier.files import exported


@pytest.fixture
async def sealer(sealer_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the sealer's role."""
    async with connected(sealer_dsn) as connection:
        yield connection


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "evidence")


@pytest.fixture
async def ledger(database: Database, sealer: asyncpg.Connection, tmp_path: Path) -> Path:
    """An export with row changes, an approval, evidence, receipts, and checkpoints over 13 and more events."""
    async with database.transaction(TENANT) as tx:
        company = await a_company(tx)
        contract = await a_role(tx, company)
        call = Call(tx, contract, {"to": "a@b.example"})
        await call.use(tx, await decided(tx, company, await call.ask(tx)))
    await sign(sealer)
    for append in (receive, record):
        await append(database, 3)
        await sign(sealer)
    return await exported(database, tmp_path, evidence=True)

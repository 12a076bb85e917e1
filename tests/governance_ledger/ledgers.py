"""Small builders: ledgers with events, sealed and signed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.auth import KeyRing, SigningKey
from app.governance_ledger import ChainReport, Event, Receipt, append_many, verify_chain
from app.governance_ledger.issuing import issue
from app.governance_ledger.receipts import Receipts
from app.governance_ledger.sealing import publish_key, seal, sign_checkpoints
from app.postgres import Database

TENANT = UUID("018f0000-0000-7000-8000-000000000001")
OTHER = UUID("018f0000-0000-7000-8000-000000000002")
KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
RECEIPT_KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(4, 36))))
RECEIPTS = Receipts(KeyRing({}, "receipt", RECEIPT_KEY), 5)


async def record(database: Database, count: int, tenant: UUID = TENANT) -> tuple[Receipt, ...]:
    """`count` events of `tenant`, in one transaction."""
    events = [Event(type="x.counted", actor="system", data={"number": number}) for number in range(count)]
    async with database.transaction(tenant) as tx:
        return await append_many(tx, events)


async def receive(
    database: Database, count: int, tenant: UUID = TENANT, *, signer: Receipts = RECEIPTS
) -> dict[UUID, str]:
    """The same as the API appends them: with a receipt for each, by event."""
    events = [Event(type="x.counted", actor="system", data={"number": number}) for number in range(count)]
    async with database.transaction(tenant) as tx:
        return dict(await issue(tx, signer, await append_many(tx, events)))


async def sign(sealer: asyncpg.Connection) -> int:
    """Seal, and sign a checkpoint for each tenant that grew."""
    await publish_key(sealer, KEY)
    await seal(sealer)
    return await sign_checkpoints(sealer, KEY, every=timedelta(0))


async def verify(database: Database, tenant: UUID = TENANT, **options: object) -> ChainReport:
    async with database.transaction(tenant) as tx:
        return await verify_chain(tx, **options)  # type: ignore[arg-type]


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()

"""All SQL of the company's quorum."""

from datetime import datetime
from uuid import UUID

import msgspec

from app.canon.canonical_json import canonical_bytes
from app.canon.quorum import CompanyQuorum
from app.postgres import Transaction

_HOLD = "SELECT pg_advisory_xact_lock{}(hashtextextended('work_queue.quorums/' || $1::text, 0))"
_INSERT = """
INSERT INTO work_queue.quorums (id, tenant_id, terms, digest, approval_id, signature, set_by, set_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def hold(tx: Transaction, *, changing: bool) -> None:
    """Until the transaction ends, nobody changes the quorum; whoever changes it waits for all who go by it."""
    await tx.connection.execute(_HOLD.format("" if changing else "_shared"), str(tx.tenant))


async def fetch(tx: Transaction) -> CompanyQuorum:
    """The one in force, or one without lines."""
    text = await tx.connection.fetchval("SELECT terms FROM work_queue.quorums WHERE ended_at IS NULL")
    return CompanyQuorum() if text is None else msgspec.json.decode(text, type=CompanyQuorum)


async def end(tx: Transaction, at: datetime) -> list[UUID]:
    """Ids of what was in force: none or one."""
    sql = "UPDATE work_queue.quorums SET ended_at = $1 WHERE ended_at IS NULL RETURNING id"
    return [record["id"] for record in await tx.connection.fetch(sql, at)]


async def insert(
    tx: Transaction, made: UUID, quorum: CompanyQuorum, *, approval_id: UUID, signature: str, by: str, at: datetime
) -> None:
    terms = canonical_bytes(quorum.written()).decode()
    await tx.connection.execute(_INSERT, made, tx.tenant, terms, quorum.digest(), approval_id, signature, by, at)

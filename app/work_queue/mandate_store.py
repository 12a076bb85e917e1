"""All SQL of mandates: who decides here beside the founder, and within which bounds."""

from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from app.postgres import Transaction
from app.work_queue.model import GrantedMandate

_MANDATES = """
SELECT id, terms, approval_id, signature, granted_by, granted_at, ended_at, ended_by FROM work_queue.mandates
"""

_INSERT = """
INSERT INTO work_queue.mandates
  (id, tenant_id, person, terms, digest, ends_at, approval_id, signature, granted_by, granted_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""


async def insert(tx: Transaction, mandate: GrantedMandate, terms: str, digest: str) -> None:
    values = (mandate.id, tx.tenant, UUID(mandate.terms.person), terms, digest, mandate.terms.ends_at)
    await tx.connection.execute(
        _INSERT, *values, mandate.approval_id, mandate.signature, mandate.granted_by, mandate.granted_at
    )


async def fetch(tx: Transaction, person: UUID) -> GrantedMandate | None:
    """The person's one mandate that was not ended early."""
    record = await tx.connection.fetchrow(_MANDATES + " WHERE person = $1 AND ended_at IS NULL", person)
    return None if record is None else _mandate(record)


async def hold(tx: Transaction, person: UUID) -> None:
    """Until the transaction ends, nobody ends the person's mandate: what is decided under it precedes its end in the
    ledger, too."""
    await tx.connection.execute(
        "SELECT FROM work_queue.mandates WHERE person = $1 AND ended_at IS NULL FOR SHARE", person
    )


async def were_ended(tx: Transaction, person: UUID) -> bool:
    """Whether the person had mandates and none is left."""
    statement = "SELECT count(*) > 0 AND bool_and(ended_at IS NOT NULL) FROM work_queue.mandates WHERE person = $1"
    ended: bool = await tx.connection.fetchval(statement, person)
    return ended


async def fetch_all(tx: Transaction) -> tuple[GrantedMandate, ...]:
    records = await tx.connection.fetch(_MANDATES + " ORDER BY granted_at DESC, id DESC")
    return tuple(_mandate(record) for record in records)


async def end(tx: Transaction, mandate_id: UUID, at: datetime, actor: str) -> None:
    statement = "UPDATE work_queue.mandates SET ended_at = $2, ended_by = $3 WHERE id = $1"
    await tx.connection.execute(statement, mandate_id, at, actor)


def _mandate(record: asyncpg.Record) -> GrantedMandate:
    return msgspec.convert({**record, "terms": msgspec.json.decode(record["terms"])}, GrantedMandate)

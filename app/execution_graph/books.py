"""What local tools wrote: notes, documents, the payment book. All SQL of these tables."""

from uuid import UUID

from app.canon.tool import MovePayment, WriteNote
from app.canon.vocabulary import new_id
from app.execution_graph.model import Document, Run
from app.postgres import Transaction


async def insert_note(tx: Transaction, run: Run, step: int, note: WriteNote) -> UUID:
    return await _insert(tx, _INSERT_NOTE, run, step, note.text)


_INSERT_NOTE = """
INSERT INTO execution_graph.notes (id, tenant_id, run_id, ticket_id, step, text, written_at)
VALUES ($1, $2, $3, $4, $5, $6, clock.now())
"""


async def insert_document(tx: Transaction, run: Run, step: int, document: Document) -> UUID:
    return await _insert(
        tx,
        _INSERT_DOCUMENT,
        run,
        step,
        document.name,
        document.media_type,
        document.size_bytes,
        document.sha256,
        document.evidence_key,
        document.secret,
    )


_INSERT_DOCUMENT = """
INSERT INTO execution_graph.documents (id, tenant_id, run_id, ticket_id, step, name, media_type, size_bytes, sha256,
  evidence_key, secret, written_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, clock.now())
"""


async def insert_payment(tx: Transaction, run: Run, step: int, order: MovePayment) -> UUID:
    return await _insert(
        tx,
        _INSERT_PAYMENT,
        run,
        step,
        order.amount.minor,
        order.amount.currency,
        order.payee,
        order.account,
        order.reference,
    )


_INSERT_PAYMENT = """
INSERT INTO execution_graph.payments (id, tenant_id, run_id, ticket_id, step, amount_minor, currency, payee, account,
  reference, ordered_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, clock.now())
"""


async def _insert(tx: Transaction, sql: str, run: Run, step: int, *values: object) -> UUID:
    made = new_id()
    await tx.connection.execute(sql, made, tx.tenant, run.id, run.ticket_id, step, *values)
    return made


async def documents_of(tx: Transaction, ticket_id: UUID) -> tuple[Document, ...]:
    """Documents written in the ticket, the newest of each name, in order of name."""
    rows = await tx.connection.fetch(_DOCUMENTS, ticket_id)
    return tuple(Document(**row) for row in rows)


_DOCUMENTS = """
SELECT DISTINCT ON (name) name, media_type, size_bytes, sha256, evidence_key, secret FROM execution_graph.documents
WHERE ticket_id = $1 ORDER BY name, id DESC
"""

"""What local tools bring about: applied through front doors, in the transaction of the step."""

from collections.abc import Sequence
from typing import assert_never
from uuid import UUID

from app.canon.errors import Invalid
from app.canon.evidence import EvidenceRef
from app.canon.tool import EvidenceItem, LocalEffect, MovePayment, OpenTicket, RecordRevenue, WriteDocument, WriteNote
from app.execution_graph import books
from app.execution_graph.model import Document, Run
from app.governance_ledger import Event, append, keep_evidence
from app.messages import RevenueRecorded
from app.postgres import Transaction
from app.role_registry import active_roles
from app.work_queue import NewTicket, inputs_of, open_ticket, publish, recipient_of_ticket, unnamed

Applied = tuple[tuple[str, ...], tuple[EvidenceRef, ...]]


async def apply(tx: Transaction, effect: LocalEffect, run: Run, step: int, actor: str) -> Applied:
    """Bring `effect` about. Gives the subjects that the caller's event must name, and evidence to name with it.

    Raises `Invalid` when it cannot be done as it is; roll back to a savepoint then.
    """
    match effect:
        case WriteNote():
            return (f"execution_graph.notes/{await books.insert_note(tx, run, step, effect)}",), ()
        case WriteDocument():
            return await _write_document(tx, effect, run, step)
        case OpenTicket():
            await _open_ticket(tx, effect, run, actor)
            return (), ()
        case RecordRevenue():
            await _record_revenue(tx, effect, run, step, actor)
            return (), ()
        case MovePayment():
            return (f"execution_graph.payments/{await books.insert_payment(tx, run, step, effect)}",), ()
        case _:
            assert_never(effect)


async def _write_document(tx: Transaction, effect: WriteDocument, run: Run, step: int) -> Applied:
    if any(given.name == effect.name for given in await inputs_of(tx, run.ticket_id)):
        raise Invalid(f"{effect.name!r} is attached to the ticket already: give the document another name")
    content = effect.content.encode("utf-8", "replace")
    whose = await recipient_of_ticket(tx, run.ticket_id)
    known_as = effect.name if whose is None else unnamed(effect.name)
    ref = await keep_evidence(tx, content, media_type=effect.media_type, name=known_as, subject=whose)
    document = Document(effect.name, effect.media_type, ref.size_bytes, ref.sha256, ref.key)
    made = await books.insert_document(tx, run, step, document)
    return (f"execution_graph.documents/{made}",), (ref,)


async def keep_files(tx: Transaction, files: Sequence[EvidenceItem], run: Run, step: int, *, secret: bool) -> Applied:
    """Make what a call brought along documents of the ticket; of names that are attached already, nothing."""
    attached = {given.name for given in await inputs_of(tx, run.ticket_id)} if files else set()
    whose = await recipient_of_ticket(tx, run.ticket_id) if files else None
    subjects: list[str] = []
    refs: list[EvidenceRef] = []
    for file in files:
        if file.name not in attached:
            known_as = file.name if whose is None else unnamed(file.name)
            ref = await keep_evidence(tx, file.content, media_type=file.media_type, name=known_as, subject=whose)
            document = Document(file.name, file.media_type, ref.size_bytes, ref.sha256, ref.key, secret)
            made = await books.insert_document(tx, run, step, document)
            subjects.append(f"execution_graph.documents/{made}")
            refs.append(ref)
    return tuple(subjects), tuple(refs)


async def _open_ticket(tx: Transaction, effect: OpenTicket, run: Run, actor: str) -> None:
    role_id = None if effect.role is None else await _role_called(tx, effect.role)
    new = NewTicket(effect.title, effect.instructions, role_id=role_id, parent_id=run.ticket_id)
    await open_ticket(tx, new, actor=actor, founder_wrote=False)


async def _role_called(tx: Transaction, name: str) -> UUID:
    roles = await active_roles(tx)
    for role in roles:
        if role.name.casefold() == name.strip().casefold():
            return role.id
    raise Invalid(f"there is no active role {name!r}: {', '.join(role.name for role in roles) or 'there is none'}")


async def _record_revenue(tx: Transaction, effect: RecordRevenue, run: Run, step: int, actor: str) -> None:
    data = {
        "amount_minor": str(effect.amount.minor),
        "currency": effect.amount.currency,
        "source": effect.source,
        "description": effect.description,
        "role_id": run.role_id and str(run.role_id),
        "ticket_id": str(run.ticket_id),
    }
    event = Event(
        type="revenue.recorded", actor=actor, ticket_id=run.ticket_id, run_id=run.id, step=step, data=dict(data)
    )
    receipt = await append(tx, event)
    await publish(tx, RevenueRecorded(tx.tenant, receipt.event_id))

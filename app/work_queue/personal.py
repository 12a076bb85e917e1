"""Tickets with personal data: what the ledger keeps of them is encrypted under their subject's key, and can be erased.

A ticket opened as `personal` is a subject of its own, `ticket:<id>`; tickets opened under it belong to the same one.
"""

from pathlib import PurePath
from uuid import UUID

from app.canon.errors import Invalid
from app.canon.tool import EvidenceItem
from app.governance_ledger import Event, Keeper, Recipient, append_about, open_subject, recipient_of
from app.postgres import Transaction
from app.work_queue import store
from app.work_queue.errors import NotErasable, TicketUnknown
from app.work_queue.model import CLOSED, NewTicket, Ticket

_SUBJECT = "SELECT subject FROM work_queue.tickets WHERE id = $1"
_OF_SUBJECT = "SELECT id FROM work_queue.tickets WHERE subject = $1 ORDER BY id"
_BLANK = "SELECT changed FROM work_queue.blank_tickets($1)"


async def subject_for(
    tx: Transaction, new: NewTicket, ticket_id: UUID, parent: Ticket | None, keeper: Keeper | None
) -> str | None:
    """Whose data a new ticket is to hold: its parent's subject's, or its own, with a key made for it; None: nobody's.

    Raises `Invalid`, `Misconfigured`.
    """
    if parent is not None and parent.subject is not None:
        return parent.subject
    if not new.personal:
        return None
    if keeper is None:
        said = "a ticket with personal data is opened over the API, which holds the keys of subjects"
        raise Invalid(said, code="ticket.personal_elsewhere")
    return (await open_subject(tx, keeper, f"ticket:{ticket_id}", addressed=True)).subject


def unnamed(name: str) -> str:
    """What the ledger calls a file of such a ticket: names stay readable for ever, and tell of people."""
    return f"file{PurePath(name).suffix}"


async def append_of(tx: Transaction, ticket: Ticket, event: Event, *, keep: EvidenceItem | None = None) -> None:
    """Append an event of the ticket, with `keep` as its first evidence; where the ticket's data are personal, the
    event's free text and `keep` go in encrypted."""
    await append_about(tx, event, await recipient_of(tx, ticket.subject), keep=keep)


async def recipient_of_ticket(tx: Transaction, ticket_id: UUID | None) -> Recipient | None:
    """To whom what is kept of the ticket is encrypted; None where its data are not personal."""
    subject = None if ticket_id is None else await tx.connection.fetchval(_SUBJECT, ticket_id)
    return await recipient_of(tx, subject)


async def erasable(tx: Transaction, ticket_id: UUID) -> tuple[Ticket, ...]:
    """The ticket and all others of its subject, locked; all are closed. Raises `TicketUnknown`, `NotErasable`."""
    asked = await store.fetch_ticket(tx, ticket_id)
    if asked is None:
        raise TicketUnknown(ticket_id)
    if asked.subject is None:
        said = "the ticket was not opened as personal: what the ledger keeps of it is not encrypted"
        raise NotErasable(said, code="ticket.not_personal")
    ids = [row["id"] for row in await tx.connection.fetch(_OF_SUBJECT, asked.subject)]
    found = [locked[0] for one in ids if (locked := await store.lock_ticket(tx, one)) is not None]
    for ticket in found:
        if ticket.status not in CLOSED:
            said = f"ticket {ticket.id} of the same subject is {ticket.status}: end it or cancel it first"
            raise NotErasable(said, code="ticket.still_open", ticket_id=str(ticket.id))
    return tuple(found)


async def blank_tickets(tx: Transaction, subject: str) -> tuple[str, ...]:
    """Take the texts of the subject's closed tickets away, and of their files and questions.

    Gives the rows that an event of the transaction must name. Idempotent.
    """
    rows = await tx.connection.fetch(_BLANK, subject)
    return tuple(row["changed"] for row in rows)

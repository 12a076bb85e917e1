"""Erasing what a ticket says of people: the key of its subject goes, and the words in the working tables with it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from app.auth import require
from app.canon.vocabulary import Principal, Rol
from app.execution_graph.counting import jsonpath_of
from app.execution_graph.store import runs_of_ticket
from app.governance_ledger import Event, append, erase_subject
from app.postgres import Transaction
from app.role_registry import versions_of
from app.work_queue import NotErasable, blank_tickets, erasable, pending_of_ticket

_BLANK = "SELECT changed FROM execution_graph.blank_runs($1, $2)"
# What a backbone left behind of runs that broke off; of others it is gone since they closed.
_DROP = """
DELETE FROM execution_graph.{table} WHERE thread_id IN (
  SELECT id::text FROM execution_graph.runs WHERE ticket_id = ANY ($1))
"""
_CHECKPOINTS = ("checkpoint_writes", "checkpoint_blobs", "checkpoints")


class TicketsErased(msgspec.Struct, frozen=True):
    """The subject whose key was destroyed, when, and all tickets that held its data."""

    subject: str
    erased_at: datetime
    ticket_ids: tuple[UUID, ...]


async def erase_ticket(tx: Transaction, ticket_id: UUID, *, by: Principal) -> TicketsErased:
    """Erase the personal data of a closed ticket, and of all tickets of its subject. Founder only; it cannot be undone.

    The subject's key is destroyed: nobody reads the evidence and the encrypted texts of its events again, in the
    store, in exports, in copies. Titles, instructions, requests, answers, notes and names of files go from the working
    tables; what stays is what happened when, what it cost, and what sums over time count of it. The chain verifies as
    before. Events `subject.erased`, `ticket.erased`. A second time is the first. Raises `Forbidden`, `TicketUnknown`,
    `NotErasable`.
    """
    require(by, Rol.FOUNDER)
    tickets = await erasable(tx, ticket_id)
    for ticket in tickets:
        if await pending_of_ticket(tx, ticket.id):
            said = f"a question of ticket {ticket.id} waits for an answer: decide it first"
            raise NotErasable(said, code="ticket.asks", ticket_id=str(ticket.id))
        if any(run.closed_at is None for run in await runs_of_ticket(tx, ticket.id)):
            said = f"a worker still has ticket {ticket.id} in hand: try again"
            raise NotErasable(said, code="ticket.in_hand", ticket_id=str(ticket.id))
    subject, ids = str(tickets[0].subject), tuple(ticket.id for ticket in tickets)
    erased = await erase_subject(tx, subject, by=by.actor)
    changed = list(await blank_tickets(tx, subject))
    if changed:
        kept = msgspec.json.encode(await _summed(tx, ids)).decode()
        changed += [row["changed"] for row in await tx.connection.fetch(_BLANK, list(ids), kept)]
        for table in _CHECKPOINTS:
            await tx.connection.execute(_DROP.format(table=table), list(ids))
        data: dict[str, object] = {"subject": subject, "ticket_ids": [str(one) for one in ids]}
        event = Event(type="ticket.erased", actor=by.actor, ticket_id=ticket_id, subjects=tuple(changed), data=data)
        await append(tx, event)
    return TicketsErased(subject, erased.erased_at, ids)


async def _summed(tx: Transaction, ticket_ids: Sequence[UUID]) -> list[dict[str, str]]:
    """The arguments that rules of the tickets' roles add up, in any of their contracts."""
    roles = {run.role_id for one in ticket_ids for run in await runs_of_ticket(tx, one)}
    found = {
        (str(role_id), rule.tool, one.path)
        for role_id in roles
        if role_id is not None
        for version in await versions_of(tx, role_id)
        for rule in version.terms.boundary.tools
        for one in rule.sums
    }
    return [
        {"role_id": role_id, "tool": tool, "path": path, "jsonpath": jsonpath_of(path)}
        for role_id, tool, path in sorted(found)
    ]

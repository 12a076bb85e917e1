"""Work: opened, changed, given files, and moved along its states."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.canon.canonical_json import digest
from app.canon.errors import Invalid
from app.canon.vocabulary import new_id, on_calendar
from app.governance_ledger import Event, Keeper, Page, append_about, keep_evidence, recipient_of
from app.messages import TicketOpened
from app.postgres import Transaction
from app.work_queue import store
from app.work_queue.approvals import pending_of_ticket, withdraw
from app.work_queue.cursors import read_cursor, write_cursor
from app.work_queue.delivery import publish
from app.work_queue.errors import InputExists, InputRefused, MoveRefused, TicketStale, TicketUnknown
from app.work_queue.model import (
    CLOSED,
    NewTicket,
    Ticket,
    TicketInput,
    TicketPatch,
    TicketStatus,
    may_move,
)
from app.work_queue.personal import append_of, subject_for, unnamed

MAX_INPUT_BYTES = 60 * 1024 * 1024
MAX_RESULT = 20_000
_LIST = "tickets"
_UNSAFE = re.compile(r"[/\\:*?\"<>|\x00-\x1f\x7f]")
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,100}")


async def open_ticket(
    tx: Transaction, new: NewTicket, *, actor: str, founder_wrote: bool, keeper: Keeper | None = None
) -> Ticket:
    """Open a ticket. Event `ticket.opened`, message `TicketOpened` unless `start` is false.

    `founder_wrote` says whether a founder or deputy wrote its text: only then the gate trusts it. A `personal` one
    needs the `keeper`, unless its parent is: then both are of one subject. Raises `TicketUnknown` for a parent that is
    not there, `Invalid`, `Misconfigured`.
    """
    parent = None if new.parent_id is None else await get_ticket(tx, new.parent_id)
    _check_text(new)
    _check_due(new.due_at)
    ticket_id, at = new_id(), await store.now(tx)
    subject = await subject_for(tx, new, ticket_id, parent, keeper)
    ticket = store.new_ticket(new, ticket_id, subject=subject, actor=actor, founder_wrote=founder_wrote, at=at)
    await store.insert_ticket(tx, ticket)
    await append_of(tx, ticket, _event(ticket, "opened", actor, ticket.opened_at, text_digest=_text_digest(ticket)))
    if new.start:
        await publish(tx, TicketOpened(tx.tenant, ticket.id))
    return ticket


def _check_due(due_at: object) -> None:
    if isinstance(due_at, datetime) and not on_calendar(due_at):
        raise Invalid("due_at lies before the year 1900 or after 8999", code="ticket.due")


def _check_text(new: NewTicket) -> None:
    if "\x00" in new.title + new.instructions + "".join(new.fields) + "".join(new.fields.values()):
        raise Invalid("NUL cannot be stored", code="text.unkeepable")
    if len(new.fields) > 50:
        raise Invalid("a ticket has at most 50 fields", code="ticket.fields")


def _text_digest(ticket: Ticket) -> str:
    fields = [[name, ticket.fields[name]] for name in sorted(ticket.fields)]
    return digest([ticket.title, ticket.instructions, fields])


def _event(ticket: Ticket, what: str, actor: str, at: datetime, *, run_id: UUID | None = None, **data: object) -> Event:
    said: dict[str, object] = {
        "title": ticket.title,
        "status": ticket.status,
        "role_id": ticket.role_id and str(ticket.role_id),
        "parent_id": ticket.parent_id and str(ticket.parent_id),
        "priority": ticket.priority,
        "approval_required": ticket.approval_required,
        "founder_wrote": ticket.founder_wrote,
        "opened_at": ticket.opened_at.isoformat(),
        "due_at": ticket.due_at and ticket.due_at.isoformat(),
    }
    return Event(
        type=f"ticket.{what}",
        actor=actor,
        subjects=(f"work_queue.tickets/{ticket.id}",),
        ticket_id=ticket.id,
        run_id=run_id,
        data=said | data,
        occurred_at=at,
    )


async def get_ticket(tx: Transaction, ticket_id: UUID) -> Ticket:
    """Raises `TicketUnknown`."""
    ticket = await store.fetch_ticket(tx, ticket_id)
    if ticket is None:
        raise TicketUnknown(ticket_id)
    return ticket


async def ancestors_of(tx: Transaction, ticket_id: UUID) -> tuple[UUID, ...]:
    """The tickets from which this one was opened, the nearest first."""
    return await store.fetch_ancestors(tx, ticket_id)


async def is_closed(tx: Transaction, ticket_id: UUID) -> bool:
    """Nothing more is done for the ticket. Asked before each step of its run. Raises `TicketUnknown`."""
    status = await store.fetch_ticket_status(tx, ticket_id)
    if status is None:
        raise TicketUnknown(ticket_id)
    return status in CLOSED


async def list_tickets(
    tx: Transaction,
    *,
    status: TicketStatus | None = None,
    role_id: UUID | None = None,
    parent_id: UUID | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[Ticket]:
    """Newest first; a page of at most `limit`, from the cursor `after` on. Raises `CursorUnknown`."""
    tickets = await store.fetch_tickets(
        tx,
        status=status,
        role_id=role_id,
        parent_id=parent_id,
        before=None if after is None else read_cursor(_LIST, after),
        limit=limit + 1,
    )
    return store.page(tickets, limit, lambda last: write_cursor(_LIST, last))


async def list_due(tx: Transaction, before: datetime, *, limit: int = 50) -> tuple[Ticket, ...]:
    """What is not closed and is due before that instant, the soonest first."""
    return tuple(await store.fetch_due(tx, before, limit))


async def patch_ticket(tx: Transaction, ticket_id: UUID, patch: TicketPatch, *, actor: str) -> Ticket:
    """Change priority, deadline or role, or cancel. Event `ticket.changed` or `ticket.cancelled`.

    A role can be given while the ticket is open; then `TicketOpened` is sent again. Raises `TicketUnknown`,
    `TicketStale`, `MoveRefused` (the ticket is closed, or under way when a role is given).
    """
    ticket, at = await _locked(tx, ticket_id)
    if patch.version != ticket.version:
        raise TicketStale(ticket_id, patch.version, ticket.version)
    if patch.cancel:
        return await _move(tx, ticket, "cancelled", actor, at, result="cancelled by the founder")
    if ticket.status in CLOSED:
        raise MoveRefused(ticket_id, ticket.status, "changed")
    changes = _changes(ticket, patch)
    _check_due(changes.get("due_at"))
    if "role_id" in changes and ticket.status != "open":
        raise MoveRefused(ticket_id, ticket.status, "given to another role")
    if not changes:
        return ticket
    changed = await store.update_ticket(tx, ticket, **changes)
    before = {name: _shown(getattr(ticket, name)) for name in changes}
    after = {name: _shown(value) for name, value in changes.items()}
    await append_of(tx, changed, _event(changed, "changed", actor, at, before=before, after=after))
    if "role_id" in changes:
        await publish(tx, TicketOpened(tx.tenant, ticket_id))
    return changed


def _changes(ticket: Ticket, patch: TicketPatch) -> dict[str, Any]:
    asked = {name: getattr(patch, name) for name in ("priority", "due_at", "role_id")}
    return {
        name: value for name, value in asked.items() if value is not msgspec.UNSET and value != getattr(ticket, name)
    }


def _shown(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, UUID) else value


async def move_ticket(
    tx: Transaction,
    ticket_id: UUID,
    to: TicketStatus,
    *,
    actor: str,
    run_id: UUID | None = None,
    result: str | None = None,
    role_id: UUID | None = None,
    data: Mapping[str, object] | None = None,
) -> Ticket:
    """Move the ticket along `model.TICKET_MOVES`; event `ticket.started|resumed|held|done|returned|...`.

    `role_id` is set when routing has chosen it. A ticket that is there already stays as it is (messages come twice),
    but for a new role. Closing withdraws what still waits for a decision on it and records whether the deadline was
    met. `data` goes into the event. Raises `TicketUnknown`, `MoveRefused`.
    """
    ticket, at = await _locked(tx, ticket_id)
    if ticket.status == to and role_id in (None, ticket.role_id):
        return ticket
    return await _move(tx, ticket, to, actor, at, run_id=run_id, result=result, role_id=role_id, data=data)


async def _move(
    tx: Transaction,
    ticket: Ticket,
    to: TicketStatus,
    actor: str,
    at: datetime,
    *,
    run_id: UUID | None = None,
    result: str | None = None,
    role_id: UUID | None = None,
    data: Mapping[str, object] | None = None,
) -> Ticket:
    if ticket.status in CLOSED or (to != ticket.status and not may_move(ticket.status, to)):
        raise MoveRefused(ticket.id, ticket.status, to)
    moved = await store.update_ticket(tx, ticket, **_moves(ticket, to, at, result, role_id))
    said = {**_measures(moved, at), **(data or {})}
    await append_of(tx, moved, _event(moved, _told(ticket, to), actor, at, run_id=run_id, result=moved.result, **said))
    if to in CLOSED:
        await _withdraw_pending(tx, moved, actor)
    return moved


def _moves(ticket: Ticket, to: TicketStatus, at: datetime, result: str | None, role_id: UUID | None) -> dict[str, Any]:
    changes: dict[str, Any] = {"status": to}
    if result is not None:
        changes["result"] = result[:MAX_RESULT]
    if role_id is not None:
        changes["role_id"] = role_id
    if to == "working" and ticket.started_at is None:
        changes["started_at"] = at
    if to in CLOSED:
        changes["closed_at"] = at
    return changes


def _told(ticket: Ticket, to: TicketStatus) -> str:
    if to == ticket.status:
        return "routed"
    if to == "working":
        return "resumed" if ticket.started_at else "started"
    return to


def _measures(ticket: Ticket, at: datetime) -> dict[str, object]:
    """What evaluation reads of a closed ticket: seconds are whole, `sla_met` null without a deadline."""
    if ticket.closed_at is None:
        return {}
    return {
        "sla_met": None if ticket.due_at is None else ticket.closed_at <= ticket.due_at,
        "seconds_from_opened": int((at - ticket.opened_at).total_seconds()),
        "seconds_from_started": ticket.started_at and int((at - ticket.started_at).total_seconds()),
    }


async def _withdraw_pending(tx: Transaction, ticket: Ticket, actor: str) -> None:
    """Whether an act happened outside is still asked: that is about the world, not about the ticket."""
    for approval in await pending_of_ticket(tx, ticket.id):
        if approval.kind != "unknown_outcome":
            await withdraw(tx, approval.id, f"the ticket is {ticket.status}", actor=actor)


async def _locked(tx: Transaction, ticket_id: UUID) -> tuple[Ticket, datetime]:
    locked = await store.lock_ticket(tx, ticket_id)
    if locked is None:
        raise TicketUnknown(ticket_id)
    return locked


async def attach_input(
    tx: Transaction,
    ticket_id: UUID,
    *,
    name: str,
    media_type: str,
    content: bytes,
    trusted: bool,
    secret: bool = False,
    actor: str,
) -> TicketInput:
    """Attach a file; its bytes are kept as evidence. Event `ticket.input_attached`.

    `trusted` only when a founder or deputy vouches for every value in it; `secret` when its text must not leave
    unseen. Raises `TicketUnknown`, `InputRefused` (size, name or media type), `InputExists`, `MoveRefused` when the
    ticket is closed.
    """
    safe = safe_name(name)
    if not 0 < len(content) <= MAX_INPUT_BYTES:
        said = f"{safe} has {len(content)} bytes; a file has 1 to {MAX_INPUT_BYTES}"
        raise InputRefused(said, code="file.size", name=safe, most_bytes=MAX_INPUT_BYTES)
    if not _MEDIA_TYPE.fullmatch(media_type):
        said = f"{media_type!r} is not a media type such as text/csv"
        raise InputRefused(said, code="file.media_type", name=safe, media_type=media_type)
    ticket, at = await _locked(tx, ticket_id)
    if ticket.status in CLOSED:
        raise MoveRefused(ticket_id, ticket.status, "given a file")
    recipient = await recipient_of(tx, ticket.subject)
    known_as = safe if recipient is None else unnamed(safe)
    evidence = await keep_evidence(tx, content, media_type=media_type, name=known_as, subject=recipient)
    file = TicketInput(
        id=new_id(),
        ticket_id=ticket_id,
        name=safe,
        media_type=media_type,
        size_bytes=len(content),
        sha256=evidence.sha256,
        evidence_key=evidence.key,
        trusted=trusted,
        secret=secret,
        attached_at=at,
    )
    if not await store.insert_input(tx, file):
        raise InputExists(safe)
    event = _event(
        ticket, "input_attached", actor, file.attached_at, name=safe, trusted=trusted, secret=secret, sha256=file.sha256
    )
    subjects = (*event.subjects, f"work_queue.ticket_inputs/{file.id}")
    await append_about(tx, msgspec.structs.replace(event, subjects=subjects, evidence=(evidence,)), recipient)
    return file


def safe_name(name: str) -> str:
    """The name in Unicode's composed form. Raises `InputRefused` for one that is a path, hidden, empty or too long."""
    given = unicodedata.normalize("NFC", name).strip()
    if not given or len(given.encode()) > 200:
        raise InputRefused("a file name has 1 to 200 bytes", code="file.name_length")
    if _UNSAFE.search(given) or given.startswith(".") or any(unicodedata.category(c)[0] == "C" for c in given):
        said = f"{name!r} cannot be a file name here: no path, no leading dot, no control characters"
        raise InputRefused(said, code="file.name", name=name)
    return given


async def inputs_of(tx: Transaction, ticket_id: UUID) -> tuple[TicketInput, ...]:
    """The ticket's files in the order in which they were attached."""
    return await store.fetch_inputs(tx, ticket_id)

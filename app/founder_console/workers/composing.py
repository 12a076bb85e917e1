"""Tickets from the phone: the form with its files and camera, opening, cancelling, erasing."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, FromQuery
from litestar.response import Redirect

from app.canon.errors import Conflict, Invalid
from app.canon.vocabulary import on_calendar
from app.execution_graph import erase_ticket
from app.founder_console.naming import as_uuid
from app.founder_console.visits import Caller, Visit, enter, go, seen_version
from app.governance_ledger import keeper_of
from app.postgres import Transaction
from app.role_registry import get_role
from app.work_queue import (
    MAX_INPUT_BYTES,
    NewTicket,
    NotErasable,
    TicketPatch,
    attach_input,
    get_ticket,
    open_ticket,
    patch_ticket,
)

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
Files = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.MULTI_PART)]


class Draft(msgspec.Struct, frozen=True):
    """A ticket as typed, shown again when it cannot be opened."""

    title: str = ""
    instructions: str = ""
    role_id: str = ""
    priority: int = 3
    due_at: str = ""
    asks: bool = False
    trusted: bool = False
    secret: bool = False
    personal: bool = False


class Refused(msgspec.Struct, frozen=True):
    """Why a ticket was not opened, for our own script."""

    problem: str


async def composer(visit: Visit, draft: Draft, problem: str = "", status: int = 200) -> Page:
    """The form for a new ticket; our script, which keeps the form, takes the problem alone."""
    if problem and visit.wants_fragment:
        return Response(msgspec.json.encode(Refused(problem)), status_code=status, media_type="application/json")
    active = [role for role in visit.roles if role.status in ("active", "paused")]
    workers = [{"id": role.id, "name": role.name, "job": visit.naming.job(role.id)} for role in active]
    return visit.page(
        "ticket_new.html",
        tab="workers",
        status=status,
        title=visit.words("ticket.new"),
        draft=draft,
        problem=problem,
        workers=workers,
        largest=MAX_INPUT_BYTES,
    )


@get("/tickets/new", include_in_schema=False)
async def compose(
    request: Caller,
    tx: NamedDependency[Transaction],
    role: FromQuery[str] = "",
    title: FromQuery[str] = "",
    instructions: FromQuery[str] = "",
    again: FromQuery[str] = "",
) -> Page:
    """The form, filled with what was proposed or with a ticket that is to be asked `again`; nothing is opened before it
    is sent. Who has one worker asks that one."""
    visit, before = await enter(request, tx), as_uuid(again)
    active = [str(one.id) for one in visit.roles if one.status == "active"]
    only = active[0] if len(active) == 1 else ""
    draft = Draft(title=title[:200], instructions=instructions[:20_000], role_id=role or only)
    if before is not None:
        ticket = await get_ticket(tx, before)
        draft = Draft(title=ticket.title, instructions=ticket.instructions, role_id=str(ticket.role_id or ""))
    return await composer(visit, draft)


@post("/tickets", status_code=303, include_in_schema=False)
async def new_ticket(request: Caller, tx: NamedDependency[Transaction], data: Files) -> Page | Redirect:
    """Open a ticket with its files; work starts once they are attached."""
    visit = await enter(request, tx)
    draft = _draft(data)
    try:
        new = await _new(visit, draft)
        async with tx.savepoint():
            keeper = keeper_of(request.app.state.settings.keys)
            opened = await open_ticket(tx, new, actor=visit.by.actor, founder_wrote=True, keeper=keeper)
            await _attach(visit, opened.id, draft, data)
    except (Conflict, Invalid) as refusal:
        return await composer(visit, draft, visit.refused(refusal), status=422)
    return go(f"/tickets/{opened.id}")


def _draft(data: dict[str, Any]) -> Draft:
    priority = str(data.get("priority") or "3")
    return Draft(
        title=str(data.get("title") or "").strip(),
        instructions=str(data.get("instructions") or "").strip(),
        role_id=str(data.get("role_id") or ""),
        priority=int(priority) if priority in ("1", "2", "3", "4") else 3,
        due_at=str(data.get("due_at") or ""),
        asks=bool(data.get("approval_required")),
        trusted=bool(data.get("trusted")),
        secret=bool(data.get("secret")),
        personal=bool(data.get("personal")),
    )


async def _new(visit: Visit, draft: Draft) -> NewTicket:
    words = visit.words
    if not 0 < len(draft.title) <= 200:
        raise Invalid(words("ticket.problem.title"))
    if not 0 < len(draft.instructions) <= 20_000:
        raise Invalid(words("ticket.problem.instructions"))
    role_id = as_uuid(draft.role_id)
    if role_id is not None:
        await get_role(visit.tx, role_id)
    return NewTicket(
        draft.title,
        draft.instructions,
        role_id=role_id,
        priority=draft.priority,
        approval_required=draft.asks,
        due_at=_due(visit, draft.due_at),
        personal=draft.personal,
    )


def _due(visit: Visit, text: str) -> datetime | None:
    """A local time of the company's zone, as the browser's own field gives it."""
    if not text:
        return None
    try:
        due = datetime.fromisoformat(text).replace(tzinfo=visit.formats.zone)
    except ValueError:
        raise Invalid(visit.words("ticket.problem.due")) from None
    if not on_calendar(due):
        raise Invalid(visit.words("ticket.problem.due"))
    return due


async def _attach(visit: Visit, ticket_id: UUID, draft: Draft, data: dict[str, Any]) -> None:
    """Files are marked all at once, or, by our script, each by its name."""
    vouched, hidden = set(_several(data, "trusted_file")), set(_several(data, "secret_file"))
    for file in _several(data, "files"):
        if not isinstance(file, UploadFile) or not file.filename:
            continue
        await attach_input(
            visit.tx,
            ticket_id,
            name=file.filename,
            media_type=file.content_type or "application/octet-stream",
            content=await file.read(),
            trusted=draft.trusted or file.filename in vouched,
            secret=draft.secret or file.filename in hidden,
            actor=visit.by.actor,
        )


def _several(data: dict[str, Any], name: str) -> Iterator[Any]:
    given = data.get(name)
    yield from given if isinstance(given, list) else [] if given is None else [given]


@post("/tickets/{ticket_id:uuid}/cancel", status_code=303, include_in_schema=False)
async def cancel_ticket(
    request: Caller, tx: NamedDependency[Transaction], ticket_id: FromPath[UUID], data: Form
) -> Redirect:
    visit = await enter(request, tx)
    patch = TicketPatch(version=seen_version(data) or 0, cancel=True)
    await patch_ticket(tx, ticket_id, patch, actor=visit.by.actor)
    return go(f"/tickets/{ticket_id}")


@post("/tickets/{ticket_id:uuid}/erase", status_code=303, include_in_schema=False)
async def erase(
    request: Caller, tx: NamedDependency[Transaction], ticket_id: FromPath[UUID], data: Form
) -> Page | Redirect:
    """Destroy the key of a personal ticket's data; nobody can undo it, so it is confirmed with a tick."""
    visit = await enter(request, tx)
    if data.get("sure") != "yes":
        return go(f"/tickets/{ticket_id}")
    try:
        await erase_ticket(tx, ticket_id, by=visit.by)
    except NotErasable as refusal:
        words = visit.words
        return visit.notice(
            words("ticket.not_erased"), visit.refused(refusal), href=f"/tickets/{ticket_id}", status=409
        )
    return go(f"/tickets/{ticket_id}")


ROUTES = (compose, new_ticket, cancel_ticket, erase)

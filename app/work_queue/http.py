"""Tickets and their files over HTTP. Approvals and quorums have files of their own; `ROUTES` holds them all."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Router, get, patch, post
from litestar.datastructures import State, UploadFile
from litestar.di import NamedDependency
from litestar.openapi.spec import (
    Example,
    OpenAPIFormat,
    OpenAPIMediaType,
    OpenAPIType,
    Operation,
    RequestBody,
    Schema,
)
from litestar.params import Body, FromPath, FromQuery, QueryParameter

from app.auth import require
from app.canon.vocabulary import Principal, Rol
from app.governance_ledger import Page, keeper_of
from app.postgres import Transaction
from app.problems import documented
from app.work_queue import tickets
from app.work_queue.approvals_http import ROUTES as APPROVAL_ROUTES
from app.work_queue.errors import InputRefused
from app.work_queue.idempotency import KEYED
from app.work_queue.model import NewTicket, Ticket, TicketInput, TicketPatch, TicketStatus
from app.work_queue.quorums_http import ROUTES as QUORUM_ROUTES
from app.work_queue.wire import READERS, Cursor, Limit, example

TAGS = ["tickets"]
TRUSTED = (Rol.FOUNDER, Rol.DEPUTY)
OPENERS = (Rol.FOUNDER, Rol.DEPUTY, Rol.OPERATOR, Rol.SERVICE)

Caller = Request[Principal, Principal, State]

NEW_TICKET = {
    "title": "Reconcile the March statement",
    "instructions": "Match the attached bank statement with our invoices and list what does not match.",
    "fields": {"month": "2026-03"},
    "role_id": None,
    "priority": 2,
    "due_at": "2026-04-02T17:00:00+07:00",
}


@get(
    "/tickets",
    tags=TAGS,
    summary="List tickets",
    description="Newest first, filtered by status, role or parent ticket.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def list_tickets(
    request: Caller,
    tx: NamedDependency[Transaction],
    status: FromQuery[TicketStatus | None] = None,
    role_id: FromQuery[UUID | None] = None,
    parent_id: FromQuery[UUID | None] = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[Ticket]:
    require(request.auth, *READERS)
    return await tickets.list_tickets(tx, status=status, role_id=role_id, parent_id=parent_id, after=after, limit=limit)


@post(
    "/tickets",
    tags=TAGS,
    summary="Open a ticket",
    description="For a role, or without one: then the router chooses. The text is trusted by the gate only when a "
    "founder or deputy opens the ticket. With `start` false it waits for its files until `POST /exec/start/{id}`. "
    "With `personal` the ledger keeps its texts and evidence encrypted, and `POST /tickets/{id}/erase` erases them.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def open_ticket(
    request: Caller,
    tx: NamedDependency[Transaction],
    data: Annotated[NewTicket, Body(examples=[Example(value=NEW_TICKET)])],
) -> Ticket:
    require(request.auth, *OPENERS)
    founder_wrote = request.auth.rol in TRUSTED
    keeper = keeper_of(request.app.state.settings.keys)
    return await tickets.open_ticket(tx, data, actor=request.auth.actor, founder_wrote=founder_wrote, keeper=keeper)


@get(
    "/tickets/{ticket_id:uuid}",
    tags=TAGS,
    summary="Read a ticket",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def get_ticket(request: Caller, tx: NamedDependency[Transaction], ticket_id: FromPath[UUID]) -> Ticket:
    require(request.auth, *READERS)
    return await tickets.get_ticket(tx, ticket_id)


@patch(
    "/tickets/{ticket_id:uuid}",
    tags=TAGS,
    summary="Change priority, deadline or role, or cancel",
    description="`version` is the one you saw: 409 when the ticket has changed since. Cancelling withdraws what waits "
    "for a decision on the ticket.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
async def patch_ticket(
    request: Caller,
    tx: NamedDependency[Transaction],
    ticket_id: FromPath[UUID],
    data: Annotated[TicketPatch, example(version=1, priority=1)],
) -> Ticket:
    require(request.auth, *OPENERS)
    return await tickets.patch_ticket(tx, ticket_id, data, actor=request.auth.actor)


@get(
    "/tickets/{ticket_id:uuid}/inputs",
    tags=TAGS,
    summary="List a ticket's files",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def list_inputs(
    request: Caller, tx: NamedDependency[Transaction], ticket_id: FromPath[UUID]
) -> Page[TicketInput]:
    require(request.auth, *READERS)
    await tickets.get_ticket(tx, ticket_id)
    return Page(await tickets.inputs_of(tx, ticket_id))


@dataclass
class _FileOperation(Operation):
    """Documents a body that is either a form with a file or the bytes themselves."""

    def __post_init__(self) -> None:
        binary = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
        form = Schema(
            type=OpenAPIType.OBJECT,
            properties={
                "file": binary,
                "trusted": Schema(type=OpenAPIType.BOOLEAN),
                "secret": Schema(type=OpenAPIType.BOOLEAN),
            },
            required=["file"],
        )
        self.request_body = RequestBody(
            required=True,
            description=f"At most {tickets.MAX_INPUT_BYTES} bytes",
            content={
                "multipart/form-data": OpenAPIMediaType(schema=form),
                "application/octet-stream": OpenAPIMediaType(schema=binary),
            },
        )


class _Upload(msgspec.Struct, frozen=True):
    name: str
    media_type: str
    content: bytes
    trusted: bool
    secret: bool


@post(
    "/tickets/{ticket_id:uuid}/inputs",
    tags=TAGS,
    summary="Attach a file to a ticket",
    description="As a form with the field `file`, or the bytes as the body with `?name=` and their Content-Type. The "
    "file becomes evidence. `trusted` says that a founder or deputy vouches for every value in it; else the gate takes "
    "what is read from it for the words of a stranger. `secret` says that its text may not leave without a human.",
    operation_class=_FileOperation,
    responses=documented(
        HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    ),
)
async def attach_input(
    request: Caller,
    tx: NamedDependency[Transaction],
    ticket_id: FromPath[UUID],
    name: Annotated[str | None, QueryParameter(description="The file's name, when the body is its bytes")] = None,
    trusted: FromQuery[bool] = False,
    secret: FromQuery[bool] = False,
) -> TicketInput:
    require(request.auth, *OPENERS)
    upload = await _upload(request, name, trusted=trusted, secret=secret)
    if upload.trusted:
        require(request.auth, *TRUSTED)
    return await tickets.attach_input(
        tx,
        ticket_id,
        name=upload.name,
        media_type=upload.media_type,
        content=upload.content,
        trusted=upload.trusted,
        secret=upload.secret,
        actor=request.auth.actor,
    )


async def _upload(request: Caller, name: str | None, *, trusted: bool, secret: bool) -> _Upload:
    """Raises `InputRefused`."""
    media_type = request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip()
    if media_type != "multipart/form-data":
        if not name:
            raise InputRefused("name the file: POST the bytes with ?name=statement.csv, or a form with the field file")
        return _Upload(name, media_type.lower(), await request.body(), trusted, secret)
    form = await request.form()
    file: Any = form.get("file")
    if not isinstance(file, UploadFile):
        raise InputRefused("the form has no file: put it into the field `file`")
    vouched = trusted or _ticked(form.get("trusted"))
    media_type = (file.content_type or "application/octet-stream").partition(";")[0].strip().lower()
    return _Upload(name or file.filename, media_type, await file.read(), vouched, secret or _ticked(form.get("secret")))


def _ticked(value: object) -> bool:
    return str(value or "").lower() in ("true", "1", "on", "yes")


ROUTES = (
    list_tickets,
    get_ticket,
    list_inputs,
    Router("/", route_handlers=[open_ticket, patch_ticket, attach_input], parameters=KEYED),
    *APPROVAL_ROUTES,
    *QUORUM_ROUTES,
)

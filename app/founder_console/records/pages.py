"""Pages of record: tickets told end to end, and the ledger with its proofs."""

from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from app.canon.canonical_json import canonical_bytes
from app.canon.errors import NotFound
from app.canon.vocabulary import Rol
from app.founder_console.cards import story
from app.founder_console.cards.story import row_of
from app.founder_console.naming import as_uuid
from app.founder_console.records.searching import KINDS, Look, look
from app.founder_console.visits import Caller, Visit, enter, go
from app.founder_console.workers import traces
from app.governance_ledger import read_document, read_event, verify_chain
from app.governance_ledger.evidence_http import links_of
from app.postgres import Transaction
from app.work_queue import CLOSED, Ticket, TicketStatus, get_ticket, inputs_of, list_tickets

Page = Response[bytes]
LIST = 25
LINK_SECONDS = 300
SHOWS: dict[str, tuple[TicketStatus, ...]] = {
    "open": ("open", "working"),
    "held": ("held",),
    "done": ("done", "returned", "refused", "failed", "cancelled"),
}


@get("/tickets", include_in_schema=False)
async def tickets(
    request: Caller,
    tx: NamedDependency[Transaction],
    show: FromQuery[str] = "open",
    after: FromQuery[str | None] = None,
) -> Page:
    """The work that was asked for."""
    visit = await enter(request, tx)
    found, cursor = await _tickets(tx, show, after)
    return visit.page(
        "tickets.html",
        tab="workers",
        title=visit.words("tickets"),
        summary=visit.words("tickets.sum"),
        tickets=[row_of(ticket, visit.naming) for ticket in found],
        show=show if show in SHOWS else "all",
        any=bool(found) or bool((await list_tickets(tx, limit=1)).items),
        next_cursor=cursor,
    )


async def _tickets(tx: Transaction, show: str, after: str | None) -> tuple[list[Ticket], str | None]:
    statuses = SHOWS.get(show)
    if statuses is None:
        page = await list_tickets(tx, after=after, limit=LIST)
        return [*page.items], page.next_cursor
    pages = [await list_tickets(tx, status=status, after=after, limit=LIST) for status in statuses]
    found = sorted((ticket for page in pages for ticket in page.items), key=lambda ticket: ticket.id, reverse=True)
    only = pages[0].next_cursor if len(pages) == 1 else None
    return found[: LIST * 2], only


@get("/tickets/{ticket_id:uuid}", include_in_schema=False)
async def ticket(request: Caller, tx: NamedDependency[Transaction], ticket_id: FromPath[UUID]) -> Page:
    """A ticket told end to end."""
    visit = await enter(request, tx)
    found = await get_ticket(tx, ticket_id)
    told = await story.tell(tx, ticket_id, visit.naming)
    files = [
        {
            "id": file.id,
            "name": file.name,
            "size": visit.formats.size(file.size_bytes),
            "trusted": file.trusted,
            "secret": file.secret,
        }
        for file in await inputs_of(tx, ticket_id)
    ]
    view = {name: getattr(found, name) for name in found.__struct_fields__}
    return visit.page(
        "ticket.html",
        tab="workers",
        title=found.title,
        others=[row_of(one, visit.naming) for one in (await list_tickets(tx, limit=LIST)).items],
        ticket=view | {**_shown(row_of(found, visit.naming)), "opened_by": visit.naming.person(found.opened_by)},
        cards=[card for card in visit.cards if card.ticket_id == ticket_id],
        files=files,
        runs=await traces.rows_of(tx, ticket_id),
        story=told.steps,
        story_cut=told.cut,
        cost=told.cost_usd_micros,
        may_erase=_may_erase(visit, found),
    )


def _may_erase(visit: Visit, found: Ticket) -> bool:
    """Of a ticket with personal data that is over, by a founder, once."""
    mine = visit.by.rol == Rol.FOUNDER and found.subject is not None
    return mine and found.status in CLOSED and found.erased_at is None


def _shown(row: story.TicketRow) -> dict[str, object]:
    return {"worker": row.worker, "tone": row.tone, "open": row.open}


@get("/tickets/{ticket_id:uuid}/files/{file_id:uuid}", include_in_schema=False)
async def file(
    request: Caller, tx: NamedDependency[Transaction], ticket_id: FromPath[UUID], file_id: FromPath[UUID]
) -> Redirect:
    """To an attached file, under a signed address."""
    await enter(request, tx)
    found = next((one for one in await inputs_of(tx, ticket_id) if one.id == file_id), None)
    if found is None:
        raise NotFound(f"ticket {ticket_id} has no file {file_id}", code="file.unknown")
    return go(_link(request, tx, found.evidence_key, found.name))


def _link(request: Caller, tx: Transaction, key: str, name: str) -> str:
    path, _ = links_of(request.app.state.settings.keys).path(tx.tenant, key, ttl_seconds=LINK_SECONDS, name=name)
    return path


@get("/ledger", include_in_schema=False)
async def ledger(
    request: Caller,
    tx: NamedDependency[Transaction],
    kind: FromQuery[str] = "",
    worker: FromQuery[str] = "",
    ticket: FromQuery[str] = "",
    since: FromQuery[str] = "",
    until: FromQuery[str] = "",
    q: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
) -> Page:
    """The newest events that fit, and whether the chain is whole."""
    visit = await enter(request, tx)
    what = Look(
        kind=kind,
        worker=as_uuid(worker),
        ticket=as_uuid(ticket),
        since=since,
        until=until,
        words=" ".join(q.split())[:200],
    )
    found = await look(tx, what, visit.naming, after=after)
    return visit.page(
        "ledger.html",
        title=visit.words("ledger"),
        chain=await verify_chain(tx, full=False),
        events=found.lines,
        read=visit.formats.number(found.read),
        older=what.query(after=found.next_cursor) if found.next_cursor else None,
        look=what,
        kinds=KINDS if kind in KINDS or not kind else (kind, *KINDS),
        workers=[(role.id, role.name) for role in visit.roles],
        ticket_title=(await get_ticket(tx, what.ticket)).title if what.ticket else "",
    )


@get("/ledger/{event_id:uuid}", include_in_schema=False)
async def event(request: Caller, tx: NamedDependency[Transaction], event_id: FromPath[UUID]) -> Page:
    """One event with its proof."""
    visit = await enter(request, tx)
    found = await read_event(tx, event_id)
    line = (await story.with_acts(tx, visit.naming, [found])).line(found)
    return visit.page("event.html", title=line.text, e=found, line=line, data=_data(found.data))


@get("/ledger/{event_id:uuid}/document", include_in_schema=False)
async def document(request: Caller, tx: NamedDependency[Transaction], event_id: FromPath[UUID]) -> Response[bytes]:
    """The event's canonical bytes, for whoever computes its hash by himself."""
    await enter(request, tx)
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(await read_document(tx, event_id), media_type="application/json", headers=headers)


def _data(data: dict[str, object]) -> str:
    return msgspec.json.format(canonical_bytes(data), indent=2).decode() if data else ""


@get("/ledger/{event_id:uuid}/evidence/{index:int}", include_in_schema=False)
async def evidence(
    request: Caller, tx: NamedDependency[Transaction], event_id: FromPath[UUID], index: FromPath[int]
) -> Redirect:
    """To the evidence itself, under a signed address."""
    await enter(request, tx)
    found = await read_event(tx, event_id)
    if not 0 <= index < len(found.evidence):
        raise NotFound(f"event {event_id} has no evidence {index}", code="evidence.unknown")
    ref = found.evidence[index]
    return go(_link(request, tx, ref.key, ref.name))


ROUTES = (tickets, ticket, file, ledger, event, document, evidence)

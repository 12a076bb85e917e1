"""A contract changed on the phone: tools, limits and job, or the ladder; the founder signs the card that this makes."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from litestar.response import Redirect
from msgspec import structs

from app.canon.contract import Terms
from app.canon.errors import Conflict, Invalid, NotFound
from app.founder_console.visits import Caller, Visit, enter, go, seen_version
from app.founder_console.workers.amending import amended, limit_fields, tool_choices
from app.founder_console.workers.ladders import ladder_sentences, laddered, open_choices, rung_fields
from app.postgres import Transaction
from app.role_registry import Role, amend, get_role

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]


@get("/workers/{role_id:uuid}/amend", include_in_schema=False)
async def change(request: Caller, tx: NamedDependency[Transaction], role_id: FromPath[UUID]) -> Page:
    """The contract in force as a form."""
    visit = await enter(request, tx)
    return _form(visit, await get_role(tx, role_id))


@post("/workers/{role_id:uuid}/amend", status_code=303, include_in_schema=False)
async def ask_change(
    request: Caller, tx: NamedDependency[Transaction], role_id: FromPath[UUID], data: Form
) -> Page | Redirect:
    """Propose the changed contract; what is in force stays so until the founder signs the card."""
    visit = await enter(request, tx)
    return await _ask(visit, role_id, data, lambda terms: amended(terms, data, visit.words), _form)


async def _ask(
    visit: Visit, role_id: UUID, data: dict[str, Any], change: Callable[[Terms], Terms], form: Callable[..., Page]
) -> Page | Redirect:
    """To the card that asks for the changed terms; what is refused is said over the form."""
    role = await get_role(visit.tx, role_id)
    try:
        return go(await _proposed(visit, role, change(_signed(visit, role)), data))
    except (Conflict, Invalid) as refusal:
        return form(visit, role, problem=visit.refused(refusal), status=422)


def _signed(visit: Visit, role: Role) -> Terms:
    if role.terms is None:
        raise Conflict(visit.words("amend.unsigned"))
    return role.terms


async def _proposed(visit: Visit, role: Role, terms: Terms, data: dict[str, Any]) -> str:
    """The address of the card that asks for a signature under `terms`. Raises `Conflict`, `Invalid`."""
    if terms == role.terms:
        raise Invalid(visit.words("amend.same"))
    state = visit.request.app.state
    async with visit.tx.savepoint():
        changed = await amend(
            visit.tx,
            role.id,
            seen_version=seen_version(data) or 0,
            terms=terms,
            by=visit.by,
            undo_seconds=state.settings.undo_seconds,
            tools=state.tools,
        )
    return f"/approvals/{changed.pending.approval_id}" if changed.pending else f"/workers/{role.id}"


def _form(visit: Visit, role: Role, *, problem: str = "", status: int = 200) -> Page:
    terms = _in_force(role)
    tools = tool_choices(terms, visit.request.app.state.tools, visit.naming)
    own = len(terms.boundary.tools)
    return visit.page(
        "amend.html",
        tab="workers",
        status=status,
        title=visit.words("amend", name=role.name),
        role=role,
        terms=terms,
        own_tools=tools[:own],
        other_tools=tools[own:],
        limits=limit_fields(terms, visit.words.language),
        problem=problem,
    )


def _in_force(role: Role) -> Terms:
    if role.terms is None:
        raise NotFound(f"role {role.id} has no signed contract to change", code="role.unsigned")
    return role.terms


@get("/workers/{role_id:uuid}/ladder", include_in_schema=False)
async def ladder(request: Caller, tx: NamedDependency[Transaction], role_id: FromPath[UUID]) -> Page:
    """Whom the worker's open questions reach, when, as a form."""
    visit = await enter(request, tx)
    return _ladder(visit, await get_role(tx, role_id))


@post("/workers/{role_id:uuid}/ladder", status_code=303, include_in_schema=False)
async def ask_ladder(
    request: Caller, tx: NamedDependency[Transaction], role_id: FromPath[UUID], data: Form
) -> Page | Redirect:
    """Propose another ladder: a change of the contract like any other."""
    visit = await enter(request, tx)

    def climbing(terms: Terms) -> Terms:
        return structs.replace(terms, escalation=laddered(terms.escalation, data, visit.words))

    return await _ask(visit, role_id, data, climbing, _ladder)


def _ladder(visit: Visit, role: Role, *, problem: str = "", status: int = 200) -> Page:
    escalation = _in_force(role).escalation
    return visit.page(
        "ladder.html",
        tab="workers",
        status=status,
        title=visit.words("ladder.change", name=role.name),
        role=role,
        sentences=ladder_sentences(escalation, visit.naming),
        rungs=rung_fields(escalation),
        expires=escalation.expires_seconds,
        open_choices=open_choices(escalation),
        problem=problem,
    )


ROUTES = (change, ask_change, ladder, ask_ladder)

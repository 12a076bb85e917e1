"""On the phone: a call edited before it is approved, one with a lost answer made again; each leads to the card to sign
in the old one's place."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from litestar.response import Redirect

from app.canon.errors import Conflict, Invalid
from app.canon.facts import Fact
from app.canon.reasons import reason_sentence
from app.canon.tool import Arguments, ToolSpec
from app.execution_graph import Edit, EditRefused, Retry, edit_call, retry_call
from app.founder_console.cards.inbox import card_of
from app.founder_console.deciding.call_fields import Field, again, fields_of, typed
from app.founder_console.visits import Caller, Visit, enter, go, seen_version
from app.governance_ledger import keeper_of
from app.postgres import Transaction
from app.work_queue import Approval, ApprovalClosed, get_approval

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]


@get("/approvals/{approval_id:uuid}/edit", include_in_schema=False)
async def edit_form(request: Caller, tx: NamedDependency[Transaction], approval_id: FromPath[UUID]) -> Page | Redirect:
    """The call's arguments as a form."""
    visit, approval = await enter(request, tx), await get_approval(tx, approval_id)
    card = card_of(approval, visit.naming)
    if not card.editable or not card.open:
        return go(f"/approvals/{approval_id}")
    return _form(visit, approval, _fields(visit, approval))


@post("/approvals/{approval_id:uuid}/edit", status_code=200, include_in_schema=False)
async def edit(
    request: Caller, tx: NamedDependency[Transaction], approval_id: FromPath[UUID], data: Form
) -> Page | Redirect:
    """Ask anew with what was typed. What the gate refuses is said above the form; nothing is lost."""
    visit, approval = await enter(request, tx), await get_approval(tx, approval_id)
    if not card_of(approval, visit.naming).editable:
        return go(f"/approvals/{approval_id}")
    fields = again(_fields(visit, approval), data)
    try:
        wanted = Edit(
            arguments=typed(_tool(visit, approval), data, _arguments(approval)),
            version=seen_version(data),
        )
        async with tx.savepoint():
            after = await edit_call(
                tx,
                approval_id,
                wanted,
                by=visit.by,
                tools=visit.naming.tools,
                evidence=request.app.state.store,
                undo_seconds=request.app.state.settings.undo_seconds,
                keeper=keeper_of(request.app.state.settings.keys),
            )
    except ApprovalClosed:
        return go(f"/approvals/{approval_id}")
    except (Conflict, Invalid) as refusal:
        return _form(visit, approval, fields, problem=_said(visit, approval, refusal), status=422)
    return go(f"/approvals/{after.id}?edited={approval_id}")


@post("/approvals/{approval_id:uuid}/retry", status_code=200, include_in_schema=False)
async def retry(
    request: Caller, tx: NamedDependency[Transaction], approval_id: FromPath[UUID], data: Form
) -> Page | Redirect:
    """Ask whether a call with a lost answer is made again, with the same key: the card to sign."""
    visit, approval = await enter(request, tx), await get_approval(tx, approval_id)
    try:
        async with tx.savepoint():
            after = await retry_call(
                tx,
                approval_id,
                Retry(seen_version(data)),
                by=visit.by,
                tools=visit.naming.tools,
                evidence=request.app.state.store,
                undo_seconds=request.app.state.settings.undo_seconds,
                keeper=keeper_of(request.app.state.settings.keys),
            )
    except ApprovalClosed:
        return go(f"/approvals/{approval_id}")
    except (Conflict, Invalid) as refusal:
        said = _said(visit, approval, refusal)
        return visit.notice(visit.words("retry.refused"), said, href=f"/approvals/{approval_id}", status=409)
    return go(f"/approvals/{after.id}")


def _said(visit: Visit, approval: Approval, refusal: Conflict | Invalid) -> str:
    """Why not, in the founder's language where the gate says why."""
    if not isinstance(refusal, EditRefused) or not refusal.data["facts"]:
        return visit.refused(refusal)
    facts = msgspec.convert(refusal.data["facts"], list[Fact])
    naming = visit.naming
    return reason_sentence(facts[0], approval.tool or "", naming.words.language, naming.labels)


def _tool(visit: Visit, approval: Approval) -> ToolSpec:
    return visit.naming.tools[approval.tool or ""]


def _arguments(approval: Approval) -> Arguments:
    return msgspec.convert(approval.payload.get("arguments") or {}, Arguments)


def _fields(visit: Visit, approval: Approval) -> tuple[Field, ...]:
    return fields_of(_tool(visit, approval), _arguments(approval), visit.words.language)


def _form(visit: Visit, approval: Approval, fields: tuple[Field, ...], *, problem: str = "", status: int = 200) -> Page:
    return visit.page(
        "approval_edit.html",
        tab="decisions",
        status=status,
        title=visit.words("edit.title"),
        a=card_of(approval, visit.naming),
        fields=fields,
        problem=problem,
    )


ROUTES = (edit_form, edit, retry)

"""Over HTTP: a held call changed before it is approved, a call with a lost answer made again."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from litestar import Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath

from app.canon.vocabulary import Principal
from app.execution_graph.editing import Edit, edit_call
from app.execution_graph.retrying import Retry, retry_call
from app.governance_ledger import keeper_of
from app.postgres import Transaction
from app.problems import documented
from app.work_queue import Approval

Caller = Request[Principal, Principal, State]

_BODY = Body(examples=[Example(value={"arguments": {"to": "ana@mitra.example", "subject": "Report"}, "version": 1})])
_REFUSALS = documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


@post(
    "/approvals/{approval_id:uuid}/edit",
    status_code=HTTPStatus.OK,
    tags=["approvals"],
    summary="Change the arguments of a held call before approving it",
    description="Gives the question that stands in its place: with new digests, and the tier that the gate sets on the "
    "changed call, which may be higher. Sign that one. The old one is `superseded` and names it. What the gate refuses "
    "is a 409 that says why; the question stays as it was. The worker is told what was changed.",
    responses=_REFUSALS,
)
async def edit(
    request: Caller,
    tx: NamedDependency[Transaction],
    approval_id: FromPath[UUID],
    state: State,
    data: Annotated[Edit, _BODY],
) -> Approval:
    return await edit_call(
        tx,
        approval_id,
        data,
        by=request.auth,
        tools=state.tools,
        evidence=state.store,
        undo_seconds=state.settings.undo_seconds,
        keeper=keeper_of(state.settings.keys),
    )


@post(
    "/approvals/{approval_id:uuid}/retry",
    status_code=HTTPStatus.OK,
    tags=["approvals"],
    summary="Have a call with a lost answer made again, with the same key",
    description="The third answer to an `unknown_outcome`, beside `approve` (it happened) and `reject` (it did not). "
    "Gives a question of tier R2 that stands in its place; once you sign it, the call goes out with the key of the "
    "first attempt, and the ledger says `tool.repeated`. Founder only. What the gate refuses is a 409; the "
    "question stays as it was.",
    responses=_REFUSALS,
)
async def retry(
    request: Caller,
    tx: NamedDependency[Transaction],
    approval_id: FromPath[UUID],
    state: State,
    data: Annotated[Retry | None, Body(examples=[Example(value={"version": 1})])] = None,
) -> Approval:
    return await retry_call(
        tx,
        approval_id,
        data or Retry(),
        by=request.auth,
        tools=state.tools,
        evidence=state.store,
        undo_seconds=state.settings.undo_seconds,
        keeper=keeper_of(state.settings.keys),
    )


WRITES = (edit, retry)

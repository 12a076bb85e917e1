"""A proposal against a boundary, and a boundary against the past: over HTTP, without doing anything."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from litestar import Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath

from app.auth import require
from app.canon.vocabulary import Principal, Rol
from app.execution_graph.backtesting import Backtest, BacktestAsked, backtest
from app.execution_graph.checking import Check, Checked, check
from app.governance_ledger import keeper_of
from app.postgres import Transaction
from app.problems import documented

TAGS = ["roles"]
LOOKERS = (Rol.FOUNDER, Rol.DEPUTY, Rol.OPERATOR, Rol.AUDITOR)

Caller = Request[Principal, Principal, State]

BOUNDARY: Mapping[str, object] = {
    "tools": [
        {
            "tool": "send_email",
            "mode": "allow",
            "arguments": [
                {"path": "to", "constraints": [{"kind": "any_of", "constraints": [{"kind": "in_ticket"}]}]},
            ],
        }
    ]
}
PROPOSED: Mapping[str, object] = {
    "tool": "send_email",
    "arguments": {"to": ["ana@mitra.example"], "subject": "Report", "body": "Here it is."},
    "ticket": {"title": "Report", "instructions": "Send the report to the address in the mail."},
    "readings": [{"tool": "read_input", "text": "Please answer to ana@mitra.example"}],
}
_WHO = "Founder, deputy, operator, auditor. Nothing is run, reserved or recorded."
_ALONE = documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
_OF_ROLE = documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


@post(
    "/roles/check",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Ask what the gate would decide under a boundary",
    description=f"The real gate on a proposed call: which rule, which value, what would pass. {_WHO}",
    responses=_ALONE,
)
async def check_boundary(
    request: Caller,
    tx: NamedDependency[Transaction],
    state: State,
    data: Annotated[Check, Body(examples=[Example(value={"boundary": BOUNDARY, **PROPOSED})])],
) -> Checked:
    require(request.auth, *LOOKERS)
    return await check(
        tx, data, role_id=None, tools=state.tools, store=state.store, keeper=keeper_of(state.settings.keys)
    )


@post(
    "/roles/{role_id:uuid}/check",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Ask what the gate would decide for a role",
    description="Under the contract in force with its budget and sums, or under `boundary` in its place. With "
    f"`ticket_id` on that ticket, its files and what its last run has read. {_WHO}",
    responses=_OF_ROLE,
)
async def check_role(
    request: Caller,
    tx: NamedDependency[Transaction],
    state: State,
    role_id: FromPath[UUID],
    data: Annotated[Check, Body(examples=[Example(value=PROPOSED)])],
) -> Checked:
    require(request.auth, *LOOKERS)
    return await check(
        tx, data, role_id=role_id, tools=state.tools, store=state.store, keeper=keeper_of(state.settings.keys)
    )


@post(
    "/roles/{role_id:uuid}/backtest",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Hold a changed boundary against a role's real history",
    description="What it would have allowed, held and refused, against what happened and what the founder decided; "
    "the calls that would have gone otherwise, newest first. Each call is judged on what was there at its moment; "
    f"`approximated` says what is not exact. {_WHO}",
    responses=_OF_ROLE,
)
async def backtest_role(
    request: Caller,
    tx: NamedDependency[Transaction],
    state: State,
    role_id: FromPath[UUID],
    data: Annotated[BacktestAsked, Body(examples=[Example(value={"boundary": BOUNDARY, "limit": 50})])],
) -> Backtest:
    require(request.auth, *LOOKERS)
    return await backtest(
        tx, role_id, data, tools=state.tools, store=state.store, keeper=keeper_of(state.settings.keys)
    )


ROUTES = (check_boundary, check_role, backtest_role)

"""Standing rules over HTTP."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Request, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath, FromQuery

from app import clock
from app.auth import require
from app.canon.errors import Invalid
from app.canon.rule import RuleTerms
from app.canon.vocabulary import Principal, Rol
from app.governance_ledger import Page
from app.postgres import Transaction
from app.problems import documented
from app.role_registry import rules
from app.role_registry.precedents import (
    Precedents,
    RuleBacktest,
    backtest_rule,
    earlier,
    precedents_of,
    suggested,
)
from app.role_registry.rule_store import StandingRule
from app.role_registry.rules import NewRule, terms_of
from app.work_queue import Approval, get_approval

TAGS = ["rules"]
READERS = (Rol.FOUNDER, Rol.DEPUTY, Rol.OPERATOR, Rol.AUDITOR, Rol.SERVICE)

Caller = Request[Principal, Principal, State]


class Suggestion(msgspec.Struct, frozen=True):
    """What became of questions like this one, and the rule they suggest with its backtest (None: nothing to bound)."""

    precedents: Precedents
    rule: RuleTerms | None
    backtest: RuleBacktest | None


_RULE = {
    "role_id": "01890000-0000-7000-8000-000000000001",
    "tool": "order_payment",
    "bounds": [
        {"path": "amount_minor", "constraints": [{"kind": "max", "limit": 500000}]},
        {"path": "currency", "constraints": [{"kind": "one_of", "values": ["IDR"]}]},
        {"path": "payee", "constraints": [{"kind": "one_of", "values": ["PT Maju"]}]},
        {"path": "account", "constraints": [{"kind": "one_of", "values": ["1234567890"]}]},
    ],
    "uses": 10,
    "until": "2027-01-31T00:00:00+07:00",
}
_BODY = Body(examples=[Example(value=_RULE)])
_REFUSALS = documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


@get(
    "/rules",
    tags=TAGS,
    summary="List standing rules",
    description="Newest first, those that are used up, over or revoked too.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def list_rules(
    request: Caller, tx: NamedDependency[Transaction], role_id: FromQuery[UUID | None] = None
) -> Page[StandingRule]:
    require(request.auth, *READERS)
    return Page(await rules.rules_of(tx, role_id))


@get(
    "/approvals/{approval_id:uuid}/precedents",
    tags=["approvals"],
    summary="What became of questions like this one, and a rule for them",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def precedents(request: Caller, tx: NamedDependency[Transaction], approval_id: FromPath[UUID]) -> Suggestion:
    require(request.auth, *READERS)
    approval = await get_approval(tx, approval_id)
    tool = request.app.state.tools.get(approval.tool or "")
    if approval.kind != "tool_call" or tool is None:
        raise Invalid("only calls of a tool have precedents")
    before = await earlier(tx, approval.role_id, approval.tool, approval.id)
    rule = suggested(approval, before, tool, clock.now())
    tested = None if rule is None else await backtest_rule(tx, rule, tool)
    return Suggestion(precedents_of(approval, before, tool), rule, tested)


@post(
    "/rules/backtest",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="What a rule would have allowed",
    description="Against the last questions of its role and tool, and what the founder decided. Nothing is written.",
    responses=_REFUSALS,
)
async def backtest(request: Caller, tx: NamedDependency[Transaction], data: Annotated[NewRule, _BODY]) -> RuleBacktest:
    require(request.auth, *READERS)
    terms, tool = terms_of(data, request.app.state.tools, clock.now())
    return await backtest_rule(tx, terms, tool)


@post(
    "/rules",
    tags=TAGS,
    summary="Propose a standing rule",
    description="Raises an approval (kind `rule`, R2) that shows the rule and its backtest; signed, calls inside its "
    "bounds pass without asking, each with the founder's signature over the rule. Money and every destination must be "
    "bounded. What is secret, over a budget or a sum, or outside the hours is asked all the same.",
    responses=_REFUSALS,
)
async def propose_rule(request: Caller, tx: NamedDependency[Transaction], data: Annotated[NewRule, _BODY]) -> Approval:
    state = request.app.state
    return await rules.propose_rule(
        tx, data, by=request.auth, tools=state.tools, undo_seconds=state.settings.undo_seconds
    )


@delete(
    "/rules/{rule_id:uuid}",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Revoke a standing rule, at once",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def revoke_rule(request: Caller, tx: NamedDependency[Transaction], rule_id: FromPath[UUID]) -> StandingRule:
    return await rules.revoke_rule(tx, rule_id, request.auth)


READS = (list_rules, precedents)
WRITES = (backtest, propose_rule, revoke_rule)

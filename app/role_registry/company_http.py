"""The company, budgets and known parties over HTTP."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Request, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath, JSONBody, QueryParameter

from app.auth import require
from app.canon.contract import BudgetLimit
from app.canon.vocabulary import Principal, Rol
from app.governance_ledger import Page
from app.postgres import Transaction
from app.problems import documented
from app.role_registry import companies, hiring, parties
from app.role_registry.budgets import budgets_of
from app.role_registry.model import BudgetState, Company, CompanyPatch, NewParty, Party
from app.role_registry.roles import get_role
from app.settings import Settings
from app.work_queue import Approval

READERS = (Rol.FOUNDER, Rol.DEPUTY, Rol.OPERATOR, Rol.AUDITOR, Rol.SERVICE)

Caller = Request[Principal, Principal, State]


class RaiseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another limit for one line of a role's budget, and why."""

    line: BudgetLimit
    reason: Annotated[str, msgspec.Meta(max_length=2_000)] = ""


@get("/company", tags=["company"], summary="Read the company", responses=documented(HTTPStatus.NOT_FOUND))
async def get_company(request: Caller, tx: NamedDependency[Transaction]) -> Company:
    require(request.auth, *READERS)
    return await companies.company(tx)


@patch(
    "/company",
    tags=["company"],
    summary="Change name, time zone, currency or language",
    description="Founder only. The time zone decides when a budget's day and month begin.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def change_company(
    request: Caller,
    tx: NamedDependency[Transaction],
    data: Annotated[CompanyPatch, Body(examples=[Example(value={"time_zone": "Asia/Makassar"})])],
) -> Company:
    return await companies.change_company(tx, data, request.auth)


@post(
    "/company/pause",
    status_code=HTTPStatus.OK,
    tags=["company"],
    summary="Pause every role",
    description="Takes effect before the next step of each; pending approvals freeze, they do not expire.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def pause_company(request: Caller, tx: NamedDependency[Transaction]) -> Company:
    return await companies.pause_all(tx, request.auth)


@post(
    "/company/resume",
    status_code=HTTPStatus.OK,
    tags=["company"],
    summary="Resume every role that is not paused itself",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def resume_company(request: Caller, tx: NamedDependency[Transaction]) -> Company:
    return await companies.resume_all(tx, request.auth)


@get(
    "/roles/{role_id:uuid}/budgets",
    tags=["roles"],
    summary="Read what a role may still spend",
    description="Each limit in its present period. `money` counts minor units of `currency`, `usd_micros` a "
    "millionth of a dollar. Limits per ticket are those of `ticket_id`.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def list_budgets(
    request: Caller,
    tx: NamedDependency[Transaction],
    role_id: FromPath[UUID],
    ticket_id: Annotated[UUID | None, QueryParameter(description="For limits per ticket")] = None,
) -> Page[BudgetState]:
    require(request.auth, *READERS)
    await get_role(tx, role_id)
    return Page(await budgets_of(tx, role_id, ticket_id))


@post(
    "/roles/{role_id:uuid}/budgets/raise",
    tags=["roles"],
    summary="Ask for another limit of one budget line",
    description="Raises an approval (kind `budget_raise`, R2); signed, it is a new version of the contract.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
async def ask_raise(
    request: Caller, tx: NamedDependency[Transaction], role_id: FromPath[UUID], data: JSONBody[RaiseBody]
) -> Approval:
    require(request.auth, Rol.FOUNDER, Rol.DEPUTY, Rol.OPERATOR)
    settings: Settings = request.app.state.settings
    return await hiring.ask_budget_raise(
        tx, role_id, data.line, data.reason, actor=request.auth.actor, undo_seconds=settings.undo_seconds
    )


@get(
    "/parties",
    tags=["parties"],
    summary="List known parties",
    description="Recipients, hosts and accounts that the founder has signed; the gate lets acts go to them.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def list_parties(request: Caller, tx: NamedDependency[Transaction]) -> Page[Party]:
    require(request.auth, *READERS)
    return Page(await parties.known_parties(tx))


@post(
    "/parties",
    tags=["parties"],
    summary="Propose a known party",
    description="Raises an approval (kind `party`, R2); signed, the party is known.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT),
)
async def add_party(
    request: Caller,
    tx: NamedDependency[Transaction],
    data: Annotated[NewParty, Body(examples=[Example(value={"name": "CV Maju", "address": "billing@maju.example"})])],
) -> Approval:
    settings: Settings = request.app.state.settings
    return await parties.add_party(tx, data, by=request.auth, undo_seconds=settings.undo_seconds)


@delete(
    "/parties/{party_id:uuid}",
    status_code=HTTPStatus.OK,
    tags=["parties"],
    summary="Forget a known party, at once",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def remove_party(request: Caller, tx: NamedDependency[Transaction], party_id: FromPath[UUID]) -> Party:
    return await parties.remove_party(tx, party_id, request.auth)


READS = (get_company, list_budgets, list_parties)
WRITES = (change_company, pause_company, resume_company, ask_raise, add_party, remove_party)

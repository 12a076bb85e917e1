"""Roles over HTTP. Company, budgets and parties are in `company_http.py`; all are in `ROUTES`."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from litestar import Request, Router, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath, FromQuery, QueryParameter

from app import clock
from app.auth import require
from app.canon.contract import Terms
from app.canon.errors import Invalid
from app.canon.tool import ToolSpec
from app.canon.vocabulary import Principal, Rol
from app.governance_ledger import Page
from app.postgres import Transaction
from app.problems import documented
from app.role_registry import hiring, roles
from app.role_registry.company_http import READERS, READS, WRITES
from app.role_registry.errors import RoleMoveRefused
from app.role_registry.evaluation import evaluation_of
from app.role_registry.model import Evaluation, Role, RoleStatus, RoleVersion, TermsPatch
from app.role_registry.rules_http import READS as RULE_READS
from app.role_registry.rules_http import WRITES as RULE_WRITES
from app.role_registry.secrets_http import ROUTES as SECRET_ROUTES
from app.role_registry.servers_http import READS as SERVER_READS
from app.role_registry.servers_http import WRITES as SERVER_WRITES
from app.settings import Settings
from app.work_queue.idempotency import KEYED

TAGS = ["roles"]
LONGEST_EVALUATION = timedelta(days=400)

Caller = Request[Principal, Principal, State]

TERMS: Mapping[str, object] = {
    "name": "Mira",
    "title": "Bookkeeper",
    "job_description": "Reconciles the bank statement with our invoices every week.",
    "boundary": {
        "tools": [
            {"tool": "table_query", "mode": "allow"},
            {
                "tool": "send_email",
                "mode": "allow",
                "arguments": [{"path": "to", "constraints": [{"kind": "known_party"}], "otherwise": "ask"}],
            },
        ]
    },
    "budget": [
        {"unit": "usd_micros", "period": "month", "limit": 5_000_000},
        {"unit": "tokens", "period": "day", "limit": 500_000},
        {"unit": "calls", "period": "day", "limit": 500},
    ],
    "engine": {"worker": "procedure"},
}
_ONE = documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
_MOVED = documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
_SIGNED = documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


@get(
    "/roles",
    tags=TAGS,
    summary="List roles",
    description="In the order of hiring; `terms` are those in force, `pending` those that wait for a signature.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def list_roles(
    request: Caller, tx: NamedDependency[Transaction], status: FromQuery[RoleStatus | None] = None
) -> Page[Role]:
    require(request.auth, *READERS)
    return Page(await roles.list_roles(tx, status=status))


@get("/roles/{role_id:uuid}", tags=TAGS, summary="Read a role", responses=_ONE)
async def get_role(request: Caller, tx: NamedDependency[Transaction], role_id: FromPath[UUID]) -> Role:
    require(request.auth, *READERS)
    return await roles.get_role(tx, role_id)


@post(
    "/roles",
    tags=TAGS,
    summary="Hire a role",
    description="Founder only. The role is `proposed` until its approval (kind `hire`, R2) is signed with the "
    "founder's key: `pending.approval_id`.",
    responses=_SIGNED,
)
async def hire_role(
    request: Caller, tx: NamedDependency[Transaction], data: Annotated[Terms, Body(examples=[Example(value=TERMS)])]
) -> Role:
    settings: Settings = request.app.state.settings
    tools: Mapping[str, ToolSpec] = request.app.state.tools
    return await hiring.hire(tx, data, by=request.auth, undo_seconds=settings.undo_seconds, tools=tools)


@patch(
    "/roles/{role_id:uuid}",
    tags=TAGS,
    summary="Amend a role's contract",
    description="Founder only. Send what changes and the `version` you saw (409 when it is stale). The contract in "
    "force stays until the approval (kind `amend`, R2) is signed; an amendment that waits already is superseded.",
    responses=_SIGNED,
)
async def amend_role(
    request: Caller,
    tx: NamedDependency[Transaction],
    role_id: FromPath[UUID],
    data: Annotated[TermsPatch, Body(examples=[Example(value={"version": 1, "title": "Senior bookkeeper"})])],
) -> Role:
    require(request.auth, Rol.FOUNDER)
    settings: Settings = request.app.state.settings
    standing = await roles.get_role(tx, role_id)
    if standing.terms is None:
        raise RoleMoveRefused(role_id, standing.status, "amended before it is signed")
    return await hiring.amend(
        tx,
        role_id,
        seen_version=data.version,
        terms=data.over(standing.terms),
        by=request.auth,
        undo_seconds=settings.undo_seconds,
        tools=request.app.state.tools,
    )


@post(
    "/roles/{role_id:uuid}/pause",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Pause a role",
    description="Takes effect before its next step; its pending approvals freeze, they do not expire.",
    responses=_MOVED,
)
async def pause_role(request: Caller, tx: NamedDependency[Transaction], role_id: FromPath[UUID]) -> Role:
    return await roles.pause(tx, role_id, request.auth)


@post(
    "/roles/{role_id:uuid}/resume",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Resume a role",
    description="Its runs go on where they stood.",
    responses=_MOVED,
)
async def resume_role(request: Caller, tx: NamedDependency[Transaction], role_id: FromPath[UUID]) -> Role:
    return await roles.resume(tx, role_id, request.auth)


@post(
    "/roles/{role_id:uuid}/retire",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Retire a role",
    description="Founder only, for good. What waits for a decision is withdrawn; the record stays.",
    responses=_MOVED,
)
async def retire_role(request: Caller, tx: NamedDependency[Transaction], role_id: FromPath[UUID]) -> Role:
    return await roles.retire(tx, role_id, request.auth)


@get(
    "/roles/{role_id:uuid}/versions",
    tags=TAGS,
    summary="List a role's signed contracts",
    description="Oldest first; each with its digest and the founder's signature (`approval+jwt`) over it.",
    responses=_ONE,
)
async def list_versions(
    request: Caller, tx: NamedDependency[Transaction], role_id: FromPath[UUID]
) -> Page[RoleVersion]:
    require(request.auth, *READERS)
    return Page(await roles.versions_of(tx, role_id))


@get(
    "/roles/{role_id:uuid}/evaluation",
    tags=TAGS,
    summary="Evaluate a role on facts from the ledger",
    description="Each metric with its unit and the event types it was counted from. The last 30 days unless said "
    "otherwise; at most 400 days.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def evaluate_role(
    request: Caller,
    tx: NamedDependency[Transaction],
    role_id: FromPath[UUID],
    since: Annotated[datetime | None, QueryParameter(description="Inclusive; by default 30 days before")] = None,
    until: Annotated[datetime | None, QueryParameter(description="Exclusive; now when absent")] = None,
) -> Evaluation:
    require(request.auth, *READERS)
    end = _aware(until or clock.now())
    start = _aware(since or end - timedelta(days=30))
    if not timedelta() < end - start <= LONGEST_EVALUATION:
        raise Invalid("since lies before until, by at most 400 days")
    return await evaluation_of(tx, role_id, since=start, until=end)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


ROUTES = (
    list_roles,
    get_role,
    list_versions,
    evaluate_role,
    *READS,
    *SECRET_ROUTES,
    *RULE_READS,
    *SERVER_READS,
    Router(
        "/",
        route_handlers=[
            hire_role,
            amend_role,
            pause_role,
            resume_role,
            retire_role,
            *WRITES,
            *RULE_WRITES,
            *SERVER_WRITES,
        ],
        parameters=KEYED,
    ),
)

"""Agents outside over HTTP: take, propose, ask, finish."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath

from app.auth import require
from app.canon.vocabulary import Principal, Rol
from app.execution_graph import outside_agents
from app.execution_graph.model import Run
from app.execution_graph.outside_agents import Called, Work
from app.governance_ledger import Page
from app.postgres import Transaction
from app.problems import documented

TAGS = ["exec"]
AGENTS = (Rol.WORKER, Rol.SERVICE, Rol.FOUNDER)
_MOVED = documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
SESSION = "018f0000-0000-7000-8000-000000000001"

Caller = Request[Principal, Principal, State]


class Proposal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One call that the agent asks for, in the session that `take` gave."""

    session: UUID
    tool: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    arguments: dict[str, object] = {}


class Ending(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was done and found, for the founder; `ok` false when the ticket could not be done."""

    session: UUID
    summary: Annotated[str, msgspec.Meta(min_length=1, max_length=20_000)]
    ok: bool = True


@get(
    "/exec/offered",
    tags=TAGS,
    summary="List runs for agents outside",
    description="Open runs of roles that are bound to the engine `external`, oldest first; a worker's token sees its "
    "own role's.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def offered(request: Caller, tx: NamedDependency[Transaction]) -> Page[Run]:
    require(request.auth, *AGENTS)
    return Page(await outside_agents.offered_runs(tx, request.auth))


@post(
    "/exec/take/{ticket_id:uuid}",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Take a ticket as an agent outside",
    description="Gives the task, the tools, and a session that each later request renews for five minutes. Taking "
    "again ends the caller's earlier session; while somebody else's lasts: 409. `tools` is empty until "
    "the run has begun.",
    responses=_MOVED,
)
async def take(request: Caller, tx: NamedDependency[Transaction], ticket_id: FromPath[UUID]) -> Work:
    require(request.auth, *AGENTS)
    return await outside_agents.take_outside(tx, ticket_id, request.auth)


@post(
    "/exec/{run_id:uuid}/calls",
    status_code=HTTPStatus.ACCEPTED,
    tags=TAGS,
    summary="Propose a tool call",
    description="The gate decides and the runtime executes; ask `/calls/{number}` what became of it. One at a time: "
    "409 while the one before is not answered.",
    responses=_MOVED,
)
async def propose(
    request: Caller,
    tx: NamedDependency[Transaction],
    run_id: FromPath[UUID],
    data: Annotated[
        Proposal,
        Body(examples=[Example(value={"session": SESSION, "tool": "write_note", "arguments": {"text": "Counted."}})]),
    ],
) -> Called:
    require(request.auth, *AGENTS)
    return await outside_agents.propose(tx, run_id, data.session, data.tool, data.arguments, request.auth)


@get(
    "/exec/{run_id:uuid}/calls/{number:int}",
    tags=TAGS,
    summary="Ask what became of a proposed call",
    description="`working`: ask again; `waiting`: a human decides; `stopped`: the run is closed. Asking keeps "
    "the session alive.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
async def answer(
    request: Caller, tx: NamedDependency[Transaction], run_id: FromPath[UUID], number: FromPath[int]
) -> Called:
    require(request.auth, *AGENTS)
    return await outside_agents.call_answer(tx, run_id, number, request.auth)


@post(
    "/exec/{run_id:uuid}/finish",
    status_code=HTTPStatus.ACCEPTED,
    tags=TAGS,
    summary="Finish a ticket as an agent outside",
    responses=_MOVED,
)
async def finish(
    request: Caller,
    tx: NamedDependency[Transaction],
    run_id: FromPath[UUID],
    data: Annotated[
        Ending, Body(examples=[Example(value={"session": SESSION, "summary": "All boxes counted: 42.", "ok": True})])
    ],
) -> Called:
    require(request.auth, *AGENTS)
    return await outside_agents.finish(tx, run_id, data.session, data.summary, request.auth, ok=data.ok)


READS = (offered, answer)
WRITES = (take, propose, finish)

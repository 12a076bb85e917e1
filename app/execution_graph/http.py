"""Runs over HTTP: start, status, resume, cancel. `resume` never decides anything."""

from http import HTTPStatus
from uuid import UUID

import msgspec
from litestar import Request, Router, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from app.auth import require
from app.canon.vocabulary import Principal, Rol
from app.execution_graph import runs
from app.execution_graph.checks_http import ROUTES as CHECK_ROUTES
from app.execution_graph.editing_http import WRITES as EDIT_ROUTES
from app.execution_graph.erasing import TicketsErased, erase_ticket
from app.execution_graph.model import Run, RunStatus, StepView, Totals
from app.execution_graph.outside_http import READS as OUTSIDE_READS
from app.execution_graph.outside_http import WRITES as OUTSIDE_WRITES
from app.execution_graph.runtime import Defaults
from app.governance_ledger import Page
from app.postgres import Transaction
from app.problems import documented
from app.settings import Settings
from app.work_queue.idempotency import KEYED
from app.work_queue.wire import READERS

TAGS = ["exec"]
STARTERS = (Rol.FOUNDER, Rol.DEPUTY, Rol.OPERATOR, Rol.SERVICE)
CANCELLERS = (Rol.FOUNDER, Rol.DEPUTY, Rol.OPERATOR)

Caller = Request[Principal, Principal, State]


class RunStatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A run and its trace. `driven` is true while a worker has it in hand; a held run waits for `approval_id`;
    one that is `continued` goes on as `continued_as`."""

    run_id: UUID
    status: RunStatus
    driven: bool
    continued_as: UUID | None
    run: Run
    totals: Totals
    steps: tuple[StepView, ...]


@post(
    "/exec/start/{ticket_id:uuid}",
    status_code=HTTPStatus.CREATED,
    tags=TAGS,
    summary="Start a ticket",
    description="Begins a run, or gives the one that is open. A ticket with `approval_required` is held until its "
    "`start` approval is decided; a ticket without a role is routed first.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
async def start(request: Caller, tx: NamedDependency[Transaction], ticket_id: FromPath[UUID], state: State) -> Run:
    require(request.auth, *STARTERS)
    settings: Settings = state.settings
    return await runs.start_run(
        tx,
        ticket_id,
        actor=request.auth.actor,
        defaults=Defaults(settings.backbone, settings.worker, settings.router),
        tools=state.tools,
        undo_seconds=settings.undo_seconds,
    )


@get(
    "/exec/{run_id:uuid}/status",
    tags=TAGS,
    summary="Read a run and its steps",
    description="Each step with its state, what the gate said, what it cost and when; replayed steps appear once.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def status(request: Caller, tx: NamedDependency[Transaction], run_id: FromPath[UUID]) -> RunStatusAnswer:
    require(request.auth, *READERS)
    view = await runs.run_status(tx, run_id)
    return RunStatusAnswer(
        run_id=view.run.id,
        status=view.run.status,
        driven=view.driven,
        continued_as=view.continued_as,
        run=view.run,
        totals=view.totals,
        steps=view.steps,
    )


@post(
    "/exec/{run_id:uuid}/resume",
    status_code=HTTPStatus.ACCEPTED,
    tags=TAGS,
    summary="Continue a run after its approval was decided",
    description="Runs go on by themselves when their approval is decided; this only asks for it again. It decides "
    "nothing: 409 while the approval is pending.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
async def resume(request: Caller, tx: NamedDependency[Transaction], run_id: FromPath[UUID]) -> Run:
    require(request.auth, *STARTERS)
    return await runs.request_resume(tx, run_id)


@post(
    "/exec/{run_id:uuid}/cancel",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Cancel a run and its ticket",
    description="Takes effect before the next step and aborts a model call in flight. A call to the outside that is "
    "under way cannot be recalled; how it ended is still recorded, or asked about.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def cancel(request: Caller, tx: NamedDependency[Transaction], run_id: FromPath[UUID]) -> Run:
    require(request.auth, *CANCELLERS)
    return await runs.cancel_run(tx, run_id, actor=request.auth.actor)


@post(
    "/tickets/{ticket_id:uuid}/erase",
    status_code=HTTPStatus.OK,
    tags=["tickets"],
    summary="Erase a ticket's personal data",
    description="Of a closed ticket that was opened as `personal`, and of all that were opened under it: destroys the "
    "key of its evidence and of the texts in its events, and takes the words from the working tables. For good. What "
    "happened when and what it cost stays, and the chain verifies. The same again answers the same. See "
    "docs/retention.md.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
async def erase(request: Caller, tx: NamedDependency[Transaction], ticket_id: FromPath[UUID]) -> TicketsErased:
    return await erase_ticket(tx, ticket_id, by=request.auth)


@get(
    "/tickets/{ticket_id:uuid}/runs",
    tags=TAGS,
    summary="List the runs of a ticket",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def list_runs(request: Caller, tx: NamedDependency[Transaction], ticket_id: FromPath[UUID]) -> Page[Run]:
    require(request.auth, *READERS)
    return Page(await runs.runs_of_ticket(tx, ticket_id))


ROUTES = (
    status,
    list_runs,
    *CHECK_ROUTES,
    *OUTSIDE_READS,
    Router("/", route_handlers=[start, resume, cancel, erase, *EDIT_ROUTES, *OUTSIDE_WRITES], parameters=KEYED),
)

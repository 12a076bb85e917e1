"""The AI employees on the phone: each one's work and contract, a run step by step, versions, the end."""

from collections import Counter
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from app.canon.errors import NotFound
from app.execution_graph import cancel_run
from app.founder_console.cards.story import row_of
from app.founder_console.visits import Caller, Visit, enter, go
from app.founder_console.workers import overview as workers
from app.founder_console.workers import traces
from app.founder_console.workers.contracts import compare
from app.founder_console.workers.traces import Trace
from app.postgres import Transaction
from app.role_registry import get_role, pause, pause_all, resume, resume_all, retire, versions_of
from app.work_queue import Ticket, get_ticket, list_tickets

Page = Response[bytes]
TICKETS = 8
TRAIL_OF = 5
LAST_STEPS = 5
TOLD = ("waiting", "working", "paused")


@get("/workers", include_in_schema=False)
async def team(request: Caller, tx: NamedDependency[Transaction]) -> Page:
    """Every worker in one line, and who is not employed any more."""
    visit = await enter(request, tx)
    rows = await _rows(visit)
    counts = Counter[str](row.state for row in rows)
    parts = [visit.words("workers.sum", n=len(rows))]
    parts += [visit.words(f"workers.{state}", n=counts[state]) for state in TOLD if counts[state]]
    return visit.page(
        "workers.html",
        tab="workers",
        title=visit.words("tab.workers"),
        workers=rows,
        retired=[role for role in visit.roles if role.status == "retired"],
        summary=" · ".join(parts) if rows else "",
    )


async def _rows(visit: Visit) -> tuple[workers.WorkerRow, ...]:
    return await workers.rows(visit.tx, visit.roles, visit.waiting, visit.naming, all_paused=visit.company.all_paused)


@get("/workers/{role_id:uuid}", include_in_schema=False)
async def worker(request: Caller, tx: NamedDependency[Transaction], role_id: FromPath[UUID]) -> Page:
    """One worker: what it does now, work, budget, boundary, evaluation, contract, trail."""
    visit = await enter(request, tx)
    role = await get_role(tx, role_id)
    tickets = (await list_tickets(tx, role_id=role_id, limit=TICKETS)).items
    return visit.page(
        "worker.html",
        tab="workers",
        title=role.name,
        w=await workers.row_of(tx, role, visit.waiting, visit.naming, all_paused=visit.company.all_paused),
        others=await _rows(visit),
        now=await _now(visit, role_id),
        last_steps=LAST_STEPS,
        tickets=[row_of(ticket, visit.naming) for ticket in tickets],
        budgets=await workers.caps(tx, role, visit.naming),
        contract=await workers.contract_of(tx, role, visit.naming),
        facts=await workers.facts(tx, role, visit.naming),
        trail=await workers.trail(tx, tickets[:TRAIL_OF], visit.naming),
    )


async def _now(visit: Visit, role_id: UUID) -> Trace | None:
    """The run that the worker has in hand, or that waits."""
    working: list[Ticket] = []
    for status in ("working", "held"):
        working += (await list_tickets(visit.tx, status=status, role_id=role_id, limit=1)).items
    for ticket in working:
        for run in await traces.rows_of(visit.tx, ticket.id):
            if run.open:
                return await traces.trace(visit.tx, run.id, visit.naming)
    return None


@get("/runs/{run_id:uuid}", include_in_schema=False)
async def run(request: Caller, tx: NamedDependency[Transaction], run_id: FromPath[UUID]) -> Page:
    """A run's steps as they happen."""
    visit = await enter(request, tx)
    told = await traces.trace(tx, run_id, visit.naming)
    ticket = await get_ticket(tx, told.run.ticket_id)
    return visit.page(
        "run.html",
        tab="workers",
        title=ticket.title,
        run=told,
        ticket=row_of(ticket, visit.naming),
        role=told.run.role_id,
    )


@post("/runs/{run_id:uuid}/cancel", status_code=303, include_in_schema=False)
async def stop_run(request: Caller, tx: NamedDependency[Transaction], run_id: FromPath[UUID]) -> Redirect:
    """End a run and its ticket before the next step."""
    visit = await enter(request, tx)
    await cancel_run(tx, run_id, actor=visit.by.actor, reason=visit.words("run.cause.cancelled"))
    return go(f"/runs/{run_id}")


@get("/workers/{role_id:uuid}/versions", include_in_schema=False)
async def versions(
    request: Caller,
    tx: NamedDependency[Transaction],
    role_id: FromPath[UUID],
    older: FromQuery[int] = 0,
    newer: FromQuery[int] = 0,
) -> Page:
    """Every signed contract, and what one says that another does not."""
    visit = await enter(request, tx)
    role = await get_role(tx, role_id)
    signed = tuple(sorted(await versions_of(tx, role_id), key=lambda one: one.version, reverse=True))
    if not signed:
        raise NotFound(f"role {role_id} has no signed contract yet", code="role.unsigned")
    by_number = {one.version: one for one in signed}
    new = by_number.get(newer, signed[0])
    old = by_number.get(older) or by_number.get(new.version - 1, new)
    return visit.page(
        "versions.html",
        tab="workers",
        title=visit.words("versions", name=role.name),
        role=role,
        versions=[
            {
                "n": one.version,
                "at": one.signed_at,
                "by": visit.naming.person(one.signed_by),
                "approval": one.approval_id,
            }
            for one in signed
        ],
        old=old.version,
        new=new.version,
        parts=compare(old.terms, new.terms, visit.naming),
    )


@post("/workers/{role_id:uuid}/pause", status_code=303, include_in_schema=False)
async def pause_worker(request: Caller, tx: NamedDependency[Transaction], role_id: FromPath[UUID]) -> Redirect:
    await pause(tx, role_id, (await enter(request, tx)).by)
    return go(f"/workers/{role_id}")


@post("/workers/{role_id:uuid}/resume", status_code=303, include_in_schema=False)
async def resume_worker(request: Caller, tx: NamedDependency[Transaction], role_id: FromPath[UUID]) -> Redirect:
    await resume(tx, role_id, (await enter(request, tx)).by)
    return go(f"/workers/{role_id}")


@post("/workers/{role_id:uuid}/retire", status_code=303, include_in_schema=False)
async def retire_worker(request: Caller, tx: NamedDependency[Transaction], role_id: FromPath[UUID]) -> Redirect:
    await retire(tx, role_id, (await enter(request, tx)).by)
    return go(f"/workers/{role_id}")


@post("/workers/pause-all", status_code=303, include_in_schema=False)
async def pause_everybody(request: Caller, tx: NamedDependency[Transaction]) -> Redirect:
    await pause_all(tx, (await enter(request, tx)).by)
    return go("/workers")


@post("/workers/resume-all", status_code=303, include_in_schema=False)
async def resume_everybody(request: Caller, tx: NamedDependency[Transaction]) -> Redirect:
    await resume_all(tx, (await enter(request, tx)).by)
    return go("/workers")


ROUTES = (
    team,
    worker,
    run,
    stop_run,
    versions,
    pause_worker,
    resume_worker,
    retire_worker,
    pause_everybody,
    resume_everybody,
)

"""Runs: begun for a ticket, parked, woken, cancelled, closed. Each change of a run has its event in the transaction."""

from collections.abc import Mapping
from uuid import UUID

from app import clock
from app.canon.contract import Contract
from app.canon.tool import ToolSpec
from app.canon.vocabulary import new_id
from app.execution_graph import store
from app.execution_graph.cards import start_card
from app.execution_graph.closing import closing_facts
from app.execution_graph.drive import worker_actor
from app.execution_graph.errors import NotStartable, StillUndecided
from app.execution_graph.journal import decode_answer, storable
from app.execution_graph.model import Cause, Ending, Run, RunView, Step, StepView, check_move, totals
from app.execution_graph.narrowing import fixed_tools
from app.execution_graph.part_rows import last_part, next_part
from app.execution_graph.runtime import Defaults
from app.governance_ledger import Event, append
from app.messages import RunClosed, RunWanted
from app.postgres import Transaction
from app.role_registry import company, contract_in_force, settle, with_server_tools
from app.work_queue import (
    CLOSED,
    Approval,
    Ticket,
    TicketStatus,
    append_of,
    get_approval,
    get_ticket,
    move_ticket,
    publish,
    raise_approval,
)

_TICKET_ENDS: Mapping[Ending, TicketStatus] = {
    "done": "done",
    "returned": "returned",
    "refused": "refused",
    "failed": "failed",
    "cancelled": "cancelled",
    "diverged": "failed",
}


def subject(run_id: UUID) -> str:
    return f"execution_graph.runs/{run_id}"


async def start_run(
    tx: Transaction,
    ticket_id: UUID,
    *,
    actor: str,
    defaults: Defaults,
    tools: Mapping[str, ToolSpec],
    undo_seconds: int,
) -> Run:
    """Begin a run for an open ticket; the open run when there is one. A worker takes it up after the commit.

    A ticket that asks for it is held first: an approval of kind `start` shows role, task and cost ceiling. Events
    `run.opened`, and `run.held` then. Raises `TicketUnknown`, `NotStartable`, `NotInForce`.
    """
    ticket = await get_ticket(tx, ticket_id)
    before = await store.open_run_of(tx, ticket_id)
    if before is not None:
        return before
    if ticket.status != "open":
        raise NotStartable(f"the ticket is {ticket.status}: open a new one", status=ticket.status)
    contract = None if ticket.role_id is None else await contract_in_force(tx, ticket.role_id)
    known = await with_server_tools(tx, tools)
    run = await store.insert_run(tx, _new_run(ticket, contract, defaults, known))
    if run is None:
        return await _begun_meanwhile(tx, ticket_id)
    await append(tx, run_event(run, "opened", actor, data=engine_data(run)))
    if contract is not None and ticket.approval_required:
        return await ask_to_start(tx, run, ticket, contract, undo_seconds=undo_seconds)
    await publish(tx, RunWanted(tx.tenant, run.id))
    return run


async def _begun_meanwhile(tx: Transaction, ticket_id: UUID) -> Run:
    run = await store.open_run_of(tx, ticket_id)
    if run is None:
        raise NotStartable("the ticket was worked on and closed just now")
    return run


def _new_run(ticket: Ticket, contract: Contract | None, defaults: Defaults, tools: Mapping[str, ToolSpec]) -> Run:
    engine = None if contract is None else contract.terms.engine
    return Run(
        id=new_id(),
        ticket_id=ticket.id,
        role_id=ticket.role_id,
        role_version=None if contract is None else contract.version,
        status="queued",
        backbone=defaults.backbone if engine is None else defaults.backbone_of(engine),
        worker="" if engine is None else defaults.worker_of(engine),
        router=defaults.router,
        model="" if engine is None else engine.model or "",
        tools=() if contract is None else fixed_tools(contract, tools, ticket),
        approval_id=None,
        summary="",
        created_at=clock.now(),
        started_at=None,
        closed_at=None,
    )


def engine_data(run: Run) -> dict[str, object]:
    """What an opened run says of itself: its engines, its tools, and which part of the work it is."""
    return {
        "backbone": run.backbone,
        "worker": run.worker,
        "router": run.router,
        "tools": list(run.tools),
        "part": run.part,
        "continues": run.continues and str(run.continues),
    }


def run_event(
    run: Run,
    what: str,
    actor: str,
    *,
    subjects: tuple[str, ...] = (),
    approval: str | None = None,
    data: Mapping[str, object] | None = None,
) -> Event:
    """`run.<what>`; names the run's row, and `subjects`."""
    said = {
        "status": run.status,
        "role_id": run.role_id and str(run.role_id),
        "role_version": run.role_version,
        **(data or {}),
    }
    return Event(
        type=f"run.{what}",
        actor=actor,
        subjects=(subject(run.id), *subjects),
        ticket_id=run.ticket_id,
        run_id=run.id,
        data=said,
        approval=approval,
    )


async def ask_to_start(tx: Transaction, run: Run, ticket: Ticket, contract: Contract, *, undo_seconds: int) -> Run:
    """Hold a run before its first step. Event `run.held`, and those of approval and ticket."""
    actor = worker_actor(run.role_id)
    card = start_card(run.id, ticket, contract, tx.tenant, actor=actor, undo_seconds=undo_seconds)
    return await hold(tx, run, await raise_approval(tx, card), actor=actor)


async def hold(tx: Transaction, run: Run, approval: Approval, *, actor: str) -> Run:
    """Park a run until `approval` is decided: no worker is held. Event `run.held`."""
    if run.status == "held" and run.approval_id == approval.id:
        return run
    if run.status != "held":
        check_move(run.status, "held")
    held = await store.change_run(tx, run.id, status="held", approval_id=approval.id)
    await store.want(tx, run.id, wanted=False)
    await move_ticket(tx, run.ticket_id, "held", actor=actor, run_id=run.id)
    await append(tx, run_event(held, "held", actor, data={"approval_id": str(approval.id), "kind": approval.kind}))
    return held


async def still_waits(tx: Transaction, approval: Approval) -> bool:
    """Nobody may act on the approval yet: it is pending, can still be undone, or is carried out by another room."""
    if approval.status == "pending":
        return True
    if approval.status not in ("approved", "rejected"):
        return False
    if not approval.in_effect(await store.now(tx)):
        return True
    return approval.kind == "budget_raise" and approval.status == "approved" and approval.consumed_at is None


async def is_paused(tx: Transaction, role_id: UUID | None) -> bool:
    """Whether the role, or for None the company, stands still now."""
    if role_id is None:
        return (await company(tx)).all_paused
    return (await contract_in_force(tx, role_id)).paused


async def pause_run(tx: Transaction, run: Run) -> Run:
    """Let a run stand still while its role or the company is paused. Event `run.paused`."""
    if run.status == "paused":
        return run
    check_move(run.status, "paused")
    paused = await store.change_run(tx, run.id, status="paused")
    await append(tx, run_event(paused, "paused", worker_actor(run.role_id), data={"was": run.status}))
    return paused


async def wake_paused(tx: Transaction, role_id: UUID) -> tuple[UUID, ...]:
    """Runs of a resumed role that may go on now."""
    paused = await store.paused_runs(tx, role_id)
    for run in paused:
        await store.want(tx, run.id)
    return tuple(run.id for run in paused)


async def wake_waiting(tx: Transaction, approval_id: UUID, run_id: UUID | None) -> tuple[UUID, ...]:
    """Runs that wait for this approval, which is pending no more: more than one when they share a question."""
    waiting = await store.runs_waiting_for(tx, approval_id)
    if run_id is not None and run_id not in waiting:
        waiting = (*waiting, run_id)
    for one in waiting:
        await store.want(tx, one)
    return waiting


async def close_run(
    tx: Transaction,
    run: Run,
    ending: Ending,
    summary: str,
    *,
    actor: str,
    cause: Cause = "",
    steps: tuple[Step, ...] | None = None,
    subjects: tuple[str, ...] = (),
    approval: str | None = None,
    data: Mapping[str, object] | None = None,
) -> Run:
    """End a run and its ticket; `cause` where the worker did not. Event `run.closed`, message `RunClosed`."""
    check_move(run.status, ending)
    summary = storable(summary)
    journal = await store.steps_of(tx, run.id) if steps is None else steps
    changes = {"status": ending, "summary": summary, "cause": cause, "approval_id": None, "closed_at": True}
    closed = await store.change_run(tx, run.id, **changes)
    await store.want(tx, run.id, wanted=False)
    await _book_started(tx, run, journal)
    ticket = await get_ticket(tx, run.ticket_id)
    if ticket.status not in CLOSED:
        ticket = await move_ticket(tx, run.ticket_id, _TICKET_ENDS[ending], actor=actor, run_id=run.id, result=summary)
    facts = await closing_facts(tx, closed, ticket, journal)
    said = {**facts, **(data or {}), "cause": cause, "summary": summary[:2000]}
    event = run_event(closed, "closed", actor, subjects=subjects, approval=approval, data=said)
    await append_of(tx, ticket, event)
    await publish(tx, RunClosed(tx.tenant, run.id, run.ticket_id, run.role_id))
    return closed


async def _book_started(tx: Transaction, run: Run, steps: tuple[Step, ...]) -> None:
    """A model call without an answer may have been billed: what was reserved for it stays booked."""
    for step in steps:
        if step.kind == "model" and step.state == "started":
            await settle(tx, run_id=run.id, step=step.step, spent={})


async def get_run(tx: Transaction, run_id: UUID) -> Run:
    """Raises `RunUnknown`."""
    return await store.get_run(tx, run_id)


async def runs_of_ticket(tx: Transaction, ticket_id: UUID) -> tuple[Run, ...]:
    """Oldest first. Raises `TicketUnknown`."""
    await get_ticket(tx, ticket_id)
    return await store.runs_of_ticket(tx, ticket_id)


async def run_status(tx: Transaction, run_id: UUID) -> RunView:
    """The run with its trace. Raises `RunUnknown`."""
    run = await store.get_run(tx, run_id)
    steps = await store.steps_of(tx, run_id)
    return RunView(
        run=run,
        steps=tuple(_view(step) for step in steps),
        totals=totals(steps),
        driven=await store.is_driven(tx, run_id),
        continued_as=await next_part(tx, run_id) if run.status == "continued" else None,
    )


def _view(step: Step) -> StepView:
    told = "" if step.answer is None or step.kind == "model" else decode_answer(step.answer).status
    return StepView(
        step=step.step,
        beat=step.beat,
        kind=step.kind,
        name=step.name,
        state=step.state,
        verdict=step.verdict,
        approval_id=step.approval_id,
        answer_status=told,
        edited=step.edited is not None,
        attempts=step.attempts,
        cost_usd_micros=step.cost_usd_micros,
        tokens=step.tokens,
        money=store.money_of(step),
        planned_at=step.planned_at,
        ended_at=step.ended_at,
    )


async def request_resume(tx: Transaction, run_id: UUID) -> Run:
    """Have a worker go on with a run whose approval is decided, or with the part that continues it. Never decides; does
    nothing to a closed run. Raises `RunUnknown`, `StillUndecided`.
    """
    run = await last_part(tx, await store.get_run(tx, run_id))
    if not run.is_open:
        return run
    if run.status == "held" and run.approval_id is not None:
        approval = await get_approval(tx, run.approval_id)
        if await still_waits(tx, approval):
            raise StillUndecided(f"the run waits for approval {approval.id}: decide it, then the run goes on by itself")
    await store.want(tx, run.id)
    await publish(tx, RunWanted(tx.tenant, run.id))
    return run


async def cancel_run(tx: Transaction, run_id: UUID, *, actor: str, reason: str = "cancelled by the founder") -> Run:
    """End a run, or the part that continues it, and its ticket now; a model call in flight is aborted. A closed run
    stays as it is.

    A call to the outside that is under way cannot be recalled: its outcome is still recorded, or asked about. Raises
    `RunUnknown`.
    """
    run = await store.lock_run(tx, run_id)
    while run.status == "continued":
        run = await store.lock_run(tx, (await last_part(tx, run)).id)
    if not run.is_open:
        return run
    closed = await close_run(tx, run, "cancelled", reason, actor=actor, cause="cancelled")
    if any(step.state == "started" for step in await store.steps_of(tx, run.id)):
        await store.want(tx, run.id)
    return closed

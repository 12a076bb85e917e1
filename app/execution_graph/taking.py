"""Taking a run up: its lease, the journal, and whether it may go on at all, decided in one transaction."""

from uuid import UUID

from app.canon.contract import Contract
from app.execution_graph import store
from app.execution_graph.acting import failed
from app.execution_graph.briefing import briefed, compose_brief, decode_brief
from app.execution_graph.case import Case, Permit
from app.execution_graph.drive import Drive
from app.execution_graph.journal import Asked, Journal, arguments_of
from app.execution_graph.lost_outcomes import ask_once_more, lost, resolve
from app.execution_graph.model import Lease, Run, Step
from app.execution_graph.outside_agents import EXTERNAL
from app.execution_graph.part_rows import earlier
from app.execution_graph.runs import ask_to_start, close_run, pause_run, run_event, still_waits
from app.execution_graph.runtime import Runtime
from app.execution_graph.working_time import pay, stop_short
from app.governance_ledger import append_many
from app.postgres import Transaction
from app.role_registry import NotInForce, RoleUnknown, company, contract_in_force, signed_servers
from app.work_queue import CLOSED, Approval, consume, get_approval, get_ticket, move_ticket, withdraw

LEASE_SECONDS = 15
PAUSED_SECONDS = 30
MOST_FAILURES = 8

_SYSTEM = "system:execution_graph"
_CLOSED = "The ticket was closed."
_RETIRED = "The role is not employed any more."
_START_REFUSED = "The founder did not want this started."
_START_EXPIRED = "Nobody answered in time whether to start."


async def take(runtime: Runtime, tenant: UUID, run_id: UUID, *, owner: int, dead: int | None) -> Drive | None:
    """A drive of the run, marked as running; None when it is driven, not wanted, or may not go on now.

    `dead` is an owner whose process is known to be gone: what it held may be taken before the lease runs out.
    """
    async with runtime.database.transaction(tenant) as tx:
        taken = await store.take_lease(tx, run_id, owner, dead, LEASE_SECONDS)
        if taken is None:
            return None
        lease = Lease(tenant, run_id, owner, taken.epoch)
        drive = await _open(tx, runtime, lease, taken.worked_ms)
        if await _may_go_on(tx, drive, taken.failures):
            return drive
        wait = PAUSED_SECONDS if drive.run.status == "paused" else 0
        await store.give_lease_back(tx, lease, worked_ms=drive.worked_ms, after_seconds=wait)
        return None


async def _open(tx: Transaction, runtime: Runtime, lease: Lease, worked_ms: int) -> Drive:
    run = await store.get_run(tx, lease.run_id)
    before = await earlier(tx, run)
    journal = Journal(lease, await store.steps_of(tx, run.id), first=run.first_step, earlier=before)
    ticket = await get_ticket(tx, run.ticket_id)
    zone = (await company(tx)).time_zone
    runtime = runtime.with_servers(await signed_servers(tx, runtime.reader))
    return Drive(runtime, lease, run=run, ticket=ticket, journal=journal, zone=zone, worked_ms=worked_ms)


async def _may_go_on(tx: Transaction, drive: Drive, failures: int) -> bool:
    """Whether the run is running now. Closes, parks or pauses one that may not go on."""
    run = drive.run
    if not run.is_open:
        await _clear_up(tx, drive)
        return False
    if failures > MOST_FAILURES:
        said = f"Stopped after {MOST_FAILURES} attempts in which no step was made."
        drive.run = await close_run(tx, run, "failed", said, actor=_SYSTEM, cause="stuck")
        return False
    if drive.ticket.status in CLOSED:
        drive.run = await close_run(tx, run, "cancelled", _CLOSED, actor=_SYSTEM, cause="ticket_closed")
        await _clear_up(tx, drive)
        return False
    approval = await _waited_for(tx, run)
    if approval is not None and await still_waits(tx, approval):
        await store.want(tx, run.id, wanted=False)
        return False
    return await _resume(tx, drive, approval)


async def _waited_for(tx: Transaction, run: Run) -> Approval | None:
    if run.approval_id is None or run.status == "running":
        return None
    return await get_approval(tx, run.approval_id)


async def _resume(tx: Transaction, drive: Drive, approval: Approval | None) -> bool:
    run = drive.run
    try:
        contract = None if run.role_id is None else await contract_in_force(tx, run.role_id)
    except (NotInForce, RoleUnknown):
        drive.run = await close_run(tx, run, "returned", _RETIRED, actor=drive.actor, cause="retired")
        return False
    paused = (await company(tx)).all_paused if contract is None else contract.paused
    if paused:
        drive.run = await pause_run(tx, run)
        return False
    if approval is not None and approval.kind == "start" and approval.consumed_at is None:
        return contract is not None and await _after_start(tx, drive, approval, contract)
    return await _begin(tx, drive, contract)


async def _after_start(tx: Transaction, drive: Drive, approval: Approval, contract: Contract) -> bool:
    """The founder was asked whether to begin."""
    run, runtime = drive.run, drive.runtime
    if approval.status == "rejected":
        said = f"{_START_REFUSED} {approval.reason}".strip()
        drive.run = await close_run(
            tx, run, "refused", said, actor=drive.actor, cause="not_started", approval=approval.signature
        )
        return False
    if approval.status in ("expired", "withdrawn"):
        drive.run = await close_run(tx, run, "returned", _START_EXPIRED, actor=drive.actor, cause="start_unanswered")
        return False
    if approval.status == "superseded" or approval.role_version != contract.version:
        await withdraw(tx, approval.id, "the role has changed", actor=drive.actor, superseded=True)
        drive.run = await ask_to_start(tx, run, drive.ticket, contract, undo_seconds=runtime.undo_seconds)
        return False
    used = await consume(tx, approval.id, payload_digest=approval.payload_digest, reader=runtime.reader)
    return await _begin(tx, drive, contract, used)


async def _begin(tx: Transaction, drive: Drive, contract: Contract | None, used: Approval | None = None) -> bool:
    short = await pay(tx, drive)
    if short is not None:
        await stop_short(tx, drive, short)
        return False
    await _mark_running(tx, drive, contract, used)
    return True


async def _mark_running(tx: Transaction, drive: Drive, contract: Contract | None, used: Approval | None) -> None:
    """Events `run.started`, `run.resumed` or `run.taken_over`, and the ticket's."""
    before = drive.run
    if before.worker == EXTERNAL and before.status == "running" and (known := await store.brief_of(tx, before.id)):
        drive.brief = decode_brief(known)
        return
    what = "started" if before.started_at is None else "taken_over" if before.status == "running" else "resumed"
    changes: dict[str, object] = {"status": "running", "approval_id": None, "started_at": True}
    fresh = before.started_at is None and before.part == 1
    known = "" if fresh else await store.brief_of(tx, before.id)
    if contract is not None and not known:
        changes["brief"] = await compose_brief(tx, drive, contract)
    drive.run = await store.change_run(tx, before.id, **changes)
    event = run_event(
        drive.run,
        what,
        drive.actor,
        subjects=() if used is None else (f"work_queue.approvals/{used.id}",),
        approval=None if used is None else used.signature,
        data={"was": before.status, "epoch": drive.lease.epoch, **_engines(drive.run)},
    )
    await append_many(tx, [event, *([briefed(drive, str(changes["brief"]))] if "brief" in changes else [])])
    if contract is None:
        return
    if known:
        drive.brief = decode_brief(known)
    drive.ticket = await move_ticket(tx, before.ticket_id, "working", actor=drive.actor, run_id=before.id)


def _engines(run: Run) -> dict[str, object]:
    return {"backbone": run.backbone, "worker": run.worker}


async def _clear_up(tx: Transaction, drive: Drive) -> None:
    """A closed run with a call whose outcome is open: ask whether it happened, or record what the founder said."""
    await store.want(tx, drive.run.id, wanted=False)
    if drive.run.role_id is None:
        return
    try:
        contract = await contract_in_force(tx, drive.run.role_id)
    except (NotInForce, RoleUnknown):
        return
    for step in drive.journal.steps:
        if step.kind == "tool" and step.answer is None and step.state in ("started", "unknown"):
            await _clear_step(_case(tx, drive, contract, step), step)


async def _clear_step(case: Case, step: Step) -> None:
    permit = Permit("contract", case.contract.signature, store.money_of(step))
    if step.state == "started" and step.effect == "read":
        await failed(case, permit, "The run was closed before the answer came.", "closed")
    elif step.state == "started":
        await lost(case, permit, "The run was closed, and the worker ended before the answer was recorded.")
    elif step.approval_id is not None:
        approval = await get_approval(case.tx, step.approval_id)
        if await still_waits(case.tx, approval):
            return
        if approval.kind == "tool_call":
            await ask_once_more(case, step, approval, "The run was closed.")
        else:
            await resolve(case, step, approval)


def _case(tx: Transaction, drive: Drive, contract: Contract, step: Step) -> Case:
    asked = Asked(step.step, step.beat, step.kind, step.name, step.request, step.request_digest)
    arguments = arguments_of(step)
    tool = drive.runtime.tools.get(step.name)
    return Case(tx, drive, asked, arguments, drive.run.status, step, tool, contract, drive.ticket)

"""Which role takes a ticket that names none: asked of the router once, kept with the run."""

from uuid import UUID

from app.canon.agent import Candidate
from app.canon.contract import Contract
from app.canon.model import ModelFailed
from app.execution_graph import store
from app.execution_graph.briefing import write_brief
from app.execution_graph.context import RoutingContext
from app.execution_graph.drive import Drive
from app.execution_graph.narrowing import fixed_tools
from app.execution_graph.runs import ask_to_start, close_run, run_event
from app.governance_ledger import append
from app.postgres import Transaction
from app.role_registry import NotInForce, RoleUnknown, active_roles, contract_in_force
from app.work_queue import move_ticket

_NOBODY = "No role fits this ticket: give it to one, or hire somebody for it."


async def settle_role(drive: Drive) -> None:
    """Have the router pick a role and give it the ticket; a ticket that nobody fits goes back to the founder.

    Raises `Suspend`, `Halt`, `Diverged`.
    """
    async with drive.transaction() as tx:
        candidates = await _candidates(tx)
    try:
        picked = await _pick(drive, candidates)
    except ModelFailed as error:
        await _give_back(drive, f"The router got no answer: {error}")
        return
    known = {candidate.role_id for candidate in candidates}
    if picked is None or picked not in known:
        await _give_back(drive, _NOBODY)
        return
    await _assign(drive, picked)


async def _candidates(tx: Transaction) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(role.id, role.name, role.terms.title, role.terms.job_description)
        for role in await active_roles(tx)
        if role.terms is not None
    )


async def _pick(drive: Drive, candidates: tuple[Candidate, ...]) -> UUID | None:
    if not candidates:
        return None
    router = drive.runtime.engines.router(drive.run.router)
    return await router.pick(RoutingContext(drive, candidates))


async def _assign(drive: Drive, role_id: UUID) -> None:
    async with drive.transaction() as tx:
        await drive.journal.fence_running(tx)
        try:
            contract = await contract_in_force(tx, role_id)
        except (NotInForce, RoleUnknown):
            drive.run = await close_run(tx, drive.run, "returned", _NOBODY, actor=drive.actor, cause="not_routed")
            return
        await _give(tx, drive, contract)


async def _give(tx: Transaction, drive: Drive, contract: Contract) -> None:
    runtime, engine, router = drive.runtime, contract.terms.engine, drive.actor
    specs = {name: tool.spec for name, tool in runtime.tools.items()}
    drive.run = await store.change_run(
        tx,
        drive.run.id,
        role_id=contract.role_id,
        role_version=contract.version,
        worker=runtime.defaults.worker_of(engine),
        model=engine.model or "",
        tools=fixed_tools(contract, specs, drive.ticket),
    )
    await append(tx, run_event(drive.run, "routed", router, data={"worker": drive.run.worker}))
    drive.ticket = await move_ticket(
        tx, drive.run.ticket_id, "working", actor=router, run_id=drive.run.id, role_id=contract.role_id
    )
    if drive.ticket.approval_required:
        drive.run = await ask_to_start(tx, drive.run, drive.ticket, contract, undo_seconds=runtime.undo_seconds)
        return
    await write_brief(tx, drive, contract)


async def _give_back(drive: Drive, why: str) -> None:
    async with drive.transaction() as tx:
        await drive.journal.fence_running(tx)
        steps = drive.journal.steps
        drive.run = await close_run(tx, drive.run, "returned", why, actor=drive.actor, cause="not_routed", steps=steps)

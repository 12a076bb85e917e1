"""What beginning and driving a run costs a role that is limited in runs or minutes: paid before it is used.

A minute is paid when it begins, one after the other over all who drive the run, so that no number of runs at once works
longer than the role may. Waiting for a founder is not working.
"""

from app.canon.contract import Unit
from app.execution_graph.drive import Drive
from app.execution_graph.runs import close_run, hold
from app.execution_graph.shortfall import ask_raise, sentence
from app.postgres import Transaction
from app.role_registry import Short, StepSettled, Want, limited_units, reserve, settle

BEGINNING = 0


async def pay(tx: Transaction, drive: Drive) -> Short | None:
    """Pay for the run's beginning, once, and for the minute that it is in, if the role is limited in them."""
    if drive.run.role_id is None:
        return None
    limited = await limited_units(tx, drive.run.role_id, "runs", "minutes")
    short = await _pay_once(tx, drive, "runs", BEGINNING) if "runs" in limited else None
    if short is not None or "minutes" not in limited:
        return short
    minute = drive.minute()
    short = await _pay_once(tx, drive, "minutes", -minute)
    if short is None:
        drive.paid_minute = minute
    return short


async def _pay_once(tx: Transaction, drive: Drive, unit: Unit, step: int) -> Short | None:
    """Steps below one are no steps of the journal: each is paid once for all parts of the work, whoever drives."""
    if drive.run.role_id is None:
        return None
    try:
        reserved = await reserve(
            tx,
            role_id=drive.run.role_id,
            ticket_id=drive.run.ticket_id,
            run_id=drive.run.chain,
            step=step,
            wants=[Want(unit, 1)],
        )
    except StepSettled:
        return None
    if isinstance(reserved, Short):
        return reserved
    await settle(tx, run_id=drive.run.chain, step=step, spent={unit: 1})
    return None


async def stop_short(tx: Transaction, drive: Drive, short: Short) -> None:
    """Ask for more and hold the run; where there is nothing to raise, or the founder said no before, end it."""
    approval = None
    if drive.run.role_id is not None:
        approval = await ask_raise(
            tx,
            role_id=drive.run.role_id,
            ticket_id=drive.run.ticket_id,
            run_id=drive.run.id,
            step=drive.journal.next_number,
            short=short,
            actor=drive.actor,
            undo_seconds=drive.runtime.undo_seconds,
        )
    if approval is None:
        drive.run = await close_run(
            tx, drive.run, "failed", f"Stopped: {sentence(short)}", actor=drive.actor, cause="budget"
        )
    else:
        drive.run = await hold(tx, drive.run, approval, actor=drive.actor)

"""A budget that does not suffice: no budget is no, a used-up one may be raised by the founder."""

from uuid import UUID

from app.canon.contract import BudgetLimit
from app.canon.errors import Invalid
from app.canon.facts import Fact
from app.canon.gate import Refuse
from app.canon.sentences import budget_sentence
from app.canon.vocabulary import Money
from app.execution_graph.case import Case, Outcome
from app.execution_graph.refusals import facts_data, refuse
from app.postgres import Transaction
from app.role_registry import Short, ask_budget_raise, budgets_of
from app.work_queue import Approval, list_approvals


def sentence(short: Short) -> str:
    """What is short, for the worker and the founder."""
    unit = f"{short.unit} {short.currency}" if short.currency else short.unit
    if short.limit == 0:
        return f"The role has no budget of {unit}, so none may be used."
    return f"{short.left} of {short.limit} {unit} per {short.period} are left, and {short.asked} would be needed."


def fact_of(short: Short) -> Fact:
    """The same as a fact, for whoever speaks another language."""
    unit = short.currency or short.unit
    return Fact("budget", value=f"{short.asked} {unit}", wanted=f"{max(0, short.left)} {unit}")


def wanted_limit(short: Short) -> BudgetLimit:
    """The limit to ask for: what is missing for this step; half as much again where steps are many and small."""
    missing = short.asked - short.left
    more = missing if short.unit == "money" else max(missing, short.limit // 2)
    return BudgetLimit(short.unit, short.period, short.limit + more, short.currency)


async def ask_raise(
    tx: Transaction,
    *,
    role_id: UUID,
    ticket_id: UUID,
    run_id: UUID,
    step: int,
    short: Short,
    actor: str,
    undo_seconds: int,
) -> Approval | None:
    """The question for a higher limit; None when there is no limit to raise, or this ticket was told no before."""
    if short.limit == 0:
        return None
    if (await list_approvals(tx, status="rejected", kind="budget_raise", ticket_id=ticket_id, limit=1)).items:
        return None
    line = wanted_limit(short)
    reason = f"{sentence(short)} {budget_sentence(line, 'en')}"
    try:
        return await ask_budget_raise(
            tx,
            role_id,
            line,
            reason,
            actor=actor,
            undo_seconds=undo_seconds,
            ticket_id=ticket_id,
            run_id=run_id,
            step=step,
        )
    except Invalid:
        return None


async def calls_short(case: Case, short: Short) -> Outcome:
    """A call that the budget does not cover is refused, or waits for a raise. Events `tool.refused` or `tool.held`."""
    approval = await ask_raise(
        case.tx,
        role_id=case.contract.role_id,
        ticket_id=case.ticket.id,
        run_id=case.drive.run.id,
        step=case.asked.step,
        short=short,
        actor=case.drive.actor,
        undo_seconds=case.drive.runtime.undo_seconds,
    )
    said, facts = sentence(short), (fact_of(short),)
    if approval is None:
        return await refuse(case, Refuse("budget", said, facts))
    waits = await case.wait_for(approval, "held", verdict="hold:budget")
    held = {"approval_id": str(approval.id), "tier": str(approval.tier), "reason": said, "facts": facts_data(facts)}
    await case.record("held", held)
    return waits


async def money_short(case: Case, refused: Refuse) -> Outcome:
    """The gate found too little of the role's tool money left."""
    short = await _tightest(case, refused)
    return await refuse(case, refused) if short is None else await calls_short(case, short)


async def _tightest(case: Case, refused: Refuse) -> Short | None:
    money = _asked(refused)
    if money is None:
        return None
    states = [
        state
        for state in await budgets_of(case.tx, case.contract.role_id, case.ticket.id)
        if state.unit == "money" and state.currency == money.currency
    ]
    if not states:
        return None
    state = min(states, key=lambda one: one.left)
    return Short("money", state.period, state.currency, state.limit, state.left, money.minor)


def _asked(refused: Refuse) -> Money | None:
    """The gate's `budget` fact says `<minor> <currency>`."""
    for fact in refused.facts:
        minor, _, currency = fact.value.partition(" ")
        if fact.code == "budget" and minor.isdigit():
            return Money(int(minor), currency)
    return None

"""What a run's end says of the whole work: cost, deadline, and how long the founder was waited for, over all parts."""

from app import clock
from app.execution_graph import store
from app.execution_graph.model import Run, Step, Totals, added, totals
from app.execution_graph.part_rows import totals_before
from app.postgres import Transaction
from app.work_queue import Ticket, list_approvals


async def closing_facts(tx: Transaction, run: Run, ticket: Ticket, steps: tuple[Step, ...]) -> dict[str, object]:
    """What evaluating needs, of all parts of the work; `steps` is the last part's journal."""
    first = run if run.part == 1 else await store.get_run(tx, run.chain)
    waited = 0
    for approval in (await list_approvals(tx, ticket_id=run.ticket_id, limit=200)).items:
        until = approval.decided_at or run.closed_at or clock.now()
        waited += max(0, int((until - approval.raised_at).total_seconds() * 1000))
    return {
        **totals_data(added(await totals_before(tx, run), totals(steps))),
        "parts": run.part,
        "waited_for_founder_ms": waited,
        "due_at": ticket.due_at and ticket.due_at.isoformat(),
        "sla_met": None if ticket.due_at is None or run.closed_at is None else run.closed_at <= ticket.due_at,
        "opened_at": first.created_at.isoformat(),
        "started_at": first.started_at and first.started_at.isoformat(),
        "closed_at": run.closed_at and run.closed_at.isoformat(),
    }


def totals_data(sums: Totals) -> dict[str, object]:
    """Sums as an event holds them."""
    return {
        "steps": sums.steps,
        "model_calls": sums.model_calls,
        "tool_calls": sums.tool_calls,
        "cost_usd_micros": sums.cost_usd_micros,
        "tokens": sums.tokens,
        "tool_money": [{"minor": str(minor), "currency": code} for code, minor in sorted(sums.tool_money.items())],
    }

"""The soft warning: a budget of which four fifths are used is said once in its period, before it stops anybody."""

from collections.abc import Mapping, Sequence
from uuid import UUID, uuid5

from app.canon.contract import Unit
from app.governance_ledger import Event, append_new
from app.postgres import Transaction
from app.role_registry.model import BudgetState

ONCE = UUID("3c8d1c52-0a2f-5a44-9a37-2a7de0d0c8b1")
NEAR_PERCENT = 80


async def warn(
    tx: Transaction,
    role_id: UUID | None,
    states: Sequence[BudgetState],
    asked: Mapping[tuple[Unit, str], int],
) -> None:
    """Record each limit that `asked` brings to four fifths. Event `budget.near_limit`, once for a period and limit."""
    for state in states:
        used = state.spent + state.reserved
        after = used + asked.get((state.unit, state.currency or ""), 0)
        if state.period == "ticket" or not _is_near(used, after, state.limit):
            continue
        line = f"{state.unit} {state.period} {state.currency} {state.limit}"
        once = uuid5(ONCE, f"{tx.tenant}/{role_id}/{line}/{state.period_key}")
        await append_new(tx, _event(role_id, state, after), once)


def _is_near(used: int, after: int, limit: int) -> bool:
    return limit > 0 and used * 100 < limit * NEAR_PERCENT <= after * 100


def _event(role_id: UUID | None, state: BudgetState, used: int) -> Event:
    line = {"unit": state.unit, "period": state.period, "limit": str(state.limit), "currency": state.currency}
    return Event(
        type="budget.near_limit",
        actor="system:budgets",
        data={"role_id": role_id and str(role_id), "line": line, "used": str(used), "period": state.period_key},
    )

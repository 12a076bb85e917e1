"""Secrets of the work that a ticket was opened in: what its text can have come from."""

from app.execution_graph.model import Step
from app.execution_graph.store import STEP_COLUMNS
from app.postgres import Transaction
from app.work_queue import Ticket, ancestors_of

_SECRETS = f"""
SELECT {STEP_COLUMNS} FROM execution_graph.run_steps
 WHERE secret AND kind = 'tool' AND state = 'done'
   AND run_id IN (SELECT id FROM execution_graph.runs WHERE ticket_id = ANY($1))
 ORDER BY planned_at
"""  # noqa: S608 - only constants are joined


async def inherited_secrets(tx: Transaction, ticket: Ticket) -> tuple[Step, ...]:
    """What was read of secrets for the tickets that this one was opened from, one out of the other."""
    if ticket.parent_id is None:
        return ()
    rows = await tx.connection.fetch(_SECRETS, await ancestors_of(tx, ticket.id))
    return tuple(Step(**row) for row in rows)

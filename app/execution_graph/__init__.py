"""The execution graph: runs, their journal, the gate at execution time, and what local tools write.

Tables owned (schema `execution_graph`): runs, run_leases, run_steps, notes, documents, payments, and the checkpoints of
a backbone.

Invariants:
- every model call and tool call is one step of the journal; a step that is done is told again, never executed again;
- every tool call passes the gate in the transaction that makes it, or commits its intent first;
- a local effect, its step, its budget and its event commit together; an external act whose answer was lost is never
  repeated blindly;
- what a run writes is fenced by its lease: a worker that was taken over writes nothing any more;
- a held run holds no worker; `resume` never decides.
"""

from app.execution_graph.backtesting import Backtest, BacktestAsked, Change, backtest
from app.execution_graph.editing import Edit, edit_call
from app.execution_graph.erasing import erase_ticket
from app.execution_graph.errors import EditRefused
from app.execution_graph.model import Run, RunStatus, RunView, StepView, Totals
from app.execution_graph.pruning import Pruned, prune_tenant, would_prune
from app.execution_graph.retrying import Retry, retry_call
from app.execution_graph.runs import (
    cancel_run,
    get_run,
    request_resume,
    run_status,
    runs_of_ticket,
    start_run,
)
from app.execution_graph.runtime import Defaults

__all__ = [
    "Backtest",
    "BacktestAsked",
    "Change",
    "Defaults",
    "Edit",
    "EditRefused",
    "Pruned",
    "Retry",
    "Run",
    "RunStatus",
    "RunView",
    "StepView",
    "Totals",
    "backtest",
    "cancel_run",
    "edit_call",
    "erase_ticket",
    "get_run",
    "prune_tenant",
    "request_resume",
    "retry_call",
    "run_status",
    "runs_of_ticket",
    "start_run",
    "would_prune",
]

"""Long work goes on as one run after the other: the full part ends as `continued`, the next one takes its hand-over.

All of it is one transaction under the lease of the part that ends: a process that dies before it leaves the old part to
be driven on, one that dies after it a new part that waits to be driven. There is never none, and never two.
"""

import msgspec

from app import clock
from app.canon.agent import Handover
from app.canon.tool import EvidenceItem
from app.canon.vocabulary import new_id
from app.execution_graph import part_rows, store
from app.execution_graph.briefing import briefed_event, encode_brief
from app.execution_graph.closing import totals_data
from app.execution_graph.drive import Drive
from app.execution_graph.handing_over import report
from app.execution_graph.model import Brief, Run, check_move, totals
from app.execution_graph.runs import engine_data, run_event, subject
from app.governance_ledger import append
from app.messages import RunWanted
from app.postgres import Transaction
from app.role_registry import budgets_of
from app.work_queue import append_of, publish


async def hand_over(tx: Transaction, drive: Drive, brief: Brief, bookmark: object) -> Run:
    """End the run as `continued` and open its next part: same ticket, role version, engine, tools and bounds; what is
    left of the role's steps; a hand-over that is kept as evidence. The caller has fenced the run.

    Events `run.continued`, `run.opened`, `run.briefed`; message `RunWanted`. Gives the run as it ended.
    """
    run = drive.run
    check_move(run.status, "continued")
    following = _following(run, drive.journal.next_number)
    next_brief = await _next_brief(tx, drive, brief, bookmark)
    ended = await store.change_run(tx, run.id, status="continued", approval_id=None, closed_at=True)
    await store.want(tx, run.id, wanted=False)
    opened = await store.insert_run(tx, following)
    if opened is None:
        raise RuntimeError("a ticket whose only open run has just ended takes another")
    await part_rows.begin_at(tx, opened.id, drive.worked_ms)
    await _record(tx, drive, ended, opened, next_brief)
    await publish(tx, RunWanted(tx.tenant, opened.id))
    return ended


def _following(run: Run, first_step: int) -> Run:
    return msgspec.structs.replace(
        run,
        id=new_id(),
        status="queued",
        approval_id=None,
        summary="",
        created_at=clock.now(),
        started_at=None,
        closed_at=None,
        continues=run.id,
        first_run_id=run.chain,
        part=run.part + 1,
        first_step=first_step,
    )


async def _next_brief(tx: Transaction, drive: Drive, brief: Brief, bookmark: object) -> Brief:
    run, journal = drive.run, drive.journal
    calls = tuple(step for step in journal.whole if step.kind == "tool")
    before = 0 if brief.task.handover is None else brief.task.handover.calls
    left = brief.task.max_steps - (len(calls) - before)
    budgets = await budgets_of(tx, run.role_id, run.ticket_id)
    text = report(run.part + 1, calls, left=left, budgets=budgets)
    handover = Handover(run.part + 1, len(calls), text, bookmark)
    return Brief(msgspec.structs.replace(brief.task, max_steps=left, handover=handover), brief.tools)


async def _record(tx: Transaction, drive: Drive, ended: Run, opened: Run, brief: Brief) -> None:
    said = {
        "next_run_id": str(opened.id),
        "part": ended.part,
        "journal_bytes": drive.journal.size_bytes,
        "calls_left": brief.task.max_steps,
        **totals_data(totals(drive.journal.steps)),
    }
    event = run_event(ended, "continued", drive.actor, subjects=(subject(opened.id),), data=said)
    name, content = f"part-{opened.part}-handover.json", msgspec.json.encode(brief.task.handover)
    await append_of(tx, drive.ticket, event, keep=EvidenceItem(name, "application/json", content))
    await append(tx, run_event(opened, "opened", drive.actor, data=engine_data(opened)))
    text = encode_brief(brief)
    briefed = await store.change_run(tx, opened.id, brief=text)
    await append(tx, briefed_event(briefed, brief, text, drive.actor))

"""One tool call as one step: replayed, decided by the gate, held for a human, carried out, recorded."""

from typing import assert_never

import msgspec

from app.canon.agent import Halt, Suspend
from app.canon.canonical_json import NotCanonical, exact
from app.canon.gate import Allow, Hold, Refuse
from app.canon.tool import Arguments, ToolAnswer
from app.canon.vocabulary import Tier
from app.execution_graph.acting import carry_out
from app.execution_graph.breakers import check_breakers
from app.execution_graph.cards import as_signed, tool_call_card
from app.execution_graph.case import Acts, Case, Outcome, Stops, Told, Waits
from app.execution_graph.drive import Drive
from app.execution_graph.gates import Judged
from app.execution_graph.journal import Asked, arguments_of, asked_tool, decode_answer
from app.execution_graph.lost_outcomes import after_crash, after_unknown
from app.execution_graph.model import Step
from app.execution_graph.outside import act
from app.execution_graph.refusals import facts_data, refuse
from app.execution_graph.runs import still_waits
from app.execution_graph.shortfall import money_short
from app.governance_ledger import EvidenceAway
from app.postgres import Transaction
from app.role_registry import (
    NotInForce,
    contract_in_force,
    contract_is_signed,
    rule_for,
    rule_is_signed,
    why_barred,
)
from app.work_queue import Approval, get_approval, is_closed, raise_approval, rejected_before, withdraw

STORE_AWAY = "store_away"
"""Why a run halts whose gate or worker needs a file that cannot be read now."""


async def call_tool(drive: Drive, number: int, name: str, arguments: Arguments) -> ToolAnswer:
    """What the worker is told of its `number`-th step. Raises `Suspend`, `Halt`, `Diverged`."""
    drive.check()
    try:
        canonical = {key: exact(value) for key, value in arguments.items()}
        asked = asked_tool(number, name, canonical)
    except NotCanonical as error:
        return ToolAnswer("refused", f"The arguments cannot be read: {error}.")
    step = drive.journal.recall(asked)
    if step is not None and step.settled:
        return decode_answer(step.answer or "")
    check_breakers(drive, asked)
    try:
        async with drive.transaction() as tx:
            outcome = await _enter(tx, drive, asked, canonical, step)
        return await _follow(drive, asked, outcome)
    except EvidenceAway as away:
        raise Halt(STORE_AWAY) from away


async def _follow(drive: Drive, asked: Asked, outcome: Outcome) -> ToolAnswer:
    match outcome:
        case Told(answer):
            return answer
        case Waits(approval_id):
            raise Suspend(approval_id)
        case Stops(reason):
            raise Halt(reason)
        case Acts():
            return await _follow(drive, asked, await act(drive, asked, outcome))
        case _:
            assert_never(outcome)


async def _enter(tx: Transaction, drive: Drive, asked: Asked, arguments: Arguments, step: Step | None) -> Outcome:
    """Everything that happens in the transaction of the decision."""
    case = await open_case(tx, drive, asked, arguments, step)
    if isinstance(case, Stops):
        return case
    if step is None:
        return await _propose(case)
    match step.state:
        case "held":
            return await _after_hold(case, step)
        case "started":
            return await after_crash(case, step, _propose)
        case "unknown":
            return await after_unknown(case, step)
        case _:
            return await _propose(case)


async def open_case(
    tx: Transaction, drive: Drive, asked: Asked, arguments: Arguments, step: Step | None
) -> Case | Stops:
    """Reads what is in force in the transaction; lease and run of a new step are checked when it is written. A call
    that the founder has changed goes on as changed."""
    status = await drive.journal.fence(tx) if step is not None else "running"
    if status != "running":
        return Stops(status)
    if await is_closed(tx, drive.run.ticket_id):
        return Stops("cancelled")
    if drive.run.role_id is None:
        return Stops("unassigned")
    try:
        contract = await contract_in_force(tx, drive.run.role_id)
    except NotInForce:
        return Stops("retired")
    if not contract_is_signed(tx, contract, drive.runtime.reader):
        return Stops("forged")
    if contract.paused:
        return Stops("paused")
    tool = drive.runtime.tools.get(asked.name)
    in_hand = arguments if step is None or step.edited is None else arguments_of(step)
    return Case(tx, drive, asked, in_hand, status, step, tool, contract, drive.ticket)


async def _propose(case: Case) -> Outcome:
    if case.tool is None:
        names = ", ".join(case.drive.run.tools)
        return await refuse(case, Refuse("boundary", f"There is no tool {case.asked.name!r}. Your tools: {names}."))
    barred = await why_barred(case.tx, case.asked.name)
    if barred is not None:
        return await refuse(case, Refuse("boundary", barred))
    judged = _doubt(case, await case.judged())
    match judged.verdict:
        case Allow():
            return await carry_out(case, judged, None)
        case Hold() as held:
            return await _under_rule(case, judged, held) or await _hold(case, judged, held)
        case Refuse() as refused if refused.law == "budget":
            return await money_short(case, refused)
        case Refuse() as refused:
            return await refuse(case, refused)
        case _:
            assert_never(judged.verdict)


def _doubt(case: Case, judged: Judged) -> Judged:
    """A human decides before an equal call is made again whose outcome nobody knows, or which a part before has made:
    who goes on from a hand-over may have forgotten it."""
    verdict = judged.verdict
    equal = [step for step in case.drive.journal.whole if step.request_digest == case.asked.digest]
    unknown = [step.step for step in equal if step.state == "unknown"]
    repeated = [step.step for step in equal if _done_before(case, step)]
    if not isinstance(verdict, Allow) or not (unknown or repeated):
        return judged
    reason = f"Step {repeated[0]} has already done exactly this." if repeated else _UNKNOWN.format(unknown[0])
    return msgspec.structs.replace(judged, verdict=Hold(Tier.R1, reason, (), verdict.money))


_UNKNOWN = "Step {} was the same call, and whether it happened is not known."


def _done_before(case: Case, step: Step) -> bool:
    """The step is an act of a part before this one, whose worker was told of it in words only."""
    drive = case.drive
    handover = None if drive.brief is None else drive.brief.task.handover
    told = handover is not None and handover.bookmark is None
    return told and step.step < drive.run.first_step and step.effect != "read" and step.state == "done"


async def _under_rule(case: Case, judged: Judged, held: Hold) -> Outcome | None:
    """A standing rule answers the question in the founder's place, unless he has said no to exactly this."""
    standing = await rule_for(case.tx, judged.proposal, held, case.drive.zone)
    if standing is None or not rule_is_signed(case.tx, standing, case.drive.runtime.reader):
        return None
    if await rejected_before(case.tx, case.ticket.id, judged.proposal.act_digest) is not None:
        return None
    return await carry_out(case, judged, None, standing)


async def _hold(case: Case, judged: Judged, held: Hold) -> Outcome:
    """Ask the founder, unless he has said no to exactly this in this ticket."""
    act_digest = judged.proposal.act_digest
    rejected = await rejected_before(case.tx, case.ticket.id, act_digest)
    if rejected is not None:
        return await _rejected(case, rejected, again=True)
    approval = await raise_approval(case.tx, tool_call_card(judged, held, case.setting))
    waits = await case.wait_for(approval, "held", verdict=f"hold:{held.tier}")
    await case.record(
        "held",
        {
            "approval_id": str(approval.id),
            "tier": str(held.tier),
            "reason": held.reason,
            "facts": facts_data(held.facts),
            "payload_digest": approval.payload_digest,
        },
    )
    return waits


async def _after_hold(case: Case, step: Step) -> Outcome:
    """The step waited for an approval: act on what became of it, which the worker is told truly."""
    if step.approval_id is None:
        return await _propose(case)
    approval = await get_approval(case.tx, step.approval_id)
    if await still_waits(case.tx, approval):
        await case.hold_run(approval)
        return Waits(approval.id)
    match approval.status:
        case "approved":
            return await _approved(case, approval)
        case "rejected":
            return await _rejected(case, approval, again=False)
        case "expired":
            return await _unanswered(case, approval, "expired", _EXPIRED)
        case "withdrawn":
            return await _unanswered(case, approval, "withdrawn", f"The question was taken back: {approval.reason}")
        case "superseded":
            return await _propose(case)
        case "pending":
            return Waits(approval.id)
        case _:
            assert_never(approval.status)


_EXPIRED = "Nobody answered in time, so it was not done. That is not a rejection; do not try it in another way."


async def _approved(case: Case, approval: Approval) -> Outcome:
    """Approved: the gate looks again. A refusal now wins; what has changed since is asked anew."""
    if approval.kind == "budget_raise":
        return await _propose(case)
    if case.tool is None:
        return await refuse(case, Refuse("boundary", f"The tool {case.asked.name!r} is gone."), approval=approval)
    barred = await why_barred(case.tx, case.asked.name)
    if barred is not None:
        return await refuse(case, Refuse("boundary", barred), approval=approval)
    judged = await case.judged()
    verdict = judged.verdict
    if isinstance(verdict, Refuse) and verdict.law == "budget":
        return await money_short(case, verdict)
    if isinstance(verdict, Refuse):
        return await refuse(case, verdict, approval=approval)
    if _changed(case, approval, verdict):
        await withdraw(case.tx, approval.id, "what would be done has changed", actor=case.drive.actor, superseded=True)
        return await _propose(case)
    return await carry_out(case, judged, approval)


def _changed(case: Case, approval: Approval, verdict: Allow | Hold) -> bool:
    """Role version, policy, tool or arguments differ from what was signed, or the tier has risen."""
    risen = isinstance(verdict, Hold) and verdict.tier is Tier.R2 and approval.tier is Tier.R1
    return risen or not as_signed(approval, case.proposal, case.contract)


async def _rejected(case: Case, approval: Approval, *, again: bool) -> Told:
    words = f" In the founder's words: {approval.reason}" if approval.reason else ""
    opening = "The founder has already rejected exactly this in this ticket." if again else "The founder rejected it."
    answer = ToolAnswer("rejected", f"{opening}{words}")
    told = await case.settle(answer, {"verdict": "hold:again" if again else _verdict_of(case)})
    await case.record(
        "rejected",
        {"approval_id": str(approval.id), "asked_again": again, "reason": approval.reason},
        signature=approval.signature,
        keep=case.proof(answer),
    )
    return told


async def _unanswered(case: Case, approval: Approval, status: str, said: str) -> Told:
    answer = ToolAnswer("expired" if status == "expired" else "withdrawn", said)
    told = await case.settle(answer, {"verdict": _verdict_of(case)})
    await case.record(status, {"approval_id": str(approval.id)}, keep=case.proof(answer))
    return told


def _verdict_of(case: Case) -> str:
    return "" if case.step is None else case.step.verdict

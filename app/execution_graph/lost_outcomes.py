"""Calls that may have happened: never repeated blindly. A founder says whether they did, or has them made again."""

from collections.abc import Awaitable, Callable

from app.canon.gate import Allow, Refuse
from app.canon.tool import ToolAnswer
from app.execution_graph.acting import book, failed, tool_call
from app.execution_graph.cards import as_signed, unknown_outcome_card
from app.execution_graph.case import Acts, Case, Outcome, Permit, Stops, Told, Waits
from app.execution_graph.journal import storable
from app.execution_graph.model import Step
from app.execution_graph.refusals import refuse
from app.execution_graph.runs import still_waits
from app.execution_graph.store import money_of
from app.role_registry import release, why_barred
from app.work_queue import Approval, consume, get_approval, raise_approval, withdraw

Propose = Callable[[Case], Awaitable[Outcome]]


async def lost(case: Case, permit: Permit, why: str) -> Waits | Stops:
    """The answer of a call was lost: the step is `unknown`, and a card asks. Event `tool.unknown`.

    Its budget stays set aside. A run that was closed meanwhile is not held for it.
    """
    card = unknown_outcome_card(
        case.asked.name,
        case.arguments,
        None if case.tool is None else case.tool.spec,
        contract=case.contract,
        money=permit.money,
        setting=case.setting,
        why=storable(why),
    )
    approval = await raise_approval(case.tx, card)
    columns = permit.columns | {"approval_id": approval.id}
    await case.drive.journal.write(case.tx, case.entry("unknown", **columns))
    if case.status == "running":
        await case.hold_run(approval)
    await case.record(
        "unknown",
        {**permit.data, "error": storable(why)[:2000], "question": str(approval.id)},
        signature=permit.signature,
        keep=case.proof(None),
    )
    return Waits(approval.id) if case.status == "running" else Stops(case.status)


async def after_crash(case: Case, step: Step, propose: Propose) -> Outcome:
    """A worker died after the intent and before the record. What is safe to repeat is repeated with the same key."""
    permit = await _permit_of(case, step)
    spec = None if case.tool is None else case.tool.spec
    if spec is None or not (spec.effect == "read" or spec.idempotent):
        return await lost(case, permit, "The worker ended before the answer was recorded.")
    judged = await case.judged()
    allowed = not isinstance(judged.verdict, Refuse) and (
        permit.approval_id is not None or isinstance(judged.verdict, Allow)
    )
    if allowed:
        return await _repeat(case, permit, step)
    if spec.effect != "read":
        return await lost(case, permit, "The worker ended before the answer was recorded, and the role has changed.")
    await release(case.tx, case.drive.run.id, step.step)
    if isinstance(judged.verdict, Refuse):
        return await refuse(case, judged.verdict)
    return await propose(case)


async def _repeat(case: Case, permit: Permit, step: Step) -> Acts:
    again = case.entry("started", attempts=step.attempts + 1, **permit.columns)
    written = await case.drive.journal.write(case.tx, again)
    call = await tool_call(case)
    data = {**permit.data, "key": call.key, "attempt": written.attempts}
    await case.record("repeated", data, subjects=permit.subjects, signature=permit.signature)
    return Acts(call, case.contract, written, permit)


async def _permit_of(case: Case, step: Step) -> Permit:
    """The permit under which the step was started."""
    money = money_of(step)
    if step.approval_id is None:
        return Permit("contract", case.contract.signature, money)
    approval = await get_approval(case.tx, step.approval_id)
    return Permit("approved", approval.signature or "", money, approval.id)


async def after_unknown(case: Case, step: Step) -> Outcome:
    """The founder was asked whether it happened, or has chosen to have it made again."""
    if step.approval_id is None:
        return await lost(case, Permit("contract", case.contract.signature, money_of(step)), "The answer was lost.")
    approval = await get_approval(case.tx, step.approval_id)
    if await still_waits(case.tx, approval):
        await case.hold_run(approval)
        return Waits(approval.id)
    if approval.kind == "tool_call":
        return await _again(case, step, approval)
    return await resolve(case, step, approval)


async def _again(case: Case, step: Step, approval: Approval) -> Outcome:
    """The founder wanted it made again with the same key: signed, and the gate still lets it pass, it is. Else he is
    asked once more whether it happened."""
    if approval.status in ("expired", "withdrawn"):
        return await _never_known(case, Permit("approved", "", money_of(step), approval.id), approval)
    why = await _why_not_again(case, approval)
    if why is None:
        await consume(case.tx, approval.id, payload_digest=approval.payload_digest, reader=case.drive.runtime.reader)
        return await _repeat(case, Permit("approved", approval.signature or "", money_of(step), approval.id), step)
    return await ask_once_more(case, step, approval, why)


async def _why_not_again(case: Case, approval: Approval) -> str | None:
    if approval.status == "superseded":
        return "Another question came in the place of whether to make it again."
    if approval.status != "approved":
        return "The founder did not want it made again."
    barred = "The tool is gone." if case.tool is None else await why_barred(case.tx, case.asked.name)
    if barred is not None:
        return barred
    judged = await case.judged()
    if isinstance(judged.verdict, Refuse):
        return judged.verdict.reason
    return None if as_signed(approval, case.proposal, case.contract) else "What would be done has changed."


async def ask_once_more(case: Case, step: Step, approval: Approval, why: str) -> Waits | Stops:
    """It was not made again, and whether it happened is still open."""
    if approval.status == "approved":
        await withdraw(case.tx, approval.id, why, actor=case.drive.actor, superseded=True)
    permit = Permit("contract", case.contract.signature, money_of(step))
    return await lost(case, permit, f"Its answer was lost, and it was not made again: {why}")


async def resolve(case: Case, step: Step, approval: Approval) -> Told:
    """What the founder says happened, happened."""
    permit = Permit("confirmed", approval.signature or "", money_of(step), approval.id)
    if approval.status == "approved":
        await consume(case.tx, approval.id, payload_digest=approval.payload_digest, reader=case.drive.runtime.reader)
        return await _happened(case, permit)
    if approval.status == "rejected":
        return await failed(
            case, permit, "It did not happen: the founder has looked. Its answer had been lost.", "looked"
        )
    return await _never_known(case, permit, approval)


async def _happened(case: Case, permit: Permit) -> Told:
    answer = ToolAnswer("done", "It happened: the founder has looked. What it answered was lost.")
    told = await case.settle(answer, permit.columns)
    await book(case, permit.money)
    await case.record(
        "done",
        {**permit.data, "confirmed": True},
        subjects=permit.subjects,
        signature=permit.signature,
        keep=case.proof(answer),
    )
    return told


async def _never_known(case: Case, permit: Permit, approval: Approval) -> Told:
    said = f"Whether it happened is not known: {_UNANSWERED.get(approval.status, _REPLACED)}. Do not do it again."
    answer = ToolAnswer("expired" if approval.status == "expired" else "withdrawn", said)
    told = await case.settle(answer, permit.columns, state="unknown")
    await book(case, permit.money)
    await case.record(answer.status, {**permit.data, "question": str(approval.id)})
    return told


_UNANSWERED = {"expired": "nobody answered in time", "withdrawn": "the question was taken back"}
_REPLACED = "the question was replaced by another one, which is no answer to it"

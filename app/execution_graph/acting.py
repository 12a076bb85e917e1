"""Carrying an allowed call out: budget first, then a local effect in one transaction, or intent, act and record."""

import asyncio

import msgspec

from app.canon.errors import Fault
from app.canon.gate import Allow, Hold, Refuse, egress_of
from app.canon.tool import ToolAnswer, ToolCall, ToolFailed, ToolResult
from app.canon.vocabulary import Money
from app.execution_graph import local_effects
from app.execution_graph.case import Acts, Case, Outcome, Permit, Told
from app.execution_graph.files import TicketFiles
from app.execution_graph.gates import Judged
from app.execution_graph.journal import storable
from app.execution_graph.refusals import refuse
from app.execution_graph.shortfall import calls_short
from app.role_registry import Short, Want, release, reserve, settle
from app.work_queue import Approval, ApprovalUnusable, consume

LOCAL_SECONDS = 10


async def carry_out(case: Case, judged: Judged, approval: Approval | None) -> Outcome:
    """The gate lets the call pass: set its budget aside, use the approval up, then act or commit the intent to."""
    money = judged.verdict.money if isinstance(judged.verdict, Allow | Hold) else None
    short = await _reserve(case, money)
    if short is not None:
        return await calls_short(case, short)
    if approval is not None:
        try:
            runtime = case.drive.runtime
            await consume(case.tx, approval.id, payload_digest=approval.payload_digest, reader=runtime.reader)
        except ApprovalUnusable as error:
            await release(case.tx, case.drive.run.id, case.asked.step)
            return await refuse(case, Refuse("17", f"The approval does not hold: {error}."))
    rule = judged.verdict.rule if isinstance(judged.verdict, Allow) else "approved"
    signature = case.contract.signature if approval is None else approval.signature or ""
    permit = Permit(rule, signature, money, None if approval is None else approval.id)
    if judged.proposal.tool.effect == "local":
        return await _apply(case, permit)
    return await _intend(case, permit)


async def _reserve(case: Case, money: Money | None) -> Short | None:
    wants = [Want("calls", 1)]
    if money is not None:
        wants.append(Want("money", money.minor, money.currency))
    reserved = await reserve(
        case.tx,
        role_id=case.contract.role_id,
        ticket_id=case.ticket.id,
        run_id=case.drive.run.id,
        step=case.asked.step,
        wants=wants,
    )
    return reserved if isinstance(reserved, Short) else None


async def tool_call(case: Case) -> ToolCall:
    """The call as its adapter gets it. `key` is the same in every attempt of the step."""
    drive = case.drive
    files = await drive.files_in(case.tx, anew=False)
    return ToolCall(
        key=f"{drive.run.id}:{case.asked.step}",
        tenant=case.tx.tenant,
        run_id=drive.run.id,
        step=case.asked.step,
        arguments=case.arguments,
        inputs=TicketFiles(drive.runtime.database, drive.runtime.store, case.tx.tenant, files),
        egress_hosts=egress_of(case.proposal, case.contract),
    )


async def _apply(case: Case, permit: Permit) -> Told:
    """A local effect: effect, journal, evidence, budget and event stand or fall together."""
    call = await tool_call(case)
    try:
        async with case.tx.savepoint():
            result = await _perform(case, call)
            applied = await _bring_about(case, result)
    except (ToolFailed, Fault) as error:
        return await failed(case, permit, str(error))
    case.drive.files = None
    return await done(case, permit, result, applied)


async def _perform(case: Case, call: ToolCall) -> ToolResult:
    if case.tool is None:
        raise ToolFailed("the tool is gone")
    try:
        async with asyncio.timeout(LOCAL_SECONDS):
            return await case.tool.perform(call)
    except ToolFailed:
        raise
    except TimeoutError as error:
        raise ToolFailed(f"no answer within {LOCAL_SECONDS} seconds") from error
    except Exception as error:
        raise ToolFailed(f"{type(error).__name__}: {error}") from error


async def _bring_about(case: Case, result: ToolResult) -> local_effects.Applied:
    if result.effect is None:
        return (), ()
    return await local_effects.apply(case.tx, result.effect, case.drive.run, case.asked.step, case.drive.actor)


async def done(case: Case, permit: Permit, result: ToolResult, applied: local_effects.Applied = ((), ())) -> Told:
    """Record that the call was made, with its evidence. Event `tool.done`."""
    subjects, refs = applied
    answer = ToolAnswer("done", result.content, result.data)
    told = await case.settle(answer, permit.columns)
    await book(case, permit.money)
    await case.record(
        "done",
        permit.data,
        subjects=(*subjects, *permit.subjects),
        signature=permit.signature,
        evidence=(*await case.keep(answer, result.evidence), *refs),
    )
    return told


async def failed(case: Case, permit: Permit, message: str) -> Told:
    """Record that the call was made and failed for certain. Event `tool.failed`."""
    answer = ToolAnswer("failed", storable(message))
    unmoved = msgspec.structs.replace(permit, money=None)
    told = await case.settle(answer, unmoved.columns)
    await book(case, None)
    await case.record(
        "failed",
        {**unmoved.data, "error": answer.content[:2000]},
        subjects=permit.subjects,
        signature=permit.signature,
        evidence=await case.keep(answer),
    )
    return told


async def book(case: Case, moved: Money | None) -> None:
    """Settle the step's budget: the call counts either way, money only when it was moved."""
    spent = {"calls": 1, "money": 0 if moved is None else moved.minor}
    await settle(case.tx, run_id=case.drive.run.id, step=case.asked.step, spent=spent)


async def _intend(case: Case, permit: Permit) -> Acts:
    """Commit the intent before acting outside. Event `tool.intended`."""
    step = await case.drive.journal.write(case.tx, case.entry("started", **permit.columns))
    call = await tool_call(case)
    await case.record(
        "intended",
        {**permit.data, "key": call.key},
        subjects=permit.subjects,
        signature=permit.signature,
        evidence=await case.keep(None),
    )
    return Acts(call, case.contract, step, permit)

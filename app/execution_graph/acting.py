"""Carrying an allowed call out: budget first, then a local effect in one transaction, or intent, act and record."""

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TypedDict
from uuid import UUID

import msgspec

from app.canon.errors import Fault
from app.canon.gate import Allow, Hold, Refuse, egress_of
from app.canon.tool import ToolAnswer, ToolCall, ToolFailed, ToolResult, WriteDocument, WriteNote
from app.canon.vocabulary import Money
from app.execution_graph import local_effects
from app.execution_graph.blotting import CallSecrets
from app.execution_graph.case import Acts, Case, Outcome, Permit, Told
from app.execution_graph.files import TicketFiles
from app.execution_graph.gates import Judged
from app.execution_graph.journal import storable
from app.execution_graph.refusals import refuse
from app.execution_graph.shortfall import calls_short
from app.governance_ledger import EvidenceAway
from app.role_registry import Short, StandingRule, Want, reserve, settle, spend, use_rule
from app.work_queue import Approval, ApprovalUnusable, consume

LOCAL_SECONDS = 10


async def carry_out(
    case: Case, judged: Judged, approval: Approval | None, standing: StandingRule | None = None
) -> Outcome:
    """The gate lets the call pass: budget, the approval or a use of the rule used up, then the act or the intent to."""
    rule = judged.verdict.rule if isinstance(judged.verdict, Allow) else "approved"
    money = judged.verdict.money if isinstance(judged.verdict, Allow | Hold) else None
    signature = case.contract.signature if approval is None else approval.signature or ""
    permit = Permit(rule, signature, money, None if approval is None else approval.id)
    if standing is not None:
        permit = Permit(f"rule:{standing.id}", standing.signature, money, standing.approval_id, standing.id)
    act = _apply if judged.proposal.tool.effect == "local" else _intend
    try:
        return await act(case, permit, approval)
    except _TooLittle as error:
        return await calls_short(case, error.short)
    except ApprovalUnusable as error:
        return await refuse(case, Refuse("17", f"The approval does not hold: {error}."))


class _TooLittle(Exception):
    """The budget does not cover the call."""

    def __init__(self, short: Short) -> None:
        super().__init__(short.unit)
        self.short = short


class _Place(TypedDict):
    role_id: UUID
    ticket_id: UUID
    run_id: UUID
    step: int


def _place(case: Case) -> _Place:
    return {
        "role_id": case.contract.role_id,
        "ticket_id": case.ticket.id,
        "run_id": case.drive.run.id,
        "step": case.asked.step,
    }


def _wants(money: Money | None) -> list[Want]:
    calls = [Want("calls", 1)]
    return calls if money is None else [*calls, Want("money", money.minor, money.currency)]


async def _use(case: Case, permit: Permit, approval: Approval | None) -> None:
    """Use the approval up, or one use of the rule. Raises `ApprovalUnusable`, `RuleSpent`."""
    if permit.rule_id is not None:
        await use_rule(case.tx, permit.rule_id)
    if approval is not None:
        reader = case.drive.runtime.reader
        await consume(case.tx, approval.id, payload_digest=approval.payload_digest, reader=reader)


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
        inputs=TicketFiles(drive.runtime, case.tx.tenant, files),
        egress_hosts=egress_of(case.proposal, case.contract),
        vault=CallSecrets(drive.runtime.database, drive.runtime.vault, case.tx.tenant, case.contract.role_id),
    )


async def _apply(case: Case, permit: Permit, approval: Approval | None) -> Told:
    """A local effect: effect, journal, evidence, budget and event stand or fall together."""
    call = await tool_call(case)
    try:
        result = await _perform(case, call)
        async with _undoable(case, result, permit):
            await _spend(case, permit.money)
            await _use(case, permit, approval)
            applied = await _bring_about(case, result)
    except (ApprovalUnusable, EvidenceAway):
        raise
    except (ToolFailed, Fault) as error:
        async with case.tx.savepoint():
            await _spend(case, None)
            await _use(case, permit, approval)
        return await failed(case, permit, str(error), error.code)
    if isinstance(result.effect, WriteDocument):
        case.drive.files = None
    return await done(case, permit, result, applied)


async def _spend(case: Case, money: Money | None) -> None:
    """Book the call. Late, since it holds the role's accounts until the commit. Raises `_TooLittle`."""
    short = await spend(case.tx, wants=_wants(money), **_place(case))
    if short is not None:
        raise _TooLittle(short)


def _undoable(case: Case, result: ToolResult, permit: Permit) -> AbstractAsyncContextManager[object]:
    """A savepoint, but where nothing after the first writing can fail: a note that the contract allows."""
    if permit.approval_id is None and isinstance(result.effect, WriteNote | None):
        return nullcontext()
    return case.tx.savepoint()


async def _perform(case: Case, call: ToolCall) -> ToolResult:
    if case.tool is None:
        raise ToolFailed("the tool is gone", code="tool.gone")
    seconds = min(LOCAL_SECONDS, case.tool.spec.timeout_seconds)
    try:
        async with asyncio.timeout(seconds):
            return await case.tool.perform(call)
    except (ToolFailed, EvidenceAway):
        raise
    except TimeoutError as error:
        raise ToolFailed(f"no answer within {seconds} seconds", code="tool.slow") from error
    except Exception as error:
        raise ToolFailed(f"{type(error).__name__}: {error}", code="tool.broke") from error


async def _bring_about(case: Case, result: ToolResult) -> local_effects.Applied:
    if result.effect is None:
        return (), ()
    return await local_effects.apply(case.tx, result.effect, case.drive.run, case.asked.step, case.drive.actor)


async def done(case: Case, permit: Permit, result: ToolResult, applied: local_effects.Applied = ((), ())) -> Told:
    """Record that the call was made, with its evidence. Event `tool.done`."""
    subjects, refs = applied
    answer = ToolAnswer("done", result.content, result.data)
    made, kept = await _keep_files(case, result)
    told = await case.settle(answer, permit.columns)
    await _book_reserved(case, permit.money)
    await case.record(
        "done",
        permit.data,
        subjects=(*subjects, *made, *permit.subjects),
        signature=permit.signature,
        keep=case.proof(answer),
        evidence=(*await case.keep(result.evidence), *refs, *kept),
    )
    return told


async def _keep_files(case: Case, result: ToolResult) -> local_effects.Applied:
    if not result.files:
        return (), ()
    run, secret = case.drive.run, case.entry("done").secret
    case.drive.files = None
    return await local_effects.keep_files(case.tx, result.files, run, case.asked.step, secret=secret)


async def failed(case: Case, permit: Permit, message: str, code: str) -> Told:
    """Record that the call was made and failed for certain; `code` says why, empty where that is not known. Event
    `tool.failed`."""
    answer = ToolAnswer("failed", storable(message))
    unmoved = msgspec.structs.replace(permit, money=None)
    told = await case.settle(answer, unmoved.columns)
    await _book_reserved(case, None)
    await case.record(
        "failed",
        {**unmoved.data, "error": answer.content[:2000], "code": code},
        subjects=permit.subjects,
        signature=permit.signature,
        keep=case.proof(answer),
    )
    return told


async def _book_reserved(case: Case, moved: Money | None) -> None:
    """A local call has booked what it spent already."""
    if case.tool is None or case.tool.spec.effect != "local":
        await book(case, moved)


async def book(case: Case, moved: Money | None) -> None:
    """Settle the step's budget: the call counts either way, money only when it was moved."""
    spent = {"calls": 1, "money": 0 if moved is None else moved.minor}
    await settle(case.tx, run_id=case.drive.run.id, step=case.asked.step, spent=spent)


async def _intend(case: Case, permit: Permit, approval: Approval | None) -> Acts:
    """Commit the intent before acting outside: budget set aside, approval used up. Event `tool.intended`."""
    async with case.tx.savepoint() if permit.approval_id is not None else nullcontext():
        reserved = await reserve(case.tx, wants=_wants(permit.money), **_place(case))
        if isinstance(reserved, Short):
            raise _TooLittle(reserved)
        await _use(case, permit, approval)
    step = await case.drive.journal.write(case.tx, case.entry("started", **permit.columns))
    call = await tool_call(case)
    await case.record(
        "intended",
        {**permit.data, "key": call.key},
        subjects=permit.subjects,
        signature=permit.signature,
        keep=case.proof(None),
    )
    return Acts(call, case.contract, step, permit)

"""One model call as one step: metered, journaled, told again on replay."""

from typing import TypeAlias, assert_never

import msgspec

from app.canon.agent import Halt, Suspend
from app.canon.contract import Contract
from app.canon.model import ModelAnswer, ModelFailed, ModelRequest
from app.canon.tool import EvidenceItem
from app.execution_graph.breakers import check_breakers
from app.execution_graph.case import Stops, Waits
from app.execution_graph.drive import Drive
from app.execution_graph.journal import Asked, ModelOutcome, asked_model, decode_outcome, new_step
from app.execution_graph.model import BeatName, Metered, Step
from app.execution_graph.runs import hold, still_waits
from app.execution_graph.shortfall import ask_raise, sentence
from app.governance_ledger import Event
from app.postgres import Transaction
from app.role_registry import NotInForce, Short, Want, company, contract_in_force, contract_is_signed, reserve, settle
from app.work_queue import append_of, get_approval, is_closed

BILLED_ATTEMPTS = 2


class Calls(msgspec.Struct, frozen=True):
    """The reservation is committed: the model may be asked now. `contract` is None while routing."""

    step: Step
    contract: Contract | None


class Ended(msgspec.Struct, frozen=True):
    """The step is settled."""

    outcome: ModelOutcome


Entered: TypeAlias = Calls | Ended | Waits | Stops


async def call_model(drive: Drive, number: int, beat: BeatName, request: ModelRequest) -> ModelAnswer:
    """The model's answer to the `number`-th step. Raises `ModelFailed`, `Suspend`, `Halt`, `Diverged`."""
    drive.check()
    asked = asked_model(number, beat, request)
    step = drive.journal.recall(asked)
    if step is not None and step.answer is not None:
        return _told(decode_outcome(step.answer))
    check_breakers(drive, asked)
    while True:
        async with drive.transaction() as tx:
            entered = await _enter(tx, drive, asked, request, step)
        match entered:
            case Ended(outcome):
                return _told(outcome)
            case Waits(approval_id):
                raise Suspend(approval_id)
            case Stops(reason):
                raise Halt(reason)
            case Calls():
                ended = await _call(drive, asked, request, entered)
                if ended is not None:
                    return _told(ended)
                step = entered.step
            case _:
                assert_never(entered)


def _told(outcome: ModelOutcome) -> ModelAnswer:
    if outcome.answer is None:
        raise ModelFailed(outcome.failure)
    return outcome.answer


async def _enter(tx: Transaction, drive: Drive, asked: Asked, request: ModelRequest, step: Step | None) -> Entered:
    if step is not None and (status := await drive.journal.fence(tx)) != "running":
        return Stops(status)
    if await is_closed(tx, drive.run.ticket_id):
        return Stops("cancelled")
    contract = await _contract(tx, drive)
    if isinstance(contract, Stops):
        return contract
    if step is not None and step.state == "held" and step.approval_id is not None:
        waits = await _still_held(tx, drive, asked, step)
        if waits is not None:
            return waits
    return await _reserve(tx, drive, asked, request, step, contract)


async def _contract(tx: Transaction, drive: Drive) -> Contract | Stops | None:
    if drive.run.role_id is None:
        return Stops("paused") if (await company(tx)).all_paused else None
    try:
        contract = await contract_in_force(tx, drive.run.role_id)
    except NotInForce:
        return Stops("retired")
    if not contract_is_signed(tx, contract, drive.runtime.reader):
        return Stops("forged")
    return Stops("paused") if contract.paused else contract


async def _still_held(tx: Transaction, drive: Drive, asked: Asked, step: Step) -> Entered | None:
    """What became of the question for a higher budget; None: try again."""
    if step.approval_id is None:
        return None
    approval = await get_approval(tx, step.approval_id)
    if await still_waits(tx, approval):
        drive.run = await hold(tx, drive.run, approval, actor=drive.actor)
        return Waits(approval.id)
    if approval.status in ("rejected", "expired", "withdrawn"):
        return await _no_budget(tx, drive, asked, step, f"A higher budget was asked for and {approval.status}.")
    return None


async def _reserve(
    tx: Transaction,
    drive: Drive,
    asked: Asked,
    request: ModelRequest,
    step: Step | None,
    contract: Contract | None,
) -> Entered:
    before = step if step is not None and step.state == "started" else None
    reserved = await reserve(
        tx,
        role_id=drive.run.role_id,
        ticket_id=drive.run.ticket_id,
        run_id=drive.run.id,
        step=asked.step,
        wants=_wants(drive, request),
        once_more=before is not None,
    )
    if isinstance(reserved, Short):
        return await _short(tx, drive, asked, step, reserved, contract)
    attempts = 1 if before is None else before.attempts + 1
    started = msgspec.structs.replace(step or new_step(asked, "started"), state="started", attempts=attempts)
    written = await drive.journal.write(tx, started)
    if before is not None:
        await append_of(
            tx, drive.ticket, _event(drive, asked, "repeated", contract, attempt=attempts, billed_again=True)
        )
    return Calls(written, contract)


def _wants(drive: Drive, request: ModelRequest) -> list[Want]:
    """The worst case in money where a price is known, else in tokens; tokens also where the role limits them."""
    model = drive.runtime.model
    cost, tokens = model.worst_case_usd_micros(request), model.worst_case_tokens(request)
    if cost is None:
        return [Want("tokens", tokens)]
    return [Want("usd_micros", cost), Want("tokens", tokens, if_limited=True)]


async def _short(
    tx: Transaction, drive: Drive, asked: Asked, step: Step | None, short: Short, contract: Contract | None
) -> Entered:
    approval = None
    if contract is not None:
        approval = await ask_raise(
            tx,
            role_id=contract.role_id,
            ticket_id=drive.run.ticket_id,
            run_id=drive.run.id,
            step=asked.step,
            short=short,
            actor=drive.actor,
            undo_seconds=drive.runtime.undo_seconds,
        )
    if approval is None:
        return await _no_budget(tx, drive, asked, step, sentence(short))
    base = step or new_step(asked, "held")
    held = msgspec.structs.replace(base, state="held", approval_id=approval.id, verdict="hold:budget")
    await drive.journal.write(tx, held)
    drive.run = await hold(tx, drive.run, approval, actor=drive.actor)
    await append_of(
        tx, drive.ticket, _event(drive, asked, "held", contract, approval_id=str(approval.id), reason=sentence(short))
    )
    return Waits(approval.id)


async def _no_budget(tx: Transaction, drive: Drive, asked: Asked, step: Step | None, why: str) -> Ended:
    outcome = ModelOutcome(failure=why)
    base = step or new_step(asked, "failed")
    await drive.journal.write(tx, _settled(base, outcome, "refuse:budget"))
    await append_of(tx, drive.ticket, _event(drive, asked, "refused", None, law="budget", reason=why))
    return Ended(outcome)


def _settled(step: Step, outcome: ModelOutcome, verdict: str, cost: int = 0, tokens: int = 0) -> Step:
    return msgspec.structs.replace(
        step,
        state="failed" if outcome.answer is None else "done",
        answer=msgspec.json.encode(outcome).decode(),
        verdict=verdict,
        cost_usd_micros=cost,
        tokens=tokens,
    )


async def _call(drive: Drive, asked: Asked, request: ModelRequest, calls: Calls) -> ModelOutcome | None:
    """Ask, then record in a transaction of its own. A stop aborts the call; it is repeated when the run goes on.

    None: an answer was paid for and is no use; it is asked for once more, with a reservation of its own.
    """
    failure: ModelFailed | None = None
    try:
        outcome = ModelOutcome(await drive.unless_stopped(drive.runtime.model.complete(request)))
    except ModelFailed as error:
        failure, outcome = error, ModelOutcome(failure=str(error))
    if failure is not None and failure.billed and failure.passing and calls.step.attempts < BILLED_ATTEMPTS:
        return None
    async with drive.transaction() as tx:
        last = _spent(drive, request, outcome, billed=failure is not None and failure.billed)
        return await _record(tx, drive, asked, request, calls, outcome, last)


def _spent(drive: Drive, request: ModelRequest, outcome: ModelOutcome, *, billed: bool) -> Metered:
    """What the last attempt cost: what the endpoint counted, or the worst case of an answer that came to nothing."""
    if outcome.answer is not None:
        answer = outcome.answer
        return Metered(answer.cost_usd_micros or 0, answer.input_tokens + answer.output_tokens)
    return _worst(drive, request) if billed else Metered()


def _worst(drive: Drive, request: ModelRequest) -> Metered:
    model = drive.runtime.model
    return Metered(model.worst_case_usd_micros(request) or 0, model.worst_case_tokens(request))


async def _record(
    tx: Transaction,
    drive: Drive,
    asked: Asked,
    request: ModelRequest,
    calls: Calls,
    outcome: ModelOutcome,
    last: Metered,
) -> ModelOutcome:
    """Attempts before the last one may have been billed without an answer: each counts as its worst case."""
    before, worst = calls.step.attempts - 1, _worst(drive, request)
    cost = last.cost_usd_micros + before * worst.cost_usd_micros
    tokens = last.tokens + before * worst.tokens
    step = _settled(calls.step, outcome, "", cost, tokens)
    await drive.journal.write(tx, step)
    await settle(tx, run_id=drive.run.id, step=asked.step, spent={"usd_micros": cost, "tokens": tokens})
    what = "failed" if outcome.answer is None else "done"
    event = _event(drive, asked, what, calls.contract, **_measures(drive, outcome, step))
    await append_of(tx, drive.ticket, event, keep=_proof(drive, asked, request, outcome))
    return decode_outcome(step.answer or "")


def _measures(drive: Drive, outcome: ModelOutcome, step: Step) -> dict[str, object]:
    answer = outcome.answer
    return {
        "model": None if answer is None else answer.model,
        "input_tokens": 0 if answer is None else answer.input_tokens,
        "output_tokens": 0 if answer is None else answer.output_tokens,
        "tokens": step.tokens,
        "cost_usd_micros": step.cost_usd_micros,
        "priced": answer is not None and answer.cost_usd_micros is not None,
        "scripted": drive.runtime.model.scripted,
        "attempts": step.attempts,
        "error": outcome.failure[:2000],
    }


def _proof(drive: Drive, asked: Asked, request: ModelRequest, outcome: ModelOutcome) -> EvidenceItem:
    document = {
        "run_id": str(drive.run.id),
        "step": asked.step,
        "model": request.model,
        "request": request.body,
        "answer": None if outcome.answer is None else outcome.answer.body,
        "error": outcome.failure,
    }
    content = msgspec.json.encode(document, enc_hook=str)
    return EvidenceItem(f"step-{asked.step}-model.json", "application/json", content)


def _event(
    drive: Drive,
    asked: Asked,
    what: str,
    contract: Contract | None,
    **data: object,
) -> Event:
    """`model.<what>`."""
    said = {
        "asked_model": asked.name,
        "beat": asked.beat,
        "request_digest": asked.digest,
        "role_id": drive.run.role_id and str(drive.run.role_id),
        "role_version": None if contract is None else contract.version,
        "policy": None if contract is None else contract.digest,
        **data,
    }
    return Event(
        type=f"model.{what}",
        actor=drive.actor,
        ticket_id=drive.run.ticket_id,
        run_id=drive.run.id,
        step=asked.step,
        data=said,
        approval=None if contract is None else contract.signature,
    )

"""Agents outside: one takes a ticket, proposes call after call, asks what became of each, and says when it is done.

A proposal is only written down here. A worker process drives the run as any other: gate, journal, budget, approval,
kill switch and ledger are the same. Sessions and proposals belong to the whole work, whatever part of it is driven.
"""

from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from app.canon.agent import Finished, Proposed
from app.canon.canonical_json import NotCanonical, exact
from app.canon.errors import Forbidden, Invalid
from app.canon.tool import Arguments, ToolSpec
from app.canon.vocabulary import Principal, Rol, new_id
from app.execution_graph import outside_rows, store
from app.execution_graph.briefing import decode_brief
from app.execution_graph.errors import NotOutside, NotStartable, SessionLost, StillUnanswered
from app.execution_graph.journal import asked_tool, decode_answer
from app.execution_graph.model import Run, RunStatus, Step
from app.execution_graph.part_rows import earlier, last_part
from app.messages import RunWanted
from app.postgres import Transaction
from app.work_queue import get_ticket, publish

EXTERNAL = "external"
LEASE_SECONDS = 300
MOST_PROPOSALS = 1000

CallStatus: TypeAlias = Literal[
    "working", "waiting", "paused", "done", "failed", "refused", "rejected", "expired", "withdrawn", "stopped"
]


class OfferedTool(msgspec.Struct, frozen=True):
    """A tool that the run may propose, as a model wants to see it."""

    name: str
    description: str
    parameters: dict[str, object]


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A run in the hands of an agent outside. `session` goes with every proposal until `lease_until`, which each one
    renews. `tools` is empty until the run has been begun; ask again then."""

    run_id: UUID
    ticket_id: UUID
    status: RunStatus
    session: UUID
    lease_until: datetime
    calls: int
    title: str
    instructions: str
    fields: dict[str, str]
    files: tuple[str, ...]
    job_description: str
    max_steps: int
    tools: tuple[OfferedTool, ...]


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a proposal. `waiting`: a human decides (`approval_id`); `stopped`: the run is closed (`content`
    says why). `content` is what a worker is told, `data` the same as a value."""

    number: int
    tool: str
    status: CallStatus
    content: str = ""
    data: object = None
    approval_id: UUID | None = None
    run_status: RunStatus


async def offered_runs(tx: Transaction, by: Principal) -> tuple[Run, ...]:
    """Open runs that an agent outside may take, oldest first."""
    return tuple(run for run in await outside_rows.offered(tx) if _may(by, run))


async def take_outside(tx: Transaction, ticket_id: UUID, by: Principal) -> Work:
    """Take the ticket's open run, whose role is bound to the engine `external`; the caller's own earlier session ends.

    Raises `TicketUnknown`, `NotStartable`, `NotOutside`, `SessionLost` while somebody else holds it, `Forbidden`.
    """
    ticket = await get_ticket(tx, ticket_id)
    run = await store.open_run_of(tx, ticket_id)
    if run is None:
        raise NotStartable(f"the ticket is {ticket.status} and has no open run: start it first")
    _check(by, run)
    before = await outside_rows.session_of(tx, run.chain, lock=True)
    if before is not None and before.live and before.holder != by.actor:
        raise SessionLost(f"{before.holder} has it until {before.lease_until.isoformat()}")
    session = new_id()
    until = await outside_rows.put_session(tx, run.chain, session, by.actor, LEASE_SECONDS)
    text = await store.brief_of(tx, run.id)
    brief = decode_brief(text) if text else None
    return Work(
        run_id=run.id,
        ticket_id=ticket.id,
        status=run.status,
        session=session,
        lease_until=until,
        calls=await outside_rows.count(tx, run.chain),
        title=ticket.title,
        instructions=ticket.instructions,
        fields=ticket.fields,
        files=() if brief is None else tuple(file.name for file in brief.task.inputs),
        job_description="" if brief is None else brief.task.job_description,
        max_steps=0 if brief is None else brief.task.max_steps,
        tools=() if brief is None else tuple(map(_offered, brief.tools)),
    )


def _offered(spec: ToolSpec) -> OfferedTool:
    return OfferedTool(spec.name, spec.description, dict(spec.parameters))


async def propose(
    tx: Transaction, run_id: UUID, session: UUID, name: str, arguments: Arguments, by: Principal
) -> Called:
    """Ask for one call; the one before must have been answered. A worker process takes it up after the commit.

    Raises `RunUnknown`, `NotOutside`, `SessionLost`, `NotStartable` for a closed run, `StillUnanswered`, `Invalid`.
    """
    try:
        canonical = {key: exact(value) for key, value in arguments.items()}
        asked_tool(1, name, canonical)
    except NotCanonical as error:
        raise Invalid(f"the arguments cannot be read: {error}") from error
    return await _say(tx, run_id, session, Proposed(name, canonical), by)


async def finish(tx: Transaction, run_id: UUID, session: UUID, summary: str, by: Principal, *, ok: bool) -> Called:
    """Say that the ticket is done, or with `ok` False that it cannot be. Raises as `propose` does."""
    return await _say(tx, run_id, session, Finished(summary, ok), by)


async def _say(tx: Transaction, run_id: UUID, session: UUID, said: Proposed | Finished, by: Principal) -> Called:
    run = await last_part(tx, await store.get_run(tx, run_id))
    _check(by, run)
    held = await outside_rows.session_of(tx, run.chain, lock=True)
    if held is None or held.session != session or held.holder != by.actor or not held.live:
        raise SessionLost("the session has ended or is another's: take the ticket again")
    if not run.is_open:
        raise NotStartable(f"the run is {run.status}: {run.summary}")
    number = await outside_rows.count(tx, run.chain) + 1
    if number > 1:
        before = await _view(tx, run, number - 1)
        if before.status in ("working", "waiting", "paused"):
            raise StillUnanswered(f"call {number - 1} ({before.tool}) is {before.status}: ask for its answer first")
    if number > MOST_PROPOSALS:
        raise Invalid(f"a run takes no more than {MOST_PROPOSALS} proposals")
    await outside_rows.add(tx, run.chain, number, session, by.actor, said)
    await outside_rows.renew(tx, run.chain, session, LEASE_SECONDS)
    await store.want(tx, run.id)
    await publish(tx, RunWanted(tx.tenant, run.id))
    return await _view(tx, run, number)


async def call_answer(tx: Transaction, run_id: UUID, number: int, by: Principal) -> Called:
    """What became of proposal `number`; asking renews the caller's session. Raises `RunUnknown`, `NotOutside`."""
    run = await last_part(tx, await store.get_run(tx, run_id))
    _check(by, run)
    held = await outside_rows.session_of(tx, run.chain)
    if held is not None and held.live and held.holder == by.actor:
        await outside_rows.renew(tx, run.chain, held.session, LEASE_SECONDS)
    return await _view(tx, run, number)


async def _view(tx: Transaction, run: Run, number: int) -> Called:
    said = await outside_rows.proposal(tx, run.chain, number)
    if said is None:
        raise Invalid(f"nothing was proposed as number {number}")
    if isinstance(said, Finished):
        status: CallStatus = "working" if run.is_open else "done"
        return Called(number=number, tool="finish", status=status, content=run.summary, run_status=run.status)
    steps = (*(await earlier(tx, run)).steps, *await store.steps_of(tx, run.id))
    acts = [step for step in steps if step.kind == "tool" and step.beat == "act"]
    step = acts[number - 1] if number <= len(acts) else None
    if step is not None and step.answer is not None:
        answer = decode_answer(step.answer)
        return Called(
            number=number,
            tool=said.name,
            status=answer.status,
            content=answer.content,
            data=answer.data,
            approval_id=step.approval_id,
            run_status=run.status,
        )
    return Called(
        number=number,
        tool=said.name,
        status=_unanswered(run, step),
        content="" if run.is_open else run.summary,
        approval_id=run.approval_id,
        run_status=run.status,
    )


def _unanswered(run: Run, step: Step | None) -> CallStatus:
    if not run.is_open:
        return "stopped"
    if run.status == "paused":
        return "paused"
    return "waiting" if run.status == "held" or (step is not None and step.state in ("held", "unknown")) else "working"


def _check(by: Principal, run: Run) -> None:
    if run.worker != EXTERNAL:
        raise NotOutside(f"the run is {run.worker or 'no engine'}'s: bind the role to the engine `{EXTERNAL}`")
    if not _may(by, run):
        raise Forbidden("this token is another role's: print one with `flr token --role worker --for ROLE`")


def _may(by: Principal, run: Run) -> bool:
    """A worker's token speaks for one role; founders and services may take any run."""
    return by.rol is not Rol.WORKER or (run.role_id is not None and by.sub == str(run.role_id))

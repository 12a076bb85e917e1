"""What a worker is given: fixed before its first step, so that a replay is told the same."""

import hashlib

import msgspec

from app.canon.agent import Task
from app.canon.contract import Contract
from app.canon.tool import InputFile, ToolSpec
from app.execution_graph import store
from app.execution_graph.drive import Drive
from app.execution_graph.model import Brief, Run
from app.execution_graph.narrowing import offered_tools
from app.execution_graph.runs import run_event
from app.governance_ledger import Event, append
from app.postgres import Transaction
from app.work_queue import TicketInput, inputs_of


async def write_brief(tx: Transaction, drive: Drive, contract: Contract) -> None:
    """Fix task and tools of the run. Event `run.briefed`."""
    text = await compose_brief(tx, drive, contract)
    drive.run = await store.change_run(tx, drive.run.id, brief=text)
    await append(tx, briefed(drive, text))


async def compose_brief(tx: Transaction, drive: Drive, contract: Contract) -> str:
    """The text of task and tools, as the run keeps it."""
    return encode_brief(Brief(await _task(tx, drive, contract), _tools(drive, contract)))


def briefed(drive: Drive, text: str) -> Event:
    """`run.briefed`, of a run whose row has the text; the drive goes on by it."""
    drive.brief = decode_brief(text)
    return briefed_event(drive.run, drive.brief, text, drive.actor)


def briefed_event(run: Run, brief: Brief, text: str, actor: str) -> Event:
    """`run.briefed`, of a run whose row has the brief as this text."""
    data = {"brief_sha256": hashlib.sha256(text.encode()).hexdigest(), "max_steps": brief.task.max_steps}
    return run_event(run, "briefed", actor, data=data)


def encode_brief(brief: Brief) -> str:
    return msgspec.json.encode(brief).decode()


def decode_brief(text: str | bytes) -> Brief:
    return msgspec.json.decode(text, type=Brief)


async def _task(tx: Transaction, drive: Drive, contract: Contract) -> Task:
    ticket, terms = drive.ticket, contract.terms
    given = await inputs_of(tx, ticket.id)
    return Task(
        ticket_id=ticket.id,
        title=ticket.title,
        instructions=ticket.instructions,
        fields=ticket.fields,
        inputs=tuple(_input(file) for file in given),
        role_name=terms.name,
        job_description=terms.job_description,
        procedure=terms.engine.procedure,
        max_steps=terms.engine.max_steps,
        model=terms.engine.model,
    )


def _input(file: TicketInput) -> InputFile:
    return InputFile(file.name, file.media_type, file.size_bytes, file.sha256, file.trusted, file.secret, attached=True)


def _tools(drive: Drive, contract: Contract) -> tuple[ToolSpec, ...]:
    specs = {name: tool.spec for name, tool in drive.runtime.tools.items()}
    return tuple(specs[name] for name in offered_tools(contract, specs, drive.ticket))

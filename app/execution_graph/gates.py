"""The gate at execution time: gathers what the Canon's decision needs, in the transaction of the call."""

import msgspec

from app import clock
from app.canon.constraints import sum_key
from app.canon.contract import AnyOf, Contract, KnownParty, Terms
from app.canon.evidence import EvidenceStore
from app.canon.gate import Proposal, Spent, Verdict, decide
from app.canon.provenance import Provenance, Reading, Trusted
from app.canon.tool import InputFile, ToolSpec
from app.canon.values import texts_at
from app.execution_graph import counting
from app.execution_graph.files import text_of
from app.execution_graph.journal import decode_answer
from app.execution_graph.model import Run, Step
from app.postgres import Transaction
from app.role_registry import known_parties, money_left
from app.work_queue import Ticket


class Judged(msgspec.Struct, frozen=True):
    """A verdict with what it was given for. `left_money` is what remained of the role's tool money before the call."""

    verdict: Verdict
    proposal: Proposal
    contract: Contract
    left_money: dict[str, int]


class Surroundings(msgspec.Struct, frozen=True):
    """What does not change while a run is driven, or changes only by its own steps."""

    run: Run
    ticket: Ticket
    zone: str
    files: dict[InputFile, str]
    texts: dict[str, str]
    steps: tuple[Step, ...]
    store: EvidenceStore

    async def text(self, tx: Transaction, key: str) -> str:
        """A file's text; read once while the run is driven."""
        if key not in self.texts:
            self.texts[key] = await text_of(tx, self.store, key)
        return self.texts[key]


async def judge(tx: Transaction, proposal: Proposal, contract: Contract, around: Surroundings) -> Judged:
    """The gate's decision on one proposed call, on what holds in this transaction."""
    spent = await _spent(tx, proposal, contract.terms, around)
    provenance = await _provenance(tx, proposal, contract.terms, around)
    return Judged(decide(proposal, contract, spent, provenance), proposal, contract, spent.left_money)


async def _spent(tx: Transaction, proposal: Proposal, terms: Terms, around: Surroundings) -> Spent:
    tool, boundary = proposal.tool, terms.boundary
    sums = await _sums(tx, proposal, terms, around.zone)
    left = await money_left(tx, proposal.role_id, proposal.ticket_id) if tool.money else {}
    rate = boundary.calls_per_minute
    return Spent(
        now=clock.now(),
        zone=around.zone,
        sums=sums,
        left_money=left,
        calls_last_minute=0 if rate is None else await counting.calls_last_minute(tx, proposal.role_id),
        narrowed_to=around.run.tools,
    )


async def _sums(tx: Transaction, proposal: Proposal, terms: Terms, zone: str) -> dict[str, int]:
    name = proposal.tool.name
    wanted = [rule for tool in terms.boundary.tools if tool.tool == name for rule in tool.sums]
    if wanted:
        await counting.lock_sums(tx, proposal.role_id, name)
    return {
        sum_key(name, rule): await counting.sum_of_calls(
            tx,
            role_id=proposal.role_id,
            ticket_id=proposal.ticket_id,
            tool=name,
            path=rule.path,
            period=rule.period,
            zone=zone,
        )
        for rule in wanted
    }


async def _provenance(tx: Transaction, proposal: Proposal, terms: Terms, around: Surroundings) -> Provenance:
    if not _goes_outward(proposal.tool):
        return Provenance(await _trusted(tx, proposal.tool, terms, around))
    return Provenance(
        await _trusted(tx, proposal.tool, terms, around),
        readings_of(around.steps),
        await _attached(tx, proposal, around),
    )


def _goes_outward(tool: ToolSpec) -> bool:
    return bool(tool.destinations or tool.text or tool.attachments)


def _asks_parties(tool: ToolSpec, terms: Terms) -> bool:
    """Whether the decision on this tool can depend on known parties; they are not read otherwise."""
    rules = [rule for rule in terms.boundary.tools if rule.tool == tool.name]
    constraints = [one for rule in rules for argument in rule.arguments for one in argument.constraints]
    return _goes_outward(tool) or any(isinstance(one, KnownParty | AnyOf) for one in constraints)


async def _trusted(tx: Transaction, tool: ToolSpec, terms: Terms, around: Surroundings) -> Trusted:
    ticket = around.ticket
    parties = tuple(party.address for party in await known_parties(tx)) if _asks_parties(tool, terms) else ()
    role = f"{terms.job_description}\n{_written_procedure(terms)}"
    files = tuple([await around.text(tx, key) for file, key in around.files.items() if file.trusted])
    if not ticket.founder_wrote:
        return Trusted("", {}, role, parties, files)
    return Trusted(f"{ticket.title}\n{ticket.instructions}", ticket.fields, role, parties, files)


def _written_procedure(terms: Terms) -> str:
    """The procedure's own words: the founder signed them with the role."""
    steps = terms.engine.procedure
    return "\n".join(text for step in steps for name in step.arguments for text in texts_at(step.arguments, name))


def readings_of(steps: tuple[Step, ...]) -> tuple[Reading, ...]:
    """What tools told the worker in this run, in order: untrusted."""
    return tuple(
        Reading(step.step, step.name, _told(step), step.secret)
        for step in steps
        if step.kind == "tool" and step.state == "done" and step.effect != "local" and step.answer is not None
    )


def _told(step: Step) -> str:
    answer = decode_answer(step.answer or "")
    if answer.data is None:
        return answer.content
    return f"{answer.content}\n{msgspec.json.encode(answer.data).decode()}"


async def _attached(tx: Transaction, proposal: Proposal, around: Surroundings) -> dict[str, str]:
    names = {name for path in proposal.tool.attachments for name in texts_at(proposal.arguments, path)}
    return {file.name: await around.text(tx, key) for file, key in around.files.items() if file.name in names}

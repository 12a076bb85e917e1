"""The gate: gathers what the Canon's decision needs, in the caller's transaction.

Execution, the check of a proposal and the backtest of a boundary all pass here.
"""

from datetime import datetime

import msgspec

from app import clock
from app.canon.approval import ApprovalReader
from app.canon.constraints import sum_key
from app.canon.contract import Contract, Terms
from app.canon.evidence import EvidenceStore
from app.canon.gate import Proposal, Spent, Verdict, decide
from app.canon.provenance import Provenance
from app.canon.tool import InputFile
from app.execution_graph import counting
from app.execution_graph.files import text_of
from app.execution_graph.model import Step
from app.execution_graph.sources import Sources, asks_parties, needed_texts, provenance_of
from app.governance_ledger import Keeper
from app.postgres import Transaction
from app.role_registry import Party, known_parties, money_left, signed_parties
from app.work_queue import Ticket


class Judged(msgspec.Struct, frozen=True):
    """A verdict with what it was given for. `left_money` is what remained of the role's tool money before the call."""

    verdict: Verdict
    proposal: Proposal
    contract: Contract
    left_money: dict[str, int]


class Surroundings(msgspec.Struct, frozen=True):
    """What does not change while a run is driven, or changes only by its own steps.

    `inherited` are the secret readings of the work that the ticket was opened in.
    `narrowed_to` are the tools fixed for the run (None: not narrowed). Whoever only looks (`looking`) waits for nobody.
    `at` judges for an earlier moment, on calls and parties up to then (None: now). `assumed_money` stands in for what
    is left of the role's tool money.
    """

    ticket: Ticket
    zone: str
    files: dict[InputFile, str]
    texts: dict[str, str]
    steps: tuple[Step, ...]
    store: EvidenceStore
    narrowed_to: tuple[str, ...] | None = None
    looking: bool = False
    at: datetime | None = None
    assumed_money: dict[str, int] | None = None
    keeper: Keeper | None = None
    inherited: tuple[Step, ...] = ()
    reader: ApprovalReader | None = None

    async def text(self, tx: Transaction, key: str) -> str:
        """A file's text; read once while the run is driven."""
        if key not in self.texts:
            self.texts[key] = await text_of(tx, self.store, key, self.keeper)
        return self.texts[key]


async def judge(tx: Transaction, proposal: Proposal, contract: Contract, around: Surroundings) -> Judged:
    """The gate's decision on one proposed call, on what holds in this transaction."""
    spent = await _spent(tx, proposal, contract.terms, around)
    provenance = await _provenance(tx, proposal, contract.terms, around)
    return Judged(decide(proposal, contract, spent, provenance), proposal, contract, spent.left_money)


async def _spent(tx: Transaction, proposal: Proposal, terms: Terms, around: Surroundings) -> Spent:
    tool, boundary = proposal.tool, terms.boundary
    sums = await _sums(tx, proposal, terms, around)
    left = {} if around.assumed_money is None else around.assumed_money
    if tool.money and around.assumed_money is None:
        left = await money_left(tx, proposal.role_id, proposal.ticket_id)
    rate = boundary.calls_per_minute
    return Spent(
        now=around.at or clock.now(),
        zone=around.zone,
        sums=sums,
        left_money=left,
        calls_last_minute=0 if rate is None else await counting.calls_last_minute(tx, proposal.role_id, around.at),
        narrowed_to=around.narrowed_to,
    )


async def _sums(tx: Transaction, proposal: Proposal, terms: Terms, around: Surroundings) -> dict[str, int]:
    name = proposal.tool.name
    wanted = [rule for tool in terms.boundary.tools if tool.tool == name for rule in tool.sums]
    if wanted and not around.looking:
        await counting.lock_sums(tx, proposal.role_id, name)
    return {
        sum_key(name, rule): await counting.sum_of_calls(
            tx,
            role_id=proposal.role_id,
            ticket_id=proposal.ticket_id,
            tool=name,
            path=rule.path,
            period=rule.period,
            zone=around.zone,
            at=around.at,
        )
        for rule in wanted
    }


async def _parties(tx: Transaction, around: Surroundings) -> tuple[Party, ...]:
    """Whoever acts asks for signatures; whoever only looks believes the rows."""
    return await known_parties(tx) if around.reader is None else await signed_parties(tx, around.reader)


async def _provenance(tx: Transaction, proposal: Proposal, terms: Terms, around: Surroundings) -> Provenance:
    tool, arguments = proposal.tool, proposal.arguments
    known = await _parties(tx, around) if asks_parties(tool, terms) else ()
    parties = tuple(party.address for party in known if around.at is None or party.added_at <= around.at)
    needed = needed_texts(tool, arguments, around.files)
    texts = {file.name: await around.text(tx, around.files[file]) for file in needed}
    sources = Sources(around.ticket, terms, parties, tuple(around.files), texts, around.steps, around.inherited)
    return provenance_of(tool, arguments, sources)

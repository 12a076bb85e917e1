"""A changed boundary held against what a role's workers really asked for: what would have gone otherwise, and why."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta

from app import clock
from app.canon.contract import Boundary, Contract, Terms
from app.canon.errors import Invalid
from app.canon.evidence import EvidenceStore
from app.canon.gate import Allow, Hold, Proposal, Verdict
from app.canon.tool import ToolSpec
from app.canon.validation import require_valid_boundary
from app.canon.vocabulary import Tier
from app.execution_graph.checking import plenty, with_boundary
from app.execution_graph.gates import Surroundings, judge
from app.execution_graph.history import PastCall, files_at, look_only, past_calls, pruned_runs, tool_events
from app.execution_graph.inheriting import inherited_secrets
from app.execution_graph.model import Step
from app.execution_graph.verdicts import LANGUAGES, Sentences, Word, outcome_sentence, reasons
from app.governance_ledger import Keeper, RecordedEvent
from app.postgres import Transaction
from app.role_registry import company, get_role, versions_of
from app.work_queue import Ticket, get_approval, get_ticket

MOST_CALLS = 2000
DEFAULT_DAYS = 30
LONGEST = timedelta(days=400)

Key: TypeAlias = str


class BacktestAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`since` is inclusive (absent: 30 days before), `until` exclusive (absent: now); at most `limit` changes."""

    boundary: Boundary
    since: Annotated[datetime, Meta(tz=True)] | None = None
    until: Annotated[datetime, Meta(tz=True)] | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50


class Outcome(msgspec.Struct, frozen=True):
    """`tier` is a hold's. `decided` is what became of the question: approved, rejected, expired, withdrawn, superseded,
    pending; None where nobody was asked."""

    verdict: Word
    tier: Tier | None = None
    decided: str | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One past call that the new boundary would have judged otherwise. `event_id` is the ledger's last event of it.
    `why` says by language what would become of it and the gravest reason, `reason` that reason alone: none for a call
    that would pass."""

    ticket_id: UUID
    run_id: UUID
    step: int
    event_id: UUID | None
    at: datetime
    tool: str
    arguments: dict[str, object]
    before: Outcome
    after: Outcome
    why: dict[str, str]
    reason: dict[str, str]


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """`before` and `after` count calls by `allow`, `hold:R1`, `hold:R2` and `refuse`. `against` says for each verdict
    then and each decision of the founder how the new boundary judges: `hold:R2/approved` to a count by new verdict.
    `skipped` calls were of tools that are not installed here. Of `pruned_runs` and `erased_runs` nothing is known any
    more but that there were calls: they are not among the `calls`. `more` says that older calls were left out."""

    role_id: UUID
    since: datetime
    until: datetime
    calls: int
    skipped: int
    pruned_runs: int
    erased_runs: int
    more: bool
    before: dict[Key, int]
    after: dict[Key, int]
    against: dict[Key, dict[Key, int]]
    changed: int
    changes: tuple[Change, ...]
    approximated: Sentences


APPROXIMATED: Sentences = {
    "en": (
        "Sums and rates count the calls that were really made before, not those the new boundary would let through.",
        "Known parties are those of today that were known by then; parties removed since are missing.",
        "Budgets are taken as sufficient; tools are taken as they are declared today.",
        "Each call is judged alone: what a worker would have done after another answer is not known.",
    ),
    "id": (
        "Jumlah dan laju menghitung panggilan yang benar-benar terjadi sebelumnya, bukan yang diloloskan batas baru.",
        "Pihak dikenal adalah pihak hari ini yang waktu itu sudah dikenal; pihak yang sudah dihapus tidak dihitung.",
        "Anggaran dianggap cukup; alat dianggap seperti dinyatakan hari ini.",
        "Setiap panggilan dinilai sendiri: apa yang dilakukan pekerja setelah jawaban lain tidak diketahui.",
    ),
}


async def backtest(
    tx: Transaction,
    role_id: UUID,
    asked: BacktestAsked,
    *,
    tools: Mapping[str, ToolSpec],
    store: EvidenceStore,
    keeper: Keeper | None = None,
    most: int = MOST_CALLS,
) -> Backtest:
    """How `asked.boundary` would have judged the role's calls of that time, at most the newest `most`. Each is judged
    on what was there at its moment: answers of earlier steps, the ticket's files, the role's text. Reads only.

    Raises `Invalid` (the span), `InvalidTerms`, `RoleUnknown`.
    """
    await look_only(tx)
    await get_role(tx, role_id)
    require_valid_boundary(asked.boundary, tools)
    until = asked.until or clock.now()
    since = asked.since or until - timedelta(days=DEFAULT_DAYS)
    if not timedelta() < until - since <= LONGEST:
        raise Invalid("since lies before until, by at most 400 days")
    calls = await past_calls(tx, role_id, since=since, until=until, most=most + 1)
    replay = _Replay(tx, role_id, asked.boundary, tools, store, keeper)
    await replay.prepare()
    for call in calls[:most]:
        await replay.judge(call)
    pruned = await pruned_runs(tx, role_id, since=since, until=until)
    return replay.result(since, until, limit=asked.limit, more=len(calls) > most, pruned=pruned)


class _Replay:
    """Judges one past call after the other, and counts."""

    def __init__(
        self,
        tx: Transaction,
        role_id: UUID,
        boundary: Boundary,
        tools: Mapping[str, ToolSpec],
        store: EvidenceStore,
        keeper: Keeper | None,
    ) -> None:
        self._tx, self._role_id, self._boundary, self._tools = tx, role_id, boundary, tools
        self._store, self._keeper = store, keeper
        self._terms: dict[int, Terms] = {}
        self._zone = ""
        self._texts: dict[str, str] = {}
        self._events: dict[UUID, dict[int, list[RecordedEvent]]] = {}
        self._pairs: list[tuple[Outcome, Outcome]] = []
        self._changes: list[Change] = []
        self._skipped = 0
        self._tickets: dict[UUID, Ticket] = {}
        self._secrets: dict[UUID, tuple[Step, ...]] = {}
        self._erased: set[UUID] = set()

    async def prepare(self) -> None:
        self._zone = (await company(self._tx)).time_zone
        self._terms = {version.version: version.terms for version in await versions_of(self._tx, self._role_id)}

    async def judge(self, call: PastCall) -> None:
        ticket = await self._ticket(call.ticket_id)
        if ticket.erased_at is not None:
            self._erased.add(call.run_id)
            return
        tool = self._tools.get(call.step.name)
        terms = self._terms.get(call.version)
        if tool is None or terms is None or not call.step.request:
            self._skipped += 1
            return
        arguments = json.loads(call.step.request)["arguments"]
        proposal = Proposal(
            self._tx.tenant, self._role_id, call.ticket_id, call.run_id, call.step.step, tool, arguments
        )
        verdict = await self._verdict(call, proposal, with_boundary(terms, self._boundary))
        if call.run_id not in self._events:
            self._events[call.run_id] = await tool_events(self._tx, call.run_id)
        events = self._events[call.run_id].get(call.step.step, [])
        before, after = await self._happened(call, events), _outcome(verdict)
        self._pairs.append((before, after))
        if (before.verdict, before.tier) != (after.verdict, after.tier):
            self._changes.append(self._change(call, proposal, verdict, before, after, events))

    async def _ticket(self, ticket_id: UUID) -> Ticket:
        if ticket_id not in self._tickets:
            self._tickets[ticket_id] = await get_ticket(self._tx, ticket_id)
        return self._tickets[ticket_id]

    async def _inherited(self, ticket: Ticket) -> tuple[Step, ...]:
        if ticket.id not in self._secrets:
            self._secrets[ticket.id] = await inherited_secrets(self._tx, ticket)
        return self._secrets[ticket.id]

    async def _verdict(self, call: PastCall, proposal: Proposal, terms: Terms) -> Verdict:
        at = call.step.planned_at
        ticket = await self._ticket(call.ticket_id)
        around = Surroundings(
            ticket=ticket,
            zone=self._zone,
            files=await files_at(self._tx, call.ticket_id, at),
            texts=self._texts,
            steps=call.before,
            store=self._store,
            looking=True,
            at=at,
            assumed_money=plenty(terms),
            keeper=self._keeper,
            inherited=tuple(step for step in await self._inherited(ticket) if step.planned_at < at),
        )
        contract = Contract(self._role_id, call.version, terms, "", "")
        return (await judge(self._tx, proposal, contract, around)).verdict

    async def _happened(self, call: PastCall, events: list[RecordedEvent]) -> Outcome:
        """What the ledger says of the gate's first verdict, and of the founder's decision."""
        for event in events:
            if event.type == "tool.refused":
                return Outcome("refuse")
            if event.type == "tool.held":
                approval = await get_approval(self._tx, UUID(str(event.data["approval_id"])))
                return Outcome("hold", Tier(str(event.data["tier"])), approval.status)
            if event.type == "tool.rejected":
                return Outcome("hold", None, "rejected")
        return Outcome("allow")

    def _change(
        self,
        call: PastCall,
        proposal: Proposal,
        verdict: Verdict,
        before: Outcome,
        after: Outcome,
        events: list[RecordedEvent],
    ) -> Change:
        said = {language: reasons(verdict, proposal.tool.name, self._tools, language)[:1] for language in LANGUAGES}
        return Change(
            ticket_id=call.ticket_id,
            run_id=call.run_id,
            step=call.step.step,
            event_id=events[-1].event_id if events else None,
            at=call.step.planned_at,
            tool=call.step.name,
            arguments=proposal.arguments,
            before=before,
            after=after,
            why={
                language: " ".join((outcome_sentence(after.verdict, after.tier, language), *said[language]))
                for language in LANGUAGES
            },
            reason={language: "".join(said[language]) for language in LANGUAGES},
        )

    def result(self, since: datetime, until: datetime, *, limit: int, more: bool, pruned: int) -> Backtest:
        against: dict[str, Counter[str]] = {}
        for before, after in self._pairs:
            said = f"{_key(before)}/{before.decided}" if before.decided else _key(before)
            against.setdefault(said, Counter())[_key(after)] += 1
        return Backtest(
            role_id=self._role_id,
            since=since,
            until=until,
            calls=len(self._pairs),
            skipped=self._skipped,
            pruned_runs=pruned,
            erased_runs=len(self._erased),
            more=more,
            before=dict(Counter(_key(before) for before, _ in self._pairs)),
            after=dict(Counter(_key(after) for _, after in self._pairs)),
            against={said: dict(counts) for said, counts in against.items()},
            changed=len(self._changes),
            changes=tuple(self._changes[:limit]),
            approximated=APPROXIMATED,
        )


def _outcome(verdict: Verdict) -> Outcome:
    if isinstance(verdict, Allow):
        return Outcome("allow")
    return Outcome("hold", verdict.tier) if isinstance(verdict, Hold) else Outcome("refuse")


def _key(outcome: Outcome) -> Key:
    return f"hold:{outcome.tier}" if outcome.tier else outcome.verdict

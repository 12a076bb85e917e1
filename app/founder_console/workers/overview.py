"""The company's AI employees as a founder sees them: what each does now, may do, may spend, and has done."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from app.canon.contract import Terms, ToolRule
from app.canon.sentences import boundary_sentences, rule_sentence
from app.canon.vocabulary import Money
from app.founder_console.cards.story import with_acts
from app.founder_console.naming import Line, Naming
from app.founder_console.workers.contracts import engine_of
from app.founder_console.workers.ladders import ladder_sentences
from app.governance_ledger import EventFilter, read_events
from app.postgres import Transaction
from app.role_registry import BudgetState, Metric, Role, budgets_of, evaluation_of, versions_of
from app.work_queue import Approval, Ticket, list_tickets

State: TypeAlias = Literal["working", "waiting", "idle", "paused", "proposed", "retired"]
Mode: TypeAlias = Literal["allow", "ask", "deny"]

TONES: dict[State, str] = {"working": "go", "waiting": "wait", "paused": "stop", "proposed": "wait"}
EVALUATION_DAYS = 30
NOISE = ("approval.shown", "approval.opened", "model.", "run.", "tool.held", "tool.intended")
# What a founder looks at first: model money by the day, then the month, then anything else that is capped.
CAP_ORDER = (("usd_micros", "day"), ("usd_micros", "month"), ("money", "day"), ("money", "month"))


class Cap(msgspec.Struct, frozen=True):
    """One budget line in its present period. `percent` counts what is set aside too."""

    label: str
    spent: str
    limit: str
    percent: int


class WorkerRow(msgspec.Struct, frozen=True, kw_only=True):
    """A worker in the list."""

    id: UUID
    name: str
    job: str
    state: State
    tone: str
    now_doing: str
    cap: Cap | None
    active: bool
    pending_approval: UUID | None


class Rule(msgspec.Struct, frozen=True):
    """One sentence of the boundary, with the sign that stands before it."""

    mode: Mode
    text: str


class ContractView(msgspec.Struct, frozen=True, kw_only=True):
    """The contract in force, or the one that waits for a signature."""

    rules: tuple[Rule, ...]
    job_description: str
    version: int
    signed_at: datetime | None
    engine: str
    digest: str
    ladder: tuple[str, ...]


async def rows(
    tx: Transaction, roles: Sequence[Role], waiting: Sequence[Approval], naming: Naming, *, all_paused: bool
) -> tuple[WorkerRow, ...]:
    """Every role that is not retired, those who wait for the founder first."""
    order: dict[State, int] = {"waiting": 0, "proposed": 1, "working": 2, "idle": 3, "paused": 4, "retired": 5}
    found = [
        await row_of(tx, role, waiting, naming, all_paused=all_paused) for role in roles if role.status != "retired"
    ]
    return tuple(sorted(found, key=lambda row: (order[row.state], row.name.casefold())))


async def row_of(
    tx: Transaction, role: Role, waiting: Sequence[Approval], naming: Naming, *, all_paused: bool
) -> WorkerRow:
    """One worker's line: its state follows from its status, its tickets and what it has asked."""
    held = (await list_tickets(tx, status="held", role_id=role.id, limit=1)).items
    working = (await list_tickets(tx, status="working", role_id=role.id, limit=1)).items
    asks = any(approval.role_id == role.id and approval.kind not in ("hire", "amend") for approval in waiting)
    state = _state(role, bool(working), bool(held) or asks, all_paused)
    doing: tuple[Ticket, ...] = tuple(held) or tuple(working)
    return WorkerRow(
        id=role.id,
        name=role.name,
        job=naming.job(role.id),
        state=state,
        tone=TONES.get(state, ""),
        now_doing=doing[0].title if doing else "",
        cap=_first_cap(await budgets_of(tx, role.id), naming),
        active=role.status in ("active", "paused"),
        pending_approval=role.pending.approval_id if role.pending else None,
    )


def _state(role: Role, working: bool, waits: bool, all_paused: bool) -> State:
    if role.status in ("proposed", "retired"):
        return role.status
    if role.status == "paused" or all_paused:
        return "paused"
    return "waiting" if waits else "working" if working else "idle"


def _first_cap(states: Sequence[BudgetState], naming: Naming) -> Cap | None:
    for unit, period in CAP_ORDER:
        for state in states:
            if (state.unit, state.period) == (unit, period) and state.limit:
                return cap_of(state, naming)
    dated = [state for state in states if state.period != "ticket" and state.limit]
    return cap_of(dated[0], naming) if dated else None


def cap_of(state: BudgetState, naming: Naming) -> Cap:
    """A budget line in words."""
    words = naming.words
    used = state.spent + state.reserved
    percent = min(round(100 * used / state.limit), 100) if state.limit else 100
    label = f"{words(f'budget.{state.unit}')} {words(f'period.{state.period}')}"
    return Cap(label, _amount(state, used, naming), _amount(state, state.limit, naming), percent)


def _amount(state: BudgetState, value: int, naming: Naming) -> str:
    if state.unit == "usd_micros":
        return naming.formats.usd(value)
    if state.unit == "money" and state.currency:
        return naming.formats.money(Money(value, state.currency))
    return naming.formats.number(value)


async def caps(tx: Transaction, role: Role, naming: Naming) -> tuple[Cap, ...]:
    """Every limit that has a period of its own; what is limited for each ticket stands in the contract."""
    return tuple(cap_of(state, naming) for state in await budgets_of(tx, role.id) if state.period != "ticket")


async def contract_of(tx: Transaction, role: Role, naming: Naming) -> ContractView | None:
    """What is in force; before the first signature, what would be."""
    terms = role.terms or (role.pending.terms if role.pending else None)
    if terms is None:
        return None
    versions = await versions_of(tx, role.id)
    signed_at = next((one.signed_at for one in versions if one.version == role.version), None)
    return ContractView(
        rules=rules_of(terms, naming),
        job_description=terms.job_description,
        version=role.version,
        signed_at=signed_at,
        engine=engine_of(terms, naming),
        digest=terms.digest(),
        ladder=ladder_sentences(terms.escalation, naming),
    )


def rules_of(terms: Terms, naming: Naming) -> tuple[Rule, ...]:
    """The boundary as sentences; what stands beside the tools is a rule of asking, the last line one of refusing."""
    language = naming.words.language
    tools = [Rule(_mode(rule), rule_sentence(rule, language, naming.labels)) for rule in terms.boundary.tools]
    rest = boundary_sentences(terms.boundary, language, naming.labels)[len(tools) :]
    return (*tools, *(Rule("ask", text) for text in rest[:-1]), *(Rule("deny", text) for text in rest[-1:]))


def _mode(rule: ToolRule) -> Mode:
    return rule.mode


async def facts(tx: Transaction, role: Role, naming: Naming) -> tuple[tuple[str, str], ...]:
    """The evaluation of the last 30 days, without figures that say nothing."""
    now = naming.formats.now
    found = await evaluation_of(
        tx, role.id, since=now - timedelta(days=EVALUATION_DAYS), until=now + timedelta(seconds=1)
    )
    told = [metric for metric in found.metrics if metric.value]
    return tuple((naming.words(f"metric.{metric.name}"), _figure(metric, naming)) for metric in told)


def _figure(metric: Metric, naming: Naming) -> str:
    value, formats = metric.value or 0, naming.formats
    if metric.unit == "usd_micros":
        return formats.usd(value)
    if metric.unit == "seconds":
        return formats.span(timedelta(seconds=value))
    if metric.unit.startswith("minor "):
        return formats.money(Money(value, metric.unit.removeprefix("minor ")))
    if metric.name == "sla_met":
        return naming.words("of", n=formats.number(value), all=formats.number(metric.of or 0))
    return formats.number(value)


async def trail(tx: Transaction, tickets: Sequence[Ticket], naming: Naming, *, most: int = 8) -> tuple[Line, ...]:
    """What was last done on these tickets, newest first."""
    found = [
        event
        for ticket in tickets
        for event in (await read_events(tx, EventFilter(ticket_id=ticket.id), limit=60)).items
        if not event.type.startswith(NOISE)
    ]
    newest = sorted(found, key=lambda event: event.n, reverse=True)[:most]
    named = await with_acts(tx, naming, newest)
    return tuple(named.line(event) for event in newest)

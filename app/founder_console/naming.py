"""Who and what, in words: people, workers, tools, and one line for each ledger event."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from app.canon.acts import labels_of
from app.canon.contract import BudgetLimit
from app.canon.digits import whole_number
from app.canon.facts import Fact
from app.canon.mandate import Mandate
from app.canon.reasons import reason_sentence
from app.canon.sentences import Labels, budget_sentence
from app.canon.tool import ToolSpec
from app.canon.vocabulary import Money, Risk
from app.founder_console.formats import Formats
from app.founder_console.model import Founder
from app.founder_console.wording import Words
from app.governance_ledger import RecordedEvent
from app.role_registry import Role

FAILURES = ("tool.failed", "tool.unknown")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One event as one sentence. `detail` says why, `said` is what a tool itself said of it, in its own language."""

    event_id: UUID
    type: str
    at: datetime
    text: str
    who: str
    tone: str = ""
    detail: str = ""
    said: str = ""
    approval_id: str | None = None


class Naming(msgspec.Struct, frozen=True, kw_only=True):
    """Names of one page. `acts` maps an approval's id to its sentence where the page has read it.

    `mandate` is what whoever looks may decide, None for a founder.
    """

    words: Words
    formats: Formats
    me: UUID
    founders: tuple[Founder, ...]
    roles: Mapping[UUID, Role]
    tools: Mapping[str, ToolSpec] = {}
    acts: Mapping[str, str] = {}
    mandate: Mandate | None = None

    def worker(self, role_id: object) -> str:
        """The name of a role; empty for none."""
        role = self.roles.get(_uuid(role_id)) if role_id else None
        return role.name if role else ""

    def job(self, role_id: UUID | None) -> str:
        role = self.roles.get(role_id) if role_id else None
        terms = role and (role.terms or (role.pending and role.pending.terms))
        return terms.title if terms else ""

    def person(self, actor: str | None) -> str:
        """Who is behind `founder:01…`, `worker:01…`, `system:…`."""
        kind, _, name = (actor or "").partition(":")
        if kind in ("founder", "deputy"):
            founder = next((one for one in self.founders if str(one.id) == name), None)
            return (
                self.words("founder") if name == str(self.me) else founder.name if founder else self.words("somebody")
            )
        if kind in ("worker", "role"):
            return self.worker(name) or self.words("worker")
        return self.words("service") if kind in ("service", "operator", "auditor") else self.words("system")

    def tool(self, name: object) -> str:
        """What is done with a tool: `send e-mail`; with one that is not ours, its name. Empty for none."""
        key = f"tool.{name}"
        if self.words.has(key):
            return self.words(key)
        return self.words("use_other", name=name) if name else ""

    def budget(self, unit: str, period: str) -> str:
        """A budget inside a sentence: `tool calls today`."""
        return f"{self.words(f'budget.{unit}')} {self.words(f'period.{period}')}".lower()

    @property
    def labels(self) -> Labels:
        """What each tool does, for the sentences of rules and reasons."""
        return labels_of(self.tools, self.words.language)

    def irreversible(self, tool: str | None) -> bool:
        """Whether a tool's effect stays. What is not known is taken for the worse."""
        if tool is None:
            return False
        spec = self.tools.get(tool)
        return spec is None or spec.risk in (Risk.IRREVERSIBLE, Risk.MONEY, Risk.OUTBOUND)

    def line(self, event: RecordedEvent) -> Line:
        """The event in the founder's language; a type that no catalogue knows stands as it is."""
        key = f"ev.{_key(event)}"
        text = self.words(key, **self._values(event)) if self.words.has(key) else event.type
        approval = event.data.get("approval_id")
        return Line(
            event_id=event.event_id,
            type=event.type,
            at=event.occurred_at,
            text=text.removesuffix(": "),
            who=self.person(event.actor),
            tone=tone_of(event),
            detail=self.cause(event) or self._why(event),
            said=_said(event),
            approval_id=str(approval) if approval else None,
        )

    def cause(self, event: RecordedEvent) -> str:
        """Why the runtime ended a run, in the founder's language; empty where the worker did, or it is no end."""
        key = f"run.cause.{event.data.get('cause') or ''}"
        return self.words(key) if self.words.has(key) else ""

    def _why(self, event: RecordedEvent) -> str:
        """What an event says of itself: the gate's reason in the founder's words, else what a person or a tool said."""
        facts = _facts(event)
        if facts:
            tool = str(event.data.get("tool") or "")
            return reason_sentence(facts[0], tool, self.words.language, self.labels)
        if event.type in FAILURES:
            return self._failure(event)
        line = _line_asked(event)
        return budget_sentence(line, self.words.language) if line else _detail(event)

    def _failure(self, event: RecordedEvent) -> str:
        """What befell a call, by its code; a sentence that asks for facts which the event does not hold is not told."""
        if event.type == "tool.unknown":
            return self.words("failure.lost")
        code, table = event.data.get("code"), self.words.table
        known = (table.get(f"failure.{code}", ""), table.get(f"refusal.{code}", ""))
        return next((sentence for sentence in known if sentence and "{" not in sentence), self.words("failure.tool"))

    def _values(self, event: RecordedEvent) -> dict[str, object]:
        data = event.data
        worker = self.worker(data.get("role_id")) or self.person(event.actor)
        return {
            "title": data.get("title", ""),
            "worker": worker,
            "tool": self.tool(data.get("tool")),
            "name": data.get("name") or data.get("label") or self._mandated(data) or worker,
            "act": self._act(event, worker),
            "amount": self.formats.money(amount) if (amount := revenue_of(event)) else "",
        }

    def _mandated(self, data: Mapping[str, object]) -> str:
        """Whose mandate an event tells of; empty for none."""
        mandate, person = data.get("mandate"), str(data.get("person", ""))
        if isinstance(mandate, dict):
            return str(mandate.get("name", ""))
        return next((one.name for one in self.founders if str(one.id) == person), "")

    def _act(self, event: RecordedEvent, worker: str) -> str:
        asked = questions_of(event)
        if asked and (known := self.acts.get(asked[0])):
            return f"{known} {self.words('say.and_more', n=len(asked) - 1)}" if len(asked) > 1 else known
        kind, tool = str(event.data.get("kind", "")), self.tool(event.data.get("tool"))
        if tool:
            return self.words("ev.tool.done", worker=worker, tool=tool)
        what = self.words(f"kind.{kind}") if self.words.has(f"kind.{kind}") else kind
        return f"{worker}: {what}" if event.data.get("role_id") else what


def questions_of(event: RecordedEvent) -> tuple[str, ...]:
    """The ids of the questions that an event tells of."""
    several = event.data.get("approval_ids")
    named = several if isinstance(several, list) else [event.data.get("approval_id")]
    return tuple(str(one) for one in named if one)


def _key(event: RecordedEvent) -> str:
    if event.type == "approval.decided":
        return "approval.approved" if event.data.get("decision") == "approve" else "approval.rejected"
    return event.type


def _said(event: RecordedEvent) -> str:
    return str(event.data.get("error") or "")[:280] if event.type in FAILURES else ""


def tone_of(event: RecordedEvent) -> str:
    """How a trail marks the event: `good`, `wait`, `bad` or nothing."""
    key = _key(event)
    if key in ("ticket.done", "tool.done", "approval.approved", "revenue.recorded", "role.hired", "run.done"):
        return "good"
    if key in ("approval.raised", "ticket.held", "tool.held", "approval.undone"):
        return "wait"
    ends = ("refused", "failed", "rejected", "unknown", "expired", "cancelled", "diverged", "dead_lettered")
    return "bad" if key.rpartition(".")[2] in ends else ""


def _facts(event: RecordedEvent) -> tuple[Fact, ...]:
    try:
        return msgspec.convert(event.data.get("facts") or (), tuple[Fact, ...])
    except msgspec.ValidationError:
        return ()


def _line_asked(event: RecordedEvent) -> BudgetLimit | None:
    """The budget line that is asked for, in place of a runtime's English."""
    try:
        return msgspec.convert(event.data["line"], BudgetLimit) if event.type == "budget.raise_asked" else None
    except (KeyError, msgspec.ValidationError):
        return None


def _detail(event: RecordedEvent) -> str:
    """What somebody said. Why a question was taken back, or a ticket cancelled, says the runtime, in English: the line
    itself tells it."""
    if event.type in ("approval.withdrawn", "approval.superseded", "ticket.cancelled"):
        return ""
    for name in ("reason", "result", "summary"):
        said = event.data.get(name)
        if isinstance(said, str) and said:
            return said[:280]
    return ""


def revenue_of(event: RecordedEvent) -> Money | None:
    """The amount of a `revenue.recorded` event."""
    minor, currency = event.data.get("amount_minor"), event.data.get("currency")
    if event.type != "revenue.recorded" or not isinstance(currency, str):
        return None
    return Money(whole(minor), currency)


def money_of(event: RecordedEvent) -> Money | None:
    """The tool money of an event."""
    money = event.data.get("money")
    if not isinstance(money, dict) or not isinstance(money.get("currency"), str):
        return None
    return Money(whole(money.get("minor")), money["currency"])


def sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]


def whole(value: object) -> int:
    """An integer that was written as a number or, as money is, as text; 0 for anything else."""
    return (whole_number(str(value)) or 0) if isinstance(value, int | str) else 0


def as_uuid(text: str) -> UUID | None:
    """None for what is no id."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _uuid(value: object) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        return UUID(int=0)

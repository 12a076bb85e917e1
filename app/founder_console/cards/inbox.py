"""What waits for the founder: approvals as cards, most urgent first."""

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.canon.contract import Terms
from app.canon.facts import Fact
from app.canon.mandate import beyond
from app.canon.reasons import in_words, reason_sentence
from app.canon.sentences import boundary_sentences, budget_sentence
from app.canon.tool import ToolSpec
from app.canon.vocabulary import Money, Tier
from app.founder_console.cards.arguments import argument_rows, edited_rows
from app.founder_console.cards.contract_changes import changes_boundary, contract_row, party_row
from app.founder_console.cards.server_changes import server_rows
from app.founder_console.naming import Naming, sentence_case
from app.postgres import Transaction
from app.work_queue import Approval, list_approvals

ALERTS = frozenset(
    {"secret", "credential", "unreadable", "destination", "money_over_cap", "money_uncapped", "known_party", "sum"}
)
_SENTENCE_END = re.compile(r"(?<=[.?!]) ")
MOST_FACTS = 3


class Chip(msgspec.Struct, frozen=True):
    """One fact, computed by code: short on the card, whole in the detail."""

    text: str
    alert: bool
    sentence: str


class Change(msgspec.Struct, frozen=True):
    field: str
    before: str
    after: str


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """An approval as the founder reads it. `act` and `rest` joined by a space are exactly the text that is signed."""

    id: UUID
    version: int
    kind: str
    tier: str
    status: str
    worker: str
    job: str
    role_id: UUID | None
    act: str
    rest: str
    reversible: bool
    money: Money | None
    left_after: Money | None
    ceiling: str
    facts: tuple[Chip, ...]
    tainted: tuple[str, ...]
    change: tuple[Change, ...]
    arguments: tuple[tuple[str, str], ...]
    sentences: tuple[str, ...]
    alike: int
    ticket_id: UUID | None
    ticket_title: str
    tool: str | None
    does: str
    payload_digest: str
    raised_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    decided_by: str
    reason: str
    frozen: bool
    undo_seconds: int
    undo_seconds_left: int
    undo_until: datetime | None
    editable: bool
    retryable: bool
    weighable: bool
    superseded_by: UUID | None
    quorum: int = 1
    votes: str = ""
    precedents: str = ""
    alert_precedents: bool = False
    beyond: str = ""

    @property
    def open(self) -> bool:
        return self.status == "pending"


async def pending(tx: Transaction) -> tuple[Approval, ...]:
    """All that waits, in the order in which it should be read: deadline, then money at stake."""
    found: list[Approval] = []
    cursor = None
    while True:
        page = await list_approvals(tx, status="pending", after=cursor, limit=200)
        found += page.items
        if page.next_cursor is None:
            return tuple(sorted(found, key=_urgency))
        cursor = page.next_cursor


def _urgency(approval: Approval) -> tuple[bool, datetime, bool, int, datetime]:
    """Within the same hour what can hurt more comes first."""
    hour = approval.expires_at.replace(minute=0, second=0, microsecond=0)
    stake = -(approval.money.minor if approval.money else 0)
    return approval.frozen_at is not None, hour, approval.tier is not Tier.R2, stake, approval.expires_at


def cards_of(approvals: Sequence[Approval], naming: Naming) -> tuple[Card, ...]:
    """One card for each act: equal pending acts of tier R1 share the oldest one's place."""
    alike = Counter(approval.act_digest for approval in approvals)
    seen: set[str] = set()
    cards = []
    for approval in approvals:
        if approval.tier is Tier.R1 and approval.act_digest in seen:
            continue
        seen.add(approval.act_digest)
        cards.append(card_of(approval, naming, alike=alike[approval.act_digest] if approval.tier is Tier.R1 else 1))
    return tuple(cards)


def text_of(approval: Approval, language: str) -> str:
    """The sentence that is shown and signed."""
    texts = approval.payload.get("text")
    if not isinstance(texts, dict):
        return approval.tool or approval.kind
    return str(texts.get(language) or texts.get("en") or next(iter(texts.values()), approval.kind))


def act_of(approval: Approval, language: str) -> str:
    """The first sentence of what is shown and signed: what would be done."""
    return _split(text_of(approval, language))[0]


def _asker(approval: Approval, naming: Naming) -> str:
    """Who asks where no worker does: the founder, for what founders sign among themselves."""
    return naming.person(approval.raised_by) if approval.raised_by.startswith(("founder:", "deputy:")) else ""


def card_of(approval: Approval, naming: Naming, *, alike: int = 1) -> Card:
    """The approval in the page's words."""
    payload = approval.payload
    act, _, rest = _split(text_of(approval, naming.words.language))
    facts = _facts(payload)
    now = naming.formats.now
    undo_until = approval.effective_at if _undoable(approval, now) else None
    terms, tool = _terms(payload), naming.tools.get(approval.tool or "")
    return Card(
        id=approval.id,
        version=approval.version,
        kind=approval.kind,
        tier=str(approval.tier),
        status=_status(approval, now),
        worker=naming.worker(approval.role_id) or _named(payload, "role", "name") or _asker(approval, naming),
        job=naming.job(approval.role_id),
        role_id=approval.role_id,
        act=act,
        rest=rest,
        reversible=not naming.irreversible(approval.tool),
        money=approval.money,
        left_after=_money(payload.get("left_after")),
        ceiling="",
        facts=tuple(_chip(fact, approval, naming) for fact in facts[:MOST_FACTS]),
        tainted=tuple(_origin(fact, naming) for fact in facts[1:] if fact.source_tool),
        change=() if terms and approval.kind == "hire" else _changes(payload, tool, naming),
        arguments=argument_rows(payload, tool, naming.words.language),
        sentences=_sentences(terms, naming) if terms else (),
        alike=alike,
        ticket_id=approval.ticket_id,
        ticket_title=_named(payload, "ticket", "title"),
        tool=approval.tool,
        does=sentence_case(naming.tool(approval.tool)),
        payload_digest=approval.payload_digest,
        raised_at=approval.raised_at,
        expires_at=approval.expires_at,
        decided_at=approval.decided_at,
        decided_by=naming.person(approval.decided_by) if approval.decided_by else "",
        reason=approval.reason,
        frozen=approval.frozen_at is not None,
        undo_seconds=approval.undo_seconds,
        undo_seconds_left=max(round((undo_until - now).total_seconds()), 1) if undo_until else 0,
        undo_until=undo_until,
        editable=_editable(approval, naming),
        retryable=approval.kind == "unknown_outcome" and approval.run_id is not None,
        weighable=approval.kind == "amend" and changes_boundary(payload.get("change")),
        superseded_by=approval.superseded_by,
        quorum=approval.quorum,
        beyond=_beyond(approval, naming),
    )


def _beyond(approval: Approval, naming: Naming) -> str:
    """Why a deputy may not approve this; empty where they may, and for founders."""
    if naming.mandate is None:
        return ""
    role = None if approval.role_id is None else str(approval.role_id)
    why = beyond(
        naming.mandate,
        tier=approval.tier,
        kind=approval.kind,
        role_id=role,
        money=approval.money,
        at=naming.formats.now,
    )
    return "" if why is None else naming.words(f"refusal.mandate.beyond.{why}")


def _editable(approval: Approval, naming: Naming) -> bool:
    """A held call that whoever looks may decide; one that is to be made again is what it was."""
    held = approval.kind == "tool_call" and approval.run_id is not None and "again" not in approval.payload
    return held and approval.tool in naming.tools and not _beyond(approval, naming)


def _split(text: str) -> tuple[str, str, str]:
    """The first sentence and the rest; joined by a space they are the text again."""
    found = _SENTENCE_END.search(text)
    return (text, "", "") if found is None else (text[: found.start()], " ", text[found.end() :])


def _status(approval: Approval, now: datetime) -> str:
    return "expired" if approval.overdue(now) else approval.status


def _undoable(approval: Approval, now: datetime) -> bool:
    return approval.status == "approved" and approval.consumed_at is None and not approval.in_effect(now)


def _facts(payload: dict[str, object]) -> tuple[Fact, ...]:
    try:
        return msgspec.convert(payload.get("facts") or (), tuple[Fact, ...])
    except msgspec.ValidationError:
        return ()


def _terms(payload: dict[str, object]) -> Terms | None:
    if payload.get("terms") is None:
        return None
    try:
        return msgspec.convert(payload["terms"], Terms)
    except msgspec.ValidationError:
        return None


def _sentences(terms: Terms, naming: Naming) -> tuple[str, ...]:
    language = naming.words.language
    limits = tuple(budget_sentence(limit, language) for limit in terms.budget)
    return (*boundary_sentences(terms.boundary, language, naming.labels), *limits)


def _chip(fact: Fact, approval: Approval, naming: Naming) -> Chip:
    key = f"code.{fact.code}"
    said = in_words(fact, naming.words.language)
    values = {"value": _short(said.value), "wanted": _short(said.wanted), "path": fact.path}
    text = naming.words(key, **values) if naming.words.has(key) else fact.code
    sentence = reason_sentence(fact, approval.tool or "", naming.words.language, naming.labels)
    return Chip(text, fact.code in ALERTS, sentence)


def _origin(fact: Fact, naming: Naming) -> str:
    value, tool = _short(fact.value), naming.tool(fact.source_tool)
    if fact.source_step is None:
        return naming.words("because.tainted_before", value=value, tool=tool)
    return naming.words("because.tainted", value=value, tool=tool, step=fact.source_step)


def _short(text: str) -> str:
    return text if len(text) <= 44 else f"{text[:43]}…"


def _money(value: object) -> Money | None:
    try:
        return None if value is None else msgspec.convert(value, Money)
    except msgspec.ValidationError:
        return None


def _named(payload: dict[str, object], part: str, name: str) -> str:
    value = payload.get(part)
    return str(value.get(name, "")) if isinstance(value, dict) else ""


def _changes(payload: dict[str, object], tool: ToolSpec | None, naming: Naming) -> tuple[Change, ...]:
    changes: Any = payload.get("change") or ()
    if payload.get("kind") == "tool_server":
        with suppress(msgspec.ValidationError):
            return tuple(Change(*row) for one in changes for row in server_rows(one, naming.words))
    if payload.get("terms") is not None:
        return tuple(Change(*contract_row(one, naming)) for one in changes if isinstance(one, dict))
    if payload.get("kind") == "party":
        return tuple(Change(*party_row(one, naming.words)) for one in changes if isinstance(one, dict))
    return tuple(Change(*row) for row in edited_rows(payload, tool, naming.words.language))

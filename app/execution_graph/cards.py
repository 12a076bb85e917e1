"""What a founder is shown and signs: the payload of each kind of approval that a run raises, in two languages."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from app import clock
from app.canon.acts import act_sentence, labels_of
from app.canon.canonical_json import digest
from app.canon.contract import Contract, Terms
from app.canon.gate import Hold, Proposal
from app.canon.reasons import reason_sentence
from app.canon.sentences import budget_sentence
from app.canon.tool import Arguments, ToolSpec
from app.canon.values import shown, texts_at
from app.canon.vocabulary import Money, Tier
from app.execution_graph.gates import Judged
from app.work_queue import Approval, NewApproval, Ticket

Language = Literal["id", "en"]
Texts = dict[str, str]

MOST_PLACES = 4
UNKNOWN_DAYS = 30


class Setting(msgspec.Struct, frozen=True):
    """Where a card belongs: run, step, ticket, the tools that it may speak of, how long a decision stays revocable.
    `asked` is what the worker had asked for, where the founder changed it."""

    run_id: UUID
    step: int
    ticket: Ticket
    actor: str
    undo_seconds: int
    tools: Mapping[str, ToolSpec] = {}
    asked: Arguments | None = None


def tool_call_card(judged: Judged, hold: Hold, setting: Setting) -> NewApproval:
    """The question whether this one call may be made."""
    proposal, contract = judged.proposal, judged.contract
    expires_at = _expiry(contract.terms)
    payload = {
        **_empty(),
        **act_parts(proposal, contract),
        "kind": "tool_call",
        "ticket": _ticket(setting.ticket),
        "money": _money(hold.money),
        "left_after": _money(_left_after(judged, hold.money)),
        "tier": str(hold.tier),
        "reason": hold.reason,
        "facts": [msgspec.to_builtins(fact) for fact in hold.facts],
        "expires_at": _instant(expires_at),
        "text": _call_text(proposal, hold, setting),
    }
    if setting.asked is not None:
        payload |= {"asked": setting.asked, "change": edits(setting.asked, proposal.arguments)}
    return NewApproval(
        kind="tool_call",
        tier=hold.tier,
        act_digest=proposal.act_digest,
        payload=payload,
        expires_at=expires_at,
        undo_seconds=setting.undo_seconds,
        actor=setting.actor,
        quorum=contract.terms.must_agree(hold.tier),
        ticket_id=setting.ticket.id,
        run_id=setting.run_id,
        step=setting.step,
        role_id=proposal.role_id,
        role_version=contract.version,
        tool=proposal.tool.name,
        money=hold.money,
    )


def edits(asked: Arguments, edited: Arguments) -> list[dict[str, object]]:
    """What the founder changed, one entry an argument; None for absent."""
    names = [*edited, *(name for name in asked if name not in edited)]
    return [
        {"field": name, "before": asked.get(name), "after": edited.get(name)}
        for name in names
        if asked.get(name) != edited.get(name)
    ]


def edits_sentence(asked: Arguments, edited: Arguments, language: Language = "en") -> str:
    """`The founder changed this call before approving it: amount_minor 500000 → 400000.`"""
    said = "; ".join(f"{one['field']} {_value(one['before'])} → {_value(one['after'])}" for one in edits(asked, edited))
    if language == "en":
        return f"The founder changed this call before approving it: {said}."
    return f"Pendiri mengubah panggilan ini sebelum menyetujuinya: {said}."


def _value(value: object) -> str:
    return "–" if value is None else shown(value)


def _edited_text(text: Texts, asked: Arguments, edited: Arguments) -> Texts:
    fields = ", ".join(str(one["field"]) for one in edits(asked, edited))
    return {
        "en": f"{text['en']} Changed by the founder: {fields}.",
        "id": f"{text['id']} Diubah oleh pendiri: {fields}.",
    }


def act_parts(proposal: Proposal, contract: Contract) -> dict[str, object]:
    """The parts of a payload that say what would be done and under which contract: compared again at use."""
    return {
        "role": _role(contract),
        "tool": {"name": proposal.tool.name, "schema_hash": proposal.tool.schema_hash},
        "arguments": proposal.arguments,
        "policy": contract.digest,
    }


def as_signed(approval: Approval, proposal: Proposal, contract: Contract) -> bool:
    """Role version, policy, tool and arguments are those that were signed."""
    return digest(approval.payload | act_parts(proposal, contract)) == approval.payload_digest


def again_card(judged: Judged, hold: Hold, setting: Setting, key: str) -> NewApproval:
    """The question whether a call whose answer was lost is made once more, with the same key. Of tier R2 always: it
    takes the founder's own key, and never shares the card of an equal call."""
    card = tool_call_card(judged, hold, setting)
    text: Texts = {
        "en": f"{_call_sentences(judged.proposal, hold, setting.tools, 'en')} Its answer was lost, so it may have "
        f"happened already. It is made again with the same key {key}: a receiver that knows the key does it once, any "
        "other one may do it twice.",
        "id": f"{_call_sentences(judged.proposal, hold, setting.tools, 'id')} Jawabannya hilang, jadi mungkin sudah "
        f"terjadi. Dilakukan lagi dengan kunci yang sama {key}: penerima yang mengenal kunci itu melakukannya sekali, "
        "yang lain bisa melakukannya dua kali.",
    }
    payload = {**card.payload, "tier": str(Tier.R2), "text": text, "again": {"key": key}}
    return msgspec.structs.replace(card, tier=Tier.R2, payload=payload)


def unknown_outcome_card(
    name: str,
    arguments: Mapping[str, object],
    tool: ToolSpec | None,
    *,
    contract: Contract,
    money: Money | None,
    setting: Setting,
    why: str,
) -> NewApproval:
    """The question whether a call happened whose answer was lost. Approve: it happened. Reject: it did not."""
    expires_at = clock.now() + timedelta(days=UNKNOWN_DAYS)
    places = {"en": "", "id": ""} if tool is None else _places(tool, arguments)
    worker = contract.terms.name
    payload = {
        **_empty(),
        "kind": "unknown_outcome",
        "role": _role(contract),
        "tool": {"name": name, "schema_hash": None if tool is None else tool.schema_hash},
        "arguments": dict(arguments),
        "policy": contract.digest,
        "ticket": _ticket(setting.ticket),
        "money": _money(money),
        "tier": str(Tier.R1),
        "reason": why,
        "expires_at": _instant(expires_at),
        "text": {
            "en": f"Did this happen? {worker} called {name}{places['en']} and the answer was lost. Approve if it "
            "happened, reject if it did not. It is not tried again by itself.",
            "id": f"Apakah ini terjadi? {worker} memanggil {name}{places['id']} dan jawabannya hilang. Setujui jika "
            "sudah terjadi, tolak jika tidak. Panggilan tidak diulang sendiri.",
        },
    }
    return NewApproval(
        kind="unknown_outcome",
        tier=Tier.R1,
        act_digest=digest(["unknown_outcome", str(setting.run_id), setting.step]),
        payload=payload,
        expires_at=expires_at,
        undo_seconds=setting.undo_seconds,
        actor=setting.actor,
        ticket_id=setting.ticket.id,
        run_id=setting.run_id,
        step=setting.step,
        role_id=contract.role_id,
        role_version=contract.version,
        tool=name,
        money=money,
    )


def start_card(
    run_id: UUID, ticket: Ticket, contract: Contract, tenant: UUID, *, actor: str, undo_seconds: int
) -> NewApproval:
    """The question whether a worker may begin with a ticket: role, task and what it may cost at most."""
    terms = contract.terms
    expires_at = _expiry(terms)
    payload = {
        **_empty(),
        "kind": "start",
        "role": _role(contract),
        "ticket": _ticket(ticket),
        "tier": str(Tier.R1),
        "reason": "The ticket asks for an approval before its first step.",
        "policy": contract.digest,
        "expires_at": _instant(expires_at),
        "text": {"en": _start_text(terms, ticket, "en"), "id": _start_text(terms, ticket, "id")},
        "cost_ceiling": {"limits": [msgspec.to_builtins(limit) for limit in terms.budget]},
        "instructions": ticket.instructions,
        "fields": [[name, ticket.fields[name]] for name in sorted(ticket.fields)],
    }
    return NewApproval(
        kind="start",
        tier=Tier.R1,
        act_digest=digest(["start", str(tenant), str(ticket.id), str(contract.role_id)]),
        payload=payload,
        expires_at=expires_at,
        undo_seconds=undo_seconds,
        actor=actor,
        quorum=terms.must_agree(Tier.R1),
        ticket_id=ticket.id,
        run_id=run_id,
        role_id=contract.role_id,
        role_version=contract.version,
    )


def _start_text(terms: Terms, ticket: Ticket, language: Language) -> str:
    per_ticket = [limit for limit in terms.budget if limit.period == "ticket" or limit.unit == "money"]
    ceiling = " ".join(budget_sentence(limit, language) for limit in per_ticket)
    if language == "en":
        return f"{terms.name} is to begin with “{ticket.title}”. {ceiling}".strip()
    return f"{terms.name} mulai mengerjakan “{ticket.title}”. {ceiling}".strip()


def _call_text(proposal: Proposal, hold: Hold, setting: Setting) -> Texts:
    """What would be done, then why it is asked, then what the founder changed in it."""
    tools = setting.tools
    text = {"en": _call_sentences(proposal, hold, tools, "en"), "id": _call_sentences(proposal, hold, tools, "id")}
    return text if setting.asked is None else _edited_text(text, setting.asked, proposal.arguments)


def _call_sentences(proposal: Proposal, hold: Hold, tools: Mapping[str, ToolSpec], language: Language) -> str:
    act = act_sentence(proposal.tool, proposal.arguments, hold.money, language)
    labels = labels_of(tools, language)
    return " ".join([act, *(reason_sentence(fact, proposal.tool.name, language, labels) for fact in hold.facts[:1])])


def _places(tool: ToolSpec, arguments: Mapping[str, object]) -> Texts:
    """`, to a@b.co and 2 more`: the destinations of a call; empty when it has none."""
    named = [shown(text) for path in tool.destinations for text in texts_at(arguments, path)]
    if not named:
        return {"en": "", "id": ""}
    first, more = ", ".join(named[:MOST_PLACES]), len(named) - MOST_PLACES
    return {
        "en": f", to {first}" + (f" and {more} more" if more > 0 else ""),
        "id": f", kepada {first}" + (f" dan {more} lagi" if more > 0 else ""),
    }


def _left_after(judged: Judged, money: Money | None) -> Money | None:
    if money is None or money.currency not in judged.left_money:
        return None
    return Money(judged.left_money[money.currency] - money.minor, money.currency)


def _empty() -> dict[str, object]:
    names: Sequence[str] = ("role", "ticket", "tool", "arguments", "money", "left_after", "policy", "terms")
    return {**dict.fromkeys(names), "facts": [], "cost_ceiling": None, "change": None}


def _role(contract: Contract) -> dict[str, object]:
    return {"id": str(contract.role_id), "name": contract.terms.name, "version": contract.version}


def _ticket(ticket: Ticket) -> dict[str, object]:
    return {"id": str(ticket.id), "title": ticket.title}


def _money(money: Money | None) -> dict[str, object] | None:
    return None if money is None else {"minor": money.minor, "currency": money.currency}


def _expiry(terms: Terms) -> datetime:
    return clock.now() + timedelta(seconds=max(60, terms.escalation.expires_seconds))


def _instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")

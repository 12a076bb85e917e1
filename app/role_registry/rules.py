"""Standing rules: proposed from a card, signed with the founder's key, used up by the gate, revoked at once."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec

from app.auth import require
from app.canon.acts import labels_of
from app.canon.amounts import Language
from app.canon.approval import ApprovalReader
from app.canon.canonical_json import canonical_bytes, digest
from app.canon.contract import ArgumentRule, ToolRule
from app.canon.errors import Conflict, Invalid, NotFound
from app.canon.gate import Hold, Proposal
from app.canon.rule import RuleTerms, covers, too_wide
from app.canon.sentences import rule_sentence
from app.canon.tool import ToolSpec
from app.canon.vocabulary import Principal, Rol, Tier, new_id
from app.governance_ledger import Event, append
from app.postgres import Transaction
from app.role_registry import rule_store
from app.role_registry.hiring import locked_in_force, others
from app.role_registry.precedents import RuleBacktest, backtest_rule
from app.role_registry.rule_store import StandingRule
from app.work_queue import Approval, NewApproval, consume, pending_alike, raise_approval

LONGEST = timedelta(days=366)
_OPEN_SECONDS = 86_400
_UNTIL = "`until` must be in the future, at most a year from now"


class RuleUnknown(NotFound):
    """This tenant has no standing rule of that id, or it is revoked."""

    code = "rule.unknown"


class RuleSpent(Conflict):
    """The rule has no use left, is over or was revoked."""


class NewRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Calls of `tool` that shall pass without asking while all `bounds` hold: at most `uses` times, before `until`."""

    role_id: UUID
    tool: str
    bounds: Annotated[tuple[ArgumentRule, ...], msgspec.Meta(min_length=1, max_length=40)]
    uses: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10
    until: Annotated[datetime, msgspec.Meta(tz=True)]


def terms_of(new: NewRule, tools: Mapping[str, ToolSpec], at: datetime) -> tuple[RuleTerms, ToolSpec]:
    """What would be signed. Raises `Invalid` with every reason why it may not be."""
    tool = tools.get(new.tool)
    if tool is None:
        raise Invalid(f"there is no tool {new.tool!r} here", code="rule.tool", tool=new.tool)
    terms = RuleTerms(new.role_id, tool.name, tool.schema_hash, new.bounds, new.uses, new.until)
    wide = too_wide(terms, tool)
    long = () if timedelta() < new.until - at <= LONGEST else (_UNTIL,)
    if wide or long:
        raise Invalid("; ".join((*wide, *long)), code="rule.too_wide" if wide else "rule.until")
    return terms, tool


async def propose_rule(
    tx: Transaction, new: NewRule, *, by: Principal, tools: Mapping[str, ToolSpec], undo_seconds: int
) -> Approval:
    """Ask the founder to sign the rule (kind `rule`, R2), with its backtest in what is shown. Event `rule.proposed`.

    Asking the same again returns the pending question. Raises `Forbidden` (founder only), `Invalid`, `RoleUnknown`,
    `NotInForce`.
    """
    require(by, Rol.FOUNDER)
    role, standing = await locked_in_force(tx, new.role_id)
    at = await rule_store.now(tx)
    terms, tool = terms_of(new, tools, at)
    act = digest(["rule", str(tx.tenant), terms.digest()])
    pending = await pending_alike(tx, act)
    if pending:
        return pending[0]
    tested = await backtest_rule(tx, terms, tool)
    expires_at = at + timedelta(seconds=_OPEN_SECONDS)
    asked = await raise_approval(
        tx,
        NewApproval(
            kind="rule",
            tier=Tier.R2,
            act_digest=act,
            payload=_payload(terms, tools, tested, standing.name, role.version, expires_at),
            expires_at=expires_at,
            undo_seconds=undo_seconds,
            actor=by.actor,
            quorum=others(standing, by.actor),
            apart=standing.must_agree(Tier.R2) > 1,
            role_id=role.id,
            tool=tool.name,
        ),
    )
    data = {**_said(terms), "approval_id": str(asked.id)}
    subjects = (f"work_queue.approvals/{asked.id}",)
    await append(tx, Event(type="rule.proposed", actor=by.actor, subjects=subjects, data=data))
    return asked


def _payload(
    terms: RuleTerms,
    tools: Mapping[str, ToolSpec],
    tested: RuleBacktest,
    worker: str,
    version: int,
    expires_at: datetime,
) -> dict[str, object]:
    return {
        "kind": "rule",
        "role": {"id": str(terms.role_id), "name": worker, "version": version},
        "ticket": None,
        "tool": {"name": terms.tool, "schema_hash": terms.schema_hash},
        "arguments": None,
        "money": None,
        "left_after": None,
        "tier": "R2",
        "reason": "",
        "facts": [],
        "policy": terms.digest(),
        "expires_at": expires_at.isoformat(),
        "text": {language: rule_text(terms, tools, tested, worker, language) for language in ("id", "en")},
        "terms": None,
        "cost_ceiling": None,
        "change": None,
        "rule": terms.written(),
        "backtest": msgspec.to_builtins(tested),
    }


def rule_text(
    terms: RuleTerms, tools: Mapping[str, ToolSpec], tested: RuleBacktest, worker: str, language: Language
) -> str:
    """What is shown and signed: the rule as a sentence, how often and until when, and what it would have allowed."""
    said = rule_sentence(ToolRule(terms.tool, "allow", terms.bounds), language, labels_of(tools, language))
    day = terms.until.date().isoformat()
    if language == "en":
        return (
            f"{worker} without asking, at most {terms.uses} times until {day}: {said} It would have allowed "
            f"{tested.allowed} of the last {tested.asked}; you rejected {tested.rejected} of these."
        )
    return (
        f"{worker} tanpa bertanya, paling banyak {terms.uses} kali sampai {day}: {said} Aturan ini akan meloloskan "
        f"{tested.allowed} dari {tested.asked} terakhir; {tested.rejected} di antaranya Anda tolak."
    )


def _said(terms: RuleTerms) -> dict[str, object]:
    return {
        "role_id": str(terms.role_id),
        "tool": terms.tool,
        "rule": terms.written(),
        "terms_digest": terms.digest(),
    }


async def make_rule(tx: Transaction, approval: Approval, reader: ApprovalReader) -> None:
    """Bring the rule into force once its approval is in effect. Idempotent. Event `rule.made`."""
    at = await rule_store.now(tx)
    if approval.consumed_at is not None or approval.status != "approved" or not approval.in_effect(at):
        return
    used = await consume(tx, approval.id, payload_digest=digest(approval.payload), reader=reader)
    terms = msgspec.convert(used.payload["rule"], RuleTerms)
    rule = StandingRule(
        id=new_id(),
        terms=terms,
        digest=terms.digest(),
        used=0,
        approval_id=used.id,
        signature=used.signature or "",
        signed_by=used.decided_by or "",
        made_at=at,
        revoked_at=None,
        revoked_by=None,
    )
    await rule_store.insert_rule(tx, rule, canonical_bytes(rule.terms.written()).decode())
    event = Event(
        type="rule.made",
        actor=rule.signed_by,
        subjects=(_subject(rule.id), f"work_queue.approvals/{used.id}"),
        data={**_said(rule.terms), "approval_id": str(used.id), "rule_id": str(rule.id)},
        approval=rule.signature,
        occurred_at=at,
    )
    await append(tx, event)


def _subject(rule_id: UUID) -> str:
    return f"role_registry.standing_rules/{rule_id}"


async def rules_of(tx: Transaction, role_id: UUID | None = None) -> tuple[StandingRule, ...]:
    """All standing rules of the role (None: of the company), newest first, those that are over too."""
    return await rule_store.fetch_rules(tx, role_id)


async def revoke_rule(tx: Transaction, rule_id: UUID, by: Principal) -> StandingRule:
    """End a rule, at once. Event `rule.revoked`. Raises `Forbidden` (founder or deputy), `RuleUnknown`."""
    require(by, Rol.FOUNDER, Rol.DEPUTY)
    at = await rule_store.now(tx)
    rule = await rule_store.revoke_rule(tx, rule_id, at, by.actor)
    if rule is None:
        raise RuleUnknown(f"there is no standing rule {rule_id} to revoke")
    data: dict[str, object] = {
        "rule_id": str(rule.id),
        "role_id": str(rule.terms.role_id),
        "tool": rule.terms.tool,
        "used": rule.used,
    }
    event = Event(type="rule.revoked", actor=by.actor, subjects=(_subject(rule.id),), data=data, occurred_at=at)
    await append(tx, event)
    return rule


async def rule_for(tx: Transaction, proposal: Proposal, hold: Hold, zone: str) -> StandingRule | None:
    """A rule in force that answers all that speaks against the call, locked until the transaction ends; the one that
    is over first."""
    for rule in await rule_store.lock_rules(tx, proposal.role_id, proposal.tool.name):
        if covers(rule.terms, proposal.tool, proposal.arguments, hold.facts, zone):
            return rule
    return None


async def use_rule(tx: Transaction, rule_id: UUID) -> str:
    """Use the rule up by one, in the transaction of the act; the caller's event names the subject that is given back.

    Raises `RuleSpent`.
    """
    if not await rule_store.use_rule(tx, rule_id):
        raise RuleSpent("the standing rule has no use left, is over or was revoked")
    return _subject(rule_id)

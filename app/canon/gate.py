"""The gate's decision: pure, total, the same for every engine.

What is missing means none: a tool without a rule, money without a cap or a budget, a place that nobody named. So
writing a rule's first cap, or naming a destination in it, grants; every other change that tightens a boundary can
only turn Allow into Hold or Refuse, and Hold into Refuse, never back.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from app.canon import schema
from app.canon.appearance import loosened
from app.canon.canonical_json import digest
from app.canon.constraints import Ground, failing, in_scope, local_clock, sum_failing, within_hours
from app.canon.contract import AnyOf, Boundary, Constraint, Contract, Max, OneOf, Otherwise, ToolRule
from app.canon.credentials import credential_facts
from app.canon.destinations import hosts_of, named_places, outward_texts, stranger_facts
from app.canon.facts import Fact, gravest_first, tier_of
from app.canon.provenance import Provenance
from app.canon.reasons import fact_sentence
from app.canon.secrecy import secret_facts
from app.canon.tool import Arguments, ToolSpec
from app.canon.values import leaves_at, shown, texts_at, unwieldy
from app.canon.vocabulary import Money, Risk, Tier
from app.canon.written import minor_digits

__all__ = ["Allow", "Fact", "Hold", "Proposal", "Refuse", "Spent", "Verdict", "decide", "egress_of", "risk_of"]


class Proposal(msgspec.Struct, frozen=True, dict=True):
    """One tool call that a worker would like to make. `arguments` have passed `canonical_json.exact`."""

    tenant: UUID
    role_id: UUID
    ticket_id: UUID
    run_id: UUID
    step: int
    tool: ToolSpec
    arguments: Arguments

    @cached_property
    def act_digest(self) -> str:
        """Tenant, role, tool, schema hash and canonical arguments: equal acts are equal here."""
        return digest(
            [
                str(self.tenant),
                str(self.role_id),
                self.tool.name,
                self.tool.schema_hash,
                self.arguments,
            ]
        )


class Spent(msgspec.Struct, frozen=True):
    """What the gate must know of the past, read in the same transaction.

    `sums` maps `tool/path/period` to what earlier calls added up to; `left_money` maps a currency to what remains of
    the role's tool money in minor units (a currency that is missing has no budget, so none); `calls_last_minute` counts
    gate passes; `narrowed_to` is the set of tools fixed for the run (None: not narrowed).
    """

    now: datetime
    zone: str = "Asia/Jakarta"
    sums: dict[str, int] = {}
    left_money: dict[str, int] = {}
    calls_last_minute: int = 0
    narrowed_to: tuple[str, ...] | None = None


class Allow(msgspec.Struct, frozen=True, tag="allow"):
    """`rule` says which rule let it through."""

    rule: str
    money: Money | None = None


class Hold(msgspec.Struct, frozen=True, tag="hold"):
    """A human decides. `facts` are all the reasons; the first is the one shown."""

    tier: Tier
    reason: str
    facts: tuple[Fact, ...] = ()
    money: Money | None = None


class Refuse(msgspec.Struct, frozen=True, tag="refuse"):
    """No human is asked. `law` is `boundary`, `budget`, `17` or `18`; `reason` tells the worker what would pass."""

    law: Literal["boundary", "budget", "17", "18"]
    reason: str
    facts: tuple[Fact, ...] = ()


Verdict: TypeAlias = Allow | Hold | Refuse


RISK_ORDER = (Risk.READ, Risk.REVERSIBLE, Risk.OUTBOUND, Risk.MONEY, Risk.IRREVERSIBLE)


class _Findings:
    """What speaks against a call, gathered over every check: no check hides another."""

    def __init__(self) -> None:
        self.holds: list[Fact] = []
        self.refusals: list[Fact] = []

    def add(self, fact: Fact | None, otherwise: Otherwise = "ask") -> None:
        if fact is not None:
            (self.holds if otherwise == "ask" else self.refusals).append(fact)


def decide(proposal: Proposal, contract: Contract, spent: Spent, provenance: Provenance) -> Verdict:
    """Allow, Hold or Refuse one proposed call. Never raises; the same input gives the same verdict.

    A pause, a rejected equal act and the kill switch are the caller's to check. Model spend and call counts are
    reserved by the caller; here the tool's own money is compared with what is left of it.
    """
    tool, arguments, boundary = proposal.tool, proposal.arguments, contract.terms.boundary
    rules = [rule for rule in boundary.tools if rule.tool == tool.name]
    barred = _barred(tool, arguments, rules)
    if barred is not None:
        return Refuse("boundary", fact_sentence(barred, tool.name), (barred,))
    money = call_money(tool, arguments)
    found = _Findings()
    ground = Ground(provenance.trusted, spent.zone, tool.money, minor_digits(money.currency) if money else 0)
    for rule in rules:
        _check_rule(found, rule, proposal, spent, ground)
    _check_role(found, boundary, proposal, spent)
    _check_places(found, boundary, rules, proposal, provenance)
    broke = _check_money(found, tool, rules, money, spent)
    return _verdict(found, broke, proposal, rules, money)


def _barred(tool: ToolSpec, arguments: Arguments, rules: Sequence[ToolRule]) -> Fact | None:
    if not rules:
        return Fact("unknown_tool", value=shown(tool.name))
    if any(rule.mode == "deny" for rule in rules):
        return Fact("denied", value=shown(tool.name))
    too_much = unwieldy(arguments)
    if too_much:
        return Fact("schema", wanted=f"the arguments are {too_much}")
    misfits = schema.problems(tool.parameters, arguments)
    if tool.money is not None and call_money(tool, arguments) is None:
        misfits.append(f"`{tool.money}` must be whole minor units above zero, in one currency")
    return Fact("schema", wanted="; ".join(misfits)) if misfits else None


def _check_rule(found: _Findings, rule: ToolRule, proposal: Proposal, spent: Spent, ground: Ground) -> None:
    for argument in rule.arguments:
        for fact in failing(argument, proposal.arguments, ground):
            found.add(_over_cap(fact, proposal.tool), argument.otherwise)
    for sum_rule in rule.sums:
        found.add(sum_failing(sum_rule, rule.tool, proposal.arguments, spent.sums), sum_rule.otherwise)
    if rule.mode == "ask":
        found.add(Fact("ask", value=rule.tool))


def _over_cap(fact: Fact, tool: ToolSpec) -> Fact:
    if fact.code == "max" and fact.path == tool.money:
        return msgspec.structs.replace(fact, code="money_over_cap")
    return fact


def _check_role(found: _Findings, boundary: Boundary, proposal: Proposal, spent: Spent) -> None:
    hours, rate, tool = boundary.working_hours, boundary.calls_per_minute, proposal.tool
    if hours is not None and not within_hours(hours, spent.now, spent.zone):
        days = ",".join(map(str, hours.days))
        found.add(Fact("hours", value=local_clock(spent.now, spent.zone), wanted=f"{hours.start}-{hours.end} {days}"))
    if rate is not None and spent.calls_last_minute >= rate:
        found.add(Fact("rate", value=str(spent.calls_last_minute), wanted=str(rate)))
    for path in tool.data:
        for name in texts_at(proposal.arguments, path):
            if not all(in_scope(form, boundary.data_scopes) for form in {name, loosened(name)}):
                found.add(Fact("scope", path, shown(name), ", ".join(boundary.data_scopes)))
    if spent.narrowed_to is not None and tool.name not in spent.narrowed_to:
        found.add(Fact("narrowing", value=tool.name, wanted=", ".join(spent.narrowed_to)))


def _check_places(
    found: _Findings, boundary: Boundary, rules: Sequence[ToolRule], proposal: Proposal, provenance: Provenance
) -> None:
    tool, arguments, trusted = proposal.tool, proposal.arguments, provenance.trusted
    texts = outward_texts(tool, arguments, provenance.documents)
    texts += [(path, text) for path in tool.destinations for text in texts_at(arguments, path)]
    names = [(path, name) for path in tool.attachments for name in texts_at(arguments, path)]
    texts, leaving = [*texts, *names], {name for _, name in names}
    if not texts and not leaving:
        return
    named = named_places(provenance, rules, boundary.egress_hosts)
    for fact in (
        *stranger_facts(tool, arguments, provenance, named),
        *secret_facts(texts, provenance.readings, provenance.trusted.said),
        *(Fact("secret", name, shown(name)) for name in provenance.secret_files if name in leaving),
        *credential_facts(texts, provenance.readings, (*trusted.given, trusted.role, *trusted.parties)),
    ):
        found.add(fact)


def call_money(tool: ToolSpec, arguments: Arguments) -> Money | None:
    """What is at stake; None when the tool moves no money or the amounts cannot be read."""
    if tool.money is None:
        return None
    amounts = [leaf for leaf in leaves_at(arguments, tool.money) if type(leaf) is int]
    currencies = [str(leaf).upper() for leaf in leaves_at(arguments, tool.currency)] if tool.currency else []
    if not amounts or len(amounts) != len(leaves_at(arguments, tool.money)) or min(amounts) < 1:
        return None
    if len(set(currencies)) > 1:
        return None
    return Money(sum(amounts), currencies[0] if currencies else Money(0).currency)


def _check_money(
    found: _Findings, tool: ToolSpec, rules: Sequence[ToolRule], money: Money | None, spent: Spent
) -> Fact | None:
    """Holds what no cap covers; gives the fact of a budget that does not suffice."""
    if tool.money is None or money is None:
        return None
    amount = f"{money.minor} {money.currency}"
    if not any(_caps(rule, tool, money.currency, spent) for rule in rules):
        found.add(Fact("money_uncapped", tool.money, amount))
    left = spent.left_money.get(money.currency, 0)
    if money.minor <= left:
        return None
    return Fact("budget", tool.money, amount, f"{max(0, left)} {money.currency}")


def _caps(rule: ToolRule, tool: ToolSpec, currency: str, spent: Spent) -> bool:
    """The rule limits the amount, and it is plain in which currency: one currency is allowed, or one has a budget."""
    limited = any(sum_rule.path == tool.money for sum_rule in rule.sums) or any(
        argument.path == tool.money and any(map(_is_cap, argument.constraints)) for argument in rule.arguments
    )
    fixed = any(
        argument.path == tool.currency
        and any(isinstance(one, OneOf) and len(one.values) == 1 for one in argument.constraints)
        for argument in rule.arguments
    )
    return limited and (fixed or tool.currency is None or tuple(spent.left_money) == (currency,))


def _is_cap(one: Constraint) -> bool:
    if isinstance(one, AnyOf):
        return bool(one.constraints) and all(map(_is_cap, one.constraints))
    return isinstance(one, Max)


def risk_of(tool: ToolSpec, rules: Sequence[ToolRule]) -> Risk:
    """The tool's own risk, or a graver one that the role's rules set."""
    risks = [tool.risk, *(rule.risk for rule in rules if rule.risk is not None)]
    return max(risks, key=RISK_ORDER.index)


def _verdict(
    found: _Findings, broke: Fact | None, proposal: Proposal, rules: Sequence[ToolRule], money: Money | None
) -> Verdict:
    name = proposal.tool.name
    if found.refusals:
        facts = gravest_first(tuple(found.refusals))
        return Refuse("boundary", fact_sentence(facts[0], name), facts)
    if broke is not None:
        return Refuse("budget", fact_sentence(broke, name), (broke,))
    if not found.holds:
        return Allow(f"{name}: allow", money)
    facts = gravest_first(tuple(found.holds))
    raised = risk_of(proposal.tool, rules) is Risk.IRREVERSIBLE or any(rule.tier is Tier.R2 for rule in rules)
    return Hold(Tier.R2 if raised else tier_of(facts), fact_sentence(facts[0], name), facts, money)


def egress_of(proposal: Proposal, contract: Contract) -> tuple[str, ...]:
    """Hosts that this call may reach once it is allowed or approved: the role's, and those in its own destinations."""
    return (*contract.terms.boundary.egress_hosts, *hosts_of(proposal.tool, proposal.arguments))

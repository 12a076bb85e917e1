"""A standing rule: calls of one tool that the founder signed beforehand, within bounds, so many times, until then."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from app.canon.canonical_json import digest
from app.canon.constraints import Ground, failing
from app.canon.contract import ArgumentRule, Constraint, Max, OneOf
from app.canon.facts import Code, Fact
from app.canon.provenance import Trusted
from app.canon.tool import Arguments, ToolSpec

MOST_FACTS = 12
BOUNDED_CODES: frozenset[Code] = frozenset(
    {
        "max",
        "min",
        "one_of",
        "regex",
        "domain_in",
        "in_ticket",
        "known_party",
        "length",
        "count",
        "any_of",
        "destination",
        "money_over_cap",
        "money_uncapped",
    }
)
"""Reasons to ask that a rule answers where it bounds the argument. Of the others it answers `ask` alone: never what is
secret, outside the hours, the rate, the sums, the data or the tools of the run."""


class RuleTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the founder signs. A call passes when every bound holds; `schema_hash` is the tool's as it was then."""

    role_id: UUID
    tool: str
    schema_hash: str
    bounds: tuple[ArgumentRule, ...]
    uses: int
    until: datetime

    def digest(self) -> str:
        """SHA-256 hex over the canonical form: what the founder's signature covers."""
        return digest(self.written())

    def written(self) -> dict[str, object]:
        """As it is shown, signed and recorded."""
        written: dict[str, object] = msgspec.to_builtins(self)
        return written


def covers(terms: RuleTerms, tool: ToolSpec, arguments: Arguments, facts: Sequence[Fact], zone: str) -> bool:
    """Whether the rule answers all that speaks against the call. Uses and time are the caller's to check."""
    if not facts or len(facts) >= MOST_FACTS or (terms.tool, terms.schema_hash) != (tool.name, tool.schema_hash):
        return False
    bounded = {rule.path for rule in terms.bounds}
    if not all(fact.code == "ask" or (fact.code in BOUNDED_CODES and fact.path in bounded) for fact in facts):
        return False
    ground = Ground(Trusted(""), zone, tool.money)
    return not any(failing(rule, arguments, ground) for rule in terms.bounds)


def too_wide(terms: RuleTerms, tool: ToolSpec) -> tuple[str, ...]:
    """Why the rule may not be signed: money and every destination must be bounded by what the founder names."""
    bounds = {rule.path: rule.constraints for rule in terms.bounds}
    found = [
        f"`{path}` is a destination: name whom or where with one_of"
        for path in tool.destinations
        if not _has(bounds.get(path, ()), OneOf)
    ]
    if tool.money is not None and not _has(bounds.get(tool.money, ()), Max):
        found.append(f"`{tool.money}` is money: set its max")
    if tool.currency is not None and not _one_value(bounds.get(tool.currency, ())):
        found.append(f"`{tool.currency}` must be one currency")
    if not terms.bounds:
        found.append("a rule without bounds lets everything pass: bound an argument")
    return tuple(found)


def _has(constraints: Sequence[Constraint], kind: type[Constraint]) -> bool:
    return any(isinstance(one, kind) for one in constraints)


def _one_value(constraints: Sequence[Constraint]) -> bool:
    return any(isinstance(one, OneOf) and len(one.values) == 1 for one in constraints)

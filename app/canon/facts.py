"""Reasons of a verdict, as data: for the card, for the worker, for evaluation."""

from typing import Literal, TypeAlias

import msgspec

from app.canon.vocabulary import Tier

Code: TypeAlias = Literal[
    "unknown_tool",
    "denied",
    "schema",
    "ask",
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
    "sum",
    "hours",
    "rate",
    "scope",
    "narrowing",
    "destination",
    "secret",
    "credential",
    "unreadable",
    "money_over_cap",
    "money_uncapped",
    "budget",
]


class Fact(msgspec.Struct, frozen=True):
    """One reason, for people and for evaluation: a stable `code`, the rule it comes from, and values to show.

    `wanted` says what would pass. `source_step` and `source_tool` name the answer in which the value was first read.
    """

    code: Code
    path: str = ""
    value: str = ""
    wanted: str = ""
    source_step: int | None = None
    source_tool: str = ""


WEIGHT: dict[Code, int] = {
    "unknown_tool": 0,
    "denied": 0,
    "schema": 1,
    "budget": 2,
    "secret": 3,
    "credential": 3,
    "unreadable": 3,
    "destination": 4,
    "money_over_cap": 5,
    "money_uncapped": 5,
    "sum": 6,
    "narrowing": 8,
    "hours": 9,
    "rate": 9,
    "ask": 10,
}
"""The gravest reason is shown first; codes not named here are constraints and stand in between."""

R2_CODES: frozenset[Code] = frozenset(
    {"secret", "credential", "unreadable", "destination", "money_over_cap", "money_uncapped"}
)
"""Reasons that alone ask for the founder's own key."""


def gravest_first(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """The same facts, the one to show first at the front; equal weights keep their order."""
    return tuple(sorted(facts, key=lambda fact: WEIGHT.get(fact.code, 7)))


def tier_of(facts: tuple[Fact, ...]) -> Tier:
    return Tier.R2 if any(fact.code in R2_CODES for fact in facts) else Tier.R1

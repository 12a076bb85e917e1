"""What became of earlier questions like this one, what differs now, and the rule that they suggest. By code alone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, TypeAlias
from uuid import UUID

import msgspec

from app.canon.contract import ArgumentRule, Constraint, Max, OneOf
from app.canon.facts import Fact
from app.canon.rule import RuleTerms, covers
from app.canon.tool import Arguments, ToolSpec
from app.canon.values import leaves_at, plain, shown, texts_at
from app.postgres import Transaction
from app.work_queue import Approval, list_approvals

MOST = 200
RULE_DAYS = 30
RULE_USES = 10

Kind: TypeAlias = Literal["amount", "new_destination"]


class Difference(msgspec.Struct, frozen=True):
    """`amount`: how many times the largest that was approved. `new_destination`: a value never approved before."""

    kind: Kind
    path: str
    value: str
    times: str = ""


class Precedents(msgspec.Struct, frozen=True):
    """Earlier questions of the same role and tool, by how they ended, and how this one differs from those approved."""

    approved: int
    rejected: int
    expired: int
    different: tuple[Difference, ...]


class RuleBacktest(msgspec.Struct, frozen=True):
    """Of the last `asked` questions like these the rule would have `allowed` so many; the founder had `approved` and
    `rejected` so many of those. Of `erased` ones nothing is known any more: they are not among the asked."""

    asked: int
    allowed: int
    approved: int
    rejected: int
    erased: int = 0


async def earlier(tx: Transaction, role_id: UUID | None, tool: str | None, but: UUID | None = None) -> list[Approval]:
    """Questions about calls of the tool by the role that were answered or not, newest first."""
    if role_id is None or tool is None:
        return []
    page = await list_approvals(tx, kind="tool_call", role_id=role_id, limit=MOST)
    ended = ("approved", "rejected", "expired")
    return [one for one in page.items if one.tool == tool and one.id != but and one.status in ended]


def precedents_of(approval: Approval, before: Sequence[Approval], tool: ToolSpec) -> Precedents:
    """What `before` says of this question."""
    ended = [one.status for one in before]
    approved = [arguments_of(one) for one in before if one.status == "approved" and one.payload]
    different = _differences(arguments_of(approval), approved, tool) if approved else ()
    return Precedents(ended.count("approved"), ended.count("rejected"), ended.count("expired"), different)


def arguments_of(approval: Approval) -> Arguments:
    arguments: Any = approval.payload.get("arguments")
    return arguments if isinstance(arguments, dict) else {}


def _differences(now: Arguments, approved: Sequence[Arguments], tool: ToolSpec) -> tuple[Difference, ...]:
    found: list[Difference] = []
    for path in tool.destinations:
        known = {plain(text) for arguments in approved for text in texts_at(arguments, path)}
        found += [
            Difference("new_destination", path, shown(text)) for text in texts_at(now, path) if plain(text) not in known
        ]
    amount, largest = _amount(now, tool), max((_amount(one, tool) for one in approved), default=0)
    if tool.money is not None and amount > largest > 0:
        times = (Decimal(amount) / largest).quantize(Decimal("0.1"))
        found.append(Difference("amount", tool.money, str(amount), f"{times:f}".removesuffix(".0")))
    return tuple(found)


def _amount(arguments: Arguments, tool: ToolSpec) -> int:
    if tool.money is None:
        return 0
    return sum(leaf for leaf in leaves_at(arguments, tool.money) if type(leaf) is int)


def suggested(approval: Approval, before: Sequence[Approval], tool: ToolSpec, at: datetime) -> RuleTerms | None:
    """A rule for calls like this one: at most the largest amount that was approved or is asked now, to the same place.

    None where nothing in the call can be bounded.
    """
    now = arguments_of(approval)
    approved = [arguments_of(one) for one in before if one.status == "approved"]
    bounds = [ArgumentRule(path, (one,)) for path in tool.destinations if (one := _same(now, path)) is not None]
    if tool.money is not None:
        largest = max(_amount(one, tool) for one in (now, *approved))
        bounds.append(ArgumentRule(tool.money, (Max(largest),)))
    if tool.currency is not None and (currency := _same(now, tool.currency)) is not None:
        bounds.append(ArgumentRule(tool.currency, (currency,)))
    if not bounds:
        bounds = [ArgumentRule(path, (one,)) for path in sorted(now) if (one := _same(now, path)) is not None]
    if not bounds or approval.role_id is None:
        return None
    until = (at + timedelta(days=RULE_DAYS)).replace(microsecond=0)
    return RuleTerms(approval.role_id, tool.name, tool.schema_hash, tuple(bounds), RULE_USES, until)


def _same(arguments: Arguments, path: str) -> Constraint | None:
    values = leaves_at(arguments, path)
    kept = [value for value in values if isinstance(value, str | int | bool)]
    return OneOf(tuple(dict.fromkeys(kept))) if kept and len(kept) == len(values) else None


async def backtest_rule(tx: Transaction, terms: RuleTerms, tool: ToolSpec, zone: str = "UTC") -> RuleBacktest:
    """The rule against the last questions of its role and tool, each with the facts that the gate then found."""
    before = await earlier(tx, terms.role_id, terms.tool)
    known = [one for one in before if one.payload]
    passed = [one.status for one in known if covers(terms, tool, arguments_of(one), _facts(one), zone)]
    approved, rejected = passed.count("approved"), passed.count("rejected")
    return RuleBacktest(len(known), len(passed), approved, rejected, erased=len(before) - len(known))


def _facts(approval: Approval) -> tuple[Fact, ...]:
    try:
        return msgspec.convert(approval.payload.get("facts") or (), tuple[Fact, ...])
    except msgspec.ValidationError:
        return ()

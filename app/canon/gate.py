"""The gate's decision: pure, total, the same for every engine."""

from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from app.canon.canonical_json import digest
from app.canon.tool import Arguments, ToolSpec
from app.canon.vocabulary import Money, Tier


class Proposal(msgspec.Struct, frozen=True):
    """One tool call that a worker would like to make."""

    tenant: UUID
    role_id: UUID
    ticket_id: UUID
    run_id: UUID
    step: int
    tool: ToolSpec
    arguments: Arguments

    @property
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

    `sums` maps `tool/path/period` to minor units already spent by earlier calls; `left_money` maps a currency to what
    remains of the role's tool money (None: no such budget, so none); `calls_last_minute` counts gate passes.
    """

    now: datetime
    zone: str = "Asia/Jakarta"
    sums: dict[str, int] = {}
    left_money: dict[str, int] = {}
    calls_last_minute: int = 0
    narrowed_to: tuple[str, ...] | None = None


class Fact(msgspec.Struct, frozen=True):
    """One reason, for people and for evaluation: a stable `code`, the rule it comes from, and values to show."""

    code: str
    path: str = ""
    value: str = ""
    wanted: str = ""
    source_step: int | None = None
    source_tool: str = ""


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

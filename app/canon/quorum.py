"""How many people of a company must agree, whatever a role's contract wants: signed by the founders, and checked."""

from typing import Annotated

import msgspec

from app.canon.canonical_json import digest
from app.canon.vocabulary import Money, Tier

EXEMPT = frozenset({"unknown_outcome"})
"""Whether something happened is said by whoever saw it: it permits nothing, and making the call again is asked anew."""

UNLOCKING = frozenset({"quorum", "mandate"})
"""Want no more founders than there are: a company that lost one could else never change its quorum or admit another."""


class QuorumLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`count` people must agree to questions of `tier`; with `above`, only to those that move more than that, or move
    another currency. With `founders`, only founders are counted, and nobody else approves."""

    tier: Tier
    count: Annotated[int, msgspec.Meta(ge=2, le=9)]
    above: Money | None = None
    founders: bool = False

    def covers(self, tier: Tier, money: Money | None) -> bool:
        if tier is not self.tier:
            return False
        if self.above is None:
            return True
        return money is not None and (money.currency != self.above.currency or money.minor > self.above.minor)


class Agreement(msgspec.Struct, frozen=True):
    """What one question wants: `count` different people, who are founders all if `founders`."""

    count: int = 1
    founders: bool = False


class CompanyQuorum(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The company's rule; without lines there is none."""

    lines: tuple[QuorumLine, ...] = ()

    def wanted(self, kind: str, tier: Tier, money: Money | None) -> Agreement:
        """What a question wants; of several lines that cover it, the strictest of each."""
        lines = [] if kind in EXEMPT else [line for line in self.lines if line.covers(tier, money)]
        return Agreement(max((line.count for line in lines), default=1), any(line.founders for line in lines))

    def digest(self) -> str:
        """SHA-256 hex over the canonical form: what the signature covers."""
        return digest(self.written())

    def written(self) -> dict[str, object]:
        """As it is shown, signed and recorded."""
        written: dict[str, object] = msgspec.to_builtins(self)
        return written


class Deciders(msgspec.Struct, frozen=True):
    """How many people can decide now: founders, and all whose mandate reaches a tier, founders among them."""

    founders: int
    r1: int
    r2: int

    def enough(self, count: int, tier: Tier, *, founders: bool) -> bool:
        return count <= (self.founders if founders else self.of(tier))

    def of(self, tier: Tier) -> int:
        return self.r2 if tier is Tier.R2 else self.r1

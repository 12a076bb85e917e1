"""What a deputy may approve in the founder's place: signed by a founder, with bounds and an end."""

from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from app.canon.canonical_json import digest
from app.canon.vocabulary import Money, Tier

DelegableKind: TypeAlias = Literal["start", "tool_call", "unknown_outcome"]
Beyond: TypeAlias = Literal["ended", "tier", "kind", "role", "money", "currency", "founders"]

DELEGABLE: tuple[DelegableKind, ...] = ("start", "tool_call", "unknown_outcome")
SENTENCES: dict[Beyond, str] = {
    "ended": "the mandate is over: a founder can grant a new one",
    "tier": "the mandate does not reach to this risk: a founder decides",
    "kind": "the mandate does not reach to this kind of question: a founder decides",
    "role": "the mandate does not reach to this worker: a founder decides",
    "money": "more money is at stake than the mandate allows for one decision: a founder decides",
    "currency": "the mandate's limit is in another currency: a founder decides",
    "founders": "the company's quorum wants founders for this: a founder decides",
}


class Mandate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`person` is the deputy's id. No `roles`: every worker's questions. No `cap`: none that moves money.

    `cap` bounds one decision. What changes the company itself (contracts, parties, rules, mandates) is never delegated.
    With `rol` founder it admits a second founder, whose say has no bounds and no end.
    """

    person: str
    name: str
    rol: Literal["deputy", "founder"] = "deputy"
    tiers: tuple[Tier, ...] = ()
    kinds: tuple[DelegableKind, ...] = ()
    ends_at: datetime | None = None
    roles: tuple[str, ...] = ()
    cap: Money | None = None

    def digest(self) -> str:
        """SHA-256 hex over the canonical form: what the founder's signature covers."""
        return digest(self.written())

    def written(self) -> dict[str, object]:
        """As it is shown, signed and recorded."""
        written: dict[str, object] = msgspec.to_builtins(self)
        return written


def beyond(
    mandate: Mandate, *, tier: Tier, kind: str, role_id: str | None, money: Money | None, at: datetime
) -> Beyond | None:
    """Why approving this at `at` is outside the mandate; None when it is inside. Rejecting is inside until it ends."""
    if mandate.ends_at is None or at >= mandate.ends_at:
        return "ended"
    if tier not in mandate.tiers:
        return "tier"
    if kind not in mandate.kinds:
        return "kind"
    if mandate.roles and role_id not in mandate.roles:
        return "role"
    return _money_beyond(mandate.cap, money)


def _money_beyond(cap: Money | None, money: Money | None) -> Beyond | None:
    if money is None or money.minor == 0:
        return None
    if cap is None or money.minor < 0:
        return "money"
    if money.currency != cap.currency:
        return "currency"
    return "money" if money.minor > cap.minor else None

"""What events say of the company and its founders: shapes as in `event_shapes`."""

from datetime import date, datetime
from uuid import UUID

from msgspec import UNSET, UnsetType

from app.governance_ledger.event_shapes import BudgetLine, Shape


class Revenue(Shape, frozen=True, kw_only=True):
    amount_minor: str
    currency: str
    source: str
    description: str
    role_id: UUID | None
    ticket_id: UUID | None
    provider: str | UnsetType = UNSET
    reference: str | UnsetType = UNSET


class PaymentSource(Shape, frozen=True, kw_only=True):
    """Who may tell us of payments. The secret itself stays out of the ledger."""

    source_id: UUID
    provider: str
    mode: str


class BriefSentence(Shape, frozen=True, kw_only=True):
    """`sources` are the events that bear it out."""

    text: str
    more: str
    sources: list[UUID]


class BriefWritten(Shape, frozen=True, kw_only=True):
    """By a model, from `facts` facts; `dropped` sentences had no source among them."""

    day: date
    language: str
    model: str
    facts: int
    dropped: int
    sentences: list[BriefSentence]


class RateSet(Shape, frozen=True, kw_only=True):
    """One unit of `currency` is `rate` units of `to` on that day, as the founder says; a decimal in a string."""

    currency: str
    to: str
    rate: str
    on: date


class HourSet(Shape, frozen=True, kw_only=True):
    amount_minor: str
    currency: str


class TargetSet(HourSet, frozen=True, kw_only=True):
    """`month` is `2026-11`."""

    month: str


class BudgetRaiseAsked(Shape, frozen=True, kw_only=True):
    role_id: UUID
    line: BudgetLine
    reason: str


class BudgetNearLimit(Shape, frozen=True, kw_only=True):
    role_id: UUID | None
    line: BudgetLine
    used: str
    period: str


class CompanyCreated(Shape, frozen=True, kw_only=True):
    name: str
    language: str
    currency: str
    time_zone: str
    routing_budget: list[BudgetLine]


class CompanyChanged(Shape, frozen=True, kw_only=True):
    before: dict[str, object]
    after: dict[str, object]


class FounderAdded(Shape, frozen=True, kw_only=True):
    founder_id: UUID
    name: str
    rol: str


class FounderInvited(Shape, frozen=True, kw_only=True):
    founder_id: UUID
    expires_at: datetime


class FounderCodes(Shape, frozen=True, kw_only=True):
    codes: int


class DeviceKey(Shape, frozen=True, kw_only=True):
    kid: str
    label: str
    public_key: str


class Passkey(Shape, frozen=True, kw_only=True):
    credential_id: str
    label: str
    public_key: str
    usable_from: datetime

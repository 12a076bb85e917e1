"""What the runtime's own events say in their `data`, type by type: one Struct for each shape.

An instant is ISO 8601; money is `{minor, currency}` with `minor` as a string; a digest is SHA-256, hex. A shape never
changes: the new one is a class of its own and stands in `registry.py` behind the old one, as the type's next version.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """No member is left out and none is added."""


class Nothing(Shape, frozen=True, kw_only=True):
    """The event's subjects say it all."""


class Amount(Shape, frozen=True, kw_only=True):
    minor: Annotated[str, msgspec.Meta(pattern="^-?[0-9]{1,18}$")]
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]


class Finding(Shape, frozen=True, kw_only=True):
    """A fact that the gate computed, and the reading in which it was found."""

    code: str
    path: str
    value: str
    wanted: str
    source_step: int | None
    source_tool: str | None


class Change(Shape, frozen=True, kw_only=True):
    field: str
    before: object
    after: object


class BudgetLine(Shape, frozen=True, kw_only=True):
    unit: str
    period: str
    limit: int | str
    currency: str | None


class Ticket(Shape, frozen=True, kw_only=True):
    title: str
    status: str
    role_id: UUID | None
    parent_id: UUID | None
    priority: int
    approval_required: bool
    founder_wrote: bool
    opened_at: datetime
    due_at: datetime | None


class TicketOpened(Ticket, frozen=True, kw_only=True):
    text_digest: Digest


class TicketChanged(Ticket, frozen=True, kw_only=True):
    before: dict[str, object]
    after: dict[str, object]


class TicketMoved(Ticket, frozen=True, kw_only=True):
    result: str


class TicketClosed(TicketMoved, frozen=True, kw_only=True):
    """Seconds are whole; `sla_met` is null without a deadline."""

    seconds_from_opened: int
    seconds_from_started: int | None
    sla_met: bool | None


class TicketInputAttached(Ticket, frozen=True, kw_only=True):
    name: str
    trusted: bool
    sha256: Digest
    secret: bool = False


class Approval(Shape, frozen=True, kw_only=True):
    """`act_digest` names the act as who asks names it; `payload_digest` is over all that the founder is shown."""

    approval_id: UUID
    kind: str
    tier: str
    status: str
    quorum: int
    tool: str | None
    role_id: UUID | None
    role_version: int | None
    act_digest: str
    payload_digest: Digest
    money: Amount | None
    raised_by: str
    raised_at: datetime
    expires_at: datetime
    shown_at: datetime | None
    opened_at: datetime | None


class ApprovalRaised(Approval, frozen=True, kw_only=True):
    """`replaces` is the question in whose place this one stands."""

    undo_seconds: int
    replaces: UUID | UnsetType = UNSET


class ApprovalTakenBack(Approval, frozen=True, kw_only=True):
    """`superseded_by` is the question that stands in its place."""

    reason: str
    superseded_by: UUID | UnsetType = UNSET


class ApprovalDecided(Approval, frozen=True, kw_only=True):
    """One founder's vote; with `approval.decided` the last that was needed."""

    decision: str
    method: str
    reason: str
    votes: int
    effective_at: datetime | None
    seconds_pending: int
    seconds_open: int | None
    together_with: list[str]


class ApprovalsMarked(Shape, frozen=True, kw_only=True):
    approval_ids: list[UUID]


class ApprovalsThawed(ApprovalsMarked, frozen=True, kw_only=True):
    expires_at: dict[str, datetime]


class Model(Shape, frozen=True, kw_only=True):
    asked_model: str
    beat: str
    request_digest: Digest
    role_id: UUID | None
    role_version: int | None
    policy: Digest | None


class ModelAnswered(Model, frozen=True, kw_only=True):
    model: str | None
    input_tokens: int
    output_tokens: int
    tokens: int
    cost_usd_micros: int | str
    priced: bool
    scripted: bool
    attempts: int
    error: str


class ModelRepeated(Model, frozen=True, kw_only=True):
    attempt: int
    billed_again: bool


class ModelHeld(Model, frozen=True, kw_only=True):
    approval_id: UUID
    reason: str


class ModelRefused(Model, frozen=True, kw_only=True):
    law: str
    reason: str


class Tool(Shape, frozen=True, kw_only=True):
    """`policy` is the digest of the contract in force. What is null belongs to a tool that is not there."""

    tool: str
    schema_hash: str | None
    effect: str | None
    risk: str | None
    request_digest: Digest
    act_digest: Digest | None
    role_id: UUID
    role_version: int
    policy: Digest


class ToolPermitted(Tool, frozen=True, kw_only=True):
    """`rule` says what permitted the call; `confirmed` that the founder has seen it happen."""

    rule: str
    approval_id: UUID | None
    money: Amount | None
    confirmed: bool | UnsetType = UNSET


class ToolIntended(ToolPermitted, frozen=True, kw_only=True):
    """`key` is the idempotency key under which the call is made."""

    key: str


class ToolRepeated(ToolIntended, frozen=True, kw_only=True):
    attempt: int


class ToolFailed(ToolPermitted, frozen=True, kw_only=True):
    error: str


class ToolFailedWhy(ToolFailed, frozen=True, kw_only=True):
    """`code` says why, beside what the tool itself said; empty where that is not known."""

    code: str


class ToolUnknown(ToolFailed, frozen=True, kw_only=True):
    """`question` is the approval that asks the founder whether it happened."""

    question: UUID


class ToolHeld(Tool, frozen=True, kw_only=True):
    approval_id: UUID
    tier: str
    reason: str
    facts: list[Finding] | UnsetType = UNSET
    payload_digest: Digest | UnsetType = UNSET


class ToolRefused(Tool, frozen=True, kw_only=True):
    law: str
    reason: str
    facts: list[Finding]


class ToolRejected(Tool, frozen=True, kw_only=True):
    approval_id: UUID
    asked_again: bool
    reason: str


class ToolUnanswered(Tool, frozen=True, kw_only=True):
    """Nobody decided; or, with `question`, nobody said whether it had happened."""

    approval_id: UUID | None
    rule: str | UnsetType = UNSET
    money: Amount | UnsetType | None = UNSET
    question: UUID | UnsetType = UNSET


class RoleProposed(Shape, frozen=True, kw_only=True):
    role_id: UUID
    approval_id: UUID
    version: int
    name: str
    terms_digest: Digest


class RoleAmendmentProposed(Shape, frozen=True, kw_only=True):
    role_id: UUID
    approval_id: UUID
    version: int
    changed: list[str]
    terms_digest: Digest


class RoleSigned(RoleProposed, frozen=True, kw_only=True):
    change: list[Change] | None


class RoleDropped(Shape, frozen=True, kw_only=True):
    role_id: UUID
    name: str
    approval_id: UUID
    status: str
    reason: str


class RoleMoved(Shape, frozen=True, kw_only=True):
    role_id: UUID
    name: str
    version: int
    was: str

"""Tickets and approvals as values: their shapes, their closed states, and which move is legal."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

import msgspec

from app.canon.approval import Decision
from app.canon.canonical_json import digest
from app.canon.mandate import Mandate
from app.canon.vocabulary import Money, Tier

TicketStatus: TypeAlias = Literal["open", "held", "working", "done", "returned", "refused", "failed", "cancelled"]
ApprovalStatus: TypeAlias = Literal["pending", "approved", "rejected", "expired", "withdrawn", "superseded"]
ApprovalKind: TypeAlias = Literal[
    "start",
    "tool_call",
    "hire",
    "amend",
    "budget_raise",
    "party",
    "unknown_outcome",
    "rule",
    "mandate",
    "tool_server",
    "quorum",
]
Method: TypeAlias = Literal["session", "passkey", "device_key", "standing"]

Title: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="What is wanted, in a line")]
Instructions: TypeAlias = Annotated[str, msgspec.Meta(max_length=20_000, description="The task in plain words")]
Priority: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=4, description="1 urgent, 2 high, 3 normal, 4 low")]
DueAt: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True, description="Instant with its UTC offset")]
FieldName: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
FieldText: TypeAlias = Annotated[str, msgspec.Meta(max_length=2_000)]
Reason: TypeAlias = Annotated[
    str, msgspec.Meta(max_length=2_000, description="The founder's words, told to the worker")
]

TICKET_MOVES: Mapping[TicketStatus, frozenset[TicketStatus]] = {
    "open": frozenset({"held", "working", "returned", "refused", "failed", "cancelled"}),
    "held": frozenset({"working", "done", "returned", "refused", "failed", "cancelled"}),
    "working": frozenset({"held", "done", "returned", "refused", "failed", "cancelled"}),
    "done": frozenset(),
    "returned": frozenset(),
    "refused": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
}
CLOSED: frozenset[TicketStatus] = frozenset(status for status, moves in TICKET_MOVES.items() if not moves)

APPROVAL_MOVES: Mapping[ApprovalStatus, frozenset[ApprovalStatus]] = {
    "pending": frozenset({"approved", "rejected", "expired", "withdrawn", "superseded"}),
    "approved": frozenset({"pending", "withdrawn", "superseded"}),
    "rejected": frozenset(),
    "expired": frozenset(),
    "withdrawn": frozenset(),
    "superseded": frozenset(),
}
DECIDED: frozenset[ApprovalStatus] = frozenset({"approved", "rejected"})

CONTRACTS: frozenset[ApprovalKind] = frozenset({"hire", "amend", "budget_raise"})


def may_move(now: TicketStatus, to: TicketStatus) -> bool:
    """Whether a ticket may go from `now` to `to`."""
    return to in TICKET_MOVES[now]


def may_become(now: ApprovalStatus, to: ApprovalStatus) -> bool:
    """Whether an approval may go from `now` to `to`."""
    return to in APPROVAL_MOVES[now]


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of work. `fields` are named values; they and the text are trusted only when `founder_wrote`.

    `subject` is whose data it holds, where they are personal: the ledger keeps them encrypted under that subject's key.
    Once it is erased, title, texts and values are gone.
    """

    id: UUID
    version: int
    title: str
    instructions: str
    fields: dict[str, str]
    role_id: UUID | None
    parent_id: UUID | None
    priority: int
    status: TicketStatus
    approval_required: bool
    founder_wrote: bool
    opened_by: str
    due_at: datetime | None
    result: str
    opened_at: datetime
    started_at: datetime | None
    closed_at: datetime | None
    subject: str | None = None
    erased_at: datetime | None = None


class NewTicket(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is needed to open a ticket. Without `role_id` the router chooses the role.

    With `start` false no work begins by itself, so that files can be attached first: `POST /exec/start/{id}` starts it.
    `personal`: what the ledger keeps of it is encrypted under a key of its own, and can be erased.
    """

    title: Title
    instructions: Instructions
    fields: dict[FieldName, FieldText] = {}
    role_id: UUID | None = None
    priority: Priority = 3
    approval_required: bool = False
    due_at: DueAt | None = None
    parent_id: UUID | None = None
    start: bool = True
    personal: bool = False


class TicketPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a founder may change. `version` is the one that was seen; `due_at` null takes the deadline away."""

    version: int
    priority: Priority | msgspec.UnsetType = msgspec.UNSET
    due_at: DueAt | msgspec.UnsetType | None = msgspec.UNSET
    role_id: UUID | msgspec.UnsetType = msgspec.UNSET
    cancel: bool = False


class TicketInput(msgspec.Struct, frozen=True, kw_only=True):
    """A file attached to a ticket; its bytes are evidence. `trusted`: the founder vouches for what stands in it.
    `secret`: its text does not leave without a human."""

    id: UUID
    ticket_id: UUID
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    evidence_key: str
    trusted: bool
    secret: bool = False
    attached_at: datetime


class NewApproval(msgspec.Struct, frozen=True, kw_only=True):
    """A question to the founder. `payload` is all that is shown and signed (canonical JSON: money as strings or
    integers, no floats); `actor` is who asks, and cannot vote himself where `quorum` is above one or `apart` is set.
    `replaces` is a pending question in whose place this one stands."""

    kind: ApprovalKind
    tier: Tier
    act_digest: str
    payload: dict[str, object]
    expires_at: datetime
    undo_seconds: int
    actor: str
    quorum: int = 1
    apart: bool = False
    replaces: UUID | None = None
    ticket_id: UUID | None = None
    run_id: UUID | None = None
    step: int | None = None
    role_id: UUID | None = None
    role_version: int | None = None
    tool: str | None = None
    money: Money | None = None


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A question and what became of it. `effective_at` ends the undo window: nothing is acted upon before.

    `expires_at` moves on by the time that the role or company was paused; `payload` keeps the expiry first shown.
    `replaces` and `superseded_by` link a question to the one before it and the one in its place.
    """

    id: UUID
    version: int
    kind: ApprovalKind
    status: ApprovalStatus
    tier: Tier
    quorum: int
    ticket_id: UUID | None
    run_id: UUID | None
    step: int | None
    role_id: UUID | None
    role_version: int | None
    tool: str | None
    act_digest: str
    payload_digest: str
    payload: dict[str, object]
    money: Money | None
    undo_seconds: int
    raised_by: str
    raised_at: datetime
    expires_at: datetime
    frozen_at: datetime | None
    shown_at: datetime | None
    opened_at: datetime | None
    decided_at: datetime | None
    effective_at: datetime | None
    decided_by: str | None
    reason: str
    signature: str | None
    consumed_at: datetime | None
    replaces: UUID | None = None
    superseded_by: UUID | None = None
    apart: bool = False

    def in_effect(self, now: datetime) -> bool:
        """Decided, and the undo window is over at `now`."""
        return self.status in DECIDED and self.effective_at is not None and self.effective_at <= now

    def overdue(self, now: datetime) -> bool:
        """Nobody decided in time. A frozen approval is never overdue."""
        return self.status == "pending" and self.frozen_at is None and self.expires_at <= now


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """One founder's signed decision. `signature` is an `approval+jwt`; `undone_at` set when it was taken back."""

    id: UUID
    approval_id: UUID
    decision: Decision
    decided_by: str
    method: Method
    payload_digest: str
    signature: str
    reason: str
    decided_at: datetime
    undone_at: datetime | None


class GrantedMandate(msgspec.Struct, frozen=True, kw_only=True):
    """A mandate that a founder has signed. `signature` is the `approval+jwt`; `ended_at` is set when it ended early."""

    id: UUID
    terms: Mandate
    approval_id: UUID
    signature: str
    granted_by: str
    granted_at: datetime
    ended_at: datetime | None
    ended_by: str | None

    def in_force(self, now: datetime) -> bool:
        """A deputy's ends with its time, a second founder's admission never."""
        over = self.terms.rol == "deputy" and (self.terms.ends_at is None or self.terms.ends_at <= now)
        return self.ended_at is None and not over


_ACT = ("kind", "role", "tool", "arguments", "money", "tier", "terms", "cost_ceiling", "change", "policy", "asked")


def act_of(payload: Mapping[str, object]) -> str:
    """Digest of the act in a payload, without ticket, expiry and wording: equal acts share one card."""
    return digest({name: payload.get(name) for name in _ACT})


def person(actor: str) -> str:
    """Who is behind `founder:01...`, whatever hat was worn."""
    return actor.partition(":")[2] or actor

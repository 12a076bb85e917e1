"""The register of event types: every type that the runtime writes, with the shape of its data and its version.

Checked by tests against what is written, not at each append: the runtime's own events are made by its own code, and
`writers_of` keeps callers of the API out of them.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import msgspec

from app.canon.vocabulary import Rol
from app.governance_ledger import event_shapes as shapes
from app.governance_ledger import event_shapes_company as company
from app.governance_ledger import event_shapes_deciding as deciding
from app.governance_ledger import event_shapes_runs as runs
from app.governance_ledger.errors import EventRefused
from app.governance_ledger.event_shapes import Shape
from app.governance_ledger.event_types import CUSTOM, writers_of
from app.governance_ledger.subjects import Sealed


class Session(Shape, frozen=True, kw_only=True):
    session: str
    label: str


class DeadLetter(Shape, frozen=True, kw_only=True):
    job: str
    entrypoint: str
    error: str
    message: str


class Migrations(Shape, frozen=True, kw_only=True):
    migrations: list[str]


class PartyProposed(Shape, frozen=True, kw_only=True):
    name: str
    address: str
    approval_id: UUID


class PartyRemoved(Shape, frozen=True, kw_only=True):
    name: str
    address: str


class Subscription(Shape, frozen=True, kw_only=True):
    subscriber_id: UUID
    url: str


class Secret(Shape, frozen=True, kw_only=True):
    """What a secret is for. Nothing of its value is in the ledger."""

    name: str
    version: int
    description: str
    header: str | None
    hosts: list[str]
    role_ids: list[UUID]


class ServerProposed(Shape, frozen=True, kw_only=True):
    """`tools` maps each tool to the digest of what its server said of it."""

    name: str
    terms_digest: str
    tools: dict[str, str]
    approval_id: UUID
    reason: str


class ServerSigned(Shape, frozen=True, kw_only=True):
    name: str
    terms_digest: str
    tools: dict[str, str]
    approval_id: UUID


class ServerRemoved(Shape, frozen=True, kw_only=True):
    name: str
    terms_digest: str
    tools: dict[str, str]


class ServerQuarantined(Shape, frozen=True, kw_only=True):
    """`signed` and `listed` are digests of what the server said of the tool; null when it has it no more."""

    name: str
    tool: str
    signed: str
    listed: str | None


class SubjectOpened(Shape, frozen=True, kw_only=True):
    subject: str


class SubjectsRewrapped(Shape, frozen=True, kw_only=True):
    """The event's subjects are the keys that were wrapped anew."""

    kek_id: str
    subjects: int


class SubjectErased(Shape, frozen=True, kw_only=True):
    subject: str
    erased_at: datetime


class TicketErased(Shape, frozen=True, kw_only=True):
    """All tickets that held the subject's data."""

    subject: str
    ticket_ids: list[UUID]


class ApprovalEscalated(Shape, frozen=True):
    """`told` are the founders who are written to, by `channels`; `heard` how many had the notification shown."""

    approval_id: UUID
    place: int
    to: str
    told: list[str]
    heard: int
    channels: tuple[str, ...] = ()


class FounderChannel(Shape, frozen=True):
    """The address itself stays out of the ledger."""

    founder_id: UUID
    channel: str
    on: bool


class TokenRevoked(Shape, frozen=True, kw_only=True):
    jti: UUID
    expires_at: str
    reason: str


Versions = type[Shape] | tuple[type[Shape], ...]
"""A type's shape, or all it has had, oldest first: what was written under an older one stays in the ledger for ever."""

SHAPES: Mapping[str, Versions] = {
    "approval.decided": shapes.ApprovalDecided,
    "approval.escalated": ApprovalEscalated,
    "approval.expired": shapes.Approval,
    "approval.frozen": shapes.ApprovalsMarked,
    "approval.opened": shapes.ApprovalsMarked,
    "approval.raised": shapes.ApprovalRaised,
    "approval.shown": shapes.ApprovalsMarked,
    "approval.superseded": shapes.ApprovalTakenBack,
    "approval.thawed": shapes.ApprovalsThawed,
    "approval.undone": shapes.Approval,
    "approval.voted": shapes.ApprovalDecided,
    "approval.withdrawn": shapes.ApprovalTakenBack,
    "budget.near_limit": company.BudgetNearLimit,
    "brief.written": company.BriefWritten,
    "budget.raise_asked": company.BudgetRaiseAsked,
    "budget.raised": shapes.RoleSigned,
    "company.changed": company.CompanyChanged,
    "company.created": company.CompanyCreated,
    "company.paused": shapes.Nothing,
    "company.resumed": shapes.Nothing,
    "founder.added": company.FounderAdded,
    "founder.channel_set": FounderChannel,
    "founder.codes_renewed": company.FounderCodes,
    "founder.device_key_added": company.DeviceKey,
    "founder.invited": company.FounderInvited,
    "founder.passkey_added": company.Passkey,
    "founder.passkey_removed": company.Passkey,
    "founder.recovered": Session,
    "founder.signed_in": Session,
    "ledger.subscribed": Subscription,
    "ledger.unsubscribed": Subscription,
    "mandate.ended": deciding.MandateEnded,
    "mandate.granted": deciding.MandateGranted,
    "mandate.proposed": deciding.MandateProposed,
    "quorum.proposed": deciding.QuorumProposed,
    "quorum.set": deciding.QuorumSet,
    "message.dead_lettered": DeadLetter,
    "migration.applied": Migrations,
    "model.done": shapes.ModelAnswered,
    "model.failed": shapes.ModelAnswered,
    "model.held": shapes.ModelHeld,
    "model.refused": shapes.ModelRefused,
    "model.repeated": shapes.ModelRepeated,
    "money.hour_set": company.HourSet,
    "money.rate_set": company.RateSet,
    "money.target_set": company.TargetSet,
    "party.added": PartyProposed,
    "party.proposed": PartyProposed,
    "party.removed": PartyRemoved,
    "payments.source_added": company.PaymentSource,
    "payments.source_removed": company.PaymentSource,
    "revenue.recorded": company.Revenue,
    "role.amended": shapes.RoleSigned,
    "role.amendment_dropped": shapes.RoleDropped,
    "role.amendment_proposed": shapes.RoleAmendmentProposed,
    "role.declined": shapes.RoleDropped,
    "role.hired": shapes.RoleSigned,
    "role.paused": shapes.RoleMoved,
    "role.proposed": shapes.RoleProposed,
    "role.resumed": shapes.RoleMoved,
    "role.retired": shapes.RoleMoved,
    "rule.made": deciding.RuleMade,
    "rule.proposed": deciding.RuleProposed,
    "rule.revoked": deciding.RuleRevoked,
    "run.briefed": runs.RunBriefed,
    "run.closed": (runs.RunClosed, runs.RunPartsClosed),
    "run.continued": runs.RunContinued,
    "run.held": runs.RunHeld,
    "run.opened": (runs.RunOpened, runs.RunPartOpened),
    "run.paused": runs.RunPaused,
    "run.pruned": runs.RunPruned,
    "run.resumed": runs.RunTaken,
    "run.routed": runs.RunRouted,
    "run.started": runs.RunTaken,
    "run.taken_over": runs.RunTaken,
    "secret.removed": Secret,
    "secret.set": Secret,
    "server.proposed": ServerProposed,
    "server.quarantined": ServerQuarantined,
    "server.removed": ServerRemoved,
    "server.signed": ServerSigned,
    "subject.erased": SubjectErased,
    "subject.opened": SubjectOpened,
    "subject.rewrapped": SubjectsRewrapped,
    "ticket.cancelled": shapes.TicketClosed,
    "ticket.changed": shapes.TicketChanged,
    "ticket.done": shapes.TicketClosed,
    "ticket.erased": TicketErased,
    "ticket.failed": shapes.TicketClosed,
    "ticket.held": shapes.TicketMoved,
    "ticket.input_attached": shapes.TicketInputAttached,
    "ticket.opened": shapes.TicketOpened,
    "ticket.refused": shapes.TicketClosed,
    "ticket.resumed": shapes.TicketMoved,
    "ticket.returned": shapes.TicketClosed,
    "ticket.routed": shapes.TicketMoved,
    "ticket.started": shapes.TicketMoved,
    "token.revoked": TokenRevoked,
    "tool.done": shapes.ToolPermitted,
    "tool.edited": deciding.ToolEdited,
    "tool.expired": shapes.ToolUnanswered,
    "tool.failed": (shapes.ToolFailed, shapes.ToolFailedWhy),
    "tool.held": shapes.ToolHeld,
    "tool.intended": shapes.ToolIntended,
    "tool.refused": shapes.ToolRefused,
    "tool.rejected": shapes.ToolRejected,
    "tool.repeated": shapes.ToolRepeated,
    "tool.retry_asked": deciding.ToolRetryAsked,
    "tool.unknown": shapes.ToolUnknown,
    "tool.withdrawn": shapes.ToolUnanswered,
}


class EventType(msgspec.Struct, frozen=True):
    """A version of a registered type. `writers` are the roles whose tokens may append it; none: the runtime alone.

    `data` is a JSON schema (2020-12) of the event's `data`. A shape that changes is a new version beside the old one:
    the newest is written, events of every version are in the ledger.
    """

    type: str
    version: int
    writers: tuple[Rol, ...]
    data: dict[str, Any]


@cache
def event_types() -> tuple[EventType, ...]:
    """Every version of every registered type, by name and version, then `x.*`, which is the customer's own."""
    return (*register_of(SHAPES), EventType(f"{CUSTOM}*", 1, writers_of(CUSTOM), {"type": "object"}))


def register_of(shapes: Mapping[str, Versions]) -> Iterator[EventType]:
    for name in sorted(shapes):
        for version, shape in enumerate(versions_of(shapes[name]), 1):
            yield EventType(name, version, writers_of(name), _schema(shape))


def versions_of(shapes: Versions) -> tuple[type[Shape], ...]:
    """Oldest first."""
    return shapes if isinstance(shapes, tuple) else (shapes,)


def _schema(shape: type[Shape]) -> dict[str, Any]:
    """The shape's own schema, and `personal`: any type may say part of its data encrypted."""
    schema = msgspec.json.schema(shape, schema_hook=_anything)
    definitions = schema["$defs"]
    definitions[shape.__name__]["properties"]["personal"] = {"$ref": "#/$defs/Sealed"}
    return {**schema, "$defs": definitions | msgspec.json.schema(Sealed)["$defs"]}


def _anything(_: type) -> dict[str, Any]:
    return {"description": "any JSON value"}


def check_data(name: str, data: dict[str, object], shapes: Mapping[str, Versions] = SHAPES) -> int:
    """The newest version that `data` has the shape of; 1 for the customer's own.

    Raises `EventRefused` when `name` is neither registered nor the customer's own, or `data` has another shape.
    """
    if name.startswith(CUSTOM):
        return 1
    if name not in shapes:
        raise EventRefused(f"the type {name} is not registered")
    data = _without_personal(name, data)
    refused: msgspec.ValidationError | None = None
    versions = versions_of(shapes[name])
    for version in range(len(versions), 0, -1):
        try:
            msgspec.convert(data, versions[version - 1])
        except msgspec.ValidationError as error:
            refused = refused or error
        else:
            return version
    raise EventRefused(f"{name}: {refused}") from refused


def _without_personal(name: str, data: dict[str, object]) -> dict[str, object]:
    """Every type may say part of its data encrypted. Raises `EventRefused`."""
    if "personal" in data:
        try:
            msgspec.convert(data["personal"], Sealed)
        except msgspec.ValidationError as error:
            raise EventRefused(f"{name}: {error}") from error
    return {member: value for member, value in data.items() if member != "personal"}

"""What rooms tell each other over the queue. Ids only: a message is a wake-up, the tables are the truth."""

from datetime import date
from typing import TypeAlias
from uuid import UUID

import msgspec


class _Message(msgspec.Struct, frozen=True, tag=True, tag_field="type"):
    """At-least-once; every consumer is idempotent. `tenant` is entered before anything is read."""

    tenant: UUID


class TicketOpened(_Message, frozen=True):
    ticket_id: UUID


class ApprovalRaised(_Message, frozen=True):
    approval_id: UUID


class ApprovalDecided(_Message, frozen=True):
    """Also sent when an approval expires or is withdrawn; delivered after the undo window."""

    approval_id: UUID
    run_id: UUID | None
    ticket_id: UUID | None


class EscalationDue(_Message, frozen=True):
    """A step of a role's ladder is reached: `place` counts from 0."""

    approval_id: UUID
    place: int


class NoticeDue(_Message, frozen=True):
    """Somebody is to be told on a second channel, once."""

    notice_id: UUID


class QuietOver(_Message, frozen=True):
    """A founder's quiet hours end: what did not ring is summed up."""

    founder_id: UUID


class BriefDue(_Message, frozen=True):
    """A founder's brief of the local day `day` is to be told."""

    founder_id: UUID
    day: date


class RunWanted(_Message, frozen=True):
    """Somebody should drive this run now."""

    run_id: UUID


class RunClosed(_Message, frozen=True):
    run_id: UUID
    ticket_id: UUID
    role_id: UUID | None


class RoleResumed(_Message, frozen=True):
    role_id: UUID


class RevenueRecorded(_Message, frozen=True):
    """A worker has recorded revenue: the event holds amount and source."""

    event_id: UUID


Message: TypeAlias = (
    TicketOpened
    | ApprovalRaised
    | ApprovalDecided
    | EscalationDue
    | NoticeDue
    | QuietOver
    | BriefDue
    | RunWanted
    | RunClosed
    | RoleResumed
    | RevenueRecorded
)

ENCODER = msgspec.json.Encoder()
DECODER: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def entrypoint(message: Message) -> str:
    """The queue's entrypoint for a message: `ticket_opened`, `run_wanted`, ..."""
    return entrypoint_of(type(message))


def entrypoint_of(kind: type[Message]) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in kind.__name__).lstrip("_")

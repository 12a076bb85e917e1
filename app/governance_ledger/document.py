"""The canonical document, version 1: what is hashed. `docs/ledger-format.md` says it in full.

The application writes the inner object; a trigger wraps it with what the database alone knows and hashes the whole.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from app import clock
from app.canon.canonical_json import canonical_bytes
from app.canon.evidence import EvidenceRef
from app.governance_ledger.errors import EventRefused
from app.governance_ledger.event_types import check_type
from app.governance_ledger.model import Event

MAX_BODY_BYTES = 256 * 1024


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the application states."""

    actor: str
    approval: str | None
    data: dict[str, object]
    evidence: tuple[EvidenceRef, ...]
    occurred_at: datetime
    run_id: UUID | None
    step: int | None
    ticket_id: UUID | None
    type: str


class Effect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many row changes the event accounts for in the digest form, and the digest over them."""

    digest: str
    n: str


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole, as hashed: `leaf = SHA-256(0x00 || its canonical bytes)`."""

    at: datetime
    body: Inner
    effect: Effect
    id: UUID
    n: str
    subjects: tuple[str, ...]
    tenant: UUID
    v: str
    xid: str


DECODER = msgspec.json.Decoder(Document)


def instant(moment: datetime) -> str:
    """UTC with microseconds and `Z`: the one form in which documents write an instant."""
    if moment.tzinfo is None:
        raise EventRefused("occurred_at needs a time zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def inner_text(event: Event) -> str:
    """The canonical inner object of `event`. Raises `EventRefused` or `NotCanonical`."""
    if not event.actor:
        raise EventRefused("actor is empty")
    body = canonical_bytes(_inner(event)).decode()
    if len(body) > MAX_BODY_BYTES:
        raise EventRefused(f"the event is larger than {MAX_BODY_BYTES} bytes: keep the bulk as evidence")
    return body


def _inner(event: Event) -> Mapping[str, object]:
    return {
        "actor": event.actor,
        "approval": event.approval,
        "data": event.data,
        "evidence": [msgspec.to_builtins(ref) for ref in event.evidence],
        "occurred_at": instant(event.occurred_at or clock.now()),
        "run_id": None if event.run_id is None else str(event.run_id),
        "step": event.step,
        "ticket_id": None if event.ticket_id is None else str(event.ticket_id),
        "type": check_type(event.type),
    }

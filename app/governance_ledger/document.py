"""The canonical document, version 1: what is hashed. `docs/ledger-format.md` says it in full.

The application inserts columns and the canonical data; a trigger composes the document from them and from what the
database alone knows, and hashes it.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from app import clock
from app.canon.canonical_json import canonical_bytes
from app.canon.evidence import EvidenceRef
from app.canon.vocabulary import on_calendar
from app.governance_ledger.errors import EventRefused
from app.governance_ledger.event_types import check_type
from app.governance_ledger.model import Event

MAX_BODY_BYTES = 256 * 1024
_SUBJECT = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+(/[A-Za-z0-9._:-]{1,200})?")


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
    """UTC with microseconds and `Z`: the one form in which documents write an instant. Raises `EventRefused`."""
    return _utc(moment).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Row(NamedTuple):
    """What the application inserts, in the order of the statement. `body` is `"data":{...},"evidence":[...]`."""

    event_id: UUID
    occurred_at: datetime
    type: str
    actor: str
    ticket_id: UUID | None
    run_id: UUID | None
    step: int | None
    approval_signature: str | None
    evidence_url: str | None
    subjects: Sequence[str]
    expect: int | None
    body: str


def row_of(event: Event, event_id: UUID) -> Row:
    """`event` as it is inserted. Raises `EventRefused` or `NotCanonical`."""
    first = event.evidence[0] if event.evidence else None
    return Row(
        event_id,
        _occurred(event.occurred_at or clock.now()),
        check_type(event.type),
        _text(event.actor),
        event.ticket_id,
        event.run_id,
        event.step,
        None if event.approval is None else _text(event.approval),
        None if first is None else first.key,
        tuple(_subject(subject) for subject in event.subjects),
        event.expect,
        _body(event),
    )


def _body(event: Event) -> str:
    evidence = [msgspec.to_builtins(ref) for ref in event.evidence]
    body = canonical_bytes({"data": event.data, "evidence": evidence})
    if len(body) > MAX_BODY_BYTES:
        raise EventRefused(f"the event is larger than {MAX_BODY_BYTES} bytes: keep the bulk as evidence")
    return body[1:-1].decode()


def _occurred(moment: datetime) -> datetime:
    if moment.tzinfo is not None and not on_calendar(moment):
        raise EventRefused("occurred_at lies before the year 1900 or after 8999")
    return _utc(moment)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise EventRefused("occurred_at needs a time zone")
    return moment.astimezone(UTC)


def _text(value: str) -> str:
    if not value:
        raise EventRefused("actor and approval may not be empty")
    canonical_bytes(value)
    return value


def _subject(value: str) -> str:
    if not _SUBJECT.fullmatch(value):
        raise EventRefused(f"subject {value!r}: write schema.table/key, or schema.table with expect")
    return value

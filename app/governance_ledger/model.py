"""What is appended, what is read back, and what verifying says."""

from collections.abc import Mapping
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

import msgspec

from app.canon.evidence import EvidenceRef

T = TypeVar("T")

SYSTEM_TENANT = UUID(int=0)
"""Owns the chain of what concerns the whole installation, such as `migration.applied`."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller appends.

    `subjects` name what the event accounts for: `schema.table/key`; or `schema.table` alone, for a table in the digest
    form, with `expect` as the exact number of its changes. `data` follows the rules of `canon.canonical_json`: money
    and large ids are strings. `approval` is an approval JWT. `occurred_at` None means now.
    """

    type: str
    actor: str
    subjects: tuple[str, ...] = ()
    ticket_id: UUID | None = None
    run_id: UUID | None = None
    step: int | None = None
    data: dict[str, object] = {}
    approval: str | None = None
    evidence: tuple[EvidenceRef, ...] = ()
    expect: int | None = None
    occurred_at: datetime | None = None


class Receipt(msgspec.Struct, frozen=True):
    """What the database stamped. It holds once the caller's transaction commits. `leaf` is lower-case hex."""

    event_id: UUID
    leaf: str
    xid: str
    recorded_at: datetime


class RecordedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as stored, read from its canonical document. `seq` and `hash` (hex) are None while it is unsealed."""

    n: int
    event_id: UUID
    tenant_id: UUID
    xid: str
    type: str
    actor: str
    occurred_at: datetime
    recorded_at: datetime
    ticket_id: UUID | None
    run_id: UUID | None
    step: int | None
    data: dict[str, object]
    approval_signature: str | None
    evidence: tuple[EvidenceRef, ...]
    subjects: tuple[str, ...]
    leaf: str
    seq: int | None
    hash: str | None


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """All given conditions hold. `type` ending in `.` or `*` is a prefix. `since` is inclusive, `until` exclusive,
    both on `occurred_at`. `names` is an id that stands anywhere in the document. `says` and `never` map a path within
    `data` (`money.currency`) to the texts of which one, or none, stands there; an empty one means nothing there."""

    type: str | None = None
    types: tuple[str, ...] | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    ticket_id: UUID | None = None
    ticket_ids: tuple[UUID, ...] | None = None
    run_id: UUID | None = None
    names: UUID | None = None
    says: Mapping[str, tuple[str, ...]] = {}
    never: Mapping[str, tuple[str, ...]] = {}


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page. `next_cursor` is opaque; None at the end."""

    items: tuple[T, ...]
    next_cursor: str | None = None


class Unsealed(msgspec.Struct, frozen=True):
    """Committed events that the sealer has not linked yet."""

    count: int
    oldest_age_ms: int


class Break(msgspec.Struct, frozen=True):
    """The first place at which the ledger is not what it was. `seq` and `event_id` are None where none applies."""

    seq: int | None
    event_id: UUID | None
    reason: str


class Attestation(msgspec.Struct, frozen=True):
    """The newest attestation by a time stamping authority (`timestamp`) or a `witness`: which checkpoint, when.

    `verified`: with the certificate or key in the settings. `error` is what it said since, when it gave nothing; `at`
    is None when it never attested.
    """

    kind: str
    name: str
    serial: int
    size: int
    at: datetime | None
    verified: bool
    error: str | None = None


class CheckpointSummary(msgspec.Struct, frozen=True):
    """The newest signed checkpoint. `root_hash` is the RFC 6962 root and `head_hash` the chain's head, both hex.

    `attestations` are filled by `chain-verify` only.
    """

    serial: int
    size: int
    root_hash: str
    head_hash: str
    kid: str
    signed_at: datetime
    note: str
    attestations: tuple[Attestation, ...] = ()


class ChainReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `chain-verify`. `events` counts the events verified now: `from_seq` to `to_seq`; `signatures` the
    decisions whose signatures were, `receipts` those that are stored."""

    ok: bool
    tenant: UUID
    from_seq: int
    to_seq: int
    events: int
    head_hash: str
    checkpoint: CheckpointSummary | None
    unsealed: Unsealed
    signatures: int
    receipts: int
    first_break: Break | None
    duration_ms: int

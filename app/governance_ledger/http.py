"""The ledger over HTTP: list, read, verify. Appending and evidence bytes have modules of their own."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, QueryParameter

from app.auth import load_public_keys, raw_public, require
from app.canon.vocabulary import Principal, Rol
from app.governance_ledger.appending_http import append_event
from app.governance_ledger.attestations import load_trust
from app.governance_ledger.errors import EvidenceUnknown
from app.governance_ledger.evidence_http import FILE_ROUTES, links_of
from app.governance_ledger.export_http import ROUTES as EXPORT_ROUTES
from app.governance_ledger.model import ChainReport, EventFilter, Page, RecordedEvent
from app.governance_ledger.proofs_http import ROUTES as PROOF_ROUTES
from app.governance_ledger.reading import read_event, read_events
from app.governance_ledger.registry import EventType, event_types
from app.governance_ledger.subjects import keeper_of, reveal
from app.governance_ledger.subjects_http import ROUTES as SUBJECT_ROUTES
from app.governance_ledger.subscribers_http import ROUTES as SUBSCRIBER_ROUTES
from app.governance_ledger.verifying import verify_chain
from app.postgres import Transaction
from app.problems import documented
from app.settings import Settings

__all__ = ["FILE_ROUTES", "ROUTES"]

TAGS = ["ledger"]
LINK_SECONDS = 300
READERS = (Rol.FOUNDER, Rol.DEPUTY, Rol.OPERATOR, Rol.AUDITOR, Rol.SERVICE)
IDEMPOTENT = UUID("6d7f2f0a-9a35-5f0f-9d0e-4f4b6b0c6f17")

Caller = Request[Principal, Principal, State]


class EvidenceLink(msgspec.Struct, frozen=True):
    """Where evidence can be read until `expires_at`; compare what you get with `sha256`."""

    url: str
    expires_at: datetime
    sha256: str
    size_bytes: int
    media_type: str
    name: str


class EvidenceLinks(msgspec.Struct, frozen=True, kw_only=True):
    """The first piece of an event's evidence, and all of them in `items`."""

    url: str
    expires_at: datetime
    sha256: str
    size_bytes: int
    media_type: str
    name: str
    items: tuple[EvidenceLink, ...]


async def provide_filter(
    type_: Annotated[
        str | None, QueryParameter(name="type", description="`tool.done`, or `tool.` for a family")
    ] = None,
    actor: FromQuery[str | None] = None,
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
    ticket_id: FromQuery[UUID | None] = None,
    run_id: FromQuery[UUID | None] = None,
) -> EventFilter:
    return EventFilter(type=type_, actor=actor, since=since, until=until, ticket_id=ticket_id, run_id=run_id)


@get(
    "/events",
    dependencies={"where": Provide(provide_filter)},
    tags=TAGS,
    summary="List events",
    description="Newest first unless `order=asc`. `type` ending in `.` or `*` is a prefix. `since` is inclusive, "
    "`until` exclusive, both on `occurred_at`. `cursor` is the `next_cursor` of the page before. `seq` and `hash` are "
    "null until the event is sealed. `data.personal` is shown decrypted, or with `erased_at` once its subject was "
    "erased.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def list_events(
    request: Caller,
    tx: NamedDependency[Transaction],
    where: NamedDependency[EventFilter],
    cursor: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
    order: FromQuery[Literal["asc", "desc"]] = "desc",
) -> Page[RecordedEvent]:
    require(request.auth, *READERS)
    page = await read_events(tx, where, after=cursor, limit=limit, newest_first=order == "desc")
    return Page(await reveal(tx, keeper_of(request.app.state.settings.keys), page.items), page.next_cursor)


@get(
    "/events/types",
    tags=TAGS,
    summary="List the registered types of events",
    description="Every type that the runtime writes, once for each version it has had, with the JSON schema of its "
    "`data` and the roles whose tokens may append it. `x.*` are your own: any object without fractions.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def list_types(request: Caller) -> Page[EventType]:
    require(request.auth, *READERS)
    return Page(event_types())


@get(
    "/events/{event_id:uuid}",
    tags=TAGS,
    summary="Read one event",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def show_event(request: Caller, tx: NamedDependency[Transaction], event_id: FromPath[UUID]) -> RecordedEvent:
    require(request.auth, *READERS)
    event = await read_event(tx, event_id)
    return (await reveal(tx, keeper_of(request.app.state.settings.keys), [event]))[0]


@get(
    "/events/{event_id:uuid}/evidence",
    tags=TAGS,
    summary="Get addresses of an event's evidence",
    description="Each address is signed and expires. The bytes' SHA-256 stands in the event.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def link_evidence(request: Caller, tx: NamedDependency[Transaction], event_id: FromPath[UUID]) -> EvidenceLinks:
    require(request.auth, *READERS)
    event = await read_event(tx, event_id)
    if not event.evidence:
        raise EvidenceUnknown(f"event {event_id} carries no evidence")
    settings: Settings = request.app.state.settings
    items = []
    for ref in event.evidence:
        path, exp = links_of(settings.keys).path(tx.tenant, ref.key, ttl_seconds=LINK_SECONDS, name=ref.name)
        expires_at = datetime.fromtimestamp(exp, UTC)
        items.append(
            EvidenceLink(settings.origin + path, expires_at, ref.sha256, ref.size_bytes, ref.media_type, ref.name)
        )
    return EvidenceLinks(**msgspec.structs.asdict(items[0]), items=tuple(items))


@get(
    "/events/chain-verify",
    tags=TAGS,
    summary="Verify the tenant's chain",
    description="Recomputes hashes from the stored bytes, from where the last verification ended, or from the first "
    "event with `full=true`, and holds them against the signed checkpoints here and in the evidence store. `ok` is "
    "false with the first break named. Nobody can find what was rewritten after the last checkpoint held outside.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def verify(request: Caller, tx: NamedDependency[Transaction], full: FromQuery[bool] = False) -> ChainReport:
    require(request.auth, *READERS)
    settings: Settings = request.app.state.settings
    seals, approvals, receipts = (
        {kid: raw_public(key) for kid, key in load_public_keys(settings.keys, purpose).items()}
        for purpose in ("seal", "approval", "receipt")
    )
    return await verify_chain(
        tx,
        full=full,
        keys=seals or None,
        approval_keys=approvals,
        receipt_keys=receipts,
        store=request.app.state.store,
        trust=load_trust(settings.witnesses, settings.timestamp_certificates),
        max_merge_delay_seconds=settings.max_merge_delay_seconds,
    )


ROUTES = (
    append_event,
    list_events,
    list_types,
    show_event,
    link_evidence,
    verify,
    *PROOF_ROUTES,
    *EXPORT_ROUTES,
    *SUBSCRIBER_ROUTES,
    *SUBJECT_ROUTES,
)

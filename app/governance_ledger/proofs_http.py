"""Checkpoints and Merkle proofs over HTTP."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from litestar import Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from app.auth import require
from app.canon.vocabulary import Principal, Rol
from app.governance_ledger.model import CheckpointSummary, Page
from app.governance_ledger.proving import (
    ConsistencyProof,
    InclusionProof,
    latest_checkpoint,
    list_checkpoints,
    prove_consistency,
    prove_inclusion,
)
from app.postgres import Transaction
from app.problems import documented

TAGS = ["ledger"]
READERS = (Rol.FOUNDER, Rol.DEPUTY, Rol.OPERATOR, Rol.AUDITOR, Rol.SERVICE)
REFUSED = documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.INTERNAL_SERVER_ERROR)

Caller = Request[Principal, Principal, State]


@get(
    "/ledger/checkpoints",
    tags=TAGS,
    summary="List signed checkpoints",
    description="Newest first. `note` is the C2SP signed note. `cursor` is the `next_cursor` of the page before.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def list_signed(
    request: Caller,
    tx: NamedDependency[Transaction],
    cursor: Annotated[int | None, QueryParameter(ge=1)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
) -> Page[CheckpointSummary]:
    require(request.auth, *READERS)
    return await list_checkpoints(tx, before=cursor, limit=limit)


@get(
    "/ledger/checkpoints/latest",
    tags=TAGS,
    summary="Get the newest signed checkpoint",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def show_latest(request: Caller, tx: NamedDependency[Transaction]) -> CheckpointSummary:
    require(request.auth, *READERS)
    return await latest_checkpoint(tx)


@get(
    "/ledger/proofs/inclusion",
    tags=TAGS,
    summary="Prove that an event is in the tree",
    description="The audit path of RFC 9162, 2.1.3, from the event's leaf to the root of the tree of `size` events: by "
    "default that of the newest checkpoint, which is the largest. Compute the root, and compare it with a checkpoint "
    "that you hold and whose signature you have verified.",
    responses=REFUSED,
)
async def show_inclusion(
    request: Caller,
    tx: NamedDependency[Transaction],
    event_id: FromQuery[UUID],
    size: Annotated[int | None, QueryParameter(ge=1)] = None,
) -> InclusionProof:
    require(request.auth, *READERS)
    return await prove_inclusion(tx, event_id, size)


@get(
    "/ledger/proofs/consistency",
    tags=TAGS,
    summary="Prove that the ledger was only appended to",
    description="The consistency proof of RFC 9162, 2.1.4, between the trees of `first` and `second` events; `second` "
    "is the newest checkpoint's size by default. Compute both roots and compare them with the checkpoints you hold.",
    responses=REFUSED,
)
async def show_consistency(
    request: Caller,
    tx: NamedDependency[Transaction],
    first: Annotated[int, QueryParameter(ge=1)],
    second: Annotated[int | None, QueryParameter(ge=1)] = None,
) -> ConsistencyProof:
    require(request.auth, *READERS)
    return await prove_consistency(tx, first, second)


ROUTES = (list_signed, show_latest, show_inclusion, show_consistency)

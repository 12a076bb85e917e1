"""Subscribers to checkpoints over HTTP: the founder's alone."""

from http import HTTPStatus
from uuid import UUID

import msgspec
from litestar import Request, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from app.auth import require
from app.canon.vocabulary import Principal, Rol
from app.governance_ledger.model import Page
from app.governance_ledger.subscribing import Subscribed, Subscriber, list_subscribers, subscribe, unsubscribe
from app.postgres import Transaction
from app.problems import documented

TAGS = ["ledger"]

Caller = Request[Principal, Principal, State]


class NewSubscriber(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where checkpoints are sent to."""

    url: str


@post(
    "/ledger/subscribers",
    tags=TAGS,
    summary="Have checkpoints sent to an address",
    description="Each new checkpoint, from the newest one on, is POSTed to `url` in the form of Standard Webhooks, "
    "signed with the `secret` of this answer, which is not shown again (repeated under an `Idempotency-Key` it is "
    "null: who lost it subscribes anew); what is not answered with 2xx is sent again, later each time. A copy on a "
    "machine that is not this one is what shows a rewritten ledger. Private addresses are "
    "refused unless FLR_HTTP_ALLOW_PRIVATE lists them.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT),
)
async def add_subscriber(
    request: Caller, tx: NamedDependency[Transaction], data: JSONBody[NewSubscriber]
) -> Subscribed:
    require(request.auth, Rol.FOUNDER)
    allow_private = request.app.state.settings.http_allow_private
    return await subscribe(tx, data.url, by=request.auth, allow_private=allow_private)


@get(
    "/ledger/subscribers",
    tags=TAGS,
    summary="List who is sent checkpoints, and how far that went",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def show_subscribers(request: Caller, tx: NamedDependency[Transaction]) -> Page[Subscriber]:
    require(request.auth, Rol.FOUNDER)
    return await list_subscribers(tx)


@delete(
    "/ledger/subscribers/{subscriber_id:uuid}",
    tags=TAGS,
    summary="Stop sending checkpoints to an address",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def remove_subscriber(request: Caller, tx: NamedDependency[Transaction], subscriber_id: FromPath[UUID]) -> None:
    require(request.auth, Rol.FOUNDER)
    await unsubscribe(tx, subscriber_id, by=request.auth)


ROUTES = (add_subscriber, show_subscribers, remove_subscriber)

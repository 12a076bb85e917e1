"""Web push over HTTP: a browser is rung from now on, says what it showed, and hands in a pressed button."""

from http import HTTPStatus
from uuid import UUID

import msgspec
from litestar import delete, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from app.auth import require
from app.canon.vocabulary import Rol
from app.founder_console import store
from app.founder_console.channels.push import open_token, subscribe
from app.founder_console.model import NewSubscription
from app.founder_console.visits import Caller, enter
from app.postgres import Transaction
from app.problems import documented
from app.work_queue import decide, keep_pace

TAGS = ["console"]
DECIDERS = (Rol.FOUNDER, Rol.DEPUTY)


class SubscriptionKept(msgspec.Struct, frozen=True):
    id: UUID


class Gone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    endpoint: str


class ReceiptOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    receipt: UUID


class Pressed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The token behind the button of a notification."""

    token: str


class Told(msgspec.Struct, frozen=True):
    """What the phone shows in the notification's place."""

    title: str
    body: str


@post(
    "/push/subscriptions",
    status_code=HTTPStatus.CREATED,
    tags=TAGS,
    summary="Ring this browser",
    description="Addresses of push services that are not known are refused.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def keep_subscription(
    request: Caller, tx: NamedDependency[Transaction], data: JSONBody[NewSubscription]
) -> SubscriptionKept:
    visit = await enter(request, tx)
    hosts = request.app.state.settings.push_allow_hosts
    return SubscriptionKept(await subscribe(tx, visit.founder.id, data, hosts))


@delete(
    "/push/subscriptions",
    status_code=HTTPStatus.NO_CONTENT,
    tags=TAGS,
    summary="Ring this browser no more",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def drop_subscription(request: Caller, tx: NamedDependency[Transaction], data: JSONBody[Gone]) -> None:
    await enter(request, tx)
    await store.delete_subscription(tx, data.endpoint)


@post(
    "/push/receipts",
    status_code=HTTPStatus.NO_CONTENT,
    tags=TAGS,
    summary="A notification was shown",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def push_receipt(request: Caller, tx: NamedDependency[Transaction], data: JSONBody[ReceiptOf]) -> None:
    require(request.auth, *DECIDERS)
    await store.push_received(tx, data.receipt)


@post(
    "/push/decisions",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="A button on a notification was pressed",
    description="The token says what was meant, once; the session says who means it. R2 is never approved this way.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
async def push_decision(request: Caller, tx: NamedDependency[Transaction], data: JSONBody[Pressed]) -> Told:
    visit = await enter(request, tx)
    token = await open_token(tx, request.app.state.seal, data.token)
    await keep_pace(tx, request.auth)
    decided = await decide(
        tx,
        token.a,
        token.d,
        by=request.auth,
        signer=request.app.state.approval_tokens,
        proof=None,
        version=token.v,
    )
    words, said = visit.words, "approved" if token.d == "approve" else "rejected"
    return Told(words(f"push.{said}_title"), words(f"push.{said}_body", seconds=decided.undo_seconds))


ROUTES = (keep_subscription, drop_subscription, push_receipt, push_decision)

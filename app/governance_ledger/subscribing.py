"""Who is sent each new checkpoint: copies that are out of this database's reach."""

import os
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from app.canon.errors import Conflict, NotFound
from app.canon.signed_posts import SECRET_BYTES, check_address, secret_text
from app.canon.vocabulary import Principal, new_id
from app.governance_ledger.appending import append
from app.governance_ledger.model import Event, Page
from app.postgres import Transaction

TABLE = "governance_ledger.checkpoint_subscribers"
MOST = 20

_ADD = """
INSERT INTO governance_ledger.checkpoint_subscribers (id, tenant_id, url, secret, from_serial, created_by)
VALUES ($1, $2, $3, $4, coalesce(
  (SELECT max(serial) FROM governance_ledger.ledger_checkpoints WHERE tenant_id = $2), 1), $5)
RETURNING created_at
"""

_LIST = """
SELECT s.id, s.url, s.created_by, s.created_at, d.serial, d.delivered_at, coalesce(d.attempts, 0) AS attempts,
       CASE WHEN d.attempts > 0 THEN d.next_try_at END AS next_try_at, d.last_error
  FROM governance_ledger.checkpoint_subscribers s
  LEFT JOIN governance_ledger.checkpoint_deliveries d ON d.subscriber_id = s.id
 WHERE s.tenant_id = $1 ORDER BY s.created_at, s.id
"""


class SubscriberUnknown(NotFound):
    """This tenant has no subscriber of that id."""


class SubscriberKnown(Conflict):
    """This address is subscribed already, or too many are."""


class Subscriber(msgspec.Struct, frozen=True, kw_only=True):
    """Who is sent checkpoints, and how far that went. `serial` is the last one that was delivered.

    `attempts` counts failures with the next one; it is tried again at `next_try_at`.
    """

    id: UUID
    url: str
    created_by: str
    created_at: datetime
    serial: int | None = None
    delivered_at: datetime | None = None
    attempts: int = 0
    next_try_at: datetime | None = None
    last_error: str | None = None


class Subscribed(msgspec.Struct, frozen=True):
    """A new subscriber. `secret` signs what is sent to it and is never shown again: null in a repeated answer."""

    id: UUID
    url: str
    secret: str | None
    created_at: datetime

    def for_repetition(self) -> "Subscribed":
        return msgspec.structs.replace(self, secret=None)


async def subscribe(tx: Transaction, url: str, *, by: Principal, allow_private: Sequence[str] = ()) -> Subscribed:
    """Send each checkpoint to `url` from the newest one on [event ledger.subscribed].

    `allow_private` lists `host` or `host:port` that may be reached over http and at a private address. Raises
    `AddressRefused`, `SubscriberKnown`.
    """
    check_address(url, allow_private)
    if len((await list_subscribers(tx)).items) >= MOST:
        raise SubscriberKnown(f"a company has at most {MOST} subscribers: delete one first")
    subscriber_id, secret = new_id(), os.urandom(SECRET_BYTES)
    try:
        async with tx.savepoint():
            created_at = await tx.connection.fetchval(_ADD, subscriber_id, tx.tenant, url, secret, by.actor)
    except asyncpg.UniqueViolationError as error:
        raise SubscriberKnown(f"{url} is subscribed already") from error
    await append(tx, _event("subscribed", subscriber_id, url, by))
    return Subscribed(subscriber_id, url, secret_text(secret), created_at)


async def unsubscribe(tx: Transaction, subscriber_id: UUID, *, by: Principal) -> None:
    """Send nothing more [event ledger.unsubscribed]. Raises `SubscriberUnknown`."""
    url = await tx.connection.fetchval(
        "DELETE FROM governance_ledger.checkpoint_subscribers WHERE tenant_id = $1 AND id = $2 RETURNING url",
        tx.tenant,
        subscriber_id,
    )
    if url is None:
        raise SubscriberUnknown(f"there is no subscriber {subscriber_id}")
    await append(tx, _event("unsubscribed", subscriber_id, url, by))


async def list_subscribers(tx: Transaction) -> Page[Subscriber]:
    """All of the tenant's subscribers, oldest first."""
    rows = await tx.connection.fetch(_LIST, tx.tenant)
    return Page(tuple(Subscriber(**dict(row)) for row in rows))


def _event(what: str, subscriber_id: UUID, url: str, by: Principal) -> Event:
    # What a query says may be a secret, and what the ledger says it says for ever.
    data: dict[str, object] = {"subscriber_id": str(subscriber_id), "url": url.partition("?")[0]}
    return Event(type=f"ledger.{what}", actor=by.actor, subjects=(f"{TABLE}/{subscriber_id}",), data=data)

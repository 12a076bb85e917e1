"""Sending new checkpoints to those who subscribed: in order, signed, again until it was heard. Runs in the sealer.

A delivery is a POST in the form of Standard Webhooks (standardwebhooks.com): `webhook-id`, `webhook-timestamp`, and
`webhook-signature`, the HMAC-SHA256 of `id.timestamp.body` under the subscriber's secret. Any 2xx answer is a yes.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import TypeAlias
from uuid import UUID

import asyncpg
import msgspec

from app import clock
from app.canon.signed_posts import headers_of

LOG = logging.getLogger(__name__)
AT_ONCE = 32
PATIENCE_SECONDS = 0.5
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=2), timedelta(hours=1)

Post: TypeAlias = Callable[[str, Mapping[str, str], bytes], Awaitable[str | None]]
"""Sends a body with headers to a URL; what went wrong, in a sentence, or None."""

_DUE = """
SELECT s.id, s.tenant_id AS tenant, s.url, s.secret, coalesce(d.attempts, 0) AS attempts,
       c.serial, c.size, encode(c.root_hash, 'hex') AS root_hash, c.note
  FROM governance_ledger.checkpoint_subscribers s
  LEFT JOIN governance_ledger.checkpoint_deliveries d ON d.subscriber_id = s.id
  JOIN governance_ledger.ledger_checkpoints c
    ON c.tenant_id = s.tenant_id AND c.serial = greatest(coalesce(d.serial + 1, 0), s.from_serial)
 WHERE coalesce(d.next_try_at <= $1, true) AND s.id <> ALL ($2)
 ORDER BY d.next_try_at NULLS FIRST LIMIT $3
"""

_SENT = """
INSERT INTO governance_ledger.checkpoint_deliveries AS d (subscriber_id, tenant_id, serial, delivered_at, next_try_at)
SELECT id, tenant_id, $2, $3, $3 FROM governance_ledger.checkpoint_subscribers WHERE id = $1
ON CONFLICT (subscriber_id) DO UPDATE
   SET serial = excluded.serial, delivered_at = excluded.delivered_at, attempts = 0,
       next_try_at = excluded.next_try_at, last_error = NULL
"""

_FAILED = """
INSERT INTO governance_ledger.checkpoint_deliveries AS d
       (subscriber_id, tenant_id, serial, attempts, next_try_at, last_error)
SELECT id, tenant_id, $2 - 1, 1, $3, $4 FROM governance_ledger.checkpoint_subscribers WHERE id = $1
ON CONFLICT (subscriber_id) DO UPDATE
   SET attempts = d.attempts + 1, next_try_at = excluded.next_try_at, last_error = excluded.last_error
"""


class _Due(msgspec.Struct, frozen=True):
    """The next checkpoint of a subscriber."""

    id: UUID
    tenant: UUID
    url: str
    secret: bytes
    attempts: int
    serial: int
    size: int
    root_hash: str
    note: str


class Courier:
    """Sends every subscriber its next checkpoint, one after the other; one that is slow holds up nobody else."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._under_way: dict[asyncio.Task[str | None], _Due] = {}

    async def deliver(self, connection: asyncpg.Connection) -> int:
        """Send to those that are due, and note what has been answered; how many heard."""
        busy = [due.id for due in self._under_way.values()]
        for row in await connection.fetch(_DUE, clock.now(), busy, AT_ONCE - len(busy)):
            due = _Due(**dict(row))
            self._under_way[asyncio.create_task(_send(due, self._post))] = due
        if not self._under_way:
            return 0
        answered, _ = await asyncio.wait(self._under_way, timeout=PATIENCE_SECONDS)
        failures = [(self._under_way.pop(task), task.result()) for task in answered]
        for due, failure in failures:
            await _note(connection, due, failure)
        return [failure for _, failure in failures].count(None)

    async def close(self) -> None:
        """Give up what is under way: it is sent again by whoever seals next."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)


async def _send(due: _Due, post: Post) -> str | None:
    body = msgspec.json.encode(
        {
            "type": "ledger.checkpoint",
            "tenant": due.tenant,
            "serial": due.serial,
            "size": due.size,
            "root_hash": due.root_hash,
            "note": due.note,
        }
    )
    return await post(due.url, headers_of(due.secret, f"{due.tenant}.{due.serial}", clock.now(), body), body)


async def _note(connection: asyncpg.Connection, due: _Due, failure: str | None) -> None:
    now = clock.now()
    if failure is None:
        await connection.execute(_SENT, due.id, due.serial, now)
        return
    LOG.warning("checkpoint %d of tenant %s was not delivered: %s", due.serial, due.tenant, failure)
    pause = min(FIRST_PAUSE * 2 ** min(due.attempts, 20), LONGEST_PAUSE)
    await connection.execute(_FAILED, due.id, due.serial, now + pause, failure[:500])

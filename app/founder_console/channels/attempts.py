"""Attempts to ring a browser, each noted before it is made: a worker that dies in between leaves its trace.

What became of such an attempt nobody knows. For a while it counts as made, so that the phone does not ring twice; if
the phone has not said by then that it showed the notification, it is rung again: a ring that is missed is worse.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from app.founder_console.channels.push import Note
from app.founder_console.model import Subscription
from app.postgres import Transaction

UNSURE_SECONDS = 60
"""Longer than the queue waits before it gives a dead worker's message to another."""

_MAKE = """
INSERT INTO founder_console.push_receipts (id, tenant_id, subscription_id, tag, sent_at)
VALUES ($1, $2, $3, $4, clock.now())
"""
_ANSWERED = "UPDATE founder_console.push_receipts SET status = $2, sent_at = clock.now() WHERE id = $1"
_RANG = "UPDATE founder_console.push_subscriptions SET last_sent_at = clock.now(), problem = $2 WHERE id = $1"

_OF = """
SELECT subscription_id, coalesce(bool_or(received_at IS NOT NULL OR status BETWEEN 200 AND 299), false) AS rung,
       bool_or(status IS NULL) AS unsure,
       coalesce(max(extract(epoch FROM sent_at - clock.now()) + $2) FILTER (WHERE status IS NULL), 0) AS wait_seconds
  FROM founder_console.push_receipts WHERE tag = $1 AND ($3::timestamptz IS NULL OR sent_at >= $3)
 GROUP BY subscription_id
"""


class Call(msgspec.Struct, frozen=True):
    """One note for one browser."""

    subscription: Subscription
    note: Note


class Tried(msgspec.Struct, frozen=True):
    """What is known of the attempts to show one browser one notification. `rung`: the service took it, or the phone has
    shown it. `wait_seconds`: how long an attempt that nobody knows the end of still counts as made."""

    rung: bool
    unsure: bool
    wait_seconds: float

    @property
    def rests(self) -> bool:
        return self.rung or self.wait_seconds > 0


async def attempts_of(tx: Transaction, tag: str, since: datetime | None = None) -> Mapping[UUID, Tried]:
    """By subscription, for the notification of this tag."""
    records = await tx.connection.fetch(_OF, tag, float(UNSURE_SECONDS), since)
    return {one["subscription_id"]: Tried(one["rung"], one["unsure"], float(one["wait_seconds"])) for one in records}


def unsure_seconds(tried: Iterable[Tried]) -> float | None:
    """When to look again at what nobody knows the end of; None when there is no need."""
    return max((one.wait_seconds for one in tried if not one.rung and one.wait_seconds > 0), default=None)


async def note_attempts(tx: Transaction, calls: Iterable[Call]) -> None:
    """They are about to be made: commit before the first."""
    values = [(call.note.receipt, tx.tenant, call.subscription.id, call.note.tag) for call in calls]
    await tx.connection.executemany(_MAKE, values)


async def note_answer(tx: Transaction, call: Call, *, status: int, problem: str) -> None:
    """What the push service said; 0 where it said nothing."""
    await tx.connection.execute(_ANSWERED, call.note.receipt, status)
    await tx.connection.execute(_RANG, call.subscription.id, problem)

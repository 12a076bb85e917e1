"""Ringing the founders' browsers: a new question rings, an answered one is hushed.

Read and note the attempts in one transaction, send in none, note the answers in another. A phone that cannot be rung is
no reason to fail a message.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from app.canon.push import PushAnswer, PushSender, PushTarget
from app.founder_console import store
from app.founder_console.cards.inbox import pending
from app.founder_console.channels import channel_store
from app.founder_console.channels.attempts import Call, attempts_of, note_answer, note_attempts, unsure_seconds
from app.founder_console.channels.push import QUIET, Bell, reachable, shortened, still_open, tag_of, worker_of
from app.founder_console.channels.quiet import held_back, zone_of
from app.founder_console.formats import Formats
from app.founder_console.keyfiles import Seal
from app.founder_console.model import Language, Subscription
from app.founder_console.wording import Words
from app.messages import ApprovalDecided, ApprovalRaised, QuietOver
from app.postgres import Database, Transaction
from app.role_registry import company
from app.settings import Settings
from app.work_queue import Approval, get_approval, publish

RETRY_SECONDS = 120

_LOG = logging.getLogger("flr.push")


class Ringer:
    """Rings every founder's browsers. Composition gives the sender and closes it."""

    def __init__(
        self, database: Database, sender: PushSender, settings: Settings, words: Mapping[Language, Words]
    ) -> None:
        self._database = database
        self._sender = sender
        self._settings = settings
        self._words = words
        self._seal = Seal(settings.keys)

    async def on_approval_raised(self, message: ApprovalRaised) -> None:
        """Ring for a question that is still open: each browser once, one whose service was busy when it wants to."""
        async with self._database.transaction(message.tenant) as tx:
            calls, wait = await self._rings(tx, message.approval_id)
        later = _longest(wait, await self._make(message.tenant, calls))
        if later is not None:
            async with self._database.transaction(message.tenant) as tx:
                await publish(tx, message, after_seconds=later)

    async def on_quiet_over(self, message: QuietOver) -> None:
        """Sum up in one notification what did not ring in a founder's quiet hours and still waits. It is held back
        until that is done."""
        async with self._database.transaction(message.tenant) as tx:
            held = await channel_store.fetch_held(tx, message.founder_id)
            calls, wait = await self._sums(tx, message.founder_id, held)
        later = _longest(wait, await self._make(message.tenant, calls))
        async with self._database.transaction(message.tenant) as tx:
            if later is not None:
                await publish(tx, message, after_seconds=later)
            else:
                await channel_store.forget_held(tx, message.founder_id, [*held])

    async def on_approval_decided(self, message: ApprovalDecided) -> None:
        """Take the notification back from browsers that were rung for it, or may have been."""
        async with self._database.transaction(message.tenant) as tx:
            calls = await self._hushes(tx, message.approval_id)
        await self._make(message.tenant, calls)

    async def _sums(
        self, tx: Transaction, founder_id: UUID, held: Mapping[UUID, datetime]
    ) -> tuple[list[Call], float | None]:
        now = await store.now(tx)
        waiting = [approval for one in held if still_open(approval := await get_approval(tx, one), now)]
        bells = await self._bells(tx, now)
        if not waiting or founder_id not in bells:
            return [], None
        bell, mine = bells[founder_id], [one for one in await self._subscriptions(tx) if one.founder_id == founder_id]
        alone = waiting[0] if len(waiting) == 1 else None
        tried = await attempts_of(tx, tag_of(alone.id) if alone else QUIET, min(held.values()))
        calls = [
            Call(one, bell.ring(alone, self._seal, worker=worker_of(alone)) if alone else bell.sum_up(waiting))
            for one in mine
            if one.id not in tried or not tried[one.id].rests
        ]
        await note_attempts(tx, calls)
        return calls, unsure_seconds(tried.values())

    async def _rings(self, tx: Transaction, approval_id: UUID) -> tuple[list[Call], float | None]:
        """The calls to make, which are noted, and when to look again at those whose end nobody knows."""
        approval, now = await get_approval(tx, approval_id), await store.now(tx)
        if not still_open(approval, now):
            return [], None
        tried = await attempts_of(tx, tag_of(approval_id))
        subscriptions = [one for one in await self._subscriptions(tx) if one.id not in tried or not tried[one.id].rests]
        bells = await self._bells(tx, now) if subscriptions else {}
        resting = {
            one for one in {each.founder_id for each in subscriptions} if await self._holds(tx, bells[one], approval)
        }
        calls = [
            Call(one, bells[one.founder_id].ring(approval, self._seal, worker=worker_of(approval)))
            for one in subscriptions
            if one.founder_id not in resting
        ]
        await note_attempts(tx, calls)
        return calls, unsure_seconds(tried.values())

    async def _holds(self, tx: Transaction, bell: Bell, approval: Approval) -> bool:
        """Whether the founder's quiet hours keep this back; then their end will sum it up."""
        until = held_back(bell.founder, bell.formats.now, bell.formats.zone, approval.expires_at)
        if until is None:
            return False
        await channel_store.hold_ring(tx, bell.founder.id, approval.id)
        await publish(
            tx,
            QuietOver(tx.tenant, bell.founder.id),
            after_seconds=(until - bell.formats.now).total_seconds(),
            dedupe_key=f"quiet-{bell.founder.id}-{until.isoformat()}",
        )
        return True

    async def _hushes(self, tx: Transaction, approval_id: UUID) -> list[Call]:
        approval, now = await get_approval(tx, approval_id), await store.now(tx)
        tried = await attempts_of(tx, tag_of(approval_id))
        rung = {one for one, known in tried.items() if known.rung or known.unsure}
        if not rung or still_open(approval, now):
            return []
        bells = await self._bells(tx, now)
        calls = [
            Call(one, bells[one.founder_id].hush(approval_id))
            for one in await self._subscriptions(tx)
            if one.id in rung
        ]
        await note_attempts(tx, calls)
        return calls

    async def _subscriptions(self, tx: Transaction) -> tuple[Subscription, ...]:
        return reachable(await store.fetch_subscriptions(tx), self._settings.push_allow_hosts)

    async def _bells(self, tx: Transaction, now: datetime) -> dict[UUID, Bell]:
        zone, badge = (await company(tx)).time_zone, len(await pending(tx))
        return {
            founder.id: Bell(
                founder,
                self._words[founder.language],
                Formats(founder.language, zone_of(founder, zone), now),
                self._settings.origin,
                badge,
            )
            for founder in await store.fetch_founders(tx)
        }

    async def _make(self, tenant: UUID, calls: Sequence[Call]) -> float | None:
        return await make_calls(self._database, self._sender, tenant, calls)


async def make_calls(database: Database, sender: PushSender, tenant: UUID, calls: Sequence[Call]) -> float | None:
    """Make the calls, which are noted already; after how many seconds to try again, None when there is no need."""
    later: float | None = None
    for call in calls:
        answer = await make_call(database, sender, tenant, call)
        if answer is not None and answer.outcome == "later":
            later = _longest(later, answer.retry_after_seconds or RETRY_SECONDS)
    return later


def _longest(*waits: float | None) -> float | None:
    return max((wait for wait in waits if wait is not None), default=None)


async def make_call(database: Database, sender: PushSender, tenant: UUID, call: Call) -> PushAnswer | None:
    """Send one note and keep what the service said; a browser that is gone is forgotten. None: its keys are unusable.

    Opens a transaction of its own after sending.
    """
    subscription, note = call.subscription, call.note
    target = PushTarget(subscription.endpoint, subscription.p256dh, subscription.auth)
    try:
        answer = await sender.send(target, note.message)
        if answer.outcome == "too_large":
            answer = await sender.send(target, shortened(note).message)
    except ValueError as error:
        _LOG.warning("a push subscription is dropped: %s", error)
        answer = None
    async with database.transaction(tenant) as tx:
        if answer is None or answer.outcome == "gone":
            await store.delete_subscription(tx, subscription.endpoint)
            return answer
        problem = "" if answer.outcome == "delivered" else f"{answer.outcome} {answer.status}"
        await note_answer(tx, call, status=answer.status, problem=problem)
    if answer.outcome == "misconfigured":
        _LOG.error("the push service refuses us with %d: check FLR_PUBLIC_URL and the VAPID key", answer.status)
    return answer

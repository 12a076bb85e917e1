"""Ringing the founders' browsers: a new question rings, an answered one is hushed.

Read in one transaction, send in none, note in another. A phone that cannot be rung is no reason to fail a message.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from app.canon.push import PushAnswer, PushSender, PushTarget
from app.founder_console import store
from app.founder_console.cards.inbox import pending
from app.founder_console.channels import channel_store
from app.founder_console.channels.push import Bell, Note, reachable, shortened, still_open, tag_of, worker_of
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


class Call(msgspec.Struct, frozen=True):
    """One note for one browser."""

    subscription: Subscription
    note: Note


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
            calls = await self._rings(tx, message.approval_id)
        later = await self._make(message.tenant, calls)
        if later is not None:
            async with self._database.transaction(message.tenant) as tx:
                await publish(tx, message, after_seconds=later, dedupe_key=f"ring-{message.approval_id}")

    async def on_quiet_over(self, message: QuietOver) -> None:
        """Sum up in one notification what did not ring in a founder's quiet hours and still waits."""
        async with self._database.transaction(message.tenant) as tx:
            calls = await self._sums(tx, message.founder_id)
        await self._make(message.tenant, calls)

    async def _sums(self, tx: Transaction, founder_id: UUID) -> list[Call]:
        now = await store.now(tx)
        held = [await get_approval(tx, one) for one in await channel_store.take_held(tx, founder_id)]
        waiting = [approval for approval in held if still_open(approval, now)]
        bells = await self._bells(tx, now)
        if not waiting or founder_id not in bells:
            return []
        bell, mine = bells[founder_id], [one for one in await self._subscriptions(tx) if one.founder_id == founder_id]
        if len(waiting) == 1:
            return [Call(one, bell.ring(waiting[0], self._seal, worker=worker_of(waiting[0]))) for one in mine]
        return [Call(one, bell.sum_up(waiting)) for one in mine]

    async def on_approval_decided(self, message: ApprovalDecided) -> None:
        """Take the notification back from browsers that were rung for it."""
        async with self._database.transaction(message.tenant) as tx:
            calls = await self._hushes(tx, message.approval_id)
        await self._make(message.tenant, calls)

    async def _rings(self, tx: Transaction, approval_id: UUID) -> list[Call]:
        approval, now = await get_approval(tx, approval_id), await store.now(tx)
        rung = await channel_store.fetch_rung(tx, tag_of(approval_id))
        subscriptions = [one for one in await self._subscriptions(tx) if one.id not in rung]
        if not subscriptions or not still_open(approval, now):
            return []
        bells = await self._bells(tx, now)
        resting = {
            one for one in {each.founder_id for each in subscriptions} if await self._holds(tx, bells[one], approval)
        }
        return [
            Call(one, bells[one.founder_id].ring(approval, self._seal, worker=worker_of(approval)))
            for one in subscriptions
            if one.founder_id not in resting
        ]

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
        rung = await channel_store.fetch_rung(tx, tag_of(approval_id))
        if not rung or still_open(approval, now):
            return []
        bells = await self._bells(tx, now)
        return [
            Call(one, bells[one.founder_id].hush(approval_id))
            for one in await self._subscriptions(tx)
            if one.id in rung
        ]

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

    async def _make(self, tenant: UUID, calls: Sequence[Call]) -> int | None:
        """Make the calls; after how many seconds to try again, None when there is no need."""
        later: int | None = None
        for call in calls:
            answer = await send_note(self._database, self._sender, tenant, call.subscription, call.note)
            if answer is not None and answer.outcome == "later":
                later = max(later or 0, answer.retry_after_seconds or RETRY_SECONDS)
        return later


async def send_note(
    database: Database, sender: PushSender, tenant: UUID, subscription: Subscription, note: Note
) -> PushAnswer | None:
    """Send one note and keep what the service said; a browser that is gone is forgotten. None: its keys are unusable.

    Opens a transaction of its own after sending.
    """
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
        await store.push_sent(tx, note.receipt, subscription.id, tag=note.tag, status=answer.status, problem=problem)
    if answer.outcome == "misconfigured":
        _LOG.error("the push service refuses us with %d: check FLR_PUBLIC_URL and the VAPID key", answer.status)
    return answer

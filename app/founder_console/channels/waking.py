"""The brief that comes by itself: once a day to each founder, on the phone and, where wanted, on second channels.

Who is due is found and marked in one transaction with the message that tells, under a lock of the founder's row: two
workers, or one that dies, tell nobody twice and forget nobody.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID, uuid5

import msgspec

from app.canon.push import PushSender
from app.founder_console import store
from app.founder_console.channels import channel_store
from app.founder_console.channels.attempts import Call, attempts_of, note_attempts, unsure_seconds
from app.founder_console.channels.briefing import Morning, morning_of
from app.founder_console.channels.mornings import due_day, next_moment
from app.founder_console.channels.push import Bell, reachable
from app.founder_console.channels.quiet import zone_of
from app.founder_console.channels.reaching import reach_of
from app.founder_console.channels.ringing import make_calls
from app.founder_console.model import Language
from app.founder_console.wording import Words
from app.messages import BriefDue, NoticeDue
from app.postgres import Database, Transaction
from app.role_registry import company
from app.settings import Settings
from app.work_queue import publish

ONCE = UUID("5f0f6f3e-1d43-5c59-9a0c-5a9f3d0d7b21")
LOOK_AGAIN = timedelta(days=7)


class Briefer:
    """Finds who is due, and tells."""

    def __init__(
        self, database: Database, sender: PushSender, settings: Settings, words: Mapping[Language, Words]
    ) -> None:
        self._database = database
        self._sender = sender
        self._settings = settings
        self._words = words

    async def sweep(self) -> int:
        """Have everybody told whose hour has come, in every tenant; how many. For any number of workers at once."""
        told = 0
        for tenant in await channel_store.tenants_with_due_briefs(self._database):
            async with self._database.transaction(tenant) as tx:
                told += await self._mark(tx)
        return told

    async def _mark(self, tx: Transaction) -> int:
        told, now, its_zone = 0, await store.now(tx), (await company(tx)).time_zone
        for founder in await channel_store.lock_due_founders(tx):
            zone = zone_of(founder, its_zone)
            day = due_day(founder, now, zone)
            if day is not None:
                await publish(tx, BriefDue(tx.tenant, founder.id, day), dedupe_key=f"brief-{founder.id}-{day}")
                told += 1
            marked = msgspec.structs.replace(founder, brief_told_on=day or founder.brief_told_on)
            look_at = next_moment(marked, now, zone) or now + LOOK_AGAIN
            await channel_store.brief_marked(tx, founder.id, told_on=marked.brief_told_on, due_at=look_at)
        return told

    async def on_brief_due(self, message: BriefDue) -> None:
        """Tell once: a browser that was sent it is left out, and each second channel has one notice a day."""
        async with self._database.transaction(message.tenant) as tx:
            founder = await store.fetch_founder(tx, message.founder_id)
            morning = None if founder is None else await morning_of(tx, founder, message.day, self._words)
            if morning is None:
                return
            calls, wait = await self._calls(tx, morning)
            await self._letters(tx, morning)
        later = await make_calls(self._database, self._sender, message.tenant, calls)
        if later is not None or wait is not None:
            async with self._database.transaction(message.tenant) as tx:
                await publish(tx, message, after_seconds=max(later or 0, wait or 0))

    async def _calls(self, tx: Transaction, morning: Morning) -> tuple[Sequence[Call], float | None]:
        """The calls to make, which are noted, and when to look again at those whose end nobody knows."""
        found = await store.fetch_subscriptions(tx, morning.founder.id)
        tried = await attempts_of(tx, morning.tag)
        bell = Bell(morning.founder, morning.words, morning.formats, self._settings.origin, morning.waiting)
        calls = [
            Call(one, bell.brief(morning.tag, morning.counted))
            for one in reachable(found, self._settings.push_allow_hosts)
            if one.id not in tried or not tried[one.id].rests
        ]
        await note_attempts(tx, calls)
        return calls, unsure_seconds(known for one, known in tried.items() if one in {each.id for each in found})

    async def _letters(self, tx: Transaction, morning: Morning) -> None:
        if not morning.founder.brief_letters:
            return
        for channel in (await reach_of(tx)).channels(morning.founder):
            notice_id = uuid5(ONCE, f"{morning.founder.id}/{channel}/{morning.day}")
            await channel_store.insert_notice(tx, notice_id, morning.founder.id, channel, brief_on=morning.day)
            await publish(tx, NoticeDue(tx.tenant, notice_id), dedupe_key=f"notice-{notice_id}")

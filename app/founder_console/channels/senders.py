"""Second channels: telling a founder, once on each, what waits or how the company stands, and taking a question back.

Read and count the attempt in one transaction, tell in none, note in another. A notice that fails comes again with the
queue's growing waits; each carries the same name, so that a receiver can tell a repetition.
"""

import logging
from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from app.canon.notice import ChatSender, NoticeFailed, NoticeSender, Poster
from app.canon.signed_posts import headers_of
from app.founder_console import store
from app.founder_console.channels import channel_store
from app.founder_console.channels.briefing import morning_of
from app.founder_console.channels.letters import Pen
from app.founder_console.channels.push import still_open
from app.founder_console.channels.quiet import quiet_until, zone_of
from app.founder_console.channels.reaching import reach_of
from app.founder_console.channels.saying import Said
from app.founder_console.formats import Formats
from app.founder_console.keyfiles import Seal
from app.founder_console.model import Founder, Language, SentNotice, TelegramChat, Webhook
from app.founder_console.refusals import refusal
from app.founder_console.wording import Words
from app.messages import ApprovalDecided, NoticeDue
from app.postgres import Database, Transaction
from app.role_registry import company
from app.settings import Settings
from app.work_queue import Approval, get_approval

_LOG = logging.getLogger("flr.channels")


class Senders(msgspec.Struct, frozen=True):
    """How second channels are reached. Composition opens and closes them; no `chats` without a bot."""

    letters: NoticeSender
    posts: Poster
    chats: ChatSender | None = None


class Telling(msgspec.Struct, frozen=True):
    """All that is needed to tell one person on one channel, read before anything is sent."""

    notice: SentNotice
    pen: Pen
    said: Said | None
    chat: TelegramChat | None
    webhook: Webhook | None
    silent: bool = False


class Teller:
    """Tells on second channels what the ladder asked for."""

    def __init__(
        self, database: Database, senders: Senders, settings: Settings, words: Mapping[Language, Words]
    ) -> None:
        self._database = database
        self._senders = senders
        self._settings = settings
        self._words = words
        self._seal = Seal(settings.keys)

    async def on_notice_due(self, message: NoticeDue) -> None:
        """Tell, unless it was told or answered. Raises `NoticeFailed` so that the message comes again."""
        async with self._database.transaction(message.tenant) as tx:
            telling = await self._read(tx, message.notice_id)
            if telling is None or not await channel_store.try_notice(tx, message.notice_id):
                return
        try:
            handle = await self._tell(telling)
        except NoticeFailed as error:
            async with self._database.transaction(message.tenant) as tx:
                why = refusal(error, telling.pen.words, telling.pen.formats)
                await channel_store.notice_failed(tx, message.notice_id, why)
            if not error.gone:
                raise
            _LOG.warning("%s is not told: %s", telling.pen.founder.name, error)
            return
        async with self._database.transaction(message.tenant) as tx:
            await channel_store.notice_sent(tx, message.notice_id, handle)

    async def _read(self, tx: Transaction, notice_id: UUID) -> Telling | None:
        notice = await channel_store.fetch_notice(tx, notice_id)
        founder = None if notice is None else await store.fetch_founder(tx, notice.founder_id)
        if notice is None or founder is None:
            return None
        if notice.brief_on is not None:
            morning = await morning_of(tx, founder, notice.brief_on, self._words)
            return None if morning is None else await self._telling(tx, notice, founder, morning.said(self._origin))
        if notice.approval_id is None:
            return None
        approval = await get_approval(tx, notice.approval_id)
        if not still_open(approval, await store.now(tx)):
            await channel_store.close_notice(tx, notice_id)
            return None
        return await self._asking(tx, notice, founder, approval)

    @property
    def _origin(self) -> str:
        return self._settings.origin

    async def _asking(self, tx: Transaction, notice: SentNotice, founder: Founder, approval: Approval) -> Telling:
        telling = await self._telling(tx, notice, founder)
        pen, chat = telling.pen, telling.chat
        said = Said(
            letter=pen.letter(approval, f"{approval.id}:{founder.id}"),
            chat=pen.chat_text(approval),
            buttons=() if chat is None else pen.buttons(approval, tx.tenant, notice.id, chat),
            post=pen.post(approval),
        )
        return msgspec.structs.replace(telling, said=said)

    async def _telling(
        self, tx: Transaction, notice: SentNotice, founder: Founder, said: Said | None = None
    ) -> Telling:
        now, reach = await store.now(tx), await reach_of(tx)
        zone = zone_of(founder, (await company(tx)).time_zone)
        pen = Pen(
            founder, self._words[founder.language], Formats(founder.language, zone, now), self._origin, self._seal
        )
        silent = quiet_until(founder, now, zone) is not None
        return Telling(notice, pen, said, reach.chats.get(founder.id), reach.webhooks.get(founder.id), silent)

    async def _tell(self, telling: Telling) -> str:
        """The handle of what was sent. Raises `NoticeFailed`."""
        pen, said, notice = telling.pen, telling.said, telling.notice
        if said is not None and notice.channel == "email" and pen.founder.email:
            await self._senders.letters.send(said.letter)
            return ""
        if said is not None and notice.channel == "telegram" and telling.chat is not None and self._senders.chats:
            chat_id = telling.chat.chat_id
            return await self._senders.chats.say(chat_id, said.chat, said.buttons, silent=telling.silent)
        if said is not None and notice.channel == "webhook" and telling.webhook is not None:
            await post_signed(self._senders.posts, telling.webhook, notice.id, said.post, pen.formats)
            return ""
        raise NoticeFailed(f"{notice.channel} is not set up any more", gone=True, code="channel.unset")

    async def on_approval_decided(self, message: ApprovalDecided) -> None:
        """Show in every chat what became of the question. A chat that does not answer keeps nobody waiting."""
        async with self._database.transaction(message.tenant) as tx:
            approval = await get_approval(tx, message.approval_id)
            if still_open(approval, await store.now(tx)):
                return
            tellings = await self._to_close(tx, approval)
            who = await decider_of(tx, approval)
        for telling in tellings:
            await self._close(message.tenant, telling, approval, who)

    async def _to_close(self, tx: Transaction, approval: Approval) -> Sequence[Telling]:
        found = []
        for notice in await channel_store.fetch_open_notices(tx, approval.id):
            founder = await store.fetch_founder(tx, notice.founder_id)
            if founder is not None:
                found.append(await self._telling(tx, notice, founder))
        return found

    async def _close(self, tenant: UUID, telling: Telling, approval: Approval, who: str) -> None:
        chats, chat, handle = self._senders.chats, telling.chat, telling.notice.handle
        if telling.notice.channel == "telegram" and chats is not None and chat is not None and handle:
            pen = telling.pen
            text = f"{pen.chat_text(approval)}\n\n{pen.outcome(approval, who)}"
            try:
                await chats.change(chat.chat_id, handle, text)
            except NoticeFailed as error:
                _LOG.warning("a chat still shows an answered question: %s", error)
        async with self._database.transaction(tenant) as tx:
            await channel_store.close_notice(tx, telling.notice.id)


async def post_signed(
    posts: Poster, webhook: Webhook, notice_id: UUID, body: Mapping[str, object], formats: Formats
) -> None:
    """Raises `NoticeFailed`."""
    content = msgspec.json.encode(body)
    failure = await posts.post(webhook.url, headers_of(webhook.secret, str(notice_id), formats.now, content), content)
    if failure is not None:
        raise NoticeFailed(failure, code="channel.failed", said=failure)


async def decider_of(tx: Transaction, approval: Approval) -> str:
    """The name of who decided; empty for nobody."""
    _, _, sub = (approval.decided_by or "").partition(":")
    founders = await store.fetch_founders(tx)
    return next((one.name for one in founders if str(one.id) == sub), "")

"""What a founder does in the chat with our bot: pair it by a one-time code, press a button, take an approval back.

The bot's token alone decides nothing: a press counts in the chat that was paired, below the message that we sent
there, and carries what only this server can make. It approves where one tap suffices, never more.
"""

import logging
import secrets
from collections.abc import Mapping
from uuid import UUID

from app.auth import b64url, unb64url
from app.canon.approval import ApprovalSigner, Decision
from app.canon.errors import Fault, Forbidden
from app.canon.notice import Button, ChatSender, Heard, NoticeFailed
from app.canon.vocabulary import Principal, Tier
from app.founder_console import store
from app.founder_console.channels import channel_store
from app.founder_console.channels.letters import APPROVE, REJECT, UNDO, Pen, Press, read_press
from app.founder_console.channels.quiet import zone_of
from app.founder_console.channels.senders import decider_of
from app.founder_console.errors import LinkUnusable
from app.founder_console.formats import Formats
from app.founder_console.identity.sessions import hashed
from app.founder_console.keyfiles import Seal
from app.founder_console.model import Founder, Language, SentNotice, TelegramChat
from app.founder_console.refusals import refusal
from app.founder_console.wording import LANGUAGES, Words
from app.governance_ledger import Event, append
from app.postgres import Database, Transaction
from app.role_registry import company
from app.settings import Settings
from app.work_queue import (
    Approval,
    ApprovalClosed,
    ApprovalStale,
    decide,
    get_approval,
    keep_pace,
    undo,
)

CODE_SECONDS = 900
START = "/start"
DECISIONS: Mapping[str, Decision] = {APPROVE: "approve", REJECT: "reject"}

_LOG = logging.getLogger("flr.desk")


async def pairing_code(tx: Transaction, founder_id: UUID) -> str:
    """A code that pairs one chat within a quarter of an hour, at most 64 characters; older ones are void."""
    token = secrets.token_urlsafe(18)
    await channel_store.insert_code(tx, hashed(token), founder_id, CODE_SECONDS)
    return b64url(tx.tenant.bytes) + token


def read_code(code: str) -> tuple[UUID, str]:
    """The tenant and the token of a code. Raises `LinkUnusable`."""
    try:
        return UUID(bytes=unb64url(code[:22])), code[22:]
    except ValueError:
        raise LinkUnusable("this code is not complete") from None


class Desk:
    """Answers what is heard. Lives where approvals are signed."""

    def __init__(
        self,
        database: Database,
        chats: ChatSender,
        settings: Settings,
        words: Mapping[Language, Words],
        signer: ApprovalSigner,
    ) -> None:
        self._database = database
        self._chats = chats
        self._settings = settings
        self._words = words
        self._signer = signer
        self._seal = Seal(settings.keys)

    async def on_heard(self, heard: Heard) -> None:
        """Raises nothing for what people write or press, nor when the messenger does not take the answer."""
        try:
            if heard.press:
                await self._on_press(heard)
            elif heard.private and heard.text.startswith(START):
                await self._on_start(heard)
        except NoticeFailed as error:
            _LOG.warning("a chat is not answered: %s", error)

    async def _on_start(self, heard: Heard) -> None:
        code = heard.text.removeprefix(START).strip()
        try:
            tenant, token = read_code(code)
            async with self._database.transaction(tenant) as tx:
                founder = await self._pair(tx, token, heard)
        except LinkUnusable:
            lines = [self._words[language]("chat.code_wrong") for language in LANGUAGES]
            await self._chats.say(heard.chat_id, "\n\n".join(lines))
            return
        await self._chats.say(heard.chat_id, self._words[founder.language]("chat.paired", name=founder.name))

    async def _pair(self, tx: Transaction, token: str, heard: Heard) -> Founder:
        founder_id = await channel_store.use_code(tx, hashed(token))
        founder = None if founder_id is None else await store.fetch_founder(tx, founder_id)
        if founder is None:
            raise LinkUnusable("this code was used or has expired")
        await channel_store.pair_chat(tx, founder.id, heard.chat_id, heard.name)
        said: dict[str, object] = {"founder_id": str(founder.id), "channel": "telegram", "on": True}
        await append(tx, Event(type="founder.channel_set", actor=f"{founder.rol}:{founder.id}", data=said))
        return founder

    async def _on_press(self, heard: Heard) -> None:
        press = read_press(self._seal, heard.data, heard.chat_id)
        if press is None:
            await self._refuse(heard)
            return
        shown = await self._take(press, heard)
        if shown is None:
            await self._refuse(heard)
            return
        said, text, buttons = shown
        await self._chats.answer(heard.press, said)
        await self._chats.change(heard.chat_id, heard.handle, text, buttons)

    async def _take(self, press: Press, heard: Heard) -> tuple[str, str, tuple[Button, ...]] | None:
        async with self._database.transaction(press.tenant) as tx:
            pressed = await self._read(tx, press, heard)
            if pressed is None:
                return None
            said = await pressed.carry_out(tx, press, self._signer)
            text, buttons = await pressed.shown(tx)
            return said, text, buttons

    async def _refuse(self, heard: Heard) -> None:
        lines = [self._words[language]("chat.not_ours") for language in LANGUAGES]
        await self._chats.answer(heard.press, "\n".join(lines))

    async def _read(self, tx: Transaction, press: Press, heard: Heard) -> "_Pressed | None":
        """None where the chat is not paired any more, or the message is not the one that we sent."""
        notice = await channel_store.fetch_notice(tx, press.notice)
        founder = None if notice is None else await store.fetch_founder(tx, notice.founder_id)
        if notice is None or founder is None or notice.approval_id is None:
            return None
        chat = (await channel_store.fetch_chats(tx)).get(founder.id)
        sent = heard.private and chat is not None and chat.chat_id == heard.chat_id
        if not sent or chat is None or notice.handle != heard.handle:
            return None
        zone = zone_of(founder, (await company(tx)).time_zone)
        formats = Formats(founder.language, zone, await store.now(tx))
        pen = Pen(founder, self._words[founder.language], formats, self._settings.origin, self._seal)
        return _Pressed(founder, notice, notice.approval_id, chat, pen)


class _Pressed:
    """One press of one founder below one question."""

    def __init__(self, founder: Founder, notice: SentNotice, approval_id: UUID, chat: TelegramChat, pen: Pen) -> None:
        self.founder = founder
        self.notice = notice
        self.approval_id = approval_id
        self.chat = chat
        self.pen = pen

    async def carry_out(self, tx: Transaction, press: Press, signer: ApprovalSigner) -> str:
        """What pops up: the truth, whatever came in between."""
        words = self.pen.words
        try:
            async with tx.savepoint():
                if press.what == UNDO:
                    await undo(tx, self.approval_id, by=self._by(tx))
                    return words("chat.undone")
                decided = await self._decide(tx, DECISIONS[press.what], signer)
        except ApprovalClosed:
            approval = await get_approval(tx, self.approval_id)
            return self.pen.outcome(approval, await decider_of(tx, approval))
        except ApprovalStale:
            return words("notice.changed_text")
        except Fault as error:
            return f"{words('notice.refused')}. {refusal(error, words, self.pen.formats)}"
        said = "approved" if decided.status == "approved" else "rejected"
        return words(f"chat.{said}", seconds=decided.undo_seconds)

    def _by(self, tx: Transaction) -> Principal:
        return Principal(str(self.founder.id), tx.tenant, self.founder.rol)

    async def _decide(self, tx: Transaction, decision: Decision, signer: ApprovalSigner) -> Approval:
        approval, by = await get_approval(tx, self.approval_id), self._by(tx)
        if decision == "approve" and approval.tier is not Tier.R1:
            raise Forbidden("this needs your own key: open the card", code="proof.required")
        await keep_pace(tx, by)
        return await decide(tx, approval.id, decision, by=by, signer=signer, proof=None, version=self.notice.version)

    async def shown(self, tx: Transaction) -> tuple[str, tuple[Button, ...]]:
        """What stands in the message's place now, with Undo while the server still keeps the approval."""
        approval, now = await get_approval(tx, self.approval_id), await store.now(tx)
        asks = self.pen.chat_text(approval)
        if approval.status == "pending":
            return asks, self.pen.buttons(approval, tx.tenant, self.notice.id, self.chat)
        text = f"{asks}\n\n{self.pen.outcome(approval, await decider_of(tx, approval))}"
        undoable = approval.status == "approved" and not approval.in_effect(now)
        return text, (self.pen.undo_button(tx.tenant, self.notice.id, self.chat),) if undoable else ()

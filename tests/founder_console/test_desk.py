"""A chat with the bot: paired by a code, decides where one tap suffices, and tells the truth about the rest."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.adapters.notices import load_chats
from app.canon.notice import ChatSender
from app.canon.vocabulary import Tier
from app.founder_console import Desk, Listener, ensure_console_keys, load_words
from app.founder_console.channels.channel_store import fetch_chats, insert_notice, notice_sent, unpair_chat
from app.founder_console.channels.letters import Pen, press_data, read_press
from app.founder_console.channels.quiet import zone_of
from app.founder_console.desk import pairing_code
from app.founder_console.formats import Formats
from app.founder_console.keyfiles import Seal
from app.governance_ledger import EventFilter, read_events
from app.postgres import Database
from app.role_registry import create_company
from app.settings import Settings
from app.work_queue import Approval, decide, get_approval, raise_approval
from app.work_queue import store as queue_store
from tests.builders import APPROVALS, a_question
from tests.founder_console.bot_server import TOKEN, BotServer, bot_server
from tests.founder_console.people import a_founder

WORDS = load_words(Path(__file__).parents[2] / "frontend" / "i18n")
TEXT = {"id": "Kirim surel ke Ratna.", "en": "Send a mail to Ratna."}


@pytest.fixture
def bot() -> Iterator[BotServer]:
    with bot_server() as made:
        yield made


class Office:
    """A founder, a desk and one question that was told in the chat."""

    def __init__(self, database: Database, settings: Settings, chats: ChatSender, bot: BotServer) -> None:
        self.database = database
        self.tenant = uuid4()
        self.chats = chats
        self.bot = bot
        self.seal = Seal(settings.keys)
        self.settings = settings
        self.desk = Desk(database, chats, settings, WORDS, APPROVALS)
        self.heard = 0

    async def found(self) -> None:
        async with self.database.transaction(self.tenant) as tx:
            await create_company(tx, name="Kopi Senja", language="id", actor="system")
            self.founder, self.by = await a_founder(tx)

    async def code(self) -> str:
        async with self.database.transaction(self.tenant) as tx:
            return await pairing_code(tx, self.founder.id)

    async def pair(self) -> None:
        self.bot.write(f"/start {await self.code()}")
        await self.listen()

    async def listen(self) -> None:
        """Take all that was written and pressed."""
        while found := await self.chats.listen(self.heard):
            for one in found:
                self.heard = one.number
                await self.desk.on_heard(one)

    async def tell(self, **changes: Any) -> tuple[Approval, UUID]:
        """A question, told in the chat as the worker tells it."""
        notice = uuid4()
        payload = {"kind": "tool_call", "role": {"name": "Raka"}, "text": TEXT}
        async with self.database.transaction(self.tenant) as tx:
            asked = await raise_approval(tx, a_question(**{"payload": payload, "undo_seconds": 60, **changes}))
            await insert_notice(tx, notice, self.founder.id, "telegram", asked.id, asked.version)
            chat = (await fetch_chats(tx))[self.founder.id]
            zone = zone_of(self.founder, "Asia/Jakarta")
            pen = Pen(
                self.founder,
                WORDS["id"],
                Formats("id", zone, await queue_store.now(tx)),
                self.settings.origin,
                self.seal,
            )
            handle = await self.chats.say(
                chat.chat_id, pen.chat_text(asked), pen.buttons(asked, self.tenant, notice, chat)
            )
            await notice_sent(tx, notice, handle)
        return asked, notice

    async def press(self, text: str, **more: Any) -> None:
        self.bot.press(self.bot.data(text), **more)
        await self.listen()

    async def status(self, asked: Approval) -> str:
        async with self.database.transaction(self.tenant) as tx:
            return (await get_approval(tx, asked.id)).status


@pytest.fixture
async def office(database: Database, tmp_path: Path, bot: BotServer) -> AsyncIterator[Office]:
    settings = Settings(home=tmp_path, public_url="https://console.example", telegram_url=bot.url)
    ensure_console_keys(settings.keys)
    chats = load_chats(token=TOKEN, base_url=bot.url)
    assert chats is not None
    made = Office(database, settings, chats, bot)
    await made.found()
    yield made
    await chats.close()


async def test_a_code_pairs_one_chat_once(office: Office) -> None:
    code = await office.code()
    assert len(code) <= 64
    office.bot.write(f"/start {code}", chat=7)
    await office.listen()
    assert "obrolan ini kini milik Anda" in office.bot.newest["text"]
    office.bot.write(f"/start {code}", chat=8)
    await office.listen()
    assert "sudah dipakai" in office.bot.newest["text"]
    async with office.database.transaction(office.tenant) as tx:
        chats = await fetch_chats(tx)
        [event] = (await read_events(tx, EventFilter(type="founder.channel_set"))).items
    assert {founder: chat.chat_id for founder, chat in chats.items()} == {office.founder.id: 7}
    assert event.data["channel"] == "telegram"


@pytest.mark.parametrize("text", ["/start", "/start nonsense", "/start " + "A" * 60, "hello"])
async def test_what_is_no_code_pairs_nobody(office: Office, text: str) -> None:
    office.bot.write(text)
    await office.listen()
    async with office.database.transaction(office.tenant) as tx:
        assert await fetch_chats(tx) == {}


async def test_a_group_is_never_paired(office: Office) -> None:
    office.bot.write(f"/start {await office.code()}", chat=-100, kind="group")
    await office.listen()
    async with office.database.transaction(office.tenant) as tx:
        assert await fetch_chats(tx) == {}


async def test_one_press_approves_and_another_takes_it_back(office: Office) -> None:
    await office.pair()
    asked, _ = await office.tell()
    await office.press("Setujui")
    assert await office.status(asked) == "approved"
    assert office.bot.answers == ["Disetujui. Dijalankan 60 dtk lagi."]
    assert "Disetujui" in office.bot.newest["text"]
    assert office.bot.texts() == ["Urungkan"]
    await office.press("Urungkan")
    assert await office.status(asked) == "pending"
    assert office.bot.texts() == ["Tolak", "Setujui", "Buka kartu"]


async def test_a_press_says_so_when_it_was_decided_elsewhere_or_has_expired(office: Office) -> None:
    await office.pair()
    asked, _ = await office.tell()
    async with office.database.transaction(office.tenant) as tx:
        await decide(tx, asked.id, "reject", by=office.by, signer=APPROVALS, proof=None)
    await office.press("Setujui")
    assert await office.status(asked) == "rejected"
    assert office.bot.answers[-1].startswith("Ditolak")
    assert office.bot.texts() == []
    late, _ = await office.tell(act_digest="1" * 64, in_seconds=0.4)
    await asyncio.sleep(0.5)
    await office.press("Setujui")
    assert await office.status(late) == "pending", "the sweeper expires it"
    assert office.bot.answers[-1].startswith("Menunggu")


async def test_high_risk_is_not_approved_in_a_chat_even_with_a_button_of_ours(office: Office) -> None:
    await office.pair()
    asked, notice = await office.tell(tier=Tier.R2)
    assert office.bot.texts() == ["Buka kartu"]
    office.bot.press(press_data(office.seal, "a", office.tenant, notice, 7))
    await office.listen()
    assert await office.status(asked) == "pending"
    assert "setujui dengan passkey" in office.bot.answers[-1]


async def test_who_holds_the_bots_token_alone_decides_nothing(office: Office) -> None:
    await office.pair()
    asked, notice = await office.tell()
    mine = office.bot.data("Setujui")
    forged = press_data(Seal(office.settings.home / "elsewhere"), "a", office.tenant, notice, 7)
    decoy = await office.chats.say(7, "You have won!")
    for press in (
        {"data": mine, "chat": 8},
        {"data": mine, "sender": 9},
        {"data": mine, "message": int(decoy)},
        {"data": forged},
        {"data": "r" + mine[1:]},
        {"data": "a"},
        {"data": ""},
    ):
        office.bot.press(**{"message": 2, **press})  # type: ignore[arg-type]
        await office.listen()
    assert await office.status(asked) == "pending"
    async with office.database.transaction(office.tenant) as tx:
        await unpair_chat(tx, office.founder.id)
    office.bot.press(mine, message=2)
    await office.listen()
    assert await office.status(asked) == "pending"
    assert all("tidak (lagi) berlaku" in said for said in office.bot.answers)


def test_a_button_counts_in_its_own_chat(tmp_path: Path) -> None:
    seal, tenant, notice = Seal(tmp_path), uuid4(), uuid4()
    data = press_data(seal, "r", tenant, notice, 7)
    assert len(data) <= 64
    press = read_press(seal, data, 7)
    assert press is not None
    assert (press.what, press.tenant, press.notice) == ("r", tenant, notice)
    assert read_press(seal, data, 8) is None


async def test_one_of_two_processes_listens_and_a_bot_that_is_away_is_asked_again(office: Office) -> None:
    office.bot.refuses = (502, "Bad Gateway")
    listeners = [
        asyncio.create_task(Listener(office.database.url, office.chats, office.desk, again_seconds=0.05).run())
        for _ in range(2)
    ]
    await asyncio.sleep(0.3)
    office.bot.refuses = None
    office.bot.write(f"/start {await office.code()}")
    for _ in range(400):
        async with office.database.transaction(office.tenant) as tx:
            if await fetch_chats(tx):
                break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError("nobody listens")
    for listener in listeners:
        listener.cancel()
        with suppress(asyncio.CancelledError):
            await listener

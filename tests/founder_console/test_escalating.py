"""While nobody answers, the role's ladder is climbed: on second channels where the phone was not heard, and only until
somebody answers."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from app.adapters.notices import load_chats, load_notices, load_posts
from app.adapters.push import load_push
from app.canon.contract import Escalation, EscalationStep
from app.canon.mandate import DELEGABLE, Mandate
from app.canon.notice import NoticeFailed
from app.canon.push import PushMessage, PushSender
from app.canon.signed_posts import headers_of
from app.canon.vocabulary import Principal, Rol, Tier
from app.founder_console import Senders, create_founder, ensure_console_keys, handlers, load_words
from app.founder_console.channels.attempts import Call, note_attempts
from app.founder_console.channels.channel_store import fetch_newest_notices, keep_webhook, pair_chat
from app.founder_console.channels.escalating import ladder_of
from app.founder_console.channels.push import Note, subscribe
from app.founder_console.keyfiles import VAPID
from app.founder_console.model import NewSubscription, Preferences
from app.founder_console.store import fetch_subscriptions, push_received, update_preferences
from app.governance_ledger import EventFilter, RecordedEvent, read_events
from app.messages import DECODER, ApprovalDecided, ApprovalRaised, EscalationDue
from app.postgres import Database
from app.role_registry import create_company
from app.settings import Settings
from app.work_queue import (
    Approval,
    NewTicket,
    decide,
    end_mandate,
    get_approval,
    open_ticket,
    propose_mandate,
    raise_approval,
)
from tests.adapters.smtp_servers import Mailbox, mail_box
from tests.builders import APPROVALS, a_question, a_role, approve, sign, some_terms
from tests.founder_console.bot_server import TOKEN, BotServer, bot_server
from tests.founder_console.people import a_founder
from tests.founder_console.push_service import push_service
from tests.outside_servers import answering

WORDS = load_words(Path(__file__).parents[2] / "frontend" / "i18n")
LADDER = (
    EscalationStep(1_800, "second_channel"),
    EscalationStep(3_600, "deputy"),
    EscalationStep(7_200, "safe_default"),
)
TEXT = {"id": "Bayar Rp5.000 ke PT Kopi.", "en": "Pay Rp5,000 to PT Kopi."}
DUE = """
DELETE FROM work_queue.pgqueuer WHERE entrypoint = 'notice_due' RETURNING payload
"""


class Office:
    """A company with a founder, a deputy and a role that asks them."""

    def __init__(self, database: Database, settings: Settings, sender: PushSender) -> None:
        self.database = database
        self.settings = settings
        self.tenant = uuid4()
        letters = load_notices(smtp_url=settings.smtp_url, mail_from=settings.mail_from)
        self.chats = load_chats(token=settings.telegram_token, base_url=settings.telegram_url)
        senders = Senders(letters, load_posts(settings.http_allow_private), self.chats)
        self.handlers = handlers(database, sender, senders, settings, WORDS)

    async def found(self) -> None:
        async with self.database.transaction(self.tenant) as tx:
            await create_company(tx, name="Kopi Senja", language="id", actor="system")
            self.founder, self.by = await a_founder(tx)
            await update_preferences(tx, self.founder.id, Preferences("id", "auto", False, "dewi@kopi.example"))
            self.deputy = await create_founder(tx, name="Ben", language="en", rol=Rol.DEPUTY)
            await update_preferences(tx, self.deputy.id, Preferences("en", "auto", False, "ben@kopi.example"))
            mandate = Mandate(
                person=str(self.deputy.id),
                name="Ben",
                tiers=(Tier.R1,),
                kinds=DELEGABLE,
                ends_at=datetime.now(UTC) + timedelta(days=7),
            )
            asked = await propose_mandate(tx, mandate, text=TEXT, by=self.by, undo_seconds=0)
            await sign(tx, asked.id, self.by)
            terms = msgspec.structs.replace(some_terms(), escalation=Escalation(LADDER))
            self.role = await a_role(tx, Principal(str(self.founder.id), self.tenant, Rol.FOUNDER), terms)

    async def ask(self, **changes: Any) -> Approval:
        payload = {"kind": "tool_call", "role": {"name": "Raka"}, "text": TEXT}
        asked = a_question(
            **{"role_id": self.role.id, "role_version": 1, "payload": payload, "in_seconds": 4 * 3600, **changes}
        )
        async with self.database.transaction(self.tenant) as tx:
            return await raise_approval(tx, asked)

    async def climb(self, asked: Approval, place: int) -> None:
        """Take the step and tell whom it names, as the queue would deliver it."""
        await self.handlers["escalation_due"](EscalationDue(self.tenant, asked.id, place))
        async with self.database.transaction(self.tenant) as tx:
            payloads = [row["payload"] for row in await tx.connection.fetch(DUE)]
        for payload in payloads:
            message = DECODER.decode(payload)
            await self.handlers["notice_due"](message)
            await self.handlers["notice_due"](message)

    async def answered(self, asked: Approval) -> None:
        await self.handlers["approval_decided"](ApprovalDecided(self.tenant, asked.id, None, None))

    async def approval(self, asked: Approval) -> Approval:
        async with self.database.transaction(self.tenant) as tx:
            return await get_approval(tx, asked.id)

    async def escalations(self) -> list[RecordedEvent]:
        async with self.database.transaction(self.tenant) as tx:
            return list((await read_events(tx, EventFilter(type="approval.escalated"), newest_first=False)).items)

    async def problems(self) -> dict[str, str]:
        async with self.database.transaction(self.tenant) as tx:
            return {one.channel: one.problem for one in await fetch_newest_notices(tx, self.founder.id)}


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    with mail_box() as made:
        yield made


@pytest.fixture
def bot() -> Iterator[BotServer]:
    with bot_server() as made:
        yield made


@pytest.fixture
async def office(
    database: Database, tmp_path: Path, mailbox: tuple[Mailbox, str], bot: BotServer
) -> AsyncIterator[Office]:
    settings = Settings(
        home=tmp_path,
        public_url="https://console.example",
        smtp_url=mailbox[1],
        telegram_token=TOKEN,
        telegram_url=bot.url,
        http_allow_private=("127.0.0.1",),
    )
    ensure_console_keys(settings.keys)
    sender = load_push(settings.keys / VAPID, origin=settings.origin, mail_from=settings.mail_from)
    made = Office(database, settings, sender)
    await made.found()
    yield made
    await sender.close()
    assert made.chats is not None
    await made.chats.close()


async def test_a_question_sets_an_alarm_for_each_step(office: Office, superuser: asyncpg.Connection) -> None:
    asked = await office.ask()
    await office.handlers["approval_raised"](ApprovalRaised(office.tenant, asked.id))
    await office.handlers["approval_raised"](ApprovalRaised(office.tenant, asked.id))
    assert await alarms(superuser) == [1_800, 3_600, 7_200]


async def alarms(superuser: asyncpg.Connection) -> list[int]:
    rows = await superuser.fetch(
        "SELECT extract(epoch FROM execute_after - now())::int AS wait FROM work_queue.pgqueuer "
        "WHERE entrypoint = 'escalation_due' ORDER BY 1"
    )
    return [round(row["wait"] / 100) * 100 for row in rows]


async def test_a_short_deadline_is_climbed_in_time(office: Office, superuser: asyncpg.Connection) -> None:
    asked = await office.ask(in_seconds=4_000)
    await office.handlers["approval_raised"](ApprovalRaised(office.tenant, asked.id))
    assert await alarms(superuser) == [900, 1_800, 3_600]


async def test_a_founder_whose_phone_was_not_heard_gets_a_letter_that_decides_nothing(
    office: Office, mailbox: tuple[Mailbox, str]
) -> None:
    asked = await office.ask()
    await office.climb(asked, 0)
    await office.climb(asked, 0)
    [letter] = mailbox[0].messages
    assert mailbox[0].recipients == [["dewi@kopi.example"]]
    assert letter["subject"] == "Raka menunggu keputusan Anda"
    assert letter["auto-submitted"] == "auto-generated"
    said = letter.get_content()
    assert TEXT["id"] in said
    assert "https://console.example/open/" in said
    assert (await office.approval(asked)).status == "pending"
    [event] = await office.escalations()
    assert (event.data["told"], event.data["channels"]) == ([str(office.founder.id)], ["email"])


async def test_a_founder_who_hides_amounts_gets_a_letter_without_the_act(
    office: Office, mailbox: tuple[Mailbox, str]
) -> None:
    async with office.database.transaction(office.tenant) as tx:
        await update_preferences(tx, office.founder.id, Preferences("id", "auto", True, "dewi@kopi.example"))
    await office.climb(await office.ask(), 0)
    assert "Rp5.000" not in mailbox[0].messages[0].as_string()


async def test_a_phone_that_was_heard_needs_no_letter(office: Office, mailbox: tuple[Mailbox, str]) -> None:
    asked = await office.ask()
    with push_service() as service:
        new = NewSubscription(service.endpoint("ok"), service.p256dh, service.auth)
    async with office.database.transaction(office.tenant) as tx:
        await subscribe(tx, office.founder.id, new, (service.address,))
        [phone] = await fetch_subscriptions(tx)
        note = Note(uuid4(), PushMessage(b"{}", 60, "normal", "t"), f"ap-{asked.id}")
        await note_attempts(tx, [Call(phone, note)])
        await push_received(tx, note.receipt)
    await office.climb(asked, 0)
    assert mailbox[0].messages == []
    [event] = await office.escalations()
    assert (event.data["told"], event.data["heard"]) == ([], 1)


async def test_the_deputy_is_written_to_in_his_own_language_while_his_mandate_lasts(
    office: Office, mailbox: tuple[Mailbox, str]
) -> None:
    await office.climb(await office.ask(), 1)
    assert mailbox[0].recipients == [["ben@kopi.example"]]
    assert mailbox[0].messages[0]["subject"] == "Raka waits for your decision"
    async with office.database.transaction(office.tenant) as tx:
        await end_mandate(tx, office.deputy.id, by=office.by)
    await office.climb(await office.ask(), 1)
    assert len(mailbox[0].messages) == 1


async def test_at_the_end_of_the_ladder_the_safe_default_is_not_to_act(office: Office) -> None:
    asked = await office.ask()
    await office.climb(asked, 2)
    closed = await office.approval(asked)
    assert closed.status == "withdrawn"
    assert "Nobody answered in time" in closed.reason


async def test_the_card_shows_the_ladder_and_how_far_it_was_climbed(office: Office) -> None:
    asked = await office.ask()
    await office.climb(asked, 0)
    async with office.database.transaction(office.tenant) as tx:
        steps = await ladder_of(tx, asked)
    assert [step.to for step in steps] == ["second_channel", "deputy", "safe_default"]
    assert [step.taken_at is not None for step in steps] == [True, False, False]
    assert steps[0].told == 1


async def test_a_ticket_that_is_due_sooner_has_everybody_told_before_it(office: Office) -> None:
    due = datetime.now(UTC) + timedelta(hours=1)
    async with office.database.transaction(office.tenant) as tx:
        new = NewTicket("Bayar faktur", "Bayar faktur.", role_id=office.role.id, due_at=due, start=False)
        ticket = await open_ticket(tx, new, actor=office.by.actor, founder_wrote=True)
    asked = await office.ask(ticket_id=ticket.id)
    async with office.database.transaction(office.tenant) as tx:
        *told, last = await ladder_of(tx, asked)
    assert all(step.due_at < due for step in told)
    assert last.to == "safe_default"
    assert last.due_at == asked.raised_at + timedelta(hours=2), "nothing is given up because work is late"


async def test_an_answered_question_climbs_no_further(office: Office, mailbox: tuple[Mailbox, str]) -> None:
    asked = await office.ask()
    async with office.database.transaction(office.tenant) as tx:
        await approve(tx, asked.id, office.by)
    for place in range(3):
        await office.climb(asked, place)
    assert mailbox[0].messages == []
    assert await office.escalations() == []


async def test_a_letter_that_cannot_be_sent_is_tried_again(database: Database, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, public_url="https://console.example")
    ensure_console_keys(settings.keys)
    sender = load_push(settings.keys / VAPID, origin=settings.origin, mail_from=settings.mail_from)
    office = Office(database, settings, sender)
    await office.found()
    with pytest.raises(NoticeFailed, match="FLR_SMTP_URL"):
        await office.climb(await office.ask(), 0)
    assert "FLR_SMTP_URL" in (await office.problems())["email"]
    [event] = await office.escalations()
    assert event.data["told"] == [str(office.founder.id)]
    await sender.close()


async def test_the_chat_gets_buttons_where_one_tap_suffices_and_a_link_where_it_does_not(
    office: Office, bot: BotServer
) -> None:
    async with office.database.transaction(office.tenant) as tx:
        await pair_chat(tx, office.founder.id, 7, "Dewi")
    await office.climb(await office.ask(), 0)
    assert TEXT["id"] in bot.newest["text"]
    assert bot.newest["chat_id"] == 7
    assert bot.texts() == ["Tolak", "Setujui", "Buka kartu"]
    assert all(
        len(one.get("callback_data", "")) <= 64 for row in bot.newest["reply_markup"]["inline_keyboard"] for one in row
    )
    await office.climb(await office.ask(tier=Tier.R2), 0)
    assert bot.texts() == ["Buka kartu"]
    assert len(bot.messages) == 2


async def test_what_is_decided_elsewhere_shows_in_the_chat(office: Office, bot: BotServer) -> None:
    async with office.database.transaction(office.tenant) as tx:
        await pair_chat(tx, office.founder.id, 7, "Dewi")
    asked = await office.ask()
    await office.climb(asked, 0)
    async with office.database.transaction(office.tenant) as tx:
        await decide(tx, asked.id, "reject", by=office.by, signer=APPROVALS, proof=None)
    await office.answered(asked)
    assert "Ditolak" in bot.newest["text"]
    assert bot.newest["text"].endswith("Dewi")
    assert bot.texts() == []
    bot.newest["text"] = "as it was"
    await office.answered(asked)
    assert bot.newest["text"] == "as it was", "it is changed once"


async def test_a_chat_that_blocked_us_is_not_asked_again_and_a_busy_one_is(office: Office, bot: BotServer) -> None:
    async with office.database.transaction(office.tenant) as tx:
        await pair_chat(tx, office.founder.id, 7, "Dewi")
    bot.refuses = (403, "Forbidden: bot was blocked by the user")
    await office.climb(await office.ask(), 0)
    assert "blocked" in (await office.problems())["telegram"]
    bot.refuses = (429, "Too Many Requests")
    with pytest.raises(NoticeFailed, match="429"):
        await office.climb(await office.ask(), 0)


async def test_a_signed_post_says_what_waits_and_names_itself(office: Office) -> None:
    got: list[tuple[str, bytes]] = []
    secret = b"s" * 32

    def answer(path: str, _: str, body: bytes) -> tuple[int, str, bytes]:
        got.append((path, body))
        return 200, "text/plain", b""

    with answering(answer) as url:
        async with office.database.transaction(office.tenant) as tx:
            await keep_webhook(tx, office.founder.id, f"{url}/hook", secret)
        asked = await office.ask()
        await office.climb(asked, 0)
    [(path, body)] = got
    said = json.loads(body)
    assert path == "/hook"
    assert (said["type"], said["approval_id"], said["act"]) == ("approval.waiting", str(asked.id), TEXT["id"])
    assert said["url"].startswith("https://console.example/open/")


def test_the_signature_is_over_name_time_and_body() -> None:
    at = datetime(2026, 4, 1, tzinfo=UTC)
    headers = headers_of(b"key", str(UUID(int=1)), at, b"{}")
    signed = f"{UUID(int=1)}.{int(at.timestamp())}.".encode() + b"{}"
    wanted = base64.b64encode(hmac.new(b"key", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"

"""The brief comes by itself: once a day, at the founder's hour, never in quiet hours, on the phone and on paper."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, time, timedelta
from email.message import Message
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest

from app.adapters.notices import load_notices, load_posts
from app.adapters.push import load_push
from app.canon.push import PushMessage
from app.canon.vocabulary import Rol, new_id
from app.founder_console import Briefer, Senders, ensure_console_keys, handlers, load_words
from app.founder_console.channels.attempts import Call, note_attempts
from app.founder_console.channels.mornings import begins, brief_moment, due_day, next_moment
from app.founder_console.channels.push import Note
from app.founder_console.keyfiles import VAPID
from app.founder_console.model import Founder, Preferences
from app.founder_console.store import fetch_founder, fetch_subscriptions, push_received, update_preferences
from app.messages import DECODER, BriefDue, NoticeDue
from app.postgres import Database
from app.settings import Settings
from tests.adapters.smtp_servers import Mailbox, mail_box
from tests.founder_console.push_service import PushService, push_service
from tests.founder_console.test_push import Office

WORDS = load_words(Path(__file__).parents[2] / "frontend" / "i18n")
WIB = ZoneInfo("Asia/Jakarta")
MONDAY = date(2026, 11, 23)
DEWI = Founder(
    id=UUID(int=1),
    name="Dewi",
    rol=Rol.FOUNDER,
    language="id",
    theme="auto",
    hide_amounts=False,
    email="",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    brief_days=(1, 2, 3, 4, 5),
)


def on(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), WIB)


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (on(MONDAY, 6, 59), None),
        (on(MONDAY, 7), MONDAY),
        (on(MONDAY, 12, 59), MONDAY),
        (on(MONDAY, 13), None),
        (on(MONDAY - timedelta(days=1), 8), None),
    ],
)
def test_it_is_due_from_its_hour_on_and_not_half_a_day_later(at: datetime, day: date | None) -> None:
    assert due_day(DEWI, at.astimezone(UTC), WIB) == day


def test_a_day_is_told_of_once_even_if_the_hour_is_moved() -> None:
    told = msgspec.structs.replace(DEWI, brief_told_on=MONDAY, brief_at=time(9))
    assert due_day(told, on(MONDAY, 9, 5), WIB) is None
    assert next_moment(told, on(MONDAY, 8), WIB) == on(MONDAY + timedelta(days=1), 9)


def test_it_waits_for_the_end_of_quiet_hours_and_belongs_to_its_own_day() -> None:
    late = msgspec.structs.replace(DEWI, quiet_from=time(21), quiet_to=time(8, 30))
    assert brief_moment(late, MONDAY, WIB) == on(MONDAY, 8, 30)
    evening = msgspec.structs.replace(late, brief_at=time(22))
    tuesday = MONDAY + timedelta(days=1)
    assert brief_moment(evening, MONDAY, WIB) == on(tuesday, 8, 30)
    assert due_day(evening, on(tuesday, 9), WIB) == MONDAY


def test_days_off_are_passed_over_and_told_of_on_the_next_day() -> None:
    friday = MONDAY + timedelta(days=4)
    assert next_moment(DEWI, on(friday, 8), WIB) == on(MONDAY + timedelta(days=7), 7)
    assert begins(DEWI, MONDAY, WIB) == on(MONDAY - timedelta(days=3), 7)
    assert begins(DEWI, friday, WIB) == on(friday - timedelta(days=1), 7)
    off = msgspec.structs.replace(DEWI, brief_at=None)
    assert (due_day(off, on(MONDAY, 7), WIB), next_moment(off, on(MONDAY, 7), WIB)) == (None, None)


def text_of(letter: Message) -> str:
    content = letter.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content.decode()


class Dawn(Office):
    """An office whose founder's brief became due a minute ago."""

    briefer: Briefer

    async def wake(self, **changes: object) -> None:
        hour = (datetime.now(UTC) - timedelta(minutes=1)).time().replace(microsecond=0)
        wanted = Preferences("id", "auto", False, "dewi@kopi.example", time_zone="UTC", brief_at=hour)
        async with self.database.transaction(self.tenant) as tx:
            await update_preferences(tx, self.founder.id, msgspec.structs.replace(wanted, **changes))

    async def queued(self) -> list[BriefDue | NoticeDue]:
        """What the queue would deliver, taken from it."""
        async with self.database.transaction(self.tenant) as tx:
            rows = await tx.connection.fetch(
                "DELETE FROM work_queue.pgqueuer WHERE entrypoint IN ('brief_due', 'notice_due') RETURNING payload"
            )
        found = [DECODER.decode(row["payload"]) for row in rows]
        return [one for one in found if isinstance(one, BriefDue | NoticeDue)]

    async def deliver(self, messages: list[BriefDue | NoticeDue]) -> None:
        for one in messages:
            await self.handlers["brief_due" if isinstance(one, BriefDue) else "notice_due"](one)


@pytest.fixture
def service() -> Iterator[PushService]:
    with push_service() as running:
        yield running


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    with mail_box() as made:
        yield made


@pytest.fixture
async def dawn(
    database: Database, tmp_path: Path, service: PushService, mailbox: tuple[Mailbox, str]
) -> AsyncIterator[Dawn]:
    settings = Settings(
        home=tmp_path,
        public_url="https://console.example",
        push_allow_hosts=(service.address,),
        smtp_url=mailbox[1],
    )
    ensure_console_keys(settings.keys)
    sender = load_push(settings.keys / VAPID, origin=settings.origin, mail_from=settings.mail_from)
    made = Dawn(database, settings, sender, service)
    letters = load_notices(smtp_url=settings.smtp_url, mail_from=settings.mail_from)
    made.handlers = handlers(database, sender, Senders(letters, load_posts(())), settings, WORDS)
    made.briefer = Briefer(database, sender, settings, WORDS)
    await made.found()
    await made.subscribe()
    yield made
    await sender.close()


async def test_the_phone_is_told_counts_and_the_letter_every_sentence(dawn: Dawn, mailbox: tuple[Mailbox, str]) -> None:
    await dawn.ask()
    await dawn.wake()
    assert await dawn.briefer.sweep() == 1
    await dawn.deliver(await dawn.queued())
    await dawn.deliver(await dawn.queued())
    [got] = dawn.service.received
    notification = got["json"]["notification"]
    assert notification["body"] == "Satu keputusan menunggu Anda. Satu hal untuk diketahui."
    assert notification["navigate"] == "https://console.example/copilot"
    assert notification["tag"].startswith("brief-")
    assert (got["headers"]["urgency"], got["headers"]["ttl"]) == ("low", "21600")
    [letter] = mailbox[0].messages
    assert letter["subject"].startswith("Ringkasan ")
    body = text_of(letter)
    assert "Satu permintaan masih menunggu Anda" in body
    assert "https://console.example/copilot" in body


async def test_two_workers_and_a_message_that_comes_again_tell_once(dawn: Dawn, mailbox: tuple[Mailbox, str]) -> None:
    await dawn.wake()
    await asyncio.gather(*(dawn.briefer.sweep() for _ in range(4)))
    due = await dawn.queued()
    assert len(due) == 1
    await dawn.deliver(due)
    letters = await dawn.queued()
    await dawn.deliver([*due, *letters, *letters])
    assert await dawn.briefer.sweep() == 0
    assert len(dawn.service.received) == 1
    assert len(mailbox[0].messages) == 1


async def test_a_brief_that_a_dead_worker_may_have_sent_waits_before_it_is_sent_again(dawn: Dawn) -> None:
    await dawn.wake(brief_letters=False)
    await dawn.briefer.sweep()
    [due] = await dawn.queued()
    async with dawn.database.transaction(dawn.tenant) as tx:
        [phone] = await fetch_subscriptions(tx)
        note = Note(new_id(), PushMessage(b"{}", 60, "low", "t"), f"brief-{datetime.now(UTC).date()}")
        await note_attempts(tx, [Call(phone, note)])
    await dawn.deliver([due])
    assert dawn.service.received == []
    [later] = await dawn.queued()
    async with dawn.database.transaction(dawn.tenant) as tx:
        await push_received(tx, note.receipt)
    await dawn.deliver([later])
    assert dawn.service.received == [], "the phone has shown it"
    assert await dawn.queued() == []


async def test_a_changed_hour_is_taken_up_and_a_told_day_stays_told(dawn: Dawn) -> None:
    await dawn.wake()
    assert await dawn.briefer.sweep() == 1
    await dawn.wake()
    assert await dawn.briefer.sweep() == 0
    async with dawn.database.transaction(dawn.tenant) as tx:
        founder = await fetch_founder(tx, dawn.founder.id)
    assert founder is not None
    assert founder.brief_told_on is not None


@pytest.mark.parametrize("changes", [{"brief_at": None}, {"brief_days": ()}])
async def test_who_wants_none_is_told_none(dawn: Dawn, changes: dict[str, object]) -> None:
    await dawn.wake(**changes)
    assert await dawn.briefer.sweep() == 0


async def test_second_channels_can_be_left_out_and_hidden_amounts_stay_hidden(
    dawn: Dawn, mailbox: tuple[Mailbox, str]
) -> None:
    await dawn.ask()
    await dawn.wake(brief_letters=False)
    await dawn.briefer.sweep()
    await dawn.deliver(await dawn.queued())
    assert await dawn.queued() == []
    await dawn.wake(hide_amounts=True)
    await dawn.deliver([BriefDue(dawn.tenant, dawn.founder.id, datetime.now(UTC).date())])
    await dawn.deliver(await dawn.queued())
    body = text_of(mailbox[0].messages[0])
    assert "Satu keputusan menunggu Anda." in body
    assert "permintaan" not in body


async def test_in_quiet_hours_nobody_is_told(dawn: Dawn) -> None:
    here = datetime.now(UTC)
    quiet = {
        "quiet_from": (here - timedelta(hours=1)).time().replace(microsecond=0),
        "quiet_to": (here + timedelta(hours=1)).time().replace(microsecond=0),
    }
    await dawn.wake(**quiet)
    assert await dawn.briefer.sweep() == 0

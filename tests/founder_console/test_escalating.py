"""While nobody answers, the role's ladder is climbed: by letter where the phone was not heard, and only until somebody
answers."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import msgspec
import pytest

from app.adapters.notices import load_notices
from app.adapters.push import load_push
from app.canon.contract import Escalation, EscalationStep
from app.canon.notice import NoticeFailed
from app.canon.push import PushSender
from app.canon.vocabulary import Principal, Rol
from app.founder_console import create_founder, ensure_console_keys, handlers, load_words
from app.founder_console.keyfiles import VAPID
from app.founder_console.model import NewSubscription, Preferences
from app.founder_console.push import subscribe
from app.founder_console.store import fetch_subscriptions, push_received, push_sent, update_preferences
from app.governance_ledger import EventFilter, RecordedEvent, read_events
from app.messages import ApprovalRaised, EscalationDue
from app.postgres import Database
from app.role_registry import create_company
from app.settings import Settings
from app.work_queue import Approval, get_approval, raise_approval
from tests.adapters.smtp_servers import Mailbox, mail_box
from tests.builders import a_question, a_role, approve, some_terms
from tests.founder_console.people import a_founder
from tests.founder_console.push_service import push_service

WORDS = load_words(Path(__file__).parents[2] / "frontend" / "i18n")
LADDER = (
    EscalationStep(1_800, "second_channel"),
    EscalationStep(3_600, "deputy"),
    EscalationStep(7_200, "safe_default"),
)
TEXT = {"id": "Bayar Rp5.000 ke PT Kopi.", "en": "Pay Rp5,000 to PT Kopi."}


class Office:
    """A company with a founder, a deputy and a role that asks them."""

    def __init__(self, database: Database, settings: Settings, sender: PushSender) -> None:
        self.database = database
        self.settings = settings
        self.tenant = uuid4()
        letters = load_notices(smtp_url=settings.smtp_url, mail_from=settings.mail_from)
        self.handlers = handlers(database, sender, letters, settings, WORDS)

    async def found(self) -> None:
        async with self.database.transaction(self.tenant) as tx:
            await create_company(tx, name="Kopi Senja", language="id", actor="system")
            self.founder, self.by = await a_founder(tx)
            await update_preferences(tx, self.founder.id, Preferences("id", "auto", False, "dewi@kopi.example"))
            deputy = await create_founder(tx, name="Ben", language="en", rol=Rol.DEPUTY)
            await update_preferences(tx, deputy.id, Preferences("en", "auto", False, "ben@kopi.example"))
            terms = msgspec.structs.replace(some_terms(), escalation=Escalation(LADDER))
            self.role = await a_role(tx, Principal(str(self.founder.id), self.tenant, Rol.FOUNDER), terms)

    async def ask(self) -> Approval:
        payload = {"kind": "tool_call", "role": {"name": "Raka"}, "text": TEXT}
        async with self.database.transaction(self.tenant) as tx:
            return await raise_approval(tx, a_question(role_id=self.role.id, role_version=1, payload=payload))

    async def climb(self, asked: Approval, place: int) -> None:
        await self.handlers["escalation_due"](EscalationDue(self.tenant, asked.id, place))

    async def approval(self, asked: Approval) -> Approval:
        async with self.database.transaction(self.tenant) as tx:
            return await get_approval(tx, asked.id)

    async def escalations(self) -> list[RecordedEvent]:
        async with self.database.transaction(self.tenant) as tx:
            return list((await read_events(tx, EventFilter(type="approval.escalated"), newest_first=False)).items)


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    with mail_box() as made:
        yield made


@pytest.fixture
async def office(database: Database, tmp_path: Path, mailbox: tuple[Mailbox, str]) -> AsyncIterator[Office]:
    settings = Settings(home=tmp_path, public_url="https://console.example", smtp_url=mailbox[1])
    ensure_console_keys(settings.keys)
    sender = load_push(settings.keys / VAPID, origin=settings.origin, mail_from=settings.mail_from)
    made = Office(database, settings, sender)
    await made.found()
    yield made
    await sender.close()


async def test_a_question_sets_an_alarm_for_each_step(office: Office, superuser: asyncpg.Connection) -> None:
    asked = await office.ask()
    await office.handlers["approval_raised"](ApprovalRaised(office.tenant, asked.id))
    await office.handlers["approval_raised"](ApprovalRaised(office.tenant, asked.id))
    rows = await superuser.fetch(
        "SELECT extract(epoch FROM execute_after - now())::int AS wait FROM work_queue.pgqueuer "
        "WHERE entrypoint = 'escalation_due' ORDER BY 1"
    )
    waits = [row["wait"] for row in rows]
    assert [round(wait / 100) * 100 for wait in waits] == [1_800, 3_600, 7_200]


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
    assert f"https://console.example/approvals/{asked.id}" in said
    assert (await office.approval(asked)).status == "pending"
    [event] = await office.escalations()
    assert event.data["told"] == [str(office.founder.id)]


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
        receipt = uuid4()
        await push_sent(tx, receipt, phone.id, tag=f"ap-{asked.id}", status=201, problem="")
        await push_received(tx, receipt)
    await office.climb(asked, 0)
    assert mailbox[0].messages == []
    [event] = await office.escalations()
    assert (event.data["told"], event.data["heard"]) == ([], 1)


async def test_the_deputy_is_written_to_in_his_own_language(office: Office, mailbox: tuple[Mailbox, str]) -> None:
    await office.climb(await office.ask(), 1)
    assert mailbox[0].recipients == [["ben@kopi.example"]]
    assert mailbox[0].messages[0]["subject"] == "Raka waits for your decision"


async def test_at_the_end_of_the_ladder_the_safe_default_is_not_to_act(office: Office) -> None:
    asked = await office.ask()
    await office.climb(asked, 2)
    closed = await office.approval(asked)
    assert closed.status == "withdrawn"
    assert "Nobody answered in time" in closed.reason


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
    assert await office.escalations() == []
    await sender.close()

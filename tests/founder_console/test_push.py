"""The phone rings for a new question, once for each browser that may be rung, and says nothing it should not."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest

from app.adapters.notices import load_notices, load_posts
from app.adapters.push import load_push
from app.canon.push import PushMessage, PushSender, PushTarget
from app.canon.vocabulary import Money, Tier
from app.founder_console import Senders, ensure_console_keys, handlers, load_words
from app.founder_console.channels.push import allowed_endpoint, mint, open_token, subscribe
from app.founder_console.errors import ActionTokenRefused, PushRefused
from app.founder_console.keyfiles import VAPID, Seal
from app.founder_console.model import NewSubscription, Preferences
from app.founder_console.store import fetch_subscriptions, push_received, update_preferences
from app.messages import ApprovalDecided, ApprovalRaised
from app.postgres import Database
from app.role_registry import create_company
from app.settings import Settings
from app.work_queue import Approval, decide, raise_approval
from tests.builders import APPROVALS, a_question
from tests.founder_console.people import a_founder
from tests.founder_console.push_service import PushService, push_service

ROOT = Path(__file__).parents[2]
WORDS = load_words(ROOT / "frontend" / "i18n")


@pytest.fixture
def service() -> Iterator[PushService]:
    with push_service() as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, service: PushService) -> Settings:
    made = Settings(home=tmp_path, public_url="https://console.example", push_allow_hosts=(service.address,))
    ensure_console_keys(made.keys)
    return made


@pytest.fixture
async def sender(settings: Settings) -> AsyncIterator[PushSender]:
    opened = load_push(settings.keys / VAPID, origin=settings.origin, mail_from=settings.mail_from)
    yield opened
    await opened.close()


class Office:
    """A company with one founder and a worker process's handlers."""

    def __init__(self, database: Database, settings: Settings, sender: PushSender, service: PushService) -> None:
        self.database = database
        self.tenant = uuid4()
        self.service = service
        self.settings = settings
        self.sender = sender
        letters = load_notices(smtp_url=settings.smtp_url, mail_from=settings.mail_from)
        self.handlers = handlers(database, sender, Senders(letters, load_posts(())), settings, WORDS)

    async def found(self) -> None:
        async with self.database.transaction(self.tenant) as tx:
            await create_company(tx, name="Kopi Senja", language="id", actor="system")
            self.founder, self.by = await a_founder(tx)

    async def subscribe(self, answer: str = "ok") -> UUID:
        new = NewSubscription(self.service.endpoint(answer), self.service.p256dh, self.service.auth)
        async with self.database.transaction(self.tenant) as tx:
            return await subscribe(tx, self.founder.id, new, self.settings.push_allow_hosts)

    async def ask(self, **changes: object) -> Approval:
        async with self.database.transaction(self.tenant) as tx:
            return await raise_approval(tx, a_question(**changes))  # type: ignore[arg-type]

    async def ring(self, approval: Approval) -> None:
        await self.handlers["approval_raised"](ApprovalRaised(self.tenant, approval.id))

    async def hush(self, approval: Approval) -> None:
        await self.handlers["approval_decided"](ApprovalDecided(self.tenant, approval.id, None, None))

    async def subscriptions(self) -> list[str]:
        async with self.database.transaction(self.tenant) as tx:
            return [one.problem for one in await fetch_subscriptions(tx)]


@pytest.fixture
async def office(database: Database, settings: Settings, sender: PushSender, service: PushService) -> Office:
    made = Office(database, settings, sender, service)
    await made.found()
    return made


async def test_a_new_question_rings_encrypted_signed_and_without_customer_data(office: Office) -> None:
    await office.subscribe()
    asked = await office.ask(money=Money(240_000), undo_seconds=10)
    await office.ring(asked)
    [got] = office.service.received
    assert got["claims"]["sub"] == "https://console.example"
    assert got["claims"]["aud"] == f"http://{office.service.address}"
    assert got["headers"]["topic"] not in str(asked.id)
    assert 60 <= int(got["headers"]["ttl"]) <= 3600
    notification = got["json"]["notification"]
    assert "a@b.example" not in msgspec.json.encode(got["json"]).decode()
    assert notification["tag"] == f"ap-{asked.id}"
    assert notification["navigate"] == f"https://console.example/approvals/{asked.id}"
    assert [action["action"] for action in notification["actions"]] == ["approve", "reject"]
    assert got["json"]["app_badge"] == 1


async def test_high_risk_offers_no_approval_on_the_lock_screen(office: Office) -> None:
    await office.subscribe()
    await office.ring(await office.ask(tier=Tier.R2))
    [got] = office.service.received
    assert [action["action"] for action in got["json"]["notification"]["actions"]] == ["view", "reject"]
    assert set(got["json"]["notification"]["data"]["tokens"]) == {"reject"}
    assert got["headers"]["urgency"] == "high"


async def test_amounts_stay_hidden_for_who_wants_it(office: Office) -> None:
    await office.subscribe()
    async with office.database.transaction(office.tenant) as tx:
        await update_preferences(tx, office.founder.id, Preferences("id", "auto", True))
    await office.ring(await office.ask(money=Money(240_000)))
    assert "240" not in office.service.received[0]["json"]["notification"]["title"]


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        ("ok", [""]),
        ("gone", []),
        ("unknown", []),
        ("refused", ["misconfigured 403"]),
        ("large", ["too_large 413"]),
        ("narrow", [""]),
    ],
)
async def test_what_the_service_answers_is_kept_or_forgets_the_browser(
    office: Office, answer: str, left: list[str]
) -> None:
    await office.subscribe(answer)
    await office.ring(await office.ask())
    assert await office.subscriptions() == left


@pytest.mark.parametrize("answer", ["busy", "down"])
async def test_a_busy_service_is_asked_again_later(office: Office, answer: str) -> None:
    await office.subscribe(answer)
    asked = await office.ask()
    await office.ring(asked)
    async with office.database.transaction(office.tenant) as tx:
        waiting = await tx.connection.fetchval(
            "SELECT count(*) FROM work_queue.pgqueuer WHERE entrypoint = 'approval_raised' AND execute_after > now()"
        )
    assert waiting == 1


async def test_what_is_too_large_is_sent_again_without_text_and_buttons(office: Office) -> None:
    await office.subscribe("narrow")
    asked = await office.ask()
    await office.ring(asked)
    whole, short = (one["json"]["notification"] for one in office.service.received)
    assert [action["action"] for action in whole["actions"]] == ["approve", "reject"]
    assert (short["body"], short["actions"], short["data"]["tokens"]) == ("", [], {})
    assert (short["title"], short["tag"], short["navigate"]) == (whole["title"], whole["tag"], whole["navigate"])
    assert short["data"]["receipt"] == whole["data"]["receipt"]


@pytest.mark.parametrize(("answer", "least", "most"), [("busy", 6, 8), ("closed", 50, 61), ("down", 118, 121)])
async def test_a_busy_service_is_asked_when_it_wants_to_be(office: Office, answer: str, least: int, most: int) -> None:
    await office.subscribe(answer)
    await office.ring(await office.ask())
    async with office.database.transaction(office.tenant) as tx:
        wait = await tx.connection.fetchval(
            "SELECT extract(epoch FROM execute_after - now())::int FROM work_queue.pgqueuer "
            "WHERE entrypoint = 'approval_raised' AND execute_after > now()"
        )
    assert least <= wait <= most


async def test_the_browser_that_heard_is_not_rung_again_for_another_that_was_busy(office: Office) -> None:
    await office.subscribe("ok")
    await office.subscribe("busy")
    asked = await office.ask()
    await office.ring(asked)
    await office.ring(asked)
    assert sorted(one["answer"] for one in office.service.received) == ["busy", "busy", "ok"]


async def test_no_redirect_is_followed(office: Office) -> None:
    await office.subscribe("moved")
    await office.ring(await office.ask())
    assert len(office.service.received) == 1


async def test_an_answered_question_rings_nobody_and_hushes_whom_it_rang(office: Office) -> None:
    await office.subscribe()
    asked = await office.ask()
    await office.hush(asked)
    assert office.service.received == [], "nothing to take back yet"
    await office.ring(asked)
    async with office.database.transaction(office.tenant) as tx:
        await decide(tx, asked.id, "reject", by=office.by, signer=APPROVALS, proof=None)
    await office.ring(asked)
    await office.hush(asked)
    kinds = [got["json"]["notification"]["data"]["closed"] for got in office.service.received]
    assert kinds == [False, True]


async def test_a_receipt_says_that_it_was_shown(office: Office) -> None:
    await office.subscribe()
    await office.ring(await office.ask())
    receipt = UUID(office.service.received[0]["json"]["notification"]["data"]["receipt"])
    async with office.database.transaction(office.tenant) as tx:
        await push_received(tx, receipt)
        [subscription] = await fetch_subscriptions(tx)
    assert subscription.last_sent_at is not None
    assert subscription.last_receipt_at is not None


async def test_a_button_works_once_and_only_as_it_was_made(office: Office, tmp_path: Path) -> None:
    asked, seal = await office.ask(), Seal(tmp_path / "keys")
    token = mint(seal, asked, "approve")
    async with office.database.transaction(office.tenant) as tx:
        opened = await open_token(tx, seal, token)
        assert (opened.a, opened.d, opened.v) == (asked.id, "approve", asked.version)
        with pytest.raises(ActionTokenRefused, match="already"):
            await open_token(tx, seal, token)
        for forged in (token[:-2], f"A{token}", "", ".", mint(Seal(tmp_path / "other"), asked, "approve")):
            with pytest.raises(ActionTokenRefused):
                await open_token(tx, seal, forged)


@pytest.mark.parametrize(
    ("endpoint", "allowed"),
    [
        ("https://fcm.googleapis.com/fcm/send/x", True),
        ("https://web.push.apple.com/x", True),
        ("https://updates.push.services.mozilla.com/wpush/v2/x", True),
        ("https://wns2-am3p.notify.windows.com/w/?token=x", True),
        ("http://fcm.googleapis.com/x", False),
        ("https://fcm.googleapis.com.evil.example/x", False),
        ("https://evilfcm.googleapis.com.example/x", False),
        ("https://fcm.googleapis.com:8443/x", False),
        ("https://user@fcm.googleapis.com/x", False),
        ("https://169.254.169.254/latest", False),
        ("http://127.0.0.1:9/push", True),
        ("http://127.0.0.1:10/push", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_only_known_push_services_are_ever_asked(endpoint: str, allowed: bool) -> None:
    assert allowed_endpoint(endpoint, ("127.0.0.1:9",)) is allowed


async def test_a_subscription_with_broken_keys_is_refused(office: Office) -> None:
    for p256dh, auth in (("AAAA", office.service.auth), (office.service.p256dh, "AAAA"), ("*", "*")):
        async with office.database.transaction(office.tenant) as tx:
            new = NewSubscription(office.service.endpoint(), p256dh, auth)
            with pytest.raises(PushRefused):
                await subscribe(tx, office.founder.id, new, office.settings.push_allow_hosts)


async def test_a_service_that_does_not_answer_is_asked_later(sender: PushSender, service: PushService) -> None:
    target = PushTarget("http://127.0.0.1:9/push", service.p256dh, service.auth)
    answer = await asyncio.wait_for(sender.send(target, PushMessage(b"{}", 60, "normal", "t")), 20)
    assert (answer.outcome, answer.status) == ("later", 0)

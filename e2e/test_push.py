"""A push in the real service worker: what it shows, what its buttons do, and what a used button does."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from playwright.sync_api import expect

from app.canon.vocabulary import Money, Tier
from app.founder_console import load_words
from app.founder_console.channels.push import Bell, Note
from app.founder_console.formats import Formats
from app.founder_console.keyfiles import Seal
from app.founder_console.store import fetch_founders
from app.role_registry import Role
from app.work_queue import Approval
from e2e.browser import Phone
from e2e.company import Company
from e2e.conftest import Keychain, Phones
from tests.databases import Cluster
from tests.founder_console.push_service import PushService, push_service
from tests.processes import ROOT, Machine, machine, wait_until

pytestmark = pytest.mark.timeout(180)

SHOWN = """async () => (await (await navigator.serviceWorker.ready).getNotifications()).map(
  n => ({title: n.title, body: n.body, tag: n.tag, actions: n.actions.map(a => a.action)}))"""
CLICK = """async action => {
  const [n] = await self.registration.getNotifications();
  const promises = [], event = new NotificationEvent('notificationclick', {notification: n, action});
  event.waitUntil = promise => promises.push(promise);
  self.dispatchEvent(event);
  return (await Promise.allSettled(promises)).map(outcome => outcome.status + ':' + (outcome.reason ?? ''));
}"""


@pytest.fixture(scope="module")
def service() -> Iterator[PushService]:
    with push_service() as running:
        yield running


@pytest.fixture(scope="module")
def served(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, service: PushService) -> Iterator[Machine]:
    """A machine that may ring our own push service."""
    name = cluster.take().result()
    home = tmp_path_factory.mktemp("home")
    home.chmod(0o700)
    with machine(home, cluster.url(None, name), FLR_PUSH_ALLOW_HOSTS=service.address) as made:
        yield made
    cluster.give_back(name)


@pytest.fixture(scope="module")
def raka(company: Company) -> Role:
    return company.worker("Raka", "Keuangan")


@pytest.fixture
def bell(company: Company) -> Bell:
    founder = company.tell(fetch_founders)[0]
    formats = Formats("id", ZoneInfo("Asia/Jakarta"), datetime.now(UTC))
    words = load_words(ROOT / "frontend" / "i18n")["id"]
    return Bell(founder, words, formats, company.settings.origin, 1)


@pytest.fixture
def rung(phones: Phones, keychain: Keychain) -> tuple[Phone, Callable[[Note | bytes], Any]]:
    """A phone that allows notifications, and what delivers a push to it."""
    phone = phones(state=keychain.state)
    phone.context.grant_permissions(["notifications"], origin=phone.origin)
    registrations: list[Any] = []
    phone.cdp.on("ServiceWorker.workerRegistrationUpdated", lambda event: registrations.extend(event["registrations"]))
    phone.cdp.send("ServiceWorker.enable")
    page = phone.open("/")
    phone.await_worker()
    for _ in range(100):
        page.wait_for_timeout(50)
        if registrations:
            break

    def deliver(note: Note | bytes) -> Any:
        content = note.message.content if isinstance(note, Note) else note
        wanted = {
            "origin": phone.origin,
            "registrationId": registrations[0]["registrationId"],
            "data": content.decode(),
        }
        for _ in range(8):
            phone.cdp.send("ServiceWorker.deliverPushMessage", wanted)
            until = time.monotonic() + 3
            while time.monotonic() < until:
                if shown := page.evaluate(SHOWN):
                    return shown
                page.wait_for_timeout(50)
        raise AssertionError("no notification")

    return phone, deliver


def click(phone: Phone, action: str) -> Any:
    return phone.context.service_workers[0].evaluate(CLICK, action)


def ring(bell: Bell, company: Company, approval: Approval) -> Note:
    return bell.ring(approval, Seal(company.settings.keys), worker="Raka")


def test_a_new_question_is_shown_without_customer_data_and_approved_by_its_button(
    rung: tuple[Phone, Callable[..., Any]], bell: Bell, company: Company, raka: Role
) -> None:
    phone, deliver = rung
    asked = company.ask(raka, money=Money(240_000), to="ratna@contoh.id", undo_seconds=30)
    note = ring(bell, company, asked)
    [shown] = deliver(note)
    assert shown["title"] == "Keputusan: Rp240\u00a0rb"
    assert "ratna" not in str(shown)
    assert shown["tag"] == f"ap-{asked.id}"
    assert shown["actions"] == ["approve", "reject"]
    assert click(phone, "approve") == ["fulfilled:"]
    assert company.approval(asked.id).status == "approved"
    expect_title(phone, "Disetujui")
    deliver(note)
    click(phone, "approve")
    assert company.approval(asked.id).version == asked.version + 1, "a button works once"
    phone.problems.clear()


def expect_title(phone: Phone, title: str) -> None:
    shown = phone.page.evaluate(SHOWN)
    assert [one["title"] for one in shown] == [title]


def test_high_risk_is_never_approved_from_the_lock_screen(
    rung: tuple[Phone, Callable[..., Any]], bell: Bell, company: Company, raka: Role
) -> None:
    phone, deliver = rung
    asked = company.ask(raka, tier=Tier.R2, money=Money(12_105_000))
    [shown] = deliver(ring(bell, company, asked))
    assert shown["actions"] == ["view", "reject"]
    assert click(phone, "reject") == ["fulfilled:"]
    assert company.approval(asked.id).status == "rejected"


def test_a_button_without_the_session_opens_the_card_and_decides_nothing(
    rung: tuple[Phone, Callable[..., Any]], bell: Bell, company: Company, raka: Role
) -> None:
    phone, deliver = rung
    asked = company.ask(raka)
    deliver(ring(bell, company, asked))
    phone.context.clear_cookies()
    [outcome] = click(phone, "approve")
    assert "InvalidAccessError" in outcome, "only a real tap may open a window; it was tried"
    assert company.approval(asked.id).status == "pending"
    phone.problems.clear()


def test_a_tap_on_the_notification_goes_to_its_card(
    rung: tuple[Phone, Callable[..., Any]], bell: Bell, company: Company, raka: Role
) -> None:
    phone, deliver = rung
    asked = company.ask(raka)
    deliver(ring(bell, company, asked))
    phone.context.service_workers[0].evaluate("self.clients.openWindow = async url => { self.opened = url; }")
    click(phone, "")
    assert phone.context.service_workers[0].evaluate("self.opened") == f"{phone.origin}/approvals/{asked.id}"


def test_what_is_decided_elsewhere_leaves_the_screen_and_nonsense_still_shows_something(
    rung: tuple[Phone, Callable[..., Any]], bell: Bell, company: Company, raka: Role
) -> None:
    phone, deliver = rung
    asked = company.ask(raka)
    deliver(ring(bell, company, asked))
    content = bell.hush(asked.id).message.content
    phone.cdp.send(
        "ServiceWorker.deliverPushMessage",
        {"origin": phone.origin, "registrationId": "0", "data": content.decode()},
    )
    wait_until(lambda: phone.page.evaluate(SHOWN) == [], said="the notification is gone")
    [shown] = deliver(b"{not json")
    assert shown["title"] == "Ada yang perlu dilihat"


def test_notifications_are_turned_on_in_settings(phones: Phones, keychain: Keychain, company: Company) -> None:
    phone = phones(state=keychain.state)
    phone.context.grant_permissions(["notifications"], origin=phone.origin)
    phone.context.add_init_script(
        """PushManager.prototype.subscribe = async options => ({
          endpoint: 'https://fcm.googleapis.com/fcm/send/journey', toJSON: () => ({
            endpoint: 'https://fcm.googleapis.com/fcm/send/journey',
            keys: {p256dh: 'BA' + 'A'.repeat(85), auth: 'A'.repeat(22)}})});"""
    )
    page = phone.open("/settings/notifications")
    page.get_by_role("button", name="Aktifkan di sini").click()
    expect(page.locator("push-switch")).to_contain_text("Notifikasi aktif")
    expect(phone.open("/settings/notifications").locator("push-switch")).to_contain_text("fcm.googleapis.com")
    decoded = msgspec.json.decode(phone.context.request.get(f"{phone.origin}/api/v1/console/summary").body())
    assert decoded["company"] == "Kopi Senja"


def test_a_worker_process_rings_the_phone_when_a_question_is_raised(
    phones: Phones, keychain: Keychain, company: Company, served: Machine, service: PushService, raka: Role
) -> None:
    phone = phones(state=keychain.state)
    phone.open("/settings")
    body = {"endpoint": service.endpoint(), "p256dh": service.p256dh, "auth": service.auth}
    status = phone.page.evaluate(
        """body => fetch('/api/v1/console/push/subscriptions', {method: 'POST', body: JSON.stringify(body),
          headers: {'content-type': 'application/json'}}).then(answer => answer.status)""",
        body,
    )
    assert status == 201
    served.start("worker", "app.cli", "worker")
    asked = company.ask(raka, money=Money(240_000))
    tag = f"ap-{asked.id}"
    wait_until(lambda: tag in tags(service), seconds=60, said=served.said("worker"))
    assert "ratna" not in str(service.received)
    company.decide(asked, "reject")
    wait_until(lambda: tags(service).count(tag) == 2, said="taken back")


def tags(service: PushService) -> list[str]:
    return [got["json"]["notification"]["tag"] for got in service.received]

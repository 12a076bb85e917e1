"""Without a network: what was seen can be read, small decisions are kept, large ones say what they need."""

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from app.canon.vocabulary import Tier
from app.role_registry import Role
from e2e.browser import Phone
from e2e.company import Company
from e2e.conftest import Keychain, Phones
from tests.processes import wait_until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def raka(company: Company) -> Role:
    return company.worker("Raka", "Keuangan")


def controlled(phone: Phone) -> None:
    """The service worker is in charge, and has seen this page through."""
    page = phone.page
    phone.await_worker()
    page.reload()
    wait_until(lambda: page.evaluate("Boolean(navigator.serviceWorker.controller)"), said="a controlling worker")
    page.reload()
    page.wait_for_timeout(300)


def test_pages_seen_before_can_be_read_and_others_say_offline(
    phones: Phones, keychain: Keychain, company: Company, raka: Role
) -> None:
    asked = company.ask(raka)
    phone = phones(state=keychain.state)
    page = phone.open("/approvals")
    controlled(phone)
    phone.context.set_offline(True)
    page.goto(f"{phone.origin}/approvals")
    expect(page.locator(f"#a-{asked.id}")).to_be_visible()
    expect(page.locator("#net")).to_contain_text("Offline. Anda melihat data pukul")
    page.goto(f"{phone.origin}/copilot")
    expect(page.get_by_role("heading", level=1)).to_have_text("Offline")
    phone.context.set_offline(False)
    phone.problems.clear()


def test_a_small_decision_is_kept_and_sent_and_a_large_one_is_not(
    phones: Phones, keychain: Keychain, company: Company, raka: Role
) -> None:
    small, large = company.ask(raka), company.ask(raka, tier=Tier.R2)
    changed = company.ask(raka, to="lain@contoh.id")
    phone = phones(state=keychain.state)
    page = phone.open("/approvals")
    controlled(phone)
    phone.context.set_offline(True)
    page.locator(f"#a-{small.id}").get_by_role("button", name="Setujui").click()
    expect(page.locator(f"#a-{small.id}")).to_contain_text("Tersimpan, belum terkirim")
    page.locator(f"#a-{changed.id}").get_by_role("button", name="Setujui").click()
    expect(page.locator(f"#a-{changed.id}")).to_contain_text("Tersimpan, belum terkirim")
    page.locator(f"#a-{large.id}").get_by_role("button", name="Setujui").click()
    assert company.approval(large.id).status == "pending"
    company.decide(changed, "reject")
    phone.context.set_offline(False)
    page.evaluate("dispatchEvent(new Event('online'))")
    wait_until(lambda: company.approval(small.id).status == "approved", said="the kept decision arrives")
    assert company.approval(changed.id).status == "rejected"
    assert company.approval(large.id).status == "pending"
    wait_until(lambda: _kept(page) == 0, said="the outbox is empty")
    phone.problems.clear()


def _kept(page: Page) -> Any:
    return page.evaluate(
        """() => new Promise(ok => {
          const open = indexedDB.open('flr', 1);
          open.onsuccess = () => {
            const count = open.result.transaction('outbox').objectStore('outbox').count();
            count.onsuccess = () => ok(count.result);
          };
        })"""
    )


def lose_answers(phone: Phone, *, offline: bool) -> None:
    """The next decision reaches the server; its answer does not reach the phone, which may find itself offline."""

    def lose(route: Route) -> None:
        route.fetch()
        if offline:
            phone.context.set_offline(True)
        route.abort()

    phone.page.route("**/decide", lose, times=1)


def test_a_decision_whose_answer_was_lost_is_not_called_stale(
    phones: Phones, keychain: Keychain, company: Company, raka: Role
) -> None:
    asked = company.ask(raka)
    phone = phones(state=keychain.state)
    page = phone.open("/approvals")
    controlled(phone)
    lose_answers(phone, offline=True)
    page.locator(f"#a-{asked.id}").get_by_role("button", name="Setujui").click()
    expect(page.locator(f"#a-{asked.id}")).to_contain_text("Tersimpan, belum terkirim")
    assert company.approval(asked.id).status == "approved"
    phone.context.set_offline(False)
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#toasts")).to_contain_text("1 keputusan tersimpan sudah terkirim")
    wait_until(lambda: _kept(page) == 0, said="the outbox is empty")
    phone.problems.clear()


def test_a_second_tap_after_a_lost_answer_says_that_it_is_decided(
    phones: Phones, keychain: Keychain, company: Company, raka: Role
) -> None:
    asked = company.ask(raka)
    phone = phones(state=keychain.state)
    page = phone.open("/approvals")
    page.route(f"{phone.origin}/approvals", lambda route: route.abort())  # no news takes the card away meanwhile
    lose_answers(phone, offline=False)
    approve = page.locator(f"#a-{asked.id}").get_by_role("button", name="Setujui")
    approve.click()
    expect(page.locator("#toasts")).to_contain_text("Ketuk lagi: tidak akan dilakukan dua kali")
    approve.click()
    expect(page.locator("#toasts")).to_contain_text("Sudah diputuskan")
    expect(page.locator(f"#a-{asked.id}")).to_have_count(0)
    assert company.approval(asked.id).status == "approved"
    phone.problems.clear()


def test_a_large_decision_says_that_it_needs_a_connection_before_it_asks_for_the_key(
    phone: Phone, company: Company, raka: Role
) -> None:
    large = company.ask(raka, tier=Tier.R2)
    phone.context.add_init_script(
        "const get = navigator.credentials.get.bind(navigator.credentials); window.keysAsked = 0;"
        "navigator.credentials.get = wanted => { window.keysAsked += 1; return get(wanted); };"
    )
    page = phone.page
    with page.expect_response("**/statement"):
        phone.open(f"/approvals/{large.id}")
    card = page.locator("approval-card").first
    phone.context.set_offline(True)
    card.get_by_role("button", name="Setujui").click()
    expect(page.locator("#toasts")).to_contain_text("Keputusan ini perlu sambungan internet")
    assert page.evaluate("keysAsked") == 0
    phone.context.set_offline(False)
    expect(card).to_be_visible()
    card.get_by_role("button", name="Setujui").click()
    wait_until(lambda: company.approval(large.id).status == "approved", said="it is decided with the key")
    assert page.evaluate("keysAsked") == 1
    phone.problems.clear()

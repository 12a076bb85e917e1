"""Without a network: what was seen can be read, small decisions are kept, large ones say what they need."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

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

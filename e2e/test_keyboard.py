"""A desk instead of a thumb: letters move between cards and decide the one in focus."""

import pytest
from playwright.sync_api import expect

from e2e.browser import Phone
from e2e.company import Company
from e2e.conftest import Keychain, Phones
from tests.processes import wait_until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def desk(phones: Phones, keychain: Keychain) -> Phone:
    return phones(state=keychain.state, width=1280)


def test_j_and_k_walk_the_cards_and_a_letter_decides_the_one_in_focus_alone(desk: Phone, company: Company) -> None:
    raka = company.worker("Raka", "Keuangan")
    first = company.ask(raka, minutes=60)
    second = company.ask(raka, minutes=90, to="lain@contoh.id")
    page = desk.open("/approvals")
    expect(page.locator("approval-card")).to_have_count(2)
    page.keyboard.press("a")
    page.keyboard.press("j")
    expect(page.locator(f"#a-{first.id} h2 a")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("j")
    expect(page.locator(f"#a-{second.id} h2 a")).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator(f"#a-{first.id} h2 a")).to_be_focused()
    assert company.approval(first.id).status == "pending"
    page.keyboard.press("a")
    expect(page.locator("#toasts").get_by_role("button", name="Urungkan")).to_be_visible()
    expect(page.locator(f"#a-{first.id}")).to_have_count(0)
    wait_until(lambda: company.approval(first.id).status == "approved", said="approved")
    assert company.approval(second.id).status == "pending"


def test_g_and_a_letter_go_to_a_tab_and_a_question_mark_tells_how(desk: Phone) -> None:
    page = desk.open("/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Papan ketik")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    for letter, path in (("w", "/workers"), ("l", "/ledger"), ("d", "/approvals")):
        page.keyboard.press("g")
        page.keyboard.press(letter)
        page.wait_for_url(f"**{path}")
    page.goto(desk.origin + "/ledger")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("gw?")
    expect(page.get_by_role("searchbox")).to_have_value("gw?")


def test_the_first_tab_stop_skips_to_the_content(desk: Phone) -> None:
    page = desk.open("/workers")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Langsung ke isi")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"

"""A desk instead of a thumb: letters move and lead to buttons, Enter decides, nothing decides by itself."""

import pytest
from playwright.sync_api import expect

from e2e.browser import Phone
from e2e.company import Company
from e2e.conftest import Keychain, Phones

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def desk(phones: Phones, keychain: Keychain) -> Phone:
    return phones(state=keychain.state, width=1280)


def test_j_and_k_walk_the_cards_and_a_letter_alone_decides_nothing(desk: Phone, company: Company) -> None:
    raka = company.worker("Raka", "Keuangan")
    first = company.ask(raka, minutes=60)
    second = company.ask(raka, minutes=90, to="lain@contoh.id")
    page = desk.open("/approvals")
    expect(page.locator("approval-card")).to_have_count(2)
    page.keyboard.press("j")
    expect(page.locator(f"#a-{first.id} h2 a")).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator(f"#a-{second.id} h2 a")).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("a")
    expect(page.locator(f"#a-{first.id} .ok")).to_be_focused()
    assert company.approval(first.id).status == "pending"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Urungkan")).to_be_visible()
    assert company.approval(first.id).status == "approved"
    expect(page.locator(f"#a-{first.id}")).to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("r")
    expect(page.locator(f"#a-{second.id} .no")).to_be_focused()
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

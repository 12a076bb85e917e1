"""What is shown is current, or says how old it is: a lost server, a missed change, a return to the foreground."""

import re
from datetime import datetime

import pytest
from playwright.sync_api import expect

from app.founder_console.identity.sessions import cookie_name
from e2e.browser import Phone, box
from e2e.company import Company
from e2e.conftest import Phones
from tests.processes import Machine, wait_until

pytestmark = pytest.mark.timeout(240)


def test_a_change_arrives_without_a_tap_and_what_was_missed_is_made_up_for(
    phone: Phone, company: Company, served: Machine
) -> None:
    raka = company.worker("Raka", "Keuangan")
    page = phone.open("/approvals")
    first = company.ask(raka)
    expect(page.locator(f"#a-{first.id}")).to_be_visible(timeout=30_000)
    served.kill("api")
    expect(page.locator("#net")).to_contain_text("menyambung lagi", timeout=30_000)
    expect(page.locator("#net")).to_contain_text("Terakhir diperbarui")
    missed = company.ask(raka, to="lain@contoh.id")
    served.start("api", "app.cli", "api")
    wait_until(served.ready, said="the API is ready again")
    expect(page.locator(f"#a-{missed.id}")).to_be_visible(timeout=30_000)
    expect(page.locator("#net")).to_be_hidden(timeout=30_000)
    phone.problems.clear()


def test_the_stream_is_resumed_where_it_broke(phone: Phone, company: Company) -> None:
    phone.open("/approvals")
    heard = phone.page.evaluate(
        """() => new Promise(ok => {
          const stream = new EventSource('/events?seen=0');
          stream.addEventListener('change', event => { stream.close(); ok(event.lastEventId); });
        })"""
    )
    assert int(heard) > 0
    quiet = phone.page.evaluate(
        """seen => new Promise(ok => {
          const stream = new EventSource('/events?seen=' + seen);
          stream.addEventListener('change', () => ok('change'));
          stream.addEventListener('beat', () => setTimeout(() => { stream.close(); ok('nothing new'); }, 300));
        })""",
        heard,
    )
    assert quiet == "nothing new"


def test_a_page_left_behind_is_read_anew_when_it_is_looked_at_again(
    phone: Phone, company: Company, served: Machine
) -> None:
    page = phone.open("/approvals")
    before = page.locator("#main").get_attribute("data-at")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#main")).not_to_have_attribute("data-at", str(before), timeout=20_000)


def test_the_age_of_what_is_shown_is_told_in_words_and_in_the_companys_time(phone: Phone, company: Company) -> None:
    phone.page.clock.install()
    page = phone.open("/workers")
    at = datetime.fromisoformat(str(page.locator("#main").get_attribute("data-at")))
    phone.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('offline'))")
    expect(page.locator("#net")).to_contain_text(f"pukul {at:%H}.")
    page.clock.fast_forward("03:00:10")
    expect(page.locator("#net")).to_contain_text("3 jam yang lalu")
    phone.context.set_offline(False)
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#net")).to_be_hidden(timeout=20_000)
    phone.problems.clear()


def test_a_phone_that_slept_shows_what_it_missed_when_it_wakes(phone: Phone, company: Company) -> None:
    raka = company.worker("Raka Tidur", "Keuangan")
    page = phone.open("/approvals")
    phone.cdp.send("Page.setWebLifecycleState", {"state": "frozen"})
    missed = company.ask(raka)
    phone.cdp.send("Page.setWebLifecycleState", {"state": "active"})
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator(f"#a-{missed.id}")).to_be_visible(timeout=20_000)
    expect(page.locator("#net")).to_be_hidden()


@pytest.mark.parametrize("heard", ["a change", "a new connection"])
def test_a_session_that_was_revoked_leads_to_the_door(
    phones: Phones, company: Company, served: Machine, heard: str
) -> None:
    phone, token = phones(), company.session()
    phone.context.add_cookies([{"name": cookie_name(phone.origin), "value": token, "url": phone.origin}])
    page = phone.open("/approvals")
    company.revoke(token)
    if heard == "a change":
        company.ask(company.worker("Raka Tamu", "Keuangan"))
    else:
        served.kill("api")
        served.start("api", "app.cli", "api")
        wait_until(served.ready, said="the API is ready again")
    expect(page).to_have_url(re.compile(r"/login\b"), timeout=30_000)
    phone.problems.clear()


def test_a_change_waits_for_the_finger_on_the_page(phone: Phone, company: Company) -> None:
    raka = company.worker("Raka Jari", "Keuangan")
    held = company.ask(raka)
    page = phone.open("/approvals")
    button = page.locator(f"#a-{held.id}").get_by_role("button", name="Setujui")
    button.evaluate("element => element.scrollIntoView({ block: 'center' })")
    place = box(button)
    finger = [{"x": place["x"] + place["width"] / 2, "y": place["y"] + place["height"] / 2}]
    phone.cdp.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": finger})
    later = company.ask(raka, to="lain@contoh.id")
    page.wait_for_timeout(1_500)
    expect(page.locator(f"#a-{later.id}")).to_have_count(0)
    phone.cdp.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page.locator(f"#a-{later.id}")).to_be_visible(timeout=20_000)


def test_a_tap_while_one_page_fades_into_the_next_is_not_lost(phone: Phone) -> None:
    page = phone.open("/")
    phone.cdp.send("Animation.enable")
    phone.cdp.send("Animation.setPlaybackRate", {"playbackRate": 0.02})
    middles = [
        (place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
        for name in ("workers", "money")
        for place in [box(page.locator(f".tabs a[href='/{name}']"))]
    ]
    page.touchscreen.tap(*middles[0])
    page.wait_for_url("**/workers")
    page.wait_for_function("document.getAnimations().length > 0")
    page.touchscreen.tap(*middles[1])
    page.wait_for_url("**/money", timeout=3_000)


def test_what_was_opened_and_chosen_outlives_a_change(phone: Phone, company: Company) -> None:
    raka = company.worker("Raka Pilih", "Keuangan")
    asked = company.ask(raka)
    page = phone.open(f"/approvals/{asked.id}")
    page.get_by_text("Tolak dengan alasan").click()
    page.get_by_label("Jeda pekerja ini juga").check()
    before = page.locator("#pending").text_content()
    company.ask(raka, to="lain@contoh.id")
    expect(page.locator("#pending")).not_to_have_text(str(before), timeout=20_000)
    expect(page.get_by_label("Jeda pekerja ini juga")).to_be_checked()


def test_changes_that_wait_for_who_is_typing_wait_together(phone: Phone, company: Company) -> None:
    """However many there were: a page left behind with the cursor in a field would else ask more and more often."""
    page = phone.open("/ledger")
    page.evaluate(
        """() => { document.querySelectorAll('details').forEach(e => { e.open = true; });
          document.querySelector('[name=q]').focus();
          const set = globalThis.setTimeout; globalThis.asked = 0;
          globalThis.setTimeout = (...all) => { globalThis.asked += 1; return set(...all); }; }"""
    )
    for _ in range(20):
        page.evaluate("dispatchEvent(new Event('settled'))")
    page.wait_for_timeout(1_700)
    assert page.evaluate("globalThis.asked") < 30

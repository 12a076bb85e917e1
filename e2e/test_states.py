"""Every screen in each of its states: accessible, within its width, and telling the truth about itself."""

import re

import pytest
from playwright.sync_api import expect

from app.founder_console.model import Language
from app.work_queue import Approval
from e2e.company import Company
from e2e.conftest import Keychain, Phones, without_database
from e2e.looks import LANGUAGES, LOCALES, clean, flaws
from e2e.states import (
    DENIED,
    EMPTY,
    GONE,
    LIVE,
    NARROWED,
    TABS,
    broken,
    deputy_of,
    loading,
    offline,
    sign_in,
    stale,
)
from e2e.taps import Taps
from tests.processes import Machine

pytestmark = pytest.mark.timeout(1800)

LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)
SAID: dict[str, dict[Language, str]] = {
    "stale": {"id": "menyambung lagi", "en": "reconnecting"},
    "broken": {"id": "Belum ada yang dijalankan", "en": "Nothing was carried out"},
    "denied": {"id": "Tidak diizinkan", "en": "Not allowed"},
    "gone": {"id": "Tidak ditemukan", "en": "Not found"},
}


# Whether a browser knows that it has no network, or only that nobody answers, it says how old the page is.
OLD: dict[Language, re.Pattern[str]] = {
    "id": re.compile(r"(Offline\. Anda melihat data pukul|Terakhir diperbarui) \d"),
    "en": re.compile(r"(Offline\. You see the data of|Last updated) \d"),
}


@LANGUAGE
def test_a_company_without_anything_says_what_comes_next(
    phones: Phones, keychain: Keychain, company: Company, language: Language
) -> None:
    bad: dict[str, list[str]] = {}
    with company.speaking(language):
        phone = phones(state=keychain.state)
        for path in EMPTY:
            phone.open(path)
            bad[path] = flaws(phone, language)
    assert clean(bad)


@LANGUAGE
def test_every_live_screen_says_when_it_is_offline_stale_or_loading(
    phones: Phones, keychain: Keychain, company: Company, served: Machine, busy: Approval, language: Language
) -> None:
    bad: dict[str, list[str]] = {}
    with company.speaking(language):
        phone = phones(state=keychain.state)
        for path in LIVE:
            with offline(phone, path):
                expect(phone.page.locator("#net")).to_contain_text(OLD[language])
                bad[f"offline {path}"] = flaws(phone, language)
            with stale(phone, served, path):
                expect(phone.page.locator("#net")).to_contain_text(SAID["stale"][language])
                expect(phone.page.locator("#alarm")).to_be_hidden()
                bad[f"stale {path}"] = flaws(phone, language)
            with loading(phone, served, path):
                bad[f"loading {path}"] = flaws(phone, language)
    assert clean(bad)


@LANGUAGE
def test_a_broken_server_says_that_nothing_was_carried_out_and_offers_to_try_again(
    phones: Phones, keychain: Keychain, company: Company, served: Machine, busy: Approval, language: Language
) -> None:
    bad: dict[str, list[str]] = {}
    with company.speaking(language):
        phone = phones(state=keychain.state, locale=LOCALES[language])
        for path in TABS:
            with broken(phone, served, path):
                expect(phone.page.locator("main")).to_contain_text(SAID["broken"][language])
                assert phone.page.locator(f".actions a[href='{path}']").count() == 1
                bad[path] = flaws(phone, language)
    assert clean(bad)


@LANGUAGE
def test_who_may_not_and_what_is_not_there_are_told_so(
    phones: Phones, keychain: Keychain, company: Company, busy: Approval, language: Language
) -> None:
    locale = LOCALES[language]
    bad: dict[str, list[str]] = {}
    with company.speaking(language):
        phone, deputy = phones(state=keychain.state, locale=locale), phones(locale=locale)
        sign_in(deputy, company, deputy_of(company, language))
        for path in GONE:
            expect(phone.open(path).get_by_role("heading", level=1)).to_have_text(SAID["gone"][language])
            bad[path] = flaws(phone, language)
        for path in DENIED:
            expect(deputy.open(path).get_by_role("heading", level=1)).to_have_text(SAID["denied"][language])
            bad[f"denied {path}"] = flaws(deputy, language)
        for path in NARROWED:
            deputy.open(path)
            bad[f"deputy {path}"] = flaws(deputy, language)
    deputy.problems.clear()
    phone.problems.clear()
    assert clean(bad)


@LANGUAGE
def test_what_a_tap_leads_to_is_accessible_too(
    phones: Phones, keychain: Keychain, company: Company, busy: Approval, language: Language
) -> None:
    bad: dict[str, list[str]] = {}
    with company.speaking(language):
        phone = phones(state=keychain.state)
        for name in Taps(phone, company, keychain, busy).states():
            bad[name] = flaws(phone, language)
    assert clean(bad)


def test_a_page_that_is_open_while_the_server_breaks_says_that_it_is_old(
    phones: Phones, keychain: Keychain, served: Machine, busy: Approval
) -> None:
    phone = phones(state=keychain.state)
    page = phone.open("/approvals")
    with without_database(served):
        page.evaluate("dispatchEvent(new Event('settled'))")
        expect(page.locator("#net")).to_contain_text(SAID["stale"]["id"])
        expect(page.locator(f"#a-{busy.id}")).to_be_visible()
        expect(page.locator("#alarm")).to_be_hidden()
        asked = page.request.get(f"{phone.origin}/api/v1/ledger/checkpoints", headers={"accept": "application/json"})
        assert asked.status == 503, "a ledger that cannot be asked is not a ledger that was changed"
    page.evaluate("dispatchEvent(new Event('settled'))")
    expect(page.locator("#net")).to_be_hidden(timeout=30_000)
    phone.problems.clear()

"""Money and Copilot on a phone: a figure leads to its events, a rate converts, the ledger answers; no script needed."""

import re

import pytest
from playwright.sync_api import expect

from app.canon.vocabulary import Money
from e2e.company import Company
from e2e.conftest import Keychain, Phones

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def earning(company: Company) -> Company:
    company.worker("Raka", "Keuangan")
    company.earn(Money(21_842_000), "toko")
    company.earn(Money(-342_000), "toko")
    company.earn(Money(10_000, "USD"), "Stripe")
    return company


@pytest.mark.parametrize("script", [True, False])
def test_a_figure_leads_to_its_events_and_a_rate_converts(
    phones: Phones, keychain: Keychain, earning: Company, script: bool
) -> None:
    phone = phones(state=keychain.state, script=script)
    page = phone.open("/money")
    page.get_by_role("link", name="Rp21.500.000").first.click()
    expect(page.locator(".rows .row")).to_have_count(2)
    page.locator(".rows .row").first.click()
    expect(page).to_have_url(re.compile("/ledger/[0-9a-f-]{36}$"))
    page = phone.open("/money/settings")
    page.get_by_label("Nilai satu unit dalam IDR").fill("16.250")
    page.get_by_role("button", name="Catat kurs").click()
    page = phone.open("/money")
    expect(page.get_by_text("1 USD = 16.250 IDR").first).to_be_visible()
    expect(page.locator(".fig.total").first).to_contain_text("Rp23.125.000")


def test_a_chart_reads_as_an_image_and_opens_its_table(phones: Phones, keychain: Keychain, earning: Company) -> None:
    page = phones(state=keychain.state).open("/money")
    chart = page.get_by_role("img", name=re.compile("^Pendapatan tiap hari, .*, IDR$"))
    expect(chart).to_be_visible()
    page.locator("figure", has=chart).get_by_text("Sebagai tabel").click()
    expect(page.get_by_role("table").first.get_by_text("Rp21.500.000")).to_be_visible()


@pytest.mark.parametrize("script", [True, False])
def test_the_ledger_answers_with_its_sources(
    phones: Phones, keychain: Keychain, earning: Company, script: bool
) -> None:
    phone = phones(state=keychain.state, script=script)
    page = phone.open("/copilot")
    expect(page.get_by_text("Belum ada model.")).to_be_visible()
    page.get_by_label("Pertanyaan").select_option(label="Berapa yang masuk?")
    page.get_by_role("button", name="Tanya buku besar").click()
    expect(page.locator(".brief")).to_contain_text("Rp21.500.000 masuk")
    page.locator(".brief .src a").first.click()
    expect(page).to_have_url(re.compile("/ledger/[0-9a-f-]{36}$"))

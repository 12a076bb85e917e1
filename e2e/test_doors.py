"""Coming in: the one-time link, the passkey, a lost phone, the wrong address; and going out."""

import pytest
from playwright.sync_api import expect

from app.canon.vocabulary import Tier
from e2e.company import Company
from e2e.conftest import Keychain, Phones

pytestmark = pytest.mark.timeout(180)


def test_a_link_makes_a_phone_the_founders_once(phones: Phones, company: Company) -> None:
    phone = phones()
    phone.add_authenticator()
    link = company.link()
    page = phone.page
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Dewi")
    codes = phone.enrol(link)
    assert len(codes) == 8
    with page.expect_download() as kept:
        page.get_by_role("link", name="Simpan sebagai berkas").click()
    assert kept.value.path().read_text().split() == codes
    page.get_by_role("link", name="Buka konsol").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Hari ini")
    other = phones()
    other.page.goto(link)
    expect(other.page.get_by_role("heading", level=1)).to_have_text("Tautan tidak berlaku")
    other.problems.clear()


def test_the_passkey_signs_in_again_after_logging_out(phones: Phones, keychain: Keychain) -> None:
    phone = phones(state=keychain.state)
    phone.add_authenticator()
    phone.give(keychain.credentials)
    spare = phones(state=None)
    spare.add_authenticator()
    spare.give(keychain.credentials)
    page = spare.open("/money")
    expect(page).to_have_url(f"{spare.origin}/login?next=/money")
    page.get_by_role("button", name="Masuk").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Uang")
    spare.open("/settings").get_by_role("button", name="Keluar").click()
    expect(page).to_have_url(f"{spare.origin}/login")
    assert [cookie for cookie in spare.context.cookies() if cookie["name"] == "flr"] == []
    assert "Uang" not in spare.open("/money").inner_text("body")


def test_a_recovery_code_opens_once_and_its_new_key_waits_a_day(
    phones: Phones, keychain: Keychain, company: Company
) -> None:
    owner = phones(state=keychain.state)
    page = owner.open("/settings/keys")
    page.get_by_role("button", name="Buat kode baru").click()
    code = page.locator(".codes li").first.inner_text()
    lost = phones()
    lost.add_authenticator()
    page = lost.open("/login")
    page.get_by_text("Ponsel hilang?").click()
    page.get_by_label("Kode pemulihan").fill(code.upper())
    page.get_by_role("button", name="Pakai kode").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Passkey dan perangkat")
    with page.expect_navigation():
        page.get_by_role("button", name="Tambah passkey").click()
    expect(page.locator(".rows").first).to_contain_text("Linux")
    role = company.worker("Bimo", "Pembelian")
    asked = company.ask(role, tier=Tier.R2)
    page = lost.open(f"/approvals/{asked.id}")
    page.get_by_role("button", name="Setujui dengan kunci Anda").click()
    expect(page.locator("#toasts")).not_to_contain_text("Disetujui")
    assert company.approval(asked.id).status == "pending"
    again = phones()
    page = again.open("/login")
    page.get_by_text("Ponsel hilang?").click()
    page.get_by_label("Kode pemulihan").fill(code)
    page.get_by_role("button", name="Pakai kode").click()
    expect(page.get_by_role("alert")).to_contain_text("tidak berlaku")
    for phone in (lost, again):
        phone.problems.clear()


def test_who_comes_by_number_is_sent_to_the_name(phones: Phones, company: Company) -> None:
    phone = phones()
    phone.page.goto(company.settings.origin.replace("localhost", "127.0.0.1") + "/login")
    expect(phone.page).to_have_url(f"{phone.origin}/login")
    phone.problems.clear()


def test_language_and_theme_are_the_founders_own(phones: Phones, keychain: Keychain) -> None:
    phone = phones(state=keychain.state)
    page = phone.open("/settings")
    page.get_by_text("English").click()
    page.get_by_text("Gelap").click()
    page.get_by_role("button", name="Simpan").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Settings")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.get_by_text("Bahasa Indonesia").click()
    page.get_by_text("Automatic").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pengaturan")


def test_a_ticket_is_opened_with_its_file(phones: Phones, keychain: Keychain, company: Company) -> None:
    company.worker("Sari", "Layanan pelanggan")
    phone = phones(state=keychain.state)
    page = phone.open("/tickets/new")
    page.get_by_label("Judul").fill("Balas keluhan Bu Ratna")
    page.get_by_label("Apa yang Anda inginkan?").fill("Balas surel ratna@contoh.id dengan sopan.")
    page.get_by_label("Untuk").select_option(label="Sari · Layanan pelanggan")
    page.get_by_label("Tenggat").fill("2030-01-02T09:00")
    page.locator("input[type=file][multiple]").set_input_files(
        {"name": "keluhan.eml", "mimeType": "message/rfc822", "buffer": b"Subject: keluhan\n\nKopi saya dingin."}
    )
    page.get_by_role("button", name="Buka tiket").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Balas keluhan Bu Ratna")
    expect(page.locator("#main")).to_contain_text("keluhan.eml")
    expect(page.locator(".trail")).to_contain_text("Tiket dibuka")

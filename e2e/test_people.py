"""More than one device and more than one person: linked by a QR code, invited under a mandate, ended early."""

import re

import pytest
from playwright.sync_api import expect

from app.canon.vocabulary import Money, Tier
from e2e.browser import Phone
from e2e.company import Company
from e2e.conftest import Keychain, Phones
from tests.processes import Machine, wait_until

pytestmark = pytest.mark.timeout(300)


def test_another_device_is_linked_from_one_that_is_signed_in(phones: Phones, keychain: Keychain) -> None:
    owner = phones(state=keychain.state)
    page = owner.open("/settings/keys")
    page.get_by_role("button", name="Hubungkan perangkat lain").click()
    expect(page.get_by_role("img", name="Kode QR tautan itu")).to_be_visible()
    link = page.locator(".box code").first.inner_text()
    other = phones()
    other.add_authenticator()
    other.page.goto(link)
    other.page.locator("passkey-maker button").click()
    expect(other.page.get_by_role("heading", level=1)).to_have_text("Hari ini")
    page = owner.open("/settings/keys")
    keys = page.locator(".row-more")
    expect(keys).to_have_count(2)
    keys.last.locator("summary").click()
    keys.last.get_by_label("Nama").fill("Tablet dapur")
    keys.last.get_by_role("button", name="Simpan").click()
    expect(page.locator(".row-more").last).to_contain_text("Tablet dapur")
    page.locator(".row-more").last.locator("summary").click()
    page.get_by_role("button", name="Hapus passkey ini").last.click()
    expect(page.locator(".row-more")).to_have_count(1)
    page.locator(".row-more summary").click()
    expect(page.locator(".row-more")).to_contain_text("satu-satunya passkey")


def test_a_deputy_is_invited_decides_within_the_mandate_and_no_longer_than_it_lasts(
    phone: Phone, phones: Phones, company: Company, served: Machine
) -> None:
    raka = company.worker("Raka", "Keuangan")
    served.start("worker", "app.cli", "worker")
    page = phone.open("/settings/people/new")
    page.get_by_label("Nama").fill("Budi")
    page.get_by_label("Uang paling banyak").fill("500.000")
    page.get_by_role("button", name="Lanjut ke tanda tangan").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Izinkan Budi memutuskan sebagai deputi")
    page.get_by_role("button", name="Setujui dengan kunci Anda").click()
    expect(page.locator("#toasts")).to_contain_text("Disetujui")

    def signed() -> bool:
        return phone.open("/settings/people").get_by_role("button", name="Buat tautan undangan").count() > 0

    wait_until(signed, seconds=60, said=served.said("worker"))
    page.get_by_role("button", name="Buat tautan undangan").click()
    link = page.locator(".box code").inner_text()
    budi = phones()
    budi.add_authenticator()
    budi.enrol(link)
    small = company.ask(raka, money=Money(400_000))
    large = company.ask(raka, money=Money(600_000), to="besar@contoh.id")
    grave = company.ask(raka, tier=Tier.R2, money=Money(1_000), to="berat@contoh.id")
    theirs = budi.open(f"/approvals/{small.id}")
    theirs.get_by_role("button", name="Setujui").click()
    expect(theirs.locator("#toasts")).to_contain_text("Disetujui")
    theirs = budi.open(f"/approvals/{large.id}")
    expect(theirs.locator("approval-card")).to_contain_text("melebihi mandat Anda")
    expect(theirs.get_by_role("button", name="Setujui")).to_have_count(0)
    theirs = budi.open(f"/approvals/{grave.id}")
    expect(theirs.locator("approval-card")).to_contain_text("tidak mencakup risiko ini")
    expect(theirs.get_by_role("button", name="Setujui")).to_have_count(0)
    expect(theirs.locator("approval-card").get_by_role("button", name="Tolak")).to_be_visible()
    assert [company.approval(one.id).status for one in (small, large, grave)] == ["approved", "pending", "pending"]
    page = phone.open("/settings/people")
    page.get_by_role("button", name="Akhiri mandat ini sekarang").click()
    expect(page.locator(".card", has_text="Budi")).not_to_contain_text("aktif")
    expect(theirs).to_have_url(re.compile(r"/login\b"), timeout=30_000)
    budi.open("/")
    expect(budi.page).to_have_url(f"{budi.origin}/login")
    budi.page.get_by_role("button", name="Masuk").click()
    expect(budi.page.locator("[data-say]")).to_contain_text("mandat Anda sudah berakhir", ignore_case=True)
    for one in (phone, budi):
        one.problems.clear()

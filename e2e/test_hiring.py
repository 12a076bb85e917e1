"""Hiring on the phone: from the list of workers to the signed contract in four taps."""

from uuid import UUID

import pytest
from playwright.sync_api import expect

from app.canon.vocabulary import Tier
from e2e.browser import Phone
from e2e.company import Company
from tests.processes import wait_until

pytestmark = pytest.mark.timeout(180)


def test_four_taps_and_the_founders_key_hire_a_worker(phone: Phone, company: Company) -> None:
    page = phone.open("/workers")
    page.get_by_role("link", name="Pekerjakan").click()
    page.get_by_role("link", name="Layanan pelanggan").click()
    expect(page.locator(".rule").first).to_have_text("Boleh melihat daftar berkas.")
    page.get_by_role("button", name="Lanjut ke tanda tangan").click()
    expect(page.get_by_role("heading", name="Pekerjakan Sari sebagai Layanan pelanggan?")).to_be_visible()
    asked = company.approval(UUID(page.url.rpartition("/")[2]))
    page.get_by_role("button", name="Setujui dengan kunci Anda").click()
    wait_until(lambda: company.approval(asked.id).status == "approved", said="the contract is signed")
    claims = company.tokens.read(company.approval(asked.id).signature or "")
    assert (claims.proof["method"], asked.tier) == ("passkey", Tier.R2)


def test_the_boundary_follows_the_freedom_that_is_chosen(phone: Phone, company: Company) -> None:
    page = phone.open("/workers/new/assistant")
    expect(page.get_by_label("Maksimal sebulan (IDR)")).to_have_count(0)
    page.get_by_role("link", name="Dipercaya").click()
    expect(page.get_by_label("Maksimal sebulan (IDR)")).to_have_value("25.000.000")
    page.get_by_label("Maksimal sebulan (IDR)").fill("sedikit")
    page.get_by_label("Nama", exact=True).fill("Bagas")
    page.get_by_role("button", name="Lanjut ke tanda tangan").click()
    expect(page.get_by_role("alert")).to_contain_text("sedikit bukan jumlah yang bisa dibaca")
    expect(page.get_by_label("Nama", exact=True)).to_have_value("Bagas")
    assert "422" in phone.problems.pop()

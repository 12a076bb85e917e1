"""Forms that a lower room refuses, on the phone: what was typed stays, and why not stands above it in Indonesian."""

from collections.abc import Mapping

import pytest
from playwright.sync_api import FilePayload, Page, expect

from app.work_queue import Approval
from e2e.company import Company
from e2e.conftest import Keychain, Phones
from e2e.looks import flaws
from e2e.screens import a_deputy

pytestmark = pytest.mark.timeout(240)

# A secret is never shown again, and a date or an address is asked for anew.
FORGOTTEN = ("value", "url", "until")
WIDE = "e => { e.removeAttribute('max'); const d = e.closest('details'); if (d) d.open = true; }"
FORMS: Mapping[str, tuple[str, Mapping[str, str], str]] = {
    "a name that is taken": (
        "/workers/new/bookkeeper",
        {"name": "Raka"},
        "Sudah ada pekerja bernama Raka. Pakai nama lain, atau berhentikan yang itu dulu.",
    ),
    "a program without its path": (
        "/settings/servers",
        {"name": "kalender", "where": "kalender"},
        "Perintahnya diawali path lengkap sebuah program di mesin pekerja, misalnya /usr/bin/kalender.",
    ),
    "a folder that no server is shown": (
        "/settings/servers",
        {"name": "kalender", "where": "/usr/bin/kalender", "reads": "/etc"},
        "/etc tidak bisa diperlihatkan kepada peladen.",
    ),
    "a header without hosts": (
        "/settings/secrets",
        {"name": "kunci_toko", "value": "cukup panjang", "header": "Authorization"},
        "Header dan host harus diisi bersama: header mana, dan ke host mana.",
    ),
    "an address in plain http": (
        "/settings/notifications",
        {"url": "http://toko.example/kait"},
        "Tidak ada yang dikirim lewat http biasa.",
    ),
    "a mandate that nobody could have": (
        "/settings/people/{deputy}/mandate",
        {"until": "2099-01-01"},
        "Mandat harus berakhir, paling lama setahun lagi.",
    ),
    "a rule without an end": (
        "/approvals/{asked}/rule",
        {"until": "2099-01-01"},
        "Aturan berakhir pada hari yang akan datang, paling lama setahun lagi.",
    ),
    "a quorum that holds already": (
        "/settings/quorum",
        {},
        "Itu sudah berlaku.",
    ),
}


def hand_in(page: Page, fields: Mapping[str, str]) -> None:
    """Fill the fields, past what a browser would not let through by itself, and send their form."""
    first = next(iter(fields), "R2_above")
    form = page.locator("main form", has=page.locator(f"[name='{first}']"))
    for name, value in fields.items():
        field = form.locator(f"[name='{name}']")
        field.evaluate(WIDE)
        field.fill(value)
    form.locator("button:not([type=button])").last.click()


@pytest.mark.parametrize("what", FORMS)
def test_a_refused_form_keeps_what_was_typed_and_says_why(
    phones: Phones, keychain: Keychain, company: Company, busy: Approval, what: str
) -> None:
    path, fields, sentence = FORMS[what]
    company.speak("id")
    phone = phones(state=keychain.state)
    page = phone.open(path.format(asked=busy.id, deputy=company.tell(a_deputy)))
    hand_in(page, fields)
    expect(page.get_by_role("alert").first).to_contain_text(sentence)
    for name, value in fields.items():
        if name not in FORGOTTEN:
            expect(page.locator(f"main [name='{name}']").first).to_have_value(value)
    assert flaws(phone, "id") == []
    phone.problems.clear()


def test_a_file_that_cannot_be_attached_is_named_and_the_ticket_stays(
    phones: Phones, keychain: Keychain, company: Company, busy: Approval
) -> None:
    company.speak("id")
    phone = phones(state=keychain.state)
    page = phone.open("/tickets/new")
    page.locator("[name=title]").fill("Baca berkas")
    page.locator("[name=instructions]").fill("Baca berkasnya.")
    hidden = FilePayload(name=".rahasia", mimeType="text/plain", buffer=b"x")
    page.locator("input[name=files][multiple]").set_input_files(hidden)
    page.get_by_role("button", name="Buka tiket").click()
    expect(page.locator("ticket-files [data-problem]")).to_contain_text(".rahasia tidak bisa menjadi nama berkas")
    expect(page.locator("[name=title]")).to_have_value("Baca berkas")
    phone.problems.clear()


def test_a_contract_that_changed_meanwhile_says_so(
    phones: Phones, keychain: Keychain, company: Company, busy: Approval
) -> None:
    company.speak("id")
    phone = phones(state=keychain.state)
    page = phone.open(f"/workers/{busy.role_id}/amend")
    page.locator("main [name=version]").evaluate("e => { e.value = '7'; }")
    page.locator("main [name=title]").fill("Bendahara")
    page.locator("main form.form > button").last.click()
    expect(page.get_by_role("alert").first).to_contain_text("Kontrak ini berubah sejak Anda membukanya: kini versi 1.")
    assert flaws(phone, "id") == []
    phone.problems.clear()


def test_who_reads_english_is_told_in_english(
    phones: Phones, keychain: Keychain, company: Company, busy: Approval
) -> None:
    company.speak("en")
    phone = phones(state=keychain.state, locale="en-GB")
    page = phone.open("/workers/new/bookkeeper")
    hand_in(page, {"name": "Raka"})
    expect(page.get_by_role("alert").first).to_contain_text("A worker is called Raka already.")
    company.speak("id")
    phone.problems.clear()

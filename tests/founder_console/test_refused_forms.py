"""A form that a lower room refuses says why in the founder's language; so does a page that nobody catches."""

from typing import Any
from uuid import uuid4

import pytest

from tests.builders import a_role, a_ticket
from tests.founder_console.test_http import OWN, PAGE, Desk, desk

__all__ = ["desk"]

FORM = OWN | PAGE
SERVER = {"name": "kalender", "where": "/usr/bin/kalender"}
SECRET = {"name": "kunci_toko", "value": "cukup panjang"}
HIRE = {
    "name": "Raka",
    "title": "Keuangan",
    "job_description": "Mengurus pembayaran.",
    "model_usd": "2",
    "each": "5000000",
    "month": "25000000",
}


async def said(desk: Desk, path: str, data: dict[str, Any], **more: Any) -> str:
    answer = await desk.client.post(path, data=data, headers=FORM, **more)
    assert answer.status_code in (403, 409, 422), answer.text
    return answer.text.replace("&#39;", "'").replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("path", "data", "sentence"),
    [
        ("/settings/servers", SERVER | {"name": "Kalender!"}, "Nama peladen berisi huruf kecil"),
        ("/settings/servers", SERVER, "Pilih paling sedikit satu alat"),
        ("/settings/servers/ask", SERVER | {"where": "kalender"}, "Perintahnya diawali path lengkap"),
        ("/settings/servers/ask", SERVER | {"where": "http://kalender.example"}, "Alamatnya https://…"),
        ("/settings/servers/ask", SERVER | {"where": "/bin/'satu"}, "periksa tanda kutipnya"),
        ("/settings/servers/ask", SERVER | {"reads": "/etc"}, "/etc tidak bisa diperlihatkan"),
        ("/settings/secrets", SECRET | {"name": "Kunci Toko"}, "Nama rahasia berisi huruf kecil"),
        ("/settings/secrets", SECRET | {"header": "Authorization"}, "Header dan host harus diisi bersama"),
        ("/settings/quorum", {"R2_count": "5"}, "5 orang harus setuju, dan 1 dapat memutuskan"),
        ("/settings/quorum", {"R2_count": "1"}, "Itu sudah berlaku."),
        ("/settings/webhook", {"url": "http://toko.example/kait"}, "Tidak ada yang dikirim lewat http biasa"),
        ("/settings/webhook", {"url": "https://10.0.0.8/kait"}, "10.0.0.8 alamat di jaringan sendiri"),
        ("/settings/channels/telegram/test", {}, "Saluran ini belum diatur."),
        ("/settings/payments", {"provider": "stripe", "mode": "live", "secret": "x"}, "Ini bukan rahasia penyedia"),
        ("/workers/new/bookkeeper", HIRE | {"name": ""}, "Isi nama (paling panjang 60 huruf)"),
        ("/money/settings", {"what": "target", "month": "besok", "amount": "5"}, "besok bukan bulan"),
    ],
)
async def test_a_refused_form_says_why_in_indonesian(
    desk: Desk, path: str, data: dict[str, str], sentence: str
) -> None:
    assert sentence in await said(desk, path, data)


async def test_a_refused_form_says_why_in_english_to_who_reads_english(desk: Desk) -> None:
    await desk.client.post("/settings", data={"language": "en"}, headers=FORM)
    assert "A server's name has small letters" in await said(desk, "/settings/servers", SERVER | {"name": "K!"})


async def test_a_name_that_is_taken_and_a_contract_that_changed_are_named(desk: Desk) -> None:
    async with desk.database.transaction(desk.tenant) as tx:
        role = await a_role(tx, desk.by)
    taken = HIRE | {"name": role.name}
    assert f"Sudah ada pekerja bernama {role.name}" in await said(desk, "/workers/new/bookkeeper", taken)
    stale = {"version": "7", "title": "Bendahara"}
    assert f"kini versi {role.version}" in await said(desk, f"/workers/{role.id}/amend", stale)


async def test_a_file_that_cannot_be_attached_is_named(desk: Desk) -> None:
    ticket = {"title": "Laporan", "instructions": "Tulis laporan."}
    page = await said(desk, "/tickets", ticket, files={"files": (".rahasia", b"x")})
    assert ".rahasia tidak bisa menjadi nama berkas" in page
    page = await said(desk, "/tickets", ticket, files=[("files", ("a.txt", b"x")), ("files", ("a.txt", b"y"))])
    assert "Berkas bernama a.txt sudah dilampirkan" in page


async def test_a_ticket_that_is_not_personal_is_not_erased_and_says_so(desk: Desk) -> None:
    async with desk.database.transaction(desk.tenant) as tx:
        ticket = await a_ticket(tx, desk.by)
    page = await said(desk, f"/tickets/{ticket.id}/erase", {"sure": "yes"})
    assert "tidak dibuka sebagai data pribadi" in page


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/workers/{}", "Pekerja ini tidak ada."),
        ("/tickets/{}", "Tiket ini tidak ada."),
        ("/approvals/{}", "Keputusan ini tidak ada"),
        ("/ledger/{}", "Catatan ini tidak ada di buku besar."),
        ("/runs/{}", "Pengerjaan ini tidak ada."),
        ("/ledger?after=entahlah", "Bagian daftar ini tidak ditemukan lagi"),
        ("/workers/new/astronot", "Pekerjaan ini tidak ada di daftar."),
    ],
)
async def test_a_page_that_nobody_catches_says_why_and_nothing_in_english(desk: Desk, path: str, sentence: str) -> None:
    answer = await desk.client.get(path.format(uuid4()), headers=PAGE)
    assert answer.status_code in (404, 422)
    assert sentence in answer.text
    assert 'lang="en"' not in answer.text


async def test_what_the_framework_says_of_an_address_is_on_no_page(desk: Desk) -> None:
    for path in ("/nowhere", "/copilot/answer?q=earned&days=many"):
        answer = await desk.client.get(path, headers=PAGE)
        assert answer.status_code in (400, 404)
        assert not any(word in answer.text for word in ("Not Found", "Validation", "Rincian dari server"))


async def test_our_own_script_is_told_in_the_founders_language_and_a_program_in_english(desk: Desk) -> None:
    path = f"/approvals/{uuid4()}/statement"
    script = (await desk.client.post(path, headers=OWN)).json()
    assert (script["code"], script["detail"]) == ("approval.unknown", "Keputusan ini tidak ada, atau tidak ada lagi.")
    program = (await desk.client.get(f"/api/v1/approvals/{uuid4()}", headers={"accept-language": "id"})).json()
    assert program["code"] == "approval.unknown"
    assert program["detail"].startswith("there is no approval")


async def test_the_door_speaks_the_browsers_language(desk: Desk) -> None:
    desk.client.cookies.clear()
    for language, sentence in (("id", "Passkey ini tidak menyebut pemiliknya"), ("en", "does not say whose it is")):
        headers = OWN | {"accept-language": language}
        answer = await desk.client.post("/login", json={"credential": {}}, headers=headers)
        assert sentence in answer.json()["detail"]


async def test_evidence_that_is_gone_is_a_page_for_people(desk: Desk) -> None:
    answer = await desk.client.get("/evidence/x?t=x&exp=1&sig=x", headers=PAGE | {"accept-language": "id"})
    assert (answer.status_code, "Alamat berkas ini tidak benar" in answer.text) == (403, True)
    program = await desk.client.get("/evidence/x?t=x&exp=1&sig=x")
    assert program.json()["code"] == "evidence.altered"
    export = await desk.client.get("/api/v1/ledger/export", headers=PAGE)
    assert "Belum ada titik periksa bertanda tangan" in export.text


async def test_a_key_that_this_machine_lacks_is_named_where_a_number_would_stand(desk: Desk) -> None:
    answer = await desk.client.post("/settings/secrets", data=SECRET, headers=FORM)
    assert answer.status_code == 500
    assert "Jalankan flr migrate di mesin server." in answer.text
    assert "Nomor kejadian" not in answer.text

"""A place that the founder mentions only to forbid it is not named."""

import pytest

from app.canon.constraints import in_scope
from app.canon.contract import InTicket
from app.canon.destinations import host_allowed
from app.canon.forbidden import without_forbidden
from app.canon.gate import Allow, Hold
from tests.canon.gate_cases import MAIL, codes, contract, judge, proposal, rule, told


@pytest.mark.parametrize(
    "text",
    [
        "Never write to ana@mitra.co.id.",
        "Kirim ke budi@mitra.co.id, jangan ke ana@mitra.co.id",
        "Do not send the money to ana@mitra.co.id",
        "Don't use budi@mitra.co.id or ana@mitra.co.id",
        "Send it to budi@mitra.co.id instead of ana@mitra.co.id",
        "Send it to all shops except ana@mitra.co.id",
        "Kirim ke semua toko kecuali ana@mitra.co.id",
        "Do not send any numbers or files to ana@mitra.co.id",
        "ana@mitra.co.id must not get it",
        "Alamat ana@mitra.co.id sudah tidak berlaku",
        "Mails from ana@mitra.co.id are fraud",
        "The thread began with ana@mitra.co.id. Answer budi@mitra.co.id, do not answer ana@mitra.co.id",
    ],
)
def test_a_forbidden_address_is_not_written_to(text: str) -> None:
    assert "ana@mitra.co.id" not in without_forbidden(text.replace("the money", "money"))
    held = judge(proposal("send_email", **MAIL), contract(rule("send_email", "allow", InTicket())), told(text))
    assert isinstance(held, Hold)


@pytest.mark.parametrize(
    "text",
    [
        "Do not forget to write to ana@mitra.co.id",
        "If it is not ready, write to ana@mitra.co.id",
        "Jangan lupa kirim ke ana@mitra.co.id",
        "The list is not long. Send it to ana@mitra.co.id",
        "Do not send it to anyone but ana@mitra.co.id",
        "Send it only to ana@mitra.co.id, never to the press",
        "Remind ana@mitra.co.id that she has not paid yet",
        "Don't attach anything. Write to ana@mitra.co.id",
        "Do not write more than ten lines to ana@mitra.co.id",
    ],
)
def test_other_sentences_with_not_name_the_address(text: str) -> None:
    assert without_forbidden(text) == text
    allowed = judge(proposal("send_email", **MAIL), contract(rule("send_email", "allow", InTicket())), told(text))
    assert isinstance(allowed, Allow), codes(allowed)


@pytest.mark.parametrize("name", ["sales/../hr/x.csv", "sales/./x.csv", "sales//x.csv", "sales\\..\\hr\\x.csv"])
def test_a_name_that_climbs_is_outside_every_scope(name: str) -> None:
    assert not in_scope(name, ("sales",))


def test_an_egress_hosts_own_port_is_that_of_the_scheme() -> None:
    assert host_allowed("h.id", None, ("h.id:443",), any_port=False, scheme="https")
    assert not host_allowed("h.id", None, ("h.id:443",), any_port=False, scheme="http")


def test_an_egress_host_without_a_port_means_the_schemes_own() -> None:
    assert host_allowed("api.kurs.id", None, ("api.kurs.id",), any_port=False)
    assert not host_allowed("api.kurs.id", 9200, ("api.kurs.id",), any_port=False)
    assert host_allowed("api.kurs.id", 9200, ("api.kurs.id:9200",), any_port=False)

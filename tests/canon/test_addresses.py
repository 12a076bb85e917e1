"""Addresses in text and arguments: found loosely, as a reader would; taken strictly, as every program does."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.canon.accounts import is_iban
from app.canon.addresses import Link, found_in, host_of, link_of, mail_of


def found(text: str) -> list[tuple[str, str]]:
    return [(one.kind, one.value) for one in found_in(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Mail ana@mitra.co.id.", [("mail", "ana@mitra.co.id")]),
        ("Ana <ana@mitra.co.id>, thanks", [("mail", "ana@mitra.co.id")]),
        ("mailto:ana@mitra.co.id?cc=b@evil.com", [("mail", "ana@mitra.co.id"), ("mail", "b@evil.com")]),
        ("user [at] evil [dot] com", [("mail", "user@evil.com")]),
        ("claims at refund-desk dot com", [("mail", "claims@refund-desk.com")]),
        ("claims @ refund-desk . com", [("mail", "claims@refund-desk.com")]),
        ("we meet at noon, put a dot on it", []),
        ("hubungi 0812-9911-7788", [("account", "0812-9911-7788")]),
        ("call 021 555 0199", [("account", "021 555 0199")]),
        ("serial 000451200917, order 0215550199", []),
        ("Telegram: @pay_desk_bot", [("name", "@pay_desk_bot")]),
        ("@ana says hello", []),
        ("rekening 5 2 2 1 8 8 9 0", [("account", "5 2 2 1 8 8 9 0")]),
        ("rekening 5221/8890/31", [("account", "5221/8890/31")]),
        ("bayar: 1 2 3 4 5 6 7 8", []),
        ("user(at)evil(dot)com", [("mail", "user@evil.com")]),
        ("&#97;na&#64;evil.com", [("mail", "ana@evil.com")]),
        ("ana%40evil.com", [("mail", "ana@evil.com")]),
        ("x@[10.0.0.1]", [("mail", "x@[10.0.0.1]")]),
        ("see https://evil.com/x.", [("link", "https://evil.com/x")]),
        ("[click](http://a.b/c)", [("link", "http://a.b/c")]),
        ("<a href='https://evil.com'>x</a>", [("link", "https://evil.com")]),
        ("hxxps://evil.com/x", [("link", "https://evil.com/x")]),
        ("HTTPS:\\\\evil.com\\x", [("link", "HTTPS:\\\\evil.com\\x")]),
        ("http:evil.com", [("link", "http:evil.com")]),
        ("//evil.com/x", [("link", "//evil.com/x")]),
        ("javascript:alert(1)", [("link", "javascript:alert(1")]),
        ("visit evil-site.com/pay now", [("link", "evil-site.com/pay")]),
        ("EVIL.COM", [("link", "EVIL.COM")]),
        ("t.co/abc", [("link", "t.co/abc")]),
        ("www.anything.zzz", [("link", "www.anything.zzz")]),
        ("evil\u3002com", [("link", "evil.com")]),
        ("ev\u200bil.c\u00adom", [("link", "evil.com")]),
        ("\uff45vil.com", [("link", "evil.com")]),
        ("p\u0430ypal.com", [("link", "p\u0430ypal.com")]),
        ("evil%2Ecom", [("link", "evil.com")]),
        ("10.0.0.1:8080/x", [("link", "10.0.0.1:8080/x")]),
        ("rekening BCA 123-456-7890", [("account", "123-456-7890")]),
        ("account 12345678", [("account", "12345678")]),
        ("Transfer ke 5220304412 a.n. PT X", [("account", "5220304412")]),
        ("bank \u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669\u0660", [("account", "1234567890")]),
        ("kartu 4111 1111 1111 1111", [("account", "4111 1111 1111 1111")]),
        ("DE89 3704 0044 0532 0130 00", [("account", "DE89 3704 0044 0532 0130 00")]),
        ("0x52908400098527886E0F7030069857D2E4169EE7", [("account", "0x52908400098527886E0F7030069857D2E4169EE7")]),
        ("+62 812-3456-7890", [("account", "+62 812-3456-7890")]),
        (
            "https://mitra.co.id/a?next=https://evil.com/b",
            [("link", "https://mitra.co.id/a?next=https://evil.com/b"), ("link", "https://evil.com/b")],
        ),
        (
            "https://mitra.co.id/send?to=x@evil.com&u=evil.com",
            [
                ("link", "https://mitra.co.id/send?to=x@evil.com&u=evil.com"),
                ("mail", "x@evil.com"),
                ("link", "evil.com"),
            ],
        ),
    ],
)
def test_what_a_reader_could_follow_is_found(text: str, wanted: list[tuple[str, str]]) -> None:
    assert found(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "Laporan ada di report.md, laporan.csv dan faktur.pdf.",
        "Q3.total naik; selesai.Terima kasih, e.g. minggu ini, i.e. besok, a.n. Budi",
        "Rp 12.500.000, Rp1.250.000.000, 1.250.100.200 dan total 125000000 IDR",
        "IDR 1234567890 dan 9876543210 IDR",
        "mean 20.115996337 pada 2026-11-22 17:01:02.123456+07:00",
        "22/11/2026, 22-11-2026, jam 17.30",
        "01890a5d-ac96-774b-bcce-b302099a8057",
        "| EV | 20.72 | 51108 |",
        "carrier,mean\nEV,15.796\nF9,21.92",
        "3 pcs @ Rp 5.000",
        "versi 1.2.3 dan 10.4",
        "AND/OR, km/h, 24/7",
        "INV-2026-118, KS-20931, PO 4500123",
        "| CR | 1253000000 |\n| DB | 9812345678 |",
        "Mutasi bank Oktober. Total: 1253000000, saldo akhir 9812345678",
        "2013 1 1 517 515 2 830 819",
    ],
)
def test_ordinary_prose_and_figures_are_no_addresses(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("value", "mail"),
    [
        ("ana@mitra.co.id", "ana@mitra.co.id"),
        ("  Ana@MITRA.co.id ", "ana@mitra.co.id"),
        ("Ana Dewi <ana@mitra.co.id>", "ana@mitra.co.id"),
        ("ana@b\u00fccher.de", "ana@xn--bcher-kva.de"),
        ("\uff41na@mitra.co.id", "ana@mitra.co.id"),
        ("ana@mitra.co.id.evil.com", "ana@mitra.co.id.evil.com"),
        ("ana@mitra.co.id, x@evil.com", None),
        ("ana@mitra.co.id;x@evil.com", None),
        ("ana@mitra.co.id\nBcc: x@evil.com", None),
        ("<ana@mitra.co.id> x@evil.com", None),
        ("ana@mitra.co.id <x@evil.com>", None),
        ('"a b"@evil.com', None),
        ("ana@@mitra.co.id", None),
        ("ana\u200b@mitra.co.id", None),
        ("ana", None),
        ("", None),
    ],
)
def test_one_mail_address_is_read_in_one_way_or_not_at_all(value: str, mail: str | None) -> None:
    assert mail_of(value) == mail


@pytest.mark.parametrize(
    ("value", "link"),
    [
        ("mitra.co.id", Link("", "mitra.co.id", None, ())),
        ("https://MITRA.co.id.:443/a//b?x=1#y", Link("https", "mitra.co.id", None, ("a", "b"), "x=1")),
        ("http://mitra.co.id:8080/", Link("http", "mitra.co.id", 8080, ())),
        ("https://xn--bcher-kva.de", Link("https", "xn--bcher-kva.de", None, ())),
        ("https://b\u00fccher.de", Link("https", "xn--bcher-kva.de", None, ())),
        ("https://mitra.co.id@evil.com/", None),
        ("https://mitra.co.id%2eevil.com/", None),
        ("https://mitra.co.id\\@evil.com", None),
        ("https://mitra.co.id/a/../b", None),
        ("https://mitra.co.id/a/%2e%2e/b", None),
        ("https://mitra.co.id/a%2f..%2fb", None),
        ("https://mitra.co.id:99999/", None),
        ("https:// mitra.co.id", None),
        ("https://", None),
    ],
)
def test_one_link_is_read_in_one_way_or_not_at_all(value: str, link: Link | None) -> None:
    assert link_of(value) == link


def test_hosts_and_ibans_have_one_form() -> None:
    assert host_of("MITRA.co.id.") == "mitra.co.id"
    assert host_of("a b") is None
    assert is_iban("DE89 3704 0044 0532 0130 00")
    assert not is_iban("DE88 3704 0044 0532 0130 00")


@given(st.text(max_size=200))
def test_any_text_is_searched_without_an_error(text: str) -> None:
    found_in(text)
    mail_of(text)
    link_of(text)


HARD = (
    "a",
    "a.",
    "@",
    "1 ",
    "1-",
    "AB12 ",
    "/",
    "https://",
    "%25",
    "&amp;",
    "[at]",
    "x@",
    "0x",
    " (",
    "+1 ",
    "a-",
    "?x=https:/",
)


@pytest.mark.parametrize("piece", HARD)
def test_long_hostile_text_is_searched_in_linear_time(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    started = time.process_time()
    found_in(text)
    assert time.process_time() - started < 4

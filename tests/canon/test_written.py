"""What counts as written by the founder: whole words, numbers as people write them, dates by their parts."""

import pytest

from app.canon.written import minor_digits, number_stands_in, stands_in, value_stands_in

ZONE = "Asia/Jakarta"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("ana@mitra.co.id", "Kirim ke Ana@Mitra.co.id."),
        ("ana@mitra.co.id", "(ana@mitra.co.id), <ana@mitra.co.id>; 'ana@mitra.co.id'"),
        ("PT Kopi Gayo", "bayar pt  kopi\ngayo ya"),
        ("INV-118", "faktur INV-118, segera"),
        ("caf\u00e9", "cafe\u0301 pagi"),
        ("5", "ambil 5 baris"),
        ("240", "240, 250"),
    ],
)
def test_whole_words_stand_there(value: str, text: str) -> None:
    assert stands_in(value, (text,))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("mitra.co.id", "evil-mitra.co.id"),
        ("mitra.co.id", "ana@mitra.co.id"),
        ("mitra.co.id", "mitra.co.id.evil.com"),
        ("ana@mitra.co.id", "diana@mitra.co.id"),
        ("ana@mitra.co.id", "ana@mitra.co.id.evil.com"),
        ("a@b.co", "x+a@b.co"),
        ("118", "INV-118"),
        ("5", "2.5 dan 50 dan 5%2"),
        ("240", "240,000"),
        ("240", "1.240"),
        ("kop", "kopi"),
        ("", "kopi"),
        (" . ", "a . b"),
        ("a" * 1001, "a" * 1001),
        ("an\u0430", "ana"),
    ],
)
def test_pieces_of_other_words_do_not(value: str, text: str) -> None:
    assert not stands_in(value, (text,))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (240000, "bayar Rp240.000 besok"),
        (240000, "bayar Rp 240.000,00"),
        (240000, "IDR 240,000.00"),
        (240000, "240000"),
        (240000, "240 000 rupiah"),
        (240000, "Rp240.000,-"),
        ("12.5", "mean 12.5 or 12,50"),
        (-5, "minus -5 degrees"),
        (12105000, "Total : Rp12.105.000."),
    ],
)
def test_numbers_stand_there_as_people_write_them(value: object, text: str) -> None:
    assert number_stands_in(value, (text,))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (240000, "Rp240.001"),
        (240000, "1.240.000"),
        (240000, "2400000"),
        (24, "INV24"),
        (24, "24a"),
        (500, "1.500"),
        ("x", "x"),
    ],
)
def test_other_numbers_do_not(value: object, text: str) -> None:
    assert not number_stands_in(value, (text,))


def test_minor_units_are_compared_in_the_currencys_own_places() -> None:
    assert (minor_digits("idr"), minor_digits("USD"), minor_digits("KWD"), minor_digits("")) == (0, 2, 3, 2)
    assert number_stands_in(1250, ("pay $12.50",), 2)
    assert not number_stands_in(1250, ("pay $1250",), 2)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2026-11-22", "tanggal 22 November 2026"),
        ("2026-11-22", "22 nov 2026"),
        ("2026-11-22", "on Nov 22, 2026"),
        ("2026-11-22", "22/11/2026"),
        ("2026-11-11", "11.11.2026"),
        ("2026-12-03", "jatuh tempo 3 Desember 2026"),
        ("2026-11-22T14:30", "22 November 2026 pukul 14.30"),
        ("2026-11-22T14:30:00+07:00", "22 November 2026, 2:30 pm"),
        ("2026-11-22T09:00", "22-11-2026 jam 9"),
        ("17:00", "sebelum 17:00"),
    ],
)
def test_a_date_or_time_stands_there_by_its_parts(value: str, text: str) -> None:
    assert value_stands_in(value, (text,), zone=ZONE)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2026-11-23", "22 November 2026"),
        ("2026-10-22", "22 November 2026"),
        ("2027-11-22", "22 November 2026"),
        ("2026-11-11", "11 Desember 2026"),
        ("2026-11-22T15:30", "22 November 2026 pukul 14.30"),
        ("2026-11-22T14:30:00+09:00", "22 November 2026 pukul 14.30"),
        ("2026-11-22T14:30:05", "22 November 2026 pukul 14.30"),
        ("7:00", "17:00"),
        (True, "true"),
    ],
)
def test_another_date_or_time_does_not(value: object, text: str) -> None:
    assert not value_stands_in(value, (text,), zone=ZONE)

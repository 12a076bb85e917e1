"""Revenue recorded by hand or from a file: read strictly, whole or not at all, never twice."""

from datetime import date
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from app.founder_console import load_words
from app.founder_console.amounts import amount_of
from app.founder_console.money.revenue_entries import Recorded, Unreadable, day_of, read_file, record
from app.governance_ledger import EventFilter, read_events
from app.postgres import Database

WORDS = load_words(Path(__file__).parents[2] / "frontend" / "i18n")
ZONE = ZoneInfo("Asia/Jakarta")
FILE = """Tanggal;Jumlah;Sumber;Keterangan
2026-11-01;Rp1.250.000;toko;
22/11/2026;75.000;GoFood;"pesanan; besar"
22/11/2026;75.000;GoFood;"pesanan; besar"
23/11/2026;-20.000;toko;pengembalian
"""


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("1250000", "IDR", 1_250_000),
        ("Rp1.250.000", "IDR", 1_250_000),
        ("Rp 1.250.000,-", "IDR", 1_250_000),
        ("1.250.000,00", "IDR", 1_250_000),
        ("-20.000", "IDR", -20_000),
        ("$1,250.5", "USD", 125_050),
        ("1.250,50", "EUR", 125_050),
        ("0.125", "KWD", 125),
        ("1,250.125", "KWD", 1_250_125),
        ("1.250", "KWD", None),
        ("12,5", "IDR", None),
        ("1.25.000", "IDR", None),
        ("1,250,50", "USD", None),
        ("1.250.50", "EUR", None),
        ("lima", "IDR", None),
        ("٥٠٠", "IDR", None),
        ("9" * 30, "IDR", None),
        ("", "IDR", None),
    ],
)
def test_an_amount_is_read_in_its_currency_or_not_at_all(text: str, currency: str, minor: int | None) -> None:
    assert amount_of(text, currency) == minor


@pytest.mark.parametrize("text", ["2026-11-22", "22/11/2026", "22-11-2026", "22.11.2026"])
def test_a_day_is_read_as_people_write_it(text: str) -> None:
    assert day_of(text) == date(2026, 11, 22)


def test_a_day_that_is_none_is_none() -> None:
    assert day_of("31/02/2026") is None


def test_a_file_is_read_with_any_separator_and_columns_in_either_language() -> None:
    entries = read_file(FILE.encode("utf-8-sig"), "IDR", WORDS["id"])
    assert [entry.amount.minor for entry in entries] == [1_250_000, 75_000, 75_000, -20_000]
    assert entries[1].description == "pesanan; besar"
    english = read_file(b"Date,Amount,Currency\n2026-11-01,12.50,USD\n", "IDR", WORDS["en"])
    assert (english[0].amount.minor, english[0].amount.currency, english[0].source) == (1_250, "USD", "import")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Date, Amount"),
        (b"Date,What\n2026-11-01,5\n", "Amount"),
        (b"Date,Amount\n", "no lines"),
        (b"Date,Amount\n2026-11-01,5\nyesterday,5\n2026-11-01,many\n", "Line 3: yesterday is no date"),
        (b"Date,Amount\n2026-11-01\n", "Line 2: – is no amount"),
        (b"Date,Amount,Currency\n2026-11-01,5,Rupiah\n", "RUPIAH is no currency"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"Date,Amount\n" + b"2026-11-01,5\n" * 1_001, "At most 1000"),
        (b"x" * 1_000_001, "At most 1000"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_line_by_line(content: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read_file(content, "IDR", WORDS["en"])


async def test_the_same_file_again_records_nothing(database: Database) -> None:
    entries, tenant = read_file(FILE.encode(), "IDR", WORDS["id"]), uuid4()
    for wanted in (Recorded(4, 0), Recorded(0, 4)):
        async with database.transaction(tenant) as tx:
            assert await record(tx, entries, actor="founder:1", zone=ZONE) == wanted
    async with database.transaction(tenant) as tx:
        events = (await read_events(tx, EventFilter(type="revenue.recorded"), newest_first=False)).items
    assert sorted(int(str(event.data["amount_minor"])) for event in events) == [-20_000, 75_000, 75_000, 1_250_000]
    assert {event.occurred_at.astimezone(ZONE).date() for event in events} == {entry.on for entry in entries}

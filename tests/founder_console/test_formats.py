"""Money and time as people write them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.canon.amounts import NBSP
from app.canon.vocabulary import Money
from app.founder_console.formats import Formats, Language

NOW = datetime(2026, 11, 22, 7, 2, tzinfo=UTC)
JAKARTA = ZoneInfo("Asia/Jakarta")


def formats(language: Language = "id", zone: ZoneInfo = JAKARTA) -> Formats:
    return Formats(language, zone, NOW)


@pytest.mark.parametrize(
    ("amount", "indonesian", "english"),
    [
        (Money(2_400_000), "Rp2.400.000", f"IDR{NBSP}2,400,000"),
        (Money(0), "Rp0", f"IDR{NBSP}0"),
        (Money(-149_000), "−Rp149.000", f"−IDR{NBSP}149,000"),
        (Money(123_456, "USD"), "US$1.234,56", "US$1,234.56"),
        (Money(5, "USD"), "US$0,05", "US$0.05"),
        (Money(-1_250, "EUR"), "−€12,50", "−€12.50"),
        (Money(980, "SGD"), "S$9,80", "S$9.80"),
        (Money(12_800, "JPY"), "¥12.800", "¥12,800"),
        (Money(150_000, "MYR"), "RM1.500,00", "RM1,500.00"),
        (Money(1_234_567, "KWD"), f"KWD{NBSP}1.234,567", f"KWD{NBSP}1,234.567"),
    ],
)
def test_money_is_written_as_each_language_writes_it(amount: Money, indonesian: str, english: str) -> None:
    assert formats("id").money(amount) == indonesian
    assert formats("en").money(amount) == english


@pytest.mark.parametrize(
    ("minor", "indonesian", "english"),
    [
        (2_400_000, f"Rp2,4{NBSP}jt", f"IDR{NBSP}2.4M"),
        (240_000, f"Rp240{NBSP}rb", f"IDR{NBSP}240K"),
        (1_200_000_000, f"Rp1,2{NBSP}M", f"IDR{NBSP}1.2B"),
        (950, "Rp950", f"IDR{NBSP}950"),
    ],
)
def test_short_amounts_fit_a_notification(minor: int, indonesian: str, english: str) -> None:
    assert formats("id").money_short(Money(minor)) == indonesian
    assert formats("en").money_short(Money(minor)) == english


@given(st.integers(min_value=-(10**15), max_value=10**15), st.sampled_from(["IDR", "USD", "EUR", "JPY", "KWD"]))
def test_no_digit_of_an_amount_is_lost(minor: int, currency: str) -> None:
    for language in ("id", "en"):
        text = formats(language).money(Money(minor, currency))
        assert int("".join(filter(str.isdigit, text))) == abs(minor)
        assert ("−" in text) == (minor < 0)


def test_a_deadline_says_how_long_is_left_then_the_day() -> None:
    indonesian, english = formats("id"), formats("en")
    assert indonesian.left(NOW + timedelta(hours=1, minutes=20)) == f"sisa 1{NBSP}j{NBSP}20{NBSP}m"
    assert english.left(NOW + timedelta(minutes=5)) == f"5{NBSP}m left"
    assert indonesian.left(NOW + timedelta(hours=19)) == "besok 09.02"
    assert english.left(NOW + timedelta(days=2)) == "Tue 14:02"
    assert indonesian.left(NOW - timedelta(seconds=1)) == "lewat tenggat"


def test_the_clock_is_the_companys_own() -> None:
    assert formats("id").clock(NOW) == "14.02"
    assert formats("en", ZoneInfo("Asia/Makassar")).clock(NOW) == "15:02"
    assert formats("id", ZoneInfo("Asia/Jayapura")).exactly(NOW) == "22 Nov 2026 16.02.00 WIT"
    assert formats("id").moment(NOW - timedelta(days=1)) == "kemarin 14.02"


def test_model_spend_shows_small_amounts() -> None:
    assert formats("id").usd(1_234) == "US$0,0012"
    assert formats("en").usd(12_500_000) == "US$12.50"
    assert formats("id").usd(0) == "US$0,00"


@pytest.mark.parametrize(
    ("zone", "winter", "summer"),
    [
        ("Europe/Berlin", "22 Nov 2026 08.02.00 CET", "1 Jul 2026 14.00.00 CEST"),
        ("America/New_York", "22 Nov 2026 02.02.00 EST", "1 Jul 2026 08.00.00 EDT"),
        ("Asia/Makassar", "22 Nov 2026 15.02.00 WITA", "1 Jul 2026 20.00.00 WITA"),
    ],
)
def test_an_instant_bears_the_name_its_zone_had_then(zone: str, winter: str, summer: str) -> None:
    there = formats("id", ZoneInfo(zone))
    assert there.exactly(NOW) == winter
    assert there.exactly(datetime(2026, 7, 1, 12, tzinfo=UTC)) == summer


@pytest.mark.parametrize(
    ("now", "instant", "said"),
    [
        (datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 3, 29, 10, tzinfo=UTC), "besok 12.00"),
        (datetime(2026, 10, 24, 20, tzinfo=UTC), datetime(2026, 10, 25, 10, tzinfo=UTC), "besok 11.00"),
    ],
)
def test_tomorrow_is_tomorrow_where_the_clocks_are_changed_in_the_night(
    now: datetime, instant: datetime, said: str
) -> None:
    assert Formats("id", ZoneInfo("Europe/Berlin"), now).left(instant) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.24, f"240{NBSP}md"), (3.2, f"3,2{NBSP}dtk"), (90, f"1{NBSP}m"), (3_700, f"1{NBSP}j{NBSP}1{NBSP}m")],
)
def test_how_long_a_step_took_is_told_in_its_own_unit(seconds: float, said: str) -> None:
    assert formats().took(timedelta(seconds=seconds)) == said


def test_an_agreed_length_of_time_is_told_whole() -> None:
    assert formats().span_of(86_400 * 7) == f"7{NBSP}hari"
    assert formats("en").span_of(5_400) == f"1{NBSP}h{NBSP}30{NBSP}m"

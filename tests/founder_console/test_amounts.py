"""Amounts as people type them: what is shown in a field is read as what it was, in both languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.canon.vocabulary import Money
from app.founder_console.amounts import LARGEST, amount_of, amount_text, decimal_of, decimal_text

CURRENCIES = st.sampled_from(["IDR", "USD", "KWD", "JPY"])
LANGUAGES = st.sampled_from(["id", "en"])


@given(st.integers(-LARGEST, LARGEST), CURRENCIES, LANGUAGES)
def test_an_amount_is_read_again_as_it_was_written(minor: int, currency: str, language: str) -> None:
    assert amount_of(amount_text(Money(minor, currency), language), currency) == minor  # type: ignore[arg-type]


@given(st.integers(0, LARGEST), st.integers(0, 6), LANGUAGES)
def test_a_number_is_read_again_as_it_was_written(units: int, places: int, language: str) -> None:
    assert decimal_of(decimal_text(units, places, language), places) == units  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("amount", "indonesian", "english"),
    [
        (Money(5_000_000), "5.000.000", "5,000,000"),
        (Money(150_000, "USD"), "1.500", "1,500"),
        (Money(150_050, "USD"), "1.500,50", "1,500.50"),
        (Money(1_500_000, "KWD"), "1.500,0", "1,500.0"),
    ],
)
def test_an_amount_is_typed_as_the_language_writes_it(amount: Money, indonesian: str, english: str) -> None:
    assert (amount_text(amount, "id"), amount_text(amount, "en")) == (indonesian, english)

"""Numbers and money as people write them: in what is signed, on cards, everywhere the same."""

from typing import Literal, TypeAlias

from app.canon.values import shown
from app.canon.vocabulary import Money
from app.canon.written import minor_digits

Language: TypeAlias = Literal["en", "id"]

NBSP = "\u00a0"
MINUS = "\u2212"
# Only signs that belong to one currency; a bare dollar is nobody's, and rupiah are abbreviated in their own language.
SYMBOLS = {
    "USD": "US$",
    "EUR": "€",
    "GBP": "£",
    "JPY": "¥",
    "SGD": "S$",
    "AUD": "A$",
    "HKD": "HK$",
    "MYR": "RM",
    "KRW": "₩",
    "INR": "₹",
    "PHP": "₱",
    "THB": "฿",
    "VND": "₫",
}


def grouped(number: int | str, language: Language) -> str:
    """Digits in groups of three, as the language writes them: `5,000,000` or `5.000.000`."""
    text = str(number)
    whole, point, fraction = text.partition(".")
    if not whole.lstrip("-").isdigit() or not whole.isascii():
        return shown(text)
    digits = whole.lstrip("-")
    head = len(digits) % 3
    groups = ([digits[:head]] if head else []) + [digits[i : i + 3] for i in range(head, len(digits), 3)]
    separator, decimal = (",", ".") if language == "en" else (".", ",")
    return ("-" if whole.startswith("-") else "") + separator.join(groups) + (decimal + fraction if point else "")


def money_phrase(amount: Money, language: Language) -> str:
    """`Rp2.400.000` in Indonesian, `IDR 2,400,000` in English, `US$12.50`; negative with a minus sign."""
    places = minor_digits(amount.currency)
    digits = str(abs(amount.minor)).rjust(places + 1, "0")
    text = digits if places == 0 else f"{digits[:-places]}.{digits[-places:]}"
    return signed(amount, grouped(text, language), language)


def signed(amount: Money, digits: str, language: Language) -> str:
    """`digits` with the sign of the amount and of its currency."""
    rupiah = amount.currency == "IDR" and language == "id"
    symbol = "Rp" if rupiah else SYMBOLS.get(amount.currency, f"{amount.currency}{NBSP}")
    return (MINUS if amount.minor < 0 else "") + symbol + digits

"""Amounts of money in arguments: whole minor units and an ISO currency."""

import re
from collections.abc import Mapping

from app.canon.tool import Arguments, ToolFailed
from app.canon.vocabulary import Money
from app.canon.written import minor_digits

MONEY_PARAMETERS: Mapping[str, object] = {
    "amount_minor": {"type": "integer", "minimum": 1, "description": "Whole minor units: 240000 for Rp240.000"},
    "currency": {"type": "string", "description": "ISO 4217 code, for example IDR"},
}


def money_argument(arguments: Arguments) -> Money:
    """The amount in `amount_minor` and `currency`. Raises `ToolFailed`."""
    minor, currency = arguments.get("amount_minor"), arguments.get("currency")
    if not isinstance(minor, int) or isinstance(minor, bool) or minor < 1:
        raise ToolFailed("`amount_minor` must be a whole number of minor units above zero", code="tool.arguments")
    if not isinstance(currency, str) or not re.fullmatch(r"[A-Z]{3}", currency):
        raise ToolFailed("`currency` must be an ISO code in capitals, for example IDR", code="tool.arguments")
    return Money(minor, currency)


def readable(amount: Money) -> str:
    """`12.50 USD`, `240000 IDR`."""
    digits = minor_digits(amount.currency)
    if not digits:
        return f"{amount.minor} {amount.currency}"
    text = str(amount.minor).rjust(digits + 1, "0")
    return f"{text[:-digits]}.{text[-digits:]} {amount.currency}"

"""Money as people write it: `Rp 1.250.000,00`, `USD 1,250.50`, `1250000`."""

import re
from decimal import Decimal, InvalidOperation

import msgspec

_CURRENCIES = {
    "rp": "IDR",
    "idr": "IDR",
    "usd": "USD",
    "us$": "USD",
    "$": "USD",
    "eur": "EUR",
    "€": "EUR",
    "sgd": "SGD",
}
_WHOLE = frozenset({"IDR", "JPY", "KRW", "VND"})
_NUMBER = r"\d{1,3}(?:[.,  ]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?"
MONEY = re.compile(
    rf"(?i)(?P<before>rp\.?|idr|usd|us\$|\$|eur|€|sgd)?\s*(?P<number>{_NUMBER})(?:\s*(?P<after>idr|usd|eur|sgd)\b)?"
)


class Amount(msgspec.Struct, frozen=True):
    minor: int
    currency: str


def amount_in(text: str, otherwise: str = "IDR") -> Amount | None:
    """The first amount in `text`; one with a currency sign goes before a bare number."""
    found = list(MONEY.finditer(text))
    marked = [match for match in found if match["before"] or match["after"]]
    for match in marked or found:
        sign = (match["before"] or match["after"] or "").lower().rstrip(".")
        currency = _CURRENCIES.get(sign, otherwise)
        value = plain_number(match["number"])
        if value:
            return Amount(minor_units(value, currency), currency)
    return None


def minor_units(value: Decimal, currency: str) -> int:
    scale = 1 if currency in _WHOLE else 100
    return int((value * scale).to_integral_value())


def has_currency(text: str) -> bool:
    return any(match["before"] or match["after"] for match in MONEY.finditer(text))


def plain_number(written: str) -> Decimal | None:
    """`1.250.000,50` and `1,250,000.50` are the same number; three digits after a lone separator are thousands."""
    digits = re.sub(r"[^\d.,-]", "", written)
    last = max(digits.rfind("."), digits.rfind(","))
    tail = len(digits) - last - 1
    lone = digits.count(".") + digits.count(",") == 1
    if last >= 0 and (tail in {1, 2} or (lone and tail > 3)):
        digits = re.sub(r"[.,]", "", digits[:last]) + "." + digits[last + 1 :]
    else:
        digits = re.sub(r"[.,]", "", digits)
    try:
        return Decimal(digits)
    except InvalidOperation:
        return None


def readable(value: Decimal) -> str:
    """`1,250,000.5`, without needless zeros."""
    text = f"{value:,.2f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def decimal_of(cell: str) -> Decimal:
    """A number in a table's answer; an empty cell counts nothing."""
    try:
        return Decimal(cell.replace(",", "")) if cell else Decimal(0)
    except InvalidOperation:
        return plain_number(cell) or Decimal(0)

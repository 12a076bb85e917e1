"""Amounts that people type: read strictly, as one amount or none, and written as they would type them."""

import re

from app.canon.amounts import Language, grouped
from app.canon.vocabulary import Money
from app.canon.written import minor_digits

LARGEST = 10**15
AMBIGUOUS = 3

_NUMBER = re.compile(r"(-?)([1-9][0-9]{0,2}(?:([.,])[0-9]{3})(?:\3[0-9]{3})*|[0-9]+)(?:([.,])([0-9]{1,6}))?")
_SIGN = re.compile(r"(?i)^(-?)\s*(?:rp\.?|idr|[a-z]{3}|[$€£])?\s*")


def amount_of(text: str, currency: str) -> int | None:
    """Minor units in `Rp1.250.000`, `1,250.50`, `1250,5`; None for what is no amount of the currency, or is two:
    `1.250` where a currency has three decimal places."""
    bare = _SIGN.sub(r"\1", text.strip()).replace(" ", "")
    return decimal_of(bare.removesuffix(",-"), minor_digits(currency))


def decimal_of(text: str, places: int) -> int | None:
    """A number with at most so many decimal places, counted in the last of them; None for what is none, or is two."""
    found = _NUMBER.fullmatch(text.strip())
    if found is None or (found[3] and found[3] == found[4]):
        return None
    if places >= AMBIGUOUS and found[3] and not found[4] and found[2].count(found[3]) == 1:
        return None
    fraction = (found[5] or "").rstrip("0")
    if len(fraction) > places:
        return None
    units = int(re.sub(r"[.,]", "", found[2])) * int(10**places) + int(fraction.ljust(places, "0") or 0)
    return None if units > LARGEST else -units if found[1] else units


def amount_text(amount: Money, language: Language) -> str:
    """`5.000.000`, `1.500,50`: what `amount_of` reads as this amount, without its currency."""
    return decimal_text(amount.minor, minor_digits(amount.currency), language)


def decimal_text(units: int, places: int, language: Language) -> str:
    """What `decimal_of` reads as `units`; decimal places only where there are some, a zero more where the number would
    be two."""
    digits = str(abs(units)).rjust(places + 1, "0")
    whole, fraction = (digits, "") if places == 0 else (digits[:-places], digits[-places:].rstrip("0"))
    if places >= AMBIGUOUS and len(whole) > AMBIGUOUS:
        fraction = fraction or "0"
    elif places >= AMBIGUOUS and len(fraction) == AMBIGUOUS:
        fraction += "0"
    elif fraction and places == 2:
        fraction = fraction.ljust(2, "0")
    text = grouped(f"{whole}.{fraction}" if fraction else whole, language)
    return f"-{text}" if units < 0 else text

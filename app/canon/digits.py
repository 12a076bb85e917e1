"""Whole numbers as people and other servers write them."""

MOST_DIGITS = 18


def whole_number(text: str) -> int | None:
    """What ASCII digits say, with a minus sign before them or not; None for anything else, and for more than 18."""
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= MOST_DIGITS else None

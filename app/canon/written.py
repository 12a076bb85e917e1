"""Whether a value stands in what the founder wrote: whole, at the edges of words, never as a piece of another."""

import re
from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from app.canon.values import number, plain, written

MAX_VALUE = 1000
_JOINERS = ".@-_+%/:=&"
_WHOLE = re.compile("IDR|BIF|CLP|DJF|GNF|ISK|JPY|KMF|KRW|PYG|RWF|UGX|UYI|VND|VUV|XAF|XOF|XPF")
_THOUSANDTHS = re.compile("BHD|IQD|JOD|KWD|LYD|OMR|TND")
_MONTHS = {
    name: month
    for month, names in enumerate(
        (
            "january januari jan",
            "february februari feb peb",
            "march maret mar",
            "april apr",
            "may mei",
            "june juni jun",
            "july juli jul",
            "august agustus aug agu agt",
            "september sep sept",
            "october oktober oct okt",
            "november nov nop",
            "december desember dec des",
        ),
        start=1,
    )
    for name in names.split()
}
_WHEN = re.compile(
    r"(?:(?P<y>[0-9]{4})-(?P<m>[0-9]{2})-(?P<d>[0-9]{2}))?[T ]?"
    r"(?:(?P<H>[0-9]{2}):(?P<M>[0-9]{2})(?::(?P<S>[0-9]{2})(?:\.0+)?)?(?P<z>Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)


def stands_in(value: str, texts: Iterable[str]) -> bool:
    """`value` occurs in one of `texts` as whole words: `mitra.co.id` does not stand in `evil-mitra.co.id`."""
    sought = plain(value)
    if not any(character.isalnum() for character in sought) or len(sought) > MAX_VALUE:
        return False
    return any(_occurs(sought, plain(text)) for text in texts)


def _occurs(sought: str, text: str) -> bool:
    start = text.find(sought)
    while start >= 0:
        if _edge(text, start - 1, -1) and _edge(text, start + len(sought), 1):
            return True
        start = text.find(sought, start + 1)
    return False


def _edge(text: str, position: int, step: int) -> bool:
    def word(index: int) -> bool:
        return 0 <= index < len(text) and (text[index].isalnum() or text[index] == "_" or not text[index].isprintable())

    def joiner(index: int) -> bool:
        return 0 <= index < len(text) and text[index] in _JOINERS

    beyond = position + step
    if text[position : position + 1] == "," and position > 0:
        return not text[position - 1 : position + 2].replace(",", "0").isdigit()
    return not (word(position) or (joiner(position) and (word(beyond) or joiner(beyond))))


def minor_digits(currency: str) -> int:
    """How many decimal places a currency is counted in (ISO 4217; the rupiah is counted whole)."""
    code = currency.upper()
    return 0 if _WHOLE.fullmatch(code) else 3 if _THOUSANDTHS.fullmatch(code) else 2


def number_stands_in(value: object, texts: Iterable[str], minor_digits: int = 0) -> bool:
    """A number stands there in plain digits or with separators of thousands; `minor_digits` shifts the point."""
    exact = number(value)
    if exact is None:
        return False
    sought = exact.scaleb(-minor_digits).normalize()
    return any(sought in _amounts(text) for text in map(plain, texts))


_AMOUNT = re.compile(r"(?<![0-9.,])-?[0-9]{1,40}(?:[., ][0-9]{3})*(?:[.,][0-9]{1,40})?(?:,-)?(?![0-9])")
_INSIDE = re.compile(r"[a-z0-9_]$")
_CURRENCY = re.compile(r"(?:^|[^a-z])(?:rp|idr|usd|us|eur|sgd|myr|jpy|gbp|aud|[$€£¥])\.?$")


def _amounts(text: str) -> set[object]:
    found: set[object] = set()
    for match in _AMOUNT.finditer(text):
        before = text[max(0, match.start() - 6) : match.start()]
        if _INSIDE.search(before) and not _CURRENCY.search(before):
            continue
        if text[match.end() : match.end() + 1].isalpha() or text[match.end() : match.end() + 1] == "_":
            continue
        found.update(_readings(match[0].removesuffix(",-")))
    return found


def _readings(amount: str) -> set[object]:
    """`1.500` may be one thousand five hundred or one and a half: both readings count as written."""
    readings: set[object] = set()
    for thousands, decimal in ((".", ","), (",", "."), (" ", "."), (" ", ",")):
        body, point, fraction = amount.partition(decimal)
        groups = body.split(thousands)
        if decimal in fraction or (len(groups) > 1 and any(len(group) != 3 for group in groups[1:])):
            continue
        exact = number("".join(groups) + ("." + fraction if point else ""))
        if exact is not None:
            readings.add(exact.normalize())
    return readings


def moment_stands_in(value: str, texts: Iterable[str], zone: str) -> bool:
    """Each part of a date or time (ISO 8601) stands in `texts`: `2026-11-22` where they say `22 November 2026`.

    A zone offset passes when it is the one of `zone` at that moment.
    """
    found = _WHEN.fullmatch(value.strip().upper())
    if found is None or (found["y"] is None and found["H"] is None):
        return False
    heap = " | ".join(map(plain, texts))
    return _date_stands(found, heap) and _clock_stands(found, heap) and _offset_fits(found, value, zone)


def _words(heap: str) -> list[str]:
    return re.findall(r"[0-9]+|[^\W\d_]+", heap)


def _date_stands(found: re.Match[str], heap: str) -> bool:
    if found["y"] is None:
        return True
    words = _words(heap)
    numbers = [int(word) for word in words if word.isascii() and word.isdigit() and len(word) <= 4]
    month, day = int(found["m"]), int(found["d"])
    named = any(_MONTHS.get(word) == month for word in words)
    if int(found["y"]) not in numbers or day not in numbers:
        return False
    return named or numbers.count(month) >= (2 if month == day else 1)


def _clock_stands(found: re.Match[str], heap: str) -> bool:
    if found["H"] is None:
        return True
    hour, minute, second = int(found["H"]), int(found["M"]), int(found["S"] or 0)
    if second:
        return f"{hour:02}:{minute:02}:{second:02}" in heap
    forms = [f"{hour:02}[:.]{minute:02}", f"{hour}[:.]{minute:02}"]
    half = "pm" if hour >= 12 else "am"
    forms.append(f"{hour % 12 or 12}[:.]{minute:02} ?{half}")
    if minute == 0:
        forms += [f"{hour % 12 or 12} ?{half}", f"(?:jam|pukul|pkl\\.?) {hour}"]
    return any(re.search(rf"(?<![0-9:.]){form}(?![0-9:])", heap) for form in forms)


def _offset_fits(found: re.Match[str], value: str, zone: str) -> bool:
    if found["z"] is None:
        return True
    try:
        moment = datetime.fromisoformat(value.strip().upper())
        return moment.utcoffset() == moment.astimezone(ZoneInfo(zone)).utcoffset()
    except (ValueError, KeyError, OSError, OverflowError):
        return False


def value_stands_in(value: object, texts: Iterable[str], *, zone: str, minor: int = 0) -> bool:
    """Whether a leaf of the arguments was written by the founder: as words, as a number, as parts of a date or time."""
    if isinstance(value, bool):
        return False
    sources = tuple(texts)
    if isinstance(value, str):
        if minor and number(value) is not None:
            return number_stands_in(value, sources, minor)
        return stands_in(value, sources) or number_stands_in(value, sources) or moment_stands_in(value, sources, zone)
    return number_stands_in(written(value), sources, minor)

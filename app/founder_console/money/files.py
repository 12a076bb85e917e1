"""Figures and entries as CSV (RFC 4180), in plain digits, for a spreadsheet that must not run what a stranger wrote."""

import csv
import io
from collections.abc import AsyncIterator, Sequence

from app.canon.written import minor_digits
from app.founder_console.money.figures import Figure, Item, Result
from app.founder_console.money.settings import Rate
from app.founder_console.naming import Naming

AT_ONCE = 100
FORMULA = "=+-@\t\r"
BASES = {"revenue": "recorded", "paid": "recorded", "models": "recorded", "time": "estimate"}


def _safe(text: str) -> str:
    """A cell that a spreadsheet takes for text."""
    return f"'{text}" if text.startswith(tuple(FORMULA)) else text


def _major(minor: int, currency: str) -> str:
    places = minor_digits(currency)
    digits = str(abs(minor)).rjust(places + 1, "0")
    text = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    return f"-{text}" if minor < 0 else text


def _table(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


async def entry_lines(items: AsyncIterator[Item], naming: Naming) -> AsyncIterator[str]:
    """One line for each event, some at a time: amounts in major units, models in US dollars, time in seconds."""
    rows: list[Sequence[str]] = [
        ("occurred_at", "figure", "amount", "unit", "basis", "worker", "source", "description", "event_id")
    ]
    async for item in items:
        rows.append(_line(item, naming))
        if len(rows) >= AT_ONCE:
            yield _table(rows)
            rows.clear()
    yield _table(rows)


def _line(item: Item, naming: Naming) -> tuple[str, ...]:
    data = item.event.data
    return (
        naming.formats.local(item.event.occurred_at).isoformat(timespec="seconds"),
        item.figure,
        _amount(item),
        {"models": "USD", "time": "seconds"}.get(item.figure, item.currency),
        BASES[item.figure],
        _safe(naming.worker(item.role_id)),
        _safe(str(data.get("source") or data.get("tool") or data.get("model") or "")),
        _safe(str(data.get("description") or "")),
        str(item.event.event_id),
    )


def _amount(item: Item) -> str:
    if item.figure == "time":
        return str(item.value)
    if item.figure == "models":
        return f"{item.value // 1_000_000}.{item.value % 1_000_000:06}"
    return _major(-item.value if item.figure == "paid" else item.value, item.currency)


def scorecard_csv(own: str, lines: Sequence[tuple[str, Result]]) -> str:
    """One line for each figure of each who, in the currency `own`; a figure without its rate is left out."""
    header = ("who", "figure", "amount", "currency", "basis", "rates")
    rows = [
        (_safe(who), figure, _major(value, own), own, basis, _said(used))
        for who, result in lines
        for figure, value, basis, used in _sums(result)
        if value is not None
    ]
    return _table([header, *rows])


def _said(rates: Sequence[Rate]) -> str:
    return "; ".join(f"{rate.currency} {rate.rate:f} on {rate.on}" for rate in rates)


def _sums(result: Result) -> list[tuple[str, int | None, str, tuple[Rate, ...]]]:
    def line(name: str, value: int | None, *figures: Figure) -> tuple[str, int | None, str, tuple[Rate, ...]]:
        foreign = not result.converted.isdisjoint(figures)
        return name, value, "converted" if foreign else "recorded", result.used if foreign else ()

    return [
        line("revenue", result.revenue, "revenue"),
        line("payments", result.paid, "paid"),
        line("models", result.models, "models"),
        line("margin", result.margin, "revenue", "paid", "models"),
        ("your_time", result.time, "estimate", ()),
        ("after_your_time", result.after_time, "estimate", result.used),
    ]

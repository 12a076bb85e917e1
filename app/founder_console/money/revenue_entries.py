"""Revenue that a founder records by hand or from a file: read strictly, recorded whole or not at all, never twice."""

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import msgspec

from app.canon.errors import Invalid
from app.canon.vocabulary import Money
from app.founder_console.amounts import amount_of
from app.founder_console.wording import Words
from app.governance_ledger import Event, append_new
from app.postgres import Transaction

MOST_ROWS = 1_000
MOST_BYTES = 1_000_000
MOST_PROBLEMS = 5
ROWS = UUID("5b1e3a52-5c0e-5a7b-8f0e-8b8a9f6a1d21")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "date": ("date", "tanggal", "tgl"),
    "amount": ("amount", "jumlah", "nominal", "total"),
    "currency": ("currency", "mata uang", "valuta"),
    "source": ("source", "sumber", "dari", "channel", "kanal"),
    "description": ("description", "keterangan", "uraian", "catatan"),
}
_DATES = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y")


class Entry(msgspec.Struct, frozen=True):
    """Money that came in on a day; a negative amount went back."""

    on: date
    amount: Money
    source: str
    description: str = ""


class Recorded(msgspec.Struct, frozen=True):
    """How many entries are new in the ledger, and how many stood there already."""

    new: int
    known: int


class Unreadable(Invalid):
    """A file of which nothing was recorded; `problems` name lines."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(" ".join(problems[:MOST_PROBLEMS]))
        self.problems = tuple(problems)


def day_of(text: str) -> date | None:
    for form in _DATES:
        try:
            return datetime.strptime(text.strip(), form).date()  # noqa: DTZ007 - a day without a time
        except ValueError:
            continue
    return None


def read_file(content: bytes, currency: str, words: Words) -> tuple[Entry, ...]:
    """Entries of a CSV file with a header line, separated by commas, semicolons or tabs. Raises `Unreadable`."""
    if len(content) > MOST_BYTES:
        raise Unreadable([words("revenue.problem.large", n=MOST_ROWS)])
    lines = _text(content, words).splitlines()
    header = next(iter(lines), "")
    separator = max(",;\t", key=header.count)
    table = csv.DictReader(io.StringIO("\n".join(lines)), delimiter=separator)
    places = _places(table.fieldnames or ())
    missing = [words(f"revenue.column.{name}") for name in ("date", "amount") if name not in places]
    if missing:
        raise Unreadable([words("revenue.problem.header", columns=", ".join(missing))])
    entries, problems = [], []
    for number, row in enumerate(table, start=2):
        found = _entry({name: (row.get(column) or "").strip() for name, column in places.items()}, currency, words)
        if isinstance(found, Entry):
            entries.append(found)
        else:
            problems.append(words("revenue.problem.line", line=number, what=found))
    if len(entries) > MOST_ROWS:
        problems.append(words("revenue.problem.large", n=MOST_ROWS))
    if problems or not entries:
        raise Unreadable(problems or [words("revenue.problem.empty")])
    return tuple(entries)


def _text(content: bytes, words: Words) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable([words("revenue.problem.text")]) from None


def _places(names: Sequence[str]) -> dict[str, str]:
    """Which column of the file holds what."""
    named = {name.strip().casefold(): name for name in names if name}
    return {what: named[alias] for what, aliases in COLUMNS.items() for alias in aliases[::-1] if alias in named}


def _entry(row: Mapping[str, str], currency: str, words: Words) -> Entry | str:
    """The entry of a row, or what is wrong with it."""
    code = row.get("currency", "").upper() or currency
    if not re.fullmatch("[A-Z]{3}", code):
        return words("revenue.problem.currency", value=code)
    minor, on = amount_of(row["amount"], code), day_of(row["date"])
    if minor is None or minor == 0:
        return words("revenue.problem.amount", value=row["amount"] or "–")
    if on is None:
        return words("revenue.problem.date", value=row["date"] or "–")
    source = row.get("source", "")[:120] or words("revenue.source_file")
    return Entry(on, Money(minor, code), source, row.get("description", "")[:500])


async def record(tx: Transaction, entries: Sequence[Entry], *, actor: str, zone: ZoneInfo) -> Recorded:
    """One `revenue.recorded` for each entry that the ledger does not hold yet, in the caller's transaction.

    Equal entries of one call are told apart by their number, so that the same file again records nothing.
    """
    new = 0
    for entry, event_id in _numbered(tx.tenant, entries):
        new += await append_new(tx, _event(entry, actor, zone), event_id)
    return Recorded(new, len(entries) - new)


def _numbered(tenant: UUID, entries: Sequence[Entry]) -> Iterator[tuple[Entry, UUID]]:
    seen: Counter[Entry] = Counter()
    for entry in entries:
        seen[entry] += 1
        said = msgspec.json.encode([str(tenant), entry, seen[entry]])
        yield entry, uuid5(ROWS, hashlib.sha256(said).hexdigest())


def _event(entry: Entry, actor: str, zone: ZoneInfo) -> Event:
    """At noon of its day in the company's zone."""
    return Event(
        type="revenue.recorded",
        actor=actor,
        data={
            "amount_minor": str(entry.amount.minor),
            "currency": entry.amount.currency,
            "source": entry.source,
            "description": entry.description,
            "role_id": None,
            "ticket_id": None,
        },
        occurred_at=datetime.combine(entry.on, time(12), tzinfo=zone),
    )

"""A question in plain words about one table, turned into SQL over the columns that the table really has."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec

from app.adapters.models.scripted.answers import Column, Described
from app.adapters.models.scripted.language import MONTHS, concept, mentions, number_of, word_set, words_of

_AGGREGATES = (
    ("AVG", "mean", "mean average avg rata rerata"),
    ("MEDIAN", "median", "median"),
    ("SUM", "total", "total sum jumlah jumlahkan"),
    ("MAX", "max", "maximum longest highest largest greatest terpanjang tertinggi terbesar terjauh"),
    ("MIN", "min", "minimum shortest lowest smallest terpendek terendah terkecil"),
    ("AVG", "mean", "worst best terburuk terbaik"),
)
_COUNTED = re.compile(
    r"(?i)\b(?:how many|number of|count of|count the|banyaknya|berapa banyak"
    r"|jumlah (?:penerbangan|transaksi|baris|pesanan|pelanggan|data))\b"
)
_LOW = "best lowest least smallest cheapest fewest earliest terbaik terendah termurah terkecil tersedikit"
_BAD_WHEN_HIGH = word_set("delay price cost complaint error debt late age loss")
_ROWS = word_set("rows row entries records transactions baris transaksi entri")
_COLUMN = re.compile(
    r"(?i)\b(?:kolom|column|columns)\s+[\"'`]?(?P<after>\w+)|\b[\"'`]?(?P<before>\w+)[\"'`]?\s+column\b"
)
_FROM = {"origin": ("from", "dari"), "dest": ("to", "ke", "menuju")}


class Question(msgspec.Struct, frozen=True):
    group: Column | None
    metric: Column | None
    aggregate: str
    label: str
    conditions: tuple[str, ...]
    descending: bool
    limit: int | None
    whole_rows: bool = False

    def sql(self, table: Described) -> str:
        """One SELECT; rows without a measured value are left out, equal values are ordered by name."""
        if self.whole_rows and self.metric is not None:
            return self._rows_sql(table, self.metric)
        exact = _measured(self.metric, self.aggregate)
        value = exact if self.aggregate in {"COUNT", "MAX", "MIN"} else f"ROUND({exact}, 2)"
        conditions = list(self.conditions)
        if self.metric is not None:
            conditions.append(f"{_as_number(self.metric)} IS NOT NULL")
        parts = [f'{value} AS "{self.label}", COUNT(*) AS "rows_counted" FROM {table.quoted}']
        if conditions:
            parts.append(f"WHERE {' AND '.join(conditions)}")
        if self.group is None:
            return f"SELECT {' '.join(parts)}"
        name = self.group.quoted
        parts.append(f"GROUP BY {name} ORDER BY {exact} {'DESC' if self.descending else 'ASC'}, {name}")
        if self.limit:
            parts.append(f"LIMIT {self.limit}")
        return f"SELECT {name}, {' '.join(parts)}"

    def _rows_sql(self, table: Described, metric: Column) -> str:
        value = _as_number(metric)
        where = " AND ".join((*self.conditions, f"{value} IS NOT NULL"))
        order = "DESC" if self.descending else "ASC"
        names = ", ".join(column.quoted for column in table.columns)
        return f"SELECT * FROM {table.quoted} WHERE {where} ORDER BY {value} {order}, {names} LIMIT {self.limit}"


def understand(text: str, table: Described) -> Question | None:
    """The question that `text` asks of `table`; None when it names none of its columns."""
    words = words_of(text)
    rows_wanted = _rows_wanted(words)
    limit, group = (rows_wanted, None) if rows_wanted else _limit_and_group(words, table)
    conditions, used = _conditions(text, words, table)
    aggregate, label, place = ("COUNT", "count", 0) if _COUNTED.search(text) else _aggregate(words)
    taken = {*used, *([group.name] if group else [])}
    metric = None if aggregate == "COUNT" else _explicit(text, table) or _metric(words, place, table, taken)
    if metric is None and aggregate != "COUNT":
        if group is None:
            return None
        aggregate, label = "COUNT", "count"
    named = f"{label}_{metric.name}" if metric else label
    return Question(
        group=group,
        metric=metric,
        aggregate=aggregate,
        label=named,
        conditions=tuple(conditions),
        descending=_descending(text, metric),
        limit=limit,
        whole_rows=rows_wanted is not None,
    )


def _rows_wanted(words: Sequence[str]) -> int | None:
    """`5 rows`, `lima transaksi`: whole rows are wanted, not groups."""
    pairs = pairwise(words)
    return next((number for word, after in pairs if after in _ROWS and (number := number_of(word))), None)


def _explicit(text: str, table: Described) -> Column | None:
    """`kolom total`, `the total column`: the column named as such."""
    said = {(match["after"] or match["before"]).lower() for match in _COLUMN.finditer(text)}
    return next((column for column in table.columns if column.name.lower() in said), None)


def _limit_and_group(words: Sequence[str], table: Described) -> tuple[int | None, Column | None]:
    """`the 3 carriers`, `tiga maskapai`, `top 5 airports`; else the column after `per`, `by`, `each`."""
    for at, word in enumerate(words):
        number = number_of(word)
        if number and (at == 0 or concept(words[at - 1]) not in {"month", "year", "day"}):
            column = _named(words[at + 1 : at + 4], table)
            if column:
                return number, column
    for at, word in enumerate(words):
        if word in {"per", "each", "every", "tiap", "setiap", "menurut", "masing"}:
            column = _named(words[at + 1 : at + 4], table)
            if column:
                return None, column
    for word in ("which", "mana", "by"):
        if word in words:
            at = words.index(word)
            column = _named(words[at + 1 : at + 3] or words[at - 1 : at], table)
            if column and not column.is_number:
                return (1 if word != "by" else None), column
    return None, None


def _named(words: Sequence[str], table: Described) -> Column | None:
    """The column that the first fitting word names in full."""
    for word in words:
        for column in table.columns:
            if column.concepts and column.concepts[0] == concept(word) and len(column.concepts) == 1:
                return column
    return None


def _aggregate(words: Sequence[str]) -> tuple[str, str, int]:
    for function, label, known in _AGGREGATES:
        for at, word in enumerate(words):
            if word in known.split():
                return function, label, at
    return "SUM", "total", 0


def _metric(words: Sequence[str], place: int, table: Described, taken: set[str]) -> Column | None:
    """The number column most of whose words are in the question, the nearest after the aggregate's word."""
    said = [concept(word) for word in words]
    best: tuple[tuple[float, int, int], Column] | None = None
    for column in table.columns:
        if column.name in taken or column.is_instant:
            continue
        places = [at for at in (_place(part, said, place) for part in column.concepts) if at is not None]
        if not places or len(places) < len(column.concepts):
            continue
        rank = (float(column.is_number), len(places), -min(abs(at - place) for at in places))
        if best is None or rank > best[0]:
            best = (rank, column)
    return best[1] if best else None


def _place(part: str, said: Sequence[str], place: int) -> int | None:
    fitting = [at for at, word in enumerate(said) if _same(part, word)]
    return min(fitting, key=lambda at: (at < place, abs(at - place))) if fitting else None


def _same(part: str, word: str) -> bool:
    return part == word or (len(part) >= 3 and len(word) >= 3 and (word.startswith(part) or part.startswith(word)))


def _conditions(text: str, words: Sequence[str], table: Described) -> tuple[list[str], set[str]]:
    found = [*_calendar(words, table), *_values(text, table)]
    return [condition for condition, _ in found], {name for _, name in found}


def _calendar(words: Sequence[str], table: Described) -> Iterator[tuple[str, str]]:
    month = _month(words)
    instant = next((column for column in table.columns if column.is_instant), None)
    for part, value in (("month", month), ("year", _year(words))):
        column = table.find(part)
        if value is None:
            continue
        if column is not None:
            yield f"{_as_number(column)} = {value}", column.name
        elif instant is not None:
            yield f"EXTRACT({part} FROM {instant.quoted}) = {value}", instant.name


def _month(words: Sequence[str]) -> int | None:
    for at, word in enumerate(words[:-1]):
        if concept(word) == "month":
            number = number_of(words[at + 1]) or MONTHS.get(words[at + 1])
            if number and 1 <= number <= 12:
                return number
    named = (MONTHS[word] for at, word in enumerate(words) if word in MONTHS and _is_date_word(words, at))
    return next(named, None)


def _is_date_word(words: Sequence[str], at: int) -> bool:
    """`may` and `mar` are months only beside `in`, `di`, a preposition or a year."""
    return words[at] not in {"may", "jan", "feb"} or (at > 0 and words[at - 1] in {"in", "of", "for", "during", "pada"})


def _year(words: Sequence[str]) -> int | None:
    return next((int(word) for word in words if re.fullmatch(r"(?:19|20)\d\d", word)), None)


def _values(text: str, table: Described) -> Iterator[tuple[str, str]]:
    """`origin ABC`, `carrier = "AB"`, `from ABC`: a column's word and a code in capitals or quotes."""
    pattern = r"\b{word}s?\s*(?:is|=|equals|adalah|:)?\s*(?:['\"“]([^'\"”]+)['\"”]|([A-Z][A-Z0-9]{{1,5}})\b)"
    for column in table.columns:
        if column.is_number or len(column.concepts) != 1:
            continue
        for word in (column.name, *_FROM.get(column.concepts[0], ())):
            match = re.search(pattern.format(word=rf"(?i:{re.escape(word)})"), text)
            if match:
                value = (match.group(1) or match.group(2)).replace("'", "''")
                yield f"{column.quoted} = '{value}'", column.name
                break


def _descending(text: str, metric: Column | None) -> bool:
    if mentions(text, "worst terburuk") and metric is not None:
        return bool(_BAD_WHEN_HIGH & set(metric.concepts))
    if mentions(text, "best terbaik") and metric is not None:
        return not _BAD_WHEN_HIGH & set(metric.concepts)
    return not mentions(text, _LOW)


def _measured(metric: Column | None, aggregate: str) -> str:
    return "COUNT(*)" if metric is None else f"{aggregate}({_as_number(metric)})"


def _as_number(column: Column) -> str:
    return column.quoted if column.is_number or not column.type else f"TRY_CAST({column.quoted} AS DOUBLE)"

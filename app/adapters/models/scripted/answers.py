"""Tables as tools write them: JSON, Markdown, CSV or tab-separated text."""

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from app.adapters.models.scripted.conversation import as_json
from app.adapters.models.scripted.language import concept, words_of

_NUMERIC = re.compile(r"(?i)^(?:u?(?:tiny|small|big|huge)?int(?:eger)?\d*|double|float\d?|real|decimal.*|numeric.*)$")
_TYPES = (
    "BIGINT|INTEGER|SMALLINT|TINYINT|HUGEINT|UBIGINT|UINTEGER|INT64|INT32|INT|DOUBLE|FLOAT|REAL|DECIMAL|NUMERIC|"
    "VARCHAR|TEXT|STRING|DATE|TIMESTAMP|TIME|BOOLEAN"
)
_COLUMN_LINE = re.compile(
    rf"""^[\s|*-]*["`]?(?P<name>\w[^|"`]*?)["`]?\s*[\s|:,(]\s*(?P<type>(?:{_TYPES})(?:\([\d, ]+\))?)(?![\w(])"""
)
_COUNT_LINE = re.compile(r"\(.* rows(?: shown)?\)")
_TABLE_NAME = re.compile(r"""(?i)\btab(?:le|el)\b\s*:?\s*["`]?(?P<name>[A-Za-z_]\w*)["`]?""")


class Column(msgspec.Struct, frozen=True):
    name: str
    type: str = ""

    @property
    def is_number(self) -> bool:
        return bool(_NUMERIC.match(self.type))

    @property
    def is_instant(self) -> bool:
        return self.type.upper().startswith(("DATE", "TIMESTAMP"))

    @property
    def concepts(self) -> tuple[str, ...]:
        return tuple(concept(word) for word in words_of(self.name))

    @property
    def quoted(self) -> str:
        return '"' + self.name.replace('"', '""') + '"'


class Described(msgspec.Struct, frozen=True):
    """A table as its description answers: the name to use in SQL and its columns."""

    table: str
    columns: tuple[Column, ...]

    @property
    def quoted(self) -> str:
        return '"' + self.table.replace('"', '""') + '"'

    def find(self, *concepts: str) -> Column | None:
        """The first column that has one of the concepts, in the order asked."""
        for wanted in concepts:
            for column in self.columns:
                if wanted in column.concepts:
                    return column
        return None


class Rows(msgspec.Struct, frozen=True):
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def described(content: str, file_name: str) -> Described:
    """The columns in the answer of `describe_table`."""
    fallback = re.sub(r"\W", "_", file_name.rsplit(".", 1)[0])
    value = as_json(content)
    if isinstance(value, dict):
        table = str(value.get("table") or value.get("table_name") or value.get("name") or fallback)
        return Described(table, tuple(_json_columns(value.get("columns"))))
    named = _TABLE_NAME.search(content)
    return Described(named["name"] if named else fallback, tuple(_text_columns(content)))


def _json_columns(value: Any) -> list[Column]:
    if isinstance(value, dict):
        return [Column(str(name), str(kind)) for name, kind in value.items()]
    found = []
    for item in value or ():
        if isinstance(item, dict):
            name = item.get("name") or item.get("column_name") or item.get("column")
            found.append(Column(str(name), str(item.get("type") or item.get("column_type") or "")))
        else:
            found.append(Column(str(item)))
    return found


def _text_columns(content: str) -> list[Column]:
    found = (_COLUMN_LINE.match(line) for line in content.splitlines())
    return [Column(match["name"].strip(), match["type"]) for match in found if match]


def rows(content: str) -> Rows:
    """The rows in the answer of `query_table`."""
    value = as_json(content)
    if isinstance(value, dict) and "rows" in value:
        return _json_rows(value.get("columns"), value["rows"])
    if isinstance(value, list):
        return _json_rows(None, value)
    lines = [line for line in content.splitlines() if line.strip()]
    if any(line.lstrip().startswith("|") for line in lines):
        return _markdown_rows(lines)
    return _delimited_rows(lines)


def _json_rows(columns: Any, values: Sequence[Any]) -> Rows:
    if values and isinstance(values[0], dict):
        names = tuple(str(name) for name in values[0])
        return Rows(names, tuple(tuple(_shown(row.get(name)) for name in names) for row in values))
    names = tuple(str(name.get("name") if isinstance(name, dict) else name) for name in columns or ())
    return Rows(names, tuple(tuple(_shown(cell) for cell in row) for row in values))


def _markdown_rows(lines: Sequence[str]) -> Rows:
    cells = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines if "|" in line]
    kept = [row for row in cells if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]
    return Rows(tuple(kept[0]), tuple(tuple(row) for row in kept[1:])) if kept else Rows((), ())


def _delimited_rows(lines: Sequence[str]) -> Rows:
    lines = [line for line in lines if not _COUNT_LINE.fullmatch(line.strip())]
    delimiter = "\t" if lines and "\t" in lines[0] else ","
    table = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter))
    width = len(table[0]) if table else 0
    kept = [tuple(cell.strip() for cell in row) for row in table if len(row) == width]
    return Rows(kept[0], tuple(kept[1:])) if kept else Rows((), ())


def _shown(cell: object) -> str:
    return "" if cell is None else str(cell)

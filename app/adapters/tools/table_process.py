"""One step over attached tables, in a process of its own that can reach nothing else.

Run as `python -I table_process.py` with one JSON request on standard input; answers one JSON object on standard
output. `convert` reads one file of any kind and writes it as Parquet, with types; `describe` and `query` load such
Parquet files, then lock file system, network, extensions and settings, and only then read the worker's statement. It
imports nothing of the application.
"""

import json
import math
import os
import re
import sys
import threading
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import duckdb

LOCKS = (
    "SET enable_external_access = false",
    "SET disabled_filesystems = 'LocalFileSystem'",
    "SET lock_configuration = true",
)
SETTINGS = (
    "SET autoload_known_extensions = false",
    "SET autoinstall_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET temp_directory = ''",
    "SET secret_directory = '/nonexistent'",
    "SET TimeZone = 'UTC'",
    "SET threads = 2",
)
NOTHING = ("", "NA", "N/A", "NULL", "null", "NaN", "nan")
EXACT = 2**53


class Refused(Exception):
    """The request cannot be answered; the message is for the worker."""


def main() -> None:
    request = json.load(sys.stdin)
    _limit(request)
    try:
        answer = _answer(request)
    except (Refused, duckdb.Error) as error:
        answer = {"error": _first_lines(str(error))}
    except MemoryError:
        answer = {"error": "this needs more memory than it may use: select fewer rows or columns"}
    json.dump(answer, sys.stdout)
    sys.stdout.flush()
    os._exit(0)


def _limit(request: dict[str, Any]) -> None:
    try:
        import resource
    except ImportError:
        return
    limits = (
        (resource.RLIMIT_AS, request["memory_bytes"] * 3 + 2**31),
        (resource.RLIMIT_CPU, request["seconds"] * 4),
        (resource.RLIMIT_FSIZE, request["memory_bytes"] if request["mode"] == "convert" else 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    )
    for kind, most in limits:
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    connection = duckdb.connect(":memory:")
    for setting in (*SETTINGS, f"SET memory_limit = '{int(request['memory_bytes'])} bytes'"):
        connection.execute(setting)
    with _Deadline(connection, request["seconds"]):
        if request["mode"] == "convert":
            return _convert(connection, request["files"][0], request["into"])
        for file in request["files"]:
            _load(connection, file)
        for lock in LOCKS:
            connection.execute(lock)
        if request["mode"] == "describe":
            return _described(connection, request["files"][0])
        return _query(connection, request["sql"], request["rows"])


class _Deadline:
    """Interrupts the connection after so many seconds."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, seconds: int) -> None:
        self.seconds = seconds
        self.timer = threading.Timer(seconds, connection.interrupt)
        self.timer.daemon = True

    def __enter__(self) -> None:
        self.timer.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.timer.cancel()
        if isinstance(error, duckdb.InterruptException):
            raise Refused(f"it took longer than {self.seconds} seconds: select less, or aggregate first")


def _load(connection: duckdb.DuckDBPyConnection, file: dict[str, str]) -> None:
    table, alias = _quoted(file["table"]), _quoted(file["name"])
    connection.execute(f"CREATE TABLE {table} AS SELECT * FROM read_parquet(?)", [file["path"]])  # noqa: S608
    if file["name"].lower() != file["table"].lower():
        connection.execute(f"CREATE VIEW {alias} AS SELECT * FROM {table}")  # noqa: S608


def _convert(connection: duckdb.DuckDBPyConnection, file: dict[str, str], into: str) -> dict[str, Any]:
    try:
        connection.execute(f"CREATE TABLE raw AS SELECT * FROM {_reader(file)}", [file["path"]])  # noqa: S608
    except duckdb.Error as error:
        raise Refused(f"{file['name']} cannot be read as a table: {_first_lines(str(error))}") from error
    columns = _typed(connection) if file["format"] in {"csv", "tsv"} else "*"
    connection.execute(f"COPY (SELECT {columns} FROM raw) TO '{into}' (FORMAT parquet, COMPRESSION zstd)")  # noqa: S608
    return {"ok": True}


def _reader(file: dict[str, str]) -> str:
    match file["format"]:
        case "parquet":
            return "read_parquet(?)"
        case "json":
            return "read_json_auto(?)"
        case "tsv":
            return "read_csv(?, delim='\t', header=true, all_varchar=true, null_padding=true)"
        case _:
            return "read_csv(?, header=true, all_varchar=true, sample_size=20000, null_padding=true)"


def _typed(connection: duckdb.DuckDBPyConnection) -> str:
    """Each column as the narrowest of whole number, decimal, floating number, date and time stamp that keeps every
    value as written; else text. Numbers with leading zeros are text: they are codes or accounts. Empty, NA, N/A, NULL
    and NaN in a column of numbers or times are null."""
    names = [str(row[0]) for row in connection.execute("DESCRIBE raw").fetchall()]
    sample = connection.execute("SELECT * FROM raw USING SAMPLE reservoir(2000 ROWS) REPEATABLE (1)").fetchall()
    candidates = {name: _candidates([row[index] for row in sample]) for index, name in enumerate(names)}
    chosen: dict[str, str] = {}
    while open_names := [name for name in names if name not in chosen and candidates[name]]:
        misfits = ", ".join(_misfits(_quoted(name), candidates[name][0]) for name in open_names)
        counts = connection.execute(f"SELECT {misfits} FROM raw").fetchone() or ()  # noqa: S608
        for name, count in zip(open_names, counts, strict=True):
            kind = candidates[name].pop(0)
            if not count:
                chosen[name] = kind
    return ", ".join(_cast(_quoted(name), chosen.get(name)) for name in names)


def _candidates(sample: list[str | None]) -> list[str]:
    """Types that fit the sample, narrowest first; `DECIMAL(18,6)` stands for any number of places up to six."""
    values = [value.strip() for value in sample if value is not None and value.strip() not in NOTHING]
    if not values:
        return []
    fraction = max(len(value.partition(".")[2]) for value in values)
    kinds = (
        ("BIGINT", r"-?(0|[1-9][0-9]{0,17})"),
        (f"DECIMAL(18,{min(fraction, 6)})", r"-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?"),
        ("DECIMAL(18,6)", r"-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?"),
        ("DOUBLE", r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?"),
        ("DATE", r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
        ("TIMESTAMP", r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?Z?"),
    )
    return [kind for kind, form in kinds if all(re.fullmatch(form, value) for value in values)]


def _misfits(column: str, kind: str) -> str:
    """How many values of the column do not survive `kind` as they are written. Rare cases alone cost more."""
    checks = [
        f"WHEN {column} IS NULL THEN false",
        f"WHEN TRY_CAST({column} AS {kind}) IS NULL THEN trim({column}) NOT IN {NOTHING}",
    ]
    if kind not in {"DATE", "TIMESTAMP"}:
        checks.append(f"WHEN {column} < '1' AND regexp_matches(trim({column}), '^([+]|-?0[0-9])') THEN true")
        checks.append(f"WHEN contains({column}, '_') THEN true")
    if kind == "BIGINT" or kind.startswith("DECIMAL"):
        places = 0 if kind == "BIGINT" else int(kind.rpartition(",")[2].rstrip(")"))
        checks.append(f"WHEN contains({column}, 'e') OR contains({column}, 'E') THEN true")
        point = f"strpos({column}, '.')"
        checks.append(f"WHEN {point} > 0 THEN length(rtrim({column})) - {point} > {places} OR {places} = 0")
    return f"count(*) FILTER (CASE {' '.join(checks)} ELSE false END)"


def _cast(column: str, kind: str | None) -> str:
    return column if kind is None else f"TRY_CAST({column} AS {kind}) AS {column}"


def _described(connection: duckdb.DuckDBPyConnection, file: dict[str, str]) -> dict[str, Any]:
    table = _quoted(file["table"])
    columns = [{"name": row[0], "type": row[1]} for row in connection.execute(f"DESCRIBE {table}").fetchall()]
    count = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
    sample = connection.execute(f"SELECT * FROM {table} LIMIT 3").fetchall()  # noqa: S608
    return {
        "name": file["name"],
        "table": file["table"],
        "row_count": count[0] if count else 0,
        "columns": columns,
        "sample": [[_value(item) for item in row] for row in sample],
    }


def _query(connection: duckdb.DuckDBPyConnection, sql: str, rows: int) -> dict[str, Any]:
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise Refused(f"send exactly one statement, not {len(statements)}")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise Refused("only SELECT (or WITH ... SELECT) is possible: the tables cannot be changed")
    connection.execute(statements[0])
    columns = [item[0] for item in connection.description or ()]
    found = connection.fetchmany(rows + 1)
    return {
        "columns": columns,
        "rows": [[_value(item) for item in row] for row in found[:rows]],
        "more": len(found) > rows,
    }


def _value(value: object) -> object:
    """Exact JSON: whole numbers within 2**53 as they are, other numbers as decimal strings, times as ISO 8601."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= EXACT else str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Decimal):
        return int(value) if value.as_tuple().exponent == 0 and abs(value) <= EXACT else f"{value:f}"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {_ascii(key): _value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_value(item) for item in value]
    return str(value) if not isinstance(value, timedelta) else str(value.total_seconds())


def _ascii(key: object) -> str:
    return str(key).encode("ascii", "backslashreplace").decode()


def _float(value: float) -> object:
    if not math.isfinite(value):
        return str(value)
    if value.is_integer() and abs(value) <= EXACT:
        return int(value)
    return format(Decimal(repr(value)), "f")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _first_lines(message: str) -> str:
    return re.sub(r"\s*\n\s*", " ", message.split("\n\nLINE ", maxsplit=1)[0]).strip()[:800]


if __name__ == "__main__":
    main()

"""SQL over the tables attached to a ticket: DuckDB in a locked process, one for each call."""

import asyncio
import json
import os
import re
import shutil
import sys
import tempfile
import weakref
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from app.adapters.tools.wording import as_csv, decoded, text_argument
from app.canon.tool import EvidenceItem, InputFile, Inputs, ToolCall, ToolFailed, ToolResult, ToolSpec, Wording
from app.canon.vocabulary import Risk

PROCESS = Path(__file__).with_name("table_process.py")
MEMORY_BYTES = 1_000_000_000
SECONDS = 60
CONVERT_SECONDS = 180
ROWS = 5_000
SHOWN_ROWS = 200
SHOWN_CHARACTERS = 20_000
MAX_FILE_BYTES = 512 * 1024 * 1024
MAX_KEPT_BYTES = 2 * 1024 * 1024 * 1024

_FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
_MEDIA_TYPES = {
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
}


class DescribeTable:
    """Columns, types, row count and three rows of one attached table."""

    spec = ToolSpec(
        name="describe_table",
        description=(
            "Columns, types, number of rows and three sample rows of an attached table (CSV, TSV, Parquet, JSON). "
            "The answer says under which table name to query it."
        ),
        parameters={
            "type": "object",
            "properties": {"name": {"type": "string", "description": "Name of the attached file"}},
            "required": ["name"],
            "additionalProperties": False,
        },
        risk=Risk.READ,
        effect="read",
        idempotent=True,
        data=("name",),
        words={
            "en": Wording("look at a table", "Look at the columns of {name}."),
            "id": Wording("melihat tabel", "Lihat kolom {name}."),
        },
    )

    def __init__(self, files: "TableFiles") -> None:
        self.files = files

    async def perform(self, call: ToolCall) -> ToolResult:
        tables = tables_of(call.inputs.files)
        wanted = text_argument(call.arguments, "name")
        chosen = {table: file for table, file in tables.items() if wanted in (file.name, table)}
        if not chosen:
            raise ToolFailed(_no_such_table(wanted, tables), code="tool.file_unknown")
        table = await self.files.run(call.inputs, chosen, None)
        lines = [f"{column['name']}: {column['type']}" for column in table["columns"]]
        sample = as_csv([column["name"] for column in table["columns"]], table["sample"])
        return ToolResult(
            f'{table["name"]} is the table "{table["table"]}" with {table["row_count"]} rows.\n'
            f"Columns:\n" + "\n".join(lines) + f"\nFirst rows:\n{sample}",
            table,
        )


class QueryTable:
    """One SELECT over all attached tables."""

    spec = ToolSpec(
        name="query_table",
        reads_any_file=True,
        description=(
            "Run one SELECT (DuckDB SQL) over the attached tables and get the rows. A file becomes a table named after "
            "it without its ending, in lower case, with _ for other signs: 'Bank Oct-2026.csv' is bank_oct_2026. The "
            "file's own name in double quotes works too. Nothing can be changed, and no other file or network reached."
        ),
        parameters={
            "type": "object",
            "properties": {"sql": {"type": "string", "description": "One SELECT or WITH statement"}},
            "required": ["sql"],
            "additionalProperties": False,
        },
        risk=Risk.READ,
        effect="read",
        idempotent=True,
        words={
            "en": Wording("query a table", "Query: {sql}."),
            "id": Wording("menghitung dari tabel", "Hitung: {sql}."),
        },
    )

    def __init__(self, files: "TableFiles") -> None:
        self.files = files

    async def perform(self, call: ToolCall) -> ToolResult:
        sql = text_argument(call.arguments, "sql")
        tables = tables_of(call.inputs.files)
        if not tables:
            raise ToolFailed(
                "no table is attached to this ticket: CSV, TSV, Parquet and JSON files can be queried",
                code="tool.file_unknown",
            )
        answer = await self.files.run(call.inputs, _named_in(sql, tables), sql)
        columns, rows, more = answer["columns"], answer["rows"], answer["more"]
        evidence = (
            EvidenceItem("query.sql", "application/sql", sql.encode()),
            EvidenceItem("result.csv", "text/csv", as_csv(columns, rows).encode()),
        )
        data = {"columns": columns, "rows": rows, "row_count": len(rows), "more": more}
        return ToolResult(_shown(columns, rows, more=more), data, evidence=evidence)


def tables_of(files: Sequence[InputFile]) -> dict[str, InputFile]:
    """Table name to file, for every file that is a table, in the order of attachment."""
    tables: dict[str, InputFile] = {}
    for file in files:
        if _format(file) is None:
            continue
        name, number = table_name(file.name), 2
        while name in tables:
            name, number = f"{table_name(file.name)}_{number}", number + 1
        tables[name] = file
    return tables


def table_name(file_name: str) -> str:
    """The file's name without its ending, lower case, other signs as `_`: `Bank Oct-2026.csv` is `bank_oct_2026`."""
    stem = file_name.rpartition("/")[2]
    for ending in _FORMATS:
        stem = stem[: -len(ending)] if stem.lower().endswith(ending) else stem
    name = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_") or "data"
    return f"t_{name}" if name[0].isdigit() else name


def _format(file: InputFile) -> str | None:
    by_name = _FORMATS.get(Path(file.name).suffix.lower())
    return by_name or _MEDIA_TYPES.get(file.media_type.partition(";")[0].strip().lower())


def _named_in(sql: str, tables: dict[str, InputFile]) -> dict[str, InputFile]:
    lower = sql.lower()
    return {table: file for table, file in tables.items() if table in lower or file.name.lower() in lower}


def _no_such_table(wanted: str, tables: dict[str, InputFile]) -> str:
    names = ", ".join(file.name for file in tables.values()) or "none"
    return f"no table {wanted!r} is attached to this ticket; attached tables: {names}"


class TableFiles:
    """Attached tables as Parquet with types, kept for later calls of this process by the SHA-256 of their content."""

    def __init__(self, seconds: int = SECONDS, memory_bytes: int = MEMORY_BYTES) -> None:
        self.seconds = seconds
        self.memory_bytes = memory_bytes
        self._kept: dict[str, int] = {}

    @cached_property
    def folder(self) -> Path:
        """Made at first use, readable by this user alone, removed with this object or at exit."""
        made = tempfile.mkdtemp(prefix="flr-tables-")
        weakref.finalize(self, shutil.rmtree, made, ignore_errors=True)
        return Path(made)

    async def parquet(self, inputs: Inputs, file: InputFile) -> Path:
        """The file as Parquet. Raises `ToolFailed` when it is no table."""
        form = _format(file) or "csv"
        path = self.folder / f"{file.sha256}.{form}.parquet"
        if path.name in self._kept and path.exists():
            return path
        content = await _bytes(inputs, file)
        with tempfile.TemporaryDirectory(prefix="flr-table-") as work:
            raw, made = Path(work) / "raw", Path(work) / "made"
            await _place(raw, content, form)
            await self._ask("convert", [_entry("raw", file.name, raw, form)], work, into=str(made))
            made.replace(path)
        self._keep(path)
        return path

    def _keep(self, path: Path) -> None:
        self._kept[path.name] = path.stat().st_size
        while sum(self._kept.values()) > MAX_KEPT_BYTES and len(self._kept) > 1:
            oldest = next(iter(self._kept))
            del self._kept[oldest]
            (self.folder / oldest).unlink(missing_ok=True)

    async def run(self, inputs: Inputs, tables: dict[str, InputFile], sql: str | None) -> dict[str, Any]:
        """Describes the one table, or answers `sql` over all of them. Raises `ToolFailed`."""
        files = [
            _entry(table, file.name, await self.parquet(inputs, file), "parquet") for table, file in tables.items()
        ]
        with tempfile.TemporaryDirectory(prefix="flr-table-") as work:
            return await self._ask("describe" if sql is None else "query", files, work, sql=sql)

    async def _ask(self, mode: str, files: list[dict[str, str]], work: str, **more: object) -> dict[str, Any]:
        """One answer of the table process, which runs in the folder `work`. Raises `ToolFailed`."""
        seconds = CONVERT_SECONDS if mode == "convert" else self.seconds
        limits = {"rows": ROWS, "memory_bytes": self.memory_bytes, "seconds": seconds}
        request = json.dumps({"mode": mode, "files": files, **limits, **more}).encode()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(PROCESS),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=work,
            env={"PATH": os.defpath, "HOME": work, "TMPDIR": work, "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        try:
            output, problems = await asyncio.wait_for(process.communicate(request), seconds + 15)
        except TimeoutError:
            raise ToolFailed(
                f"it took longer than {seconds} seconds: select less, or aggregate first", code="tool.slow"
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        answer = _read_answer(output, problems, process.returncode)
        if "error" in answer:
            raise ToolFailed(
                f"the query failed: {answer['error']}" if mode == "query" else str(answer["error"]), code="tool.query"
            )
        return answer


def _entry(table: str, name: str, path: Path, form: str) -> dict[str, str]:
    return {"table": table, "name": name, "path": str(path), "format": form}


async def _bytes(inputs: Inputs, file: InputFile) -> bytes:
    if file.size_bytes > MAX_FILE_BYTES:
        raise ToolFailed(
            f"{file.name} has {file.size_bytes} bytes; tables are read up to {MAX_FILE_BYTES} bytes",
            code="tool.file_large",
        )
    return await inputs.read(file.name)


async def _place(path: Path, content: bytes, form: str) -> None:
    def write() -> None:
        clean = decoded(content).encode() if form in {"csv", "tsv"} else content
        path.write_bytes(clean)

    await asyncio.to_thread(write)


def _read_answer(output: bytes, problems: bytes, code: int | None) -> dict[str, Any]:
    try:
        answer = json.loads(output)
    except ValueError:
        last = problems.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise ToolFailed(
            f"the query process ended with {code} and no answer ({' '.join(last)[:300]}): select or aggregate less",
            code="tool.query",
        ) from None
    return answer if isinstance(answer, dict) else {"error": "the query process gave no answer"}


def _shown(columns: Sequence[str], rows: Sequence[Sequence[object]], *, more: bool) -> str:
    text = as_csv(columns, rows[:SHOWN_ROWS])
    shown = min(len(rows), SHOWN_ROWS)
    if len(text) > SHOWN_CHARACTERS:
        text = text[:SHOWN_CHARACTERS].rpartition("\n")[0] + "\n"
        shown = text.count("\n") - 1
    total = f"more than {len(rows)}" if more else str(len(rows))
    note = f"({shown} of {total} rows shown)" if shown < len(rows) or more else f"({total} rows)"
    return f"{text}{note}"

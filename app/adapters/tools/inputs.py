"""The files of the ticket: listed, and read as text."""

import asyncio
from collections.abc import Sequence

import msgspec

from app.adapters.tools.mail_files import is_mail, opened_mail, part_of
from app.adapters.tools.page_text import page_text
from app.adapters.tools.table import tables_of
from app.adapters.tools.wording import decoded, storable, text_argument
from app.canon.errors import NotFound
from app.canon.tool import InputFile, ToolCall, ToolFailed, ToolResult, ToolSpec, Wording
from app.canon.vocabulary import Risk

MAX_READ_BYTES = 32 * 1024 * 1024
SHOWN_CHARACTERS = 40_000
TABLE_LINES = 30


class ListInputsTool:
    """What is attached to the ticket, and what was written in this run."""

    spec = ToolSpec(
        name="list_inputs",
        description="List the files of this ticket: name, type, size, and the table name if it can be queried.",
        parameters={"type": "object", "properties": {}, "additionalProperties": False},
        risk=Risk.READ,
        effect="read",
        idempotent=True,
        words={
            "en": Wording("list the files", "List the attached files."),
            "id": Wording("melihat daftar berkas", "Lihat daftar berkas terlampir."),
        },
    )

    async def perform(self, call: ToolCall) -> ToolResult:
        names = {file.name: table for table, file in tables_of(call.inputs.files).items()}
        data = [
            {
                "name": file.name,
                "media_type": file.media_type,
                "size_bytes": file.size_bytes,
                "trusted": file.trusted,
                "table": names.get(file.name),
            }
            for file in call.inputs.files
        ]
        lines = [_line(file, names.get(file.name)) for file in call.inputs.files]
        return ToolResult("\n".join(lines) or "No files are attached to this ticket.", data)


def _line(file: InputFile, table: str | None) -> str:
    query = f', table "{table}"' if table else ""
    return f"{file.name} ({file.media_type}, {file.size_bytes} bytes{query})"


class ReadInputTool:
    """One file as text: letters with their headers, pages without their markup, the head of tables."""

    spec = ToolSpec(
        name="read_input",
        description=(
            "Read one file of this ticket as text. Of a mail (.eml) you get sender, subject, text and the list of its "
            "attachments, which are read as 'mail.eml#attachment.txt'. Of a table you get the first lines; use "
            "query_table for the rest."
        ),
        parameters={
            "type": "object",
            "properties": {"name": {"type": "string", "description": "Name of the file, as list_inputs gives it"}},
            "required": ["name"],
            "additionalProperties": False,
        },
        risk=Risk.READ,
        effect="read",
        idempotent=True,
        data=("name",),
        words={
            "en": Wording("read a file", "Read {name}."),
            "id": Wording("membaca berkas", "Baca {name}."),
        },
    )

    async def perform(self, call: ToolCall) -> ToolResult:
        wanted = text_argument(call.arguments, "name")
        file, part = _find(call.inputs.files, wanted)
        if file.size_bytes > MAX_READ_BYTES and file.name not in _table_names(call.inputs.files):
            raise ToolFailed(
                f"{file.name} has {file.size_bytes} bytes; files are read up to {MAX_READ_BYTES} bytes",
                code="tool.file_large",
            )
        try:
            content = await call.inputs.read(file.name)
        except NotFound as error:
            raise ToolFailed(f"{file.name} is not stored any more: {error}", code="tool.file_away") from error
        return await asyncio.to_thread(_read, file, part, content)


def _table_names(files: Sequence[InputFile]) -> set[str]:
    return {file.name for file in tables_of(files).values()}


def _find(files: Sequence[InputFile], wanted: str) -> tuple[InputFile, str | None]:
    for file in files:
        if file.name == wanted:
            return file, None
    for file in files:
        if is_mail(file) and wanted.startswith(f"{file.name}#"):
            return file, wanted.removeprefix(f"{file.name}#")
    names = ", ".join(file.name for file in files) or "none"
    raise ToolFailed(f"no file {wanted!r} belongs to this ticket; files: {names}", code="tool.file_unknown")


def _read(file: InputFile, part: str | None, content: bytes) -> ToolResult:
    if is_mail(file):
        mail = opened_mail(content)
        if part is None:
            return ToolResult(_cut(mail.text()), msgspec.to_builtins(mail))
        name, media_type, content = part_of(content, part)
        file = InputFile(name, media_type, len(content), "")
    if file.name.lower().endswith(".parquet") or (
        b"\0" in content[:8192] and not content.startswith((b"\xff\xfe", b"\xfe\xff"))
    ):
        raise ToolFailed(_no_text(file), code="tool.file_unreadable")
    text = storable(decoded(content))
    if "html" in file.media_type or file.name.lower().endswith((".html", ".htm")):
        text = page_text(text)
    if tables_of((file,)):
        text = _head(text)
    shown = _cut(text)
    return ToolResult(shown, {"name": file.name, "text": shown, "characters": len(text)})


def _no_text(file: InputFile) -> str:
    if tables_of((file,)):
        return f"{file.name} is no text: use describe_table and query_table"
    return f"{file.name} ({file.media_type}) is no text and cannot be read here: attach it as text, CSV or mail"


def _head(text: str) -> str:
    lines = text.splitlines()
    if len(lines) <= TABLE_LINES + 1:
        return text
    return "\n".join(lines[: TABLE_LINES + 1]) + f"\n({TABLE_LINES} of {len(lines) - 1} rows; use query_table)"


def _cut(text: str) -> str:
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return text[:SHOWN_CHARACTERS] + f"\n({SHOWN_CHARACTERS} of {len(text)} characters shown)"

"""Code that a worker wrote, run in a locked room: no network, no file of this machine, hard limits."""

import asyncio
import mimetypes
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from app.adapters.sandbox import Ended, Limits, Mount, NoSandbox, python, run_locked
from app.adapters.tools.wording import storable, text_argument, texts_argument
from app.canon.errors import NotFound
from app.canon.tool import EvidenceItem, InputFile, Inputs, ToolCall, ToolFailed, ToolResult, ToolSpec, Wording
from app.canon.vocabulary import Risk

LIMITS = Limits()
MAX_CODE_CHARACTERS = 100_000
MAX_INPUT_BYTES = 256 << 20
MAX_FILES = 20
SHOWN_CHARACTERS = 20_000
SHOWN_ERROR_CHARACTERS = 4_000
_NAME = re.compile(r"[^\W_][\w .()+-]{0,119}")
_CODE = "/run/flr/code.py"


class RunPythonTool:
    """One Python program over files of the ticket; what it writes to /out becomes documents of the ticket."""

    spec = ToolSpec(
        name="run_python",
        description=(
            "Run one Python program (standard library only) in a locked room and get what it prints. Files of this "
            "ticket that you name in `files` lie read-only in /in under their names. What it writes to /out becomes "
            "documents of the ticket. There is no network and no other file; it has 60 seconds and 512 MB."
        ),
        parameters={
            "type": "object",
            "properties": {
                "code": {"type": "string", "maxLength": MAX_CODE_CHARACTERS, "description": "The whole program"},
                "files": {
                    "type": "array",
                    "items": {"type": "string"},
                    "maxItems": 50,
                    "description": "Names of the ticket's files that the program reads",
                },
            },
            "required": ["code"],
            "additionalProperties": False,
        },
        risk=Risk.READ,
        effect="read",
        idempotent=True,
        data=("files",),
        words={
            "en": Wording("run a program in a locked room", "Run a program over {files}."),
            "id": Wording("menjalankan program di ruang terkunci", "Jalankan program atas {files}."),
        },
    )

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.limits = limits

    async def perform(self, call: ToolCall) -> ToolResult:
        code = text_argument(call.arguments, "code")
        wanted = [_file(call.inputs.files, name) for name in texts_argument(call.arguments, "files")]
        if sum(file.size_bytes for file in wanted) > MAX_INPUT_BYTES:
            raise ToolFailed(
                f"the files have more than {MAX_INPUT_BYTES >> 20} MB together: name fewer", code="tool.file_large"
            )
        with tempfile.TemporaryDirectory(prefix="flr-python-") as made:
            room = Path(made)
            mounts = await _furnish(room, code, wanted, call.inputs)
            try:
                ended = await run_locked(python(_CODE), mounts=mounts, limits=self.limits, folder="/out")
            except NoSandbox as missing:
                raise ToolFailed(
                    f"Refused: code runs in a sandbox only, and {missing}.", code="tool.sandbox"
                ) from missing
            if ended.stopped or ended.code != 0:
                raise ToolFailed(_why(ended, self.limits), code="tool.program")
            taken = {file.name for file in call.inputs.files if file.attached}
            files, left = await asyncio.to_thread(_collect, room / "out", taken)
        return _result(code, ended, files, left)


def _file(files: tuple[InputFile, ...], name: str) -> InputFile:
    for file in files:
        if file.name == name:
            if "/" in name or "\0" in name or name in (".", ".."):
                raise ToolFailed(
                    f"{name!r} cannot lie in a folder: its name has signs that no file has", code="tool.arguments"
                )
            return file
    names = ", ".join(file.name for file in files) or "none"
    raise ToolFailed(f"no file {name!r} belongs to this ticket; files: {names}", code="tool.file_unknown")


async def _furnish(room: Path, code: str, wanted: list[InputFile], inputs: Inputs) -> list[Mount]:
    """Folders of the room as mounts. `room` itself is entered by this process's user alone."""
    program, given, out = room / "code.py", room / "in", room / "out"
    program.write_text(code, encoding="utf-8", errors="replace")
    program.chmod(0o444)
    given.mkdir(mode=0o755)
    out.mkdir()
    out.chmod(0o777)
    for file in wanted:
        try:
            content = await inputs.read(file.name)
        except NotFound as error:
            raise ToolFailed(f"{file.name} is not stored any more: {error}", code="tool.file_away") from error
        target = given / file.name
        await asyncio.to_thread(target.write_bytes, content)
        target.chmod(0o444)
    return [Mount(program, _CODE), Mount(given, "/in"), Mount(out, "/out", writable=True)]


def _why(ended: Ended, limits: Limits) -> str:
    told = _tail(ended.errors) or _tail(ended.output)
    if ended.stopped:
        return f"the program was stopped: {ended.stopped}. {told}".strip()
    if ended.code in (-24, 152, 128 + 9, -9) and not told:
        return f"the program was stopped by the system: {limits.cpu_seconds} seconds of computing are the most"
    return f"the program ended with {ended.code}: {told}"


def _tail(output: bytes) -> str:
    return storable(output.decode("utf-8", "replace"))[-SHOWN_ERROR_CHARACTERS:].strip()


def _collect(out: Path, taken: set[str]) -> tuple[list[EvidenceItem], list[str]]:
    """Plain files of /out, and what was left behind with the reason. No link is followed, and no folder entered."""
    files: list[EvidenceItem] = []
    left: list[str] = []
    folder = os.open(out, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        for name in sorted(os.listdir(folder)):  # noqa: PTH208 - by its descriptor
            shown = storable(name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
            content = _plain(folder, name)
            if isinstance(content, str):
                left.append(f"{shown} ({content})")
            elif not _NAME.fullmatch(name) or name.endswith("."):
                left.append(f"{shown} (no file name: use letters, digits, spaces and . - _ ( ))")
            elif name in taken:
                left.append(f"{shown} (attached to the ticket already: use another name)")
            elif len(files) == MAX_FILES:
                left.append(f"{shown} ({MAX_FILES} files are the most)")
            else:
                files.append(EvidenceItem(name, _media_type(name), content))
    finally:
        os.close(folder)
    return files, left


def _plain(folder: int, name: str) -> bytes | str:
    """The bytes of a plain file; of anything else, what it is."""
    descriptor = -1
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return "no plain file"
        if found.st_size > LIMITS.file_bytes:
            return f"more than {LIMITS.file_bytes >> 20} MB"
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(LIMITS.file_bytes)
    except OSError:
        return "no plain file"
    finally:
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)


def _media_type(name: str) -> str:
    known = {".md": "text/markdown", ".csv": "text/csv", ".jsonl": "application/x-ndjson"}
    return known.get(Path(name).suffix.lower()) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _result(code: str, ended: Ended, files: list[EvidenceItem], left: list[str]) -> ToolResult:
    output = storable(ended.output.decode("utf-8", "replace"))
    content = "\n".join(_lines(ended, output, files, left)).strip() or "The program ended and printed nothing."
    data = {
        "stdout": output[:SHOWN_CHARACTERS],
        "stderr": _tail(ended.errors),
        "files": [{"name": file.name, "size_bytes": len(file.content)} for file in files],
        "left_behind": left,
    }
    evidence = [EvidenceItem("code.py", "text/x-python", code.encode("utf-8", "replace"))]
    evidence += [EvidenceItem("stdout.txt", "text/plain", ended.output)] if ended.output else []
    evidence += [EvidenceItem("stderr.txt", "text/plain", ended.errors)] if ended.errors else []
    return ToolResult(content, data, evidence=tuple(evidence), files=tuple(files))


def _lines(ended: Ended, output: str, files: list[EvidenceItem], left: list[str]) -> Iterator[str]:
    yield output[:SHOWN_CHARACTERS]
    if ended.cut or len(output) > SHOWN_CHARACTERS:
        yield "(the output is longer; only its beginning is shown)"
    if ended.errors:
        yield f"On standard error: {_tail(ended.errors)}"
    if files:
        yield "Documents written: " + ", ".join(f"{file.name} ({len(file.content)} bytes)" for file in files)
    if left:
        yield "Left behind: " + ", ".join(left)

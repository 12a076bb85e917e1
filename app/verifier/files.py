"""Opening what an auditor was given: NDJSON, plain or in zstd frames, or the archive of a case."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import zstandard

from app.verifier import lines
from app.verifier.errors import Broken, NotAnExport

# What reading a damaged archive may raise, whichever part of it is damaged.
DAMAGED = (
    zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, KeyError, ValueError, NotImplementedError,
    RuntimeError,
)  # fmt: skip

ZSTD, ZIP = b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
CASE_LEDGER = "ledger.ndjson"
LONGEST_LINE = 64 * 1024 * 1024
_CHUNK = 1024 * 1024
_CHECKSUM, _SINGLE, _UNUSED = 0x04, 0x20, 0x18
_MAX_WINDOW = 128 * 1024 * 1024


class Frame(NamedTuple):
    """A whole zstd frame: it begins at `start`, the next would at `end`."""

    start: int
    end: int


def whole_frames(file: IO[bytes], size: int) -> Iterator[Frame]:
    """The frames of a file as long as they are whole, each with a checksum (RFC 8878, 3.1.1); reads no content."""
    start = 0
    while start < size:
        end = _end_of_frame(file, start, size)
        if end is None:
            return
        yield Frame(start, end)
        start = end


def _end_of_frame(file: IO[bytes], start: int, size: int) -> int | None:
    file.seek(start)
    head = file.read(5)
    if len(head) < 5 or head[:4] != ZSTD or not head[4] & _CHECKSUM or head[4] & _UNUSED:
        return None
    single = bool(head[4] & _SINGLE)
    dictionary = (0, 1, 2, 4)[head[4] & 3]
    content_size = (1 if single else 0, 2, 4, 8)[head[4] >> 6]
    at = start + 5 + (0 if single else 1) + dictionary + content_size
    while at + 3 <= size:
        file.seek(at)
        raw = file.read(3)
        header = raw[0] | raw[1] << 8 | raw[2] << 16
        kind, length = header >> 1 & 3, header >> 3
        if kind == 3:
            return None
        at += 3 + (1 if kind == 1 else length)
        if header & 1:
            return at + 4 if at + 4 <= size else None
    return None


class Opened(NamedTuple):
    """An opened export. `archive` is there for a case: evidence and summary lie beside the ledger's lines."""

    stream: IO[bytes]
    archive: zipfile.ZipFile | None = None
    note: str = ""

    def close(self) -> None:
        self.stream.close()
        if self.archive is not None:
            self.archive.close()


def open_export(path: Path) -> Opened:
    """Raises `NotAnExport`."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise NotAnExport(f"{path} cannot be read: {error.strerror}") from error
    try:
        return _opened(file, path)
    except BaseException:
        file.close()
        raise


def _opened(file: IO[bytes], path: Path) -> Opened:
    start = file.read(len(lines.HEADER))
    size = file.seek(0, 2)
    file.seek(0)
    if not start:
        raise NotAnExport(f"{path} is empty")
    if start.startswith(ZIP):
        file.close()
        return _open_case(path)
    if start.startswith(ZSTD):
        end = max((frame.end for frame in whole_frames(file, size)), default=0)
        file.seek(0)
        decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
        note = "" if end == size else f"it ends inside of a compressed frame, at byte {end} of {size}"
        return Opened(decompressor.stream_reader(file, read_across_frames=True, closefd=True), note=note)
    if not start.startswith(lines.HEADER[: len(start)]):
        raise NotAnExport(f"{path} is not an export of a ledger")
    return Opened(file)


def _open_case(path: Path) -> Opened:
    archive = None
    try:
        archive = zipfile.ZipFile(path)
        return Opened(archive.open(CASE_LEDGER), archive)
    except DAMAGED as error:
        if archive is not None:
            archive.close()
        raise NotAnExport(f"{path} is an archive, but not that of a case") from error


def blocks_of(stream: IO[bytes]) -> Iterator[list[bytes]]:
    """Lines with their LF, many at a time; what stands after the last LF comes without one. Raises `Broken`."""
    rest = b""
    while chunk := _read(stream):
        whole, gap, tail = chunk.rpartition(b"\n")
        if not gap:
            rest += chunk
            if len(rest) > LONGEST_LINE:
                raise Broken("a line is longer than any of an export")
            continue
        yield (rest + whole + gap).splitlines(keepends=True)
        rest = tail
    if rest:
        yield [rest]


def lines_of(stream: IO[bytes]) -> Iterator[bytes]:
    """The same, one by one."""
    for block in blocks_of(stream):
        yield from block


def _read(stream: IO[bytes]) -> bytes:
    try:
        return stream.read(_CHUNK)
    except (zstandard.ZstdError, zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError) as error:
        raise Broken(f"the compressed bytes are damaged: {error}") from error

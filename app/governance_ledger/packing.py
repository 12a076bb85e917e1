"""Exports as files: each group of lines is one zstd frame (RFC 8878), so that whole frames are a whole beginning."""

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import msgspec
import zstandard

from app.canon.errors import Conflict
from app.canon.evidence import EvidenceStore
from app.governance_ledger.exporting import Piece, Progress, export_pieces, signed_kind
from app.governance_ledger.planning import Plan, Wanted, plan_again, plan_export
from app.postgres import Database
from app.verifier import lines
from app.verifier.files import lines_of, open_export, whole_frames

PART = ".part"
MEDIA_TYPE = "application/zstd"
LEVEL = 3
_XID = re.compile(rb'"xid":"([0-9]+)"$')
_SHA256 = re.compile(rb'"sha256":"([0-9a-f]{64})"\}\}\n$')


class OtherExport(Conflict):
    """What was begun under this name is another export: remove it, or ask for the same again."""


class Exported(msgspec.Struct, frozen=True):
    """What was written. `resumed_at` is the event after which an interrupted export went on."""

    file: str
    tenant: UUID
    from_seq: int
    to_seq: int
    size_bytes: int
    resumed_at: int | None


class Packed(NamedTuple):
    """Bytes of the file. `seq` is how far the export came."""

    content: bytes
    seq: int


async def pack(pieces: AsyncIterator[Piece]) -> AsyncIterator[Packed]:
    """Compress group by group; each frame carries a checksum."""
    frame = None
    async for piece in pieces:
        if frame is None:
            frame = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compressobj()
        content = frame.compress(piece.content)
        if piece.closes:
            content += frame.flush()
            frame = None
        if content:
            yield Packed(content, piece.seq)


async def export_to_file(
    database: Database,
    tenant: UUID,
    wanted: Wanted,
    out: Path,
    *,
    store: EvidenceStore,
    jwks: Sequence[Mapping[str, str]],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Exported:
    """Write to `<out>.part`, going on with one that is there, and give it its name once it is whole.

    Transactions of its own. `progress` is told events done and in all. Raises `NotCovered`, `RangeRefused`,
    `OtherExport`, `EvidenceAway`; what was written stands then, to go on with.
    """
    part = out.with_name(out.name + PART)
    begun = take_up(part) if part.exists() else None
    if begun is None:
        plan = await plan_export(database, tenant, wanted, jwks=jwks)
    else:
        _check_same(wanted, begun.header, part)
        plan = await plan_again(database, tenant, begun.header)
    at = begun.progress if begun is not None else None
    resumed_at = None if at is None else at.seq
    with part.open("wb" if begun is None else "ab") as file:
        if at is None or not at.ended:
            async for packed in pack(export_pieces(database, tenant, plan, store=store, progress=at)):
                file.write(packed.content)
                progress(packed.seq - plan.from_seq + 1, plan.covered_to - plan.from_seq + 1)
    return _named(part, out, tenant, plan, resumed_at)


def _named(part: Path, out: Path, tenant: UUID, plan: Plan, resumed_at: int | None) -> Exported:
    part.replace(out)
    return Exported(str(out), tenant, plan.from_seq, plan.to_seq, out.stat().st_size, resumed_at)


def _check_same(wanted: Wanted, header: Mapping[str, object], part: Path) -> None:
    same = (header["changes"], header["evidence"]) == (wanted.changes, wanted.evidence)
    for name in ("from_seq", "to_seq"):
        same = same and getattr(wanted, name) in (None, header[name])
    if not same:
        raise OtherExport(f"{part} is the beginning of another export: remove it, or ask for the same again")


class Begun(NamedTuple):
    """An export whose writing was interrupted: its header, and how far it came. The file ends there."""

    header: Mapping[str, object]
    progress: Progress


def take_up(path: Path) -> Begun | None:
    """What of an interrupted export stands, after cutting the file behind its last whole frame; None: nothing does."""
    with path.open("rb+") as file:
        size = file.seek(0, 2)
        end = max((frame.end for frame in whole_frames(file, size)), default=0)
        file.truncate(end)
    if end == 0:
        return None
    opened = open_export(path)
    try:
        return _read(lines_of(opened.stream))
    finally:
        opened.close()


def _read(written: Iterator[bytes]) -> Begun:
    header = msgspec.json.decode(next(written))["export"]
    progress = Progress(header["from_seq"] - 1, receipts=bool(header.get("receipts")))
    progress.tally.add(lines.header_line(header))
    for line in written:
        _take(progress, line)
    return Begun(header, progress)


def _take(progress: Progress, line: bytes) -> None:
    if line.startswith(lines.EVENT):
        at = line.rfind(b'},"hash":"')
        tail, xid = lines.EVENT_TAIL.match(line, at), _XID.search(line[:at])
        assert tail is not None
        assert xid is not None
        progress.seq, progress.head = int(tail[2]), bytes.fromhex(tail[1].decode())
        progress.xid = xid[1].decode()
        progress.tally.add(line, "events")
    elif found := lines.LEAF_LINE.match(line):
        progress.seq, progress.head = int(found[3]), bytes.fromhex(found[1].decode())
        progress.tally.add(line, "leaves")
    elif line.startswith(lines.CHANGE):
        progress.tally.add(line, "changes")
    elif line.startswith((lines.CHECKPOINT, lines.ATTESTATION)):
        progress.tally.add(line, signed_kind(line))
    elif line.startswith(lines.RECEIPT):
        progress.tally.add(line, "receipts")
    elif line.startswith(lines.EVIDENCE):
        _take_evidence(progress, line)
    else:
        progress.ended = True


def _take_evidence(progress: Progress, line: bytes) -> None:
    named = _SHA256.search(line)
    assert named is not None
    progress.evidence.add(bytes.fromhex(named[1].decode()))
    progress.tally.add(line, "evidence" if b'"last":true' in line[-200:] else None)

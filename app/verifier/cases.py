"""The case file of one ticket: events with inclusion proofs under one checkpoint, evidence and summary beside them."""

import hashlib
import zipfile
from collections.abc import Mapping
from typing import Any

from app.verifier import lines
from app.verifier.chain import leaf_of
from app.verifier.errors import Broken
from app.verifier.files import CASE_LEDGER, DAMAGED, Opened
from app.verifier.judging import id_of
from app.verifier.notes import Checkpoint
from app.verifier.passes import Pass
from app.verifier.tree import root_by_path

EVIDENCE_FOLDER = "evidence/"
_BLOCK = 1024 * 1024
_KEPT = 4 * 1024 * 1024


class CasePass(Pass):
    """One pass over a case. Each event is proved to stand under the checkpoint, which the file's first lines hold."""

    kind = "case"

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.known["file"] = self._file
        self._files: dict[str, tuple[str, int]] = {}
        self._last_seq = 0
        self._line_of_note = 0

    def begin_chain(self) -> None:
        if self.header["from_seq"] != 1 or self.header["frontier"] or not self.header["evidence"]:
            raise Broken("the header is not a case's")

    def event(self, line: bytes) -> None:
        at = line.rfind(b'},"proof":[')
        found = lines.PROOF_TAIL.fullmatch(line, at, len(line) - 1) if at > 0 else None
        if found is None or line[-1:] != b"\n":
            raise Broken("not a line of a case")
        document, seq = line[9 : at + 1], int(found[2])
        path = [bytes.fromhex(text.decode()) for text in found[1].replace(b'"', b"").split(b",") if text]
        if self.last is None or seq <= self._last_seq:
            raise Broken("the events of a case stand after its checkpoint, in the order of the chain", seq=seq)
        if root_by_path(leaf_of(document), seq - 1, self.last.size, path) != self.last.root:
            broken = Broken("the event does not stand where its proof says under the signed checkpoint", seq=seq)
            broken.event_id = id_of(document)
            raise broken
        self._last_seq = seq
        self.tally.add(line, "events")
        if self.judge is not None:
            self.judge.event(self.number, seq, document)

    def place_checkpoint(self, serial: int, note: Checkpoint) -> None:
        if self.last is not None or note.size != self.header["to_seq"] or serial < 1:
            raise Broken("a case has one checkpoint, the one that its header names")
        self._line_of_note = self.number

    def end_line(self) -> bytes:
        return self.tally.end_line(0, bytes(32))

    def _file(self, said: Mapping[str, Any], line: bytes) -> None:
        """What lies beside the ledger in the archive, and is not evidence."""
        self._files[str(said["name"])] = (str(said["sha256"]), int(said["size_bytes"]))
        self.tally.add(line)

    def check_cover(self, opened: Opened) -> None:
        """Hash every file of the archive too."""
        if opened.archive is None:
            raise Broken("a case lies in an archive, beside its evidence")
        if self.judge is not None and self.last is not None:
            self.judge.checkpoint(self._line_of_note, self.last.time)
            self.judge.drain()
        seen: set[str] = set()
        for info in opened.archive.infolist():
            if info.filename in seen:
                raise Broken(f"{info.filename} stands in the archive twice")
            seen.add(info.filename)
            if info.filename != CASE_LEDGER:
                self._read_member(opened.archive, info)
        missing = sorted(set(self._files) - seen)
        if missing:
            raise Broken(f"{missing[0]} is missing from the archive")

    def _read_member(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        found, size, content = _digest(archive, info)
        if info.filename.startswith(EVIDENCE_FOLDER):
            named = info.filename.removeprefix(EVIDENCE_FOLDER).partition("/")[0]
            if self.judge is not None:
                self.judge.shelf.whole(named, size, found, content)
            elif named != found:
                raise Broken(f"{info.filename} is not what its name says")
        elif self._files.get(info.filename) != (found, size):
            raise Broken(f"{info.filename} is not what the case's ledger says: it was changed or added")


def _digest(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[str, int, bytes | None]:
    """Hash, size, and the content when it is small."""
    digest, size, kept = hashlib.sha256(), 0, bytearray()
    try:
        with archive.open(info) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
                if size <= _KEPT:
                    kept += block
    except DAMAGED as error:
        raise Broken(f"{info.filename} cannot be read from the archive: {error}") from error
    return digest.hexdigest(), size, bytes(kept) if size <= _KEPT else None

"""One pass over an export: what it states against what its bytes are."""

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import Any
from uuid import UUID

from app.verifier import lines
from app.verifier.canonical import parse
from app.verifier.chain import genesis
from app.verifier.changes import NOTHING, Change, image_hash
from app.verifier.errors import Broken, NotAnExport
from app.verifier.files import Opened, lines_of, open_export
from app.verifier.judging import Judge, id_of
from app.verifier.keys import Keys, Trusted, keys_of_jwks, trusted_seals
from app.verifier.notes import Checkpoint, read_note
from app.verifier.report import FirstBreak, Report
from app.verifier.tree import Frontier

_SEQ = Struct(">q")
_HASH = re.compile(r"[0-9a-f]{64}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
HEADER = {
    "changes", "created_at", "evidence", "format", "from_seq", "frontier", "head", "jwks", "kind", "tenant", "ticket",
    "to_seq", "v",
}  # fmt: skip
PARALLEL_FROM_BYTES = 8 * 1024 * 1024


class Options:
    """What to verify. `expected` are notes that the auditor holds: the export must agree with each that it reaches."""

    def __init__(
        self, trusted: Trusted, *, chain_only: bool = False, jobs: int | None = None, expected: Sequence[str] = ()
    ) -> None:
        self.trusted = trusted
        self.chain_only = chain_only
        self.jobs = jobs
        self.expected = tuple(expected)


class Pass:
    """The state of one pass. The chain is followed line by line; everything else is judged in batches behind it."""

    def __init__(self, options: Options, report: Report, *, jobs: int) -> None:
        self.options = options
        self.report = report
        self.jobs = jobs
        self.tally = lines.Tally()
        self.number = 0
        self.seq = 0
        self.head = b""
        self.tree = Frontier()
        self.judge: Judge | None = None
        self.header: Mapping[str, Any] = {}
        self.seals: Keys = {}
        self.tenant = UUID(int=0)
        self.last: Checkpoint | None = None
        self.serial: int | None = None
        self.ended = False
        self.expected: list[Checkpoint] = []
        self.watched: dict[int, tuple[bytes, bytes]] = {}

    def line(self, line: bytes) -> None:
        """The next line. Raises `Broken`, `KeyUnknown`."""
        self.number += 1
        if self.ended:
            raise Broken("something follows the end of the export")
        if self.number == 1:
            self._begin(line)
            return
        if line.startswith(lines.EVENT):
            self._event(line)
        elif line.startswith(lines.LEAF):
            self._leaf(line)
        else:
            self._other(line)

    def _begin(self, line: bytes) -> None:
        header = parse_line(line)["export"]
        if not isinstance(header, dict) or (header.get("format"), header.get("v")) != (lines.FORMAT, lines.VERSION):
            raise Broken("an export of another version than 1")
        if set(header) != HEADER or not _UUID.fullmatch(str(header["tenant"])):
            raise Broken("the header has not the members of version 1")
        self.header, self.tenant = header, UUID(header["tenant"])
        self.seals = trusted_seals(self.options.trusted, header["jwks"])
        self.report.kind, self.report.tenant = header["kind"], header["tenant"]
        start = header["from_seq"]
        if header["kind"] not in ("range", "case") or not 1 <= start <= header["to_seq"] + 1:
            raise Broken("the header names no range")
        self._stand(start - 1, str(header["head"]), str(header["frontier"]))
        self.report.from_seq, self.report.to_seq = start, header["to_seq"]
        self.expected = [read_note(note, self.tenant, self.seals) for note in self.options.expected]
        self.tally.add(line)
        if not self.options.chain_only:
            approval = self.options.trusted.approval or keys_of_jwks(header["jwks"], "approval")
            whole = header["kind"] == "range" and start == 1
            self.judge = Judge(header["tenant"], approval, whole=whole, changes=header["changes"], jobs=self.jobs)

    def _stand(self, seq: int, head: str, frontier: str) -> None:
        try:
            self.tree = Frontier(seq, bytes.fromhex(frontier))
            self.head = bytes.fromhex(head)
        except ValueError as error:
            raise Broken("the header's tree is not one of that size") from error
        self.seq = seq
        if seq == 0 and self.head != genesis(self.tenant):
            raise Broken("the chain does not begin with this tenant's first hash")

    def _event(self, line: bytes) -> None:
        at = line.rfind(b'},"hash":"')
        found = lines.EVENT_TAIL.fullmatch(line, at, len(line) - 1) if at > 0 else None
        if found is None or line[-1:] != b"\n":
            raise Broken("not a line of an export")
        document, seq = line[9 : at + 1], int(found[2])
        leaf = sha256(b"\x00" + document).digest()
        try:
            self._link(seq, leaf, found[1])
        except Broken as broken:
            broken.seq, broken.event_id = self.seq + 1, id_of(document)
            raise
        self.tally.add(line, "events")
        if self.judge is not None:
            self.judge.event(self.number, seq, document)

    def _link(self, seq: int, leaf: bytes, stated: bytes) -> None:
        if seq != self.seq + 1:
            raise Broken(f"event {self.seq + 1} is missing: {seq} follows")
        head = sha256(self.head + _SEQ.pack(seq) + leaf).digest()
        if head.hex().encode() != stated:
            raise Broken("the chain's hash does not follow from the event")
        self.head, self.seq = head, seq
        self.tree.append(leaf)
        if self.expected and any(note.size == seq for note in self.expected):
            self._compare(next(note for note in self.expected if note.size == seq), "the checkpoint that you hold")

    def _leaf(self, line: bytes) -> None:
        found = lines.LEAF_LINE.fullmatch(line, 0, len(line) - 1)
        if found is None or line[-1:] != b"\n" or self.seq < self.header["to_seq"]:
            raise Broken("not a line of an export")
        self._link(int(found[3]), bytes.fromhex(found[2].decode()), found[1])
        self.tally.add(line, "leaves")

    def _other(self, line: bytes) -> None:
        parsed = parse_line(line)
        kind = next(iter(parsed), "")
        known: dict[str, Callable[[Any, bytes], None]] = {
            "change": self._change,
            "checkpoint": self._checkpoint,
            "evidence": self._evidence,
            "end": self._end,
        }
        if kind not in known or len(parsed) != 1 or not isinstance(parsed[kind], dict):
            raise Broken("not a line of an export")
        try:
            known[kind](parsed[kind], line)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Broken(f"a {kind} line that cannot be read") from error

    def _change(self, said: Mapping[str, Any], line: bytes) -> None:
        if not self.header["changes"]:
            raise Broken("a row change in an export that holds none")
        self.tally.add(line, "changes")
        if self.judge is not None:
            self.judge.change(change_of(said)._replace(line=self.number))

    def _checkpoint(self, said: Mapping[str, Any], line: bytes) -> None:
        note = read_note(str(said["note"]), self.tenant, self.seals)
        if self.header["kind"] == "range":
            self._compare(note, f"checkpoint {said['serial']}")
        serial = int(said["serial"])
        if self.serial not in (None, serial - 1) or (self.seq_of_first() and serial != 1):
            raise Broken(f"checkpoint {serial} does not follow the one before it: one was left out or swapped")
        self.serial, self.last = serial, note
        self.tally.add(line, "checkpoints")
        if self.judge is not None and self.header["kind"] == "range":
            self.judge.checkpoint(self.number, note.time)

    def seq_of_first(self) -> bool:
        """Whether this would be the first checkpoint of a ledger's export from its beginning."""
        return self.serial is None and self.header["kind"] == "range" and self.header["from_seq"] == 1

    def _compare(self, note: Checkpoint, name: str) -> None:
        if note.size != self.seq:
            raise Broken(f"{name} covers {note.size} events and stands after {self.seq}", seq=self.seq)
        if note.root != self.tree.root():
            raise Broken(f"the history is another than {name} signed: the tree's root differs", seq=self.seq)
        if note.head != self.head:
            raise Broken(f"the history is another than {name} signed: the chain differs", seq=self.seq)

    def _evidence(self, said: Mapping[str, Any], line: bytes) -> None:
        if not self.header["evidence"]:
            raise Broken("evidence in an export that holds none")
        self.tally.add(line, None if "missing" in said or not said["last"] else "evidence")
        if self.judge is not None:
            self.judge.drain()
            self.judge.shelf.part(said)

    def _end(self, said: Mapping[str, Any], line: bytes) -> None:
        in_range = self.header["kind"] == "range"
        if line != self.tally.end_line(self.seq if in_range else 0, self.head if in_range else bytes(32)):
            raise Broken("the end states other lines than stand here: some were changed, dropped or added")
        self.ended = True

    def finish(self, opened: Opened) -> None:
        """There are no more lines. Raises `Broken`."""
        if not self.ended:
            raise Broken(f"truncated: the export ends after line {self.number} without its last line")
        if opened.note:
            raise Broken(opened.note)
        self._check_cover()
        if self.judge is not None:
            self.judge.finish()
            self._check_evidence(self.judge)

    def _check_cover(self) -> None:
        if self.seq < self.header["to_seq"] and self.header["kind"] == "range":
            raise Broken(f"the header promises events up to {self.header['to_seq']}, {self.seq} are here", seq=self.seq)
        if self.last is None:
            raise Broken("no signed checkpoint stands in the file: nothing shows that these are the ledger's events")
        if self.header["kind"] == "range" and self.last.size != self.seq:
            raise Broken(f"the events after {self.last.size} are covered by no checkpoint", seq=self.last.size + 1)
        beyond = [note.size for note in self.expected if note.size > self.seq]
        if beyond and self.header["kind"] == "range":
            self.report.unchecked.append(f"the checkpoint that you hold over {beyond[0]} events: the file ends before")

    def _check_evidence(self, judge: Judge) -> None:
        if self.header["evidence"]:
            self.report.unchecked += judge.shelf.finish()
        elif judge.shelf.unseen():
            self.report.unchecked.append(f"{judge.shelf.unseen()} pieces of evidence: the file holds none")


def change_of(said: Mapping[str, Any]) -> Change:
    """A change line's change. Raises `Broken`, `KeyError`, `TypeError`, `ValueError`."""
    if set(said) != {"image", "key", "n", "new", "old", "op", "table", "xid"}:
        raise Broken("a row change with other members than those of version 1")
    image, new, old = said["image"], said["new"], said["old"]
    if image is not None and image_hash(image) != new:
        raise Broken(f"the image of change {said['n']} is not the one that was hashed")
    if (
        said["op"] not in ("I", "U", "D")
        or (new is None) != (said["op"] == "D")
        or (old is None) != (said["op"] == "I")
    ):
        raise Broken(f"change {said['n']} is none that a row can make")
    texts = (said["xid"], said["table"], said["key"], said["op"], old or NOTHING, new or NOTHING)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("not text")
    return Change(texts[0], int(said["n"]), *texts[1:])


def parse_line(line: bytes) -> dict[str, Any]:
    """A canonical line with its LF. Raises `Broken`."""
    if line[-1:] != b"\n":
        raise Broken("truncated: the last line is not complete")
    return parse(line[:-1])


def verify_file(path: Path, options: Options) -> Report:
    """All of an export; the first broken place, if any. Raises `NotAnExport`, `KeyUnknown`."""
    started = time.perf_counter()
    opened = open_export(path)
    report = Report(file=str(path))
    jobs = options.jobs or (min(os.cpu_count() or 1, 4) if path.stat().st_size >= PARALLEL_FROM_BYTES else 1)
    run = Pass(options, report, jobs=1 if options.chain_only else jobs)
    try:
        _follow(run, opened)
        report.ok = True
    except Broken as broken:
        report.first_break = FirstBreak(broken.line, broken.seq, broken.event_id, broken.reason)
    finally:
        opened.close()
        if run.judge is not None:
            run.judge.close()
    _fill(report, run, options)
    report.seconds = round(time.perf_counter() - started, 3)
    return report


def _follow(run: Pass, opened: Opened) -> None:
    """Raises `Broken` with the line of the first broken place, which what is judged behind the chain may hold."""
    try:
        for line in lines_of(opened.stream):
            run.line(line)
        run.finish(opened)
    except Broken as broken:
        if run.number == 1 and not run.header:
            raise NotAnExport(f"{run.report.file} is not an export of a ledger: {broken.reason}") from broken
        if run.judge is not None:
            run.judge.drain()
        if broken.line is None:
            broken.line = run.number
        raise


def _fill(report: Report, run: Pass, options: Options) -> None:
    report.events, report.checkpoints = run.tally.counts["events"], run.tally.counts["checkpoints"]
    if run.last is not None:
        last = run.last
        report.checkpoint = {
            "serial": run.serial, "size": last.size, "root": last.root.hex(), "head": last.head.hex(),
            "time": last.time, "kid": last.kid,
        }  # fmt: skip
    judge = run.judge
    if judge is None:
        report.unchecked.append("documents, row changes, approvals and evidence: only the chain was asked for")
        return
    report.changes, report.evidence = judge.law.count, judge.shelf.seen
    report.signatures, report.proofs = judge.docket.signatures, judge.docket.proofs
    if judge.docket.unknown:
        report.unchecked.append(f"{judge.docket.unknown} uses of keys or decisions that stand before this range")
    if not run.header.get("changes"):
        report.unchecked.append("row changes: the file holds none")
    if not options.trusted.approval and judge.docket.signatures:
        report.unchecked.append(
            "whose the approval keys are: they are the file's own (founders' own keys were checked against the ledger)"
        )

"""One pass over the lines of an export or a case: what they state against what their bytes are."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from cryptography.x509 import Certificate

from app.verifier import lines
from app.verifier.canonical import parse
from app.verifier.changes import NOTHING, Change, image_hash
from app.verifier.documents import shifted
from app.verifier.errors import Broken
from app.verifier.files import Opened
from app.verifier.judging import Judge, Signers
from app.verifier.keys import Keys, Trusted, keys_of_jwks, trusted_seals
from app.verifier.notes import Checkpoint, read_note
from app.verifier.receipts import Receipts
from app.verifier.report import Report
from app.verifier.witnesses import Attested

_HASH = re.compile(r"[0-9a-f]{64}")
_HASHES = re.compile(r"([0-9a-f]{64})*")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
HEADER = {
    "changes", "created_at", "evidence", "format", "from_seq", "frontier", "head", "jwks", "kind", "tenant", "ticket",
    "to_seq", "v",
}  # fmt: skip
RECEIPTS = "receipts"
"""In the header since receipts are stored: an export of before has none, and does not count them at its end."""
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)


class Options:
    """What to verify. `expected` are notes that the auditor holds, `receipts` those of callers: the export must agree
    with each that it reaches. `witnesses` are public keys by name; time stamps must lead to `roots`."""

    def __init__(
        self,
        trusted: Trusted,
        *,
        chain_only: bool = False,
        jobs: int | None = None,
        expected: Sequence[str] = (),
        receipts: Sequence[str] = (),
        witnesses: Mapping[str, bytes] | None = None,
        roots: Sequence[Certificate] = (),
    ) -> None:
        self.trusted = trusted
        self.chain_only = chain_only
        self.jobs = jobs
        self.expected = tuple(expected)
        self.receipts = tuple(receipts)
        self.witnesses = witnesses or {}
        self.roots = tuple(roots)


class Pass:
    """The state of one pass. Lines are followed one by one; documents are judged in batches behind them."""

    kind = ""
    whole = False

    def __init__(self, options: Options, report: Report, *, jobs: int) -> None:
        self.options = options
        self.report = report
        self.jobs = jobs
        self.tally = lines.Tally()
        self.number = 0
        self.judge: Judge | None = None
        self.header: Mapping[str, Any] = {}
        self.seals: Keys = {}
        self.tenant = UUID(int=0)
        self.last: Checkpoint | None = None
        self.serial: int | None = None
        self.note = ""
        self.attested = Attested(options.witnesses, options.roots)
        self.ended = False
        self.behind_event = False
        self.expected: dict[int, Checkpoint] = {}
        self.known: dict[str, Callable[[Any, bytes], None]] = {
            "attestation": self._attestation,
            "change": self._change,
            "checkpoint": self._checkpoint,
            "evidence": self._evidence,
            "receipt": self._receipt,
            "end": self._end,
        }

    def begin_chain(self) -> None:
        """Where the chain stands before the first event, from the header."""
        raise NotImplementedError

    def event(self, line: bytes) -> None:
        """A line that begins like an event's."""
        raise NotImplementedError

    def leaf(self, line: bytes) -> None:
        """A line that begins like a bare leaf's."""
        del line
        raise Broken("not a line of an export")

    def place_checkpoint(self, serial: int, note: Checkpoint) -> None:
        """Whether a signed checkpoint may stand here."""
        raise NotImplementedError

    def end_line(self) -> bytes:
        """The end that fits the lines so far."""
        raise NotImplementedError

    def check_cover(self, opened: Opened) -> None:
        """After the end: whether signed checkpoints cover all of it."""
        raise NotImplementedError

    def block(self, block: Sequence[bytes]) -> None:
        """The next lines. Raises `Broken`, `KeyUnknown`; `number` then is that of the broken one."""
        for line in block:
            self.line(line)

    def line(self, line: bytes) -> None:
        """The next line. Raises `Broken`, `KeyUnknown`."""
        self.number += 1
        if self.ended:
            raise Broken("something follows the end of the export")
        if self.number == 1:
            self._begin(line)
        elif line.startswith(lines.EVENT):
            self.event(line)
            self.behind_event = True
            return
        elif line.startswith(lines.LEAF):
            self.leaf(line)
        else:
            self._other(line)
        self.behind_event = False

    def _begin(self, line: bytes) -> None:
        try:
            header = parse_line(line)["export"]
            self._read_header(header)
        except _UNREADABLE as error:
            raise Broken("the header cannot be read") from error
        self.header, self.tenant = header, UUID(header["tenant"])
        self.seals = trusted_seals(self.options.trusted, header["jwks"])
        self.report.kind, self.report.tenant = self.kind, header["tenant"]
        self.report.from_seq, self.report.to_seq = header["from_seq"], header["to_seq"]
        self.begin_chain()
        notes = [read_note(note, self.tenant, self.seals) for note in self.options.expected]
        self.expected = {note.size: note for note in notes}
        self.tally = lines.Tally(receipts=header.get(RECEIPTS, False))
        self.tally.add(line)
        if not self.options.chain_only:
            approval = self.options.trusted.approval or keys_of_jwks(header["jwks"], "approval")
            receipt = self.options.trusted.receipt or keys_of_jwks(header["jwks"], "receipt")
            keys, changes = Signers(approval, receipt), header["changes"]
            self.judge = Judge(header["tenant"], keys, whole=self.whole, changes=changes, jobs=self.jobs)
            self.judge.receipts = Receipts(self.options.receipts, header["tenant"], receipt)

    def _read_header(self, header: Mapping[str, Any]) -> None:
        if (header["format"], header["v"]) != (lines.FORMAT, lines.VERSION):
            raise Broken("an export of another version than 1")
        if set(header) - {RECEIPTS} != HEADER or header["kind"] != self.kind or not _UUID.fullmatch(header["tenant"]):
            raise Broken("the header has not the members of version 1")
        if not all(type(header.get(name, False)) is bool for name in ("changes", "evidence", RECEIPTS)):
            raise Broken("the header does not say what the file holds")
        if not all(type(header[name]) is int for name in ("from_seq", "to_seq")):
            raise Broken("the header names no range")
        if not 1 <= header["from_seq"] <= header["to_seq"]:
            raise Broken("the header names no range")
        if not _HASHES.fullmatch(header["frontier"]) or not _HASH.fullmatch(header["head"]):
            raise Broken("the header's hashes are none")
        for purpose in ("seal", "approval", "receipt"):
            keys_of_jwks(header["jwks"], purpose)

    def _other(self, line: bytes) -> None:
        parsed = parse_line(line)
        kind = next(iter(parsed), "")
        if kind not in self.known or len(parsed) != 1 or not isinstance(parsed[kind], dict):
            raise Broken("not a line of an export")
        try:
            self.known[kind](parsed[kind], line)
        except _UNREADABLE as error:
            raise Broken(f"a {kind} line that cannot be read") from error

    def _change(self, said: Mapping[str, Any], line: bytes) -> None:
        if not self.header["changes"]:
            raise Broken("a row change in an export that holds none")
        self.tally.add(line, "changes")
        change = change_of(said)._replace(line=self.number)
        if self.judge is not None:
            self.judge.change(change)

    def _checkpoint(self, said: Mapping[str, Any], line: bytes) -> None:
        serial = said["serial"]
        if set(said) != {"note", "serial"} or type(serial) is not int:
            raise Broken("a checkpoint line with other members than those of version 1")
        note = read_note(said["note"], self.tenant, self.seals)
        self.place_checkpoint(serial, note)
        self.serial, self.last, self.note = serial, note, said["note"]
        self.tally.add(line, "checkpoints")

    def _attestation(self, said: Mapping[str, Any], line: bytes) -> None:
        if said["serial"] != self.serial:
            raise Broken("an attestation stands behind the checkpoint that it is about")
        assert self.last is not None
        self.attested.take(said, self.note, self.last.time)
        self.tally.add(line, "attestations")

    def _receipt(self, said: Mapping[str, Any], line: bytes) -> None:
        if not self.header.get(RECEIPTS):
            raise Broken("a receipt in an export that holds none")
        if set(said) != {"jws"} or not isinstance(said["jws"], str):
            raise Broken("a receipt line with other members than those of version 1")
        if not self.behind_event:
            if self.judge is not None and self.whole:
                raise self.judge.stray_receipt(said["jws"])
            raise Broken("a receipt stands behind no event")
        self.tally.add(line, "receipts")
        if self.judge is not None:
            self.judge.receipt(self.number, said["jws"])

    def _evidence(self, said: Mapping[str, Any], line: bytes) -> None:
        if not self.header["evidence"]:
            raise Broken("evidence in an export that holds none")
        self.tally.add(line, None if "missing" in said or not said["last"] else "evidence")
        if self.judge is not None:
            self.judge.drain()
            self.judge.shelf.part(said)

    def _end(self, said: Mapping[str, Any], line: bytes) -> None:
        del said
        if line != self.end_line():
            raise Broken("the end states other lines than stand here: some were changed, dropped or added")
        self.ended = True

    def finish(self, opened: Opened) -> None:
        """There are no more lines. Raises `Broken`."""
        if not self.ended:
            raise Broken(f"truncated: the export ends after line {self.number} without its last line")
        if opened.note:
            raise Broken(opened.note)
        if self.last is None:
            raise Broken("no signed checkpoint stands in the file: nothing shows that these are the ledger's events")
        self.check_cover(opened)
        if self.judge is not None:
            self.judge.finish()
            signed_at = shifted(self.last.time, seconds=0)
            self.report.unchecked += self.judge.receipts.finish(signed_at, whole=self.whole)
            self.report.unchecked += self.attested.unchecked()
            self._check_evidence(self.judge)

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

"""The lines of an export, version 1. Each is one canonical JSON object with its LF; docs/ledger-format.md, section 11.

`{"export":…}` opens, `{"end":…}` closes; between them stand events, bare leaves, row changes, checkpoints, receipts,
evidence.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from app.verifier.canonical import canonical_bytes

FORMAT = "5-layer-runtime/export"
VERSION = "1"
EVIDENCE_PART_BYTES = 1024 * 1024
COUNTED = ("attestations", "changes", "checkpoints", "events", "evidence", "leaves", "receipts")

EVENT, LEAF, CHANGE, CHECKPOINT = b'{"event":{', b'{"hash":"', b'{"change":{', b'{"checkpoint":{'
ATTESTATION, EVIDENCE, HEADER, END = b'{"attestation":{', b'{"evidence":{', b'{"export":{', b'{"end":{'
RECEIPT = b'{"receipt":{'

# Documents are canonical objects, so what follows the last `},"hash":"` or `},"proof":[` is the line's own.
EVENT_TAIL = re.compile(rb'\},"hash":"([0-9a-f]{64})","seq":([1-9][0-9]{0,15})\}')
LEAF_LINE = re.compile(rb'\{"hash":"([0-9a-f]{64})","leaf":"([0-9a-f]{64})","seq":([1-9][0-9]{0,15})\}')
PROOF_TAIL = re.compile(rb'\},"proof":\[((?:"[0-9a-f]{64}"(?:,(?!\])|(?=\])))*)\],"seq":([1-9][0-9]{0,15})\}')


def header_line(header: Mapping[str, Any]) -> bytes:
    """The first line: `kind` "range" or "case", `tenant`, range, the state before it, what stands inside, keys."""
    return canonical_bytes({"export": {"format": FORMAT, "v": VERSION, **header}}) + b"\n"


def event_line(document: bytes, hash_: bytes, seq: int) -> bytes:
    """An event of a range: its document's very bytes, and the chain's hash after it."""
    return b'{"event":%b,"hash":"%b","seq":%d}\n' % (document, hash_.hex().encode(), seq)


def proved_line(document: bytes, path: Sequence[bytes], seq: int) -> bytes:
    """An event of a case: its document's very bytes, and its inclusion proof under the case's checkpoint."""
    proof = b",".join(b'"%b"' % sibling.hex().encode() for sibling in path)
    return b'{"event":%b,"proof":[%b],"seq":%d}\n' % (document, proof, seq)


def leaf_line(leaf: bytes, hash_: bytes, seq: int) -> bytes:
    """An event beyond the range, as no more than the checkpoint that covers the range needs."""
    return b'{"hash":"%b","leaf":"%b","seq":%d}\n' % (hash_.hex().encode(), leaf.hex().encode(), seq)


def change_line(
    *, xid: str, n: int, table: str, key: str, op: str, old: bytes | None, new: bytes | None, image: str | None
) -> bytes:
    """A row change of the digest form. `new` is the hash of `image`, which is None where there is none any more."""
    change = {
        "image": image,
        "key": key,
        "n": str(n),
        "new": None if new is None else new.hex(),
        "old": None if old is None else old.hex(),
        "op": op,
        "table": table,
        "xid": xid,
    }
    return canonical_bytes({"change": change}) + b"\n"


def receipt_line(jws: str) -> bytes:
    """The receipt that was handed out for the event in front of it, as it was handed out."""
    return canonical_bytes({"receipt": {"jws": jws}}) + b"\n"


def checkpoint_line(serial: int, note: str) -> bytes:
    """A signed checkpoint; in a range it follows the event that its size counts to."""
    return canonical_bytes({"checkpoint": {"note": note, "serial": serial}}) + b"\n"


def attestation_line(serial: int, kind: str, name: str, content: bytes) -> bytes:
    """What a time stamp authority or a witness said about the checkpoint in front of it."""
    said = {"content": base64.b64encode(content).decode(), "kind": kind, "name": name, "serial": serial}
    return canonical_bytes({"attestation": said}) + b"\n"


def evidence_line(sha256: str, part: int, content: bytes, *, last: bool) -> bytes:
    """A part of evidence bytes, at most 1 MiB; `part` counts from 0."""
    said = {"content": base64.b64encode(content).decode(), "last": last, "part": part, "sha256": sha256}
    return canonical_bytes({"evidence": said}) + b"\n"


def missing_line(sha256: str, why: str) -> bytes:
    """Evidence that an event names and that cannot be had: `why` is `lost` or `erased`."""
    return canonical_bytes({"evidence": {"missing": why, "sha256": sha256}}) + b"\n"


def file_line(name: str, sha256: str, size_bytes: int) -> bytes:
    """A file of a case's archive that is neither its ledger nor evidence."""
    return canonical_bytes({"file": {"name": name, "sha256": sha256, "size_bytes": size_bytes}}) + b"\n"


class Tally:
    """Counts lines and hashes them: what the last line states over all before it."""

    def __init__(self, *, receipts: bool = False) -> None:
        """Without `receipts` the last line says nothing of any, as before there were."""
        self._receipts = receipts
        self.counts = dict.fromkeys(COUNTED, 0)
        self.lines = 0
        self._hash = hashlib.sha256()

    def add(self, line: bytes, kind: str | None = None) -> None:
        """`line` with its LF; `kind` one of `COUNTED`."""
        self._hash.update(line)
        self.lines += 1
        if kind is not None:
            self.counts[kind] += 1

    def add_many(self, many: Sequence[bytes], kind: str) -> None:
        """Lines of one kind."""
        self._hash.update(b"".join(many))
        self.lines += len(many)
        self.counts[kind] += len(many)

    def end_line(self, seq: int, head: bytes) -> bytes:
        """The last line. `seq` and `head` are where the chain stands at the end (in a case: 0 and 32 zero bytes)."""
        counts = {kind: count for kind, count in self.counts.items() if kind != "receipts" or self._receipts}
        end = {**counts, "head": head.hex(), "lines": self.lines, "seq": seq, "sha256": self._hash.hexdigest()}
        return canonical_bytes({"end": end}) + b"\n"

"""An export of a range: every event follows from the one before, and every checkpoint from all of them."""

from collections.abc import Sequence
from hashlib import sha256
from struct import Struct
from typing import Any

from app.verifier import lines
from app.verifier.chain import genesis
from app.verifier.errors import Broken
from app.verifier.files import Opened
from app.verifier.judging import id_of
from app.verifier.notes import Checkpoint
from app.verifier.passes import Pass
from app.verifier.tree import Frontier

_SEQ = Struct(">q")


class RangePass(Pass):
    """One pass over a range. What stands before its first event is as signed as its first checkpoint says."""

    kind = "range"

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._seq = 0
        self._head = b""
        self._tree = Frontier()

    def begin_chain(self) -> None:
        self._seq = self.header["from_seq"] - 1
        self.whole = self._seq == 0
        self._head = bytes.fromhex(self.header["head"])
        try:
            self._tree = Frontier(self._seq, bytes.fromhex(self.header["frontier"]))
        except ValueError as error:
            raise Broken("the header's tree is not one of that size") from error
        if self.whole and self._head != genesis(self.tenant):
            raise Broken("the chain does not begin with this tenant's first hash")

    def block(self, block: Sequence[bytes]) -> None:
        """Events that are as they should be, in one loop; whatever else, line by line."""
        begun = 0
        while begun < len(block):
            if self.number and not self.ended:
                begun = self._sound_events(block, begun)
            if begun < len(block):
                self.line(block[begun])
                begun += 1

    def _sound_events(self, block: Sequence[bytes], begun: int) -> int:
        """Take events from `begun` on as long as each follows from the one before; where the first other line stands.

        The end of each line is known beforehand: the hash that follows, and the number.
        """
        seq, head, at, documents, leaves = self._seq, self._head, begun, [], []
        last = min([self.header["to_seq"], *(size - 1 for size in self.expected if size > seq)])
        for at in range(begun, len(block)):
            line = block[at]
            seq += 1
            tail = 83 + len(str(seq))
            document = line[9:-tail]
            leaf = sha256(b"\x00" + document).digest()
            linked = sha256(head + _SEQ.pack(seq) + leaf).digest()
            if line[-tail:] != b',"hash":"%b","seq":%d}\n' % (linked.hex().encode(), seq) or (
                seq > last or line[:10] != lines.EVENT or document[-1:] != b"}"
            ):
                break
            head = linked
            leaves.append(leaf)
            documents.append(document)
        else:
            at += 1
        self._advance(block[begun:at], documents, leaves, head)
        return at

    def _advance(
        self, block: Sequence[bytes], documents: Sequence[bytes], leaves: Sequence[bytes], head: bytes
    ) -> None:
        first = self._seq + 1
        self._seq, self._head = self._seq + len(leaves), head
        self._tree.extend(leaves)
        self.tally.add_many(block, "events")
        self.behind_event = self.behind_event or bool(leaves)
        if self.judge is None:
            self.number += len(block)
            return
        for seq, document in enumerate(documents, first):
            self.number += 1
            self.judge.event(self.number, seq, document)

    def event(self, line: bytes) -> None:
        at = line.rfind(b'},"hash":"')
        found = lines.EVENT_TAIL.fullmatch(line, at, len(line) - 1) if at > 0 else None
        if found is None or line[-1:] != b"\n":
            raise Broken("not a line of an export")
        document, seq = line[9 : at + 1], int(found[2])
        if seq > self.header["to_seq"]:
            raise Broken("an event beyond the range that the header names", seq=seq, event_id=id_of(document))
        try:
            self._link(seq, sha256(b"\x00" + document).digest(), found[1])
        except Broken as broken:
            broken.seq, broken.event_id = self._seq + 1, id_of(document)
            raise
        self.tally.add(line, "events")
        if self.judge is not None:
            self.judge.event(self.number, seq, document)

    def _link(self, seq: int, leaf: bytes, stated: bytes) -> None:
        if seq != self._seq + 1:
            raise Broken(f"event {self._seq + 1} is missing: {seq} follows")
        head = sha256(self._head + _SEQ.pack(seq) + leaf).digest()
        if head.hex().encode() != stated:
            raise Broken("the chain's hash does not follow from the event")
        self._head, self._seq = head, seq
        self._tree.append(leaf)
        if seq in self.expected:
            self._compare(self.expected[seq], "the checkpoint that you hold")

    def leaf(self, line: bytes) -> None:
        found = lines.LEAF_LINE.fullmatch(line, 0, len(line) - 1)
        if found is None or line[-1:] != b"\n" or self._seq < self.header["to_seq"]:
            raise Broken("not a line of an export")
        self._link(int(found[3]), bytes.fromhex(found[2].decode()), found[1])
        self.tally.add(line, "leaves")

    def place_checkpoint(self, serial: int, note: Checkpoint) -> None:
        name = f"checkpoint {serial}"
        if note.size != self._seq:
            raise Broken(f"{name} covers {note.size} events and stands after {self._seq}", seq=self._seq)
        self._compare(note, name)
        if serial != (1 if self.serial is None and self.whole else (self.serial or serial - 1) + 1):
            raise Broken(f"{name} does not follow the one before it: one was left out or swapped", seq=self._seq)
        if self.judge is not None:
            self.judge.checkpoint(self.number, note.time)

    def _compare(self, note: Checkpoint, name: str) -> None:
        if note.root != self._tree.root():
            raise Broken(f"the history is another than {name} signed: the tree's root differs", seq=self._seq)
        if note.head != self._head:
            raise Broken(f"the history is another than {name} signed: the chain differs", seq=self._seq)

    def end_line(self) -> bytes:
        return self.tally.end_line(self._seq, self._head)

    def check_cover(self, opened: Opened) -> None:
        del opened
        last = 0 if self.last is None else self.last.size
        if self._seq < self.header["to_seq"]:
            promised = self.header["to_seq"]
            raise Broken(f"the header promises events up to {promised}, {self._seq} are here", seq=self._seq)
        if last != self._seq:
            raise Broken(f"the events after {last} are covered by no checkpoint", seq=last + 1)
        for size in self.expected:
            if not self.header["from_seq"] <= size <= self._seq:
                self.report.unchecked.append(f"the checkpoint that you hold over {size} events: it ends elsewhere")

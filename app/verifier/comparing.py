"""Two exports of one ledger: do they tell the same history?"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from app.verifier import lines
from app.verifier.canonical import parse
from app.verifier.errors import NotAnExport
from app.verifier.files import lines_of, open_export
from app.verifier.judging import id_of
from app.verifier.report import FirstBreak


class _Place(NamedTuple):
    """Where a chain stands."""

    line: int
    seq: int
    head: bytes
    event_id: str | None


def compare_files(path: Path, other: Path) -> FirstBreak | None:
    """The first place at which two exports that verify by themselves differ: one of them was shown a forged history.

    Raises `NotAnExport` when they cannot be compared: other tenants, or no place that both show.
    """
    mine, theirs = _places(path), _places(other)
    if next(mine) != next(theirs):
        raise NotAnExport(f"{path} and {other} are ledgers of different tenants")
    shared = False
    here, there = next(mine, None), next(theirs, None)
    while here is not None and there is not None:
        if here.seq < there.seq:
            here = next(mine, None)
        elif here.seq > there.seq:
            there = next(theirs, None)
        elif here.head != there.head:
            return FirstBreak(here.line, here.seq, here.event_id, f"a split view: {other} tells another history here")
        else:
            shared = True
            here, there = next(mine, None), next(theirs, None)
    if not shared:
        raise NotAnExport(f"{path} and {other} have no event in common: export ranges that overlap")
    return None


def _places(path: Path) -> Iterator[_Place]:
    """First the tenant as a place, then each state of the chain; the one before the first event too."""
    opened = open_export(path)
    try:
        for number, line in enumerate(lines_of(opened.stream), 1):
            if number == 1:
                header = parse(line[:-1])["export"]
                if header["kind"] != "range":
                    raise NotAnExport(f"{path} is a case: compare exports")
                yield _Place(0, 0, header["tenant"].encode(), None)
                yield _Place(1, header["from_seq"] - 1, header["head"].encode(), None)
            elif line.startswith((lines.EVENT, lines.LEAF)):
                yield _place(number, line)
    finally:
        opened.close()


def _place(number: int, line: bytes) -> _Place:
    if line.startswith(lines.LEAF):
        found = lines.LEAF_LINE.match(line)
        assert found is not None
        return _Place(number, int(found[3]), found[1], None)
    at = line.rfind(b'},"hash":"')
    tail = lines.EVENT_TAIL.match(line, at)
    assert tail is not None
    return _Place(number, int(tail[2]), tail[1], id_of(line))

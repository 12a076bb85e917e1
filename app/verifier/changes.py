"""Row changes of the digest form (Law 17): each recomputed, each taken by exactly one event, each row a chain."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from app.verifier.errors import Broken

NOTHING = "-"


class Change(NamedTuple):
    """One change. `old` and `new` are hashes in hex, or `-`; `n` orders it among the events of its transaction."""

    xid: str
    n: int
    table: str
    key: str
    op: str
    old: str
    new: str
    line: int | None = None

    def digest(self, tenant: str) -> bytes:
        """docs/ledger-format.md, section 5."""
        said = ("change/v1", tenant, self.table, self.key, self.op, self.old, self.new)
        return hashlib.sha256("\n".join(said).encode()).digest()

    def named_by(self, subjects: Sequence[str]) -> bool:
        return f"{self.table}/{self.key}" in subjects or self.table in subjects


def image_hash(image: str) -> str:
    """The hash of a row's image, hex."""
    return hashlib.sha256(image.encode()).hexdigest()


class Ledger17:
    """Follows changes and events in the order of the chain. Changes of a transaction come before its first event.

    `whole` says that the events begin with the first of the ledger, so that each row's history must too.
    """

    def __init__(self, tenant: str, *, whole: bool, links: bool = True) -> None:
        """Without `links` the rows' own chains are left to somebody else."""
        self.count = 0
        self.tenant = tenant
        self._links = links
        self._whole = whole
        self._xid: str | None = None
        self._open: list[Change] = []
        self._unlinked: list[Change] = []
        self._rows: dict[tuple[str, str], str] = {}

    def change(self, change: Change) -> None:
        """The next change. Raises `Broken` when one of the transaction before has no event."""
        if change.xid != self._xid:
            self.close_transaction()
            self._xid = change.xid
        if self._open and self._open[-1].n >= change.n:
            raise at_line(Broken(f"change {change.n} stands out of order"), change)
        self._open.append(change)
        if self._links:
            self._unlinked.append(change)
        self.count += 1

    def event(self, *, xid: str, n: int, subjects: Sequence[str], effect: tuple[str, str]) -> None:
        """The next event, with its `effect.n` and `effect.digest`. Raises `Broken`."""
        if xid != self._xid:
            self.close_transaction()
            self._xid = xid
        taken = [change for change in self._open if change.n < n and change.named_by(subjects)]
        self._open = [change for change in self._open if change not in taken]
        digest = hashlib.sha256(b"".join(change.digest(self.tenant) for change in taken)).hexdigest()
        if (str(len(taken)), digest) != effect:
            said = f"the event accounts for {effect[0]} row changes, {len(taken)} of its transaction are here"
            raise Broken(said if str(len(taken)) != effect[0] else "a row change is not the one the event accounts for")

    def close_transaction(self) -> None:
        """Raises `Broken` for a change that no event has taken."""
        if self._open:
            raise at_line(Broken(orphan(self._open[0])), self._open[0])

    def close_batch(self) -> None:
        """What was sealed until here is all that could have come before what follows: link each row's changes.

        Inside of one seal the chain's order is not that of the changes; their numbers are. Raises `Broken`.
        """
        for change in sorted(self._unlinked, key=lambda one: one.n):
            row = (change.table, change.key)
            before = self._rows.get(row, NOTHING if self._whole else change.old)
            if before != change.old:
                behind = Broken(
                    f"{change.table}/{change.key} was changed behind the ledger's back: change {change.n} found "
                    "another row than the change before it left"
                )
                raise at_line(behind, change)
            self._rows[row] = change.new
        self._unlinked.clear()


def orphan(change: Change) -> str:
    """What is wrong with a change that no event accounts for."""
    return f"change {change.n} of {change.table}/{change.key} has no event (Law 17)"


def at_line(broken: Broken, change: Change) -> Broken:
    """`broken`, in the place of the change."""
    broken.line = change.line
    return broken

"""What is checked of events beside their place in the chain, perhaps on several cores: documents, Law 17, approvals,
receipts."""

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

from app.verifier.approvals import SKEW_SECONDS, Docket
from app.verifier.changes import Change, Ledger17
from app.verifier.documents import Fact, Reader, read_batch, shifted
from app.verifier.errors import Broken
from app.verifier.evidence import Shelf
from app.verifier.receipts import Promise, Receipts, gone, hold, read_receipt, read_receipts, recorded_of
from app.verifier.tokens import Tokens

BATCH = 500
AHEAD = 8
BACKDATED_SECONDS = 3600

_Read = tuple[list[Fact | str], list[Promise | str]]


class Signers(NamedTuple):
    """Public keys by kid: 32 raw bytes each."""

    approval: Mapping[str, bytes]
    receipt: Mapping[str, bytes]


class _Readers:
    """Reads what takes long: the documents of a batch, and its receipts."""

    def __init__(self, tenant: str, keys: Signers) -> None:
        self._tenant = tenant
        self._keys = keys.receipt
        self._documents = Reader(tenant, Tokens(keys.approval))

    def read(self, documents: Sequence[bytes], receipts: Sequence[str]) -> _Read:
        return read_batch(self._documents, documents), read_receipts(receipts, self._tenant, self._keys)

    def promised(self, receipt: str) -> Promise:
        """Raises `Broken`."""
        return read_receipt(receipt, self._tenant, self._keys)


_readers: _Readers | None = None


def _start(tenant: str, keys: Signers) -> None:
    global _readers
    _readers = _Readers(tenant, keys)


def _read(documents: Sequence[bytes], receipts: Sequence[str]) -> _Read:
    assert _readers is not None
    return _readers.read(documents, receipts)


class _Event(NamedTuple):
    """A document in its place."""

    line: int
    seq: int
    document: bytes


class _Seal(NamedTuple):
    """A checkpoint's time: what comes before it was sealed before."""

    line: int
    time: str


class _Handed(NamedTuple):
    """The receipt that was handed out for the event in front of it."""

    line: int
    text: str


_Item = _Event | Change | _Seal | _Handed


class Judge:
    """Takes the lines of an export in their order; judges them batch by batch, in that order."""

    def __init__(self, tenant: str, keys: Signers, *, whole: bool, changes: bool, jobs: int) -> None:
        self.law = Ledger17(tenant, whole=whole)
        self.docket = Docket(tenant, whole=whole)
        self.shelf = Shelf(tenant)
        self.receipts = Receipts((), tenant, {})
        self.stored_receipts = 0
        self._changes = changes
        self._ids: set[str] = set()
        self._last_time = ""
        self._latest: tuple[str, int, _Event] | None = None
        self._items: list[_Item] = []
        self._documents: list[bytes] = []
        self._handed: list[str] = []
        self._facing: tuple[_Event, Fact] | None = None
        self._queue: deque[tuple[list[_Item], Callable[[], _Read]]] = deque()
        self._pool: ProcessPoolExecutor | None = None
        if jobs > 1:
            context = get_context("spawn")
            self._pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=(tenant, keys))
        self._own = _Readers(tenant, keys)

    def event(self, line: int, seq: int, document: bytes) -> None:
        self._items.append(_Event(line, seq, document))
        self._documents.append(document)
        if len(self._documents) >= BATCH:
            self._submit()

    def change(self, change: Change) -> None:
        self._items.append(change)

    def receipt(self, line: int, text: str) -> None:
        """That of the event before it."""
        self._items.append(_Handed(line, text))
        self._handed.append(text)

    def stray_receipt(self, text: str) -> Broken:
        """What is wrong with a receipt that stands behind no event."""
        self.drain()
        event_id = self._own.promised(text).recorded.event_id
        return Broken("a receipt stands elsewhere than behind its event") if event_id in self._ids else gone(event_id)

    def checkpoint(self, line: int, time: str) -> None:
        self._items.append(_Seal(line, time))

    def _submit(self) -> None:
        documents, handed, items = self._documents, self._handed, self._items
        self._documents, self._handed, self._items = [], [], []
        if self._pool is None:
            self._queue.append((items, lambda: self._own.read(documents, handed)))
        else:
            coming: Future[_Read] = self._pool.submit(_read, documents, handed)
            self._queue.append((items, coming.result))
        # As far behind alone as with others, so that a report says the same whoever helped.
        while len(self._queue) > AHEAD:
            self._settle(*self._queue.popleft())

    def drain(self) -> None:
        """Judge all that was taken. Raises `Broken`."""
        self._submit()
        while self._queue:
            self._settle(*self._queue.popleft())

    def finish(self) -> None:
        """There is no more. Raises `Broken`."""
        self.drain()
        self.law.close_transaction()
        self._close_batch()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _settle(self, items: list[_Item], read: Callable[[], _Read]) -> None:
        documents, receipts = read()
        facts, promises = iter(documents), iter(receipts)
        for item in items:
            match item:
                case _Event():
                    self._judge(item, next(facts))
                case _Handed():
                    self._hold(item, next(promises))
                case Change():
                    self.law.change(item)
                case _Seal():
                    self._sealed(item)

    def _judge(self, event: _Event, fact: Fact | str) -> None:
        try:
            if isinstance(fact, str):
                raise Broken(fact)
            if fact.id in self._ids:
                raise Broken("the event stands in the chain twice")
            self._ids.add(fact.id)
            if fact.at < self._last_time:
                raise Broken(f"backdated: stamped {fact.at}, long before the checkpoint in front of it was signed")
            if self._latest is None or fact.at > self._latest[0]:
                self._latest = (fact.at, event.seq, event)
            if self._changes:
                self.law.event(xid=fact.xid, n=fact.n, subjects=fact.subjects, effect=fact.effect)
            self.docket.take(fact, event.seq, event.line)
            self.receipts.event(fact, event.document)
            self.shelf.expect(fact, event.seq, event.line)
            self._facing = event, fact
        except Broken as broken:
            if broken.line is None:
                broken.seq, broken.line, broken.event_id = event.seq, event.line, id_of(event.document)
            raise

    def _hold(self, handed: _Handed, promise: Promise | str) -> None:
        assert self._facing is not None
        event, fact = self._facing
        try:
            if isinstance(promise, str):
                raise Broken(promise)
            hold(promise, recorded_of(fact, event.document))
        except Broken as broken:
            broken.seq, broken.line, broken.event_id = event.seq, handed.line, fact.id
            raise
        self.stored_receipts += 1

    def _sealed(self, seal: _Seal) -> None:
        self.law.close_transaction()
        self._close_batch()
        if self._latest is not None and self._latest[0] > shifted(seal.time, seconds=SKEW_SECONDS):
            at, seq, event = self._latest
            broken = Broken(f"stamped {at}, after the checkpoint that covers it was signed", seq=seq)
            broken.event_id, broken.line = id_of(event.document), event.line
            raise broken
        self._latest = None
        self._last_time = shifted(seal.time, seconds=-BACKDATED_SECONDS)

    def _close_batch(self) -> None:
        self.law.close_batch()
        self.docket.close_batch()


def id_of(document: bytes) -> str | None:
    """The event's id, also from a document that is no longer sound; None where none can be read."""
    found = re.search(rb'"\},"id":"([0-9a-f-]{36})","n":"', document)
    return None if found is None else found[1].decode()

"""What a full verification looks for beside the chain: Law 17's row changes, and approval signatures.

The checks themselves are the offline verifier's; here the database hands it what they need.
"""

import asyncio
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg

from app.governance_ledger.replaying import BATCH, WHOLE_LEDGER_SECONDS, Broken, name_of
from app.postgres import Transaction
from app.verifier import errors
from app.verifier.approvals import SKEW_SECONDS, Docket
from app.verifier.changes import NOTHING, Change, Ledger17
from app.verifier.documents import Reader, read_batch
from app.verifier.judging import BACKDATED_SECONDS
from app.verifier.tokens import Tokens

XIDS = 2_000

_XIDS = """
SELECT DISTINCT xid::text AS xid, xid AS place FROM governance_ledger.changes
 WHERE tenant_id = $1 AND xid > $2::text::xid8 ORDER BY place LIMIT $3
"""

_CHANGES = """
SELECT xid::text AS xid, n, rel, key, op::text AS op, encode(old_hash, 'hex') AS old,
       encode(sha256(convert_to(new_image, 'UTF8')), 'hex') AS new, digest
  FROM governance_ledger.changes WHERE tenant_id = $1 AND xid = ANY ($2::text[]::xid8[]) ORDER BY xid, n
"""

_TAKERS = """
SELECT e.xid::text AS xid, e.n, e.event_id, e.subjects, e.effect_n::text AS effect_n,
       encode(e.effect_digest, 'hex') AS effect_digest,
       (SELECT s.seq FROM governance_ledger.ledger_seals s WHERE s.tenant_id = e.tenant_id AND s.n = e.n LIMIT 1) AS seq
  FROM governance_ledger.governance_events e
 WHERE e.tenant_id = $1 AND e.xid = ANY ($2::text[]::xid8[]) ORDER BY e.xid, e.n
"""

# The changes of one row are a chain: each found what the one before it left.
_UNLINKED = """
SELECT rel, key, n FROM (
  SELECT rel, key, n, old_hash,
         lag(sha256(convert_to(new_image, 'UTF8'))) OVER (PARTITION BY rel, key ORDER BY n) AS left_by
    FROM governance_ledger.changes WHERE tenant_id = $1) linked
 WHERE old_hash IS DISTINCT FROM left_by ORDER BY n LIMIT 1
"""

_GOVERNED = """
SELECT t.tgrelid::regclass::text AS tab, string_to_array(encode(t.tgargs, 'escape'), '\\000') AS arguments
  FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
 WHERE p.proname = 'capture' AND p.pronamespace = 'governance_ledger'::regnamespace AND t.tgname = 'zz_law_id'
   AND t.tgparentid = 0 AND has_table_privilege(t.tgrelid, 'SELECT') ORDER BY 1
"""

# Rows beside what their last change left. The image is made as capture() makes it, under the same settings.
_ALTERED = """
SELECT coalesce(live.key, last.key) AS key FROM (
    SELECT to_jsonb(r) ->> {key} AS key, (to_jsonb(r){hashed})::text AS image FROM {tab} r WHERE r.tenant_id = $1) live
  FULL JOIN (
    SELECT DISTINCT ON (c.key) c.key, c.new_image FROM governance_ledger.changes c
     WHERE c.tenant_id = $1 AND c.rel = {rel} ORDER BY c.key, c.n DESC) last ON last.key = live.key
 WHERE live.image IS DISTINCT FROM last.new_image ORDER BY 1 LIMIT 1
"""
_HASHED = (
    " || jsonb_build_object({name}, 'sha256:' || encode(sha256(convert_to(to_jsonb(r) ->> {name}, 'UTF8')), 'hex'))"
)

_AS_CAPTURED = """
SELECT set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO, YMD', true),
       set_config('intervalstyle', 'iso_8601', true), set_config('bytea_output', 'hex', true),
       set_config('extra_float_digits', '1', true)
"""

_SIGNED = """
SELECT s.seq, e.event_id, convert_to(e.body, 'UTF8') AS document
  FROM governance_ledger.ledger_seals s
  JOIN governance_ledger.governance_events e ON e.xid = s.xid AND e.n = s.n AND e.tenant_id = s.tenant_id
 WHERE s.tenant_id = $1 AND s.seq = ANY ($2) ORDER BY s.seq
"""


class Sealed(NamedTuple):
    """How far a checkpoint reaches, and when it was signed."""

    size: int
    at: datetime


class Noted:
    """What the reading of a whole chain leaves to judge: see `replaying.Watch`."""

    def __init__(self, seals: Sequence[Sealed]) -> None:
        """`seals` are the checkpoints in their order."""
        self.approvals = array("q")
        self.bereft: int | None = None
        self.misdated: tuple[int, str] | None = None
        self._seals = deque(_times_of(seals))

    def see(self, rows: Sequence[asyncpg.Record]) -> None:
        self.approvals.extend([row["seq"] for row in rows if row["approval"]])
        if self.bereft is None:
            self.bereft = next((row["seq"] for row in rows if row["bereft"]), None)
        begun = 0
        while self._seals and begun < len(rows) and self.misdated is None:
            last, earliest, latest = self._seals[0]
            ends = min(last - rows[0]["seq"] + 1, len(rows))
            self._see_times(rows[begun:ends], earliest, latest)
            begun = max(begun, ends)
            if rows[begun - 1]["seq"] >= last:
                self._seals.popleft()

    def _see_times(self, rows: Sequence[asyncpg.Record], earliest: bytes, latest: bytes) -> None:
        """An event was stamped before the checkpoint that covers it was signed, and not long before the one in front
        of it. Its document begins with the time."""
        stamps = [row["document"][7:34] for row in rows]
        if not stamps or (max(stamps) <= latest and min(stamps) >= earliest):
            return
        seq, stamp = next(
            (row["seq"], stamp) for row, stamp in zip(rows, stamps, strict=True) if not earliest <= stamp <= latest
        )
        ahead, behind = "after the checkpoint that covers it", "long before the checkpoint in front of it"
        self.misdated = (seq, f"stamped {ahead}" if stamp > latest else f"backdated: stamped {behind}")


def _times_of(seals: Sequence[Sealed]) -> Iterator[tuple[int, bytes, bytes]]:
    """For each checkpoint: its last event, and the first and last time that its events may bear."""
    earliest = b""
    for seal in seals:
        yield seal.size, earliest, _stamp(seal.at + timedelta(seconds=SKEW_SECONDS))
        earliest = _stamp(seal.at - timedelta(seconds=BACKDATED_SECONDS))


def _stamp(at: datetime) -> bytes:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()


async def judge_changes(tx: Transaction, noted: Noted) -> None:
    """Hold every row change against the event that took it, the change before it, and the row as it is now.

    Raises `Broken`.
    """
    law = Ledger17(str(tx.tenant), whole=True, links=False)
    after = "0"
    while rows := await tx.connection.fetch(_XIDS, tx.tenant, after, XIDS, timeout=WHOLE_LEDGER_SECONDS):
        xids = [row["xid"] for row in rows]
        changes = await tx.connection.fetch(_CHANGES, tx.tenant, xids)
        _judge_transactions(law, changes, await tx.connection.fetch(_TAKERS, tx.tenant, xids))
        after = xids[-1]
    if noted.bereft is not None:
        raise Broken("the event accounts for row changes that are gone", noted.bereft, await name_of(tx, noted.bereft))
    unlinked = await tx.connection.fetchrow(_UNLINKED, tx.tenant, timeout=WHOLE_LEDGER_SECONDS)
    if unlinked is not None:
        raise Broken(
            f"{unlinked['rel']}/{unlinked['key']} was changed behind the ledger's back: change {unlinked['n']} found "
            "another row than the change before it left"
        )
    await _compare_rows(tx)


def _judge_transactions(law: Ledger17, changes: Sequence[asyncpg.Record], takers: Sequence[asyncpg.Record]) -> None:
    by_xid: dict[str, list[asyncpg.Record]] = {}
    for taker in takers:
        by_xid.setdefault(taker["xid"], []).append(taker)
    for xid, of_xid in _grouped(changes):
        for row in of_xid:
            change = Change(
                xid, row["n"], row["rel"], row["key"], row["op"], row["old"] or NOTHING, row["new"] or NOTHING
            )
            if change.digest(law.tenant) != row["digest"]:
                raise Broken(f"change {change.n} of {change.table}/{change.key} is not what its digest says")
            law.change(change)
        for taker in by_xid.get(xid, ()):
            _take(law, taker)
        try:
            law.close_transaction()
        except errors.Broken as broken:
            raise Broken(broken.reason) from broken


def _grouped(changes: Iterable[asyncpg.Record]) -> Iterable[tuple[str, list[asyncpg.Record]]]:
    found: dict[str, list[asyncpg.Record]] = {}
    for change in changes:
        found.setdefault(change["xid"], []).append(change)
    return found.items()


def _take(law: Ledger17, taker: asyncpg.Record) -> None:
    effect = (taker["effect_n"], taker["effect_digest"])
    try:
        law.event(xid=taker["xid"], n=taker["n"], subjects=taker["subjects"], effect=effect)
    except errors.Broken as broken:
        raise Broken(broken.reason, taker["seq"], taker["event_id"]) from broken


async def _compare_rows(tx: Transaction) -> None:
    await tx.connection.execute(_AS_CAPTURED)
    for table in await tx.connection.fetch(_GOVERNED):
        logical, key, *hashed = table["arguments"][:-1]
        quoted = {
            name: await tx.connection.fetchval("SELECT quote_literal($1::text)", name)
            for name in (logical, key, *hashed)
        }
        statement = _ALTERED.format(
            tab=table["tab"],
            rel=quoted[logical],
            key=quoted[key],
            hashed="".join(_HASHED.format(name=quoted[name]) for name in hashed),
        )
        altered = await tx.connection.fetchval(statement, tx.tenant, timeout=WHOLE_LEDGER_SECONDS)
        if altered is not None:
            raise Broken(
                f"{logical}/{altered} is not what its last recorded change left: it was changed without an event"
            )


async def judge_times(tx: Transaction, noted: Noted) -> None:
    """Hold the time at which each event was stamped against the checkpoints around it. Raises `Broken`."""
    if noted.misdated is not None:
        seq, said = noted.misdated
        raise Broken(f"{said} was signed", seq, await name_of(tx, seq))


async def judge_approvals(tx: Transaction, noted: Noted, seals: Sequence[int], keys: Mapping[str, bytes]) -> Docket:
    """Verify every approval signature: whose, for what, once. `seals` are sizes at which a seal ends.

    Raises `Broken`.
    """
    docket = Docket(str(tx.tenant), whole=True)
    reader = Reader(str(tx.tenant), Tokens(keys))
    waiting, start = noted.approvals, 0
    ends = sorted({bisect_right(waiting, size) for size in seals} | {len(waiting)})
    while start < len(waiting):
        stop = next((end for end in ends if end >= start + BATCH), len(waiting))
        await _judge_batch(tx, docket, reader, waiting[start:stop])
        start = stop
    return docket


async def _judge_batch(tx: Transaction, docket: Docket, reader: Reader, seqs: Sequence[int]) -> None:
    for low in range(0, len(seqs), BATCH):
        rows = await tx.connection.fetch(_SIGNED, tx.tenant, seqs[low : low + BATCH])
        facts = await asyncio.to_thread(read_batch, reader, [row["document"] for row in rows])
        for row, fact in zip(rows, facts, strict=False):
            if isinstance(fact, str):
                raise Broken(fact, row["seq"], row["event_id"])
            docket.take(fact, row["seq"])
    try:
        await asyncio.to_thread(docket.close_batch)
    except errors.Broken as broken:
        raise Broken(broken.reason, broken.seq, None if broken.event_id is None else UUID(broken.event_id)) from broken

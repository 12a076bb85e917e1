"""Holding a tenant's recomputed chain against everything that witnesses it."""

import time
from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec

from app.canon.evidence import EvidenceStore, NotStored
from app.governance_ledger import notes
from app.governance_ledger.attestations import Trust, hold_attestations
from app.governance_ledger.catalogue import compare_catalogue
from app.governance_ledger.chain import genesis
from app.governance_ledger.issuing import judge_receipts
from app.governance_ledger.judging import Noted, Sealed, judge_approvals, judge_changes, judge_times
from app.governance_ledger.model import Attestation, Break, ChainReport, CheckpointSummary, Unsealed
from app.governance_ledger.replaying import WHOLE_LEDGER_SECONDS, Broken, Position, replay
from app.postgres import Transaction

DEFAULT_MERGE_DELAY_SECONDS = 5

_HEAD = """
SELECT coalesce(h.seq, 0) AS seq, h.hash,
       coalesce((SELECT max(seq) FROM governance_ledger.ledger_seals WHERE tenant_id = $1), 0) AS last
  FROM (SELECT 1) one LEFT JOIN governance_ledger.ledger_heads h ON h.tenant_id = $1
"""

_LAST_VERIFIED = """
SELECT v.seq, v.hash, s.hash AS stored
  FROM governance_ledger.ledger_verifications v
  LEFT JOIN governance_ledger.ledger_seals s ON s.tenant_id = v.tenant_id AND s.seq = v.seq
 WHERE v.tenant_id = $1 ORDER BY v.seq DESC LIMIT 1
"""

_CHECKPOINTS = """
SELECT c.serial, c.size, c.head_hash, c.root_hash, c.kid, c.signed_at, c.note, c.key, s.hash AS stored
  FROM governance_ledger.ledger_checkpoints c
  LEFT JOIN governance_ledger.ledger_seals s ON s.tenant_id = c.tenant_id AND s.seq = c.size
 WHERE c.tenant_id = $1 AND (c.size > $2 OR c.serial =
   (SELECT max(serial) FROM governance_ledger.ledger_checkpoints WHERE tenant_id = $1))
 ORDER BY c.serial
"""

# What the last seal could not see. Bounds that say nothing new make the planner take the index.
_WAITING = """
SELECT event_id, recorded_at FROM governance_ledger.governance_events
 WHERE tenant_id = $1 AND xid >= (SELECT pg_snapshot_xmax(snap) FROM governance_ledger.ledger_mark)
       AND xid < '18446744073709551615'
UNION ALL
SELECT event_id, recorded_at FROM governance_ledger.governance_events
 WHERE tenant_id = $1 AND xid = ANY (ARRAY(SELECT pg_snapshot_xip(snap) FROM governance_ledger.ledger_mark))
       AND xid >= (SELECT pg_snapshot_xmin(snap) FROM governance_ledger.ledger_mark)
       AND xid < (SELECT pg_snapshot_xmax(snap) FROM governance_ledger.ledger_mark)
"""

# Every event, also one that the mark has passed by. OFFSET keeps the planner from a join that old statistics make
# quadratic.
_NEVER_SEALED = """
SELECT e.event_id, e.recorded_at FROM governance_ledger.governance_events e
 WHERE e.tenant_id = $1 AND NOT EXISTS (
   SELECT FROM governance_ledger.ledger_seals s WHERE s.tenant_id = e.tenant_id AND s.n = e.n OFFSET 0)
"""

_EVENTS = "SELECT count(*) FROM governance_ledger.governance_events WHERE tenant_id = $1"

_OLDEST = """
SELECT count(*) AS count,
       coalesce(ceil(extract(epoch FROM clock_timestamp() - min(recorded_at)) * 1000), 0)::bigint AS oldest_age_ms,
       (array_agg(event_id ORDER BY recorded_at))[1] AS oldest
  FROM ({events}) waiting
"""
UNSEALED = _OLDEST.format(events=_WAITING)
UNSEALED_OF_ALL = _OLDEST.format(events=_NEVER_SEALED)

_TWICE = """
SELECT min(seq) FROM (
  SELECT max(seq) AS seq FROM governance_ledger.ledger_seals WHERE tenant_id = $1 GROUP BY n HAVING count(*) > 1) again
"""

_VERIFIED = "INSERT INTO governance_ledger.ledger_verifications (tenant_id, seq, hash) VALUES ($1, $2, $3)"


class _Stored(msgspec.Struct, frozen=True):
    """A checkpoint row and the chain's stored hash at its size."""

    serial: int
    size: int
    head_hash: bytes
    root_hash: bytes
    kid: str
    signed_at: datetime
    note: str
    key: str
    stored: bytes | None


class _Verification:
    """One pass over one tenant's chain."""

    def __init__(self, tx: Transaction, *, full: bool) -> None:
        self.tx = tx
        self.full = full
        self.started = time.perf_counter()
        self.from_seq = 0
        self.at = Position(0, genesis(tx.tenant))
        self.head = Position(0, self.at.hash)
        self.checkpoints: Sequence[_Stored] = ()
        self.unsealed = Unsealed(0, 0)
        self.attestations: tuple[Attestation, ...] = ()
        self.signatures = 0
        self.receipts = 0
        self.noted = Noted(())

    async def start(self) -> None:
        """Read the witnesses, then the head, and go on from where the last pass ended.

        In this order: a chain that grows meanwhile is then never shorter than what witnesses it.
        """
        marked = await self.tx.connection.fetchrow(_LAST_VERIFIED, self.tx.tenant)
        self.checkpoints = await self._read_checkpoints(0 if self.full or marked is None else marked["seq"])
        head = await self.tx.connection.fetchrow(_HEAD, self.tx.tenant)
        assert head is not None
        self.head = Position(head["seq"], head["hash"] or self.at.hash)
        if head["last"] != head["seq"]:
            raise Broken(
                f"the head says {head['seq']} events are sealed, the seals end at {head['last']}", head["last"]
            )
        if marked is not None:
            self._hold_against_mark(marked)

    def _hold_against_mark(self, marked: asyncpg.Record) -> None:
        if marked["seq"] > self.head.seq:
            raise Broken(f"truncated: event {marked['seq']} was verified before and is gone", marked["seq"])
        if marked["stored"] != marked["hash"]:
            raise Broken("rewritten: the chain differs from what was verified before", marked["seq"])
        if not self.full:
            self.from_seq, self.at = marked["seq"], Position(marked["seq"], marked["hash"])

    async def _read_checkpoints(self, beyond: int) -> list[_Stored]:
        rows = await self.tx.connection.fetch(_CHECKPOINTS, self.tx.tenant, beyond)
        return [_Stored(**dict(row)) for row in rows]

    async def recompute(self) -> None:
        """Every leaf, link and column since `from_seq`, and in a full pass the tree's roots."""
        roots = {checkpoint.size: checkpoint.root_hash for checkpoint in self.checkpoints} if self.full else {}
        if self.full:
            self.noted = Noted([Sealed(checkpoint.size, checkpoint.signed_at) for checkpoint in self.checkpoints])
        await replay(self.tx, self.at, self.head.seq, roots, columns=True, watch=self.noted if self.full else None)
        if self.at.hash != self.head.hash:
            raise Broken("the head is not the end of the chain", self.at.seq)

    async def hold_against_checkpoints(self, keys: dict[str, bytes]) -> None:
        serial, size = None, -1
        for checkpoint in self.checkpoints:
            self._check_note(checkpoint, keys)
            if checkpoint.size > self.head.seq:
                raise Broken(
                    f"truncated: a checkpoint covers {checkpoint.size} events, {self.head.seq} are here", self.head.seq
                )
            if checkpoint.stored != checkpoint.head_hash:
                raise Broken("rewritten: the chain differs from a signed checkpoint", checkpoint.size)
            if checkpoint.size <= size or serial not in (None, checkpoint.serial - 1):
                raise Broken(f"checkpoint {checkpoint.serial} does not follow the one before it", checkpoint.size)
            serial, size = checkpoint.serial, checkpoint.size

    def _check_note(self, checkpoint: _Stored, keys: dict[str, bytes]) -> None:
        signed = self._signed(checkpoint, keys)
        said = (signed.size, signed.root_hash, signed.head_hash)
        if said != (checkpoint.size, checkpoint.root_hash, checkpoint.head_hash):
            raise Broken(f"checkpoint {checkpoint.serial} differs from what it signs", checkpoint.size)

    def _signed(self, checkpoint: _Stored, keys: dict[str, bytes]) -> notes.Checkpoint:
        """What the note states under any key that is trusted: while one is replaced, a note is signed by both."""
        refused = "it is signed by an unknown key"
        for kid, public in keys.items():
            try:
                return notes.verify(checkpoint.note, self.tx.tenant, public)
            except notes.NoteRefused as error:
                refused = str(error) if kid == checkpoint.kid else refused
        raise Broken(f"checkpoint {checkpoint.serial}: {refused}", checkpoint.size)

    async def look_for_unsealed(self, allowed_ms: int) -> None:
        if self.full and await self._count_events() == self.at.seq:
            return
        statement = UNSEALED_OF_ALL if self.full else UNSEALED
        row = await self.tx.connection.fetchrow(statement, self.tx.tenant, timeout=WHOLE_LEDGER_SECONDS)
        assert row is not None
        self.unsealed = Unsealed(row["count"], row["oldest_age_ms"])
        if row["oldest_age_ms"] > allowed_ms:
            raise Broken(
                f"not sealed for {row['oldest_age_ms']} ms, {allowed_ms} ms are promised: is the sealer running?",
                None,
                row["oldest"],
            )

    async def _count_events(self) -> int:
        """As many as are sealed, each once and none missing, are all of them. This process waits: two of the database's
        read."""
        await self.tx.connection.execute("SET LOCAL max_parallel_workers_per_gather = 1")
        return int(await self.tx.connection.fetchval(_EVENTS, self.tx.tenant, timeout=WHOLE_LEDGER_SECONDS))

    async def look_for_doubles(self) -> None:
        if self.full:
            seq = await self.tx.connection.fetchval(_TWICE, self.tx.tenant, timeout=WHOLE_LEDGER_SECONDS)
            if seq is not None:
                raise Broken("an event is sealed twice", seq)

    async def judge(self, approval_keys: dict[str, bytes] | None) -> None:
        """Times, row changes and approvals, once the documents that they stand in are known to be what was sealed."""
        if not self.full:
            return
        await judge_times(self.tx, self.noted)
        await judge_changes(self.tx, self.noted)
        if approval_keys is not None:
            sizes = [checkpoint.size for checkpoint in self.checkpoints]
            docket = await judge_approvals(self.tx, self.noted, sizes, approval_keys)
            self.signatures = docket.signatures

    async def hold_against_receipts(self, keys: dict[str, bytes] | None) -> None:
        """What callers were promised, also of events that no seal covers yet."""
        if self.full:
            self.receipts = await judge_receipts(self.tx, keys)

    async def hold_against_attestors(self, trust: Trust) -> None:
        self.attestations = await hold_attestations(self.tx, trust, full=self.full)

    async def hold_against_catalogue(self) -> None:
        """Last: what the chain itself shows is the nearer evidence."""
        differences = await compare_catalogue(self.tx.connection) if self.full else ()
        if differences:
            more = f" (and {len(differences) - 1} more: `flr doctor` lists them)" if len(differences) > 1 else ""
            raise Broken(f"unprotected: {differences[0]}{more}")

    async def hold_against_store(self, store: EvidenceStore) -> None:
        """The store's copies are out of the database's reach: one more than here shows a cut."""
        last = self.checkpoints[-1].serial if self.checkpoints else 0
        try:
            await store.head(notes.object_key(self.tx.tenant, last + 1))
        except NotStored:
            return
        newer = await self._read_checkpoints(self.head.seq)
        if not newer or newer[-1].serial <= last:
            raise Broken(f"truncated: the store holds checkpoint {last + 1}, the ledger ends at {last}", self.head.seq)

    async def remember(self) -> None:
        if self.at.seq > self.from_seq:
            await self.tx.connection.execute(_VERIFIED, self.tx.tenant, self.at.seq, self.at.hash)

    def report(self, found: Break | None) -> ChainReport:
        return ChainReport(
            ok=found is None,
            tenant=self.tx.tenant,
            from_seq=self.from_seq + 1,
            to_seq=self.at.seq,
            events=self.at.seq - self.from_seq,
            head_hash=self.at.hash.hex(),
            checkpoint=_summary(self.checkpoints[-1], self.attestations) if self.checkpoints else None,
            unsealed=self.unsealed,
            signatures=self.signatures,
            receipts=self.receipts,
            first_break=found,
            duration_ms=round((time.perf_counter() - self.started) * 1000),
        )


async def verify_chain(
    tx: Transaction,
    *,
    full: bool = False,
    store: EvidenceStore | None = None,
    keys: dict[str, bytes] | None = None,
    approval_keys: dict[str, bytes] | None = None,
    receipt_keys: dict[str, bytes] | None = None,
    trust: Trust | None = None,
    max_merge_delay_seconds: int = DEFAULT_MERGE_DELAY_SECONDS,
) -> ChainReport:
    """Whether the tenant's ledger is what it was; the first place at which it is not.

    Goes on from where the last verification ended; `full` starts at the first event, recomputes the tree's roots,
    looks for events that were never sealed, holds every row change of Law 17 against its event and its row, every
    approval signature against what it stands for, every stored receipt against its event, and the database's catalogue
    against the pinned one. `keys` (kid to
    32 raw bytes) are the sealers' public keys to trust; None takes those that the database names. `approval_keys` are
    the API's; with None approvals are left unchecked. `receipt_keys` are the API's, too; with None it is only seen that
    what was promised is there. `store` is asked for checkpoints that the database no longer
    has. What was rewritten after the last checkpoint held outside the database cannot be found by anyone. Writes one
    row that remembers how far it came.
    """
    verification = _Verification(tx, full=full)
    found: Break | None = None
    try:
        await verification.start()
        await verification.recompute()
        await verification.hold_against_checkpoints(keys if keys is not None else await _keys(tx))
        await verification.look_for_doubles()
        await verification.judge(approval_keys)
        await verification.hold_against_receipts(receipt_keys)
        if store is not None:
            await verification.hold_against_store(store)
        await verification.hold_against_attestors(trust or Trust())
        await verification.remember()
        await verification.look_for_unsealed(max_merge_delay_seconds * 1000)
        await verification.hold_against_catalogue()
    except Broken as broken:
        found = broken.found
    return verification.report(found)


async def _keys(tx: Transaction) -> dict[str, bytes]:
    rows = await tx.connection.fetch("SELECT kid, public_key FROM governance_ledger.ledger_keys")
    return {row["kid"]: row["public_key"] for row in rows}


def _summary(row: _Stored, attestations: tuple[Attestation, ...]) -> CheckpointSummary:
    return CheckpointSummary(
        row.serial, row.size, row.root_hash.hex(), row.head_hash.hex(), row.kid, row.signed_at, row.note, attestations
    )

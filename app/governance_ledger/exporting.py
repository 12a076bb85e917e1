"""Exports: a range of a tenant's chain as lines that verify offline (docs/ledger-format.md, section 11).

Read in short transactions, a batch of events each, so that memory does not grow and nobody is held up. What an export
covers is fixed when it is planned: the chain only grows, so the batches fit together.
"""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import asyncpg
import msgspec

from app.canon.evidence import EvidenceStore
from app.governance_ledger.errors import EvidenceDiffers, EvidenceErased
from app.governance_ledger.evidence import fetch_stored
from app.governance_ledger.issuing import fetch_receipts
from app.governance_ledger.planning import BATCH, LEAVES, Plan
from app.governance_ledger.refs import key_of
from app.postgres import Database, Transaction
from app.verifier import lines

READ_BYTES = 8 * 1024 * 1024

_EVENTS = """
SELECT s.seq, s.hash, s.xid::text AS xid, e.event_id, convert_to(e.body, 'UTF8') AS document,
       e.evidence_sha256 IS NOT NULL AS evidenced
  FROM governance_ledger.ledger_seals s
  JOIN governance_ledger.governance_events e ON e.xid = s.xid AND e.n = s.n AND e.tenant_id = s.tenant_id
 WHERE s.tenant_id = $1 AND s.seq > $2 AND s.seq <= $3 ORDER BY s.seq
"""

_CHECKPOINTS = """
SELECT serial, size, note FROM governance_ledger.ledger_checkpoints
 WHERE tenant_id = $1 AND size > $2 AND size <= $3 ORDER BY serial
"""

_ATTESTATIONS = """
SELECT a.serial, a.kind, a.name, a.content
  FROM governance_ledger.ledger_checkpoints c
  JOIN governance_ledger.ledger_attestations a ON a.tenant_id = c.tenant_id AND a.serial = c.serial
 WHERE c.tenant_id = $1 AND c.size > $2 AND c.size <= $3 ORDER BY a.serial, a.kind, a.name
"""

CHANGES = """
SELECT xid::text AS xid, n, rel, key, op::text AS op, old_hash, new_image,
       sha256(convert_to(new_image, 'UTF8')) AS new_hash
  FROM governance_ledger.changes WHERE tenant_id = $1 AND xid = ANY ($2::text[]::xid8[]) ORDER BY xid, n
"""

# Changes in whose transaction no event of the tenant was written: the Law was switched off.
_ORPHANS = """
SELECT c.xid::text AS xid, c.n, c.rel, c.key, c.op::text AS op, c.old_hash, c.new_image,
       sha256(convert_to(c.new_image, 'UTF8')) AS new_hash
  FROM governance_ledger.changes c
 WHERE c.tenant_id = $1 AND NOT EXISTS (
   SELECT FROM governance_ledger.governance_events e WHERE e.xid = c.xid AND e.tenant_id = c.tenant_id OFFSET 0)
 ORDER BY c.xid, c.n
"""


# Receipts whose event is gone: somebody cut the ledger.
_STRAY_RECEIPTS = """
SELECT r.receipt FROM governance_ledger.ledger_receipts r
 WHERE r.tenant_id = $1 AND NOT EXISTS (
   SELECT FROM governance_ledger.governance_events e
    WHERE e.event_id = r.event_id AND e.tenant_id = r.tenant_id OFFSET 0)
 ORDER BY r.event_id
"""


class Progress:
    """How far an export was written: enough to go on after the last whole group of lines."""

    def __init__(self, seq: int, *, receipts: bool) -> None:
        self.tally = lines.Tally(receipts=receipts)
        self.seq = seq
        self.xid = ""
        self.head = b""
        self.evidence: set[bytes] = set()
        self.ended = False


class Piece(msgspec.Struct, frozen=True):
    """Some lines. `closes` ends a group: from here an interrupted export goes on. `seq` is how far it came."""

    content: bytes
    seq: int
    closes: bool


async def export_pieces(
    database: Database, tenant: UUID, plan: Plan, *, store: EvidenceStore, progress: Progress | None = None
) -> AsyncIterator[Piece]:
    """The export's lines, uncompressed, group by group; from `progress` on. A transaction of its own for each batch.

    Raises `EvidenceAway` when evidence is wanted and the store does not answer.
    """
    if progress is None:
        progress = Progress(plan.from_seq - 1, receipts=plan.receipts)
        line = lines.header_line(plan.header)
        progress.tally.add(line)
        yield Piece(line, progress.seq, closes=True)
    while progress.seq < plan.to_seq:
        async for piece in _batch(database, tenant, plan, progress, store):
            yield piece
    while progress.seq < plan.covered_to:
        yield await _leaves(database, tenant, plan, progress)
    if plan.from_seq == 1 and plan.to_seq == plan.covered_to:
        yield await _orphans(database, tenant, plan, progress)
    yield Piece(progress.tally.end_line(progress.seq, progress.head), progress.seq, closes=True)


async def _batch(
    database: Database, tenant: UUID, plan: Plan, progress: Progress, store: EvidenceStore
) -> AsyncIterator[Piece]:
    end = min(progress.seq + BATCH, plan.to_seq)
    async with database.transaction(tenant) as tx:
        rows = await tx.connection.fetch(_EVENTS, tenant, progress.seq, end)
        checkpoints = await _checkpoints(tx, progress.seq, end)
        changes = await _changes(tx, rows, progress) if plan.header["changes"] else {}
        receipts = await fetch_receipts(tx, [row["event_id"] for row in rows]) if plan.receipts else {}
    written: list[bytes] = []
    for row in rows:
        if row["xid"] != progress.xid:
            written += [_add(progress, change_line(change), "changes") for change in changes.get(row["xid"], ())]
        progress.xid, progress.head = row["xid"], row["hash"]
        written.append(_add(progress, lines.event_line(row["document"], row["hash"], row["seq"]), "events"))
        if row["event_id"] in receipts:
            written.append(_add(progress, lines.receipt_line(receipts[row["event_id"]]), "receipts"))
        written += [_add(progress, line, signed_kind(line)) for line in checkpoints.get(row["seq"], ())]
    progress.seq = end
    wanted = _new_evidence(rows, progress) if plan.header["evidence"] else []
    yield Piece(b"".join(written), end, closes=not wanted)
    for place, sha256 in enumerate(wanted, 1):
        async for line in evidence_lines(database, tenant, store, sha256):
            said = '"last":true' if b'"last":true' in line[-200:] else None
            yield Piece(_add(progress, line, "evidence" if said else None), end, closes=False)
        if place == len(wanted):
            yield Piece(b"", end, closes=True)


def signed_kind(line: bytes) -> str:
    """How the end counts a checkpoint, or an attestation of one."""
    return "checkpoints" if line.startswith(lines.CHECKPOINT) else "attestations"


def _add(progress: Progress, line: bytes, kind: str | None) -> bytes:
    progress.tally.add(line, kind)
    return line


async def _checkpoints(tx: Transaction, after: int, end: int) -> dict[int, list[bytes]]:
    rows = await tx.connection.fetch(_CHECKPOINTS, tx.tenant, after, end)
    size_of = {row["serial"]: row["size"] for row in rows}
    found = {row["size"]: [lines.checkpoint_line(row["serial"], row["note"])] for row in rows}
    for row in await tx.connection.fetch(_ATTESTATIONS, tx.tenant, after, end):
        line = lines.attestation_line(row["serial"], row["kind"], row["name"], row["content"])
        found[size_of[row["serial"]]].append(line)
    return found


async def _changes(
    tx: Transaction, rows: Sequence[asyncpg.Record], progress: Progress
) -> dict[str, list[asyncpg.Record]]:
    xids = list({row["xid"] for row in rows} - {progress.xid})
    found: dict[str, list[asyncpg.Record]] = {}
    for change in await tx.connection.fetch(CHANGES, tx.tenant, xids):
        found.setdefault(change["xid"], []).append(change)
    return found


def change_line(row: asyncpg.Record) -> bytes:
    """The line of a row of `changes`."""
    return lines.change_line(
        xid=row["xid"],
        n=row["n"],
        table=row["rel"],
        key=row["key"],
        op=row["op"],
        old=row["old_hash"],
        new=row["new_hash"],
        image=row["new_image"],
    )


def _new_evidence(rows: Sequence[asyncpg.Record], progress: Progress) -> list[str]:
    found: list[str] = []
    for row in rows:
        if row["evidenced"]:
            for ref in evidence_of(row["document"]):
                if ref not in progress.evidence:
                    progress.evidence.add(ref)
                    found.append(ref.hex())
    return found


def evidence_of(document: bytes) -> list[bytes]:
    """The hashes of the evidence that a document names."""
    named = msgspec.json.decode(document)["body"]["evidence"]
    return [bytes.fromhex(ref["sha256"]) for ref in named]


async def evidence_lines(database: Database, tenant: UUID, store: EvidenceStore, sha256: str) -> AsyncIterator[bytes]:
    """The stored bytes of a piece of evidence in parts, or one line that says that they are lost or erased."""
    start, part, size = 0, 0, lines.EVIDENCE_PART_BYTES
    try:
        block = await fetch_stored(database, tenant, store, key_of(sha256), 0, READ_BYTES - 1)
    except EvidenceDiffers:
        yield lines.missing_line(sha256, "lost")
        return
    except EvidenceErased:
        yield lines.missing_line(sha256, "erased")
        return
    while True:
        following = b""
        if len(block) == READ_BYTES:
            start += READ_BYTES
            following = await _following(database, tenant, store, sha256, start)
        for at in range(0, max(len(block), 1), size):
            last = not following and at + size >= len(block)
            yield lines.evidence_line(sha256, part, block[at : at + size], last=last)
            part += 1
        if not following:
            return
        block = following


async def _following(database: Database, tenant: UUID, store: EvidenceStore, sha256: str, start: int) -> bytes:
    async with database.transaction(tenant) as tx:
        size: int = await tx.connection.fetchval(
            "SELECT size_bytes FROM governance_ledger.evidence_objects WHERE tenant_id = $1 AND sha256 = $2 LIMIT 1",
            tenant,
            sha256,
        )
    if start >= size:
        return b""
    return await fetch_stored(database, tenant, store, key_of(sha256), start, start + READ_BYTES - 1)


async def _leaves(database: Database, tenant: UUID, plan: Plan, progress: Progress) -> Piece:
    """What the checkpoint covers beyond the range, as hashes."""
    end = min(progress.seq + BATCH, plan.covered_to)
    async with database.transaction(tenant) as tx:
        rows = await tx.connection.fetch(LEAVES, tenant, progress.seq, end)
        checkpoints = await _checkpoints(tx, progress.seq, end)
    written = []
    for row in rows:
        progress.head = row["hash"]
        written.append(_add(progress, lines.leaf_line(row["leaf"], row["hash"], row["seq"]), "leaves"))
        written += [_add(progress, line, signed_kind(line)) for line in checkpoints.get(row["seq"], ())]
    progress.seq = end
    return Piece(b"".join(written), end, closes=True)


async def _orphans(database: Database, tenant: UUID, plan: Plan, progress: Progress) -> Piece:
    """Changes and receipts of no event."""
    async with database.transaction(tenant) as tx:
        changes = await tx.connection.fetch(_ORPHANS, tenant) if plan.header["changes"] else []
        receipts = await tx.connection.fetch(_STRAY_RECEIPTS, tenant) if plan.receipts else []
    written = [_add(progress, change_line(row), "changes") for row in changes]
    written += [_add(progress, lines.receipt_line(row["receipt"]), "receipts") for row in receipts]
    return Piece(b"".join(written), progress.seq, closes=False)

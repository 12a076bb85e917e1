"""The case file of one ticket: all that the ledger holds of it, in an archive that verifies offline.

A case proves that each thing in it happened and is unchanged. That nothing of the ticket was left out is shown by an
export of the whole ledger only.
"""

import base64
import hashlib
import re
import zipfile
from collections.abc import Mapping, Sequence
from typing import IO, Literal
from uuid import UUID

import asyncpg
import msgspec

from app import clock
from app.canon.errors import NotFound
from app.canon.evidence import EvidenceRef, EvidenceStore
from app.governance_ledger.case_summary import Told, summary_of
from app.governance_ledger.document import DECODER, Document, instant
from app.governance_ledger.errors import EvidenceDiffers, EvidenceErased
from app.governance_ledger.evidence import fetch_stored
from app.governance_ledger.exporting import CHANGES, change_line
from app.governance_ledger.issuing import fetch_receipts
from app.governance_ledger.model import CheckpointSummary
from app.governance_ledger.proving import NotCovered, latest_checkpoint, prove_inclusion
from app.postgres import Database, Transaction
from app.verifier import lines
from app.verifier.cases import EVIDENCE_FOLDER
from app.verifier.chain import genesis
from app.verifier.documents import ERASED
from app.verifier.files import CASE_LEDGER

Language = Literal["id", "en"]
SUMMARY = "summary.html"
READ_BYTES = 8 * 1024 * 1024
_UNSAFE = re.compile(r"[^A-Za-z0-9._ -]")
_ACTIVE = (".html", ".htm", ".svg", ".xml", ".xhtml", ".js", ".mht", ".mhtml")
_MEMBER_TIME = (1980, 1, 1, 0, 0, 0)

_OF_TICKET = """
SELECT s.seq, s.xid::text AS xid, e.event_id, convert_to(e.body, 'UTF8') AS document
  FROM governance_ledger.ledger_seals s
  JOIN governance_ledger.governance_events e ON e.xid = s.xid AND e.n = s.n AND e.tenant_id = s.tenant_id
 WHERE s.tenant_id = $1 AND s.ticket_id = $2 ORDER BY s.seq
"""

# What the ticket's signatures rest on: the founders' keys, the decisions, the contracts. And what was erased since.
_FOUNDATIONS = """
SELECT s.seq, s.xid::text AS xid, e.event_id, convert_to(e.body, 'UTF8') AS document
  FROM governance_ledger.ledger_seals s
  JOIN governance_ledger.governance_events e ON e.xid = s.xid AND e.n = s.n AND e.tenant_id = s.tenant_id
 WHERE s.tenant_id = $1 AND s.seq <= $2 AND (
       s.type = ANY ($3)
    OR (s.type LIKE 'approval.%' AND (e.body::jsonb #>> '{body,data,approval_id}' = ANY ($4)
                                   OR e.body::jsonb #> '{body,data,approval_ids}' ?| $4))
    OR (s.type = ANY ($5) AND e.body::jsonb #>> '{body,data,approval_id}' = ANY ($4))
    OR (s.type = $7 AND e.body::jsonb #>> '{body,data,subject}' = ANY ($6)))
 ORDER BY s.seq
"""

_SAME_TRANSACTIONS = """
SELECT s.seq, s.xid::text AS xid, e.event_id, convert_to(e.body, 'UTF8') AS document
  FROM governance_ledger.governance_events e
  JOIN governance_ledger.ledger_seals s ON s.tenant_id = e.tenant_id AND s.n = e.n
 WHERE e.tenant_id = $1 AND e.xid = ANY ($2::text[]::xid8[]) ORDER BY s.seq
"""

_KEYS = (
    "founder.passkey_added",
    "founder.passkey_removed",
    "founder.device_key_added",
    "founder.device_key_removed",
    "mandate.granted",
    "mandate.ended",
    "quorum.set",
)
_CONTRACTS = ("role.hired", "role.amended", "budget.raised")


class CaseUnknown(NotFound):
    """The ledger holds nothing of that ticket."""

    code = "case.unknown"


class Case(msgspec.Struct, frozen=True):
    """What the archive was made of."""

    ticket_id: UUID
    events: int
    evidence: int
    checkpoint: CheckpointSummary


class _Entry(msgspec.Struct, frozen=True):
    """An event in its place, with its proof. `own`: it is the ticket's, not one that its signatures rest on."""

    seq: int
    xid: str
    document: bytes
    read: Document
    path: tuple[bytes, ...]
    own: bool


class _Shelved(msgspec.Struct, frozen=True):
    """Where a piece of evidence stands in the archive, or why it does not."""

    member: str | None = None
    missing: Literal["lost", "erased"] | None = None


class _Gathered(msgspec.Struct, frozen=True):
    checkpoint: CheckpointSummary
    entries: tuple[_Entry, ...]
    changes: Mapping[str, Sequence[asyncpg.Record]]
    receipts: Mapping[UUID, str]

    @property
    def erased(self) -> set[str]:
        """The subjects of the ticket's evidence that were erased."""
        bodies = [entry.read.body for entry in self.entries if entry.read.body.type == ERASED]
        return {str(body.data["subject"]) for body in bodies}


async def make_case(
    database: Database,
    tenant: UUID,
    ticket_id: UUID,
    file: IO[bytes],
    *,
    store: EvidenceStore,
    jwks: Sequence[Mapping[str, str]],
    language: Language = "en",
) -> Case:
    """Write the archive (zip) of a ticket's case to `file`; transactions of its own.

    Raises `CaseUnknown`, `NotCovered` when the newest event of the ticket is signed by no checkpoint yet,
    `EvidenceAway`.
    """
    async with database.transaction(tenant) as tx:
        gathered = await _gather(tx, ticket_id)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        kept = await _write_evidence(archive, database, tenant, store, gathered)
        told = Told(
            tenant=tenant,
            ticket_id=ticket_id,
            made_at=clock.now(),
            checkpoint=gathered.checkpoint,
            events=[(entry.seq, entry.read) for entry in gathered.entries if entry.own],
            decisions=[
                (entry.seq, entry.read) for entry in gathered.entries if entry.read.body.type.startswith("approval.")
            ],
            contracts=[entry.read for entry in gathered.entries if entry.read.body.type in _CONTRACTS],
            files={sha256: one.member for sha256, one in kept.items()},
            erased=gathered.erased,
        )
        summary = summary_of(told, language).encode()
        _write(archive, SUMMARY, summary)
        _write(archive, CASE_LEDGER, _ledger(tenant, ticket_id, gathered, kept, jwks, summary))
    held = sum(1 for one in kept.values() if one.member is not None)
    return Case(ticket_id, len(gathered.entries), held, gathered.checkpoint)


async def _gather(tx: Transaction, ticket_id: UUID) -> _Gathered:
    own = await tx.connection.fetch(_OF_TICKET, tx.tenant, ticket_id)
    if not own:
        raise CaseUnknown(f"the ledger holds nothing of ticket {ticket_id}, or nothing sealed yet")
    checkpoint = await latest_checkpoint(tx)
    if own[-1]["seq"] > checkpoint.size:
        raise NotCovered("the ticket's newest event is covered by no signed checkpoint yet: ask again in some seconds")
    rows = {row["seq"]: row for row in own}
    decoded = [DECODER.decode(row["document"]) for row in own]
    asked = sorted(set[str]().union(*(_approvals_in(document) for document in decoded)))
    whose = sorted({ref.subject for document in decoded for ref in document.body.evidence if ref.subject})
    found = await tx.connection.fetch(
        _FOUNDATIONS, tx.tenant, checkpoint.size, list(_KEYS), asked, list(_CONTRACTS), whose, ERASED
    )
    xids = list({row["xid"] for row in (*own, *found)})
    for row in (*found, *await tx.connection.fetch(_SAME_TRANSACTIONS, tx.tenant, xids)):
        rows.setdefault(row["seq"], row)
    entries = [await _entry(tx, rows[seq], checkpoint.size, ticket_id) for seq in sorted(rows)]
    changes: dict[str, list[asyncpg.Record]] = {}
    for change in await tx.connection.fetch(CHANGES, tx.tenant, xids):
        changes.setdefault(change["xid"], []).append(change)
    receipts = await fetch_receipts(tx, [entry.read.id for entry in entries])
    return _Gathered(checkpoint, tuple(entries), changes, receipts)


async def _entry(tx: Transaction, row: asyncpg.Record, size: int, ticket_id: UUID) -> _Entry:
    proof = await prove_inclusion(tx, row["event_id"], size)
    read = DECODER.decode(row["document"])
    path = tuple(bytes.fromhex(sibling) for sibling in proof.hashes)
    return _Entry(row["seq"], row["xid"], row["document"], read, path, read.body.ticket_id == ticket_id)


def _approvals_in(document: Document) -> set[str]:
    """The approvals that an event names, and the one that its signature is of."""
    named = {value for name in ("approval_id", "question") if isinstance(value := document.body.data.get(name), str)}
    token = document.body.approval
    return named if token is None else named | {_approval_of(token)}


def _approval_of(token: str) -> str:
    payload = token.split(".")[1]
    claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(claims["approval"])


async def _write_evidence(
    archive: zipfile.ZipFile, database: Database, tenant: UUID, store: EvidenceStore, gathered: _Gathered
) -> dict[str, _Shelved]:
    """Where each piece of evidence is, by hash."""
    kept: dict[str, _Shelved] = {}
    for ref in (ref for entry in gathered.entries for ref in entry.read.body.evidence):
        if ref.sha256 not in kept:
            member = f"{EVIDENCE_FOLDER}{ref.sha256}/{safe_name(ref.name)}"
            try:
                await _copy(archive, database, tenant, store, ref, member)
                kept[ref.sha256] = _Shelved(member)
            except EvidenceDiffers:
                kept[ref.sha256] = _Shelved(missing="lost")
            except EvidenceErased as error:
                if ref.subject not in gathered.erased:
                    raise NotCovered("what erased its evidence is covered by no signed checkpoint yet") from error
                kept[ref.sha256] = _Shelved(missing="erased")
    return kept


async def _copy(
    archive: zipfile.ZipFile, database: Database, tenant: UUID, store: EvidenceStore, ref: EvidenceRef, member: str
) -> None:
    start = 0
    block = await fetch_stored(database, tenant, store, ref.key, 0, READ_BYTES - 1)
    with archive.open(zipfile.ZipInfo(member, _MEMBER_TIME), "w") as out:
        out.write(block)
        while len(block) == READ_BYTES and (start := start + READ_BYTES) < ref.size_bytes:
            block = await fetch_stored(database, tenant, store, ref.key, start, start + READ_BYTES - 1)
            out.write(block)


def safe_name(name: str) -> str:
    """A file name that no system refuses and that no browser runs."""
    plain = _UNSAFE.sub("_", name).strip(". ")[-80:] or "evidence"
    return f"{plain}.txt" if plain.lower().endswith(_ACTIVE) else plain


def _write(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, _MEMBER_TIME), content, zipfile.ZIP_DEFLATED)


def _ledger(
    tenant: UUID,
    ticket_id: UUID,
    gathered: _Gathered,
    kept: Mapping[str, _Shelved],
    jwks: Sequence[Mapping[str, str]],
    summary: bytes,
) -> bytes:
    tally, written = lines.Tally(receipts=True), []

    def add(line: bytes, kind: str | None = None) -> None:
        tally.add(line, kind)
        written.append(line)

    add(lines.header_line(_header(tenant, ticket_id, gathered.checkpoint, jwks)))
    add(lines.checkpoint_line(gathered.checkpoint.serial, gathered.checkpoint.note), "checkpoints")
    shown: set[str] = set()
    for entry in gathered.entries:
        if entry.xid not in shown:
            shown.add(entry.xid)
            for change in gathered.changes.get(entry.xid, ()):
                add(change_line(change), "changes")
        add(lines.proved_line(entry.document, entry.path, entry.seq), "events")
        if entry.read.id in gathered.receipts:
            add(lines.receipt_line(gathered.receipts[entry.read.id]), "receipts")
    for sha256, one in kept.items():
        if one.missing is not None:
            add(lines.missing_line(sha256, one.missing))
    add(lines.file_line(SUMMARY, hashlib.sha256(summary).hexdigest(), len(summary)))
    add(tally.end_line(0, bytes(32)))
    return b"".join(written)


def _header(
    tenant: UUID, ticket_id: UUID, checkpoint: CheckpointSummary, jwks: Sequence[Mapping[str, str]]
) -> dict[str, object]:
    return {
        "changes": True,
        "created_at": instant(clock.now()),
        "evidence": True,
        "from_seq": 1,
        "frontier": "",
        "head": genesis(tenant).hex(),
        "jwks": list(jwks),
        "kind": "case",
        "receipts": True,
        "tenant": str(tenant),
        "ticket": str(ticket_id),
        "to_seq": checkpoint.size,
    }

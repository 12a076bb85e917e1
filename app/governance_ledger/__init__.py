"""The governance ledger: what happened, written in the transaction in which it happened, and never changed.

Tables owned (schema `governance_ledger`): governance_events, changes, ledger_seals, ledger_heads, ledger_mark,
ledger_checkpoints, ledger_subtrees, ledger_keys, ledger_verifications, ledger_attestations, ledger_attestors,
ledger_receipts, checkpoint_subscribers, checkpoint_deliveries, evidence_objects, evidence_spool, subject_keys.

Invariants, kept by the database:
- a row of a governed table commits only with an event of the same transaction that names it (Law 17);
- events, changes, seals, checkpoints and receipts are never updated or deleted;
- committed events of a tenant form one gapless SHA-256 chain, linked by the sealer within the merge delay.
"""

from app.governance_ledger.addressing import Recipient, recipient_of
from app.governance_ledger.appending import append, append_many
from app.governance_ledger.attestations import load_trust
from app.governance_ledger.auditing import Audited, audit_evidence, count_evidence
from app.governance_ledger.cases import Case, make_case
from app.governance_ledger.catalogue import compare_catalogue
from app.governance_ledger.concealing import append_about
from app.governance_ledger.counting import Tally, count_between, count_beyond
from app.governance_ledger.errors import EvidenceAway
from app.governance_ledger.evidence import keep_evidence, read_evidence
from app.governance_ledger.model import (
    ChainReport,
    Event,
    EventFilter,
    Page,
    Receipt,
    RecordedEvent,
)
from app.governance_ledger.packing import Exported, export_to_file
from app.governance_ledger.planning import Wanted, public_keys
from app.governance_ledger.reading import latest_seq, read_document, read_event, read_events, read_these
from app.governance_ledger.repeating import append_new
from app.governance_ledger.subjects import (
    Keeper,
    count_wrapped,
    create_subjects_key,
    ensure_subjects_key,
    erase_subject,
    keeper_of,
    open_subject,
)
from app.governance_ledger.verifying import verify_chain
from app.governance_ledger.witnessing import log_verifier_key

__all__ = [
    "Audited",
    "Case",
    "ChainReport",
    "Event",
    "EventFilter",
    "EvidenceAway",
    "Exported",
    "Keeper",
    "Page",
    "Receipt",
    "Recipient",
    "RecordedEvent",
    "Tally",
    "Wanted",
    "append",
    "append_about",
    "append_many",
    "append_new",
    "audit_evidence",
    "compare_catalogue",
    "count_between",
    "count_beyond",
    "count_evidence",
    "count_wrapped",
    "create_subjects_key",
    "ensure_subjects_key",
    "erase_subject",
    "export_to_file",
    "keep_evidence",
    "keeper_of",
    "latest_seq",
    "load_trust",
    "log_verifier_key",
    "make_case",
    "open_subject",
    "public_keys",
    "read_document",
    "read_event",
    "read_events",
    "read_evidence",
    "read_these",
    "recipient_of",
    "verify_chain",
]

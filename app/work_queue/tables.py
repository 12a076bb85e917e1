"""Piccolo's view of the room's tables; their DDL is in `db/work_queue/sql`."""

from piccolo.columns import UUID, Boolean, Integer, SmallInt, Text, Timestamptz
from piccolo.columns.column_types import JSONB, BigInt
from piccolo.table import Table

from app.postgres import ENGINE


class TicketRow(Table, tablename="tickets", schema="work_queue", db=ENGINE):
    id = UUID(primary_key=True, default=None)
    tenant_id = UUID(default=None)
    version = Integer(default=1)
    title = Text()
    instructions = Text()
    fields = JSONB()
    role_id = UUID(null=True, default=None)
    parent_id = UUID(null=True, default=None)
    priority = SmallInt(default=3)
    status = Text(default="open")
    approval_required = Boolean(default=False)
    founder_wrote = Boolean()
    opened_by = Text()
    due_at = Timestamptz(null=True, default=None)
    result = Text(default="")
    opened_at = Timestamptz(default=None)
    started_at = Timestamptz(null=True, default=None)
    closed_at = Timestamptz(null=True, default=None)
    subject = Text(null=True, default=None)
    erased_at = Timestamptz(null=True, default=None)


class TicketInputRow(Table, tablename="ticket_inputs", schema="work_queue", db=ENGINE):
    id = UUID(primary_key=True, default=None)
    tenant_id = UUID(default=None)
    ticket_id = UUID(default=None)
    name = Text()
    media_type = Text()
    size_bytes = BigInt()
    sha256 = Text()
    evidence_key = Text()
    trusted = Boolean(default=False)
    secret = Boolean(default=False)
    attached_at = Timestamptz(default=None)


class ApprovalRow(Table, tablename="approvals", schema="work_queue", db=ENGINE):
    id = UUID(primary_key=True, default=None)
    tenant_id = UUID(default=None)
    version = Integer(default=1)
    kind = Text()
    status = Text(default="pending")
    tier = Text()
    quorum = SmallInt(default=1)
    ticket_id = UUID(null=True, default=None)
    run_id = UUID(null=True, default=None)
    step = Integer(null=True, default=None)
    role_id = UUID(null=True, default=None)
    role_version = Integer(null=True, default=None)
    tool = Text(null=True, default=None)
    act_digest = Text()
    payload_digest = Text()
    payload = Text()
    money_minor = BigInt(null=True, default=None)
    currency = Text(null=True, default=None)
    undo_seconds = Integer()
    raised_by = Text()
    raised_at = Timestamptz(default=None)
    expires_at = Timestamptz(default=None)
    frozen_at = Timestamptz(null=True, default=None)
    shown_at = Timestamptz(null=True, default=None)
    opened_at = Timestamptz(null=True, default=None)
    decided_at = Timestamptz(null=True, default=None)
    effective_at = Timestamptz(null=True, default=None)
    decided_by = Text(null=True, default=None)
    reason = Text(default="")
    signature = Text(null=True, default=None)
    consumed_at = Timestamptz(null=True, default=None)
    replaces = UUID(null=True, default=None)
    superseded_by = UUID(null=True, default=None)
    apart = Boolean(default=False)


class VoteRow(Table, tablename="approval_decisions", schema="work_queue", db=ENGINE):
    id = UUID(primary_key=True, default=None)
    tenant_id = UUID(default=None)
    approval_id = UUID(default=None)
    decision = Text()
    decided_by = Text()
    method = Text()
    payload_digest = Text()
    signature = Text()
    reason = Text(default="")
    decided_at = Timestamptz(default=None)
    undone_at = Timestamptz(null=True, default=None)

"""All SQL of tickets and approvals. Row-level security keeps every statement inside the caller's tenant."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from app.canon.canonical_json import canonical_bytes
from app.canon.vocabulary import Money
from app.governance_ledger import Page
from app.postgres import Transaction
from app.work_queue.model import (
    Approval,
    ApprovalStatus,
    NewTicket,
    Ticket,
    TicketInput,
    TicketStatus,
    Vote,
)
from app.work_queue.tables import ApprovalRow, TicketInputRow, TicketRow, VoteRow

_TICKET_STATUS = "SELECT status FROM work_queue.tickets WHERE id = $1"
_COLUMNS = """id, version, title, instructions, fields, role_id, parent_id, priority, status, approval_required,
  founder_wrote, opened_by, due_at, result, opened_at, started_at, closed_at, subject,
  erased_at"""
_TICKET = f"SELECT {_COLUMNS} FROM work_queue.tickets WHERE id = $1"  # noqa: S608
_LOCK_TICKET = f"""
SELECT {_COLUMNS}, clock.now() AS at FROM work_queue.tickets WHERE id = $1 FOR NO KEY UPDATE
"""  # noqa: S608
_INPUTS = """
SELECT id, ticket_id, name, media_type, size_bytes, sha256, evidence_key, trusted, secret, attached_at
  FROM work_queue.ticket_inputs WHERE ticket_id = $1 ORDER BY id
"""

_LOCK_APPROVALS = """
SELECT * FROM work_queue.approvals
 WHERE id = $1
    OR (status = $2 AND act_digest = (SELECT act_digest FROM work_queue.approvals WHERE id = $1))
 ORDER BY id FOR NO KEY UPDATE
"""

_FREEZE = """
UPDATE work_queue.approvals SET frozen_at = CASE WHEN $3 THEN raised_at ELSE $2 END, version = version + 1
 WHERE status = 'pending' AND frozen_at IS NULL AND ($1::uuid[] IS NULL OR role_id = ANY($1))
   AND (NOT $3 OR expires_at <= $2)
RETURNING id
"""

_THAW = """
UPDATE work_queue.approvals
   SET expires_at = expires_at + ($3 - frozen_at), frozen_at = NULL, version = version + 1
 WHERE status = 'pending' AND frozen_at IS NOT NULL AND ($1::uuid IS NULL OR role_id = $1)
   AND (role_id IS NULL OR role_id <> ALL($2::uuid[]))
RETURNING id, expires_at
"""

_SHOWN = """
UPDATE work_queue.approvals SET shown_at = $2
 WHERE id = ANY($1) AND shown_at IS NULL AND status = 'pending' RETURNING id
"""

_OPENED = """
UPDATE work_queue.approvals SET opened_at = $2, shown_at = coalesce(shown_at, $2)
 WHERE id = ANY($1) AND opened_at IS NULL AND status = 'pending' RETURNING id
"""

_HANDS = """
SELECT count(DISTINCT decided_at) FROM work_queue.approval_decisions
 WHERE decided_by = $1 AND decided_at > $2
"""


async def now(tx: Transaction) -> datetime:
    """Business time, which tests can set (`clock.now()`)."""
    moment: datetime = await tx.connection.fetchval("SELECT clock.now()")
    return moment


async def insert_ticket(tx: Transaction, ticket: Ticket) -> None:
    await TicketRow.insert(TicketRow(tenant_id=tx.tenant, **msgspec.structs.asdict(ticket)))


async def fetch_ticket(tx: Transaction, ticket_id: UUID) -> Ticket | None:
    record = await tx.connection.fetchrow(_TICKET, ticket_id)
    return None if record is None else _recorded_ticket(dict(record))


async def fetch_ancestors(tx: Transaction, ticket_id: UUID) -> tuple[UUID, ...]:
    rows = await tx.connection.fetch(_ANCESTORS, ticket_id)
    return tuple(row["parent_id"] for row in rows)


_ANCESTORS = """
WITH RECURSIVE above AS (
  SELECT parent_id, 1 AS height FROM work_queue.tickets WHERE id = $1 AND parent_id IS NOT NULL
  UNION ALL
  SELECT t.parent_id, above.height + 1 FROM above JOIN work_queue.tickets t ON t.id = above.parent_id
   WHERE t.parent_id IS NOT NULL
)
SELECT parent_id FROM above ORDER BY height
"""


async def fetch_ticket_status(tx: Transaction, ticket_id: UUID) -> TicketStatus | None:
    status: TicketStatus | None = await tx.connection.fetchval(_TICKET_STATUS, ticket_id)
    return status


async def lock_ticket(tx: Transaction, ticket_id: UUID) -> tuple[Ticket, datetime] | None:
    """The ticket, held against other writers until the transaction ends, and business time."""
    record = await tx.connection.fetchrow(_LOCK_TICKET, ticket_id)
    if record is None:
        return None
    columns = dict(record)
    at = columns.pop("at")
    return _recorded_ticket(columns), at


async def update_ticket(tx: Transaction, ticket: Ticket, **changes: Any) -> Ticket:
    """Write `changes` and the next version over a locked ticket."""
    changes["version"] = ticket.version + 1
    sets = ", ".join(f"{column} = ${place}" for place, column in enumerate(changes, 2))
    await tx.connection.execute(f"UPDATE work_queue.tickets SET {sets} WHERE id = $1", ticket.id, *changes.values())  # noqa: S608
    return msgspec.structs.replace(ticket, **changes)


async def fetch_tickets(
    tx: Transaction,
    *,
    status: str | None,
    role_id: UUID | None,
    parent_id: UUID | None,
    before: UUID | None,
    limit: int,
) -> list[Ticket]:
    """Newest first, older than `before`."""
    query = TicketRow.select().order_by(TicketRow.id, ascending=False).limit(limit).output(load_json=True)
    if status is not None:
        query = query.where(TicketRow.status == status)
    if role_id is not None:
        query = query.where(TicketRow.role_id == role_id)
    if parent_id is not None:
        query = query.where(TicketRow.parent_id == parent_id)
    if before is not None:
        query = query.where(TicketRow.id < before)
    return [_ticket(row) for row in await query]


async def fetch_due(tx: Transaction, before: datetime, limit: int) -> list[Ticket]:
    """Under way or not begun, soonest first."""
    query = TicketRow.select().order_by(TicketRow.due_at).limit(limit).output(load_json=True)
    query = query.where(TicketRow.status.is_in(["open", "working", "held"])).where(TicketRow.due_at < before)
    return [_ticket(row) for row in await query]


async def insert_input(tx: Transaction, file: TicketInput) -> bool:
    """False when the ticket has a file of that name."""
    try:
        async with tx.savepoint():
            await TicketInputRow.insert(TicketInputRow(tenant_id=tx.tenant, **msgspec.structs.asdict(file)))
    except asyncpg.UniqueViolationError:
        return False
    return True


async def fetch_inputs(tx: Transaction, ticket_id: UUID) -> tuple[TicketInput, ...]:
    return tuple(TicketInput(**record) for record in await tx.connection.fetch(_INPUTS, ticket_id))


async def insert_approval(tx: Transaction, approval: Approval) -> None:
    values = msgspec.structs.asdict(approval)
    money: Money | None = values.pop("money")
    values |= {
        "tier": str(approval.tier),
        "payload": canonical_bytes(approval.payload).decode(),
        "money_minor": money and money.minor,
        "currency": money and money.currency,
    }
    await ApprovalRow.insert(ApprovalRow(tenant_id=tx.tenant, **values))


async def fetch_approval(tx: Transaction, approval_id: UUID) -> Approval | None:
    row = await ApprovalRow.select().where(ApprovalRow.id == approval_id).first()
    return None if row is None else _approval(row)


async def lock_approval(tx: Transaction, approval_id: UUID) -> Approval | None:
    """The approval, held against other writers until the transaction ends."""
    return next(iter(await lock_approvals(tx, approval_id, alike=None)), None)


async def lock_approvals(tx: Transaction, approval_id: UUID, *, alike: ApprovalStatus | None) -> list[Approval]:
    """The approval and all of the same act whose status is `alike`, locked in id order."""
    return [_approval(dict(record)) for record in await tx.connection.fetch(_LOCK_APPROVALS, approval_id, alike)]


async def lock_all(tx: Transaction, ids: Sequence[UUID]) -> None:
    """Lock these approvals in the order that everybody takes them in."""
    sql = "SELECT id FROM work_queue.approvals WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE"
    await tx.connection.fetch(sql, list(ids))


async def update_approval(tx: Transaction, approval: Approval, **changes: Any) -> Approval:
    """Write `changes` and the next version over a locked approval."""
    changes["version"] = approval.version + 1
    await ApprovalRow.update(**changes).where(ApprovalRow.id == approval.id)
    return msgspec.structs.replace(approval, **changes)


async def fetch_approvals(
    tx: Transaction,
    where: Mapping[str, object],
    *,
    statuses: Iterable[str] = (),
    before: UUID | None = None,
    limit: int | None = None,
) -> list[Approval]:
    """Newest first; `where` maps a column to the value it must have, None values are no condition."""
    named = {column: value for column, value in where.items() if value is not None}
    given = [f"{column} = ${place}" for place, column in enumerate(named, 1)]
    values: list[object] = list(named.values())
    for condition, value in (("status = ANY(${})", list(statuses) or None), ("id < ${}", before)):
        if value is not None:
            values.append(value)
            given.append(condition.format(len(values)))
    values.append(limit)
    sql = f"SELECT * FROM work_queue.approvals WHERE {' AND '.join(given) or 'true'} ORDER BY id DESC LIMIT ${{}}"  # noqa: S608
    return [_approval(dict(record)) for record in await tx.connection.fetch(sql.format(len(values)), *values)]


async def fetch_by_ids(tx: Transaction, ids: Sequence[UUID]) -> list[Approval]:
    sql = "SELECT * FROM work_queue.approvals WHERE id = ANY($1)"
    return [_approval(dict(record)) for record in await tx.connection.fetch(sql, list(ids))]


async def fetch_overdue(tx: Transaction, at: datetime) -> list[UUID]:
    """Ids of pending, unfrozen approvals whose expiry is `at` or earlier."""
    rows = await ApprovalRow.select(ApprovalRow.id).where(
        (ApprovalRow.status == "pending") & ApprovalRow.frozen_at.is_null() & (ApprovalRow.expires_at <= at)
    )
    return [row["id"] for row in rows]


async def freeze(tx: Transaction, role_ids: Sequence[UUID] | None, at: datetime, *, overdue_only: bool) -> list[UUID]:
    """Stop the expiry of pending approvals of `role_ids` (None: of all). `overdue_only`: those that came to be due
    because they were raised during the pause; their clock never started."""
    records = await tx.connection.fetch(_FREEZE, role_ids, at, overdue_only)
    return [record["id"] for record in records]


async def thaw(
    tx: Transaction, role_id: UUID | None, keep: Sequence[UUID], at: datetime
) -> list[tuple[UUID, datetime]]:
    """Let time go on for `role_id` (None: for all but the roles in `keep`); id and new expiry of each."""
    records = await tx.connection.fetch(_THAW, role_id, list(keep), at)
    return [(record["id"], record["expires_at"]) for record in records]


async def mark(tx: Transaction, ids: Sequence[UUID], at: datetime, *, opened: bool) -> list[UUID]:
    """Ids that had not been shown (or opened) before."""
    records = await tx.connection.fetch(_OPENED if opened else _SHOWN, list(ids), at)
    return [record["id"] for record in records]


async def insert_vote(tx: Transaction, vote: Vote) -> None:
    await VoteRow.insert(VoteRow(tenant_id=tx.tenant, **msgspec.structs.asdict(vote)))


async def fetch_votes(tx: Transaction, approval_id: UUID) -> tuple[Vote, ...]:
    rows = await VoteRow.select().where(VoteRow.approval_id == approval_id).order_by(VoteRow.id)
    return tuple(msgspec.convert(row, Vote) for row in rows)


async def undo_votes(tx: Transaction, votes: Sequence[Vote], at: datetime) -> None:
    await VoteRow.update({VoteRow.undone_at: at}).where(VoteRow.id.is_in([vote.id for vote in votes]))


async def count_hands(tx: Transaction, actor: str, since: datetime) -> int:
    """How often `actor` decided since then; what was decided in one go counts once."""
    count: int = await tx.connection.fetchval(_HANDS, actor, since)
    return count


def new_ticket(
    new: NewTicket, ticket_id: UUID, *, subject: str | None, actor: str, founder_wrote: bool, at: datetime
) -> Ticket:
    """The open ticket that `new` asks for."""
    return Ticket(
        id=ticket_id,
        version=1,
        title=new.title,
        instructions=new.instructions,
        fields=dict(new.fields),
        role_id=new.role_id,
        parent_id=new.parent_id,
        priority=new.priority,
        status="open",
        approval_required=new.approval_required,
        founder_wrote=founder_wrote,
        opened_by=actor,
        due_at=new.due_at,
        result="",
        opened_at=at,
        started_at=None,
        closed_at=None,
        subject=subject,
    )


def page(items: Sequence[Any], limit: int, cursor: Any) -> Page[Any]:
    """A page of at most `limit` of `items`, which were read with one more to know whether there is a next."""
    more = len(items) > limit
    return Page(tuple(items[:limit]), cursor(items[limit - 1].id) if more else None)


def _ticket(row: Mapping[str, Any]) -> Ticket:
    return msgspec.convert(row, Ticket)


def _recorded_ticket(record: Mapping[str, Any]) -> Ticket:
    return Ticket(**{**record, "fields": msgspec.json.decode(record["fields"], type=dict[str, str])})


def _approval(row: Mapping[str, Any]) -> Approval:
    values = dict(row)
    minor, currency = values.pop("money_minor"), values.pop("currency")
    values["money"] = None if minor is None else Money(minor, currency)
    values["payload"] = msgspec.json.decode(values["payload"])
    return msgspec.convert(values, Approval)

"""All SQL of appending, reading and evidence. Row-level security keeps every statement inside the tenant."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from app.canon.evidence import EvidenceRef
from app.governance_ledger.document import DECODER, Row
from app.governance_ledger.model import EventFilter, Receipt, RecordedEvent
from app.postgres import Transaction

_COLUMNS = """(tenant_id, event_id, occurred_at, type, actor, ticket_id, run_id, step, approval_signature,
   evidence_url, subjects, expect, body)"""

_APPEND = f"""
INSERT INTO governance_ledger.governance_events {_COLUMNS}
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
RETURNING event_id, leaf, xid::text AS xid, recorded_at
"""  # noqa: S608

_APPEND_MANY = f"""
INSERT INTO governance_ledger.governance_events {_COLUMNS}
SELECT $1, event_id, occurred_at, type, actor, ticket_id, run_id, step, approval, key,
       string_to_array(subjects, ' '), expect, body
  FROM unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::int[], $9::text[],
              $10::text[], $11::text[], $12::int[], $13::text[])
       WITH ORDINALITY AS given (event_id, occurred_at, type, actor, ticket_id, run_id, step, approval, key,
                                 subjects, expect, body, place)
 ORDER BY place
RETURNING event_id, leaf, xid::text AS xid, recorded_at
"""  # noqa: S608

# The same bytes are kept once.
_KEPT = """WITH known AS (
  SELECT 1 FROM governance_ledger.evidence_objects WHERE tenant_id = $1 AND sha256 = {sha256} LIMIT 1
), object AS (
  INSERT INTO governance_ledger.evidence_objects (tenant_id, sha256, key, size_bytes, media_type, name, subject_id, alg)
  SELECT $1, {sha256}, {key}, {size_bytes}, {media_type}, {name}, {subject_id}, {alg}
   WHERE NOT EXISTS (SELECT FROM known)
  RETURNING 1
)"""
_INTO_SPOOL = """
INSERT INTO governance_ledger.evidence_spool (tenant_id, key, sha256, media_type, content)
SELECT $1, {key}, {sha256}, {media_type}, {content} FROM object
"""

_KEEP = (_KEPT + _INTO_SPOOL).format(
    sha256="$2",
    key="$3",
    size_bytes="$4::bigint",
    media_type="$5",
    name="$6",
    content="$7",
    subject_id="$8::uuid",
    alg="$9::text",
)

_APPEND_KEEPING = (_KEPT + ", spooled AS (" + _INTO_SPOOL + ")").format(
    sha256="$14",
    key="$10",
    size_bytes="$15::bigint",
    media_type="$16",
    name="$17",
    content="$18",
    subject_id="NULL::uuid",
    alg="NULL::text",
) + _APPEND

_ONE = """
SELECT e.n, e.leaf, e.body, s.seq, s.hash
  FROM governance_ledger.governance_events e
  LEFT JOIN governance_ledger.ledger_seals s ON s.tenant_id = e.tenant_id AND s.n = e.n
 WHERE e.tenant_id = $1 AND e.event_id = $2
"""

_THESE = """
SELECT e.n, e.leaf, e.body, NULL AS seq, NULL AS hash
  FROM governance_ledger.governance_events e WHERE e.tenant_id = $1 AND e.event_id = ANY ($2)
"""

# Sealed events are found by the seals' indexes; the others are those that the last seal could not see. Bounds that
# say nothing new make the planner take the index.
_MANY = """
(SELECT e.n, e.leaf, e.body, s.seq, s.hash
   FROM governance_ledger.ledger_seals s
   JOIN governance_ledger.governance_events e ON e.xid = s.xid AND e.n = s.n
  WHERE s.tenant_id = $1 {sealed} ORDER BY s.n {order} LIMIT {limit})
UNION ALL
(SELECT e.n, e.leaf, e.body, NULL, NULL FROM governance_ledger.governance_events e
  WHERE e.tenant_id = $1 AND e.xid >= (SELECT pg_snapshot_xmax(snap) FROM governance_ledger.ledger_mark)
        AND e.xid < '18446744073709551615'
        {unsealed} ORDER BY e.n {order} LIMIT {limit})
UNION ALL
(SELECT e.n, e.leaf, e.body, NULL, NULL FROM governance_ledger.governance_events e
  WHERE e.tenant_id = $1
    AND e.xid = ANY (ARRAY(SELECT pg_snapshot_xip(snap) FROM governance_ledger.ledger_mark))
        AND e.xid >= (SELECT pg_snapshot_xmin(snap) FROM governance_ledger.ledger_mark)
        AND e.xid < (SELECT pg_snapshot_xmax(snap) FROM governance_ledger.ledger_mark)
        {unsealed} ORDER BY e.n {order} LIMIT {limit})
ORDER BY n {order} LIMIT {limit}
"""


async def insert_event(tx: Transaction, row: Row) -> Receipt:
    record = await tx.connection.fetchrow(_APPEND, tx.tenant, *row)
    assert record is not None
    return _receipt(record)


async def insert_event_keeping(tx: Transaction, row: Row, ref: EvidenceRef, content: bytes) -> Receipt:
    """The event, and the bytes that it names first."""
    kept = (ref.sha256, ref.size_bytes, ref.media_type, ref.name, content)
    record = await tx.connection.fetchrow(_APPEND_KEEPING, tx.tenant, *row, *kept)
    assert record is not None
    return _receipt(record)


async def insert_evidence(
    tx: Transaction, ref: EvidenceRef, stored: bytes, subject_id: UUID | None, alg: str | None
) -> None:
    columns = (ref.sha256, ref.key, ref.size_bytes, ref.media_type, ref.name)
    await tx.connection.execute(_KEEP, tx.tenant, *columns, stored, subject_id, alg)


async def insert_events(tx: Transaction, rows: Sequence[Row]) -> tuple[Receipt, ...]:
    """In one statement, in the order given."""
    flat = [row._replace(subjects=" ".join(row.subjects)) for row in rows]
    columns = [list(column) for column in zip(*flat, strict=True)]
    records = await tx.connection.fetch(_APPEND_MANY, tx.tenant, *columns)
    receipts = {receipt.event_id: receipt for receipt in map(_receipt, records)}
    return tuple(receipts[row.event_id] for row in rows)


async def fetch_event(tx: Transaction, event_id: UUID) -> RecordedEvent | None:
    record = await tx.connection.fetchrow(_ONE, tx.tenant, event_id)
    return None if record is None else _recorded(record)


async def fetch_document(tx: Transaction, event_id: UUID) -> str | None:
    """The text of the event's document as the database hashed it."""
    record = await tx.connection.fetchrow(_ONE, tx.tenant, event_id)
    return None if record is None else str(record["body"])


async def fetch_head(tx: Transaction) -> int:
    found = await tx.connection.fetchval(
        "SELECT seq FROM governance_ledger.ledger_heads WHERE tenant_id = $1", tx.tenant
    )
    return int(found or 0)


async def fetch_events_of(tx: Transaction, event_ids: Sequence[UUID]) -> list[RecordedEvent]:
    """Those of `event_ids` that stand, in no order; without their place in the chain."""
    return [_recorded(record) for record in await tx.connection.fetch(_THESE, tx.tenant, event_ids)]


async def fetch_events(
    tx: Transaction, where: EventFilter, *, after: int | None, limit: int, newest_first: bool
) -> list[RecordedEvent]:
    """At most `limit` events beyond the one numbered `after`, in the order of their number."""
    statement, values = page_statement(where, after=after, limit=limit, newest_first=newest_first)
    return [_recorded(record) for record in await tx.connection.fetch(statement, tx.tenant, *values)]


def page_statement(
    where: EventFilter, *, after: int | None, limit: int, newest_first: bool
) -> tuple[str, list[object]]:
    """The statement of a page, whose `$1` is the tenant, and its values from `$2` on."""
    conditions, values = _conditions(where)
    if after is not None:
        values.append(after)
        conditions.append(f"{{at}}.n {'<' if newest_first else '>'} ${len(values) + 1}")
    values.append(limit)
    both = "".join(f" AND {condition}" for condition in conditions)
    statement = _MANY.format(
        sealed=both.replace("{at}", "s"),
        unsealed=both.replace("{at}", "e"),
        order="DESC" if newest_first else "ASC",
        limit=f"${len(values) + 1}",
    )
    return statement, values


def _conditions(where: EventFilter) -> tuple[list[str], list[object]]:
    """Conditions in which `{at}` stands for the table that has an index for them, and their values from `$2` on."""
    conditions: list[str] = []
    values: list[object] = []

    def add(condition: str, *given: object) -> None:
        for value in given:
            values.append(value)
            condition = condition.replace("?", f"${len(values) + 1}", 1)
        conditions.append(condition)

    if where.type is not None:
        prefix = where.type.removesuffix("*")
        exact = prefix == where.type and not prefix.endswith(".")
        add("{at}.type = ?" if exact else "starts_with({at}.type, ?)", prefix)
    wanted: Sequence[tuple[str, UUID | str | datetime | Sequence[UUID] | Sequence[str] | None]] = (
        ("{at}.type = ANY (?)", where.types),
        ("e.actor = ?", where.actor),
        ("{at}.occurred_at >= ?", where.since),
        ("{at}.occurred_at < ?", where.until),
        ("{at}.ticket_id = ?", where.ticket_id),
        ("{at}.ticket_id = ANY (?)", where.ticket_ids),
        ("{at}.run_id = ?", where.run_id),
        ("strpos(e.body, ?) > 0", None if where.names is None else str(where.names)),
    )
    for condition, value in wanted:
        if value is not None:
            add(condition, value)
    for outcome, said in (("", where.says), ("NOT ", where.never)):
        for path, texts in said.items():
            add(f"{outcome}coalesce(e.body::jsonb #>> ?, '') = ANY (?)", ["body", "data", *path.split(".")], texts)
    return conditions, values


def _receipt(record: asyncpg.Record) -> Receipt:
    return Receipt(record["event_id"], record["leaf"].hex(), record["xid"], record["recorded_at"])


def _recorded(record: asyncpg.Record) -> RecordedEvent:
    document = DECODER.decode(record["body"])
    body = document.body
    return RecordedEvent(
        n=record["n"],
        event_id=document.id,
        tenant_id=document.tenant,
        xid=document.xid,
        type=body.type,
        actor=body.actor,
        occurred_at=body.occurred_at,
        recorded_at=document.at,
        ticket_id=body.ticket_id,
        run_id=body.run_id,
        step=body.step,
        data=body.data,
        approval_signature=body.approval,
        evidence=body.evidence,
        subjects=document.subjects,
        leaf=record["leaf"].hex(),
        seq=record["seq"],
        hash=None if record["hash"] is None else record["hash"].hex(),
    )

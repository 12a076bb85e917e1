"""What the gate counts of the past, in the caller's transaction: sums over calls, and calls of the last minute."""

import json
from datetime import datetime
from uuid import UUID

from app.canon.contract import Period
from app.postgres import Transaction


async def lock_sums(tx: Transaction, role_id: UUID, tool: str) -> None:
    """Let sums over calls of one tool by one role be read and added to by one transaction at a time."""
    await tx.connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 17))", f"{role_id}/{tool}")


async def sum_of_calls(
    tx: Transaction,
    *,
    role_id: UUID,
    ticket_id: UUID,
    tool: str,
    path: str,
    period: Period,
    zone: str,
    at: datetime | None = None,
) -> int:
    """The argument at `path` (through objects and lists) added up over the period's calls that were or may have been
    made, before `at` (None: up to now). Day and month are those of `zone`. Of calls of an erased ticket what was kept
    counts."""
    value = await tx.connection.fetchval(_SUM, role_id, ticket_id, tool, jsonpath_of(path), period, zone, at, path)
    return int(value)


def jsonpath_of(path: str) -> str:
    """Where the argument stands in a recorded request, through objects and lists."""
    return "lax $.arguments" + "".join(f".{json.dumps(part)}" for part in path.split("."))


_SUM = r"""
SELECT ceil(coalesce(sum(v.amount), 0))
FROM execution_graph.run_steps s
JOIN execution_graph.runs r ON r.id = s.run_id
CROSS JOIN LATERAL (
  SELECT (s.summed ->> $8)::numeric AS amount WHERE s.summed IS NOT NULL
  UNION ALL
  SELECT (n #>> '{}')::numeric
    FROM jsonb_path_query(CASE WHEN s.edited IS NULL THEN s.request::jsonb
                               ELSE jsonb_build_object('arguments', s.edited::jsonb) END, $4::text::jsonpath) part,
         jsonb_path_query(part, 'strict $.**') n
   WHERE s.summed IS NULL AND jsonb_typeof(n) IN ('number', 'string')
         AND n #>> '{}' ~ '^[0-9]{1,40}(\.[0-9]{1,40})?$'
) v
WHERE r.role_id = $1 AND s.kind = 'tool' AND s.name = $3 AND s.state IN ('started', 'done', 'unknown')
  AND CASE $5 WHEN 'ticket' THEN r.ticket_id = $2
      ELSE s.planned_at >= date_trunc($5, coalesce($7::timestamptz, clock.now()) AT TIME ZONE $6) AT TIME ZONE $6 END
  AND ($7::timestamptz IS NULL OR s.planned_at < $7)
"""


async def calls_last_minute(tx: Transaction, role_id: UUID, at: datetime | None = None) -> int:
    """How many calls of the role the gate let through in the 60 seconds before `at` (None: now)."""
    return int(await tx.connection.fetchval(_LAST_MINUTE, role_id, at))


_LAST_MINUTE = """
SELECT count(*) FROM execution_graph.run_steps s JOIN execution_graph.runs r ON r.id = s.run_id
WHERE r.role_id = $1 AND s.kind = 'tool'
  AND s.planned_at > coalesce($2::timestamptz, clock.now()) - interval '60 seconds'
  AND ($2::timestamptz IS NULL OR s.planned_at < $2)
  AND s.verdict LIKE 'allow:%'
"""


# --- what local tools write -------------------------------------------------------------------------------------------

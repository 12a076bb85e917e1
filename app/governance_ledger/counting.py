"""Events counted where they lie: how many of a kind there were in each quarter of an hour, and what they sum to.

For readers who keep figures: a count names the newest events that it holds, and counting anew gives it again.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from app.postgres import Transaction

NEWEST = 10

# The three places in which an event can lie are read as in `store`; `{sealed}` and `{unsealed}` narrow them. The limit
# makes the planner look each event up, where it would read all events there are.
_COUNT = """
WITH told AS MATERIALIZED (
  SELECT e.n, e.event_id, e.occurred_at, e.type, e.body::jsonb #> '{{body,data}}' AS data
    FROM governance_ledger.ledger_seals s
   CROSS JOIN LATERAL (SELECT * FROM governance_ledger.governance_events e
                        WHERE e.xid = s.xid AND e.n = s.n LIMIT 1) e
   WHERE s.tenant_id = $1 AND s.type = ANY ($2) {sealed}
  {unsealed}
), read AS (
  SELECT n, event_id, occurred_at, type, data,
         CASE WHEN jsonb_typeof(data -> 'money') = 'object' THEN data -> 'money' END AS money,
         type = 'approval.decided' AS decided
    FROM told
), counted AS (
  SELECT n, event_id, occurred_at, type, date_bin('15 minutes', occurred_at, '2000-01-01 00:00Z') AS slot,
         coalesce(data ->> 'role_id', '') AS role,
         coalesce(CASE WHEN type = 'approval.raised' THEN data ->> 'approval_id'
                       WHEN NOT decided OR data ->> 'kind' = 'tool_call' THEN data ->> 'tool' END, '') AS name,
         CASE WHEN data ->> 'sla_met' = 'false' THEN 'late' ELSE coalesce(data ->> 'decision', '') END AS verdict,
         unit, amount
    FROM read CROSS JOIN LATERAL (VALUES
         (CASE type WHEN 'model.done' THEN 'usd_micros'
                    WHEN 'approval.decided' THEN 'seconds_pending'
                    WHEN 'revenue.recorded' THEN coalesce(data ->> 'currency', '')
                    ELSE coalesce(money ->> 'currency', '') END,
          CASE type WHEN 'model.done' THEN data ->> 'cost_usd_micros'
                    WHEN 'approval.decided' THEN data ->> 'seconds_pending'
                    WHEN 'revenue.recorded' THEN data ->> 'amount_minor'
                    ELSE money ->> 'minor' END),
         (CASE WHEN type = 'model.done' THEN 'tokens' WHEN decided AND data ->> 'seconds_open' <> '' THEN 'seconds_open'
          END,
          CASE WHEN decided THEN data ->> 'seconds_open' ELSE data ->> 'tokens' END)) AS u (unit, amount)
   WHERE unit IS NOT NULL
)
SELECT type, slot, role, name, verdict, unit, count(*) AS n,
       coalesce(sum(CASE WHEN amount !~ '^-?[0-9]{{1,30}}$' THEN 0
                         WHEN unit = 'seconds_open' THEN greatest(least(amount::numeric, $3), 0)
                         ELSE amount::numeric END), 0) AS amount,
       (array_agg(event_id ORDER BY n DESC))[1:{newest}] AS newest,
       (array_agg(occurred_at ORDER BY n DESC))[1:{newest}] AS newest_at
  FROM counted GROUP BY type, slot, role, name, verdict, unit
"""

_UNSEALED = """
  UNION ALL
  SELECT e.n, e.event_id, e.occurred_at, e.type, e.body::jsonb #> '{{body,data}}'
    FROM governance_ledger.governance_events e
   WHERE e.tenant_id = $1 AND e.type = ANY ($2) {window} AND e.xid < '18446744073709551615'
     AND e.xid >= (SELECT pg_snapshot_xmax(snap) FROM governance_ledger.ledger_mark)
  UNION ALL
  SELECT e.n, e.event_id, e.occurred_at, e.type, e.body::jsonb #> '{{body,data}}'
    FROM governance_ledger.governance_events e
   WHERE e.tenant_id = $1 AND e.type = ANY ($2) {window}
     AND e.xid = ANY (ARRAY(SELECT pg_snapshot_xip(snap) FROM governance_ledger.ledger_mark))
     AND e.xid >= (SELECT pg_snapshot_xmin(snap) FROM governance_ledger.ledger_mark)
     AND e.xid < (SELECT pg_snapshot_xmax(snap) FROM governance_ledger.ledger_mark)
"""
_WINDOW = "AND {at}.occurred_at >= $4 AND {at}.occurred_at < $5"
_BEYOND = _COUNT.format(sealed="AND s.seq > $4", unsealed=_UNSEALED.format(window=""), newest=NEWEST)
_UP_TO = _COUNT.format(sealed="AND s.seq > $4 AND s.seq <= $5", unsealed="", newest=NEWEST)
_BETWEEN = _COUNT.format(
    sealed=_WINDOW.format(at="s"), unsealed=_UNSEALED.format(window=_WINDOW.format(at="e")), newest=NEWEST
)


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Events of one quarter of an hour that are alike. `n` of them; `amount` is their sum in `unit`: a currency's minor
    units, or `usd_micros`, `tokens`, `seconds_pending`, `seconds_open`; empty for what has no amount.

    `name` is the tool, or the approval that was raised; `verdict` is the decision, or `late`. Model calls are counted
    in two units, decisions in two where it is known how long the card was open. `newest` are the last ten at most.
    """

    type: str
    slot: datetime
    role: str
    name: str
    verdict: str
    unit: str
    n: int
    amount: int
    newest: tuple[UUID, ...]
    newest_at: tuple[datetime, ...]


async def count_beyond(
    tx: Transaction, types: Sequence[str], seq: int, *, upto: int | None = None, longest_look: int
) -> list[Tally]:
    """What came after the event `seq` of the chain: as far as `upto`, else all, sealed or not.

    A card counts as looked at for `longest_look` seconds at most.
    """
    if upto is None:
        return _tallies(await tx.connection.fetch(_BEYOND, tx.tenant, types, longest_look, seq))
    return _tallies(await tx.connection.fetch(_UP_TO, tx.tenant, types, longest_look, seq, upto))


async def count_between(
    tx: Transaction, types: Sequence[str], since: datetime, until: datetime, *, longest_look: int
) -> list[Tally]:
    """What occurred from `since` until before `until`, sealed or not."""
    return _tallies(await tx.connection.fetch(_BETWEEN, tx.tenant, types, longest_look, since, until))


def _tallies(records: Sequence[asyncpg.Record]) -> list[Tally]:
    return [Tally(**{**record, "amount": int(record["amount"])}) for record in records]

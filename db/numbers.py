"""Transaction numbers after a restore: PostgreSQL counts them anew, the ledger orders its events by them."""

import asyncpg

# The first number that the ledger has not seen. What was not sealed yet when it was dumped counts, too.
_NEXT = """
SELECT greatest(
  (SELECT pg_snapshot_xmax(snap)::text::bigint FROM governance_ledger.ledger_mark),
  (SELECT xid::text::bigint + 1 FROM governance_ledger.governance_events ORDER BY xid DESC LIMIT 1))
"""
_NOW = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_SPEND = """
DO $spend$
BEGIN
  WHILE pg_current_xact_id()::text::bigint < {until} LOOP COMMIT; END LOOP;
END
$spend$
"""


async def pass_ledger(connection: asyncpg.Connection) -> int:
    """Spend transaction numbers until the server's next one is new to the ledger; how many were spent.

    A dump that is restored into another server meets a counter of its own. An event whose number is below those that
    are sealed would never be sealed, so the counter is brought past them: about a minute for ten million. The
    connection is the administrator's and in no transaction.
    """
    if await connection.fetchval("SELECT to_regclass('governance_ledger.ledger_mark')") is None:
        return 0
    wanted, begun = await connection.fetchval(_NEXT), await connection.fetchval(_NOW)
    if begun >= wanted:
        return 0
    await connection.execute("SET synchronous_commit = off")
    await connection.execute(_SPEND.format(until=wanted), timeout=None)
    return int(await connection.fetchval(_NOW)) - int(begun)

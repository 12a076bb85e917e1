"""When a founder was last here. A visit ends half an hour after its last page."""

from datetime import datetime
from uuid import UUID

from app.postgres import Transaction

_SEEN = """
INSERT INTO founder_console.visits AS v (founder_id, tenant_id, since_at, seen_at)
VALUES ($1, $2, clock.now(), clock.now())
ON CONFLICT (founder_id) DO UPDATE
   SET since_at = CASE WHEN clock.now() - v.seen_at > interval '30 minutes' THEN v.seen_at ELSE v.since_at END,
       seen_at = clock.now()
 WHERE clock.now() - v.seen_at > interval '1 minute'
RETURNING since_at
"""


async def note_visit(tx: Transaction, founder_id: UUID) -> datetime:
    """The end of the founder's visit before this one; now, at the first."""
    since: datetime | None = await tx.connection.fetchval(_SEEN, founder_id, tx.tenant)
    if since is None:
        since = await tx.connection.fetchval(
            "SELECT since_at FROM founder_console.visits WHERE founder_id = $1", founder_id
        )
    assert since is not None
    return since

"""SQL of second channels and quiet hours. Row-level security keeps every statement inside the caller's tenant."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from app.canon.notice import Channel
from app.founder_console.model import Founder, SentNotice, TelegramChat, Webhook
from app.founder_console.store import FOUNDER
from app.postgres import Database, Transaction

_INSERT_CODE = """
INSERT INTO founder_console.telegram_codes (code_sha256, tenant_id, founder_id, expires_at)
VALUES ($1, $2, $3, clock.now() + make_interval(secs => $4))
"""

_USE_CODE = """
UPDATE founder_console.telegram_codes SET used_at = clock.now()
 WHERE code_sha256 = $1 AND used_at IS NULL AND expires_at > clock.now() RETURNING founder_id
"""

_PAIR = """
INSERT INTO founder_console.telegram_chats (founder_id, tenant_id, chat_id, name, paired_at)
VALUES ($1, $2, $3, $4, clock.now())
ON CONFLICT (founder_id) DO UPDATE
   SET chat_id = excluded.chat_id, name = excluded.name, paired_at = excluded.paired_at
"""

_CHATS = "SELECT founder_id, chat_id, name, paired_at FROM founder_console.telegram_chats"

_KEEP_WEBHOOK = """
INSERT INTO founder_console.webhooks (founder_id, tenant_id, url, secret, created_at)
VALUES ($1, $2, $3, $4, clock.now())
ON CONFLICT (founder_id) DO UPDATE SET url = excluded.url, secret = excluded.secret, created_at = excluded.created_at
"""

_WEBHOOKS = "SELECT founder_id, url, secret, created_at FROM founder_console.webhooks"

_INSERT_NOTICE = """
INSERT INTO founder_console.notices (id, tenant_id, founder_id, channel, approval_id, version, brief_on, made_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, clock.now()) ON CONFLICT (id) DO NOTHING
"""

_NOTICES = """
SELECT id, founder_id, channel, approval_id, version, attempts, handle, problem, made_at, sent_at, closed_at, brief_on
  FROM founder_console.notices
"""

_TRY = """
UPDATE founder_console.notices SET attempts = attempts + 1 WHERE id = $1 AND sent_at IS NULL AND closed_at IS NULL
"""

_SENT = "UPDATE founder_console.notices SET sent_at = clock.now(), handle = $2, problem = '' WHERE id = $1"
_FAILED = "UPDATE founder_console.notices SET problem = $2 WHERE id = $1"
_CLOSED = "UPDATE founder_console.notices SET closed_at = clock.now() WHERE id = $1 AND closed_at IS NULL"

_NEWEST = """
SELECT DISTINCT ON (channel) id, founder_id, channel, approval_id, version, attempts, handle, problem, made_at, sent_at,
       closed_at
  FROM founder_console.notices WHERE founder_id = $1 ORDER BY channel, made_at DESC
"""

_HOLD = """
INSERT INTO founder_console.held_rings (founder_id, approval_id, tenant_id, held_at)
VALUES ($1, $2, $3, clock.now()) ON CONFLICT DO NOTHING
"""


_DUE_FOUNDERS = (
    FOUNDER
    + """
 WHERE brief_at IS NOT NULL AND (brief_due_at IS NULL OR brief_due_at <= clock.now())
 ORDER BY created_at FOR NO KEY UPDATE SKIP LOCKED
"""
)


async def insert_code(tx: Transaction, code_sha256: str, founder_id: UUID, ttl_seconds: int) -> None:
    await tx.connection.execute(
        "DELETE FROM founder_console.telegram_codes WHERE founder_id = $1 AND used_at IS NULL", founder_id
    )
    await tx.connection.execute(_INSERT_CODE, code_sha256, tx.tenant, founder_id, float(ttl_seconds))


async def use_code(tx: Transaction, code_sha256: str) -> UUID | None:
    founder: UUID | None = await tx.connection.fetchval(_USE_CODE, code_sha256)
    return founder


async def pair_chat(tx: Transaction, founder_id: UUID, chat_id: int, name: str) -> None:
    await tx.connection.execute(_PAIR, founder_id, tx.tenant, chat_id, name)


async def unpair_chat(tx: Transaction, founder_id: UUID) -> bool:
    tag = await tx.connection.execute("DELETE FROM founder_console.telegram_chats WHERE founder_id = $1", founder_id)
    return bool(tag.endswith(" 1"))


async def fetch_chats(tx: Transaction) -> dict[UUID, TelegramChat]:
    """By founder."""
    records = await tx.connection.fetch(_CHATS)
    return {record["founder_id"]: msgspec.convert(dict(record), TelegramChat) for record in records}


async def keep_webhook(tx: Transaction, founder_id: UUID, url: str, secret: bytes) -> None:
    await tx.connection.execute(_KEEP_WEBHOOK, founder_id, tx.tenant, url, secret)


async def drop_webhook(tx: Transaction, founder_id: UUID) -> bool:
    tag = await tx.connection.execute("DELETE FROM founder_console.webhooks WHERE founder_id = $1", founder_id)
    return bool(tag.endswith(" 1"))


async def fetch_webhooks(tx: Transaction) -> dict[UUID, Webhook]:
    """By founder."""
    records = await tx.connection.fetch(_WEBHOOKS)
    return {record["founder_id"]: msgspec.convert(dict(record), Webhook) for record in records}


async def insert_notice(
    tx: Transaction,
    notice_id: UUID,
    founder_id: UUID,
    channel: Channel,
    approval_id: UUID | None = None,
    version: int | None = None,
    *,
    brief_on: date | None = None,
) -> None:
    """Nothing where there is one of that id already."""
    values = (notice_id, tx.tenant, founder_id, channel, approval_id, version, brief_on)
    await tx.connection.execute(_INSERT_NOTICE, *values)


async def fetch_notice(tx: Transaction, notice_id: UUID) -> SentNotice | None:
    record = await tx.connection.fetchrow(_NOTICES + " WHERE id = $1", notice_id)
    return None if record is None else msgspec.convert(dict(record), SentNotice)


async def fetch_open_notices(tx: Transaction, approval_id: UUID) -> tuple[SentNotice, ...]:
    """Those about the approval that still stand as a question."""
    records = await tx.connection.fetch(_NOTICES + " WHERE approval_id = $1 AND closed_at IS NULL", approval_id)
    return tuple(msgspec.convert(dict(record), SentNotice) for record in records)


async def fetch_newest_notices(tx: Transaction, founder_id: UUID) -> Sequence[SentNotice]:
    """The newest of each channel."""
    return tuple(msgspec.convert(dict(one), SentNotice) for one in await tx.connection.fetch(_NEWEST, founder_id))


async def try_notice(tx: Transaction, notice_id: UUID) -> bool:
    """Count an attempt; False when it was sent already or is of no use any more."""
    return bool((await tx.connection.execute(_TRY, notice_id)).endswith(" 1"))


async def notice_sent(tx: Transaction, notice_id: UUID, handle: str) -> None:
    await tx.connection.execute(_SENT, notice_id, handle)


async def notice_failed(tx: Transaction, notice_id: UUID, problem: str) -> None:
    await tx.connection.execute(_FAILED, notice_id, problem[:300])


async def close_notice(tx: Transaction, notice_id: UUID) -> None:
    await tx.connection.execute(_CLOSED, notice_id)


async def hold_ring(tx: Transaction, founder_id: UUID, approval_id: UUID) -> None:
    await tx.connection.execute(_HOLD, founder_id, approval_id, tx.tenant)


async def fetch_held(tx: Transaction, founder_id: UUID) -> Mapping[UUID, datetime]:
    """The approvals that did not ring for the founder, and since when."""
    statement = "SELECT approval_id, held_at FROM founder_console.held_rings WHERE founder_id = $1"
    return {one["approval_id"]: one["held_at"] for one in await tx.connection.fetch(statement, founder_id)}


async def forget_held(tx: Transaction, founder_id: UUID, approval_ids: Sequence[UUID]) -> None:
    """They were summed up, or wait no longer."""
    statement = "DELETE FROM founder_console.held_rings WHERE founder_id = $1 AND approval_id = ANY ($2)"
    await tx.connection.execute(statement, founder_id, approval_ids)


async def note_installed(tx: Transaction, founder_id: UUID) -> None:
    statement = "UPDATE founder_console.founders SET installed_at = clock.now() WHERE id = $1 AND installed_at IS NULL"
    await tx.connection.execute(statement, founder_id)


async def note_guided(tx: Transaction, founder_id: UUID, moment: datetime) -> None:
    await tx.connection.execute("UPDATE founder_console.founders SET guided_at = $2 WHERE id = $1", founder_id, moment)


async def tenants_with_due_briefs(database: Database) -> tuple[UUID, ...]:
    """In which somebody's brief may be due; each is entered before anything is read."""
    async with database.pool.acquire(timeout=5) as connection:
        rows = await connection.fetch("SELECT founder_console.tenants_with_due_briefs() AS tenant")
    return tuple(row["tenant"] for row in rows)


async def lock_due_founders(tx: Transaction) -> tuple[Founder, ...]:
    """Whose brief may be due, for this transaction alone: another worker passes them by."""
    return tuple(msgspec.convert(dict(record), Founder) for record in await tx.connection.fetch(_DUE_FOUNDERS))


async def brief_marked(tx: Transaction, founder_id: UUID, *, told_on: date | None, due_at: datetime) -> None:
    statement = "UPDATE founder_console.founders SET brief_told_on = $2, brief_due_at = $3 WHERE id = $1"
    await tx.connection.execute(statement, founder_id, told_on, due_at)


async def reckon_briefs_anew(tx: Transaction) -> None:
    """The company's zone has changed: when each brief is due is to be found again."""
    await tx.connection.execute("UPDATE founder_console.founders SET brief_due_at = NULL WHERE brief_at IS NOT NULL")


async def fetch_heard(tx: Transaction, tag: str) -> frozenset[UUID]:
    """The founders of whose phones one has shown a notification of this tag."""
    statement = """SELECT DISTINCT s.founder_id FROM founder_console.push_receipts r
                     JOIN founder_console.push_subscriptions s ON s.id = r.subscription_id
                    WHERE r.tag = $1 AND r.received_at IS NOT NULL"""
    return frozenset(record["founder_id"] for record in await tx.connection.fetch(statement, tag))

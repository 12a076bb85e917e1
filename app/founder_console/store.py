"""All SQL of the room. Row-level security keeps every statement inside the caller's tenant."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import asyncpg
import msgspec

from app.founder_console.model import (
    DeviceKey,
    Founder,
    Passkey,
    Preferences,
    Purpose,
    Session,
    Subscription,
)
from app.postgres import Database, Transaction

T = TypeVar("T")

FOUNDER = """
SELECT id, name, rol, language, theme, hide_amounts, email, created_at, time_zone, quiet_from, quiet_to, quiet_urgent,
       brief_at, brief_days, brief_letters, brief_told_on, installed_at, guided_at
  FROM founder_console.founders
"""

_PREFER = """
UPDATE founder_console.founders
   SET language = $2, theme = $3, hide_amounts = $4, email = $5, time_zone = $6, quiet_from = $7, quiet_to = $8,
       quiet_urgent = $9, brief_at = $10, brief_days = $11, brief_letters = $12, brief_due_at = NULL
 WHERE id = $1
"""

_INSERT_FOUNDER = """
INSERT INTO founder_console.founders (id, tenant_id, name, rol, language, created_at)
VALUES ($1, $2, $3, $4, $5, clock.now())
"""

_USE_ENROLMENT = """
UPDATE founder_console.enrolments SET used_at = clock.now()
 WHERE token_sha256 = $1 AND used_at IS NULL AND expires_at > clock.now() RETURNING founder_id
"""

_INSERT_PASSKEY = """
INSERT INTO founder_console.passkeys
  (credential_id, tenant_id, founder_id, public_key, sign_count, label, created_at, usable_from)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""

_PASSKEYS = """
SELECT credential_id, founder_id, public_key, sign_count, label, created_at, usable_from, used_at
  FROM founder_console.passkeys WHERE revoked_at IS NULL
"""

_DEVICE_KEYS = """
SELECT kid, founder_id, public_key, label, created_at FROM founder_console.device_keys WHERE revoked_at IS NULL
"""

_INSERT_DEVICE_KEY = """
INSERT INTO founder_console.device_keys (kid, tenant_id, founder_id, public_key, label, created_at)
VALUES ($1, $2, $3, $4, $5, clock.now()) ON CONFLICT (tenant_id, kid) DO NOTHING
"""

_INSERT_SESSION = """
INSERT INTO founder_console.sessions
  (token_sha256, tenant_id, founder_id, label, created_at, seen_at, expires_at, recovered)
VALUES ($1, $2, $3, $4, clock.now(), clock.now(), clock.now() + make_interval(secs => $5), $6)
"""

_SESSIONS = """
SELECT s.token_sha256, s.founder_id, f.rol, s.label, s.created_at, s.seen_at, s.expires_at, s.recovered
  FROM founder_console.sessions s JOIN founder_console.founders f ON f.id = s.founder_id
 WHERE s.revoked_at IS NULL AND s.expires_at > clock.now()
"""

_TOUCH_SESSION = """
UPDATE founder_console.sessions SET seen_at = clock.now(), expires_at = clock.now() + make_interval(secs => $2)
 WHERE token_sha256 = $1
"""

_INSERT_CHALLENGE = """
INSERT INTO founder_console.challenges (nonce, tenant_id, founder_id, purpose, subject, expires_at)
VALUES ($1, $2, $3, $4, $5, clock.now() + make_interval(secs => $6))
"""

_USE_CHALLENGE = """
UPDATE founder_console.challenges SET used_at = clock.now()
 WHERE nonce = $1 AND founder_id = $2 AND purpose = $3 AND used_at IS NULL AND expires_at > clock.now()
RETURNING subject
"""

_SPEND_LOGIN = """
INSERT INTO founder_console.challenges (nonce, tenant_id, founder_id, purpose, expires_at, used_at)
VALUES ($1, $2, $3, 'login', clock.now() + interval '10 minutes', clock.now()) ON CONFLICT (nonce) DO NOTHING
RETURNING nonce
"""

_FORGET_CHALLENGES = "DELETE FROM founder_console.challenges WHERE expires_at < clock.now() - interval '1 hour'"

_SUBSCRIPTIONS = """
SELECT id, founder_id, endpoint, p256dh, auth, created_at, last_sent_at, last_receipt_at, problem
  FROM founder_console.push_subscriptions
"""

_KEEP_SUBSCRIPTION = """
INSERT INTO founder_console.push_subscriptions (id, tenant_id, founder_id, endpoint, p256dh, auth, created_at)
VALUES ($1, $2, $3, $4, $5, $6, clock.now())
ON CONFLICT (tenant_id, endpoint) DO UPDATE SET p256dh = excluded.p256dh, auth = excluded.auth, problem = ''
RETURNING id
"""

_RECEIVED = """
UPDATE founder_console.push_receipts SET received_at = clock.now() WHERE id = $1 AND received_at IS NULL
RETURNING subscription_id
"""

_USE_CODE = """
UPDATE founder_console.recovery_codes SET used_at = clock.now() WHERE code_hash = $1 AND used_at IS NULL
RETURNING founder_id
"""

_INSERT_CODE = "INSERT INTO founder_console.recovery_codes (tenant_id, founder_id, code_hash) VALUES ($1, $2, $3)"


def _all(records: Sequence[asyncpg.Record], shape: type[T]) -> tuple[T, ...]:
    return tuple(msgspec.convert(dict(record), shape) for record in records)


async def now(tx: Transaction) -> datetime:
    """Business time, which tests can set (`clock.now()`)."""
    moment: datetime = await tx.connection.fetchval("SELECT clock.now()")
    return moment


async def insert_founder(tx: Transaction, founder_id: UUID, *, name: str, rol: str, language: str) -> None:
    await tx.connection.execute(_INSERT_FOUNDER, founder_id, tx.tenant, name, rol, language)


async def fetch_founder(tx: Transaction, founder_id: UUID) -> Founder | None:
    record = await tx.connection.fetchrow(FOUNDER + " WHERE id = $1", founder_id)
    return None if record is None else msgspec.convert(dict(record), Founder)


async def fetch_founders(tx: Transaction) -> tuple[Founder, ...]:
    return _all(await tx.connection.fetch(FOUNDER + " ORDER BY created_at"), Founder)


async def update_preferences(tx: Transaction, founder_id: UUID, wanted: Preferences) -> None:
    await tx.connection.execute(_PREFER, founder_id, *msgspec.structs.astuple(wanted))


async def insert_enrolment(tx: Transaction, token_sha256: str, founder_id: UUID, expires_at: datetime) -> None:
    statement = """INSERT INTO founder_console.enrolments (token_sha256, tenant_id, founder_id, expires_at)
                   VALUES ($1, $2, $3, $4)"""
    await tx.connection.execute(statement, token_sha256, tx.tenant, founder_id, expires_at)


async def fetch_enrolment(tx: Transaction, token_sha256: str) -> UUID | None:
    """The founder whom an unused, unexpired link would enrol."""
    statement = """SELECT founder_id FROM founder_console.enrolments
                   WHERE token_sha256 = $1 AND used_at IS NULL AND expires_at > clock.now()"""
    founder: UUID | None = await tx.connection.fetchval(statement, token_sha256)
    return founder


async def use_enrolment(tx: Transaction, token_sha256: str) -> UUID | None:
    founder: UUID | None = await tx.connection.fetchval(_USE_ENROLMENT, token_sha256)
    return founder


async def insert_passkey(tx: Transaction, key: Passkey) -> None:
    values = (key.credential_id, tx.tenant, key.founder_id, key.public_key, key.sign_count, key.label)
    await tx.connection.execute(_INSERT_PASSKEY, *values, key.created_at, key.usable_from)


async def fetch_passkeys(tx: Transaction, founder_id: UUID, *, lock: bool = False) -> tuple[Passkey, ...]:
    """Keys that are not revoked, oldest first. With `lock` nobody revokes one until the transaction ends."""
    ordered = " AND founder_id = $1 ORDER BY created_at, credential_id" + (" FOR NO KEY UPDATE" if lock else "")
    records = await tx.connection.fetch(_PASSKEYS + ordered, founder_id)
    return _all(records, Passkey)


async def lock_passkey(tx: Transaction, credential_id: str) -> Passkey | None:
    record = await tx.connection.fetchrow(_PASSKEYS + " AND credential_id = $1 FOR NO KEY UPDATE", credential_id)
    return None if record is None else msgspec.convert(dict(record), Passkey)


async def passkey_used(tx: Transaction, credential_id: str, sign_count: int) -> None:
    statement = "UPDATE founder_console.passkeys SET sign_count = $2, used_at = clock.now() WHERE credential_id = $1"
    await tx.connection.execute(statement, credential_id, sign_count)


async def label_passkey(tx: Transaction, credential_id: str, label: str) -> None:
    statement = "UPDATE founder_console.passkeys SET label = $2 WHERE credential_id = $1"
    await tx.connection.execute(statement, credential_id, label)


async def revoke_passkey(tx: Transaction, credential_id: str) -> None:
    statement = "UPDATE founder_console.passkeys SET revoked_at = clock.now() WHERE credential_id = $1"
    await tx.connection.execute(statement, credential_id)


async def insert_device_key(tx: Transaction, kid: str, founder_id: UUID, public_key: bytes, label: str) -> bool:
    """False when the key is registered already."""
    tag = await tx.connection.execute(_INSERT_DEVICE_KEY, kid, tx.tenant, founder_id, public_key, label)
    return bool(tag.endswith(" 1"))


async def fetch_device_key(tx: Transaction, kid: str) -> DeviceKey | None:
    record = await tx.connection.fetchrow(_DEVICE_KEYS + " AND kid = $1", kid)
    return None if record is None else msgspec.convert(dict(record), DeviceKey)


async def fetch_device_keys(tx: Transaction, founder_id: UUID) -> tuple[DeviceKey, ...]:
    records = await tx.connection.fetch(_DEVICE_KEYS + " AND founder_id = $1 ORDER BY created_at", founder_id)
    return _all(records, DeviceKey)


async def insert_session(
    tx: Transaction, token_sha256: str, founder_id: UUID, *, label: str, ttl_seconds: int, recovered: bool
) -> None:
    values = (token_sha256, tx.tenant, founder_id, label, float(ttl_seconds), recovered)
    await tx.connection.execute(_INSERT_SESSION, *values)


async def fetch_session(tx: Transaction, token_sha256: str) -> Session | None:
    record = await tx.connection.fetchrow(_SESSIONS + " AND s.token_sha256 = $1", token_sha256)
    return None if record is None else msgspec.convert(dict(record), Session)


async def fetch_sessions(tx: Transaction, founder_id: UUID) -> tuple[Session, ...]:
    records = await tx.connection.fetch(_SESSIONS + " AND s.founder_id = $1 ORDER BY s.seen_at DESC", founder_id)
    return _all(records, Session)


async def touch_session(tx: Transaction, token_sha256: str, ttl_seconds: int) -> None:
    await tx.connection.execute(_TOUCH_SESSION, token_sha256, float(ttl_seconds))


async def revoke_session(tx: Transaction, token_sha256: str) -> None:
    statement = "UPDATE founder_console.sessions SET revoked_at = clock.now() WHERE token_sha256 = $1"
    await tx.connection.execute(statement, token_sha256)


async def insert_challenge(
    tx: Transaction, nonce: str, founder_id: UUID, *, purpose: Purpose, subject: str, ttl_seconds: int
) -> None:
    await tx.connection.execute(_FORGET_CHALLENGES)
    values = (nonce, tx.tenant, founder_id, purpose, subject, float(ttl_seconds))
    await tx.connection.execute(_INSERT_CHALLENGE, *values)


async def use_challenge(tx: Transaction, nonce: str, founder_id: UUID, purpose: Purpose) -> str | None:
    """What the nonce was made for; None when it is used, expired or somebody else's."""
    subject: str | None = await tx.connection.fetchval(_USE_CHALLENGE, nonce, founder_id, purpose)
    return subject


async def spend_login_nonce(tx: Transaction, nonce: str, founder_id: UUID) -> bool:
    """False when it was spent before."""
    return await tx.connection.fetchval(_SPEND_LOGIN, nonce, tx.tenant, founder_id) is not None


async def replace_codes(tx: Transaction, founder_id: UUID, hashes: Sequence[str]) -> None:
    await tx.connection.execute("DELETE FROM founder_console.recovery_codes WHERE founder_id = $1", founder_id)
    await tx.connection.executemany(_INSERT_CODE, [(tx.tenant, founder_id, code_hash) for code_hash in hashes])


async def use_code(tx: Transaction, code_hash: str) -> UUID | None:
    founder: UUID | None = await tx.connection.fetchval(_USE_CODE, code_hash)
    return founder


async def count_codes(tx: Transaction, founder_id: UUID) -> int:
    statement = "SELECT count(*) FROM founder_console.recovery_codes WHERE founder_id = $1 AND used_at IS NULL"
    count: int = await tx.connection.fetchval(statement, founder_id)
    return count


async def keep_subscription(
    tx: Transaction, subscription_id: UUID, founder_id: UUID, endpoint: str, p256dh: str, auth: str
) -> UUID:
    values = (subscription_id, tx.tenant, founder_id, endpoint, p256dh, auth)
    kept: UUID = await tx.connection.fetchval(_KEEP_SUBSCRIPTION, *values)
    return kept


async def fetch_subscriptions(tx: Transaction, founder_id: UUID | None = None) -> tuple[Subscription, ...]:
    where = " WHERE $1::uuid IS NULL OR founder_id = $1 ORDER BY created_at"
    return _all(await tx.connection.fetch(_SUBSCRIPTIONS + where, founder_id), Subscription)


async def delete_subscription(tx: Transaction, endpoint: str) -> None:
    await tx.connection.execute("DELETE FROM founder_console.push_subscriptions WHERE endpoint = $1", endpoint)


async def push_received(tx: Transaction, receipt_id: UUID) -> None:
    subscription: UUID | None = await tx.connection.fetchval(_RECEIVED, receipt_id)
    statement = "UPDATE founder_console.push_subscriptions SET last_receipt_at = clock.now() WHERE id = $1"
    if subscription is not None:
        await tx.connection.execute(statement, subscription)


async def use_action_token(tx: Transaction, jti: str) -> bool:
    """False when it was used before."""
    statement = """INSERT INTO founder_console.used_action_tokens (jti, tenant_id, used_at)
                   VALUES ($1, $2, clock.now()) ON CONFLICT (jti) DO NOTHING RETURNING jti"""
    return await tx.connection.fetchval(statement, jti, tx.tenant) is not None


# --- revoked tokens ---------------------------------------------------------------------------------------------------


async def insert_revoked(tx: Transaction, jti: UUID, expires_at: datetime, *, by: str, reason: str) -> bool:
    """Whether it was not revoked before."""
    return bool(await tx.connection.fetchval(_INSERT_REVOKED, jti, tx.tenant, expires_at, by, reason))


_INSERT_REVOKED = """
INSERT INTO founder_console.revoked_tokens (id, tenant_id, expires_at, revoked_by, reason, revoked_at)
VALUES ($1, $2, $3, $4, $5, clock.now()) ON CONFLICT (id) DO NOTHING RETURNING true
"""


async def fetch_revoked(database: Database) -> frozenset[str]:
    """Ids of tokens of every company that are revoked and would not have expired yet."""
    async with database.pool.acquire(timeout=5) as connection:
        rows = await connection.fetch("SELECT id FROM founder_console.revoked_ids() AS id")
    return frozenset(str(row["id"]) for row in rows)

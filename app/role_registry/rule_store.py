"""All SQL of standing rules."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.canon.rule import RuleTerms
from app.postgres import Transaction
from app.role_registry.store import digest_of, now

__all__ = ["StandingRule", "fetch_rules", "insert_rule", "lock_rules", "now", "revoke_rule", "use_rule"]


class StandingRule(msgspec.Struct, frozen=True, kw_only=True):
    """A signed rule. `signature` is the founder's approval JWT over its terms, `digest` that of their text."""

    id: UUID
    terms: RuleTerms
    digest: str
    used: int
    approval_id: UUID
    signature: str
    signed_by: str
    made_at: datetime
    revoked_at: datetime | None
    revoked_by: str | None

    def in_force(self, at: datetime) -> bool:
        return self.revoked_at is None and self.used < self.terms.uses and at < self.terms.until


async def insert_rule(tx: Transaction, rule: StandingRule, written: str) -> None:
    terms = rule.terms
    await tx.connection.execute(
        _INSERT,
        rule.id,
        tx.tenant,
        terms.role_id,
        written,
        terms.digest(),
        terms.tool,
        terms.uses,
        terms.until,
        rule.approval_id,
        rule.signature,
        rule.signed_by,
        rule.made_at,
    )


_INSERT = """
INSERT INTO role_registry.standing_rules
  (id, tenant_id, role_id, terms, digest, tool, uses, until, approval_id, signature, signed_by, made_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""


async def fetch_rules(tx: Transaction, role_id: UUID | None) -> tuple[StandingRule, ...]:
    """Newest first."""
    return tuple(map(_rule, await tx.connection.fetch(_RULES, role_id)))


_COLUMNS = "id, terms, used, approval_id, signature, signed_by, made_at, revoked_at, revoked_by"
_RULES = f"""
SELECT {_COLUMNS} FROM role_registry.standing_rules WHERE $1::uuid IS NULL OR role_id = $1 ORDER BY id DESC LIMIT 500
"""  # noqa: S608 - only constants are joined


async def lock_rules(tx: Transaction, role_id: UUID, tool: str) -> tuple[StandingRule, ...]:
    """Those in force, the one that is over first in front, locked until the transaction ends."""
    return tuple(map(_rule, await tx.connection.fetch(_LOCK, role_id, tool)))


_LOCK = f"""
SELECT {_COLUMNS} FROM role_registry.standing_rules
 WHERE role_id = $1 AND tool = $2 AND revoked_at IS NULL AND used < uses AND until > clock.now()
 ORDER BY until, id FOR NO KEY UPDATE
"""  # noqa: S608 - only constants are joined


async def use_rule(tx: Transaction, rule_id: UUID) -> bool:
    return bool(await tx.connection.fetchval(_USE, rule_id))


_USE = """
UPDATE role_registry.standing_rules SET used = used + 1
 WHERE id = $1 AND revoked_at IS NULL AND used < uses AND until > clock.now() RETURNING true
"""


async def revoke_rule(tx: Transaction, rule_id: UUID, at: datetime, by: str) -> StandingRule | None:
    row = await tx.connection.fetchrow(_REVOKE, rule_id, at, by)
    return None if row is None else _rule(row)


_REVOKE = f"""
UPDATE role_registry.standing_rules SET revoked_at = $2, revoked_by = $3
 WHERE id = $1 AND revoked_at IS NULL RETURNING {_COLUMNS}
"""  # noqa: S608 - only constants are joined


def _rule(row: Any) -> StandingRule:
    terms = row["terms"]
    return StandingRule(**{**row, "terms": msgspec.json.decode(terms, type=RuleTerms), "digest": digest_of(terms)})

"""All SQL of the vault."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.postgres import Transaction
from app.role_registry.model import Secret

_COLUMNS = "id, name, description, header, prefix, hosts, role_ids, version, set_by, set_at"

_PUT = """
INSERT INTO role_registry.secrets (id, tenant_id, name, description, header, prefix, hosts, role_ids, version, set_by,
  set_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (id) DO UPDATE SET description = excluded.description, header = excluded.header, prefix = excluded.prefix,
  hosts = excluded.hosts, role_ids = excluded.role_ids, version = excluded.version, set_by = excluded.set_by,
  set_at = excluded.set_at
"""

_PUT_VALUE = """
INSERT INTO role_registry.secret_values (secret_id, tenant_id, kid, sealed) VALUES ($1, $2, $3, $4)
ON CONFLICT (secret_id) DO UPDATE SET kid = excluded.kid, sealed = excluded.sealed
"""


async def put(tx: Transaction, secret: Secret, kid: str, sealed: bytes) -> None:
    await tx.connection.execute(
        _PUT,
        secret.id,
        tx.tenant,
        secret.name,
        secret.description,
        secret.header,
        secret.prefix,
        list(secret.hosts),
        list(secret.role_ids),
        secret.version,
        secret.set_by,
        secret.set_at,
    )
    await tx.connection.execute(_PUT_VALUE, secret.id, tx.tenant, kid, sealed)


async def remove(tx: Transaction, secret: Secret, at: datetime) -> None:
    await tx.connection.execute("UPDATE role_registry.secrets SET removed_at = $2 WHERE id = $1", secret.id, at)
    await tx.connection.execute("DELETE FROM role_registry.secret_values WHERE secret_id = $1", secret.id)


async def fetch(tx: Transaction, name: str, *, lock: bool = False) -> Secret | None:
    sql = f"SELECT {_COLUMNS} FROM role_registry.secrets WHERE name = $1 AND removed_at IS NULL"  # noqa: S608
    row = await tx.connection.fetchrow(sql + (" FOR NO KEY UPDATE" if lock else ""), name)
    return None if row is None else _secret(row)


async def fetch_all(tx: Transaction) -> tuple[Secret, ...]:
    sql = f"SELECT {_COLUMNS} FROM role_registry.secrets WHERE removed_at IS NULL ORDER BY name"  # noqa: S608
    return tuple(_secret(row) for row in await tx.connection.fetch(sql))


async def fetch_value(tx: Transaction, secret_id: UUID) -> tuple[str, bytes]:
    sql = "SELECT kid, sealed FROM role_registry.secret_values WHERE secret_id = $1"
    row = await tx.connection.fetchrow(sql, secret_id)
    if row is None:
        raise RuntimeError("a secret that was not removed has a value")
    return row["kid"], bytes(row["sealed"])


def _secret(row: Any) -> Secret:
    return Secret(**{**row, "hosts": tuple(row["hosts"]), "role_ids": tuple(row["role_ids"])})

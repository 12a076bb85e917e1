"""All SQL of tool servers."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.canon.canonical_json import canonical_bytes, digest
from app.canon.tool_server import ToolServer
from app.postgres import Transaction
from app.role_registry.model import SignedServer
from app.role_registry.store import digest_of

_COLUMNS = "id, terms, quarantined, approval_id, signed_by, signed_at"
_PUT = """
INSERT INTO role_registry.tool_servers (id, tenant_id, name, terms, digest, quarantined, approval_id, signature,
  signed_by, signed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (id) DO UPDATE SET terms = excluded.terms, digest = excluded.digest, quarantined = excluded.quarantined,
  approval_id = excluded.approval_id, signature = excluded.signature, signed_by = excluded.signed_by,
  signed_at = excluded.signed_at
"""


def terms_digest(server: ToolServer) -> str:
    """What the founder's signature over a server covers."""
    return digest(msgspec.to_builtins(server))


async def put(tx: Transaction, signed: SignedServer, signature: str) -> None:
    terms = canonical_bytes(msgspec.to_builtins(signed.server)).decode()
    await tx.connection.execute(
        _PUT,
        signed.id,
        tx.tenant,
        signed.server.name,
        terms,
        terms_digest(signed.server),
        list(signed.quarantined),
        signed.approval_id,
        signature,
        signed.signed_by,
        signed.signed_at,
    )


async def quarantine(tx: Transaction, server_id: UUID, tools: tuple[str, ...]) -> None:
    sql = "UPDATE role_registry.tool_servers SET quarantined = $2 WHERE id = $1"
    await tx.connection.execute(sql, server_id, list(tools))


async def remove(tx: Transaction, server_id: UUID, at: datetime) -> None:
    await tx.connection.execute("UPDATE role_registry.tool_servers SET removed_at = $2 WHERE id = $1", server_id, at)


async def fetch(tx: Transaction, name: str, *, lock: bool = False) -> SignedServer | None:
    sql = f"SELECT {_COLUMNS} FROM role_registry.tool_servers WHERE name = $1 AND removed_at IS NULL"  # noqa: S608
    row = await tx.connection.fetchrow(sql + (" FOR NO KEY UPDATE" if lock else ""), name)
    return None if row is None else _signed(row)


async def fetch_all(tx: Transaction) -> tuple[SignedServer, ...]:
    sql = f"SELECT {_COLUMNS} FROM role_registry.tool_servers WHERE removed_at IS NULL ORDER BY name"  # noqa: S608
    return tuple(_signed(row) for row in await tx.connection.fetch(sql))


async def fetch_with_signatures(tx: Transaction) -> list[tuple[SignedServer, str, str]]:
    """All, each with the digest of its terms as they stand there, and the signature that stands beside them."""
    sql = f"SELECT {_COLUMNS}, signature FROM role_registry.tool_servers WHERE removed_at IS NULL ORDER BY name"  # noqa: S608
    rows = await tx.connection.fetch(sql)
    return [(_signed(row), digest_of(row["terms"]), row["signature"]) for row in rows]


def _signed(row: Any) -> SignedServer:
    return SignedServer(
        id=row["id"],
        server=msgspec.json.decode(row["terms"], type=ToolServer),
        quarantined=tuple(row["quarantined"]),
        approval_id=row["approval_id"],
        signed_by=row["signed_by"],
        signed_at=row["signed_at"],
    )

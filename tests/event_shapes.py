"""What stands in a test's ledger has the shapes that are registered."""

import json

import asyncpg

from app.canon.errors import Invalid
from app.governance_ledger.registry import check_data

_DATA = "SELECT DISTINCT type, (body::jsonb #> '{body,data}')::text AS data FROM governance_ledger.governance_events"


async def check_events(dsn: str) -> None:
    """Fails for events of a type that is not registered, or whose data has another shape."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(_DATA)
    finally:
        await connection.close()
    assert [problem for row in rows if (problem := _problem(row["type"], row["data"]))] == []


def _problem(name: str, data: str) -> str:
    try:
        check_data(name, json.loads(data))
    except Invalid as refused:
        return str(refused)
    return ""

"""Whether a text stands anywhere in a database or a folder, in any of the usual spellings."""

import base64
from pathlib import Path

import asyncpg

_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""


async def tables_with(connection: asyncpg.Connection, text: str) -> list[str]:
    """Names of tables in which `text` stands; `connection` is a superuser's."""
    found = []
    for row in await connection.fetch(_TABLES):
        name = row["name"]
        rows = await connection.fetch(f"SELECT t::text AS said FROM {name} t")
        if any(form in said["said"] for said in rows for form in _forms(text)):
            found.append(name)
    return found


def files_with(folder: Path, text: str) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and any(form.encode() in path.read_bytes() for form in _forms(text))
    ]


def _forms(text: str) -> tuple[str, ...]:
    raw = text.encode()
    return (text, text[::-1], raw.hex(), base64.b64encode(raw).decode().rstrip("="))

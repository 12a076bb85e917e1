"""What is signed of a tool server, as rows that a founder reads: where it runs, and each tool. Nothing is left out."""

from typing import Any

import msgspec

from app.canon.canonical_json import canonical_bytes
from app.canon.tool_server import ToolServer
from app.founder_console.wording import Words


def server_rows(change: Any, words: Words) -> tuple[tuple[str, str, str], ...]:
    """Name, before and after of each row that is new or differs. Raises `msgspec.ValidationError`."""
    before, after = (_rows(change.get(side), words) for side in ("before", "after"))
    names = [*after, *(name for name in before if name not in after)]
    rows = ((name, before.get(name, ""), after.get(name, "")) for name in names)
    return tuple(row for row in rows if row[1] != row[2])


def _rows(told: object, words: Words) -> dict[str, str]:
    if told is None:
        return {}
    server = msgspec.convert(told, ToolServer)
    rows = {words("field.at"): _exact(server.at), words("field.seconds"): str(server.seconds)}
    for tool in server.tools:
        said = msgspec.to_builtins(tool)
        for shown in ("name", "description", "risk"):
            said.pop(shown)
        rows[tool.name] = " · ".join(filter(None, (words(f"risk.{tool.risk}"), tool.description)))
        rows[words("field.schema", tool=tool.name)] = _exact(said)
    return rows


def _exact(value: object) -> str:
    return canonical_bytes(msgspec.to_builtins(value)).decode()

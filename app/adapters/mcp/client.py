"""Calls to MCP servers, compared before each with what the founder signed."""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mcp_types
from mcp import MCPError

from app.adapters.mcp.connecting import connected, inner, listed, words
from app.adapters.mcp.keeping import Shelf
from app.canon.canonical_json import NotCanonical, exact
from app.canon.errors import NotFound
from app.canon.tool import EvidenceItem, OutcomeUnknown, ToolCall, ToolFailed, ToolResult, Vault
from app.canon.tool_server import Listed, Place, ServerTool, ToolChanged, ToolServer, listing_hash

CONNECT_SECONDS = 60
SHOWN_CHARACTERS = 40_000
MAX_BLOB_BYTES = 8 << 20

__all__ = ["Shelf", "call_tool", "list_tools"]


async def list_tools(name: str, place: Place, vault: Vault, home: Path, seconds: int) -> Sequence[Listed]:
    """Every tool that the server has. Raises `ToolFailed`."""
    try:
        async with asyncio.timeout(seconds), connected(place, vault, home) as client:
            return await listed(client)
    except Exception as error:
        raise _failed(name, error, seconds) from error


async def call_tool(server: ToolServer, tool: ServerTool, call: ToolCall, shelf: Shelf) -> ToolResult:
    """Raises `ToolChanged`, `ToolFailed` before the call was sent, `OutcomeUnknown` once it was and no answer came."""
    sent = False
    try:
        async with asyncio.timeout(CONNECT_SECONDS) as end, shelf.using(server, call) as (client, now):
            _compare(server, tool, now)
            end.reschedule(asyncio.get_running_loop().time() + server.seconds)
            sent = True
            meta: Any = {"flr/idempotency-key": call.key}
            answer = await client.call_tool(tool.name, dict(call.arguments), meta=meta)
            result = await asyncio.to_thread(_result, server, tool, answer)
    except ToolFailed:
        raise
    except Exception as error:
        told = inner(error)
        if isinstance(told, ToolFailed):
            raise told from error
        if sent and not _refused(told):
            raise OutcomeUnknown(
                f"the call was sent to {server.name} and its answer was lost: {words(told)}"
            ) from error
        raise _failed(server.name, error, CONNECT_SECONDS) from error
    return result


def _refused(error: BaseException) -> bool:
    """The server itself answered that it did not take the call."""
    return isinstance(error, MCPError) and error.error.code in (-32600, -32601, -32602)


def _compare(server: ToolServer, tool: ServerTool, listed: Sequence[Listed]) -> None:
    now = next((one for one in listed if one.name == tool.name), None)
    if now is None:
        raise ToolChanged(server.name, tool.name, None)
    try:
        same = listing_hash(now.name, now.description, now.parameters) == tool.listing_hash
    except NotCanonical:
        same = False
    if not same:
        raise ToolChanged(server.name, tool.name, now)


def _result(server: ToolServer, tool: ServerTool, answer: mcp_types.CallToolResult) -> ToolResult:
    texts: list[str] = []
    evidence: list[EvidenceItem] = []
    for number, block in enumerate(answer.content, 1):
        if isinstance(block, mcp_types.TextContent):
            texts.append(block.text)
            continue
        item = _blob(f"{tool.name}-{number}", block)
        if item is None:
            texts.append(f"({block.type})")
        else:
            evidence.append(item)
            texts.append(f"({block.type}: {item.media_type}, {len(item.content)} bytes, kept as evidence)")
    text = "\n".join(texts)
    if answer.is_error:
        raise ToolFailed(f"{server.name} says: {text[:4000] or 'it failed'}", code="tool.says")
    shown = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}\n(the answer is longer)"
    evidence.insert(0, EvidenceItem(f"{tool.name}-answer.txt", "text/plain", text.encode("utf-8", "replace")))
    return ToolResult(shown or "done", _data(answer.structured_content, shown), evidence=tuple(evidence))


def _data(structured: object, shown: str) -> object:
    if not isinstance(structured, Mapping):
        return {"text": shown}
    try:
        return exact(dict(structured))
    except NotCanonical:
        return {"text": shown}


def _blob(name: str, block: object) -> EvidenceItem | None:
    """An image, a sound or an embedded resource as bytes."""
    if isinstance(block, mcp_types.ImageContent | mcp_types.AudioContent):
        return _decoded(name, block.mime_type, block.data)
    if isinstance(block, mcp_types.EmbeddedResource):
        held = block.resource
        if isinstance(held, mcp_types.BlobResourceContents):
            return _decoded(name, held.mime_type or "application/octet-stream", held.blob)
        return EvidenceItem(name, held.mime_type or "text/plain", held.text.encode("utf-8", "replace")[:MAX_BLOB_BYTES])
    return None


def _decoded(name: str, media_type: str, data: str) -> EvidenceItem | None:
    try:
        content = base64.b64decode(data, validate=True)
    except ValueError:
        return None
    return EvidenceItem(name, media_type, content) if len(content) <= MAX_BLOB_BYTES else None


def _failed(name: str, error: BaseException, seconds: int) -> ToolFailed:
    told = inner(error)
    if isinstance(told, ToolFailed):
        return told
    if isinstance(told, NotFound):
        return ToolFailed(str(told), code=told.code, **told.data)
    if isinstance(told, TimeoutError):
        said = f"{name} gave no answer within {seconds} seconds"
        return ToolFailed(said, code="server.silent", name=name, limit_seconds=seconds)
    return ToolFailed(f"{name} cannot be used: {words(told)}", code="server.failed", name=name, said=words(told))

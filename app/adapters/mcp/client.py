"""Calls to MCP servers over the official SDK: a locked-away program or an address, one connection for each call."""

import asyncio
import base64
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

import httpx2
import mcp_types
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from app.adapters.sandbox import Limits, Mount, NoSandbox, bubblewrap, program_mounts, sandboxed
from app.canon.canonical_json import NotCanonical, exact
from app.canon.errors import NotFound
from app.canon.tool import EvidenceItem, OutcomeUnknown, ToolCall, ToolFailed, ToolResult, Vault
from app.canon.tool_server import (
    HttpServer,
    Listed,
    Place,
    ServerTool,
    StdioServer,
    ToolChanged,
    ToolServer,
    listing_hash,
)

LIMITS = Limits(memory_bytes=None, data_bytes=1 << 30, processes=64, cpu_seconds=120, open_files=1024)
CONNECT_SECONDS = 60
SHOWN_CHARACTERS = 40_000
MAX_BLOB_BYTES = 8 << 20
MAX_PAGES = 20
NETWORK_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs", "/usr/share/ca-certificates")


async def list_tools(name: str, place: Place, vault: Vault, home: Path, seconds: int) -> Sequence[Listed]:
    """Every tool that the server has. Raises `ToolFailed`."""
    try:
        async with asyncio.timeout(seconds), _connected(place, vault, home) as client:
            return await _listed(client)
    except Exception as error:
        raise _failed(name, error, seconds) from error


async def call_tool(server: ToolServer, tool: ServerTool, call: ToolCall, home: Path) -> ToolResult:
    """Raises `ToolChanged`, `ToolFailed` before the call was sent, `OutcomeUnknown` once it was and no answer came."""
    sent = False
    try:
        async with asyncio.timeout(CONNECT_SECONDS) as end, _connected(server.at, call.vault, home) as client:
            _compare(server, tool, await _listed(client))
            end.reschedule(asyncio.get_running_loop().time() + server.seconds)
            sent = True
            meta: Any = {"flr/idempotency-key": call.key}
            answer = await client.call_tool(tool.name, dict(call.arguments), meta=meta)
            result = _result(server, tool, answer)
    except ToolFailed:
        raise
    except Exception as error:
        told = _inner(error)
        if isinstance(told, ToolFailed):
            raise told from error
        if sent and not _refused(told):
            raise OutcomeUnknown(
                f"the call was sent to {server.name} and its answer was lost: {_words(told)}"
            ) from error
        raise _failed(server.name, error, CONNECT_SECONDS) from error
    return result


def _refused(error: BaseException) -> bool:
    """The server itself answered that it did not take the call."""
    return isinstance(error, MCPError) and error.error.code in (-32600, -32601, -32602)


@asynccontextmanager
async def _connected(place: Place, vault: Vault, home: Path) -> AsyncIterator[Client]:
    match place:
        case HttpServer():
            headers = {
                header: secret.prefix + await vault.value(secret.name) for header, secret in place.secrets.items()
            }
            timeout = httpx2.Timeout(60, connect=10)
            async with (
                httpx2.AsyncClient(headers=headers, timeout=timeout, trust_env=False) as http,
                Client(streamable_http_client(place.url, http_client=http), client_info=_me()) as client,
            ):
                yield client
        case StdioServer():
            with tempfile.TemporaryFile("w+") as errors:
                parameters = await _parameters(place, vault, home)
                try:
                    async with Client(stdio_client(parameters, errlog=errors), client_info=_me()) as client:
                        yield client
                except Exception as error:
                    told = _inner(error)
                    if isinstance(told, ToolFailed) or not (said := _last_words(errors)):
                        raise
                    raise RuntimeError(f"{_words(told)}; on standard error: {said}") from error


def _me() -> mcp_types.Implementation:
    return mcp_types.Implementation(name="flr", version="1")


def _last_words(errors: IO[str]) -> str:
    errors.seek(0)
    return " ".join(errors.read()[-600:].split())


async def _parameters(place: StdioServer, vault: Vault, home: Path) -> StdioServerParameters:
    """Secrets go in by the environment of the process, which others on this machine cannot read."""
    try:
        bwrap = await asyncio.to_thread(bubblewrap)
    except NoSandbox as missing:
        raise ToolFailed(f"Refused: a program of strangers runs in a sandbox only, and {missing}.") from missing
    secrets = {variable: await vault.value(name) for variable, name in place.secrets.items()}
    mounts = await asyncio.to_thread(_mounts, place, home)
    argv = sandboxed(
        bwrap,
        place.command,
        mounts=mounts,
        environment=place.environment,
        limits=LIMITS,
        network=place.network,
        user=_owner(place),
    )
    return StdioServerParameters(command=argv[0], args=argv[1:], env=secrets)


def _mounts(place: StdioServer, home: Path) -> list[Mount]:
    program = Path(place.command[0])
    if not program.exists():
        raise ToolFailed(f"there is no program {program} on this machine")
    mounts = list(program_mounts(str(program)))
    mounts += [Mount(Path(folder.path), folder.path, folder.writable) for folder in place.folders]
    if place.network:
        mounts += [Mount(Path(path).resolve(), path) for path in NETWORK_FILES if Path(path).exists()]
    for mount in mounts:
        _check_apart(mount.outside.resolve(), home.resolve())
    return mounts


def _check_apart(shown: Path, home: Path) -> None:
    if not shown.exists():
        raise ToolFailed(f"there is no {shown} on this machine")
    if shown == home or home in shown.parents or shown in home.parents:
        raise ToolFailed(f"{shown} holds FLR_HOME or lies in it: no server is shown that")


def _owner(place: StdioServer) -> int | None:
    """Whoever owns the first folder that may be written, unless it is root."""
    for folder in place.folders:
        if folder.writable and (owner := Path(folder.path).stat().st_uid):
            return owner
    return None


async def _listed(client: Client) -> list[Listed]:
    found: list[Listed] = []
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await client.list_tools(cursor=cursor)
        found += [Listed(tool.name, tool.description or "", dict(tool.input_schema)) for tool in page.tools]
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


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
        raise ToolFailed(f"{server.name} says: {text[:4000] or 'it failed'}")
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
    told = _inner(error)
    if isinstance(told, ToolFailed):
        return told
    if isinstance(told, NotFound):
        return ToolFailed(str(told))
    if isinstance(told, TimeoutError):
        return ToolFailed(f"{name} gave no answer within {seconds} seconds")
    return ToolFailed(f"{name} cannot be used: {_words(told)}")


def _inner(error: BaseException) -> BaseException:
    """The first cause inside groups of exceptions."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return error


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:1000] if str(error) else type(error).__name__

"""Connections to MCP servers over the official SDK: a locked-away program on its pipes, or an address."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

import httpx2
import mcp_types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from app.adapters.mcp.measured import MOST_BYTES, MeasuredTransport
from app.adapters.mcp.piping import piped
from app.adapters.sandbox import Limits, Mount, NoSandbox, bubblewrap, program_mounts, sandboxed
from app.canon.tool import ToolFailed, Vault
from app.canon.tool_server import NEVER_SHOWN, HttpServer, Listed, Place, StdioServer

LIMITS = Limits(memory_bytes=None, data_bytes=1 << 30, processes=64, cpu_seconds=600, open_files=1024)
MAX_PAGES = 20
LAST_BYTES = 600
DATABASE_SOCKET = ".s.PGSQL."
NETWORK_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs", "/usr/share/ca-certificates")


@asynccontextmanager
async def connected(place: Place, vault: Vault, home: Path) -> AsyncIterator[Client]:
    """A connection for the length of the block; a program lives as long. Raises `ToolFailed`."""
    match place:
        case HttpServer():
            headers = {
                header: secret.prefix + await vault.value(secret.name) for header, secret in place.secrets.items()
            }
            timeout = httpx2.Timeout(60, connect=10)
            transport = MeasuredTransport(trust_env=False)
            async with httpx2.AsyncClient(
                headers=headers, timeout=timeout, transport=transport, trust_env=False
            ) as http:
                web = streamable_http_client(place.url, http_client=http, max_sse_event_size=MOST_BYTES)
                async with Client(web, client_info=_me()) as client:
                    yield client
        case StdioServer():
            async with started(place, await secrets_of(place, vault), home) as client:
                yield client


@asynccontextmanager
async def started(place: StdioServer, secrets: Mapping[str, str], home: Path) -> AsyncIterator[Client]:
    """The program, locked away, with its pipes. It ends with the block, and with this process however that ends."""
    with tempfile.TemporaryFile() as errors:
        argv = await _argv(place, home)
        try:
            # Secrets go in by the environment of the process, which others on this machine cannot read.
            async with Client(piped(argv, secrets, errors), client_info=_me()) as client:
                yield client
        except Exception as error:
            told = inner(error)
            if isinstance(told, ToolFailed) or not (said := _last_words(errors)):
                raise
            raise RuntimeError(f"{words(told)}; on standard error: {said}") from error


async def secrets_of(place: StdioServer, vault: Vault) -> dict[str, str]:
    """What stands in the vault now for each variable. Raises `NotFound`."""
    return {variable: await vault.value(name) for variable, name in place.secrets.items()}


async def listed(client: Client) -> list[Listed]:
    """Every tool that the server has now, whatever it listed before."""
    found: list[Listed] = []
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await client.list_tools(cursor=cursor, cache_mode="refresh")
        found += [Listed(tool.name, tool.description or "", dict(tool.input_schema)) for tool in page.tools]
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


def inner(error: BaseException) -> BaseException:
    """The first cause inside groups of exceptions."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return error


def words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:1000] if str(error) else type(error).__name__


def _me() -> mcp_types.Implementation:
    return mcp_types.Implementation(name="flr", version="1")


def _last_words(errors: IO[bytes]) -> str:
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - LAST_BYTES))
    return " ".join(errors.read().decode("utf-8", "replace").split())


async def _argv(place: StdioServer, home: Path) -> list[str]:
    try:
        bwrap = await asyncio.to_thread(bubblewrap)
    except NoSandbox as missing:
        said = f"Refused: a program of strangers runs in a sandbox only, and {missing}."
        raise ToolFailed(said, code=missing.code, **missing.data) from missing
    mounts = await asyncio.to_thread(mounts_of, place, home)
    return sandboxed(
        bwrap,
        place.command,
        mounts=mounts,
        environment=place.environment,
        limits=LIMITS,
        network=place.network,
        user=_owner(place),
    )


def mounts_of(place: StdioServer, home: Path) -> list[Mount]:
    """What the program sees of this machine. Raises `ToolFailed` for what no server is shown."""
    program = Path(place.command[0])
    if not program.exists():
        raise ToolFailed(f"there is no program {program} on this machine", code="server.no_program", path=str(program))
    mounts = list(program_mounts(str(program)))
    mounts += [Mount(Path(folder.path), folder.path, folder.writable) for folder in place.folders]
    if place.network:
        mounts += [Mount(Path(path).resolve(), path) for path in NETWORK_FILES if Path(path).exists()]
    ours = _ours(home)
    for mount in mounts:
        _check_apart(mount.outside.resolve(), ours)
    return mounts


def _ours(home: Path) -> list[Path]:
    """`FLR_HOME`, and where its database lies when that is elsewhere."""
    pointer = home / "postgres.at"
    return [home.resolve(), *([Path(pointer.read_text(encoding="utf-8").strip())] if pointer.is_file() else [])]


def _check_apart(shown: Path, ours: Sequence[Path]) -> None:
    if not shown.exists():
        raise ToolFailed(f"there is no {shown} on this machine", code="server.no_folder", path=str(shown))
    if str(shown) in NEVER_SHOWN:
        said = f"{shown} is shown to no server: name a folder of its own"
        raise ToolFailed(said, code="server.folder", folder=str(shown))
    if any(shown == one or one in shown.parents or shown in one.parents for one in ours):
        said = f"{shown} holds FLR_HOME or its database, or lies in one of them: no server is shown that"
        raise ToolFailed(said, code="server.own_folder", path=str(shown))
    if shown.name.startswith(DATABASE_SOCKET) or (shown.is_dir() and any(shown.glob(f"{DATABASE_SOCKET}*"))):
        said = f"{shown} holds a database's socket: no server is shown that"
        raise ToolFailed(said, code="server.folder", folder=str(shown))


def _owner(place: StdioServer) -> int | None:
    """Whoever owns the first folder that may be written, unless it is root."""
    for folder in place.folders:
        if folder.writable and (owner := Path(folder.path).stat().st_uid):
            return owner
    return None

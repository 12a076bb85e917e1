"""Tools of MCP servers, and the runtime as one. Light: the SDK is imported when a call needs it, or `flr mcp`."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

from app.canon.errors import Unavailable
from app.canon.tool import ToolCall, ToolResult, ToolSpec, Vault
from app.canon.tool_server import Listed, Place, ServerTool, ToolServer, spec_of

__all__ = ["RemoteTool", "RemoteTools", "list_tools", "serve"]

_CLIENT = "app.adapters.mcp.client"
_SERVER = "app.adapters.mcp.server"


class RemoteTool:
    """One signed tool of a server; each call compares the listing with what was signed, then asks."""

    def __init__(self, server: ToolServer, tool: ServerTool, shelf: Callable[[], Awaitable[Any]]) -> None:
        self.spec: ToolSpec = spec_of(server, tool)
        self._server = server
        self._tool = tool
        self._shelf = shelf

    async def perform(self, call: ToolCall) -> ToolResult:
        client = await _client()
        result: ToolResult = await client.call_tool(self._server, self._tool, call, await self._shelf())
        return result


class RemoteTools:
    """`execution_graph.runtime.Remote`. `home` is never shown to a server. Belongs to one event loop."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._shelf: Any = None

    def __call__(self, server: ToolServer, tool: ServerTool) -> RemoteTool:
        return RemoteTool(server, tool, self._programs)

    def leave(self, run_id: UUID) -> None:
        if self._shelf is not None:
            self._shelf.leave(run_id)

    async def close(self) -> None:
        """End every program."""
        if self._shelf is not None:
            await self._shelf.close()

    async def _programs(self) -> Any:
        client = await _client()
        if self._shelf is None:
            self._shelf = client.Shelf(self._home)
        return self._shelf


async def list_tools(name: str, place: Place, vault: Vault, home: Path, seconds: int = 60) -> Sequence[Listed]:
    """What the server lists now. Raises `ToolFailed`."""
    client = await _client()
    listed: Sequence[Listed] = await client.list_tools(name, place, vault, home, seconds)
    return listed


async def _client() -> Any:
    """Importing takes a second: beside the loop."""
    try:
        return await asyncio.to_thread(import_module, _CLIENT)
    except ImportError as error:
        raise Unavailable(
            "the MCP SDK (package mcp) cannot be imported here: install the locked requirements", code="server.no_sdk"
        ) from error


def serve(api_url: str, token: str | None, *, port: int | None = None) -> None:
    """Be an MCP server over the API: on standard input and output, or on a port of this machine. Blocks."""
    server = import_module(_SERVER).build(api_url, token)
    if port is None:
        server.run("stdio")
    else:
        server.run("streamable-http", host="127.0.0.1", port=port)

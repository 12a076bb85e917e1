"""A tool that never answers: its spec's time is up, and the call ends as what it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.canon.contract import ProcedureStep
from app.canon.tool import Effect, Tool, ToolCall, ToolResult, ToolSpec
from app.canon.vocabulary import Risk
from tests.execution_graph.ring import Ring, steps_of


class Telephone(Tool):
    """Asks a server that listens, reads, and never says a word."""

    def __init__(self, port: int, effect: Effect) -> None:
        self._port = port
        risk = Risk.READ if effect == "read" else Risk.REVERSIBLE
        self._spec = ToolSpec(
            "telephone",
            "Asks a server.",
            {"type": "object", "properties": {}, "additionalProperties": False},
            risk,
            effect,
            timeout_seconds=1,
        )

    @property
    def spec(self) -> ToolSpec:
        return self._spec

    async def perform(self, call: ToolCall) -> ToolResult:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(call.key.encode())
            await writer.drain()
            return ToolResult((await reader.readline()).decode())
        finally:
            writer.close()


@asynccontextmanager
async def silent_server() -> AsyncIterator[tuple[int, list[bytes]]]:
    """Its port, and what it was told."""
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            heard.append(data)
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heard


@pytest.mark.parametrize(("effect", "ends"), [("read", "failed"), ("external", "unknown")])
async def test_a_tool_that_hangs_ends_as_failed_or_as_unknown(ring: Ring, effect: Effect, ends: str) -> None:
    async with silent_server() as (port, heard):
        ring.tools["telephone"] = Telephone(port, effect)
        view = await ring.run(await ring.hire("telephone", procedure=[ProcedureStep("telephone", {})]))
    assert steps_of(view) == [("telephone", ends)]
    assert heard == [f"{view.run.id}:1".encode()]
    (event,) = await ring.events(view.run, f"tool.{ends}")
    assert event.data["error"] == "no answer within 1 seconds"

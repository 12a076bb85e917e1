"""The API process stays small: no agent framework, no queue library, nothing that only a worker needs."""

import asyncio
import socket
from pathlib import Path

import httpx
import pytest

from app import auth
from app.main import listen
from tests.processes import machine, wait_until

NEVER = {
    "agents",
    "duckdb",
    "langchain_core",
    "langgraph",
    "mcp",
    "openai",
    "pgqueuer",
    "psycopg",
    "pydantic",
    "smolagents",
}


@pytest.fixture
def imported(tmp_path: Path, superuser_dsn: str) -> set[str]:
    """Top-level packages that an API process imported until it had answered."""
    with machine(tmp_path, superuser_dsn, PYTHONPROFILEIMPORTTIME="1") as made:
        auth.ensure_keys(made.settings.keys, "token", "approval", "receipt", "seal")
        made.start("api", "app.cli", "api")
        wait_until(made.ready, said="API ready")
        for path in ("/healthz", "/schema/openapi.json", "/.well-known/jwks.json", "/api/v1/tickets", "/"):
            httpx.get(made.url + path, timeout=30)
        said = (made.home / "api.log").read_text(encoding="utf-8", errors="replace")
    lines = [line for line in said.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines}


def test_the_api_loads_no_agent_framework_and_no_queue_library(imported: set[str]) -> None:
    assert "litestar" in imported
    assert imported & NEVER == set()


async def test_what_the_api_writes_leaves_at_once() -> None:
    """Else a page's body, and what an open page is told, waits until the piece before it is acknowledged."""
    sends_at_once: asyncio.Queue[int] = asyncio.Queue()

    async def met(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = writer.get_extra_info("socket")
        sends_at_once.put_nowait(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listener = listen("127.0.0.1", 0)
    async with await asyncio.start_server(met, sock=listener):
        _, writer = await asyncio.open_connection(*listener.getsockname())
        assert await asyncio.wait_for(sends_at_once.get(), 10) == 1
        writer.close()

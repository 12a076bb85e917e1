"""MCP both ways, over the official SDK: an agent outside works a ticket, with a tool of a server from the registry."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types.version import LATEST_MODERN_VERSION

from app.adapters.sandbox import NoSandbox, bubblewrap
from app.canon.vocabulary import Rol
from app.cli.founding import speak_for
from tests.journeys.auditor import assert_an_auditor_finds_all_of_it
from tests.processes import ROOT, FounderClient, Machine, founder_of, free_port, machine, wait_until

pytestmark = pytest.mark.timeout(900)

START_SECONDS = 300
"""A start imports for seconds of computing: a minute on a busy machine. The SDK's own probe of a server gives up after
ten seconds; the version is said beforehand instead."""

PYTHON = str(Path(sys.prefix) / "bin" / "python")


def terms(*tools: str) -> dict[str, Any]:
    return {
        "name": "Outside",
        "title": "Agent",
        "job_description": "Answers questions about time.",
        "boundary": {
            "tools": [
                *({"tool": tool, "mode": "allow"} for tool in tools),
                {"tool": "write_document", "mode": "allow"},
                {"tool": "write_note", "mode": "ask"},
            ]
        },
        "budget": [{"unit": "calls", "period": "ticket", "limit": 10}],
        "engine": {"worker": "external", "backbone": "plain"},
    }


def locked() -> bool:
    try:
        bubblewrap()
    except NoSandbox:
        return False
    return True


@pytest.fixture
def ring(tmp_path: Path, superuser_dsn: str) -> Iterator[Machine]:
    with machine(tmp_path, superuser_dsn) as made:
        yield made


def flr(ring: Machine, *arguments: str) -> str:
    said = subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=ROOT,
        env=ring.environment,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    return said.stdout


def with_the_time_server(ring: Machine, founder: FounderClient) -> str:
    """The registry's time server, asked for its tools by `flr server add` and signed by the founder."""
    command = f"{PYTHON} -m mcp_server_time --local-timezone UTC"
    flr(ring, "server", "add", "time", "--command", command, "--tool", "convert_time:read")
    (card,) = founder.get("/approvals", status="pending", kind="tool_server")["items"]
    founder.approve(card["id"])
    wait_until(lambda: founder.get("/tool-servers")["items"], seconds=START_SECONDS, said="the server is signed")
    return "time.convert_time"


async def said(client: Client, asked: str, /, **arguments: Any) -> Any:
    result = await client.call_tool(asked, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


async def test_an_agent_outside_works_a_ticket_over_mcp(ring: Machine, tmp_path: Path) -> None:
    with await founder_of(ring) as founder:
        speak_for(ring.home, founder.founded)
        ring.start_ring()
        tools = [with_the_time_server(ring, founder)] if locked() else []
        role = founder.hire(terms(*tools))
        question = {"title": "What time", "instructions": "16:30 in Jakarta, in UTC?", "role_id": role["id"]}
        ticket = founder.post("/tickets", question)
        token = founder.founded.token(ring.settings, Rol.WORKER, sub=role["id"])
        environment = {**os.environ, **ring.environment, "FLR_TOKEN": token}
        place = StdioServerParameters(command=sys.executable, args=["-m", "app.cli", "mcp"], env=environment, cwd=ROOT)
        async with Client(stdio_client(place), mode=LATEST_MODERN_VERSION) as client:
            listed = {tool.name for tool in (await client.list_tools()).tools}
            assert {
                "list_work",
                "take_ticket",
                "call_tool",
                "call_answer",
                "attach_evidence",
                "finish_ticket",
            } <= listed
            work = await said(client, "take_ticket", ticket_id=ticket["id"])
            assert {tool["name"] for tool in work["tools"]} == {*tools, "write_document", "write_note"}
            held_by = {"run_id": work["run_id"], "session": work["session"]}
            for tool in tools:
                asked = {"source_timezone": "Asia/Jakarta", "time": "16:30", "target_timezone": "UTC"}
                told = await said(client, "call_tool", **held_by, tool=tool, arguments=asked)
                assert (told["status"], "09:30" in told["content"]) == ("done", True), told
            kept = await said(client, "attach_evidence", **held_by, name="answer.txt", content="09:30 UTC")
            assert kept["status"] == "done"
            waits = await said(client, "call_tool", **held_by, tool="write_note", arguments={"text": "09:30"})
            assert waits["status"] == "waiting"
            founder.approve(waits["approval_id"])
            noted = await _until_settled(client, work["run_id"], waits["number"])
            assert noted["status"] == "done"
            ended = await said(client, "finish_ticket", **held_by, summary="It is 09:30 in UTC.")
            assert ended["run_status"] == "done"
        assert founder.wait_for_ticket(ticket["id"], "done")["result"] == "It is 09:30 in UTC."
        assert_an_auditor_finds_all_of_it(founder, ticket["id"], tmp_path)


async def _until_settled(client: Client, run_id: str, number: int) -> Any:
    known = await said(client, "call_answer", run_id=run_id, number=number)
    for _ in range(1000):
        if known["status"] not in ("working", "waiting"):
            break
        await asyncio.sleep(0.2)
        known = await said(client, "call_answer", run_id=run_id, number=number)
    return known


async def test_over_http_each_client_brings_its_own_token(ring: Machine) -> None:
    with await founder_of(ring) as founder:
        port = free_port()
        ring.start("api", "app.cli", "api")
        server = ring.start("mcp", "app.cli", "mcp", "--port", str(port), "--url", ring.url)
        address = f"http://127.0.0.1:{port}/mcp"
        wait_until(lambda: server.poll() is not None or _listens(address), seconds=START_SECONDS, said="MCP listens")
        assert server.poll() is None, ring.said("mcp")
        wait_until(ring.ready, seconds=START_SECONDS, said="the API is ready")
        token = founder.founded.token(ring.settings, Rol.SERVICE)
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, trust_env=False) as http,
            Client(streamable_http_client(address, http_client=http), mode=LATEST_MODERN_VERSION) as client,
        ):
            assert await said(client, "list_work") == {"items": [], "next_cursor": None}
        async with Client(address, mode=LATEST_MODERN_VERSION) as stranger:
            refused = await stranger.call_tool("list_work", {})
            assert refused.is_error
            assert "no token" in str(refused.content)


def _listens(address: str) -> bool:
    try:
        httpx2.get(address, timeout=2)
    except httpx2.HTTPError:
        return False
    return True

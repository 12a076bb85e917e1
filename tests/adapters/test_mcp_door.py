"""The runtime as an MCP server: what an agent gives as an id leads to no other request under the token."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from mcp import Client

from app.adapters.mcp import server as door
from app.postgres import Database
from app.work_queue import get_approval, raise_approval
from tests.api import Api, api_of
from tests.builders import a_question


@pytest.fixture
async def api(tmp_path: Path, database: Database) -> AsyncIterator[Api]:
    async with api_of(tmp_path, database) as opened:
        yield opened


async def test_an_agent_approves_nothing_by_a_path_in_a_tickets_place(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with api.database.transaction(api.tenant) as tx:
        asked = await raise_approval(tx, a_question())
    inside = httpx.AsyncClient(transport=httpx.ASGITransport(api.app), base_url="http://localhost/api/v1")  # type: ignore[arg-type]
    monkeypatch.setattr("app.adapters.mcp.server.httpx.AsyncClient", lambda **_: inside)
    async with inside, Client(door.build("http://localhost", api.token(), wait_seconds=0)) as client:
        answer = await client.call_tool("take_ticket", {"ticket_id": f"../../approvals/{asked.id}/approve"})
    assert answer.is_error
    async with api.database.transaction(api.tenant) as tx:
        assert (await get_approval(tx, asked.id)).status == "pending"

"""A ring for each test."""

from pathlib import Path

import pytest

from app.adapters.evidence import FolderStore
from app.postgres import Database
from tests.execution_graph.ring import Endpoint, Outside, Ring, builtin_tools


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
async def ring(database: Database, tmp_path: Path, endpoint: Endpoint) -> Ring:
    tools = builtin_tools()
    for tool in (
        Outside("ring_bell"),
        Outside("set_sign", idempotent=True),
        Outside("look", effect="read"),
    ):
        tools[tool.spec.name] = tool
    return await Ring(database, FolderStore(tmp_path / "evidence"), tools, endpoint).found()

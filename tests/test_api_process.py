"""The API process stays small: no agent framework, no queue library, nothing that only a worker needs."""

from pathlib import Path

import httpx
import pytest

from app import auth
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

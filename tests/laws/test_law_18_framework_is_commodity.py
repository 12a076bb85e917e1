"""Law 18: with no agent framework importable, API and worker start and the ring closes."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import Machine, founder_of, machine

pytestmark = pytest.mark.timeout(120)

FRAMEWORKS = ("langgraph", "langchain_core", "agents", "smolagents", "openai")

BLOCKER = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {FRAMEWORKS!r}:
            raise ImportError("law 18: " + name)
sys.meta_path.insert(0, Blocked())
"""

TERMS: dict[str, Any] = {
    "name": "Clerk",
    "title": "Clerk",
    "job_description": "Sums up sales tables.",
    "boundary": {
        "tools": [
            {"tool": "describe_table", "mode": "allow"},
            {"tool": "query_table", "mode": "allow"},
            {"tool": "write_document", "mode": "ask"},
        ]
    },
    "budget": [{"unit": "calls", "period": "ticket", "limit": 10}],
    "engine": {
        "worker": "procedure",
        "backbone": "plain",
        "procedure": [
            {"tool": "describe_table", "arguments": {"name": "sales.csv"}, "save_as": "table"},
            {
                "tool": "query_table",
                "arguments": {"sql": 'SELECT sum(amount) AS total FROM "{{ table.table }}"'},
                "save_as": "total",
            },
            {
                "tool": "write_document",
                "arguments": {
                    "name": "total.txt",
                    "media_type": "text/plain",
                    "content": "Total: {{ total.rows[0][0] }}",
                },
            },
        ],
    },
}


@pytest.fixture
def bare(tmp_path: Path, superuser_dsn: str) -> Iterator[Machine]:
    """A machine on which no process can import an agent framework."""
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "sitecustomize.py").write_text(BLOCKER, encoding="utf-8")
    environment = {
        "PYTHONPATH": str(blocked),
        "FLR_BACKBONE": "plain",
        "FLR_ROUTER": "rules",
        "FLR_WORKER": "procedure",
    }
    with machine(tmp_path, superuser_dsn, **environment) as made:
        yield made


async def test_the_ring_closes_without_any_framework(bare: Machine) -> None:
    with await founder_of(bare) as founder:
        bare.start_ring()
        founder.hire(TERMS)
        ticket = founder.post("/tickets", {"title": "Sales", "instructions": "Sum up the sales table.", "start": False})
        founder.attach(ticket["id"], "sales.csv", b"item,amount\nkopi,12\nteh,30\n", "text/csv")
        founder.post(f"/exec/start/{ticket['id']}")
        approval = founder.wait_for_approval(ticket["id"])
        assert approval["payload"]["arguments"]["content"] == "Total: 42"
        founder.approve(approval["id"])
        founder.wait_for_ticket(ticket["id"], "done")
        assert founder.get("/events/chain-verify")["ok"]


def test_neither_api_nor_worker_imports_a_framework_by_itself() -> None:
    import subprocess

    watched = (*FRAMEWORKS, "pgqueuer")
    seen = subprocess.run(
        [sys.executable, "-c", f"import sys, app.main; print([n for n in {watched!r} if n in sys.modules])"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout.strip() == "[]"
    seen = subprocess.run(
        [sys.executable, "-c", f"import sys, app.worker; print([n for n in {FRAMEWORKS!r} if n in sys.modules])"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout.strip() == "[]"

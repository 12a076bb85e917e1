"""`flr approve --edit` against the running ring: the gate looks anew, the changed call is what is signed and done."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.cli.founding import speak_for
from tests.processes import ROOT, FounderClient, Machine, founder_of, machine

pytestmark = pytest.mark.timeout(300)

TERMS: dict[str, Any] = {
    "name": "Mira",
    "title": "Clerk",
    "job_description": "Writes notes.",
    "boundary": {
        "tools": [
            {
                "tool": "write_note",
                "mode": "ask",
                "arguments": [{"path": "text", "constraints": [{"kind": "length", "limit": 20}], "otherwise": "deny"}],
            }
        ]
    },
    "budget": [{"unit": "calls", "period": "ticket", "limit": 10}],
    "engine": {
        "worker": "procedure",
        "backbone": "plain",
        "procedure": [{"tool": "write_note", "arguments": {"text": "as asked"}}],
    },
}


@pytest.fixture
def ring(tmp_path: Path, superuser_dsn: str) -> Iterator[Machine]:
    with machine(tmp_path, superuser_dsn) as made:
        yield made


def flr(ring: Machine, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *command],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**ring.environment, **environment},
        timeout=120,
    )


def asked(founder: FounderClient, role: Any, title: str) -> tuple[Any, str]:
    """A ticket that waits, and the id of its question."""
    ticket = founder.post("/tickets", {"title": title, "instructions": "Write.", "role_id": role["id"]})
    founder.wait_for_ticket(ticket["id"], "held")
    (waiting,) = [one for one in founder.get("/approvals", status="pending")["items"] if one["kind"] == "tool_call"]
    return ticket, waiting["id"]


async def test_a_held_call_is_changed_signed_and_done_as_changed(ring: Machine, tmp_path: Path) -> None:
    with await founder_of(ring) as founder:
        speak_for(ring.home, founder.founded)
        ring.start_ring()
        role = founder.hire(TERMS)
        ticket, question = asked(founder, role, "First")
        refused = await asyncio.to_thread(flr, ring, "approve", question, "--edit", f"text={'x' * 30}", "--yes")
        assert refused.returncode == 1
        assert "longer than 20 characters" in refused.stderr
        done = await asyncio.to_thread(flr, ring, "approve", question, "--edit", "text=as changed", "--yes", "--json")
        assert done.returncode == 0, done.stderr
        decided = json.loads(done.stdout)
        assert decided["id"] != question
        assert (decided["status"], decided["payload"]["arguments"]) == ("approved", {"text": "as changed"})
        founder.wait_for_ticket(ticket["id"], "done")
        edited = founder.get("/events", type="tool.edited", ticket_id=ticket["id"])["items"]
        assert [event["data"]["fields"] for event in edited] == [["text"]]
        before = founder.get(f"/approvals/{question}")
        assert (before["status"], before["superseded_by"]) == ("superseded", decided["id"])

        ticket, question = asked(founder, role, "Second")
        editor = tmp_path / "editor"
        editor.write_text("#!/bin/sh\nsed -i 's/as asked/by hand/' \"$1\"\n")
        editor.chmod(0o755)
        done = await asyncio.to_thread(flr, ring, "approve", question, "--edit", "--yes", VISUAL=str(editor))
        assert done.returncode == 0, done.stderr
        assert "Changed: " in done.stdout
        founder.wait_for_ticket(ticket["id"], "done")
        wrong = await asyncio.to_thread(flr, ring, "prune", "--dry-run", "--json")
        assert json.loads(wrong.stdout)["runs"] == 0
        assert (await asyncio.to_thread(flr, ring, "prune", "--days", "5")).returncode == 78

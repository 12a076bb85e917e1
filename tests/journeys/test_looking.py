"""`flr role check` and `flr role backtest` against the running API, after a ticket was really worked."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from app.canon.contract import Boundary
from app.canon.presets import PRESETS
from app.cli.founding import speak_for
from tests.processes import ROOT, Machine, founder_of, machine

pytestmark = pytest.mark.timeout(180)

TERMS: dict[str, Any] = {
    "name": "Mira",
    "title": "Clerk",
    "job_description": "Writes notes.",
    "boundary": {"tools": [{"tool": "write_note", "mode": "allow"}]},
    "budget": [{"unit": "calls", "period": "ticket", "limit": 10}],
    "engine": {
        "worker": "procedure",
        "backbone": "plain",
        "procedure": [{"tool": "write_note", "arguments": {"text": "a note of fair length"}}],
    },
}
SHORT = {
    "tools": [
        {
            "tool": "write_note",
            "mode": "allow",
            "arguments": [{"path": "text", "constraints": [{"kind": "length", "limit": 5}], "otherwise": "deny"}],
        }
    ]
}


@pytest.fixture
def ring(tmp_path: Path, superuser_dsn: str) -> Iterator[Machine]:
    with machine(tmp_path, superuser_dsn) as made:
        yield made


def flr(ring: Machine, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *command],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ring.environment,
        timeout=60,
    )


async def test_a_founder_looks_before_he_changes_a_boundary(ring: Machine, tmp_path: Path) -> None:
    boundary = tmp_path / "short.json"
    boundary.write_text(json.dumps(SHORT))
    with await founder_of(ring) as founder:
        speak_for(ring.home, founder.founded)
        ring.start_ring()
        role = founder.hire(TERMS)
        ticket = founder.post("/tickets", {"title": "Note", "instructions": "Write.", "role_id": role["id"]})
        founder.wait_for_ticket(ticket["id"], "done")
    passes = flr(ring, "role", "check", "Mira", "write_note", "--arguments", '{"text": "hello there"}')
    assert passes.returncode == 0, passes.stderr
    assert "It would be done without asking." in passes.stdout
    assert "Akan dilakukan tanpa bertanya." in passes.stdout
    asked = ("--arguments", '{"text": "hello there"}', "--ticket", ticket["id"], "--boundary", str(boundary))
    refused = flr(ring, "role", "check", "mira", "write_note", *asked, "--json")
    result = json.loads(refused.stdout)["result"]
    assert (result["verdict"], result["facts"][0]["code"]) == ("refuse", "length")
    past = flr(ring, "role", "backtest", "Mira", str(boundary))
    assert past.returncode == 0, past.stderr
    assert "1 calls" in past.stdout
    assert "allow -> refuse" in past.stdout
    assert "longer than 5 characters" in past.stdout
    opened = flr(ring, "ticket", "open", "Read", "--role", "Mira", "--secret-file", str(boundary), "--json")
    listed = await asyncio.to_thread(
        httpx.get,
        f"{ring.url}/api/v1/tickets/{json.loads(opened.stdout)['id']}/inputs",
        headers={"Authorization": f"Bearer {founder.founded.token(ring.settings)}"},
    )
    files = listed.json()["items"]
    assert [(file["name"], file["secret"]) for file in files] == [("short.json", True)]
    wrong = flr(ring, "role", "check", "Mira", "write_note", "--arguments", "{")
    assert (wrong.returncode, "not JSON" in wrong.stderr) == (1, True)


def test_a_preset_is_written_down_to_start_from(tmp_path: Path) -> None:
    environment = {**os.environ, "FLR_HOME": str(tmp_path)}

    def preset(*names: str) -> str:
        asked = [sys.executable, "-m", "app.cli", "role", "preset", *names]
        return subprocess.run(asked, check=True, capture_output=True, text=True, cwd=ROOT, env=environment).stdout

    assert msgspec.json.decode(preset("clerk"), type=Boundary) == PRESETS["clerk"]
    assert all(f"{name}:" in preset() for name in PRESETS)

"""A founder erases a subject from the command line, over a running API, in a machine of its own."""

import asyncio
import subprocess
import sys
from pathlib import Path

import msgspec

from app.cli.founding import speak_for
from tests.processes import ROOT, Machine, founder_of, machine, wait_until

EVENT = {"type": "x.order.placed", "personal": {"subject": "customer:8841", "data": {"name": "Dewi Lestari"}}}


def flr(made: Machine, *argv: str, said: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", "ledger", "erase", *argv]
    return subprocess.run(
        command, cwd=ROOT, env=made.environment, input=said, capture_output=True, text=True, check=False
    )


async def test_a_subject_is_erased_from_the_command_line(tmp_path: Path, superuser_dsn: str) -> None:
    with machine(tmp_path, superuser_dsn) as made:
        client = await founder_of(made)
        speak_for(made.home, client.founded)
        made.start("api", "app.cli", "api")
        await asyncio.to_thread(wait_until, made.ready, said="API ready")
        with client:
            event_id = client.post("/events", EVENT)["event_id"]
            doubted = flr(made, "customer:8841", said="customer:1\n")
            assert (doubted.returncode, "Nothing was erased" in doubted.stdout) == (1, True), doubted.stderr
            assert client.get(f"/events/{event_id}")["data"]["personal"]["data"] == {"name": "Dewi Lestari"}
            erased = flr(made, "customer:8841", "--yes", "--json")
            assert erased.returncode == 0, erased.stderr
            assert msgspec.json.decode(erased.stdout)["subject"] == "customer:8841"
            assert sorted(client.get(f"/events/{event_id}")["data"]["personal"]) == ["erased_at", "subject"]
        unknown = flr(made, "nobody", "--yes")
        assert unknown.returncode == 1
        assert "keeps nothing under subject nobody" in unknown.stderr

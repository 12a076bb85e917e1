"""A founder erases a subject, or a ticket, from the command line, over a running API, in a machine of its own."""

import asyncio
import subprocess
import sys
from pathlib import Path

import msgspec

from app.cli.founding import speak_for
from tests.processes import ROOT, Machine, founder_of, machine, wait_until

EVENT = {"type": "x.order.placed", "personal": {"subject": "customer:8841", "data": {"name": "Dewi Lestari"}}}


def flr(made: Machine, *argv: str, said: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", *argv]
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
            doubted = flr(made, "ledger", "erase", "customer:8841", said="customer:1\n")
            assert (doubted.returncode, "Nothing was erased" in doubted.stdout) == (1, True), doubted.stderr
            assert client.get(f"/events/{event_id}")["data"]["personal"]["data"] == {"name": "Dewi Lestari"}
            erased = flr(made, "ledger", "erase", "customer:8841", "--yes", "--json")
            assert erased.returncode == 0, erased.stderr
            assert msgspec.json.decode(erased.stdout)["subject"] == "customer:8841"
            assert sorted(client.get(f"/events/{event_id}")["data"]["personal"]) == ["erased_at", "subject"]
        unknown = flr(made, "ledger", "erase", "nobody", "--yes")
        assert unknown.returncode == 1
        assert "keeps nothing under subject nobody" in unknown.stderr


async def test_a_ticket_is_erased_from_the_command_line(tmp_path: Path, superuser_dsn: str) -> None:
    letter = tmp_path / "dewi.txt"
    letter.write_text("Dewi Lestari")
    with machine(tmp_path, superuser_dsn) as made:
        client = await founder_of(made)
        speak_for(made.home, client.founded)
        made.start("api", "app.cli", "api")
        await asyncio.to_thread(wait_until, made.ready, said="API ready")
        with client:
            opened = flr(made, "ticket", "open", "Answer Dewi", "--personal", "--file", str(letter), "--json")
            assert opened.returncode == 0, opened.stderr
            ticket = msgspec.json.decode(opened.stdout)
            assert ticket["subject"] == f"ticket:{ticket['id']}"
            early = flr(made, "ticket", "erase", ticket["id"], "--yes")
            assert (early.returncode, "end it or cancel it first" in early.stderr) == (1, True)
            (run,) = client.get(f"/tickets/{ticket['id']}/runs")["items"]
            client.post(f"/exec/{run['id']}/cancel")
            doubted = flr(made, "ticket", "erase", ticket["id"], said="no\n")
            assert (doubted.returncode, "nothing was erased" in doubted.stderr) == (1, True)
            erased = flr(made, "ticket", "erase", ticket["id"], "--yes", "--json")
            assert erased.returncode == 0, erased.stderr
            assert msgspec.json.decode(erased.stdout)["ticket_ids"] == [ticket["id"]]
            assert client.get(f"/tickets/{ticket['id']}")["title"] == "-"

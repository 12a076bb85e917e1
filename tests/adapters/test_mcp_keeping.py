"""Programs of tool servers stay for a run: started once, met by nobody else, gone with the run and with the worker."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import psutil
import pytest

from app.adapters.mcp import RemoteTools
from app.adapters.mcp.keeping import Shelf
from app.canon.tool import NoSecrets, OutcomeUnknown, ToolResult
from app.canon.tool_server import ToolChanged, ToolServer
from app.canon.vocabulary import new_id
from tests.adapters.test_mcp_client import Told, asking, locked, signed, trial
from tests.adapters.tool_calls import call

pytestmark = pytest.mark.skipif(not locked(), reason="there is no sandbox on this machine")

WORKER = """
import asyncio, sys
from pathlib import Path
import msgspec
from app.adapters.mcp import RemoteTools
from app.canon.tool_server import ToolServer
from tests.adapters.test_mcp_client import asking

async def main():
    server = msgspec.json.decode(sys.argv[1], type=ToolServer)
    await asking(RemoteTools(Path(sys.argv[2])), server, "look")
    print("called", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
async def remote(home: Path) -> AsyncIterator[RemoteTools]:
    tools = RemoteTools(home)
    yield tools
    await tools.close()


def born(result: ToolResult) -> object:
    """Which start of the program answered."""
    assert isinstance(result.data, dict)
    return result.data["born"]


def inhabitants(mark: str) -> list[int]:
    """Processes whose command line names `mark`, but this one and its parents."""
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
        except psutil.Error:
            continue
        if any(mark in part for part in line) and "-c" not in line and "pytest" not in " ".join(line):
            found.append(process.pid)
    return found


async def until(what: Callable[[], bool]) -> None:
    for _ in range(600):
        if await asyncio.to_thread(what):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("not within a minute")


async def test_a_run_finds_its_program_started_and_no_other_run_meets_it(home: Path, remote: RemoteTools) -> None:
    server, run, other = await signed(trial(), home), new_id(), new_id()
    first = born(await asking(remote, server, "look", run))
    assert born(await asking(remote, server, "look", run)) == first
    assert (await asking(remote, server, "add", run, a=2, b=40)).content == "42"
    assert born(await asking(remote, server, "look", other)) != first


async def test_a_program_that_died_since_the_last_call_is_started_anew(home: Path, remote: RemoteTools) -> None:
    mark = str(new_id())
    server, run = await signed(trial("plain", mark), home), new_id()
    first = born(await asking(remote, server, "look", run))
    for pid in inhabitants(mark):
        psutil.Process(pid).kill()
    await until(lambda: not inhabitants(mark))
    assert born(await asking(remote, server, "look", run)) != first


async def test_a_tool_that_changes_while_its_program_stays_is_found_before_the_next_call(
    home: Path, remote: RemoteTools
) -> None:
    server, run = await signed(trial("turns"), home), new_id()
    assert (await asking(remote, server, "add", run, a=1, b=2)).content == "3"
    with pytest.raises(ToolChanged) as found:
        await asking(remote, server, "add", run, a=1, b=2)
    assert found.value.now is not None
    assert "eve@evil.example" in found.value.now.description


async def test_a_changed_secret_reaches_the_next_call(home: Path, remote: RemoteTools) -> None:
    class Renewed(NoSecrets):
        async def value(self, name: str) -> str:
            return "another-value"

    server = await signed(trial(secrets={"TOKEN": "trial_key"}), home)
    found, asked = server.tool("look"), msgspec.structs.replace(call(), vault=Told())
    assert found is not None
    before = await remote(server, found).perform(asked)
    after = await remote(server, found).perform(msgspec.structs.replace(asked, vault=Renewed()))
    assert [dict(result.data)["told"] for result in (before, after)] == ["s3cret-value", "another-value"]  # type: ignore[call-overload]


async def test_a_program_ends_when_its_run_rests_or_idles_or_the_worker_closes(home: Path) -> None:
    mark = str(new_id())
    server, run = await signed(trial("plain", mark), home), new_id()
    remote = RemoteTools(home)
    await asking(remote, server, "look", run)
    assert inhabitants(mark)
    remote.leave(run)
    await until(lambda: not inhabitants(mark))
    await asking(remote, server, "look", new_id())
    await remote.close()
    assert not inhabitants(mark)
    await _idles(server, mark, home)


async def _idles(server: ToolServer, mark: str, home: Path) -> None:
    shelf = Shelf(home, idle_seconds=1)
    async with shelf.using(server, call()) as (_, listed):
        assert [one.name for one in listed] == ["add", "look"]
        assert inhabitants(mark)
    await until(lambda: not inhabitants(mark))
    await shelf.close()


async def test_a_program_that_hangs_is_ended_and_the_next_call_has_another(home: Path, remote: RemoteTools) -> None:
    mark = str(new_id())
    server, run = await signed(trial("hangs", mark), home, seconds=3), new_id()
    first = born(await asking(remote, server, "look", run))
    with pytest.raises(OutcomeUnknown):
        await asking(remote, server, "add", run, a=1, b=2)
    assert born(await asking(remote, server, "look", run)) != first
    await until(lambda: len(_starts(mark)) == 1)


def _starts(mark: str) -> list[int]:
    """The outermost processes: one for each start."""
    pids = set(inhabitants(mark))
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).ppid() not in pids]


async def test_no_program_outlives_a_worker_that_was_killed(home: Path) -> None:
    mark = str(new_id())
    server = await signed(trial("plain", mark), home)
    argv = (sys.executable, "-c", WORKER, msgspec.json.encode(server).decode(), str(home))
    worker = await asyncio.to_thread(subprocess.Popen, argv, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    try:
        assert (await asyncio.to_thread(worker.stdout.readline)).strip() == "called"
        assert inhabitants(mark)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        worker.stdout.close()
    await until(lambda: not inhabitants(mark))

"""The supervisor over real processes: order, restarts, clean ends, and no orphan whatever kills it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

RUN = """
import asyncio, json, signal, sys
from pathlib import Path
from app.own_postgres import die_with_parent
from app.supervisor import Child, ChildFailed, Console, Supervisor

folder = Path(sys.argv[1])

def child(name, code, ready=None, **more):
    async def is_ready(pid):
        return (folder / ready).exists()
    options = {"preexec_fn": die_with_parent(signal.SIGTERM)}
    argv = [sys.executable, "-u", "-c", "from pathlib import Path; folder = Path(%r)\\n" % str(folder) + code]
    return Child(name=name, argv=argv, options=options, ready=is_ready if ready else None, **more)

async def run():
    children = [child(**given) for given in json.loads(sys.argv[2])]
    with Console(folder / "flr.log") as console:
        async def welcome():
            console.write("flr", "all is up")
        await Supervisor(children, console, welcome).run()

try:
    asyncio.run(run())
except ChildFailed as failure:
    print(f"flr: {failure}", file=sys.stderr)
    sys.exit(failure.code)
"""
SLEEP = "import time; print('born', flush=True); time.sleep(600)"
TELL_END = """
import signal, sys, time
def end(*_):
    print("ending", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("born", flush=True)
time.sleep(600)
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('born', flush=True); time.sleep(600)"
SLOWLY_READY = "import time; time.sleep(0.4); (folder / 'ready').touch(); time.sleep(600)"
DIES_TWICE = """
import time
lives = folder / "lives"
lived = lives.read_text() if lives.exists() else ""
lives.write_text(lived + f"{time.monotonic()}\\n")
if lived.count("\\n") < 2:
    raise SystemExit(3)
time.sleep(600)
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a supervisor in a process of its own over the given children."""
    started: list[subprocess.Popen[str]] = []

    def begin(*children: dict[str, Any], wait_for: str | None = "all is up") -> subprocess.Popen[str]:
        command = [sys.executable, "-c", RUN, str(tmp_path), json.dumps(children)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        if wait_for is not None:
            eventually(lambda: wait_for in log(tmp_path))
        return process

    yield begin
    for process in started:
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.kill()
        for child in children:
            child.kill()
        process.communicate()


def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def log(folder: Path) -> str:
    path = folder / "flr.log"
    return path.read_text() if path.exists() else ""


def events(folder: Path) -> list[str]:
    """The log's lines without their instants."""
    return [line.split(" ", 1)[1] for line in log(folder).splitlines()]


def end(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> tuple[str, str]:
    process.send_signal(number)
    return process.communicate(timeout=20)


def test_the_next_child_starts_when_the_one_before_is_ready(start: Start, tmp_path: Path) -> None:
    watch = "print('ready is', (folder / 'ready').exists(), flush=True); import time; time.sleep(600)"
    process = start({"name": "first", "code": SLOWLY_READY, "ready": "ready"}, {"name": "second", "code": watch})
    eventually(lambda: "second | ready is True" in log(tmp_path))
    said, _ = end(process)
    assert "  second | ready is True" in said
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_all_children_in_reverse_order(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    names = ["first", "second", "third"]
    process = start(*({"name": name, "code": TELL_END} for name in names))
    eventually(lambda: log(tmp_path).count("born") == 3)
    end(process, number)
    assert [line for line in events(tmp_path) if "ending" in line] == [f"{name} | ending" for name in reversed(names)]
    assert process.returncode == 0


def test_a_dead_child_starts_again_after_growing_pauses_while_the_others_go_on(start: Start, tmp_path: Path) -> None:
    process = start({"name": "steady", "code": SLEEP}, {"name": "shaky", "code": DIES_TWICE})
    eventually(lambda: (tmp_path / "lives").exists() and (tmp_path / "lives").read_text().count("\n") == 3)
    end(process)
    first, second, third = map(float, (tmp_path / "lives").read_text().split())
    assert second - first > 0.2
    assert third - second > 0.4
    assert [line for line in events(tmp_path) if "ended" in line] == [
        "shaky | ended with 3; starts again in 0.2 s",
        "shaky | ended with 3; starts again in 0.4 s",
    ]
    assert log(tmp_path).count("steady | born") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal at a parent's death is Linux's")
def test_no_child_outlives_a_killed_supervisor(start: Start, tmp_path: Path) -> None:
    process = start({"name": "one", "code": SLEEP}, {"name": "two", "code": SLEEP})
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) == 2
    process.kill()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []


def test_a_hang_up_of_the_terminal_stops_nothing(start: Start, tmp_path: Path) -> None:
    process = start({"name": "one", "code": TELL_END})
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert process.poll() is None
    end(process)


def test_lines_go_on_into_the_log_when_the_terminal_is_gone(start: Start, tmp_path: Path) -> None:
    chatter = "import time\nfor n in range(600): print('line', n, flush=True); time.sleep(0.05)"
    process = start({"name": "talker", "code": chatter})
    assert process.stdout is not None
    process.stdout.close()
    seen = log(tmp_path).count("talker | line")
    eventually(lambda: log(tmp_path).count("talker | line") > seen + 5)
    assert process.poll() is None
    process.stdout = None
    end(process)


def test_a_child_with_a_wrong_configuration_ends_all_with_its_sentence(start: Start, tmp_path: Path) -> None:
    wrong = "import sys; print('flr: FLR_PORT=x is not a port'); sys.exit(78)"
    process = start({"name": "one", "code": TELL_END}, {"name": "two", "code": wrong}, wait_for=None)
    _, errors = process.communicate(timeout=20)
    assert errors == "flr: FLR_PORT=x is not a port\n"
    assert process.returncode == 78
    assert "ended with 78; starts again" not in log(tmp_path)


def test_a_child_that_cannot_be_brought_up_is_given_up_with_its_last_line(start: Start, tmp_path: Path) -> None:
    gate = "print('no luck today', flush=True); raise SystemExit(4)"
    process = start({"name": "one", "code": gate, "ready": "never"}, {"name": "two", "code": SLEEP}, wait_for=None)
    _, errors = process.communicate(timeout=30)
    assert errors.startswith("flr: one cannot be brought up (no luck today): see ")
    assert process.returncode == 4
    assert "two |" not in log(tmp_path)


def test_what_follows_a_failed_one_shot_is_never_started(start: Start, tmp_path: Path) -> None:
    fail = "print('flr: the schema is not ours', flush=True); raise SystemExit(1)"
    process = start(
        {"name": "steady", "code": TELL_END},
        {"name": "migrate", "code": fail, "once": True},
        {"name": "api", "code": SLEEP},
        wait_for=None,
    )
    _, errors = process.communicate(timeout=20)
    assert errors == "flr: the schema is not ours\n"
    assert process.returncode == 1
    assert "api |" not in log(tmp_path)


def test_a_one_shot_runs_once_before_the_next_child(start: Start, tmp_path: Path) -> None:
    once = "import time; time.sleep(0.3); (folder / 'done').touch()"
    watch = "print('done is', (folder / 'done').exists(), flush=True); import time; time.sleep(600)"
    process = start({"name": "migrate", "code": once, "once": True}, {"name": "api", "code": watch})
    eventually(lambda: "api | done is True" in log(tmp_path))
    end(process)


def test_a_child_that_does_not_stop_is_killed_when_its_time_is_over(start: Start, tmp_path: Path) -> None:
    process = start({"name": "deaf", "code": DEAF, "stop_seconds": 0.5})
    eventually(lambda: "deaf | born" in log(tmp_path))
    end(process)
    assert "flr | deaf does not stop; killed" in log(tmp_path)
    assert process.returncode == 0


def test_a_second_signal_hurries(start: Start, tmp_path: Path) -> None:
    process = start({"name": "deaf", "code": DEAF, "stop_seconds": 60})
    eventually(lambda: "deaf | born" in log(tmp_path))
    process.send_signal(signal.SIGINT)
    eventually(lambda: "once more to hurry" in log(tmp_path))
    began = time.monotonic()
    end(process, signal.SIGINT)
    assert time.monotonic() - began < 10


def test_a_flood_that_no_terminal_takes_is_cut_into_the_log_and_stops_nothing(start: Start, tmp_path: Path) -> None:
    flood = "print('x' * 3_000_000, flush=True); print('after', flush=True); import time; time.sleep(600)"
    process = start({"name": "loud", "code": flood})
    eventually(lambda: "loud | after" in log(tmp_path))
    assert max(map(len, events(tmp_path))) < 1_200_000
    end(process)

"""`flr serve`, whole: up with one command, whole again after any of its processes is killed, down without a trace."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from app.own_postgres import is_running
from tests.processes import free_port, wait_until

ROOT = Path(__file__).parents[1]


class Serving:
    """One running `flr serve`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        own = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        self.output = home.with_suffix(".out")
        self.environment = own | {"FLR_HOME": str(home), "FLR_PORT": str(self.port)}

    def start(self) -> None:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "serve", "--no-demo"],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=output,
            )
        wait_until(lambda: "Ctrl-C stops all" in self.said() or self.process.poll() is not None, seconds=120)
        assert self.process.poll() is None, self.said()

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def child(self, kind: str) -> psutil.Process:
        """The living process of a kind: `api`, `worker`, `sealer`, `postgres`."""
        for process in psutil.Process(self.process.pid).children():
            words = process.cmdline()
            # One that has just ended shows no words.
            if words and (words[-1] == kind or words[0].endswith(f"/{kind}")):
                return process
        raise AssertionError(f"no {kind} runs")

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with tempfile.TemporaryDirectory(prefix="flr-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        started = Serving(Path(folder) / "home")
        started.start()
        yield started
        if started.process.poll() is None:
            started.process.terminate()
            started.process.wait(60)
        assert not is_running(started.home)


@pytest.mark.timeout(300)
def test_the_log_is_for_its_owner_and_holds_no_enrolment_link(serving: Serving) -> None:
    log = serving.home / "flr.log"
    assert log.stat().st_mode & 0o777 == 0o600
    assert "/enrol/" not in log.read_text()
    assert re.search(r"the console is at http://localhost:\d+/", serving.said())


@pytest.mark.timeout(600)
def test_what_is_killed_comes_back(serving: Serving) -> None:
    assert serving.ready()
    for kind in ("api", "worker", "sealer", "postgres"):
        before = serving.child(kind)
        before.kill()
        before.wait(10)
        wait_until(lambda kind=kind: _another(serving, kind), seconds=60, said=f"{kind} runs again")  # type: ignore[misc]
        wait_until(serving.ready, seconds=60, said=f"ready after {kind} was killed")


def _another(serving: Serving, kind: str) -> bool:
    try:
        return serving.child(kind).is_running()
    except (AssertionError, psutil.Error):
        return False


@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal at a parent's death is Linux's")
def test_a_killed_supervisor_leaves_nothing_and_a_next_start_ends_cleanly(serving: Serving) -> None:
    family = serving.family()
    serving.process.kill()
    serving.process.wait()
    _, alive = psutil.wait_procs(family, timeout=40)
    assert alive == []

    serving.start()
    assert serving.ready()
    family = serving.family()
    serving.process.send_signal(signal.SIGINT)
    assert serving.process.wait(60) == 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []

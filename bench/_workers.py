"""Worker processes side by side, and in network namespaces as on two hosts, one of which is then cut off."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app import auth
from app.adapters.evidence import FolderStore
from app.auth import raw_public
from app.canon.contract import ProcedureStep
from app.database_urls import app_url
from app.execution_graph import Run
from app.own_postgres import create_database, running
from app.own_postgres import url as embedded_url
from app.postgres import Database
from app.settings import Settings
from bench.figures import Figure
from db.migrate import migrate
from tests.builders import APPROVALS
from tests.execution_graph.crashing import crash_tools
from tests.execution_graph.ring import Endpoint, Ring
from tests.journeys.receiver import Receiver, http_receiver

ROOT = Path(__file__).parents[1]
DELAY_SECONDS = 0.25
WIDEST_SECONDS = 300
NET, GATE = "10.231.77", "10.231.77.1"


async def with_workers(settings: Settings, *, tickets: int) -> dict[str, Figure]:
    """Runs a second with 1, 2 and 4 worker processes; each run waits a quarter of a second for somebody outside."""
    figures, one = {}, 0.0
    for count in (1, 2, 4):
        rate = await _one_size(settings, count, tickets)
        one = one or rate
        against = f"{count} worker processes, two cores; runs with a call of {DELAY_SECONDS:g} s outside"
        figures[f"workers_{count}"] = Figure(rate, "/s", against, 0.5 * one)
    return figures


async def _one_size(settings: Settings, count: int, tickets: int) -> float:
    with tempfile.TemporaryDirectory() as folder, http_receiver() as (receiver, address):
        async with Database(app_url(settings), max_size=6) as database:
            ring, runs = await _work(database, Path(folder), receiver, address, tickets)
            argv = _argv(app_url(settings), Path(folder), address)
            processes = [_start(argv, Path(folder)) for _ in range(count)]
            try:
                return tickets / await _until_done(ring, runs)
            finally:
                _end(processes)


async def _work(
    database: Database, folder: Path, receiver: Receiver, address: str, tickets: int
) -> tuple[Ring, list[Run]]:
    receiver.delay_seconds = DELAY_SECONDS
    tools = crash_tools(folder, address)
    ring = await Ring(database, FolderStore(folder / "evidence"), tools, Endpoint()).found()
    steps = [ProcedureStep("write_note", {"text": "one"}), ProcedureStep("post_again", {"what": "x"})]
    role = await ring.hire("write_note", "post_again", procedure=steps)
    return ring, [await ring.start(await ring.open(role)) for _ in range(tickets)]


async def _until_done(ring: Ring, runs: list[Run]) -> float:
    """Seconds from the first run that a worker has begun, so that no process's start counts."""
    until, begun = time.monotonic() + WIDEST_SECONDS, 0.0
    while time.monotonic() < until:
        async with ring.transaction() as tx:
            sql = """SELECT count(*) FILTER (WHERE started_at IS NOT NULL) AS begun,
                            count(*) FILTER (WHERE status = 'done') AS done
                     FROM execution_graph.runs WHERE id = ANY($1)"""
            row = await tx.connection.fetchrow(sql, [run.id for run in runs])
        if row is not None and row["begun"] and not begun:
            begun = time.monotonic()
        if row is not None and row["done"] == len(runs):
            return time.monotonic() - begun
        await asyncio.sleep(0.05)
    raise SystemExit(f"the runs are not done within {WIDEST_SECONDS} seconds")


def _argv(url: str, folder: Path, address: str) -> list[str]:
    (public,) = APPROVALS.keys.by_kid.values()
    key = raw_public(public).hex()
    return [sys.executable, "-m", "tests.execution_graph.crashing", url, str(folder), key, address]


def _start(argv: list[str], folder: Path, before: list[str] | None = None) -> subprocess.Popen[bytes]:
    with (folder / "workers.log").open("ab") as log:
        return subprocess.Popen([*(before or []), *argv], cwd=ROOT, stdout=log, stderr=log)


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# --- two hosts --------------------------------------------------------------------------------------------------------


def in_two_namespaces(*, tickets: int) -> dict[str, Figure]:
    """Two workers on hosts of their own over TCP; one is killed, one cut off. Nothing where that cannot be made."""
    why = _cannot()
    if why:
        sys.stderr.write(f"two hosts were not measured: {why}\n")
        return {}
    with _hosts() as hosts, _database() as settings:
        return asyncio.run(_over_hosts(settings, hosts, tickets))


def _cannot() -> str:
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need root on Linux"
    if shutil.which("ip") is None:
        return "there is no `ip` (iproute2)"
    made = subprocess.run(["ip", "netns", "add", "flr-bench-try"], capture_output=True, text=True, check=False)
    if made.returncode:
        return made.stderr.strip()
    _ip("netns", "del", "flr-bench-try")
    return ""


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def _hosts() -> Iterator[list[str]]:
    """Two namespaces on one bridge, with the database's address on this side."""
    names = ["flr-bench-a", "flr-bench-b"]
    _ip("link", "add", "flrbr", "type", "bridge")
    try:
        _ip("addr", "add", f"{GATE}/24", "dev", "flrbr")
        _ip("link", "set", "flrbr", "up")
        for number, name in enumerate(names, start=2):
            _ip("netns", "add", name)
            _ip("link", "add", f"flr{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", f"flr{number}", "master", "flrbr", "up")
            _ip("-n", name, "addr", "add", f"{NET}.{number}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
            _ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for number, name in enumerate(names, start=2):
            subprocess.run(["ip", "link", "del", f"flr{number}"], check=False, capture_output=True)
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        _ip("link", "del", "flrbr")


@contextmanager
def _database() -> Iterator[Settings]:
    """An embedded PostgreSQL that also listens on the bridge, and trusts it, for the length of the bench."""
    with tempfile.TemporaryDirectory(prefix="flr-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)
        with running(home):
            pass
        with (home / "postgres" / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {NET}.0/24 trust\n")
        with running(home, listen_addresses=GATE, port="5432"):
            asyncio.run(create_database(home))
            asyncio.run(migrate(embedded_url(home, "postgres")))
            settings = Settings(home=home, undo_seconds=0)
            auth.ensure_keys(settings.keys, "token", "approval", "receipt", "seal", "device")
            yield settings


async def _over_hosts(settings: Settings, hosts: list[str], tickets: int) -> dict[str, Figure]:
    over_tcp = f"postgresql://flr_app@{GATE}:5432/flr"
    with tempfile.TemporaryDirectory() as folder, http_receiver(GATE) as (receiver, address):
        async with Database(app_url(settings), max_size=6) as database:
            ring, runs = await _work(database, Path(folder), receiver, address, tickets)
            argv = _argv(over_tcp, Path(folder), address)
            processes = [_start(argv, Path(folder), ["ip", "netns", "exec", name]) for name in hosts]

            def kill(host: int) -> None:
                processes[host].kill()

            def cut_off(host: int) -> None:
                _ip("-n", hosts[host], "link", "set", "eth0", "down")

            try:
                rate = tickets / await _until_done(ring, runs)
                killed, host = await _taken_over(ring, receiver, kill)
                processes[host].wait()
                processes[host] = _start(argv, Path(folder), ["ip", "netns", "exec", hosts[host]])
                await _seated(ring, 2)
                cut, _ = await _taken_over(ring, receiver, cut_off)
            finally:
                _end(processes)
    return {
        "two_hosts": Figure(rate, "/s", "one worker on each of two network namespaces, over TCP", 0.5),
        "take_over_process": Figure(killed, "s", "kill -9 of a worker to the next call, by the other host", 5, "less"),
        "take_over_host": Figure(cut, "s", "a host cut off to the next call, by the other host", 20, "less"),
    }


async def _taken_over(ring: Ring, receiver: Receiver, strike: Callable[[int], None]) -> tuple[float, int]:
    """Strike the host that drives a run; seconds until the other one makes its next call, and who was struck."""
    steps = [ProcedureStep("post_again", {"what": str(number)}) for number in range(60)]
    name = f"Mira {time.monotonic_ns()}"
    role = await ring.hire("post_again", procedure=steps, name=name, max_steps=100)
    run = await ring.start(await ring.open(role))

    def callers() -> list[str]:
        """From where this run has called, others' calls aside."""
        made = zip(receiver.asked_by, list(receiver.requests), strict=False)
        return [address for address, (_, _, key) in made if key.startswith(str(run.id))]

    await _until(lambda: bool(callers()), "a call")
    driver = callers()[-1]
    host = int(driver.rpartition(".")[2]) - 2
    strike(host)
    struck = time.monotonic()
    await _until(lambda: callers()[-1] != driver, "a call by the other host")
    return time.monotonic() - struck, host


async def _seated(ring: Ring, count: int) -> None:
    """As many workers hold their session locks."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'flr-worker'"
    for _ in range(600):
        async with ring.transaction() as tx:
            if await tx.connection.fetchval(sql) >= count:
                return
        await asyncio.sleep(0.1)
    raise SystemExit("the second worker does not come up within a minute")


async def _until(what: Callable[[], bool], said: str) -> None:
    for _ in range(6000):
        if what():
            return
        await asyncio.sleep(0.01)
    raise SystemExit(f"not within a minute: {said}")

"""The server as a child of this process, for as long as this process lives."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.own_postgres import cluster
from app.own_postgres.failures import AlreadyServed, DatabaseUnusable, explain, explain_os, not_ours
from app.own_postgres.place import DATABASE, environment, lay_out, place, url

SET_PARENT_DEATH_SIGNAL = 1
START_SECONDS = 120


def die_with_parent(with_signal: signal.Signals) -> Callable[[], None] | None:
    """A `preexec_fn`: the kernel sends the child this signal when the thread that forked it ends. Linux only.

    Must be the last to change the child, since a change of its account would clear it; `subprocess` sees to that.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask_kernel() -> None:
        prctl(SET_PARENT_DEATH_SIGNAL, int(with_signal))
        if os.getppid() != parent:
            os._exit(1)

    return ask_kernel


class OwnPostgres:
    """One home's PostgreSQL: `prepare`, start `argv` with `options`, wait until `ready`, at last `release`."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.settings = settings
        self._lock: int | None = None

    def prepare(self) -> None:
        """Take the home, make the cluster if there is none, clear a dead one's locks. Raises `DatabaseUnusable`.

        Blocks for about a second the first time. Idempotent: also right before a restart.
        """
        _refuse_other_systems()
        _make_home(self.home)
        if self._lock is None:
            self._lock = _take(self.home)
        try:
            self.place = place(self.home)
            lay_out(self.home, self.place)
            cluster.ensure_cluster(self.place)
            cluster.write_settings(self.place, self.settings)
            cluster.clear_stale_lock(self.place)
        except OSError as error:
            self.release()
            raise DatabaseUnusable(explain_os(error, self.home)) from error
        except BaseException:
            self.release()
            raise

    @property
    def argv(self) -> list[str]:
        return [str(self.place.binaries / "postgres"), "-D", str(self.place.data)]

    @property
    def options(self) -> dict[str, Any]:
        """What `subprocess` needs to start `argv`: the right account, a session of its own, no outliving of us."""
        return self.place.as_user() | {
            "cwd": "/",
            "env": environment(),
            "start_new_session": True,
            "preexec_fn": die_with_parent(signal.SIGINT),
        }

    def ready(self, pid: int) -> bool:
        """Does the server with this pid take connections? A stale file says `ready` too, hence the pid."""
        lines = cluster.pid_file(self.place)
        return len(lines) > 7 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def explain(self, output: str) -> str:
        """One sentence for a start that failed, from what the server printed."""
        return explain(output, self.place.data)

    def release(self) -> None:
        """Let another process serve this home."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


@contextmanager
def running(home: Path, **settings: str) -> Iterator[OwnPostgres]:
    """This home's PostgreSQL for the length of a block, for a process without a supervisor. Blocks while it starts."""
    server = OwnPostgres(home, **settings)
    server.prepare()
    log = home / "postgres.log"
    try:
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as output:
            process = subprocess.Popen(
                server.argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **server.options
            )
        try:
            _wait(lambda: process.poll() is not None or server.ready(process.pid))
            if not server.ready(process.pid):
                raise DatabaseUnusable(server.explain(log.read_text(errors="replace")))
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()
    finally:
        server.release()


def is_running(home: Path) -> bool:
    """Is this home's server up, whoever started it? False for the files that a dead one left."""
    at = place(home)
    return bool(cluster.pid_file(at)) and bool(cluster.inhabitants(at))


async def create_database(home: Path, name: str = DATABASE) -> None:
    """Make a database in the running server of this home, unless it is there."""
    import asyncpg

    connection = await asyncpg.connect(url(home, "postgres", "postgres"))
    try:
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()


def _take(home: Path) -> int:
    path = home / "serving.pid"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        holder = path.read_text(encoding="ascii").strip() or "unknown"
        raise AlreadyServed(
            f"{home} is already being served by process {holder}: stop it first, or set another FLR_HOME."
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def _make_home(home: Path) -> None:
    try:
        # Root must let the server's account through; nobody else has any business in a home.
        home.mkdir(mode=0o755 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        allowed = os.access(home, os.R_OK | os.W_OK | os.X_OK)
    except OSError as error:
        raise DatabaseUnusable(explain_os(error, home)) from error
    if not allowed:
        raise DatabaseUnusable(not_ours(home))


def _refuse_other_systems() -> None:
    if os.name != "posix":
        raise DatabaseUnusable("The embedded PostgreSQL needs Linux or macOS: use WSL, or set DATABASE_URL.")


def _wait(done: Callable[[], bool]) -> None:
    end = time.monotonic() + START_SECONDS
    while not done() and time.monotonic() < end:
        time.sleep(0.02)

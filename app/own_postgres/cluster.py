"""The data folder: made whole or not at all, settings written anew before each start, a dead server's locks cleared."""

import shutil
import stat
import subprocess
import time

from app.own_postgres.failures import INITDB_BYTES, AlreadyServed, DatabaseUnusable, explain, no_room, not_ours
from app.own_postgres.place import SOCKET_NAME, Place, environment

SETTINGS = """\
listen_addresses = ''
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = 128MB
work_mem = 8MB
wal_compression = on
min_wal_size = 128MB
max_wal_size = 512MB
checkpoint_timeout = 10min
max_parallel_workers_per_gather = 0
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
logging_collector = off
log_destination = 'stderr'
log_line_prefix = ''
"""


SERVER_SECONDS = 5


def ensure_cluster(at: Place) -> None:
    """A half-made cluster is never taken for a whole one: it has another name until it is done."""
    if (at.data / "PG_VERSION").exists():
        _check(at)
    else:
        _initdb(at)


def write_settings(at: Place, extra: dict[str, str]) -> None:
    """`flr.conf`, included last by postgresql.conf."""
    path = at.data / "flr.conf"
    lines = [f"{name} = '{value}'\n" for name, value in extra.items()]
    path.write_text(SETTINGS.format(sockets=at.sockets) + "".join(lines), encoding="utf-8")
    at.give(path)


def pid_file(at: Place) -> list[str]:
    """The lines of postmaster.pid; empty when there is none."""
    try:
        return (at.data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def inhabitants(at: Place) -> list[int]:
    """Pids whose working directory is the data folder: the server and all its children stand there."""
    import psutil

    here = str(at.data.resolve())
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == here:
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def clear_stale_lock(at: Place) -> None:
    """Remove the locks of a dead server, which PostgreSQL keeps when the pid in them was reused or never reaped.

    Never touches a process. Raises `DatabaseUnusable` while anyone lives in the data folder.
    """
    lines = pid_file(at)
    if not lines:
        return
    server = lines[0].strip()
    living = _wait_for_empty(at, server, seconds=60)
    if living:
        raise AlreadyServed(f"{at.data} is already being served by PostgreSQL process {min(living)}: stop it first.")
    if _is_living_postgres(lines[0].strip()):
        raise DatabaseUnusable(
            f"{at.data}/postmaster.pid names process {lines[0].strip()}, a PostgreSQL that serves another folder: "
            "stop it, or remove that file if nothing else serves this folder."
        )
    (at.data / "postmaster.pid").unlink(missing_ok=True)
    for name in (f"{SOCKET_NAME}.lock", SOCKET_NAME):
        (at.sockets / name).unlink(missing_ok=True)


def _wait_for_empty(at: Place, server: str, *, seconds: float) -> list[int]:
    """After kill -9 of the server its children need a moment to notice; one that waits for the disk, longer."""
    begun = time.monotonic()
    while living := inhabitants(at):
        waited = time.monotonic() - begun
        if waited > seconds or (waited > SERVER_SECONDS and server in map(str, living)):
            break
        time.sleep(0.05)
    return living


def _is_living_postgres(pid: str) -> bool:
    import psutil

    try:
        process = psutil.Process(int(pid))
        return process.status() != psutil.STATUS_ZOMBIE and process.name().startswith("postgres")
    except (ValueError, psutil.Error):
        return False


def _initdb(at: Place) -> None:
    if shutil.disk_usage(at.data.parent).free < INITDB_BYTES:
        raise DatabaseUnusable(no_room(at.data.parent))
    new = at.data.with_name("postgres.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    at.give(new)
    command = [str(at.binaries / "initdb"), "-D", str(new), "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
    command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment(), cwd="/", **at.as_user()
    )
    if done.returncode:
        shutil.rmtree(new, ignore_errors=True)
        raise DatabaseUnusable(explain(done.stderr, at.data))
    with (new / "postgresql.conf").open("a", encoding="utf-8") as configuration:
        configuration.write("include 'flr.conf'\n")
    new.rename(at.data)


def _check(at: Place) -> None:
    found = at.data.stat()
    if found.st_uid != at.uid:
        raise DatabaseUnusable(not_ours(at.data))
    if stat.S_IMODE(found.st_mode) not in (0o700, 0o750):
        raise DatabaseUnusable(f"{at.data} can be read by others, so PostgreSQL refuses it: run `chmod 700 {at.data}`.")

"""Our own PostgreSQL, real processes: whatever befalls the machine ends in a running database or in one sentence."""

import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from app.own_postgres import AlreadyServed, DatabaseUnusable, OwnPostgres, is_running, running, url
from app.own_postgres.cluster import inhabitants
from app.own_postgres.place import place

SERVE = """
import sys, time
from pathlib import Path
from app.own_postgres import running
with running(Path(sys.argv[1])) as server:
    print("up", flush=True)
    time.sleep(600)
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who alone can take another account")


@pytest.fixture
def serve(home: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a process that serves the home, and waits until it does."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "-c", SERVE, str(home)], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
    eventually(lambda: not inhabitants(place(home)))


def eventually(holds: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def ask(home: Path, statement: str) -> object:
    with psycopg.connect(url(home, "postgres", "postgres"), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return (cursor.fetchone() or [None])[0] if cursor.description else None


def server_pid(home: Path) -> int:
    return int((place(home).data / "postmaster.pid").read_text().split()[0])


def test_a_first_start_makes_a_cluster_and_a_second_keeps_its_rows(home: Path) -> None:
    with running(home):
        ask(home, "CREATE TABLE kept (what text)")
        ask(home, "INSERT INTO kept VALUES ('ini tetap ada')")
    assert not is_running(home)
    with running(home):
        assert ask(home, "SELECT what FROM kept") == "ini tetap ada"
        assert is_running(home)


def test_no_port_is_open_and_the_socket_is_ours_alone(home: Path) -> None:
    with running(home):
        assert ask(home, "SHOW listen_addresses") == ""
        assert place(home).sockets.stat().st_mode & 0o777 == 0o700
        assert place(home).data.stat().st_mode & 0o777 == 0o700


def test_nothing_is_lost_when_power_is(home: Path) -> None:
    with running(home):
        assert [ask(home, f"SHOW {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")] == ["on"] * 3


def test_a_second_start_names_the_process_that_serves_the_home(
    home: Path, serve: Callable[[], subprocess.Popen[str]]
) -> None:
    first = serve()
    with pytest.raises(AlreadyServed, match=f"already being served by process {first.pid}"):
        OwnPostgres(home).prepare()
    assert ask(home, "SELECT 1") == 1


def test_a_killed_owner_takes_the_database_with_it_and_the_next_start_is_clean(
    home: Path, serve: Callable[[], subprocess.Popen[str]]
) -> None:
    owner = serve()
    ask(home, "CREATE TABLE kept AS SELECT 7 AS n")
    owner.kill()
    eventually(lambda: not inhabitants(place(home)))
    with running(home):
        assert ask(home, "SELECT n FROM kept") == 7


def test_a_killed_server_recovers_what_was_committed(home: Path) -> None:
    with running(home):
        ask(home, "CREATE TABLE kept AS SELECT 7 AS n")
        os.kill(server_pid(home), signal.SIGKILL)
    with running(home):
        assert ask(home, "SELECT n FROM kept") == 7


def test_a_lock_that_names_a_foreign_living_process_is_cleared_and_the_process_let_be(home: Path) -> None:
    with running(home):
        left = (place(home).data / "postmaster.pid").read_text().splitlines()
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        left[0] = str(bystander.pid)
        (place(home).data / "postmaster.pid").write_text("\n".join(left) + "\n")
        (place(home).sockets / ".s.PGSQL.5432.lock").write_text("\n".join(left) + "\n")
        with running(home):
            assert ask(home, "SELECT 1") == 1
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_lock_that_names_a_zombie_is_cleared(home: Path) -> None:
    """In a container without init nobody reaps a killed server, whose pid then answers for ever."""
    with running(home):
        left = (place(home).data / "postmaster.pid").read_text().splitlines()
    zombie = subprocess.Popen(["true"])
    eventually(lambda: psutil.Process(zombie.pid).status() == psutil.STATUS_ZOMBIE)
    left[0] = str(zombie.pid)
    (place(home).data / "postmaster.pid").write_text("\n".join(left) + "\n")
    with running(home):
        assert ask(home, "SELECT 1") == 1
    zombie.wait()


def test_a_server_that_lost_its_owner_but_lives_is_not_robbed_of_its_lock(home: Path) -> None:
    with running(home) as server:
        server.release()
        with pytest.raises(AlreadyServed, match="PostgreSQL process"):
            OwnPostgres(home).prepare()
        assert ask(home, "SELECT 1") == 1


def test_a_half_made_cluster_is_made_again(home: Path) -> None:
    half = home / "postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with running(home):
        assert ask(home, "SELECT 1") == 1
    assert not half.exists()


def test_a_data_folder_others_can_read_is_refused_with_the_command_that_cures_it(home: Path) -> None:
    with running(home):
        pass
    data = place(home).data
    data.chmod(0o755)
    with pytest.raises(DatabaseUnusable, match=f"run `chmod 700 {data}`"):
        OwnPostgres(home).prepare()
    data.chmod(0o700)
    with running(home):
        assert ask(home, "SELECT 1") == 1


@as_root
def test_a_data_folder_of_another_user_is_refused_by_that_users_name(home: Path) -> None:
    with running(home):
        pass
    os.chown(place(home).data, pwd.getpwnam("daemon").pw_uid, -1)
    with pytest.raises(DatabaseUnusable, match="belongs to the user daemon: run as daemon"):
        OwnPostgres(home).prepare()


def test_a_home_that_is_a_file_is_refused(home: Path) -> None:
    home.write_text("not a folder")
    with pytest.raises(DatabaseUnusable, match="not a folder"):
        OwnPostgres(home).prepare()


def test_a_path_too_long_for_a_socket_gets_a_short_folder_of_our_own(home: Path) -> None:
    long = home / ("a" * 120)
    with running(long) as server:
        assert ask(long, "SELECT 1") == 1
        assert str(server.place.sockets).startswith("/tmp/flr-")
        assert server.place.sockets.stat().st_mode & 0o777 == 0o700


@as_root
def test_root_under_a_private_path_puts_the_database_where_its_user_can_enter(home: Path) -> None:
    home.parent.chmod(0o700)
    with running(home) as server:
        assert ask(home, "SELECT 1") == 1
        assert home not in server.place.data.parents
        assert server.place.user is not None
        assert server.place.data.stat().st_uid == server.place.user.pw_uid
    kept = place(home)
    home.parent.chmod(0o755)
    assert place(home).data == kept.data, "a place once chosen stays"
    subprocess.run(["rm", "-r", str(kept.data.parent)], check=True)


def test_a_version_that_cannot_read_the_data_is_named(home: Path) -> None:
    with running(home):
        pass
    (place(home).data / "PG_VERSION").write_text("12\n")
    with pytest.raises(DatabaseUnusable, match="another major version"), running(home):
        pass

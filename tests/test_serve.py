"""`flr serve` where it cannot run: one clear sentence, an exit code that is not 0, nothing left behind."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from app.own_postgres import running, url

ROOT = Path(__file__).parents[1]
WRONG_CONFIGURATION = 78


def flr(home: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *command],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=own | {"FLR_HOME": str(home), **environment},
        timeout=60,
    )


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The one line on stderr; no child of the command is left."""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stdout
    assert lines[0].startswith("flr: ")
    return lines[0].removeprefix("flr: ")


def nobody_serves(home: Path) -> bool:
    return not any(str(home) in " ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


@pytest.mark.parametrize("command", ["serve", "api"])
def test_a_taken_port_is_said_before_anything_starts(home: Path, taken_port: int, command: str) -> None:
    done = flr(home, command, FLR_PORT=str(taken_port))
    sentence = one_sentence(done)
    assert sentence.startswith(f"127.0.0.1:{taken_port} cannot be listened on (Address already in use)")
    assert "FLR_PORT" in sentence
    assert done.returncode == WRONG_CONFIGURATION
    assert nobody_serves(home)


@pytest.mark.parametrize("command", ["serve", "migrate"])
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://me:secret@127.0.0.1:1/flr", "cannot be reached"),
        ("postgresql://me:secret@127.0.0.1:notaport/flr", "no address of a PostgreSQL database"),
        ("mysql://127.0.0.1/flr", "no address of a PostgreSQL database"),
        ("just words", "no address of a PostgreSQL database"),
    ],
)
def test_a_wrong_database_url_is_said_without_its_password(home: Path, command: str, address: str, said: str) -> None:
    done = flr(home, command, DATABASE_URL=address, FLR_PORT="0")
    sentence = one_sentence(done)
    assert said in sentence
    assert "DATABASE_URL" in sentence
    assert "secret" not in done.stdout + done.stderr
    assert done.returncode == WRONG_CONFIGURATION


def test_a_database_that_does_not_exist_is_named(home: Path) -> None:
    with running(home):
        address = url(home, "postgres", "nowhere")
        done = flr(home / "other", "migrate", DATABASE_URL=address)
    assert "/nowhere does not exist: create it" in one_sentence(done)


def test_a_refused_password_is_said_as_such(home: Path) -> None:
    with running(home) as server:
        rules = server.place.data / "pg_hba.conf"
        rules.write_text("local all postgres trust\nlocal all all scram-sha-256\n")
        with psycopg.connect(url(home, "postgres", "postgres"), autocommit=True) as connection:
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CREATE ROLE clerk LOGIN PASSWORD 'right'")
        address = url(home, "clerk:wrong", "postgres")
        done = flr(home / "other", "migrate", DATABASE_URL=address)
    assert "refuses the user or the password" in one_sentence(done)
    assert "wrong" not in done.stderr


def test_a_user_who_may_not_create_roles_is_told_so(home: Path) -> None:
    with running(home):
        with psycopg.connect(url(home, "postgres", "postgres"), autocommit=True) as connection:
            connection.execute("CREATE ROLE clerk LOGIN")
        done = flr(home / "other", "migrate", DATABASE_URL=url(home, "clerk", "postgres"))
    assert one_sentence(done).startswith("The database's user clerk may not make roles")


def test_a_home_that_is_served_already_names_the_process(home: Path) -> None:
    with running(home):
        done = flr(home, "serve", FLR_PORT="0")
    assert f"{home} is already being served by process {os.getpid()}" in one_sentence(done)
    assert done.returncode == WRONG_CONFIGURATION


def test_a_setting_that_makes_no_sense_is_named(home: Path) -> None:
    done = flr(home, "serve", FLR_PORT="eighty")
    assert one_sentence(done) == "FLR_PORT='eighty' is not a whole number"
    assert done.returncode == WRONG_CONFIGURATION


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 60 MB, mounted for the test."""
    with tempfile.TemporaryDirectory(prefix="flr-") as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m,mode=755", "tmpfs", folder], check=True)
        yield Path(folder)
        subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="needs root, who alone can mount a disk")
class TestFullDisk:
    def test_a_disk_too_small_for_a_first_start_is_said_with_what_is_needed(self, small_disk: Path) -> None:
        done = flr(small_disk / "home", "serve", FLR_PORT="0")
        assert "needs about 120 MB of free disk and has 62 MB" in one_sentence(done)
        assert done.returncode == WRONG_CONFIGURATION
        assert not (small_disk / "home" / "postgres").exists()

    def test_a_disk_that_is_full_at_a_later_start_is_said_and_loses_nothing(self, home: Path, small_disk: Path) -> None:
        with running(home):
            pass
        small = small_disk / "home"
        shutil.copytree(home, small)
        for path in (small, *small.rglob("*")):
            shutil.chown(path, *_owner(home / path.relative_to(small)))
        with pytest.raises(OSError, match="No space left"):
            (small_disk / "filler").write_bytes(bytes(62_000_000))
        done = flr(small, "serve", FLR_PORT="0")
        assert "full" in one_sentence(done) or "free some" in one_sentence(done)
        assert done.returncode != 0

        (small_disk / "filler").unlink()
        with running(small), psycopg.connect(url(small, "postgres", "postgres")) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def _owner(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid

"""What a fresh machine lacks is said in one sentence, and the locks name no index."""

import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "requirements" / "environment.sh"
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def make_environment(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(SCRIPT), *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PATH": str(folder), "HOME": os.environ.get("HOME", "/")},
    )


def test_an_old_python_is_named_with_what_to_do(tmp_path: Path) -> None:
    program(tmp_path, "python3", 'case "$1" in --version) echo Python 3.9.2;; *) exit 1;; esac')
    done = make_environment(tmp_path)
    assert done.stderr.startswith("5-Layer Runtime needs Python 3.11 or newer, and 'python3' is: Python 3.9.2.")
    assert len(done.stderr.splitlines()) == 1
    assert done.returncode == 1


def test_no_python_at_all_is_said(tmp_path: Path) -> None:
    done = make_environment(tmp_path)
    assert "needs Python 3.11 or newer" in done.stderr
    assert "not found" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.returncode == 1


def test_a_missing_venv_module_is_named_with_its_package(tmp_path: Path) -> None:
    program(tmp_path, "python3", 'case "$2" in *venv*) exit 1;; *) exit 0;; esac')
    done = make_environment(tmp_path)
    assert done.stderr.startswith("Python's venv module is missing.")
    assert "apt-get install python3-venv" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.returncode == 1


def test_a_newer_python_is_found_beside_an_old_one(tmp_path: Path) -> None:
    program(tmp_path, "python3", "exit 1")
    program(tmp_path, "python3.11", f'exec {sys.executable} "$@"')
    assert make_environment(tmp_path).returncode == 0
    assert (tmp_path / ".venv" / "bin" / "python").exists()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_pins_every_package_by_hash_and_names_no_index(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    blocks = [block for block in text.replace("\\\n", " ").splitlines() if block and not block.lstrip().startswith("#")]
    assert blocks
    assert all("==" in block and "--hash=sha256:" in block for block in blocks)


def test_the_tests_lock_holds_the_applications_versions() -> None:
    def pins(name: str) -> set[str]:
        lines = (ROOT / "requirements" / name).read_text().splitlines()
        return {line.split(" ")[0] for line in lines if "==" in line and not line.startswith((" ", "#"))}

    assert pins("app.txt") <= pins("test.txt")


def test_the_command_is_what_the_project_file_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"flr": "app.cli:main"}
    done = subprocess.run([sys.executable, "-m", "app.cli", "--help"], check=True, capture_output=True, text=True)
    assert "serve" in done.stdout

"""The verifier runs where the rest of the product is not: an auditor copies one package."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from cryptography.hazmat.primitives import serialization

from app.auth import public_jwk
from app.postgres import Database
from tests.governance_ledger.ledgers import KEY, record, sign
from tests.verifier.files import exported, lines_in, written

APP = Path(__file__).parents[2] / "app"
IMPORTED = "import sys; sys.argv = ['x', '--help']; import app.verifier.command; print(*sorted(sys.modules))"


@pytest.fixture
async def ledger(database: Database, sealer: asyncpg.Connection, tmp_path: Path) -> Path:
    await record(database, 20)
    await sign(sealer)
    return await exported(database, tmp_path)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder that holds the verifier and nothing else of the product."""
    folder = tmp_path / "elsewhere"
    shutil.copytree(APP / "verifier", folder / "app" / "verifier", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "app" / "__init__.py").write_text("")
    return folder


def run(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-E", "-m", "app.verifier", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, timeout=60)


def test_it_verifies_without_the_product(elsewhere: Path, ledger: Path) -> None:
    done = run(elsewhere, ledger, "--key", KEY.raw_public.hex(), "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"], report["events"]) == (0, True, 20)


def test_it_uses_both_cores_without_the_product(elsewhere: Path, ledger: Path) -> None:
    done = run(elsewhere, ledger, "--key", KEY.raw_public.hex(), "--jobs", 2)
    assert (done.returncode, done.stdout.startswith("OK: 20 events")) == (0, True), done.stderr


def test_it_loads_two_libraries_and_nothing_of_the_product(elsewhere: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-E", "-c", IMPORTED], check=True, capture_output=True, text=True, cwd=elsewhere, timeout=60
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"msgspec", "asyncpg", "litestar", "jwt", "httpx", "piccolo", "webauthn", "jinja2"}
    assert {"cryptography", "zstandard"} <= loaded


def keys(folder: Path) -> dict[str, str]:
    """The sealer's key in each form in which it may be given."""
    pem, jwks = folder / "seal.pem", folder / "jwks.json"
    pem.write_bytes(
        KEY.public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    jwks.write_text(json.dumps({"keys": [public_jwk(KEY.kid, KEY.public, "seal")]}))
    return {"hex": KEY.raw_public.hex(), "kid": KEY.kid, "PEM": str(pem), "JWKS": str(jwks)}


def test_the_key_may_be_given_in_four_forms(elsewhere: Path, ledger: Path) -> None:
    codes = {form: run(elsewhere, ledger, "--key", key).returncode for form, key in keys(elsewhere).items()}
    assert codes == dict.fromkeys(("hex", "kid", "PEM", "JWKS"), 0)


@pytest.mark.parametrize("key", ["0" * 16, "nonsense", "seal.pem"])
def test_a_key_that_cannot_be_read_gets_one_sentence(elsewhere: Path, ledger: Path, key: str) -> None:
    (elsewhere / "seal.pem").write_text("-----BEGIN PUBLIC KEY-----\nnone\n")
    done = run(elsewhere, ledger, "--key", key)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"hello\n", "is not an export of a ledger"),
        (b"PK\x03\x04 not quite", "is an archive, but not that of a case"),
        (b"\x28\xb5\x2f\xfd not quite", "is not an export of a ledger"),
        (b'{"export":{"v":"9"}}\n', "is not an export of a ledger"),
        (b'{"expo', "is not an export of a ledger"),
    ],
)
def test_what_is_no_export_gets_one_sentence(elsewhere: Path, content: bytes, said: str) -> None:
    path = written(elsewhere / "file", [content])
    done = run(elsewhere, path, "--key", KEY.raw_public.hex())
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_broken_export_names_the_place_and_exits_with_one(elsewhere: Path, ledger: Path) -> None:
    content = lines_in(ledger)
    path = written(elsewhere / "cut", content[:-1])
    done = run(elsewhere, path, "--key", KEY.raw_public.hex())
    assert done.returncode == 1
    assert done.stdout.startswith("BROKEN: line 22: truncated")


def test_two_exports_of_one_history_agree(elsewhere: Path, ledger: Path) -> None:
    done = run(elsewhere, ledger, "--key", KEY.raw_public.hex(), "--against", ledger)
    assert done.returncode == 0


def test_a_checkpoint_that_the_auditor_holds_is_compared(elsewhere: Path, ledger: Path) -> None:
    note = json.loads(lines_in(ledger)[-2])["checkpoint"]["note"]
    held = elsewhere / "note.txt"
    held.write_text(note, encoding="utf-8")
    assert run(elsewhere, ledger, "--key", KEY.raw_public.hex(), "--checkpoint", held).returncode == 0
    held.write_text("no note", encoding="utf-8")
    assert run(elsewhere, ledger, "--key", KEY.raw_public.hex(), "--checkpoint", held).returncode == 1

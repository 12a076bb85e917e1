"""`flr r2-doctor` tells a bucket that keeps the contract from one that does not."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from app.cli.main import main
from tests.adapters.lax_s3 import Mood, lax_s3
from tests.adapters.seaweed import BUCKET, KEYS, Seaweed, vendor_client
from tests.adapters.tool_calls import free_port

ROOT = Path(__file__).parents[2]
NEEDED = {
    "put and get",
    "write-once",
    "missing objects",
    "signed addresses",
    "expiry",
    "content disposition",
    "transport",
}
ALL = NEEDED | {"ranges", "damage on the way", "lock", "clean up"}


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("FLR_EVIDENCE_ACCESS_KEY", KEYS.access_key)
    monkeypatch.setenv("FLR_EVIDENCE_SECRET_KEY", KEYS.secret_key)
    return monkeypatch


def checks_of(said: str) -> dict[str, Any]:
    return {check["name"]: check for check in json.loads(said)}


def examine_lax(mood: Mood, configured: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    with lax_s3(mood) as server:
        configured.setenv("FLR_EVIDENCE_URL", f"s3://{BUCKET}/p?endpoint={quote(server.endpoint)}")
        code = main(["r2-doctor", "--json"])
    return code, checks_of(capsys.readouterr().out)


def test_a_server_that_keeps_the_contract_passes_and_has_no_lock(
    seaweed: Seaweed, configured: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prefix = f"doctor/{uuid4()}"
    configured.setenv("FLR_EVIDENCE_URL", seaweed.url(prefix))
    assert main(["r2-doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (missing,) = [line for line in lines if line.startswith("NOT")]
    assert missing.startswith("NOT   lock: whoever has this key can overwrite and delete evidence past the product;")
    assert missing.endswith("(not needed, but worth having)")
    assert any("bucket lock rule" in line for line in lines)
    assert {line[6:].partition(":")[0] for line in lines if not line.startswith(" ")} == ALL
    listed = vendor_client(seaweed).list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    assert listed["KeyCount"] == 0


def test_the_usual_variables_give_the_key(seaweed: Seaweed, tmp_path: Path) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FLR_"))}
    given = {
        "AWS_ACCESS_KEY_ID": KEYS.access_key,
        "AWS_SECRET_ACCESS_KEY": KEYS.secret_key,
        "FLR_EVIDENCE_URL": seaweed.url(f"doctor/{uuid4()}"),
        "FLR_HOME": str(tmp_path),
    }
    command = [sys.executable, "-m", "app.cli", "r2-doctor", "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=own | given)
    assert done.returncode == 0, done.stdout + done.stderr
    checks = checks_of(done.stdout)
    assert {name for name, check in checks.items() if check["verdict"] == "enforced"} == ALL - {"lock"}
    assert {name for name, check in checks.items() if check.get("needed", True)} == NEEDED


def test_a_server_that_keeps_no_promise_fails_in_each(
    configured: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, checks = examine_lax("lax", configured, capsys)
    assert code == 1
    assert {name for name, check in checks.items() if check["verdict"] == "not enforced"} == ALL - {
        "put and get",
        "missing objects",
        "transport",
        "clean up",
    }
    assert "no signature" in checks["signed addresses"]["says"]


def test_a_lock_is_seen_and_what_it_keeps_is_said(
    configured: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, checks = examine_lax("locked", configured, capsys)
    assert checks["lock"]["verdict"] == "enforced"
    assert "ObjectLocked" in checks["lock"]["says"]
    assert "stay under p/r2-doctor/" in checks["clean up"]["says"]


def test_damaged_bytes_are_no_bucket(configured: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, checks = examine_lax("cut short", configured, capsys)
    assert (code, list(checks)) == (1, ["put and get"])


def test_a_bucket_that_is_not_there_ends_it_with_one_line(
    configured: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, checks = examine_lax("no bucket", configured, capsys)
    assert (code, list(checks)) == (1, ["put and get"])
    assert "NoSuchBucket" in checks["put and get"]["says"]


def test_a_server_that_is_down_ends_it_with_one_line(
    configured: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configured.setenv("FLR_EVIDENCE_URL", f"s3://b?endpoint=http://127.0.0.1:{free_port()}")
    assert main(["r2-doctor"]) == 1
    (line, step) = capsys.readouterr().out.splitlines()
    assert line.startswith("?     put and get: the bucket b at http://127.0.0.1:")
    assert "endpoint and key" in step


@pytest.mark.parametrize("url", ["", "file:/somewhere", "s3://b?endpoint=nowhere"])
def test_without_a_bucket_it_says_what_to_set(
    url: str, configured: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configured.setenv("FLR_EVIDENCE_URL", url)
    assert main(["r2-doctor"]) == 78
    assert "s3://bucket/prefix?endpoint=" in capsys.readouterr().err

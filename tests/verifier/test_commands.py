"""`flr ledger`: export, case, verify; and that an interrupted export is not mistaken for another."""

import asyncio
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.auth import ensure_keys, load_keys
from app.cli.founding import Founded, found_company, speak_for
from app.cli.main import main
from app.governance_ledger import Event, append
from app.governance_ledger.sealing import publish_key, seal, sign_checkpoints
from app.postgres import Database
from app.settings import read
from tests.governance_ledger.ledgers import connected
from tests.verifier.files import written


@pytest.fixture
async def founded(
    database: Database, dsn: str, sealer_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Founded:
    """A company on this machine, with a signed ledger."""
    monkeypatch.setenv("FLR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", dsn)
    monkeypatch.chdir(tmp_path)
    settings = read()
    made = await found_company(settings, name="Warung", founder="Dewi", language="id")
    speak_for(settings.home, made)
    async with database.transaction(made.tenant) as tx:
        await append(tx, Event(type="x.noted", actor="system", ticket_id=made.founder))
    ensure_keys(settings.keys, "seal")
    async with connected(sealer_dsn) as sealer:
        key = load_keys(settings.keys, "seal")[0]
        await publish_key(sealer, key)
        await seal(sealer)
        await sign_checkpoints(sealer, key, every=timedelta(0))
    return made


async def flr(*arguments: str) -> int:
    return await asyncio.to_thread(main, arguments)


async def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert await flr(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


async def test_the_ledger_is_exported_and_verified(founded: Founded, capsys: pytest.CaptureFixture[str]) -> None:
    kid = load_keys(read().keys, "seal")[0].kid
    exported = await told(capsys, "ledger", "export", "--out", "mine.zst", "--evidence")
    verified = await told(capsys, "ledger", "verify", "mine.zst", "--key", kid)
    assert (exported["from_seq"], exported["resumed_at"]) == (1, None)
    assert (verified["ok"], verified["events"]) == (True, exported["to_seq"])
    assert verified["tenant"] == str(founded.tenant)


async def test_the_case_of_a_ticket_is_made_and_verified(founded: Founded, capsys: pytest.CaptureFixture[str]) -> None:
    kid = load_keys(read().keys, "seal")[0].kid
    made = await told(capsys, "ledger", "case", str(founded.founder), "--language", "id")
    assert await flr("ledger", "verify", made["file"], "--key", kid) == 0
    assert "one case" in capsys.readouterr().out


async def test_the_beginning_of_another_export_is_not_gone_on_with(
    founded: Founded, capsys: pytest.CaptureFixture[str]
) -> None:
    await told(capsys, "ledger", "export", "--out", "mine.zst")
    os.rename("mine.zst", "mine.zst.part")  # noqa: PTH104
    assert await flr("ledger", "export", "--out", "mine.zst", "--evidence") == 1
    assert "the beginning of another export" in capsys.readouterr().err
    exported = await told(capsys, "ledger", "export", "--out", "mine.zst")
    assert exported["resumed_at"] == exported["to_seq"]


async def test_what_cannot_be_read_gets_one_sentence(founded: Founded, capsys: pytest.CaptureFixture[str]) -> None:
    written(Path("nothing"), [])
    assert await flr("ledger", "verify", "nothing", "--key", "0" * 64) == 2
    assert capsys.readouterr().err == "flr: nothing is empty\n"

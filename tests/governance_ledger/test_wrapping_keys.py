"""A wrapping key is retired only when nothing is wrapped by it, whose ever it is."""

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest

from app.cli.main import main
from app.governance_ledger.subjects import (
    Keeper,
    Personal,
    create_subjects_key,
    ensure_subjects_key,
    erase_subject,
    rewrap_subjects,
)
from app.postgres import Database
from tests.governance_ledger.ledgers import OTHER, TENANT
from tests.governance_ledger.test_subjects import SECRET, SUBJECT, shown, tell


@pytest.fixture
def folder(tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The key folder of a machine that uses the test's database."""
    monkeypatch.setenv("FLR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", dsn)
    ensure_subjects_key(tmp_path / "home" / "keys")
    return tmp_path / "home" / "keys"


async def flr(*arguments: str) -> int:
    return await asyncio.to_thread(main, arguments)


async def rewrap(database: Database, folder: Path) -> None:
    for tenant in (TENANT, OTHER):
        async with database.transaction(tenant) as tx:
            await rewrap_subjects(tx, Keeper.load(folder), by="founder:7")


async def test_a_wrapping_key_is_retired_once_no_company_needs_it(
    database: Database, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (old,) = Keeper.load(folder).names
    mine = await tell(database, Keeper.load(folder), Personal(SUBJECT, SECRET))
    await tell(database, Keeper.load(folder), Personal(SUBJECT, SECRET), tenant=OTHER)
    await tell(database, Keeper.load(folder), Personal("customer:9", SECRET), tenant=OTHER)
    assert await flr("keys", "retire", "subjects", old) == 1
    assert "is the newest subjects key" in capsys.readouterr().err
    kid = create_subjects_key(folder)
    assert await flr("keys", "retire", "subjects", old) == 1
    assert f"{old} still wraps the keys of 3 subjects" in capsys.readouterr().err
    async with database.transaction(OTHER) as tx:
        await erase_subject(tx, "customer:9", by="founder:7")
    assert await flr("keys", "retire", "subjects", old) == 1
    assert "of 2 subjects" in capsys.readouterr().err
    await rewrap(database, folder)
    assert await flr("keys", "retire", "subjects", old, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"purpose": "subjects", "retired": old}
    assert Keeper.load(folder).names == (kid,)
    assert (await shown(database, Keeper.load(folder), mine))["data"] == SECRET
    assert await flr("keys", "retire", "subjects", old) == 1
    assert "there is no subjects key" in capsys.readouterr().err


async def test_wrapping_keys_are_listed_and_rotated_from_the_command_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (old,) = Keeper.load(folder).names
    assert await flr("keys", "rotate", "subjects", "--json") == 0
    kid = json.loads(capsys.readouterr().out)["kid"]
    assert await flr("keys", "list", "subjects") == 0
    assert capsys.readouterr().out.splitlines() == [f"subjects  {kid}  wraps", f"subjects  {old}  opens only"]


async def test_without_a_database_no_key_is_retired(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (old,) = Keeper.load(folder).names
    create_subjects_key(folder)
    monkeypatch.setenv("DATABASE_URL", "postgresql://flr_app@127.0.0.1:1/flr")
    assert await flr("keys", "retire", "subjects", old) != 0
    assert len(Keeper.load(folder).names) == 2
    assert capsys.readouterr().err


async def test_the_application_learns_the_number_and_no_other_companys_subject(
    database: Database, folder: Path, application: asyncpg.Connection
) -> None:
    (kid,) = Keeper.load(folder).names
    await tell(database, Keeper.load(folder), Personal(SUBJECT, SECRET))
    assert await application.fetchval("SELECT governance_ledger.subjects_wrapped_by($1)", kid) == 1
    assert await application.fetch("SELECT subject FROM governance_ledger.subject_keys") == []

"""The sealer's key is replaced while it works: for a while both sign, and what either signed holds for ever."""

from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app import auth, clock
from app.adapters.evidence.folder import FolderStore
from app.auth import SigningKey
from app.cli.main import main
from app.governance_ledger import notes
from app.governance_ledger.sealing import publish_key, seal, sign_checkpoints
from app.postgres import Database
from app.sealer import Sealer
from tests.governance_ledger.ledgers import KEY, TENANT, record, verify
from tests.governance_ledger.test_sealer import running_sealer, until

NEW = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
NOTES = "SELECT note FROM governance_ledger.ledger_checkpoints WHERE tenant_id = $1 ORDER BY serial"


async def rotate(database: Database, sealer: asyncpg.Connection) -> list[str]:
    """Three checkpoints: the old key's, both keys', the new key's."""
    for key, also in ((KEY, ()), (NEW, (KEY,)), (NEW, ())):
        await record(database, 2)
        await publish_key(sealer, key)
        await seal(sealer)
        await sign_checkpoints(sealer, key, also=also, every=timedelta(0))
    rows = await sealer.fetch(NOTES, TENANT)
    return [row["note"] for row in rows]


async def test_during_the_overlap_a_note_holds_under_either_key(database: Database, sealer: asyncpg.Connection) -> None:
    old, both, new = await rotate(database, sealer)
    assert [note.count("\n— ") for note in (old, both, new)] == [1, 2, 1]
    assert notes.verify(both, TENANT, KEY.raw_public) == notes.verify(both, TENANT, NEW.raw_public)
    for note, stranger in ((old, NEW), (new, KEY)):
        with pytest.raises(notes.NoteRefused):
            notes.verify(note, TENANT, stranger.raw_public)


async def test_the_chain_verifies_over_a_rotation_with_both_keys(
    database: Database, sealer: asyncpg.Connection
) -> None:
    await rotate(database, sealer)
    keys = {key.kid: key.raw_public for key in (KEY, NEW)}
    assert (await verify(database, full=True, keys=keys)).ok
    assert (await verify(database, full=True)).ok
    alone = await verify(database, full=True, keys={KEY.kid: KEY.raw_public})
    assert alone.first_break is not None
    assert "checkpoint 3" in alone.first_break.reason


async def test_a_line_of_an_unknown_key_in_a_note_does_no_harm() -> None:
    stranger = SigningKey(Ed25519PrivateKey.generate())
    checkpoint = notes.Checkpoint(TENANT, 1, bytes(32), bytes(32), clock.now())
    note = notes.sign(checkpoint, (stranger.raw_public, stranger.sign), (KEY.raw_public, KEY.sign))
    assert notes.verify(note, TENANT, KEY.raw_public).size == 1


async def test_a_running_sealer_takes_a_new_key_and_lets_the_old_one_go(
    database: Database, sealer_dsn: str, superuser: asyncpg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLR_HOME", str(tmp_path))
    old = auth.create_key(tmp_path / "keys", "seal")
    sealer = Sealer(sealer_dsn, lambda: auth.load_keys(tmp_path / "keys", "seal"), FolderStore(tmp_path / "evidence"))
    async with running_sealer(sealer):
        await record(database, 1)
        await until(lambda: superuser.fetchval(f"SELECT count(*) = 1 FROM ({NOTES}) n", TENANT))
        assert main(["keys", "rotate", "seal"]) == 0
        new = auth.load_keys(tmp_path / "keys", "seal")[0]
        assert new.kid != old.kid
        await record(database, 1)
        await until(lambda: superuser.fetchval(f"SELECT count(*) = 2 FROM ({NOTES}) n", TENANT), seconds=15)
        assert main(["keys", "retire", "seal", old.kid]) == 0
        await record(database, 1)
        await until(lambda: superuser.fetchval(f"SELECT count(*) = 3 FROM ({NOTES}) n", TENANT), seconds=15)
    first, second, third = (row["note"] for row in await superuser.fetch(NOTES, TENANT))
    for note, keys in ((first, (old,)), (second, (new, old)), (third, (new,))):
        assert note.count("\n— ") == len(keys)
        for key in keys:
            assert notes.verify(note, TENANT, key.raw_public).tenant == TENANT
    published = auth.load_public_keys(tmp_path / "keys", "seal")
    report = await verify(database, full=True, keys={kid: auth.raw_public(key) for kid, key in published.items()})
    assert report.ok, report.first_break


def test_keys_are_listed_replaced_and_retired_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLR_HOME", str(tmp_path))
    assert main(["keys", "list"]) == 1
    assert main(["keys", "rotate", "receipt"]) == 1
    auth.ensure_keys(tmp_path / "keys", "receipt", "seal")
    kid = auth.load_keys(tmp_path / "keys", "receipt")[0].kid
    assert main(["keys", "retire", "receipt", kid]) == 1
    assert "rotate" in capsys.readouterr().err
    assert main(["keys", "rotate", "receipt"]) == 0
    assert main(["keys", "list", "receipt"]) == 0
    listed = capsys.readouterr().out.splitlines()[-2:]
    assert listed[1] == f"receipt   {kid}  verifies only"
    assert listed[0].endswith("  signs")
    assert main(["keys", "retire", "receipt", kid]) == 0
    assert main(["keys", "retire", "receipt", kid]) == 1
    assert main(["keys", "retire", "receipt"]) == 1
    assert main(["keys", "rotate"]) == 1
    assert kid in auth.load_public_keys(tmp_path / "keys", "receipt")

"""Two exports that each verify by themselves, and yet tell different histories: a split view."""

from pathlib import Path

import asyncpg
import pytest

from app.postgres import Database
from app.verifier.comparing import compare_files
from app.verifier.errors import NotAnExport
from tests.governance_ledger.ledgers import TENANT, record, sign
from tests.governance_ledger.test_verifying import attacker, edit, rehash
from tests.verifier.files import checked, exported, lines_in

__all__ = ["attacker"]


async def rewrite(attacker: asyncpg.Connection, sealer: asyncpg.Connection, seq: int) -> None:
    """Another history, signed with the sealer's own key, as its operator could."""
    await edit(attacker, seq)
    await rehash(attacker)
    for table in ("ledger_checkpoints", "ledger_subtrees"):
        await attacker.execute(f"ALTER TABLE governance_ledger.{table} DISABLE TRIGGER USER")
        await attacker.execute(f"DELETE FROM governance_ledger.{table} WHERE tenant_id = $1", TENANT)
    await sign(sealer)


async def test_a_split_view_is_found_at_its_first_event(
    database: Database, sealer: asyncpg.Connection, attacker: asyncpg.Connection, tmp_path: Path
) -> None:
    await record(database, 30)
    await sign(sealer)
    before = await exported(database, tmp_path, "before.zst")
    await rewrite(attacker, sealer, 12)
    after = await exported(database, tmp_path, "after.zst")
    part = await exported(database, tmp_path, "part.zst", from_seq=20)
    assert checked(before).ok
    assert checked(after).ok
    assert checked(part).ok
    found, late = compare_files(before, after), compare_files(before, part)
    assert found is not None
    assert (found.seq, found.event_id is not None) == (12, True)
    assert "a split view" in found.reason
    assert late is not None
    assert late.seq == 19


async def test_the_checkpoint_that_an_auditor_kept_shows_a_rewritten_history(
    database: Database, sealer: asyncpg.Connection, attacker: asyncpg.Connection, tmp_path: Path
) -> None:
    await record(database, 30)
    await sign(sealer)
    note = await sealer.fetchval("SELECT note FROM governance_ledger.ledger_checkpoints WHERE tenant_id = $1", TENANT)
    await rewrite(attacker, sealer, 12)
    path = await exported(database, tmp_path)
    report = checked(path, expected=[note])
    assert checked(path).ok
    assert report.first_break is not None
    assert "another than the checkpoint that you hold signed" in report.first_break.reason


async def test_ranges_of_one_history_agree(database: Database, sealer: asyncpg.Connection, tmp_path: Path) -> None:
    for _ in range(3):
        await record(database, 10)
        await sign(sealer)
    whole, first = await exported(database, tmp_path, "a"), await exported(database, tmp_path, "b", to_seq=10)
    middle, last = (
        await exported(database, tmp_path, "c", from_seq=8, to_seq=15),
        await exported(database, tmp_path, "d", from_seq=25),
    )
    assert [compare_files(whole, other) for other in (whole, first, middle, last)] == [None] * 4
    assert compare_files(first, middle) is None
    with pytest.raises(NotAnExport, match="have no event in common"):
        compare_files(first, last)


async def test_an_export_that_was_interrupted_anywhere_goes_on_to_the_same_file(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    for _ in range(3):
        await record(database, 1500)
        await sign(sealer)
    whole = await exported(database, tmp_path, "whole.zst")
    packed, said = whole.read_bytes(), lines_in(whole)
    for share in (0, 3, 30, 60, 97, 100):
        part = tmp_path / "again.zst.part"
        part.write_bytes(packed[: len(packed) * share // 100])
        again = await exported(database, tmp_path, "again.zst")
        assert checked(again).first_break is None
        if share >= 3:
            assert lines_in(again) == said
        assert not part.exists()

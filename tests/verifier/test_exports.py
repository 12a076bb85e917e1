"""An export holds what signed checkpoints cover, and verifies from its bytes and one public key."""

from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from app.governance_ledger.planning import RangeRefused
from app.governance_ledger.proving import NotCovered
from app.postgres import Database
from app.verifier import lines
from tests.governance_ledger.ledgers import OTHER, TENANT, record, sign
from tests.verifier.files import checked, exported, lines_in


@pytest.fixture
async def forty(database: Database, sealer: asyncpg.Connection) -> None:
    """40 events of the tenant with a checkpoint at 10, 20, 30 and 40, and three of another tenant."""
    for _ in range(4):
        await record(database, 10)
        await sign(sealer)
    await record(database, 3, OTHER)
    await sign(sealer)


@pytest.mark.usefixtures("forty")
async def test_an_export_verifies(database: Database, tmp_path: Path) -> None:
    report = checked(await exported(database, tmp_path))
    assert report.first_break is None
    assert (report.ok, report.from_seq, report.to_seq, report.events, report.checkpoints) == (True, 1, 40, 40, 4)
    assert report.checkpoint is not None
    assert report.checkpoint["size"] == 40


@pytest.mark.usefixtures("forty")
@pytest.mark.parametrize(("first", "last", "leaves"), [(1, 5, 5), (11, 20, 0), (13, 27, 3), (33, 40, 0), (40, 40, 0)])
async def test_a_range_verifies_up_to_the_checkpoint_that_covers_it(
    database: Database, tmp_path: Path, first: int, last: int, leaves: int
) -> None:
    path = await exported(database, tmp_path, from_seq=first, to_seq=last)
    report = checked(path)
    assert report.first_break is None
    assert (report.ok, report.events) == (True, last - first + 1)
    assert len([line for line in lines_in(path) if line.startswith(lines.LEAF)]) == leaves


async def test_what_no_checkpoint_covers_is_not_exported(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    await record(database, 3)
    with pytest.raises(NotCovered, match="no signed checkpoint yet"):
        await exported(database, tmp_path)
    await sign(sealer)
    with pytest.raises(NotCovered, match="event 4 is covered by no signed checkpoint yet: 3 are"):
        await exported(database, tmp_path, to_seq=4)
    with pytest.raises(RangeRefused, match="events 1 to 3 are signed"):
        await exported(database, tmp_path, from_seq=3, to_seq=2)


async def test_a_range_that_would_cut_a_transaction_takes_all_of_it(
    database: Database, ledger: Path, tmp_path: Path
) -> None:
    """Which event of a transaction accounts for which row change shows in the whole of it alone."""
    widest = 0
    for first in range(1, 19):
        for last in {first, 18}:
            path = await exported(database, tmp_path, f"{first}-{last}", from_seq=first, to_seq=last)
            report = checked(path)
            assert report.first_break is None, (first, last, report.first_break)
            assert report.from_seq <= first <= last <= report.to_seq
            widest = max(widest, first - report.from_seq)
    assert widest > 0
    bare = checked(await exported(database, tmp_path, "bare", from_seq=3, to_seq=5, changes=False))
    assert (bare.ok, bare.from_seq, bare.to_seq) == (True, 3, 5)


async def test_a_range_may_be_given_by_the_time_of_sealing(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    sealed_at = "SELECT max(sealed_at) FROM governance_ledger.ledger_seals WHERE tenant_id = $1"
    moments = []
    for _ in range(3):
        await record(database, 4)
        await sign(sealer)
        moments.append(await sealer.fetchval(sealed_at, TENANT) + timedelta(microseconds=1))
    middle = checked(await exported(database, tmp_path, "middle", since=moments[0], until=moments[1]))
    early = checked(await exported(database, tmp_path, "early", until=moments[0]))
    assert (middle.ok, middle.from_seq, middle.to_seq) == (True, 5, 8)
    assert (early.ok, early.from_seq, early.to_seq) == (True, 1, 4)
    with pytest.raises(RangeRefused, match="no signed event lies in"):
        await exported(database, tmp_path, "late", since=moments[2])

"""How many processes verify an export is nobody's business but the clock's: the report is the same."""

from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from app.postgres import Database
from app.verifier import lines
from tests.governance_ledger.ledgers import record, sign
from tests.verifier.files import checked, exported, lines_in, written
from tests.verifier.test_tampering import Lines, drop_the_last_line, place, rehashed

EVENTS = 6_000


@pytest.fixture
async def content(database: Database, sealer: asyncpg.Connection, tmp_path: Path) -> Lines:
    """A ledger of many more events than are judged in one go, under two checkpoints."""
    for _ in range(2):
        await record(database, EVENTS // 2)
        await sign(sealer)
    return lines_in(await exported(database, tmp_path))


def edited(content: Lines, *numbers: int) -> Lines:
    """Whitespace in those events: no longer canonical, the same value."""
    content = list(content)
    for number in numbers:
        at = place(content, lines.EVENT, number)
        content[at] = content[at].replace(b'"number":', b'"number": ', 1)
    return content


def leave_it(content: Lines) -> Lines:
    return content


def break_the_chain(content: Lines) -> Lines:
    return edited(content, 700)


def break_three_documents_and_rehash(content: Lines) -> Lines:
    """The chain's break, at the checkpoint behind them, is not the first place."""
    return rehashed(edited(content, 2_900, 1_100, 700))


def break_late_documents_and_rehash(content: Lines) -> Lines:
    return rehashed(edited(content, 5_800, 5_200))


ALL = (leave_it, break_the_chain, break_three_documents_and_rehash, break_late_documents_and_rehash, drop_the_last_line)


async def test_the_report_and_the_first_break_are_the_same_for_any_number_of_processes(
    content: Lines, tmp_path: Path
) -> None:
    differing = {}
    for forge in ALL:
        path = written(tmp_path / "ledger.ndjson", forge(content))
        alone, together = (reported(path, jobs) for jobs in (1, 3))
        if alone != together or (alone["first_break"] is None) != (forge is leave_it):
            differing[forge.__name__] = (alone, together)
    assert differing == {}


@pytest.mark.parametrize("forge", [break_three_documents_and_rehash, break_late_documents_and_rehash])
async def test_the_first_of_several_broken_documents_is_named(
    content: Lines, tmp_path: Path, forge: Callable[[Lines], Lines]
) -> None:
    forged = forge(content)
    found = checked(written(tmp_path / "ledger.ndjson", forged)).first_break
    assert found is not None
    assert found.line == next(at for at, line in enumerate(forged, 1) if b'"number": ' in line)
    assert "not canonical" in found.reason


def reported(path: Path, jobs: int) -> dict[str, object]:
    """The report, but for how long it took."""
    return checked(path, jobs=jobs).as_json() | {"seconds": None}

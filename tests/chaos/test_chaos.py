"""Small games of `make chaos`: every kind of process is killed and nothing is lost, doubled or blindly repeated; the
evidence store is killed, work goes on and nothing is missing afterwards."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.__main__ import outage_table, table
from tests.chaos.outage import LATE, play_outage
from tests.chaos.playing import play

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def home() -> Iterator[Path]:
    """Where the database's own account can come in."""
    folder = Path(tempfile.mkdtemp(prefix="flr-chaos-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


async def test_a_dozen_random_kills_lose_double_and_repeat_nothing(home: Path) -> None:
    played = await play(home, kills=12, tell=lambda _: None)
    assert played.findings.ok, table(played)
    assert sum(played.kills.values()) == 12
    assert played.findings.tickets >= 5
    assert played.findings.continued


async def test_without_the_evidence_store_work_goes_on_and_every_object_is_there_afterwards(home: Path) -> None:
    played = await play_outage(home, seconds=10, tell=lambda _: None)
    assert played.ok, outage_table(played)
    assert played.gone_on.done >= 5
    assert played.gone_on.waited == LATE
    assert played.spool_objects > 20
    assert played.audited["same"] > played.spool_objects

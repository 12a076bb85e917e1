"""A small game of `make chaos`: every kind of process is killed, nothing is lost, doubled or blindly repeated."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.__main__ import table
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

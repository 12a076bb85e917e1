from collections.abc import Iterator

import pytest

from tests.adapters.seaweed import Seaweed, running_seaweed


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """A real S3 server, started once; each test takes a prefix of its own."""
    with running_seaweed(tmp_path_factory.mktemp("seaweed")) as server:
        yield server

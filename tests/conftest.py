"""What every test may ask for: a real PostgreSQL, a fresh database in it, and no network but loopback."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from app.postgres import Database
from tests.databases import Cluster, open_cluster
from tests.event_shapes import check_events
from tests.loopback import LoopbackLoop, allow_loopback_only

allow_loopback_only()

WRITERS = {"execution_graph", "founder_console", "journeys", "role_registry", "work_queue"}
"""Tests of these rooms write events through the rooms alone, so each of them has the shape that is registered."""


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, type[LoopbackLoop]]:
    """Tests run on the loop that the product's processes run on."""
    return {"uvloop": LoopbackLoop}


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """This worker's own PostgreSQL, or the one that DATABASE_URL names, with a migrated template."""
    with open_cluster(os.environ.get("DATABASE_URL")) as opened:
        yield opened


@pytest.fixture
def home() -> Iterator[Path]:
    """An FLR_HOME not made yet, where the database's account can enter, with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="flr-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "home"


@pytest.fixture
async def database_name(cluster: Cluster, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A database of this test alone: all migrations applied, no rows. What it wrote is registered."""
    name = await asyncio.wrap_future(cluster.take())
    yield name
    if request.path.parent.name in WRITERS and request.node.get_closest_marker("made_up_events") is None:
        await check_events(cluster.url(None, name))
    cluster.give_back(name)


@pytest.fixture
def dsn(cluster: Cluster, database_name: str) -> str:
    """The test's database, as the application's role."""
    return cluster.url("flr_app", database_name)


@pytest.fixture
def sealer_dsn(cluster: Cluster, database_name: str) -> str:
    """The test's database, as the sealer's role."""
    return cluster.url("flr_sealer", database_name)


@pytest.fixture
def superuser_dsn(cluster: Cluster, database_name: str) -> str:
    """The test's database, as the administrator."""
    return cluster.url(None, database_name)


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """The application's pool on the test's database."""
    async with Database(dsn) as opened:
        yield opened


@pytest.fixture
async def application(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A bare connection as the application's role: no tenant, no transaction."""
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def superuser(superuser_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that no policy and no grant holds back."""
    connection = await asyncpg.connect(superuser_dsn)
    yield connection
    await connection.close()

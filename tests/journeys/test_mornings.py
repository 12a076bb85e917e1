"""The brief with real workers: two of them, killed while they tell, and started again: one notification a day."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from app.cli.founding import Founded, found_company
from app.database_urls import app_url
from app.founder_console.channels.push import subscribe
from app.founder_console.model import NewSubscription, Preferences
from app.founder_console.store import fetch_founder, update_preferences
from app.postgres import Database, Transaction
from tests.databases import Cluster
from tests.founder_console.push_service import PushService, push_service
from tests.processes import Machine, machine, wait_until

pytestmark = pytest.mark.timeout(240)

T = TypeVar("T")


@pytest.fixture
def service() -> Iterator[PushService]:
    with push_service() as running:
        yield running


@pytest.fixture
def served(cluster: Cluster, tmp_path: Path, service: PushService) -> Iterator[Machine]:
    name = cluster.take().result()
    tmp_path.chmod(0o700)
    with machine(tmp_path, cluster.url(None, name), FLR_PUSH_ALLOW_HOSTS=service.address) as made:
        yield made
    cluster.give_back(name)


def in_company(served: Machine, founded: Founded, work: Callable[[Transaction], Awaitable[T]]) -> T:
    async def inside() -> T:
        database = Database(app_url(served.settings), max_size=2)
        async with database, database.transaction(founded.tenant) as tx:
            return await work(tx)

    return asyncio.run(inside())


def woken(served: Machine, service: PushService) -> Founded:
    """A company whose founder has a phone, and a brief that became due a minute ago."""
    founded = asyncio.run(found_company(served.settings, name="Kopi Senja", founder="Dewi", language="id"))
    hour = (datetime.now(UTC) - timedelta(minutes=1)).time().replace(microsecond=0)

    async def work(tx: Transaction) -> None:
        new = NewSubscription(service.endpoint("ok"), service.p256dh, service.auth)
        await subscribe(tx, founded.founder, new, (service.address,))
        wanted = Preferences("id", "auto", False, time_zone="UTC", brief_at=hour)
        await update_preferences(tx, founded.founder, wanted)

    in_company(served, founded, work)
    return founded


def settled(served: Machine, founded: Founded) -> bool:
    """Whether the day is marked as told and no message about it waits."""

    async def work(tx: Transaction) -> bool:
        founder = await fetch_founder(tx, founded.founder)
        waiting = await tx.connection.fetchval(
            "SELECT count(*) FROM work_queue.pgqueuer WHERE entrypoint = 'brief_due'"
        )
        return founder is not None and founder.brief_told_on is not None and waiting == 0

    return in_company(served, founded, work)


def test_two_workers_tell_once(served: Machine, service: PushService) -> None:
    founded = woken(served, service)
    for name in ("one", "two"):
        served.start(name, "app.cli", "worker")
    wait_until(lambda: service.received and settled(served, founded), seconds=90, said=served.said("one"))
    assert len(service.received) == 1


def test_workers_that_are_killed_while_they_tell_leave_one_notification(served: Machine, service: PushService) -> None:
    """The same tag again takes the place of what is shown, should a worker have died before it noted what it sent."""
    founded = woken(served, service)
    for name in ("one", "two"):
        served.start(name, "app.cli", "worker")
    wait_until(lambda: service.received, seconds=90, said=served.said("one"))
    for name in ("one", "two"):
        served.kill(name)
    served.start("three", "app.cli", "worker")
    wait_until(lambda: settled(served, founded), seconds=90, said=served.said("three"))
    assert 1 <= len(service.received) <= 2
    shown = [one["json"]["notification"] for one in service.received]
    assert len({one["tag"] for one in shown}) == 1
    assert not any(one["renotify"] for one in shown)

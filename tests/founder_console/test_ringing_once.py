"""A phone rings once though the worker that rang it died, and is not forgotten though nobody knows whether it rang."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from uuid import UUID

import msgspec

from app.founder_console.channels.attempts import UNSURE_SECONDS
from app.founder_console.channels.push import subscribe
from app.founder_console.channels.ringing import RETRY_SECONDS
from app.founder_console.model import NewSubscription
from app.founder_console.store import push_received
from app.messages import QuietOver
from app.work_queue import Approval, decide
from tests.builders import APPROVALS
from tests.founder_console.test_push import Office, office, sender, service, settings
from tests.founder_console.test_quiet import rest

__all__ = ["office", "sender", "service", "settings"]

WAITS = """
SELECT extract(epoch FROM execute_after - now())::int AS wait FROM work_queue.pgqueuer
 WHERE entrypoint = $1 AND execute_after > now()
"""


async def killed_while_it_rings(office: Office, dsn: str, asked: Approval) -> None:
    """A worker's process sends the notification, and is gone before it hears what became of it."""
    given = (dsn, str(office.settings.home), str(office.tenant), str(asked.id), office.service.address)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.founder_console.ringing_process", *given, start_new_session=True
    )
    async with asyncio.timeout(60):
        while not office.service.received:
            assert process.returncode is None, "it sends before it ends"
            await asyncio.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL


async def waits(office: Office, entrypoint: str = "approval_raised") -> Sequence[int]:
    """In how many seconds such messages are delivered."""
    async with office.database.transaction(office.tenant) as tx:
        return [row["wait"] for row in await tx.connection.fetch(WAITS, entrypoint)]


async def let_time_pass(office: Office, seconds: int) -> None:
    async with office.database.transaction(office.tenant) as tx:
        await tx.connection.execute(
            "UPDATE founder_console.push_receipts SET sent_at = sent_at - make_interval(secs => $1)", float(seconds)
        )


def tags(office: Office) -> list[str]:
    return [one["json"]["notification"]["tag"] for one in office.service.received]


def receipt_of(office: Office) -> UUID:
    return UUID(office.service.received[0]["json"]["notification"]["data"]["receipt"])


async def test_a_worker_killed_between_sending_and_noting_is_not_followed_by_a_second_ring(
    office: Office, dsn: str
) -> None:
    await office.subscribe("mute")
    asked = await office.ask()
    await killed_while_it_rings(office, dsn, asked)
    await office.ring(asked)
    assert tags(office) == [f"ap-{asked.id}"], "delivered again: it may have rung"
    [wait] = await waits(office)
    assert 0 < wait <= UNSURE_SECONDS + 1, "and is looked at again"


async def test_a_phone_that_says_it_has_shown_it_is_never_rung_again(office: Office, dsn: str) -> None:
    await office.subscribe("mute")
    asked = await office.ask()
    await killed_while_it_rings(office, dsn, asked)
    async with office.database.transaction(office.tenant) as tx:
        await push_received(tx, receipt_of(office))
    await let_time_pass(office, UNSURE_SECONDS)
    await office.ring(asked)
    assert len(tags(office)) == 1


async def test_a_phone_that_stays_silent_is_rung_again_in_the_place_of_the_first(office: Office, dsn: str) -> None:
    await office.subscribe("mute")
    asked = await office.ask()
    await killed_while_it_rings(office, dsn, asked)
    await let_time_pass(office, UNSURE_SECONDS)
    await office.ring(asked)
    assert tags(office) == [f"ap-{asked.id}"] * 2, "missing a ring is worse than hearing two"
    await office.ring(asked)
    assert len(tags(office)) == 2


async def test_what_may_have_rung_is_taken_back_when_it_is_answered(office: Office, dsn: str) -> None:
    await office.subscribe("mute")
    asked = await office.ask()
    await killed_while_it_rings(office, dsn, asked)
    async with office.database.transaction(office.tenant) as tx:
        await decide(tx, asked.id, "reject", by=office.by, signer=APPROVALS, proof=None)
    await office.hush(asked)
    closed = [one["json"]["notification"]["data"]["closed"] for one in office.service.received]
    assert closed == [False, True]


async def test_a_push_service_that_cannot_be_reached_has_rung_nobody(office: Office) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{taken.getsockname()[1]}"
    new = NewSubscription(f"http://{nobody}/push", office.service.p256dh, office.service.auth)
    allowed = (*office.settings.push_allow_hosts, nobody)
    made = Office(
        office.database,
        msgspec.structs.replace(office.settings, push_allow_hosts=allowed),
        office.sender,
        office.service,
    )
    await made.found()
    async with made.database.transaction(made.tenant) as tx:
        await subscribe(tx, made.founder.id, new, allowed)
    asked = await made.ask()
    for tried in range(1, 3):
        await made.ring(asked)
        assert len(await waits(made)) == tried, "it is tried again"


async def test_a_service_that_stays_busy_is_asked_a_third_time(office: Office) -> None:
    """The message that asks again is still being handled when the next one is queued."""
    await office.subscribe("busy")
    asked = await office.ask()
    for _ in range(2):
        await office.ring(asked)
        await let_time_pass(office, 8)
        async with office.database.transaction(office.tenant) as tx:
            await tx.connection.execute("UPDATE work_queue.pgqueuer SET status = 'picked'")
    await office.ring(asked)
    assert len(office.service.received) == 3
    assert len(await waits(office)) == 3


async def test_what_quiet_hours_held_back_is_not_lost_with_the_worker_that_sums_it_up(office: Office) -> None:
    await office.subscribe("down")
    await rest(office)
    for number in range(2):
        await office.ring(await office.ask(in_seconds=86_400, act_digest=f"{number:064d}"))
    over = QuietOver(office.tenant, office.founder.id)
    await office.handlers["quiet_over"](over)
    assert min(await waits(office, "quiet_over")) <= RETRY_SECONDS, "a service that is down is asked again"
    await office.handlers["quiet_over"](over)
    assert tags(office) == ["quiet"] * 2

"""kill -9 of the worker at each point that matters, and at random: nothing lost, doubled or blindly repeated."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from app.adapters.evidence import FolderStore
from app.auth import raw_public
from app.canon.contract import ProcedureStep, ToolRule
from app.execution_graph import Run, runs_of_ticket
from app.execution_graph.taking import LEASE_SECONDS
from app.governance_ledger import sealing, verify_chain
from app.postgres import Database
from tests.builders import APPROVALS
from tests.execution_graph.crashing import crash_tools
from tests.execution_graph.ring import Endpoint, Ring, steps_of
from tests.journeys.receiver import Receiver, http_receiver

pytestmark = pytest.mark.timeout(240)

ROOT = Path(__file__).parents[2]
NOTE = ProcedureStep("write_note", {"text": "{{ ticket.title }}"})


class Workers:
    """Worker processes over the test's database, to be killed."""

    def __init__(self, url: str, folder: Path, receiver: str) -> None:
        self._argv = [url, str(folder), _approval_key(), receiver]
        self._folder = folder
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        log = (self._folder / "workers.log").open("ab")
        argv = [sys.executable, "-m", "tests.execution_graph.crashing", *self._argv]
        self.running.append(subprocess.Popen(argv, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT))
        log.close()

    def kill(self, which: int = 0) -> None:
        """kill -9, and reap."""
        process = self.running.pop(which)
        process.kill()
        process.wait()

    def end(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def said(self) -> str:
        return (self._folder / "workers.log").read_text()[-4000:]


def _approval_key() -> str:
    (public,) = APPROVALS.keys.by_kid.values()
    return raw_public(public).hex()


@pytest.fixture
def receiver_and_address() -> Iterator[tuple[Receiver, str]]:
    with http_receiver() as served:
        yield served


@pytest.fixture
def receiver(receiver_and_address: tuple[Receiver, str]) -> Receiver:
    return receiver_and_address[0]


@pytest.fixture
async def ring(database: Database, tmp_path: Path, receiver_and_address: tuple[Receiver, str]) -> Ring:
    tools = crash_tools(tmp_path, receiver_and_address[1])
    return await Ring(database, FolderStore(tmp_path / "evidence"), tools, Endpoint()).found()


@pytest.fixture
async def workers(dsn: str, tmp_path: Path, receiver_and_address: tuple[Receiver, str]) -> AsyncIterator[Workers]:
    made = Workers(dsn, tmp_path, receiver_and_address[1])
    yield made
    await asyncio.to_thread(made.end)


async def until(what: Callable[[], Awaitable[bool]], workers: Workers, seconds: float = 60) -> float:
    """Waits for it; how long it took."""
    begun = time.monotonic()
    while not await what():
        assert time.monotonic() - begun < seconds, workers.said()
        await asyncio.sleep(0.05)
    return time.monotonic() - begun


def appears(path: Path) -> Callable[[], Awaitable[bool]]:
    async def exists() -> bool:
        return await asyncio.to_thread(path.exists)

    return exists


def becomes(ring: Ring, run: Run, *statuses: str) -> Callable[[], Awaitable[bool]]:
    async def reached() -> bool:
        return (await ring.view(run)).run.status in statuses

    return reached


async def test_killed_after_the_insert_and_before_the_commit_of_a_local_effect(
    ring: Ring, workers: Workers, superuser: asyncpg.Connection
) -> None:
    role = await ring.hire("write_note", procedure=[ProcedureStep("write_note", {"text": "first"}), NOTE])
    run = await ring.start(await ring.open(role))
    async with superuser.transaction():
        await superuser.execute("LOCK TABLE governance_ledger.evidence_objects IN SHARE MODE")
        workers.start()
        await until(lambda: blocked(superuser), workers)
        workers.kill()
    assert await ring.count("notes") == 0
    workers.start()
    await until(becomes(ring, run, "done"), workers)
    assert await ring.count("notes") == 2


async def blocked(superuser: asyncpg.Connection) -> bool:
    waiting = await superuser.fetchval(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND (locktype = 'transactionid' OR database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database()))"
    )
    return bool(waiting)


async def test_killed_after_the_effect_and_before_its_record_an_idempotent_call_keeps_its_key(
    ring: Ring, workers: Workers, receiver: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "stop-after-post").touch()
    run = await ring.start(await ring.open(await ring.hire("post_again", procedure=[ProcedureStep("post_again")])))
    workers.start()
    await until(appears(tmp_path / "at-after-post"), workers)
    workers.start()
    (tmp_path / "stop-after-post").unlink()
    await asyncio.sleep(3)
    workers.kill()
    took = await until(becomes(ring, run, "done"), workers)
    assert took < LEASE_SECONDS, f"another worker went on after {took:.1f} s: the lease of the dead one was waited for"
    assert len(receiver.requests) == 2
    assert len(receiver.keys()) == 1


async def test_killed_after_the_effect_and_before_its_record_any_other_call_is_asked_about(
    ring: Ring, workers: Workers, receiver: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "stop-after-post").touch()
    role = await ring.hire("post_once", "write_note", procedure=[ProcedureStep("post_once"), NOTE])
    run = await ring.start(await ring.open(role))
    workers.start()
    await until(appears(tmp_path / "at-after-post"), workers)
    workers.kill()
    (tmp_path / "stop-after-post").unlink()
    workers.start()
    await until(becomes(ring, run, "held"), workers)
    assert steps_of(await ring.view(run)) == [("post_once", "unknown")]
    await ring.decide(run)
    await until(becomes(ring, run, "done"), workers)
    assert len(receiver.requests) == 1


async def test_killed_while_the_run_is_held_the_approval_is_used_by_another(ring: Ring, workers: Workers) -> None:
    run = await ring.start(await ring.open(await ring.hire(ToolRule("write_note", "ask"), procedure=[NOTE])))
    workers.start()
    await until(becomes(ring, run, "held"), workers)
    workers.kill()
    await ring.decide(run)
    assert await ring.count("notes") == 0
    workers.start()
    await until(becomes(ring, run, "done"), workers)
    assert await ring.count("notes") == 1


async def test_killed_between_the_use_of_an_approval_and_the_commit_it_can_still_be_used(
    ring: Ring, workers: Workers, superuser: asyncpg.Connection
) -> None:
    run = await ring.start(await ring.open(await ring.hire(ToolRule("write_note", "ask"), procedure=[NOTE])))
    workers.start()
    await until(becomes(ring, run, "held"), workers)
    async with superuser.transaction():
        await superuser.execute("LOCK TABLE execution_graph.notes IN SHARE MODE")
        await ring.decide(run)
        await until(lambda: blocked(superuser), workers)
        workers.kill()
    workers.start()
    await until(becomes(ring, run, "done"), workers)
    assert await ring.count("notes") == 1
    (done,) = await ring.events(run, "tool.done")
    assert done.approval_signature


async def test_killed_in_a_model_call_the_call_is_made_again_and_said_so(
    ring: Ring, workers: Workers, tmp_path: Path
) -> None:
    (tmp_path / "stop-in-model").touch()
    role = await ring.hire("write_note", worker="smolagents")
    run = await ring.start(await ring.open(role))
    workers.start()
    await until(appears(tmp_path / "at-in-model"), workers)
    workers.kill()
    (tmp_path / "stop-in-model").unlink()
    workers.start()
    await until(becomes(ring, run, "failed", "returned", "done"), workers)
    repeated = await ring.events(run, "model.repeated")
    assert [event.data["billed_again"] for event in repeated] == [True]
    assert len((tmp_path / "thoughts").read_text()) >= 2


async def test_a_worker_that_is_told_to_end_gives_its_runs_to_another_at_once(
    ring: Ring, workers: Workers, receiver: Receiver
) -> None:
    receiver.delay_seconds = 1.0
    steps = [ProcedureStep("post_once", {"what": str(number)}) for number in range(4)]
    run = await ring.start(await ring.open(await ring.hire("post_once", procedure=steps)))
    workers.start()
    await until(lambda: asyncio.to_thread(receiver.arrived.wait, 0.05), workers)
    workers.start()
    await asyncio.sleep(4)
    first = workers.running.pop(0)
    first.terminate()
    assert await asyncio.to_thread(first.wait, 20) == 0
    await until(becomes(ring, run, "done"), workers)
    assert len(receiver.requests) == len(receiver.keys()) == 4
    assert not await ring.events(run, "tool.unknown")


async def test_a_run_goes_on_when_the_database_has_dropped_every_connection(
    ring: Ring, workers: Workers, receiver: Receiver, superuser: asyncpg.Connection
) -> None:
    receiver.delay_seconds = 1.0
    steps = [NOTE, ProcedureStep("post_again"), ProcedureStep("write_note", {"text": "after"})]
    run = await ring.start(await ring.open(await ring.hire("write_note", "post_again", procedure=steps)))
    workers.start()
    await until(lambda: asyncio.to_thread(receiver.arrived.wait, 0.05), workers)
    await superuser.execute(DROP_CONNECTIONS)
    await until(becomes(ring, run, "done"), workers)
    assert await ring.count("notes") == 2


DROP_CONNECTIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = 'flr_app' AND pid <> pg_backend_pid()
"""


@pytest.fixture
def in_parts(tmp_path: Path) -> None:
    (tmp_path / "in-parts").touch()


async def parts_of(ring: Ring, run: Run) -> tuple[Run, ...]:
    async with ring.transaction() as tx:
        return await runs_of_ticket(tx, run.ticket_id)


@pytest.mark.usefixtures("in_parts")
async def test_killed_in_the_hand_over_of_a_full_part_there_is_one_next_part(
    ring: Ring, workers: Workers, superuser: asyncpg.Connection
) -> None:
    many = ProcedureStep("write_note", {"text": "no. {{ item }}"}, for_each="range(10)")
    run = await ring.start(await ring.open(await ring.hire("write_note", procedure=[many])))
    rival = superuser.transaction()
    await rival.start()
    await superuser.execute(_RIVAL_PART, run.id)
    workers.start()
    await until(lambda: blocked(superuser), workers)
    workers.kill()
    await rival.rollback()
    (left,) = await parts_of(ring, run)
    assert (left.status, len((await ring.view(left)).steps)) == ("running", 4)
    workers.start()

    async def all_done() -> bool:
        return (await ring.ticket(run)).status == "done"

    await until(all_done, workers)
    assert [part.status for part in await parts_of(ring, run)] == ["continued", "continued", "done"]
    assert await ring.count("notes") == 10


_RIVAL_PART = """
INSERT INTO execution_graph.runs (id, tenant_id, ticket_id, status, backbone, created_at, part_number, continues,
  first_run_id)
SELECT gen_random_uuid(), tenant_id, gen_random_uuid(), 'done', '', now(), 2, id, id FROM execution_graph.runs
WHERE id = $1
"""


@pytest.mark.usefixtures("in_parts")
async def test_random_kills_of_work_in_parts_lose_nothing_and_double_nothing(
    ring: Ring, workers: Workers, receiver: Receiver, sealer_dsn: str
) -> None:
    steps = [
        ProcedureStep("write_note", {"text": "no. {{ item }}"}, for_each="range(6)"),
        ProcedureStep("post_again", {"what": "x"}),
        ProcedureStep("write_note", {"text": "last"}),
        ProcedureStep("post_again", {"what": "y"}),
    ]
    role = await ring.hire("write_note", "post_again", procedure=steps)
    runs = [await ring.start(await ring.open(role, title=f"Ticket {number}")) for number in range(8)]
    receiver.delay_seconds = 0.3

    async def all_done() -> bool:
        return all([(await ring.ticket(run)).status == "done" for run in runs])

    workers.start()
    for _ in range(5):
        workers.start()
        await asyncio.sleep(random.uniform(1, 2.5))
        workers.kill()
    await until(all_done, workers, seconds=150)
    assert await ring.count("notes") == 7 * len(runs)
    assert len({key for _, _, key in receiver.requests}) == 2 * len(runs)
    for run in runs:
        parts = await parts_of(ring, run)
        assert [part.status for part in parts] == ["continued", "continued", "done"]
        assert [step.step for part in parts for step in (await ring.view(part)).steps] == list(range(1, 10))
    await assert_chain_holds(ring, sealer_dsn)


async def test_random_kills_lose_nothing_and_double_nothing(
    ring: Ring, workers: Workers, receiver: Receiver, sealer_dsn: str
) -> None:
    steps = [
        ProcedureStep("write_note", {"text": "one"}),
        ProcedureStep("post_again", {"what": "x"}),
        ProcedureStep("write_document", {"name": "report.md", "media_type": "text/markdown", "content": "# Report"}),
        ProcedureStep("post_once", {"what": "y"}),
        ProcedureStep("write_note", {"text": "two"}),
    ]
    role = await ring.hire("write_note", "write_document", "post_again", "post_once", procedure=steps)
    runs = [await ring.start(await ring.open(role, title=f"Ticket {number}")) for number in range(10)]
    receiver.delay_seconds = 0.3
    workers.start()
    for _ in range(6):
        workers.start()
        await until(lambda: is_driven(ring, runs), workers)
        await asyncio.sleep(random.uniform(0, 1))
        workers.kill()
    await until(lambda: settled(ring, runs), workers, seconds=150)
    assert await ring.count("notes") == 2 * len(runs)
    assert await ring.count("documents") == len(runs)
    once = [key for _, path, key in receiver.requests if path.endswith("post_once")]
    assert len(once) == len(set(once)), "no blind retry"
    again = {key for _, path, key in receiver.requests if path.endswith("post_again")}
    assert len(again) == len(runs)
    assert await ring.events(kind="run.taken_over"), "the kills hit runs under way"
    await assert_chain_holds(ring, sealer_dsn)


async def is_driven(ring: Ring, runs: list[Run]) -> bool:
    """A worker has one of the runs in hand, or all are over."""
    views = [await ring.view(run) for run in runs]
    return any(view.driven for view in views) or not any(view.run.is_open for view in views)


async def settled(ring: Ring, runs: list[Run]) -> bool:
    """Every run is done; the founder answers what is asked: the receiver got it. Until a worker takes the answer up,
    the run is still held and nothing is asked."""
    over = True
    for run in runs:
        status = (await ring.view(run)).run.status
        if status == "held" and await ring.is_asked(run):
            await ring.decide(run)
        over = over and status == "done"
        assert status in ("queued", "running", "held", "done"), f"{status}: {(await ring.view(run)).run.summary}"
    return over


async def assert_chain_holds(ring: Ring, sealer_dsn: str) -> None:
    connection = await asyncpg.connect(sealer_dsn)
    await sealing.seal(connection)
    await connection.close()
    async with ring.transaction() as tx:
        report = await verify_chain(tx, full=True)
    assert report.ok, report
    assert report.unsealed.count == 0

"""With the evidence store away no run fails: what needs a file that is there waits, and goes on when it is back."""

from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.adapters.evidence import FolderStore
from app.canon.contract import ProcedureStep
from app.execution_graph import Run, RunView, store
from app.governance_ledger.sealing import Mover
from app.role_registry import Role
from app.work_queue import attach_input
from tests.execution_graph.ring import Ring, steps_of
from tests.execution_graph.test_attacks import LETTER, hired

READ_AND_NOTE = (ProcedureStep("read_input", {"name": "list.txt"}), ProcedureStep("write_note", {"text": "read"}))


@pytest.fixture
async def mover(sealer_dsn: str, tmp_path: Path) -> AsyncIterator[Callable[[], Any]]:
    """Moves what is spooled to the ring's store."""
    connection = await asyncpg.connect(sealer_dsn)
    yield lambda: Mover(FolderStore(tmp_path / "evidence")).move(connection)
    await connection.close()


@contextmanager
def away(tmp_path: Path) -> Any:
    """The store does not answer: its folder is a link to itself."""
    place, aside = tmp_path / "evidence", tmp_path / "aside"
    place.rename(aside)
    place.symlink_to(place)
    yield
    place.unlink()
    aside.rename(place)


async def started(ring: Ring, role: Role, *, trusted: bool = True) -> Run:
    """A run of a ticket with the file `list.txt`."""
    ticket = await ring.open(role, instructions="Invite all on the list.")
    async with ring.transaction() as tx:
        await attach_input(
            tx,
            ticket.id,
            name="list.txt",
            media_type="text/plain",
            content=b"ana@kopi.example",
            trusted=trusted,
            actor=ring.founder.actor,
        )
    return await ring.start(ticket)


async def driven_on(ring: Ring, run: Run) -> RunView:
    """Once the pause is over."""
    async with ring.transaction() as tx:
        await store.want(tx, run.id)
    return await ring.drive(run)


async def test_a_file_that_is_still_in_the_database_is_read_with_the_store_away(ring: Ring, tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    run = await started(ring, await ring.hire("read_input", "write_note", procedure=READ_AND_NOTE))
    with away(tmp_path):
        assert (await ring.drive(run)).run.status == "done"


async def test_a_worker_waits_for_a_file_that_is_in_the_store_and_reads_it_when_that_is_back(
    ring: Ring, mover: Callable[[], Any], tmp_path: Path
) -> None:
    run = await started(ring, await ring.hire("read_input", "write_note", procedure=READ_AND_NOTE), trusted=False)
    assert await mover()
    with away(tmp_path):
        for _ in range(2):
            view = await driven_on(ring, run)
            assert (view.run.status, steps_of(view)) == ("running", [("read_input", "started")])
    view = await driven_on(ring, run)
    assert (view.run.status, steps_of(view)) == ("done", [("read_input", "done"), ("write_note", "done")])
    assert len(await ring.events(run, "tool.failed")) == 0
    assert len(await ring.events(run, "tool.done")) == 2


async def test_the_gate_waits_for_a_file_that_it_has_to_look_into(
    ring: Ring, mover: Callable[[], Any], tmp_path: Path
) -> None:
    run = await started(ring, await hired(ring, ("send_letter", LETTER)))
    assert await mover()
    with away(tmp_path):
        view = await driven_on(ring, run)
        assert (view.run.status, steps_of(view)) == ("running", [])
    view = await driven_on(ring, run)
    assert (view.run.status, steps_of(view)) == ("done", [("send_letter", "done")])
    assert len(ring.outside("send_letter").keys) == 1


async def test_a_run_that_waits_for_the_store_is_not_tried_again_at_once(
    ring: Ring, mover: Callable[[], Any], tmp_path: Path
) -> None:
    run = await started(ring, await ring.hire("read_input", "write_note", procedure=READ_AND_NOTE), trusted=False)
    assert await mover()
    with away(tmp_path):
        await ring.drive(run)
        await ring.drive(run)
    assert len(await ring.events(run, "tool.intended")) == 1
    assert len(await ring.events(run, "tool.repeated")) == 0

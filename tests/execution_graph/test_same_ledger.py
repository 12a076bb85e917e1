"""Swapping a role's engine is one field, and the ledger of the same ticket has the same shape under each (Law 18)."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from app.adapters.agents import engines
from app.adapters.models import OpenAICompatible
from app.canon.contract import Mode, ProcedureStep, ToolRule
from app.execution_graph import runs_of_ticket
from app.execution_graph.executor import Executor
from app.execution_graph.runtime import PartBounds
from app.governance_ledger import RecordedEvent
from tests.adapters.note_model import NOTES, note_model
from tests.execution_graph.ring import Ring

PROCEDURE = [ProcedureStep("write_note", {"text": f"note {number + 1}"}) for number in range(NOTES)]


@pytest.fixture
async def executor(ring: Ring) -> AsyncIterator[Executor]:
    """Engines that need a model ask one that wants the same notes as the procedure."""
    with note_model() as address:
        model = OpenAICompatible(base_url=address, api_key=None, model="scripted", scripted=True)
        yield Executor(msgspec.structs.replace(ring.runtime, model=model), owner=7)
        await model.close()


def shape(events: list[RecordedEvent]) -> list[tuple[object, ...]]:
    """What an auditor reads of the work, without ids, steps and instants, and without the thinking before it."""
    return [
        (
            event.type,
            event.actor.partition(":")[0],
            sorted(event.data),
            sorted(subject.partition("/")[0] for subject in event.subjects),
            bool(event.approval_signature),
            len(event.evidence),
        )
        for event in events
        if not event.type.startswith("model.")
    ]


async def worked(ring: Ring, executor: Executor, mode: Mode, worker: str, backbone: str) -> list[tuple[object, ...]]:
    rule = ToolRule("write_note", mode)
    role = await ring.hire(
        rule, procedure=PROCEDURE, name=f"Mira {worker} {backbone}", worker=worker, backbone=backbone
    )
    run = await ring.start(await ring.open(role))
    view = await ring.drive(run, executor)
    while view.run.status == "held":
        await ring.decide(run)
        view = await ring.drive(run, executor)
    assert (view.run.status, view.totals.tool_calls) == ("done", NOTES)
    return shape(await ring.events(run))


@pytest.mark.parametrize("mode", ["allow", "ask"])
async def test_the_same_ticket_leaves_a_ledger_of_the_same_shape_under_each_worker(
    ring: Ring, executor: Executor, mode: Mode
) -> None:
    inside = [name for name in engines("worker") if name != "external"]  # whose agent is played in test_outside_agents
    shapes = {name: await worked(ring, executor, mode, worker=name, backbone="plain") for name in inside}
    assert len(shapes["procedure"]) > NOTES
    for name, found in shapes.items():
        assert found == shapes["procedure"], name


@pytest.mark.parametrize("backbone", engines("backbone"))
@pytest.mark.parametrize("worker", [name for name in engines("worker") if name != "external"])
async def test_long_work_goes_on_in_parts_under_each_engine(
    ring: Ring, executor: Executor, worker: str, backbone: str
) -> None:
    parted = Executor(msgspec.structs.replace(executor.runtime, part=PartBounds(steps=1)), owner=7)
    role = await ring.hire(ToolRule("write_note", "ask"), procedure=PROCEDURE, worker=worker, backbone=backbone)
    run = await ring.start(await ring.open(role))
    while True:
        async with ring.transaction() as tx:
            parts = await runs_of_ticket(tx, run.ticket_id)
        view = await ring.drive(parts[-1], parted)
        if view.run.status == "held":
            await ring.decide(run)
        elif view.run.status != "continued":
            break
    assert (view.run.status, view.run.part) == ("done", NOTES + (worker != "procedure"))
    async with ring.transaction() as tx:
        notes = await tx.connection.fetch("SELECT text FROM execution_graph.notes ORDER BY step")
        left = await tx.connection.fetchval("SELECT count(*) FROM execution_graph.checkpoints")
    assert [note["text"] for note in notes] == [f"note {number + 1}" for number in range(NOTES)]
    assert left == 0
    await ring.shelf.backbone(backbone).close()


async def test_the_same_ticket_leaves_a_ledger_of_the_same_shape_under_each_backbone(
    ring: Ring, executor: Executor
) -> None:
    shapes = [await worked(ring, executor, "ask", worker="procedure", backbone=name) for name in engines("backbone")]
    assert shapes[0] == shapes[1]
    for name in engines("backbone"):
        await ring.shelf.backbone(name).close()

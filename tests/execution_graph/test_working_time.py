"""Budgets of runs and minutes: paid before they are used, whoever drives, however many at once."""

import asyncio
from uuid import UUID

from app.canon.agent import StepContext
from app.canon.contract import BudgetLimit, ProcedureStep, Unit
from app.canon.model import ModelRequest
from app.execution_graph.executor import Executor
from app.role_registry import budgets_of
from tests.builders import ROOMY_BUDGET
from tests.execution_graph.ring import Endpoint, Ring

NOTE = ProcedureStep("write_note", {"text": "x"})
ROOMY = tuple(limit for limit in ROOMY_BUDGET if limit.unit != "minutes")


def limited(unit: Unit, limit: int) -> tuple[BudgetLimit, ...]:
    return (*ROOMY, BudgetLimit(unit, "month", limit))


async def asks(ctx: StepContext) -> str:
    await ctx.call_model(ModelRequest({"messages": []}))
    return "done"


async def spent(ring: Ring, role_id: UUID, unit: Unit) -> int:
    async with ring.transaction() as tx:
        states = await budgets_of(tx, role_id)
    return sum(state.spent for state in states if state.unit == unit)


async def test_a_role_begins_no_more_runs_than_it_may(ring: Ring) -> None:
    role = await ring.hire("write_note", procedure=[NOTE], budget=limited("runs", 1))
    assert (await ring.run(role)).run.status == "done"
    second = await ring.run(role)
    assert second.run.status == "held"
    assert (await ring.pending(second.run)).kind == "budget_raise"
    await ring.decide(second.run)
    assert (await ring.drive(second.run)).run.status == "done"
    assert await spent(ring, role.id, "runs") == 2


async def test_a_run_that_is_driven_again_and_again_is_one_run_and_one_minute(ring: Ring) -> None:
    budget = (*limited("runs", 1), BudgetLimit("minutes", "month", 1))
    steps = [ProcedureStep("look", {"what": "a"}), NOTE]
    role = await ring.hire("look", "write_note", procedure=steps, budget=budget)
    run = await ring.start(await ring.open(role))
    await ring.drive(run)
    await ring.drive(run)
    view = await ring.drive(run)
    assert view.run.status == "done"
    assert (await spent(ring, role.id, "runs"), await spent(ring, role.id, "minutes")) == (1, 1)


async def test_many_runs_at_once_pay_for_no_minute_that_the_role_has_not(ring: Ring) -> None:
    role = await ring.hire("write_note", procedure=[NOTE], budget=limited("minutes", 3))
    runs = [await ring.start(await ring.open(role)) for _ in range(8)]
    await asyncio.gather(*(ring.executor.drive(ring.tenant, run.id) for run in runs))
    statuses = sorted([(await ring.view(run)).run.status for run in runs])
    assert statuses == ["done"] * 3 + ["held"] * 5
    assert await spent(ring, role.id, "minutes") == 3


async def test_a_run_whose_minutes_are_used_up_hangs_up_on_the_model_and_asks(ring: Ring, endpoint: Endpoint) -> None:
    endpoint.gate = asyncio.Event()
    role = await ring.hire_scribe(asks, "look", budget=limited("minutes", 1))
    run = await ring.start(await ring.open(role))
    executor = Executor(ring.runtime, owner=7)
    async with ring.transaction() as tx:
        await tx.connection.execute("UPDATE execution_graph.run_leases SET worked_ms = 57000 WHERE run_id = $1", run.id)
    driving = asyncio.create_task(executor.drive(ring.tenant, run.id))
    await endpoint.asked.wait()
    while not driving.done():
        await executor.meter()
        await asyncio.sleep(0.02)
    view = await ring.view(run)
    assert view.run.status == "held"
    asked = await ring.pending(run)
    assert asked.kind == "budget_raise"
    assert "minutes" in str(asked.payload)
    await ring.decide(run)
    endpoint.gate.set()
    endpoint.answers = [{"choices": []}]
    assert (await ring.drive(run)).run.status == "done"


async def test_without_more_minutes_the_run_ends_and_says_so(ring: Ring) -> None:
    role = await ring.hire("write_note", procedure=[NOTE], budget=limited("minutes", 0))
    view = await ring.run(role)
    assert view.run.status == "failed"
    assert "no budget of minutes" in view.run.summary


async def test_a_budget_that_nears_its_end_is_said_once(ring: Ring) -> None:
    role = await ring.hire("write_note", procedure=[NOTE], budget=limited("runs", 5))
    for _ in range(5):
        await ring.run(role)
    (near,) = [event for event in await ring.events(kind="budget.near_limit") if "runs" in str(event.data)]
    assert near.data["used"] == "4"
    assert near.data["role_id"] == str(role.id)

"""What survives a dead worker, a zombie, a second resumer; what a replay may and may not do."""

import asyncio

import msgspec
import pytest

from app.canon.agent import StepContext
from app.canon.contract import ProcedureStep, ToolRule
from app.canon.model import ModelRequest
from app.canon.tool import ToolAnswer, ToolCall, ToolResult
from app.execution_graph import Run, RunView
from app.execution_graph.executor import Executor
from app.execution_graph.taking import take
from tests.execution_graph.ring import Dies, Endpoint, Outside, Ring, steps_of

OTHER = 8


def dies(_: ToolCall) -> ToolResult:
    raise Dies


async def killed(ring: Ring, tool: str) -> tuple[Outside, Run]:
    """A run whose worker dies in the middle of its first call; the tool works again afterwards."""
    outside = ring.outside(tool)
    answer, outside.answer = outside.answer, dies
    ticket = await ring.open(await ring.hire(tool, procedure=[ProcedureStep(tool, {"what": "x"})]))
    run = await ring.start(ticket)
    with pytest.raises(Dies):
        await ring.executor.drive(ring.tenant, run.id)
    outside.answer = answer
    return outside, run


async def after(ring: Ring, run: Run, dead: int | None = 7) -> RunView:
    other = Executor(ring.runtime, OTHER)
    await other.drive(ring.tenant, run.id, dead=dead)
    return await ring.view(run)


async def test_a_read_that_was_cut_off_is_made_again(ring: Ring) -> None:
    outside, run = await killed(ring, "look")
    view = await after(ring, run)
    assert view.run.status == "done"
    assert len(outside.keys) == 2
    assert [step.attempts for step in view.steps] == [2]


async def test_an_idempotent_call_that_was_cut_off_is_repeated_with_its_key(ring: Ring) -> None:
    outside, run = await killed(ring, "set_sign")
    view = await after(ring, run)
    assert view.run.status == "done"
    assert len(set(outside.keys)) == 1
    assert "tool.repeated" in await ring.types(run)


async def test_any_other_call_that_was_cut_off_is_asked_about(ring: Ring) -> None:
    outside, run = await killed(ring, "ring_bell")
    view = await after(ring, run)
    assert view.run.status == "held"
    assert steps_of(view) == [("ring_bell", "unknown")]
    assert len(outside.keys) == 1
    approval = await ring.decide(run, yes=False)
    assert approval.kind == "unknown_outcome"
    view = await after(ring, run)
    assert steps_of(view) == [("ring_bell", "failed")]
    assert len(outside.keys) == 1


async def test_a_living_workers_run_is_not_taken(ring: Ring) -> None:
    _, run = await killed(ring, "look")
    view = await after(ring, run, dead=None)
    assert view.run.status == "running"


async def test_a_clock_that_jumped_does_not_keep_a_dead_workers_run(ring: Ring) -> None:
    _, run = await killed(ring, "look")
    await set_lease(ring, run, "clock_timestamp() + interval '3 days'")
    other = Executor(ring.runtime, OTHER)
    await other.sweep()
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == f"run {run.id}"))
    assert (await ring.view(run)).run.status == "done"


async def test_a_clock_that_jumped_lets_another_take_over_and_the_first_is_fenced(ring: Ring) -> None:
    before, jumped = asyncio.Event(), asyncio.Event()
    times = 0

    async def write(ctx: StepContext) -> str:
        nonlocal times
        times += 1
        await ctx.call_tool("write_note", {"text": "before"})
        if times == 1:
            before.set()
            await jumped.wait()
        await ctx.call_tool("write_note", {"text": "after"})
        return "done"

    run = await ring.start(await ring.open(await ring.hire_scribe(write, "write_note")))
    first = asyncio.create_task(ring.executor.drive(ring.tenant, run.id))
    await before.wait()
    await set_lease(ring, run, "clock_timestamp() - interval '3 days'")
    other = Executor(ring.runtime, OTHER)
    await other.drive(ring.tenant, run.id)
    jumped.set()
    await first
    assert (await ring.view(run)).run.status == "done"
    assert await ring.count("notes") == 2


async def set_lease(ring: Ring, run: Run, until: str) -> None:
    async with ring.transaction() as tx:
        sql = f"UPDATE execution_graph.run_leases SET lease_until = {until} WHERE run_id = $1"
        await tx.connection.execute(sql, run.id)


async def test_a_zombies_record_is_refused(ring: Ring) -> None:
    before, taken_over = asyncio.Event(), asyncio.Event()

    async def write(ctx: StepContext) -> str:
        await ctx.call_tool("write_note", {"text": "before"})
        before.set()
        await taken_over.wait()
        await ctx.call_tool("write_note", {"text": "after"})
        return "done"

    run = await ring.start(await ring.open(await ring.hire_scribe(write, "write_note")))
    zombie = asyncio.create_task(ring.executor.drive(ring.tenant, run.id))
    await before.wait()
    assert await take(ring.runtime, ring.tenant, run.id, owner=OTHER, dead=7) is not None
    taken_over.set()
    await zombie
    assert (await ring.view(run)).run.status == "running"
    assert await ring.count("notes") == 1


async def test_two_resumers_of_one_run_make_its_step_once(ring: Ring) -> None:
    view = await ring.run(
        await ring.hire(ToolRule("ring_bell", "ask"), procedure=[ProcedureStep("ring_bell", {"what": "x"})])
    )
    await ring.decide(view.run)
    other = Executor(ring.runtime, OTHER)
    await asyncio.gather(
        ring.executor.drive(ring.tenant, view.run.id), other.drive(ring.tenant, view.run.id), return_exceptions=False
    )
    outside = ring.outside("ring_bell")
    assert len(outside.keys) == 1
    assert (await ring.view(view.run)).run.status == "done"


async def test_a_worker_that_asks_for_something_else_on_replay_is_stopped_with_the_difference(ring: Ring) -> None:
    times = 0

    async def write(ctx: StepContext) -> str:
        nonlocal times
        times += 1
        await ctx.call_tool("look", {"what": f"try {times}"})
        await ctx.call_tool("write_note", {"text": "x"})
        return "done"

    view = await ring.run(await ring.hire_scribe(write, "look", ToolRule("write_note", "ask")))
    await ring.decide(view.run)
    view = await ring.drive(view.run)
    assert view.run.status == "diverged"
    assert "try 1" in view.run.summary
    assert "try 2" in view.run.summary
    assert (await ring.ticket(view.run)).status == "failed"


async def test_the_same_call_time_and_again_stops_the_run(ring: Ring) -> None:
    async def write(ctx: StepContext) -> str:
        while True:
            await ctx.call_tool("look", {"what": "the same"})

    view = await ring.run(await ring.hire_scribe(write, "look"))
    assert view.run.status == "failed"
    assert "same call" in view.run.summary
    assert len(view.steps) == 4


async def test_answers_that_were_all_heard_before_stop_the_run(ring: Ring) -> None:
    ring.outside("look").answer = lambda _: ToolResult("nothing new")

    async def write(ctx: StepContext) -> str:
        for number in range(100):
            await ctx.call_tool("look", {"what": str(number)})
        return "done"

    view = await ring.run(await ring.hire_scribe(write, "look", max_steps=50))
    assert view.run.status == "failed"
    assert "nothing that it had not heard before" in view.run.summary
    assert len(view.steps) == 9


async def test_acts_that_are_answered_alike_are_progress(ring: Ring) -> None:
    async def write(ctx: StepContext) -> str:
        for number in range(20):
            await ctx.call_tool("write_note", {"text": str(number)})
        return "all written"

    view = await ring.run(await ring.hire_scribe(write, "write_note", max_steps=50))
    assert (view.run.status, view.run.summary) == ("done", "all written")


async def test_a_run_that_has_worked_longer_than_it_may_stops_at_its_next_step(ring: Ring) -> None:
    async def write(ctx: StepContext) -> str:
        await ctx.call_tool("write_note", {"text": "x"})
        await ctx.call_tool("look", {"what": "x"})
        return "done"

    view = await ring.run(await ring.hire_scribe(write, "look", ToolRule("write_note", "ask")))
    async with ring.transaction() as tx:
        worked = "UPDATE execution_graph.run_leases SET worked_ms = 120001 WHERE run_id = $1"
        await tx.connection.execute(worked, view.run.id)
    await ring.decide(view.run)
    view = await ring.drive(view.run, Executor(msgspec.structs.replace(ring.runtime, run_minutes=2), owner=7))
    assert (view.run.status, steps_of(view)) == ("failed", [("write_note", "done")])
    assert "longer than a run may" in view.run.summary


async def test_the_roles_steps_are_the_most_a_run_may_take(ring: Ring) -> None:
    async def write(ctx: StepContext) -> str:
        for number in range(100):
            await ctx.call_tool("look", {"what": str(number)})
        return "done"

    view = await ring.run(await ring.hire_scribe(write, "look", max_steps=6))
    assert view.run.status == "failed"
    assert len(view.steps) == 6


async def test_a_worker_that_swallows_a_hold_cannot_go_on(ring: Ring) -> None:
    async def write(ctx: StepContext) -> str:
        try:
            await ctx.call_tool("write_note", {"text": "x"})
        except BaseException:  # noqa: BLE001 - a framework that catches everything
            await ctx.call_tool("look", {"what": "anyway"})
        return "done"

    view = await ring.run(await ring.hire_scribe(write, "look", ToolRule("write_note", "ask")))
    assert view.run.status == "held"
    assert steps_of(view) == [("write_note", "held")]


async def test_a_model_call_is_journaled_and_told_again(ring: Ring, endpoint: Endpoint) -> None:
    endpoint.answers = [{"choices": [{"message": {"role": "assistant", "content": "42"}}]}]
    told: list[object] = []

    async def write(ctx: StepContext) -> str:
        answer = await ctx.call_model(
            ModelRequest({"messages": [{"role": "user", "content": "?"}], "temperature": 0.2})
        )
        told.append(answer.body)
        await ctx.call_tool("write_note", {"text": "x"})
        return "done"

    view = await ring.run(await ring.hire_scribe(write, ToolRule("write_note", "ask")))
    await ring.decide(view.run)
    view = await ring.drive(view.run)
    assert view.run.status == "done"
    assert told[0] == told[1]
    assert len(endpoint.requests) == 1
    (done,) = await ring.events(view.run, "model.done")
    assert done.data["tokens"] == 10
    assert done.evidence


async def test_an_engine_in_a_thread_is_held_and_goes_on(ring: Ring) -> None:
    told: list[ToolAnswer] = []

    async def write(ctx: StepContext) -> str:
        def body() -> str:
            told.append(ctx.call_tool_from_thread("look", {"what": "x"}))
            told.append(ctx.call_tool_from_thread("write_note", {"text": "x"}))
            return "done"

        return await asyncio.to_thread(body)

    view = await ring.run(await ring.hire_scribe(write, "look", ToolRule("write_note", "ask")))
    assert view.run.status == "held"
    await ring.decide(view.run)
    assert (await ring.drive(view.run)).run.status == "done"
    assert [answer.status for answer in told] == ["done", "done", "done"]

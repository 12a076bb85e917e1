"""Long work goes on as one run after the other: nothing is lost between the parts, nothing is done twice."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from app.canon.agent import Finished, StepContext
from app.canon.contract import BudgetLimit, ProcedureStep, ToolRule
from app.canon.model import ModelRequest
from app.canon.tool import ToolCall, ToolResult
from app.execution_graph import Run, RunView, cancel_run, request_resume, runs_of_ticket
from app.execution_graph.executor import Executor
from app.execution_graph.runtime import PartBounds
from app.governance_ledger import read_evidence
from tests.execution_graph.ring import Dies, Endpoint, Ring


@pytest.fixture
def ring(ring: Ring) -> Ring:
    """A ring in which four steps fill a part."""
    return bounded(ring, PartBounds(steps=4))


def bounded(ring: Ring, bounds: PartBounds) -> Ring:
    ring.runtime = msgspec.structs.replace(ring.runtime, part=bounds)
    ring.executor = Executor(ring.runtime, owner=7)
    return ring


async def parts_of(ring: Ring, run: Run) -> list[RunView]:
    async with ring.transaction() as tx:
        runs = await runs_of_ticket(tx, run.ticket_id)
    return [await ring.view(one) for one in runs]


async def drive_all(ring: Ring, run: Run) -> list[RunView]:
    """Drives part after part until the work waits or is closed."""
    while True:
        await ring.drive((await parts_of(ring, run))[-1].run)
        parts = await parts_of(ring, run)
        if parts[-1].run.status != "queued":
            return parts


async def begin(ring: Ring, *tools: str | ToolRule, procedure: Sequence[ProcedureStep], **more: Any) -> Run:
    role = await ring.hire(*tools, procedure=procedure, max_steps=50, **more)
    return await ring.start(await ring.open(role))


LOOP = [
    ProcedureStep("look", {"what": "names"}, save_as="names"),
    ProcedureStep("write_note", {"text": "{{ item }} of {{ names }}"}, for_each="range(9)", save_as="written"),
    ProcedureStep("write_note", {"text": "{{ written|length }} written"}),
]


async def test_a_full_part_ends_and_the_next_goes_on_where_it_stood(ring: Ring) -> None:
    parts = await drive_all(ring, await begin(ring, "look", "write_note", procedure=LOOP))
    assert [part.run.status for part in parts] == ["continued", "continued", "done"]
    assert [step.step for part in parts for step in part.steps] == list(range(1, 12))
    assert parts[-1].run.summary == "Followed the procedure: 3 steps, 11 calls. Noted."
    assert len(ring.outside("look").keys) == 1
    async with ring.transaction() as tx:
        rows = await tx.connection.fetch("SELECT text FROM execution_graph.notes ORDER BY step")
    assert [row["text"] for row in rows] == [*(f"{n} of did names" for n in range(9)), "9 written"]
    assert (await ring.ticket(parts[0].run)).status == "done"


async def test_the_ledger_leads_from_part_to_part_and_back(ring: Ring) -> None:
    first, second, _ = await drive_all(ring, await begin(ring, "look", "write_note", procedure=LOOP))
    (continued,) = await ring.events(first.run, "run.continued")
    (opened,) = await ring.events(second.run, "run.opened")
    assert continued.data["next_run_id"] == str(second.run.id)
    assert opened.data["continues"] == str(first.run.id)
    assert f"execution_graph.runs/{second.run.id}" in continued.subjects
    assert (second.continued_as is not None, second.run.part, second.run.continues) == (True, 2, first.run.id)
    async with ring.transaction() as tx:
        content = await read_evidence(tx, ring.runtime.store, continued.evidence[0].key)
    assert b'"bookmark":{"done":1' in content


async def test_the_closing_event_counts_all_parts(ring: Ring) -> None:
    parts = await drive_all(ring, await begin(ring, "look", "write_note", procedure=LOOP))
    (closed,) = await ring.events(parts[-1].run, "run.closed")
    assert (closed.data["parts"], closed.data["steps"], closed.data["tool_calls"]) == (3, 11, 11)
    assert closed.data["opened_at"] == parts[0].run.created_at.isoformat()


async def test_bytes_fill_a_part_too(ring: Ring) -> None:
    bounded(ring, PartBounds(steps=1000, bytes=20_000))
    ring.outside("look").answer = lambda call: ToolResult(f"{call.arguments['what']}" * 8000)
    looks = [ProcedureStep("look", {"what": str(n)}) for n in range(5)]
    parts = await drive_all(ring, await begin(ring, "look", procedure=looks))
    assert [len(part.steps) for part in parts] == [3, 2]


async def test_a_hold_is_settled_before_the_part_ends(ring: Ring) -> None:
    asked = ToolRule("write_note", "ask")
    notes = [ProcedureStep("write_note", {"text": str(n)}) for n in range(6)]
    run = await begin(ring, asked, procedure=notes)
    for _ in range(6):
        parts = await drive_all(ring, run)
        assert parts[-1].run.status == "held"
        await ring.decide(parts[-1].run)
    parts = await drive_all(ring, run)
    assert [(part.run.status, len(part.steps)) for part in parts] == [("continued", 4), ("done", 2)]
    assert await ring.count("notes") == 6


async def test_what_was_rejected_before_stays_rejected(ring: Ring) -> None:
    step = ProcedureStep("write_note", {"text": "no"}, otherwise="go_on")
    looks = [ProcedureStep("look", {"what": str(n)}) for n in range(4)]
    run = await begin(ring, "look", ToolRule("write_note", "ask"), procedure=[step, *looks, step])
    await drive_all(ring, run)
    await ring.decide(run, yes=False)
    parts = await drive_all(ring, run)
    assert [part.run.status for part in parts] == ["continued", "done"]
    assert [(step.name, step.verdict) for step in parts[1].steps] == [
        ("look", "allow:contract"),
        ("write_note", "hold:again"),
    ]
    assert not await ring.is_asked(run)


async def test_the_roles_steps_are_the_most_of_all_parts(ring: Ring) -> None:
    role = await ring.hire(
        "look", procedure=[ProcedureStep("look", {"what": "no. {{ item }}"}, for_each="range(99)")], max_steps=9
    )
    parts = await drive_all(ring, await ring.start(await ring.open(role)))
    assert [len(part.steps) for part in parts] == [4, 4, 1]
    assert parts[-1].run.summary == "Step 1 of 1 (look) cannot be followed: the run may take no more than 9 steps"


async def test_the_same_call_time_and_again_stops_the_work_over_its_parts(ring: Ring) -> None:
    bounded(ring, PartBounds(steps=2))

    async def write(ctx: StepContext) -> str:
        while True:
            await ctx.call_tool("look", {"what": "the same"})

    role = await ring.hire_scribe(write, "look", max_steps=50)
    parts = await drive_all(ring, await ring.start(await ring.open(role)))
    assert [part.run.status for part in parts] == ["continued", "failed"]
    assert sum(len(part.steps) for part in parts) == 4
    assert "same call" in parts[-1].run.summary


async def test_answers_that_parts_before_had_heard_are_no_news(ring: Ring) -> None:
    ring.outside("look").answer = lambda _: ToolResult("nothing new")

    async def write(ctx: StepContext) -> str:
        first = 0 if ctx.task.handover is None else ctx.task.handover.calls
        for number in range(first, 100):
            await ctx.call_tool("look", {"what": str(number)})
        return "done"

    role = await ring.hire_scribe(write, "look", max_steps=50)
    parts = await drive_all(ring, await ring.start(await ring.open(role)))
    assert [len(part.steps) for part in parts] == [4, 4, 3]
    assert "nothing that it had not heard before" in parts[-1].run.summary


async def test_who_goes_on_from_a_hand_over_may_look_again(ring: Ring) -> None:
    bounded(ring, PartBounds(steps=10))

    async def write(ctx: StepContext) -> str:
        for number in range(10):
            await ctx.call_tool("look", {"what": str(number)})
        if ctx.task.handover is None:
            await ctx.call_tool("look", {"what": "never"})
        return "looked again"

    role = await ring.hire_scribe(write, "look", max_steps=50)
    parts = await drive_all(ring, await ring.start(await ring.open(role)))
    assert [(part.run.status, len(part.steps)) for part in parts] == [("continued", 10), ("done", 10)]


async def test_who_gives_up_at_a_no_of_a_part_before_was_refused(ring: Ring) -> None:
    async def write(ctx: StepContext) -> Finished:
        if ctx.task.handover is None:
            for number in range(3):
                await ctx.call_tool("look", {"what": str(number)})
            await ctx.call_tool("write_note", {"text": "x"})
            await ctx.call_tool("look", {"what": "never"})
        return Finished("It may not be.", ok=False)

    role = await ring.hire_scribe(write, "look", ToolRule("write_note", "deny"), max_steps=50)
    parts = await drive_all(ring, await ring.start(await ring.open(role)))
    assert [part.run.status for part in parts] == ["continued", "refused"]


async def test_runs_and_minutes_are_paid_once_for_all_parts(ring: Ring) -> None:
    limits = (BudgetLimit("calls", "month", 1000), BudgetLimit("runs", "month", 1), BudgetLimit("minutes", "month", 1))
    parts = await drive_all(ring, await begin(ring, "look", "write_note", procedure=LOOP, budget=limits))
    assert [part.run.status for part in parts] == ["continued", "continued", "done"]


async def test_working_time_goes_on_counting(ring: Ring) -> None:
    run = await begin(ring, "look", "write_note", procedure=LOOP)
    async with ring.transaction() as tx:
        await tx.connection.execute("UPDATE execution_graph.run_leases SET worked_ms = 90000 WHERE run_id = $1", run.id)
    await ring.drive(run)
    _, second = await parts_of(ring, run)
    short = msgspec.structs.replace(ring.runtime, run_minutes=1)
    view = await ring.drive(second.run, Executor(short, owner=7))
    assert (view.run.status, view.steps) == ("failed", ())


async def test_a_worker_with_a_model_is_told_what_was_done_and_answered(ring: Ring, endpoint: Endpoint) -> None:
    told: list[str] = []

    async def write(ctx: StepContext) -> str:
        handover = ctx.task.handover
        if handover is not None:
            told.append(handover.text)
            await ctx.call_tool("look", {"what": "rest"})
            return "done"
        for number in range(10):
            endpoint.answers.append({"choices": []})
            await ctx.call_model(ModelRequest({"messages": [], "n": number}))
            await ctx.call_tool("look", {"what": str(number)})
        return "never"

    role = await ring.hire_scribe(write, "look", max_steps=50)
    parts = await drive_all(ring, await ring.start(await ring.open(role)))
    assert [[step.kind for step in part.steps] for part in parts] == [["model", "tool"] * 2, ["tool"]]
    (text,) = told
    assert text.startswith(
        "You go on with work that was begun: this is part 2. 2 tool calls were made before, 48 are left."
    )
    assert '2. look {"what":"0"} -> [done] did 0\n4. look {"what":"1"} -> [done] did 1' in text
    assert "49999980 of 50000000 tokens per month" in text


async def test_an_act_of_a_part_before_is_not_simply_made_again(ring: Ring) -> None:
    async def write(ctx: StepContext) -> str:
        if ctx.task.handover is None:
            for number in range(4):
                await ctx.call_tool("write_note", {"text": str(number)})
        answer = await ctx.call_tool("write_note", {"text": "2"})
        return answer.status

    role = await ring.hire_scribe(write, "write_note", max_steps=50)
    run = await ring.start(await ring.open(role))
    parts = await drive_all(ring, run)
    assert parts[-1].run.status == "held"
    assert (await ring.pending(run)).payload["reason"] == "Step 3 has already done exactly this."
    await ring.decide(run, yes=False)
    parts = await drive_all(ring, run)
    assert (parts[-1].run.status, parts[-1].run.summary) == ("done", "rejected")
    assert await ring.count("notes") == 4


async def test_a_secret_that_a_part_before_has_read_does_not_leave_unseen(ring: Ring) -> None:
    """The gate knows what was read in all parts."""
    ring.outside("look").answer = lambda call: ToolResult(
        f"the account of {call.arguments['what']} opens with tulips in march"
    )

    async def write(ctx: StepContext) -> str:
        if ctx.task.handover is None:
            for number in range(4):
                await ctx.call_tool("look", {"what": f"alpha{number}"})
            await ctx.call_tool("look", {"what": "never"})
        await ctx.call_tool(
            "send_email", {"to": ["ada@example.org"], "subject": "x", "body": "alpha1 opens with tulips in march"}
        )
        return "done"

    spec = msgspec.structs.replace(ring.outside("look").spec, secret=True)
    ring.outside("look")._spec = spec
    role = await ring.hire_scribe(write, "look", "send_email", max_steps=50)
    run = await ring.start(await ring.open(role, instructions="Write to ada@example.org."))
    parts = await drive_all(ring, run)
    assert parts[-1].run.status == "held"
    facts = (await ring.pending(run)).payload["facts"]
    assert isinstance(facts, list)
    assert "secret" in {fact["code"] for fact in facts}


async def test_a_process_that_dies_before_the_hand_over_loses_nothing(ring: Ring) -> None:
    run = await begin(ring, "look", "write_note", procedure=LOOP)

    def dies(_: ToolCall) -> ToolResult:
        raise Dies

    answer, ring.outside("look").answer = ring.outside("look").answer, dies
    with pytest.raises(Dies):
        await ring.executor.drive(ring.tenant, run.id)
    ring.outside("look").answer = answer
    other = Executor(ring.runtime, owner=8)
    await other.drive(ring.tenant, run.id, dead=7)
    parts = await drive_all(ring, run)
    assert [part.run.status for part in parts] == ["continued", "continued", "done"]
    assert await ring.count("notes") == 10


async def test_two_resumers_of_a_full_part_open_one_next(ring: Ring) -> None:
    run = await begin(ring, "look", "write_note", procedure=LOOP)
    other = Executor(ring.runtime, owner=8)
    await asyncio.gather(ring.executor.drive(ring.tenant, run.id), other.drive(ring.tenant, run.id))
    assert len(await parts_of(ring, run)) == 2


async def test_whoever_cancels_or_resumes_a_part_that_is_over_means_the_last_one(ring: Ring) -> None:
    run = await begin(ring, "look", "write_note", procedure=LOOP)
    await ring.drive(run)
    async with ring.transaction() as tx:
        resumed = await request_resume(tx, run.id)
        cancelled = await cancel_run(tx, run.id, actor=ring.founder.actor)
    assert resumed.continues == cancelled.continues == run.id
    assert (await ring.ticket(run)).status == "cancelled"

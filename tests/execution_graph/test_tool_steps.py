"""One tool call as one step: allowed, refused, held, carried out once, recorded."""

from app.canon.agent import Finished, StepContext
from app.canon.contract import ArgumentRule, OneOf, ProcedureStep, ToolRule
from app.canon.tool import ToolAnswer
from tests.execution_graph.ring import Ring, fails, loses_its_answer, steps_of

NOTE = ProcedureStep("write_note", {"text": "{{ ticket.title }}"})


async def test_a_worker_writes_a_note_and_the_ticket_is_done(ring: Ring) -> None:
    role = await ring.hire("write_note", procedure=[NOTE])
    view = await ring.run(role, title="Count the boxes")
    assert view.run.status == "done"
    assert steps_of(view) == [("write_note", "done")]
    assert await ring.count("notes") == 1
    ticket = await ring.ticket(view.run)
    assert ticket.status == "done"
    assert ticket.result


async def test_the_ledger_holds_each_call_with_signature_and_evidence(ring: Ring) -> None:
    role = await ring.hire("write_note", procedure=[NOTE])
    view = await ring.run(role)
    (done,) = await ring.events(view.run, "tool.done")
    assert done.approval_signature
    assert done.evidence
    assert done.step == 1
    assert done.subjects[0].startswith("execution_graph.notes/")
    assert await ring.types(view.run) == [
        "run.opened",
        "run.started",
        "run.briefed",
        "ticket.started",
        "tool.done",
        "ticket.done",
        "run.closed",
    ]


async def test_a_tool_without_a_rule_is_refused_and_the_worker_is_told(ring: Ring) -> None:
    told: list[ToolAnswer] = []

    async def write(ctx: StepContext) -> str:
        told.append(await ctx.call_tool("order_payment", {}))
        told.append(await ctx.call_tool("no_such_tool", {}))
        return "tried"

    view = await ring.run(await ring.hire_scribe(write, "write_note"))
    assert [answer.status for answer in told] == ["refused", "refused"]
    assert [step.verdict for step in view.steps] == ["refuse:boundary", "refuse:boundary"]
    assert len(await ring.events(view.run, "tool.refused")) == 2


async def test_a_worker_that_gives_up_at_a_no_leaves_its_ticket_refused(ring: Ring) -> None:
    async def write(ctx: StepContext) -> Finished:
        await ctx.call_tool("write_note", {"text": "began"})
        answer = await ctx.call_tool("order_payment", {})
        return Finished(answer.content, ok=False)

    view = await ring.run(await ring.hire_scribe(write, "write_note"))
    assert view.run.status == "refused"
    assert (await ring.ticket(view.run)).status == "refused"


async def test_a_call_to_the_outside_commits_its_intent_first(ring: Ring) -> None:
    view = await ring.run(await ring.hire("ring_bell", procedure=[ProcedureStep("ring_bell", {"what": "once"})]))
    types = [kind for kind in await ring.types(view.run) if kind.startswith("tool.")]
    assert types == ["tool.intended", "tool.done"]
    bell = ring.outside("ring_bell")
    assert bell.keys == [f"{view.run.id}:1"]


async def test_a_call_that_fails_for_certain_is_told_as_failed(ring: Ring) -> None:
    bell = ring.outside("ring_bell")
    bell.answer = fails

    async def write(ctx: StepContext) -> Finished:
        answer = await ctx.call_tool("ring_bell", {"what": "x"})
        return Finished(f"{answer.status}: {answer.content}", ok=answer.status == "done")

    view = await ring.run(await ring.hire_scribe(write, "ring_bell"))
    assert view.run.summary == "failed: the shop is closed"
    assert (await ring.ticket(view.run)).status == "returned"


async def test_what_must_be_asked_holds_run_and_ticket_and_no_worker(ring: Ring) -> None:
    view = await ring.run(await ring.hire(ToolRule("write_note", "ask"), procedure=[NOTE]))
    assert view.run.status == "held"
    assert not view.driven
    assert (await ring.ticket(view.run)).status == "held"
    assert steps_of(view) == [("write_note", "held")]
    approval = await ring.pending(view.run)
    assert approval.payload["arguments"] == {"text": "Count the stock"}
    assert approval.payload["text"]["id"]  # type: ignore[index]
    assert await ring.count("notes") == 0


async def test_an_approved_call_is_made_once_with_the_founders_signature(ring: Ring) -> None:
    view = await ring.run(await ring.hire(ToolRule("write_note", "ask"), procedure=[NOTE]))
    approval = await ring.decide(view.run)
    view = await ring.drive(view.run)
    assert view.run.status == "done"
    assert await ring.count("notes") == 1
    (done,) = await ring.events(view.run, "tool.done")
    assert done.approval_signature == approval.signature
    assert f"work_queue.approvals/{approval.id}" in done.subjects


async def test_a_rejected_call_is_told_with_the_founders_words_and_not_asked_again(ring: Ring) -> None:
    told: list[ToolAnswer] = []

    async def write(ctx: StepContext) -> str:
        told.append(await ctx.call_tool("write_note", {"text": "x"}))
        told.append(await ctx.call_tool("write_note", {"text": "x"}))
        return "gave up"

    view = await ring.run(await ring.hire_scribe(write, ToolRule("write_note", "ask")))
    await ring.decide(view.run, yes=False, reason="not today")
    view = await ring.drive(view.run)
    assert view.run.status == "done"
    assert [answer.status for answer in told[-2:]] == ["rejected", "rejected"]
    assert "not today" in told[-1].content
    assert len(await ring.events(view.run, "approval.raised")) == 1


async def test_done_steps_are_told_again_and_not_made_again(ring: Ring) -> None:
    async def write(ctx: StepContext) -> str:
        await ctx.call_tool("ring_bell", {"what": "first"})
        await ctx.call_tool("write_note", {"text": "asked"})
        return "done"

    view = await ring.run(await ring.hire_scribe(write, "ring_bell", ToolRule("write_note", "ask")))
    await ring.decide(view.run)
    view = await ring.drive(view.run)
    assert view.run.status == "done"
    bell = ring.outside("ring_bell")
    assert len(bell.keys) == 1


async def test_a_lost_answer_is_asked_about_and_never_repeated(ring: Ring) -> None:
    bell = ring.outside("ring_bell")
    bell.answer = loses_its_answer
    view = await ring.run(await ring.hire("ring_bell", procedure=[ProcedureStep("ring_bell", {"what": "x"})]))
    assert steps_of(view) == [("ring_bell", "unknown")]
    approval = await ring.pending(view.run)
    assert approval.kind == "unknown_outcome"
    await ring.decide(view.run)
    view = await ring.drive(view.run)
    assert steps_of(view) == [("ring_bell", "done")]
    assert view.run.status == "done"
    assert len(bell.keys) == 1


async def test_an_idempotent_call_is_repeated_with_the_same_key(ring: Ring) -> None:
    sign = ring.outside("set_sign")
    first = sign.answer

    def once_lost(call: object) -> object:
        sign.answer = first
        return loses_its_answer(call)  # type: ignore[arg-type]

    sign.answer = once_lost  # type: ignore[assignment]
    view = await ring.run(await ring.hire("set_sign", procedure=[ProcedureStep("set_sign", {"what": "x"})]))
    assert steps_of(view) == [("set_sign", "done")]
    assert sign.keys == [f"{view.run.id}:1"] * 2


async def test_the_rule_of_an_argument_refuses_with_what_would_pass(ring: Ring) -> None:
    rule = ToolRule("write_note", "allow", arguments=(ArgumentRule("text", (OneOf(("yes", "no")),), "deny"),))
    told: list[ToolAnswer] = []

    async def write(ctx: StepContext) -> str:
        told.append(await ctx.call_tool("write_note", {"text": "maybe"}))
        return "ok"

    await ring.run(await ring.hire_scribe(write, rule))
    assert told[0].status == "refused"
    assert "yes" in told[0].content

"""What bounds a run from outside: budgets, pauses, cancellation, the founder's word before the start."""

import asyncio

from app.canon.agent import RouteContext, StepContext
from app.canon.contract import BudgetLimit, ProcedureStep, SumRule, ToolRule
from app.canon.model import ModelRequest
from app.canon.tool import ToolAnswer
from app.canon.vocabulary import Rol
from app.execution_graph import cancel_run
from app.execution_graph.runs import wake_paused
from app.governance_ledger import Event, append
from app.role_registry import Role, amend, budgets_of, pause, resume, retire
from app.work_queue import TicketPatch, get_ticket, patch_ticket
from tests.builders import principal, sign, some_terms
from tests.execution_graph.ring import Endpoint, Ring, steps_of

NOTE = ProcedureStep("write_note", {"text": "x"})


async def amend_tools(ring: Ring, role: Role, *rules: ToolRule) -> None:
    """A new contract with these tools, signed by the founder."""
    async with ring.transaction() as tx:
        terms = some_terms(role.name, tools=rules)
        amended = await amend(tx, role.id, seen_version=role.version, terms=terms, by=ring.founder, undo_seconds=0)
        assert amended.pending is not None
        await sign(tx, amended.pending.approval_id, ring.founder)


async def test_without_a_budget_of_calls_no_call_is_made(ring: Ring) -> None:
    view = await ring.run(await ring.hire("write_note", procedure=[NOTE], budget=()))
    assert steps_of(view) == [("write_note", "failed")]
    assert view.steps[0].verdict == "refuse:budget"
    assert await ring.count("notes") == 0


async def test_a_used_up_budget_is_raised_by_the_founder_and_the_call_is_made(ring: Ring) -> None:
    budget = (BudgetLimit("calls", "ticket", 1),)
    steps = [ProcedureStep("write_note", {"text": str(number)}) for number in range(2)]
    view = await ring.run(await ring.hire("write_note", procedure=steps, budget=budget))
    assert view.run.status == "held"
    assert (await ring.pending(view.run)).kind == "budget_raise"
    await ring.decide(view.run)
    view = await ring.drive(view.run)
    assert view.run.status == "done"
    assert await ring.count("notes") == 2


async def test_a_refused_raise_is_told_and_not_asked_again(ring: Ring) -> None:
    told: list[ToolAnswer] = []

    async def write(ctx: StepContext) -> str:
        told.extend([await ctx.call_tool("write_note", {"text": str(number)}) for number in range(3)])
        return "done"

    view = await ring.run(await ring.hire_scribe(write, "write_note", budget=(BudgetLimit("calls", "ticket", 1),)))
    await ring.decide(view.run, yes=False)
    view = await ring.drive(view.run)
    assert [answer.status for answer in told] == ["done", "rejected", "refused"]


async def test_a_held_step_spends_nothing(ring: Ring) -> None:
    role = await ring.hire(ToolRule("write_note", "ask"), procedure=[NOTE])
    await ring.run(role)
    async with ring.transaction() as tx:
        states = [state for state in await budgets_of(tx, role.id) if state.unit != "minutes"]
    assert all(state.reserved == 0 and state.spent == 0 for state in states)


async def test_sums_count_what_was_moved_in_other_runs(ring: Ring) -> None:
    rule = ToolRule("record_revenue", "allow", sums=(SumRule("amount_minor", "month", 150, "deny"),))
    step = ProcedureStep(
        "record_revenue", {"amount_minor": 100, "currency": "IDR", "source": "shop", "description": "sale"}
    )
    role = await ring.hire(rule, procedure=[step])
    assert steps_of(await ring.run(role)) == [("record_revenue", "done")]
    assert steps_of(await ring.run(role)) == [("record_revenue", "failed")]
    assert len(await ring.events(kind="revenue.recorded")) == 1


async def test_a_pause_stops_the_next_step_and_a_resume_goes_on(ring: Ring) -> None:
    async def write(ctx: StepContext) -> str:
        await ctx.call_tool("look", {"what": "first"})
        if paused is not None:
            await paused()
        await ctx.call_tool("write_note", {"text": "second"})
        return "done"

    role = await ring.hire_scribe(write, "look", "write_note")

    async def pause_now() -> None:
        async with ring.transaction() as tx:
            await pause(tx, role.id, ring.founder)

    paused = pause_now
    view = await ring.run(role)
    assert view.run.status == "paused"
    assert await ring.count("notes") == 0
    assert (await ring.drive(view.run)).run.status == "paused"
    paused = None  # type: ignore[assignment]
    async with ring.transaction() as tx:
        await resume(tx, role.id, ring.founder)
        assert await wake_paused(tx, role.id) == (view.run.id,)
    assert (await ring.drive(view.run)).run.status == "done"


async def test_a_pause_aborts_a_model_call_in_flight(ring: Ring, endpoint: Endpoint) -> None:
    endpoint.gate = asyncio.Event()
    endpoint.answers = [{"choices": []}]

    async def write(ctx: StepContext) -> str:
        await ctx.call_model(ModelRequest({"messages": []}))
        return "done"

    role = await ring.hire_scribe(write)
    run = await ring.start(await ring.open(role))
    driving = asyncio.create_task(ring.executor.drive(ring.tenant, run.id))
    await endpoint.asked.wait()
    async with ring.transaction() as tx:
        await pause(tx, role.id, ring.founder)
    await ring.executor.watch()
    await asyncio.wait_for(driving, 5)
    assert (await ring.view(run)).run.status == "paused"


async def test_a_cancelled_run_ends_ticket_and_question(ring: Ring) -> None:
    view = await ring.run(await ring.hire(ToolRule("write_note", "ask"), procedure=[NOTE]))
    async with ring.transaction() as tx:
        await cancel_run(tx, view.run.id, actor=ring.founder.actor)
    view = await ring.drive(view.run)
    assert view.run.status == "cancelled"
    assert (await ring.ticket(view.run)).status == "cancelled"
    assert await ring.count("notes") == 0


async def test_a_cancelled_ticket_ends_its_run(ring: Ring) -> None:
    view = await ring.run(await ring.hire(ToolRule("write_note", "ask"), procedure=[NOTE]))
    waiting = await ring.pending(view.run)
    async with ring.transaction() as tx:
        ticket = await get_ticket(tx, view.run.ticket_id)
        await patch_ticket(tx, ticket.id, TicketPatch(version=ticket.version, cancel=True), actor=ring.founder.actor)
    await ring.tell(waiting)
    assert (await ring.drive(view.run)).run.status == "cancelled"


async def test_a_retired_roles_ticket_goes_back_to_the_founder(ring: Ring) -> None:
    role = await ring.hire(ToolRule("write_note", "ask"), procedure=[NOTE])
    view = await ring.run(role)
    waiting = await ring.pending(view.run)
    async with ring.transaction() as tx:
        await retire(tx, role.id, principal(ring.tenant, Rol.FOUNDER))
    await ring.tell(waiting)
    assert (await ring.drive(view.run)).run.status == "returned"
    assert (await ring.ticket(view.run)).status == "returned"


async def test_a_ticket_that_asks_for_it_waits_before_its_first_step(ring: Ring) -> None:
    view = await ring.run(await ring.hire("write_note", procedure=[NOTE]), approval_required=True)
    assert view.run.status == "held"
    approval = await ring.pending(view.run)
    assert approval.kind == "start"
    assert approval.payload["cost_ceiling"]
    assert view.steps == ()
    await ring.decide(view.run)
    view = await ring.drive(view.run)
    assert view.run.status == "done"
    (started,) = await ring.events(view.run, "run.started")
    assert started.approval_signature


async def test_a_start_that_is_rejected_refuses_the_ticket(ring: Ring) -> None:
    view = await ring.run(await ring.hire("write_note", procedure=[NOTE]), approval_required=True)
    await ring.decide(view.run, yes=False, reason="too early")
    view = await ring.drive(view.run)
    assert view.run.status == "refused"
    assert "too early" in (await ring.ticket(view.run)).result


async def test_a_ticket_without_a_role_is_routed_to_the_one_that_fits(ring: Ring) -> None:
    await ring.hire("write_note", procedure=[NOTE], name="Stock")
    view = await ring.run(None, title="Help with the stock", instructions="Stock assistant, please help.")
    assert view.run.status == "done"
    assert "run.routed" in await ring.types(view.run)
    assert (await ring.ticket(view.run)).role_id == view.run.role_id


async def test_a_ticket_that_nobody_fits_goes_back_to_the_founder(ring: Ring) -> None:
    await ring.hire("write_note", procedure=[NOTE])
    view = await ring.run(None, title="Zzz", instructions="qqq")
    assert view.run.status == "returned"
    assert (await ring.ticket(view.run)).status == "returned"


async def test_routing_by_a_model_is_journaled_and_comes_before_the_workers_steps(
    ring: Ring, endpoint: Endpoint
) -> None:
    role = await ring.hire(ToolRule("write_note", "ask"), procedure=[NOTE])
    endpoint.answers = [{"choices": [{"message": {"role": "assistant", "content": str(role.id)}}]}]

    class ByModel:
        name = "by_model"

        async def pick(self, ctx: RouteContext) -> object:
            await ctx.call_model(ModelRequest({"messages": [{"role": "user", "content": ctx.title}]}))
            return role.id

    ring.shelf.routers["rules"] = ByModel()  # type: ignore[assignment]
    view = await ring.run(None)
    assert view.run.status == "held"
    assert [(step.step, step.beat, step.kind) for step in view.steps] == [(1, "route", "model"), (2, "act", "tool")]
    await ring.decide(view.run)
    view = await ring.drive(view.run)
    assert view.run.status == "done"
    assert len(endpoint.requests) == 1


async def test_a_model_without_a_price_needs_a_budget_of_tokens(ring: Ring, endpoint: Endpoint) -> None:
    endpoint.cost = None
    endpoint.answers = [{"choices": []}]

    async def write(ctx: StepContext) -> str:
        await ctx.call_model(ModelRequest({"messages": []}))
        return "done"

    view = await ring.run(await ring.hire_scribe(write, budget=(BudgetLimit("usd_micros", "month", 100),)))
    assert view.run.status == "failed"
    assert "no budget of tokens" in view.run.summary
    assert endpoint.requests == []


async def test_a_model_call_books_what_it_cost(ring: Ring, endpoint: Endpoint) -> None:
    endpoint.cost = 70
    endpoint.answers = [{"choices": []}]

    async def write(ctx: StepContext) -> str:
        await ctx.call_model(ModelRequest({"messages": []}))
        return "done"

    role = await ring.hire_scribe(write)
    view = await ring.run(role)
    assert view.totals.cost_usd_micros == 70
    async with ring.transaction() as tx:
        spent = {state.unit: state.spent for state in await budgets_of(tx, role.id) if state.unit == "usd_micros"}
    assert spent == {"usd_micros": 70}
    (closed,) = await ring.events(view.run, "run.closed")
    assert closed.data["cost_usd_micros"] == 70


async def test_a_changed_role_makes_an_approval_void_and_asks_anew(ring: Ring) -> None:
    role = await ring.hire(ToolRule("write_note", "ask"), procedure=[NOTE])
    view = await ring.run(role)
    first = await ring.decide(view.run)
    await amend_tools(ring, role, ToolRule("write_note", "ask"), ToolRule("look", "allow"))
    view = await ring.drive(view.run)
    assert view.run.status == "held"
    second = await ring.pending(view.run)
    assert second.id != first.id
    assert second.role_version == 2
    await ring.decide(view.run)
    assert (await ring.drive(view.run)).run.status == "done"


async def test_a_tool_that_the_role_got_meanwhile_is_outside_of_the_runs_set_and_asked_about(ring: Ring) -> None:
    async def write(ctx: StepContext) -> str:
        await ctx.call_tool("write_note", {"text": "x"})
        if amend_now is not None:
            await amend_now()
        await ctx.call_tool("look", {"what": "new"})
        return "done"

    role = await ring.hire_scribe(write, "write_note")

    async def amended() -> None:
        await amend_tools(ring, role, ToolRule("write_note", "allow"), ToolRule("look", "allow"))

    amend_now = amended
    view = await ring.run(role)
    assert view.run.status == "held"
    facts = (await ring.pending(view.run)).payload["facts"]
    assert isinstance(facts, list)
    assert [fact["code"] for fact in facts] == ["narrowing"]


async def test_a_decision_that_was_written_into_the_table_without_a_signature_moves_nothing(ring: Ring) -> None:
    view = await ring.run(await ring.hire(ToolRule("write_note", "ask"), procedure=[NOTE]))
    approval = await ring.pending(view.run)
    async with ring.transaction() as tx:
        await tx.connection.execute(FORGE, approval.id)
        await append(tx, Event(type="x.forged", actor="x", subjects=(f"work_queue.approvals/{approval.id}",)))
    await ring.tell(await ring.approval(approval.id))
    view = await ring.drive(view.run)
    assert [step.verdict for step in view.steps] == ["refuse:17"]
    assert await ring.count("notes") == 0


FORGE = """
UPDATE work_queue.approvals
SET status = 'approved', effective_at = now(), decided_at = now(), decided_by = 'x', signature = 'forged' WHERE id = $1
"""

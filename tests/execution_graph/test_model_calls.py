"""Model calls that go wrong: each ends in a clear state, and none costs more than was reserved."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from app.adapters.models import OpenAICompatible, Patience, Price
from app.canon.agent import StepContext
from app.canon.contract import BudgetLimit
from app.canon.model import ModelRequest
from app.execution_graph.executor import Executor
from app.execution_graph.runs import cancel_run
from app.role_registry import budgets_of
from app.work_queue import move_ticket
from tests.adapters.endpoints import Endpoint, Reply, endpoint, failed, said, streamed
from tests.execution_graph.ring import Ring, steps_of

ASK = ModelRequest({"messages": [{"role": "user", "content": "?"}], "max_tokens": 500})
DEAR = {"*": Price(1_000_000, 1_000_000)}
TWICE = Patience(attempts=2)
NO_WORD = Patience(attempts=2, first_token_seconds=0.3)
NO_END = Patience(attempts=2, total_seconds=2)
WORD = {"choices": [{"index": 0, "delta": {"content": "and "}}]}


async def asks(ctx: StepContext) -> str:
    answer = await ctx.call_model(ASK)
    return str(answer.body["choices"][0]["message"]["content"])  # type: ignore[index]


@asynccontextmanager
async def over(ring: Ring, there: Endpoint, patience: Patience = TWICE) -> AsyncIterator[Executor]:
    """An executor whose model is this endpoint."""
    model = OpenAICompatible(
        base_url=there.url, api_key=None, model="m", prices=DEAR, patience=patience, pause=no_pause
    )
    yield Executor(msgspec.structs.replace(ring.runtime, model=model), owner=7)
    await model.close()


async def no_pause(_: float) -> None:
    await asyncio.sleep(0)


async def test_an_answer_that_was_paid_for_and_broke_off_is_asked_for_once_more_with_its_own_reservation(
    ring: Ring,
) -> None:
    role = await ring.hire_scribe(asks, "look")
    with endpoint(streamed({"content": "half"}, finish=None), streamed({"content": "whole"})) as there:
        async with over(ring, there) as executor:
            view = await ring.drive(await ring.start(await ring.open(role)), executor)
    assert (view.run.status, view.run.summary) == ("done", "whole")
    assert [step.attempts for step in view.steps] == [2]
    (repeated,) = await ring.events(view.run, "model.repeated")
    assert repeated.data["billed_again"] is True
    worst = OpenAICompatible(base_url="http://h", api_key=None, model="m", prices=DEAR).worst_case_usd_micros(ASK)
    assert view.totals.cost_usd_micros == 1500 + (worst or 0)
    async with ring.transaction() as tx:
        (spent,) = [state for state in await budgets_of(tx, role.id) if state.unit == "usd_micros"]
    assert (spent.spent, spent.reserved) == (view.totals.cost_usd_micros, 0)


async def test_a_repetition_that_the_budget_does_not_cover_is_not_made(ring: Ring) -> None:
    budget = (BudgetLimit("usd_micros", "month", 700),)
    role = await ring.hire_scribe(asks, "look", budget=budget)
    with endpoint(streamed({"content": "half"}, finish=None)) as there:
        async with over(ring, there) as executor:
            view = await ring.drive(await ring.start(await ring.open(role)), executor)
    assert len(there.asked) == 1
    assert view.run.status == "held"
    assert steps_of(view) == [("default", "held")]
    assert (await ring.pending(view.run)).kind == "budget_raise"


@pytest.mark.parametrize(
    ("reply", "patience", "words"),
    [
        (Reply(events=[{"choices": []}], endless=True, pace=0.02), NO_WORD, "no word within"),
        (Reply(events=[WORD], endless=True, pace=0.01), NO_END, "no whole answer within"),
        (Reply(raw=b"<html>"), TWICE, "did not answer in 2 attempts"),
        (said(None, choices=[]), TWICE, "no message that can be read"),
        (failed(400, "not like this"), TWICE, "not like this"),
    ],
    ids=["slow", "endless", "garbage", "garbage that was billed", "refused"],
)
async def test_a_model_that_is_no_use_fails_the_ticket_and_says_why(
    ring: Ring, reply: Reply, patience: Patience, words: str
) -> None:
    role = await ring.hire_scribe(asks, "look")
    with endpoint(reply) as there:
        async with over(ring, there, patience) as executor:
            view = await ring.drive(await ring.start(await ring.open(role)), executor)
    assert view.run.status == "failed"
    assert words in view.run.summary
    assert (await ring.ticket(view.run)).status == "failed"
    (wrong,) = await ring.events(view.run, "model.failed")
    assert words in str(wrong.data["error"])


async def test_what_an_endless_answer_may_have_cost_stays_booked(ring: Ring) -> None:
    role = await ring.hire_scribe(asks, "look")
    with endpoint(Reply(events=[WORD], endless=True, pace=0.01)) as there:
        async with over(ring, there, NO_END) as executor:
            view = await ring.drive(await ring.start(await ring.open(role)), executor)
    worst = OpenAICompatible(base_url="http://h", api_key=None, model="m", prices=DEAR).worst_case_usd_micros(ASK)
    assert view.totals.cost_usd_micros == worst


@pytest.mark.parametrize("cancelled", ["run", "ticket"])
async def test_a_cancelled_run_hangs_up_on_the_model(ring: Ring, cancelled: str) -> None:
    role = await ring.hire_scribe(asks, "look")
    patient = Patience(first_token_seconds=60, silence_seconds=60)
    with endpoint(Reply(events=[WORD], endless=True, pace=0.01)) as there:
        async with over(ring, there, patient) as executor:
            run = await ring.start(await ring.open(role))
            driving = asyncio.create_task(executor.drive(ring.tenant, run.id))
            assert await asyncio.to_thread(there.spoke.wait, 20)
            async with ring.transaction() as tx:
                if cancelled == "run":
                    await cancel_run(tx, run.id, actor=ring.founder.actor)
                else:
                    await move_ticket(tx, run.ticket_id, "cancelled", actor=ring.founder.actor)
            await executor.watch()
            await driving
        assert await asyncio.to_thread(there.hung_up.wait, 20), "the connection is closed"
    assert (await ring.view(run)).run.status == "cancelled"

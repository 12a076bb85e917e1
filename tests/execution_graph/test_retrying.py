"""A lost outcome's third answer: made again with the same key, when the founder has signed that."""

import pytest

from app.canon.contract import ProcedureStep
from app.canon.errors import Forbidden, Invalid
from app.canon.tool import ToolCall, ToolResult
from app.canon.vocabulary import Principal, Rol, Tier
from app.execution_graph.errors import EditRefused
from app.execution_graph.model import RunView
from app.execution_graph.retrying import Retry, retry_call
from app.execution_graph.runs import cancel_run
from app.work_queue import Approval, expire, withdraw
from tests.builders import principal
from tests.execution_graph.ring import Ring, loses_its_answer, steps_of


async def retry(ring: Ring, approval: Approval, by: Principal | None = None) -> Approval:
    async with ring.transaction() as tx:
        return await retry_call(
            tx,
            approval.id,
            Retry(approval.version),
            by=by or ring.founder,
            tools={name: tool.spec for name, tool in ring.tools.items()},
            evidence=ring.runtime.store,
            undo_seconds=0,
        )


async def lost_bell(ring: Ring) -> RunView:
    ring.outside("ring_bell").answer = loses_its_answer
    steps = [ProcedureStep("ring_bell", {"what": "x"})]
    view = await ring.run(await ring.hire("ring_bell", procedure=steps))
    assert steps_of(view) == [("ring_bell", "unknown")]
    return view


def rings(call: ToolCall) -> ToolResult:
    return ToolResult(f"did {call.arguments['what']}")


async def test_a_lost_call_is_made_again_with_the_same_key_once_the_founder_has_signed_it(ring: Ring) -> None:
    view = await lost_bell(ring)
    bell = ring.outside("ring_bell")
    asked = await ring.pending(view.run)
    again = await retry(ring, asked)
    assert ((await ring.approval(asked.id)).status, again.kind, again.tier) == ("superseded", "tool_call", Tier.R2)
    assert f"same key {view.run.id}:1" in str(again.payload["text"])
    await ring.tell(await ring.approval(asked.id))
    assert (await ring.drive(view.run)).run.status == "held"
    assert len(bell.keys) == 1

    bell.answer = rings
    signed = await ring.decide(view.run)
    view = await ring.drive(view.run)
    assert (view.run.status, steps_of(view)) == ("done", [("ring_bell", "done")])
    assert bell.keys == [f"{view.run.id}:1"] * 2
    (wanted,) = await ring.events(view.run, "tool.retry_asked")
    assert (wanted.actor, wanted.data["key"]) == (ring.founder.actor, f"{view.run.id}:1")
    (repeated,) = await ring.events(view.run, "tool.repeated")
    assert (repeated.data["attempt"], repeated.data["key"]) == (2, f"{view.run.id}:1")
    assert repeated.approval_signature == signed.signature
    (done,) = await ring.events(view.run, "tool.done")
    assert done.approval_signature == signed.signature


async def test_a_call_that_is_lost_again_is_asked_about_again(ring: Ring) -> None:
    view = await lost_bell(ring)
    await retry(ring, await ring.pending(view.run))
    await ring.decide(view.run)
    view = await ring.drive(view.run)
    assert steps_of(view) == [("ring_bell", "unknown")]
    assert (await ring.pending(view.run)).kind == "unknown_outcome"
    assert len(ring.outside("ring_bell").keys) == 2
    await ring.decide(view.run)
    assert (await ring.drive(view.run)).run.status == "done"
    assert len(ring.outside("ring_bell").keys) == 2


async def test_who_thinks_better_of_it_is_asked_once_more_whether_it_happened(ring: Ring) -> None:
    view = await lost_bell(ring)
    await retry(ring, await ring.pending(view.run))
    await ring.decide(view.run, yes=False, reason="rather not")
    view = await ring.drive(view.run)
    asked = await ring.pending(view.run)
    assert (asked.kind, view.run.status) == ("unknown_outcome", "held")
    assert "did not want it made again" in str(asked.payload["reason"])
    assert len(ring.outside("ring_bell").keys) == 1


async def test_a_question_in_whose_place_another_came_is_no_rejection(ring: Ring) -> None:
    view = await lost_bell(ring)
    again = await retry(ring, await ring.pending(view.run))
    await take_back(ring, again, superseded=True)
    view = await ring.drive(view.run)
    reason = str((await ring.pending(view.run)).payload["reason"])
    assert "Another question came in the place" in reason
    assert "did not want" not in reason


@pytest.mark.parametrize(
    ("superseded", "words"),
    [(False, "the question was taken back"), (True, "the question was replaced by another one")],
)
async def test_a_worker_is_told_why_nobody_said_whether_it_happened(
    ring: Ring, *, superseded: bool, words: str
) -> None:
    view = await lost_bell(ring)
    await take_back(ring, await ring.pending(view.run), superseded=superseded)
    view = await ring.drive(view.run)
    (step,) = view.steps
    assert (step.state, step.answer_status) == ("unknown", "withdrawn")
    assert f"was withdrawn: Whether it happened is not known: {words}" in view.run.summary
    assert "reject" not in view.run.summary


async def test_a_worker_is_told_that_nobody_said_in_time_whether_it_happened(ring: Ring) -> None:
    view = await lost_bell(ring)
    asked = await ring.pending(view.run)
    async with ring.transaction() as tx:
        await tx.connection.execute("SELECT set_config('app.now', (now() + interval '40 days')::text, true)")
        expired = await expire(tx, asked.id)
    await ring.tell(expired)
    view = await ring.drive(view.run)
    assert [step.answer_status for step in view.steps] == ["expired"]
    assert "was expired: Whether it happened is not known: nobody answered in time" in view.run.summary


async def take_back(ring: Ring, approval: Approval, *, superseded: bool) -> None:
    async with ring.transaction() as tx:
        await withdraw(tx, approval.id, "meanwhile", superseded=superseded)
    await ring.tell(await ring.approval(approval.id))


async def test_only_the_founder_may_and_only_while_the_run_waits(ring: Ring) -> None:
    view = await lost_bell(ring)
    asked = await ring.pending(view.run)
    with pytest.raises(Forbidden):
        await retry(ring, asked, principal(ring.tenant, Rol.DEPUTY))
    again = await retry(ring, asked)
    with pytest.raises(Invalid):
        await retry(ring, again)


async def test_a_run_that_was_cancelled_makes_nothing_again(ring: Ring) -> None:
    view = await lost_bell(ring)
    async with ring.transaction() as tx:
        await cancel_run(tx, view.run.id, actor=ring.founder.actor)
    with pytest.raises(EditRefused, match="closed"):
        await retry(ring, await ring.pending(view.run))


async def test_a_retry_whose_run_was_cancelled_meanwhile_is_not_made(ring: Ring) -> None:
    view = await lost_bell(ring)
    again = await retry(ring, await ring.pending(view.run))
    async with ring.transaction() as tx:
        await cancel_run(tx, view.run.id, actor=ring.founder.actor)
    await ring.tell(await ring.approval(again.id))
    view = await ring.drive(view.run)
    assert view.run.status == "cancelled"
    assert len(ring.outside("ring_bell").keys) == 1
    assert (await ring.pending(view.run)).kind == "unknown_outcome"

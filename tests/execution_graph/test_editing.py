"""Edit before approve: what the founder made of a call is asked anew, signed, carried out, and told to the worker."""

from typing import Any

import pytest

from app.canon.agent import StepContext
from app.canon.contract import ArgumentRule, Max, OneOf, SumRule, ToolRule
from app.canon.errors import Invalid
from app.canon.tool import Arguments, ToolAnswer, ToolCall, ToolResult
from app.canon.vocabulary import Tier
from app.execution_graph.editing import Edit, edit_call
from app.execution_graph.errors import EditRefused
from app.execution_graph.executor import Executor
from app.execution_graph.model import RunView
from app.work_queue import Approval, ApprovalClosed, decide, expire
from app.work_queue.errors import ApprovalStale
from tests.builders import APPROVALS
from tests.execution_graph.ring import Dies, Ring

ASK = ToolRule("ring_bell", "ask")
ORDER: Arguments = {
    "amount_minor": 500_000,
    "currency": "IDR",
    "payee": "PT Maju",
    "account": "1234567890",
    "reference": "INV-7",
}
PAYMENT = ToolRule(
    "order_payment",
    "ask",
    arguments=(
        ArgumentRule("amount_minor", (Max(1_000_000),), "deny"),
        ArgumentRule("currency", (OneOf(("IDR",)),)),
    ),
    sums=(SumRule("amount_minor", "month", 1_200_000, "deny"),),
)
TICKET = {"title": "Pay PT Maju", "instructions": "Pay Rp500.000 to PT Maju, account 1234567890, for INV-7."}


async def edit(ring: Ring, approval: Approval, version: int | None = None, **changes: Any) -> Approval:
    """The card with `changes` to its arguments."""
    arguments: Any = approval.payload["arguments"]
    async with ring.transaction() as tx:
        return await edit_call(
            tx,
            approval.id,
            Edit(arguments={**arguments, **changes}, version=version),
            by=ring.founder,
            tools={name: tool.spec for name, tool in ring.tools.items()},
            evidence=ring.runtime.store,
            undo_seconds=0,
        )


async def held_payment(ring: Ring, told: list[ToolAnswer]) -> RunView:
    async def write(ctx: StepContext) -> str:
        told.append(await ctx.call_tool("order_payment", ORDER))
        return "ended"

    view = await ring.run(await ring.hire_scribe(write, PAYMENT), **TICKET)
    assert view.run.status == "held"
    return view


async def test_what_the_founder_changed_is_asked_anew_signed_and_carried_out(ring: Ring) -> None:
    told: list[ToolAnswer] = []
    view = await held_payment(ring, told)
    asked = await ring.pending(view.run)
    edited = await edit(ring, asked, amount_minor=400_000)
    before = await ring.approval(asked.id)
    assert (before.status, before.superseded_by) == ("superseded", edited.id)
    assert (edited.status, edited.replaces) == ("pending", asked.id)
    assert edited.payload_digest != asked.payload_digest
    assert edited.act_digest != asked.act_digest
    assert edited.payload["change"] == [{"field": "amount_minor", "before": 500_000, "after": 400_000}]
    assert "Changed by the founder: amount_minor" in str(edited.payload["text"])
    await ring.tell(before)
    assert (await ring.drive(view.run)).run.status == "held"

    signed = await ring.decide(view.run)
    assert signed.id == edited.id
    view = await ring.drive(view.run)
    assert view.run.status == "done"
    async with ring.transaction() as tx:
        assert await tx.connection.fetchval("SELECT amount_minor FROM execution_graph.payments") == 400_000
    assert told[-1].status == "done"
    assert "The founder changed this call before approving it: amount_minor 500000 → 400000." in told[-1].content
    (step,) = [step for step in view.steps if step.name == "order_payment"]
    assert step.edited
    (done,) = await ring.events(view.run, "tool.done")
    assert done.data["act_digest"] == edited.act_digest
    assert done.data["money"] == {"minor": "400000", "currency": "IDR"}
    assert done.approval_signature == signed.signature
    (change,) = await ring.events(view.run, "tool.edited")
    assert (change.data["fields"], change.data["replaces"]) == (["amount_minor"], str(asked.id))
    assert change.actor == ring.founder.actor


async def test_an_edit_can_raise_the_tier(ring: Ring) -> None:
    view = await held_payment(ring, [])
    asked = await ring.pending(view.run)
    assert asked.tier is Tier.R1
    edited = await edit(ring, asked, account="9999888877", payee="Toko Lain")
    assert edited.tier is Tier.R2
    (change,) = await ring.events(view.run, "tool.edited")
    assert (change.data["tier_before"], change.data["tier"]) == ("R1", "R2")


async def test_what_the_gate_refuses_is_said_and_nothing_is_lost(ring: Ring) -> None:
    view = await held_payment(ring, [])
    asked = await ring.pending(view.run)
    with pytest.raises(EditRefused, match="1000000") as refused:
        await edit(ring, asked, amount_minor=1_000_001)
    assert refused.value.data["law"] == "boundary"
    with pytest.raises(EditRefused, match="must be of type"):
        await edit(ring, asked, amount_minor="much")
    assert await ring.pending(view.run) == asked
    assert await ring.events(view.run, "tool.edited") == []


async def test_nothing_changed_a_version_not_seen_and_a_closed_card_are_no_edits(ring: Ring) -> None:
    view = await held_payment(ring, [])
    asked = await ring.pending(view.run)
    with pytest.raises(Invalid, match="nothing was changed"):
        await edit(ring, asked)
    with pytest.raises(ApprovalStale):
        await edit(ring, asked, version=asked.version + 1, amount_minor=1)
    await edit(ring, asked, amount_minor=300_000)
    with pytest.raises(ApprovalClosed, match="superseded"):
        await edit(ring, asked, amount_minor=200_000)
    async with ring.transaction() as tx:
        with pytest.raises(ApprovalClosed):
            await decide(tx, asked.id, "approve", by=ring.founder, signer=APPROVALS, proof=None)


async def test_an_edit_can_be_edited_again_and_taken_back_to_what_was_asked(ring: Ring) -> None:
    told: list[ToolAnswer] = []
    view = await held_payment(ring, told)
    once = await edit(ring, await ring.pending(view.run), amount_minor=400_000)
    back = await edit(ring, once, amount_minor=500_000)
    assert "change" not in back.payload or not back.payload["change"]
    await ring.decide(view.run)
    view = await ring.drive(view.run)
    assert "The founder changed" not in told[-1].content
    assert told[-1].status == "done"


async def test_an_edited_call_that_is_rejected_is_told_as_rejected(ring: Ring) -> None:
    told: list[ToolAnswer] = []
    view = await held_payment(ring, told)
    await edit(ring, await ring.pending(view.run), amount_minor=400_000)
    await ring.decide(view.run, yes=False, reason="after all not")
    await ring.drive(view.run)
    assert told[-1].status == "rejected"
    assert "after all not" in told[-1].content


async def test_an_edited_call_that_nobody_decided_is_not_told_as_rejected(ring: Ring) -> None:
    told: list[ToolAnswer] = []
    view = await held_payment(ring, told)
    edited = await edit(ring, await ring.pending(view.run), amount_minor=400_000)
    async with ring.transaction() as tx:
        await tx.connection.execute("SELECT set_config('app.now', (now() + interval '40 days')::text, true)")
        expired = await expire(tx, edited.id)
    assert expired.status == "expired"
    await ring.tell(expired)
    await ring.drive(view.run)
    assert told[-1].status == "expired"
    assert "not a rejection" in told[-1].content


async def test_a_call_that_nobody_decided_is_told_as_timed_out_and_never_as_rejected(ring: Ring) -> None:
    told: list[ToolAnswer] = []
    view = await held_payment(ring, told)
    asked = await ring.pending(view.run)
    async with ring.transaction() as tx:
        await tx.connection.execute("SELECT set_config('app.now', (now() + interval '40 days')::text, true)")
        expired = await expire(tx, asked.id)
    await ring.tell(expired)
    await ring.drive(view.run)
    assert told[-1].status == "expired"
    assert "Nobody answered in time" in told[-1].content
    assert "not a rejection" in told[-1].content
    types = [event.type for event in await ring.events()]
    assert "tool.expired" in types
    assert "tool.rejected" not in types


async def test_a_call_that_is_repeated_after_a_crash_is_repeated_as_changed(ring: Ring) -> None:
    sign = ring.outside("set_sign")
    seen: list[object] = []

    def dies_once(call: ToolCall) -> ToolResult:
        seen.append(call.arguments)
        if len(seen) == 1:
            raise Dies
        return ToolResult("set")

    sign.answer = dies_once
    told: list[ToolAnswer] = []

    async def write(ctx: StepContext) -> str:
        told.append(await ctx.call_tool("set_sign", {"what": "open"}))
        return "ended"

    view = await ring.run(await ring.hire_scribe(write, ToolRule("set_sign", "ask")))
    await edit(ring, await ring.pending(view.run), what="closed")
    await ring.decide(view.run)
    with pytest.raises(Dies):
        await ring.drive(view.run)
    async with ring.transaction() as tx:
        await tx.connection.execute("UPDATE execution_graph.run_leases SET lease_until = clock_timestamp()")
    view = await ring.drive(view.run, Executor(ring.runtime, owner=8))
    assert view.run.status == "done"
    assert seen == [{"what": "closed"}, {"what": "closed"}]
    assert "what open → closed" in told[-1].content


async def test_sums_count_what_was_paid_and_not_what_was_asked(ring: Ring) -> None:
    told: list[ToolAnswer] = []

    async def write(ctx: StepContext) -> str:
        told.append(await ctx.call_tool("order_payment", ORDER))
        told.append(await ctx.call_tool("order_payment", {**ORDER, "amount_minor": 300_000}))
        return "ended"

    view = await ring.run(await ring.hire_scribe(write, PAYMENT), **TICKET)
    await edit(ring, await ring.pending(view.run), amount_minor=950_000)
    await ring.decide(view.run)
    await ring.drive(view.run)
    assert told[-1].status == "refused"
    assert "1250000" in told[-1].content

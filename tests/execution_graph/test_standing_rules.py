"""Standing rules: signed once, used by the gate within their bounds, so often, until they end."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.canon.agent import StepContext
from app.canon.contract import ArgumentRule, Constraint, Max, OneOf, ToolRule
from app.canon.errors import Forbidden, Invalid
from app.canon.tool import ToolAnswer
from app.canon.vocabulary import Rol, Tier
from app.execution_graph.executor import Executor
from app.execution_graph.model import RunView
from app.role_registry import NewRule, Role, StandingRule, propose_rule, revoke_rule, rules_of
from app.work_queue import Approval, ProofRequired, decide
from tests.builders import APPROVALS, approve, principal
from tests.execution_graph.ring import Ring
from tests.execution_graph.test_editing import ORDER, TICKET

PAYMENT = ToolRule("order_payment", "ask", arguments=(ArgumentRule("amount_minor", (Max(1_000_000),)),))


def bounds(**more: Constraint) -> tuple[ArgumentRule, ...]:
    wanted: dict[str, Constraint] = {
        "amount_minor": Max(600_000),
        "currency": OneOf(("IDR",)),
        "payee": OneOf(("PT Maju",)),
        "account": OneOf(("1234567890",)),
        **more,
    }
    return tuple(ArgumentRule(path, (one,)) for path, one in wanted.items())


def new_rule(role: Role, *, uses: int = 2, days: float = 30, wanted: Any = None) -> NewRule:
    until = datetime.now(UTC) + timedelta(days=days)
    return NewRule(role_id=role.id, tool="order_payment", bounds=wanted or bounds(), uses=uses, until=until)


async def asked(ring: Ring, new: NewRule) -> Approval:
    specs = {name: tool.spec for name, tool in ring.tools.items()}
    async with ring.transaction() as tx:
        return await propose_rule(tx, new, by=ring.founder, tools=specs, undo_seconds=0)


async def made(ring: Ring, new: NewRule) -> StandingRule:
    question = await asked(ring, new)
    async with ring.transaction() as tx:
        signed = await approve(tx, question.id, ring.founder)
    await ring.tell(signed)
    async with ring.transaction() as tx:
        (rule, *_) = await rules_of(tx, new.role_id)
    return rule


async def payer(ring: Ring, told: list[ToolAnswer], **changes: object) -> Role:
    async def write(ctx: StepContext) -> str:
        told.append(await ctx.call_tool("order_payment", {**ORDER, **changes}))
        return "ended"

    return await ring.hire_scribe(write, PAYMENT)


async def pay(ring: Ring, role: Role) -> RunView:
    return await ring.run(role, **TICKET)


async def test_a_call_inside_the_rule_is_made_under_the_founders_signature_over_it(ring: Ring) -> None:
    told: list[ToolAnswer] = []
    role = await payer(ring, told)
    rule = await made(ring, new_rule(role))
    view = await pay(ring, role)
    assert view.run.status == "done"
    assert told[-1].status == "done"
    (done,) = await ring.events(view.run, "tool.done")
    assert done.approval_signature == rule.signature
    assert done.data["rule"] == f"rule:{rule.id}"
    assert APPROVALS.read(rule.signature).approval == str(rule.approval_id)
    async with ring.transaction() as tx:
        assert [one.used for one in await rules_of(tx)] == [1]


@pytest.mark.parametrize("changes", [{"amount_minor": 600_001}, {"account": "999988887777"}, {"payee": "Toko Lain"}])
async def test_a_call_outside_its_bounds_is_asked(ring: Ring, changes: dict[str, object]) -> None:
    role = await payer(ring, [], **changes)
    await made(ring, new_rule(role))
    assert (await pay(ring, role)).run.status == "held"


async def test_what_the_rule_does_not_bound_is_asked_all_the_same(ring: Ring) -> None:
    role = await payer(ring, [])
    await made(ring, new_rule(role))
    view = await ring.run(role, title="Pay", instructions="Pay what is due.")
    assert view.run.status == "done", "the destinations are bounded by the rule itself"
    other = await ring.hire(ToolRule("order_payment", "ask"), name="Tono", worker="scribe")
    assert (await pay(ring, other)).run.status == "held"


async def test_a_rule_ends_with_its_uses_its_time_or_its_revocation(ring: Ring) -> None:
    role = await payer(ring, [])
    once = await made(ring, new_rule(role, uses=1))
    assert (await pay(ring, role)).run.status == "done"
    assert (await pay(ring, role)).run.status == "held"
    again = await made(ring, new_rule(role, uses=5))
    assert again.id != once.id
    async with ring.transaction() as tx:
        await revoke_rule(tx, again.id, ring.founder)
    assert (await pay(ring, role)).run.status == "held"
    brief = await made(ring, new_rule(role, uses=5, days=1))
    async with ring.transaction() as tx:
        moment = "SELECT set_config('app.now', (now() + interval '2 days')::text, true)"
        await tx.connection.execute(moment)
        assert not brief.in_force(datetime.now(UTC) + timedelta(days=2))


async def test_concurrent_calls_never_use_a_rule_more_often_than_signed(ring: Ring) -> None:
    told: list[ToolAnswer] = []
    role = await payer(ring, told)
    await made(ring, new_rule(role, uses=3))
    runs = [await ring.start(await ring.open(role, **TICKET)) for _ in range(8)]
    executors = [Executor(ring.runtime, owner=20 + number) for number in range(8)]
    await asyncio.gather(*(ring.drive(run, executor) for run, executor in zip(runs, executors, strict=True)))
    statuses = [(await ring.view(run)).run.status for run in runs]
    assert (statuses.count("done"), statuses.count("held")) == (3, 5)
    async with ring.transaction() as tx:
        assert [one.used for one in await rules_of(tx)] == [3]
        assert await tx.connection.fetchval("SELECT count(*) FROM execution_graph.payments") == 3


async def test_a_call_that_was_rejected_in_its_ticket_does_not_pass_by_a_rule(ring: Ring) -> None:
    told: list[ToolAnswer] = []

    async def write(ctx: StepContext) -> str:
        told.append(await ctx.call_tool("order_payment", ORDER))
        told.append(await ctx.call_tool("order_payment", ORDER))
        return "ended"

    role = await ring.hire_scribe(write, PAYMENT)
    view = await pay(ring, role)
    await made(ring, new_rule(role))
    await ring.decide(view.run, yes=False)
    await ring.drive(view.run)
    assert [answer.status for answer in told[-2:]] == ["rejected", "rejected"]


async def test_a_rule_needs_the_founders_own_key_and_shows_what_it_would_have_allowed(ring: Ring) -> None:
    role = await payer(ring, [])
    for yes in (True, True, False):
        view = await pay(ring, role)
        await ring.decide(view.run, yes=yes)
        await ring.drive(view.run)
    question = await asked(ring, new_rule(role))
    assert (question.kind, question.tier) == ("rule", Tier.R2)
    assert question.payload["backtest"] == {"asked": 3, "allowed": 3, "approved": 2, "rejected": 1, "erased": 0}
    assert "It would have allowed 3 of the last 3; you rejected 1 of these." in str(question.payload["text"])
    specs = {name: tool.spec for name, tool in ring.tools.items()}
    deputy = principal(ring.tenant, Rol.DEPUTY)
    async with ring.transaction() as tx:
        with pytest.raises(ProofRequired):
            await decide(tx, question.id, "approve", by=ring.founder, signer=APPROVALS, proof=None)
        with pytest.raises(Forbidden):
            await propose_rule(tx, new_rule(role), by=deputy, tools=specs, undo_seconds=0)


async def test_a_rule_without_bounds_on_money_and_destinations_is_not_asked(ring: Ring) -> None:
    role = await payer(ring, [])
    with pytest.raises(Invalid, match=r"account.*is a destination.*amount_minor.*is money"):
        await asked(ring, new_rule(role, wanted=(ArgumentRule("payee", (OneOf(("PT Maju",)),)),)))
    with pytest.raises(Invalid, match="future"):
        await asked(ring, new_rule(role, days=-1))

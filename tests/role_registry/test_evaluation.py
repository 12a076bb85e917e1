"""An evaluation says what the ledger says, with the source of each figure."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.canon.approval import Decision
from app.canon.vocabulary import new_id
from app.governance_ledger import Event, append
from app.postgres import Database, Transaction
from app.role_registry import Evaluation, evaluation_of
from app.role_registry.errors import RoleUnknown
from app.work_queue import TicketStatus, decide, expire, move_ticket, raise_approval, withdraw
from tests.builders import APPROVALS, a_company, a_question, a_role, a_ticket, principal


async def later(tx: Transaction, seconds: float) -> None:
    await tx.connection.execute(
        "SELECT set_config('app.now', (clock.now() + make_interval(secs => $1))::text, true)", float(seconds)
    )


async def evaluated(tx: Transaction, role_id: UUID) -> Evaluation:
    now = datetime.now(UTC)
    return await evaluation_of(tx, role_id, since=now - timedelta(days=1), until=now + timedelta(days=2))


async def close(tx: Transaction, role_id: UUID, to: TicketStatus, **more: Any) -> None:
    ticket = await a_ticket(tx, principal(tx.tenant), role_id=role_id, **more)
    await move_ticket(tx, ticket.id, "working", actor="worker:mira")
    await move_ticket(tx, ticket.id, to, actor="worker:mira")


async def test_a_role_that_did_nothing_has_nothing_to_show(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role = await a_role(tx, await a_company(tx))
        found = await evaluated(tx, role.id)
        assert {metric.value for metric in found.metrics} == {0, None}
        assert found.metric("sla_met").value is None
        with pytest.raises(RoleUnknown):
            await evaluated(tx, new_id())


async def test_tickets_count_by_how_they_ended(database: Database) -> None:
    endings: tuple[TicketStatus, ...] = ("done", "done", "returned", "refused", "failed")
    async with database.transaction(new_id()) as tx:
        role = await a_role(tx, await a_company(tx))
        for to in endings:
            await close(tx, role.id, to)
        await close(tx, new_id(), "done")
        found = await evaluated(tx, role.id)
        counts = {name: found.metric(f"tickets_{name}").value for name in ("done", "returned", "refused", "failed")}
        assert counts == {"done": 2, "returned": 1, "refused": 1, "failed": 1}
        assert found.metric("tickets_done").source == ("ticket.done",)


async def test_deadlines_count_where_there_were_any(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role = await a_role(tx, await a_company(tx))
        now = datetime.now(UTC)
        await close(tx, role.id, "done", due_at=now + timedelta(hours=1))
        await close(tx, role.id, "done", due_at=now - timedelta(hours=1))
        await close(tx, role.id, "done")
        met = (await evaluated(tx, role.id)).metric("sla_met")
        assert (met.value, met.of) == (1, 2)


async def test_held_acts_count_by_how_they_ended(database: Database) -> None:
    decisions: tuple[Decision, ...] = ("approve", "approve", "reject")
    async with database.transaction(new_id()) as tx:
        role = await a_role(tx, await a_company(tx))
        founder = principal(tx.tenant)
        for seconds, decision in zip((10, 40, 20), decisions, strict=True):
            asked = await raise_approval(tx, a_question(role_id=role.id, act_digest=str(seconds)))
            await later(tx, seconds)
            await decide(tx, asked.id, decision, by=founder, signer=APPROVALS, proof=None)
        forgotten = await raise_approval(tx, a_question(role_id=role.id, in_seconds=100))
        needless = await raise_approval(tx, a_question(role_id=role.id, act_digest="x"))
        await withdraw(tx, needless.id, "no longer")
        await later(tx, 200)
        await expire(tx, forgotten.id)
        found = await evaluated(tx, role.id)
        assert found.metric("held").value == 5
        ended = {name: found.metric(f"held_{name}").value for name in ("approved", "rejected", "expired", "withdrawn")}
        assert ended == {"approved": 2, "rejected": 1, "expired": 1, "withdrawn": 1}
        took = found.metric("decision_time")
        assert (took.value, took.unit, took.of) == (20, "seconds", 3)


async def test_hiring_is_not_held_work(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role = await a_role(tx, await a_company(tx))
        assert (await evaluated(tx, role.id)).metric("held").value == 0


@pytest.mark.made_up_events
async def test_costs_are_summed_from_the_steps(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role = await a_role(tx, await a_company(tx))
        said = {"role_id": str(role.id)}
        for cost in ("1200", 300):
            data: dict[str, object] = {**said, "cost_usd_micros": cost, "tokens": 10}
            await append(tx, Event(type="model.done", actor="worker:mira", data=data))
        for minor, currency in (("5000", "IDR"), ("2500", "IDR"), ("3", "USD")):
            data = {**said, "money": {"minor": minor, "currency": currency}}
            await append(tx, Event(type="tool.done", actor="worker:mira", data=data))
        await append(tx, Event(type="tool.done", actor="worker:budi", data={"role_id": str(new_id())}))
        found = await evaluated(tx, role.id)
        assert found.metric("model_cost").value == 1500
        assert found.metric("model_tokens").value == 20
        assert found.metric("tool_calls").value == 3
        money = {metric.unit: metric.value for metric in found.metrics if metric.name == "tool_money"}
        assert money == {"minor IDR": 7500, "minor USD": 3}


async def test_what_lies_outside_the_time_does_not_count(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role = await a_role(tx, await a_company(tx))
        await close(tx, role.id, "done")
        now = datetime.now(UTC)
        found = await evaluation_of(tx, role.id, since=now - timedelta(days=9), until=now - timedelta(days=8))
        assert found.metric("tickets_done").value == 0

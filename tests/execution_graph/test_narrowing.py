"""The tools of a run are fixed from role and ticket before its first read."""

from typing import Any

from app.canon.agent import StepContext
from app.canon.contract import ArgumentRule, Max, OneOf, ToolRule
from app.canon.vocabulary import Tier
from app.execution_graph import RunView
from app.role_registry import Role
from app.work_queue import NewTicket, open_ticket
from tests.execution_graph.ring import Ring, steps_of

CASHIER = ToolRule(
    "order_payment",
    "allow",
    (ArgumentRule("currency", (OneOf(("IDR",)),)), ArgumentRule("amount_minor", (Max(1_000_000),))),
)
NAMED = ToolRule("order_payment", "allow", (*CASHIER.arguments, ArgumentRule("account", (OneOf(("5220304412",)),))))
PAY: dict[str, Any] = {
    "amount_minor": 240_000,
    "currency": "IDR",
    "payee": "PT Kopi",
    "account": "5220304412",
    "reference": "INV-1",
}


async def payer(ring: Ring, seen: list[tuple[str, ...]]) -> Role:
    async def write(ctx: StepContext) -> str:
        seen.append(tuple(tool.name for tool in ctx.tools))
        return (await ctx.call_tool("order_payment", {**PAY, "payee": "5220304412"})).status

    return await ring.hire_scribe(write, NAMED, "write_note", "read_input")


async def of_a_worker(ring: Ring, role: Role) -> RunView:
    """A ticket that a worker opened, as a mail might have made it."""
    new = NewTicket(title="Pay", instructions="Pay PT Kopi, account 5220304412.", role_id=role.id)
    async with ring.transaction() as tx:
        ticket = await open_ticket(tx, new, actor=f"worker:{role.id}", founder_wrote=False)
    return await ring.drive(await ring.start(ticket))


async def test_a_ticket_that_a_worker_opened_moves_no_money_without_a_human(ring: Ring) -> None:
    seen: list[tuple[str, ...]] = []
    role = await payer(ring, seen)
    view = await of_a_worker(ring, role)
    assert view.run.status == "held"
    approval = await ring.pending(view.run)
    facts: Any = approval.payload["facts"]
    assert [fact["code"] for fact in facts] == ["narrowing"]
    assert approval.tier is Tier.R1
    assert "order_payment" in seen[0]
    await ring.decide(view.run)
    assert (await ring.drive(view.run)).run.status == "done"
    assert await ring.count("payments") == 1


async def test_the_same_order_in_a_founders_ticket_is_carried_out(ring: Ring) -> None:
    role = await payer(ring, [])
    view = await ring.run(role, instructions="Pay PT Kopi, account 5220304412.")
    assert view.run.status == "done"
    assert await ring.count("payments") == 1


async def test_a_ticket_that_lists_its_tools_gets_only_those(ring: Ring) -> None:
    seen: list[tuple[str, ...]] = []
    role = await payer(ring, seen)
    view = await ring.run(role, fields={"tools": "read_input, write_note"})
    assert seen == [("read_input", "write_note")]
    assert view.run.tools == ("read_input", "write_note")
    assert view.run.status == "held"
    assert steps_of(view) == [("order_payment", "held")]


async def test_a_field_that_speaks_of_other_tools_narrows_nothing(ring: Ring) -> None:
    view = await ring.run(await payer(ring, []), fields={"tools": "hammer, saw"})
    assert view.run.tools == ("order_payment", "read_input", "write_note")

"""What was read of a secret for one ticket does not leave unseen from another that was opened there."""

import base64
from typing import Any

import msgspec
import pytest

from app.canon.agent import StepContext
from app.canon.contract import ToolRule
from app.execution_graph import RunView
from app.role_registry import Role
from app.work_queue import list_tickets, pending_of_ticket
from tests.builders import a_role, some_terms
from tests.execution_graph.ring import Ring, Scribe
from tests.execution_graph.test_attacks import LETTER, PLAN, hired, worked

HIDDEN = {
    "plain": PLAN,
    "encoded": base64.b64encode(PLAN.encode()).decode(),
    "backwards": PLAN[::-1],
}


async def a_writer(ring: Ring, text: str, name: str = "Wira", *, to: str = "") -> Role:
    """A role that writes this to the one person that it may write to, or without asking where it may, to `to`."""

    async def write(ctx: StepContext) -> str:
        answer = await ctx.call_tool("send_letter", {**LETTER, "text": text, **({"to": [to]} if to else {})})
        return answer.content

    worker = f"writer-{name}"
    ring.shelf.workers[worker] = Scribe(write)
    terms = some_terms(name, tools=(ToolRule("send_letter", "allow"), ToolRule("open_ticket", "allow")))
    engine = msgspec.structs.replace(terms.engine, worker=worker)
    terms = msgspec.structs.replace(
        terms, engine=engine, job_description="Writes letters." if to else "Writes to ana@kopi.example."
    )
    async with ring.transaction() as tx:
        return await a_role(tx, ring.founder, terms)


async def child_of(ring: Ring, view: RunView) -> RunView:
    async with ring.transaction() as tx:
        (child,) = (await list_tickets(tx, parent_id=view.run.ticket_id)).items
    return await ring.drive(await ring.start(child))


async def handed_on(ring: Ring, instructions: str, **marks: bool) -> RunView:
    handing = {"title": "Write to Ana", "instructions": instructions, "role": "Wira"}
    role = await hired(ring, ("read_input", {"name": "plan.txt"}), ("open_ticket", handing))
    return await worked(ring, role, "Hand it on.", ("plan.txt", PLAN, marks))


async def secret_codes(ring: Ring, view: RunView) -> list[Any]:
    async with ring.transaction() as tx:
        (asked,) = await pending_of_ticket(tx, view.run.ticket_id)
    facts: Any = asked.payload["facts"]
    return [(fact["code"], fact["source_step"], fact["source_tool"]) for fact in facts]


@pytest.mark.parametrize("how", HIDDEN)
async def test_a_secret_that_is_handed_on_in_a_ticket_does_not_leave_unseen(ring: Ring, how: str) -> None:
    await a_writer(ring, f"FYI {PLAN}")
    parent = await handed_on(ring, f"Tell Ana: {HIDDEN[how]}", secret=True)
    assert parent.run.status == "done"
    child = await child_of(ring, parent)
    assert child.run.status == "held"
    assert ("secret", None, "read_input") in await secret_codes(ring, child)
    assert ring.outside("send_letter").keys == []


async def test_a_secret_that_is_handed_on_twice_does_not_leave_unseen(ring: Ring) -> None:
    async def on(ctx: StepContext) -> str:
        return (await ctx.call_tool("open_ticket", {"title": "x", "instructions": PLAN, "role": "Dua"})).content

    first = await a_writer(ring, "")
    ring.shelf.workers["writer-Wira"] = Scribe(on)
    await a_writer(ring, f"FYI {PLAN}", "Dua")
    last = await child_of(ring, await child_of(ring, await handed_on(ring, PLAN, secret=True)))
    assert last.run.role_id != first.id
    assert last.run.status == "held"
    assert ring.outside("send_letter").keys == []


async def test_what_was_no_secret_is_handed_on_and_leaves(ring: Ring) -> None:
    await a_writer(ring, f"FYI {PLAN}")
    child = await child_of(ring, await handed_on(ring, PLAN))
    assert child.run.status == "done"
    assert len(ring.outside("send_letter").keys) == 1


async def test_other_words_of_a_ticket_that_was_opened_beside_a_secret_leave(ring: Ring) -> None:
    await a_writer(ring, "Good morning Ana, the shop opens at nine tomorrow.")
    parent = await handed_on(ring, "Tell Ana: the shop opens at nine tomorrow.", secret=True)
    assert (await child_of(ring, parent)).run.status == "done"

"""A changed boundary held against what really happened; a proposal held against a boundary. Neither writes anything."""

from datetime import timedelta

import pytest
from msgspec import to_builtins

from app import clock
from app.canon.agent import StepContext
from app.canon.contract import ArgumentRule, Boundary, InTicket, InvalidTerms, Length, Regex, SumRule, ToolRule
from app.canon.errors import Invalid
from app.canon.vocabulary import Tier
from app.cli.looking import _backtest_lines
from app.execution_graph.backtesting import Backtest, BacktestAsked, Outcome, backtest
from app.execution_graph.checking import Check, Checked, TicketText, Told, check
from app.execution_graph.pruning import prune
from app.role_registry import Role
from tests.execution_graph.ring import Ring

MAIL = {"to": ["ana@kopi.example"], "subject": "Report", "body": "Here."}
ASKS = ToolRule("write_note", "ask")


async def past(ring: Ring, role: Role, *rules: ToolRule, **asked: object) -> Backtest:
    async with ring.transaction() as tx:
        return await backtest(
            tx,
            role.id,
            BacktestAsked(boundary=Boundary(tools=rules), **asked),  # type: ignore[arg-type]
            tools={name: tool.spec for name, tool in ring.tools.items()},
            store=ring.runtime.store,
        )


async def looked(ring: Ring, role: Role | None, tool: str, arguments: dict[str, object], **more: object) -> Checked:
    async with ring.transaction() as tx:
        return await check(
            tx,
            Check(tool=tool, arguments=arguments, **more),  # type: ignore[arg-type]
            role_id=None if role is None else role.id,
            tools={name: tool.spec for name, tool in ring.tools.items()},
            store=ring.runtime.store,
        )


async def three_notes(ring: Ring) -> Role:
    """One note approved, one rejected, one expired to nobody's answer."""

    async def write(ctx: StepContext) -> str:
        return (await ctx.call_tool("write_note", {"text": ctx.task.title})).status

    role = await ring.hire_scribe(write, ASKS)
    for title, answer in (("short", True), ("a much longer note", False), ("waits", None)):
        view = await ring.run(role, title=title)
        if answer is not None:
            await ring.decide(view.run, yes=answer)
            await ring.drive(view.run)
    return role


async def test_a_looser_boundary_is_shown_with_what_the_founder_decided(ring: Ring) -> None:
    role = await three_notes(ring)
    found = await past(ring, role, ToolRule("write_note", "allow"))
    assert (found.calls, found.changed) == (3, 3)
    assert found.before == {"hold:R1": 3}
    assert found.after == {"allow": 3}
    assert found.against == {
        "hold:R1/approved": {"allow": 1},
        "hold:R1/rejected": {"allow": 1},
        "hold:R1/pending": {"allow": 1},
    }
    assert [change.arguments["text"] for change in found.changes] == ["waits", "a much longer note", "short"]
    assert found.changes[1].before == Outcome("hold", Tier.R1, "rejected")
    assert found.changes[0].why["en"] == "It would be done without asking."
    assert all(change.event_id for change in found.changes)


async def test_a_narrower_rule_says_which_value_and_what_would_pass(ring: Ring) -> None:
    role = await three_notes(ring)
    rule = ToolRule("write_note", "allow", (ArgumentRule("text", (Length(6),), "deny"),))
    found = await past(ring, role, rule, limit=1)
    assert found.after == {"allow": 2, "refuse": 1}
    assert (found.changed, len(found.changes)) == (3, 1)
    refused = (await past(ring, role, rule)).changes[1]
    assert refused.after == Outcome("refuse")
    assert "longer than 6 characters" in refused.why["en"]
    assert "6 karakter" in refused.why["id"]


async def test_the_same_boundary_changes_nothing(ring: Ring) -> None:
    found = await past(ring, await three_notes(ring), ASKS)
    assert found.changes == ()
    assert found.before == found.after == {"hold:R1": 3}


async def test_what_came_later_does_not_count(ring: Ring) -> None:
    """A read after the call is not its source, and a sum holds only what was called before."""

    async def write(ctx: StepContext) -> str:
        await ctx.call_tool("http_get", {"url": "https://other.example/a"})
        await ctx.call_tool("look", {"what": "https://other.example/a"})
        return "tried"

    rules = (ToolRule("http_get", "allow"), ToolRule("look", "allow"))
    role = await ring.hire_scribe(write, *rules)
    view = await ring.run(role)
    await ring.decide(view.run, yes=False)
    await ring.drive(view.run)
    found = await past(ring, role, ToolRule("http_get", "ask", tier=Tier.R2), ToolRule("look", "allow"))
    assert found.changed == 0
    assert found.against["hold:R2/rejected"] == {"hold:R2": 1}


async def test_sums_count_the_calls_before_each_call(ring: Ring) -> None:
    async def write(ctx: StepContext) -> str:
        for number in (1, 2, 3):
            await ctx.call_tool(
                "record_revenue",
                {"amount_minor": 100, "currency": "IDR", "source": "cash", "description": f"day {number}"},
            )
        return "done"

    role = await ring.hire_scribe(write, "record_revenue")
    await ring.run(role)
    capped = ToolRule("record_revenue", "allow", sums=(SumRule("amount_minor", "day", 250, "ask"),))
    found = await past(ring, role, capped)
    assert found.after == {"allow": 2, "hold:R1": 1}
    assert found.changes[0].arguments["description"] == "day 3"
    assert "300" in found.changes[0].why["en"]


async def test_a_backtest_writes_nothing_and_says_what_is_approximated(ring: Ring) -> None:
    role = await three_notes(ring)
    before = len(await ring.events())
    found = await past(ring, role, ASKS)
    assert len(await ring.events()) == before
    assert any("Sums" in line for line in found.approximated["en"])
    assert len(found.approximated["en"]) == len(found.approximated["id"])


async def test_runs_that_were_pruned_are_said_and_not_counted(ring: Ring) -> None:
    role = await three_notes(ring)
    until = clock.now() + timedelta(minutes=1)
    async with ring.transaction() as tx:
        await tx.connection.execute("SELECT set_config('app.now', (now() + interval '101 days')::text, true)")
        gone = await prune(tx, 100, actor=ring.founder.actor)
    assert gone.runs == 2, "the third still waits"
    found = await past(ring, role, ASKS, until=until)
    assert (found.calls, found.pruned_runs, found.erased_runs) == (1, 2, 0)
    assert "Not counted, since what they asked for is gone: runs 2 pruned." in _backtest_lines(to_builtins(found))
    assert (await past(ring, role, ASKS, until=until - timedelta(days=300))).pruned_runs == 0


async def test_the_span_is_kept(ring: Ring) -> None:
    role = await three_notes(ring)
    now = clock.now()
    assert (await past(ring, role, ASKS, until=now - timedelta(hours=1))).calls == 0
    with pytest.raises(Invalid, match="400 days"):
        await past(ring, role, ASKS, since=now - timedelta(days=500))
    with pytest.raises(InvalidTerms):
        await past(ring, role, ToolRule("write_note", "allow", (ArgumentRule("text", (Regex("("),)),)))


async def test_a_check_says_what_the_gate_would_say_and_leaves_no_trace(ring: Ring) -> None:
    role = await ring.hire(ToolRule("send_email", "allow", (ArgumentRule("to", (InTicket(),)),)))
    before = len(await ring.events())
    passes = await looked(ring, role, "send_email", {**MAIL}, ticket=TicketText("Report", "To ana@kopi.example"))
    assert (passes.result.verdict, passes.role_version) == ("allow", 1)
    reading = Told("please write to ana@kopi.example")
    held = await looked(ring, role, "send_email", {**MAIL}, ticket=TicketText("Report"), readings=(reading,))
    assert (held.result.verdict, held.result.tier) == ("hold", Tier.R2)
    assert held.result.facts[0].source_step == 1
    assert any("first read in step 1" in line for line in held.result.sentences["en"])
    assert any("langkah 1" in line for line in held.result.sentences["id"])
    refused = await looked(ring, role, "write_note", {"text": "x"})
    assert (refused.result.verdict, refused.result.law) == ("refuse", "boundary")
    assert len(await ring.events()) == before


async def test_a_check_on_a_real_ticket_knows_what_its_run_has_read(ring: Ring) -> None:
    async def write(ctx: StepContext) -> str:
        return (await ctx.call_tool("look", {"what": "ana@kopi.example"})).content

    role = await ring.hire_scribe(write, "look", "send_email")
    view = await ring.run(role)
    held = await looked(ring, role, "send_email", {**MAIL}, ticket_id=view.run.ticket_id)
    assert held.result.facts[0].source_tool == "look"


async def test_a_boundary_is_checked_without_any_role(ring: Ring) -> None:
    boundary = Boundary(tools=(ToolRule("send_email", "deny"),))
    refused = await looked(ring, None, "send_email", {**MAIL}, boundary=boundary)
    assert (refused.result.verdict, refused.role_id) == ("refuse", None)
    assert any("budget" in note for note in refused.notes["en"])
    with pytest.raises(Invalid, match="boundary"):
        await looked(ring, None, "send_email", {**MAIL})
    with pytest.raises(Invalid, match="no tool"):
        await looked(ring, None, "fly", {}, boundary=boundary)

"""A boundary is checked when it is written: every problem at once, each with its place and what would do."""

from collections.abc import Iterable

import msgspec
import pytest

from app.canon.contract import (
    AnyOf,
    ArgumentRule,
    Boundary,
    BudgetLimit,
    Constraint,
    Count,
    DomainIn,
    EngineBinding,
    InvalidTerms,
    Length,
    Max,
    OneOf,
    Problem,
    ProcedureStep,
    Regex,
    SumRule,
    Terms,
    ToolRule,
    WorkingHours,
)
from app.canon.tool import ToolSpec
from app.canon.validation import require_valid, validate_boundary, validate_terms
from app.canon.vocabulary import Risk
from tests.canon.gate_cases import TOOLS


def paths(problems: Iterable[Problem]) -> list[str]:
    return [problem.path for problem in problems]


def bounded(*constraints: Constraint, path: str = "to") -> Boundary:
    return Boundary(tools=(ToolRule("send_email", "allow", (ArgumentRule(path, constraints),)),))


def test_a_good_boundary_has_no_problems() -> None:
    boundary = Boundary(
        tools=(ToolRule("send_email", "allow", (ArgumentRule("to", (DomainIn(("mitra.co.id",)),)),)),),
        egress_hosts=("api.kurs.id", "*.kurs.id", "localhost:8443", "127.0.0.1"),
        working_hours=WorkingHours((1, 2), "22:00", "06:00"),
        calls_per_minute=10,
    )
    assert validate_boundary(boundary, TOOLS) == []


@pytest.mark.parametrize(
    ("boundary", "where"),
    [
        (Boundary(tools=(ToolRule("send_mail", "allow"),)), "tools[0].tool"),
        (Boundary(tools=(ToolRule("write_note", "allow"), ToolRule("write_note", "ask"))), "tools[1].tool"),
        (bounded(Count(1), path="recipient"), "tools[0].arguments[0].path"),
        (bounded(Count(1), path="to.name.x"), "tools[0].arguments[0].path"),
        (bounded(), "tools[0].arguments[0].constraints"),
        (bounded(Max("five")), "tools[0].arguments[0].constraints[0].limit"),
        (bounded(Max("1e9")), "tools[0].arguments[0].constraints[0].limit"),
        (bounded(Count(-1)), "tools[0].arguments[0].constraints[0].limit"),
        (bounded(Length(-1)), "tools[0].arguments[0].constraints[0].limit"),
        (bounded(OneOf(())), "tools[0].arguments[0].constraints[0]"),
        (bounded(DomainIn(())), "tools[0].arguments[0].constraints[0]"),
        (bounded(DomainIn(("ana@mitra.co.id",))), "tools[0].arguments[0].constraints[0].domains[0]"),
        (bounded(Regex("(a+)+")), "tools[0].arguments[0].constraints[0].pattern"),
        (bounded(AnyOf(())), "tools[0].arguments[0].constraints[0]"),
        (bounded(AnyOf((Regex("["),))), "tools[0].arguments[0].constraints[0].constraints[0].pattern"),
        (
            Boundary(tools=(ToolRule("order_payment", "ask", sums=(SumRule("amount_minor", "day", -1),)),)),
            "tools[0].sums[0].limit",
        ),
        (
            Boundary(tools=(ToolRule("order_payment", "ask", sums=(SumRule("amount", "day", 1),)),)),
            "tools[0].sums[0].path",
        ),
        (Boundary(egress_hosts=("https://api.kurs.id",)), "egress_hosts[0]"),
        (Boundary(egress_hosts=("api.kurs.id/path",)), "egress_hosts[0]"),
        (Boundary(data_scopes=(" ",)), "data_scopes[0]"),
        (Boundary(working_hours=WorkingHours((0,))), "working_hours.days"),
        (Boundary(working_hours=WorkingHours(())), "working_hours.days"),
        (Boundary(working_hours=WorkingHours((1,), "8:00", "17:00")), "working_hours.start"),
        (Boundary(working_hours=WorkingHours((1,), "08:00", "24:01")), "working_hours.end"),
        (Boundary(working_hours=WorkingHours((1,), "08:00", "08:00")), "working_hours.end"),
        (Boundary(calls_per_minute=0), "calls_per_minute"),
    ],
)
def test_a_problem_is_found_where_it_stands(boundary: Boundary, where: str) -> None:
    problems = validate_boundary(boundary, TOOLS)
    assert paths(problems) == [where]
    assert len(problems[0].message) > 15


def test_paths_reach_through_objects_and_lists_of_a_schema() -> None:
    lines = {"type": "array", "items": {"type": "object", "properties": {"amount": {"type": "integer"}}}}
    schema = {"type": "object", "properties": {"lines": lines, "more": {"type": "object"}}}
    tools = {"send_email": ToolSpec("send_email", "", schema, Risk.READ, "read")}
    assert validate_boundary(bounded(Max(5), path="lines.amount"), tools) == []
    assert validate_boundary(bounded(Max(5), path="more.any.thing"), tools) == []
    assert paths(validate_boundary(bounded(Max(5), path="lines.price"), tools)) == ["tools[0].arguments[0].path"]


TERMS = Terms("Raka", "Clerk", "Does the books.", Boundary(), (BudgetLimit("tokens", "day", 1000),))


@pytest.mark.parametrize(
    ("terms", "where"),
    [
        (msgspec.structs.replace(TERMS, name=""), "name"),
        (msgspec.structs.replace(TERMS, boundary=Boundary(calls_per_minute=0)), "boundary.calls_per_minute"),
        (msgspec.structs.replace(TERMS, budget=(BudgetLimit("tokens", "day", -1),)), "budget[0].limit"),
        (msgspec.structs.replace(TERMS, budget=(BudgetLimit("money", "day", 1),)), "budget[0].currency"),
        (msgspec.structs.replace(TERMS, budget=(BudgetLimit("calls", "day", 1, "IDR"),)), "budget[0].currency"),
        (msgspec.structs.replace(TERMS, budget=(*TERMS.budget, *TERMS.budget)), "budget[1]"),
        (msgspec.structs.replace(TERMS, engine=EngineBinding(max_steps=0)), "engine.max_steps"),
        (
            msgspec.structs.replace(TERMS, engine=EngineBinding(procedure=(ProcedureStep("fly"),))),
            "engine.procedure[0].tool",
        ),
    ],
)
def test_terms_are_checked_whole(terms: Terms, where: str) -> None:
    assert paths(validate_terms(terms, TOOLS)) == [where]


def test_invalid_terms_carry_every_problem_as_data() -> None:
    bad = msgspec.structs.replace(TERMS, name="", boundary=Boundary(calls_per_minute=0))
    with pytest.raises(InvalidTerms) as raised:
        require_valid(bad, TOOLS)
    assert paths(raised.value.problems) == ["name", "boundary.calls_per_minute"]
    assert raised.value.data["problems"] == [msgspec.to_builtins(problem) for problem in raised.value.problems]
    assert (raised.value.code, raised.value.data["where"]) == ("terms.unsignable", "name, boundary.calls_per_minute")
    require_valid(TERMS, TOOLS)

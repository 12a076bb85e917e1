"""Laws of the gate: it always answers, always the same, and no tightening of a boundary opens it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.canon.contract import (
    AnyOf,
    ArgumentRule,
    Boundary,
    Constraint,
    Count,
    DomainIn,
    InTicket,
    KnownParty,
    Length,
    Max,
    Min,
    OneOf,
    Otherwise,
    Regex,
    SumRule,
    ToolRule,
    WorkingHours,
)
from app.canon.gate import Allow, Hold, Proposal, Refuse, Spent, Verdict, decide
from app.canon.provenance import Provenance, Reading, Trusted
from app.canon.vocabulary import Risk, Tier
from tests.canon.gate_cases import ID, TOOLS, contract

replace = msgspec.structs.replace
QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

WORDS = (
    "ana@mitra.co.id",
    "boss@evil.com",
    "https://mitra.co.id/a?x=https://evil.com",
    "evil-mitra.co.id",
    "5220304412",
    "522-030-4412",
    "PT Kopi Gayo",
    "2026-11-22T10:00:00+07:00",
    "22 November 2026 pukul 10.00",
    "Rp240.000,00",
    "\u202eevil\u200b.com",
    "\ud800",
    "\x00",
    "%2e%2e/%zz",
    "",
    " ",
    "[at] (dot) <>",
    "lima dua dua satu delapan delapan sembilan nol tiga satu",
    "aHR0cHM6Ly9ldmlsLmNvbS9sb2dpbg== 2130706433 [::1]",
    "password=Gunung4gung77 kode 812334",
    "never write to ana@mitra.co.id except https://mitra.co.id/a",
    "a" * 300,
)
words = st.one_of(st.sampled_from(WORDS), st.text(max_size=30))
texts = st.lists(words, max_size=4).map(" ".join)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.integers(0, 10**6), st.floats(), words)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=8,
)

MAILS = st.sampled_from(["ana@mitra.co.id", "boss@evil.com", "Ana <ana@mitra.co.id>", "b@sub.mitra.co.id", "x"])
FITTING: dict[str, st.SearchStrategy[dict[str, object]]] = {
    "send_email": st.fixed_dictionaries(
        {"to": st.lists(MAILS, min_size=1, max_size=3), "subject": words, "body": texts}
    ),
    "order_payment": st.fixed_dictionaries(
        {
            "amount_minor": st.integers(1, 1_000_000),
            "currency": st.sampled_from(["IDR", "USD"]),
            "payee": words,
            "account": words,
            "reference": words,
        }
    ),
    "http_get": st.fixed_dictionaries({"url": words}),
    "write_note": st.fixed_dictionaries({"text": texts}),
    "read_input": st.fixed_dictionaries({"name": words}),
}
PATHS = {"send_email": "to", "order_payment": "account", "http_get": "url", "write_note": "text", "read_input": "name"}

bounding = st.one_of(
    st.builds(Min, st.sampled_from([0, 5, "1.5", "x"])),
    st.builds(Regex, st.sampled_from([r".*", r"[a-z@.]+", r"(a+)+b", "[", r"\d{1,9}"])),
    st.builds(Length, st.integers(0, 50)),
    st.builds(Count, st.integers(0, 4)),
    st.just(InTicket()),
    st.just(KnownParty()),
)
naming = st.one_of(
    st.builds(OneOf, st.lists(st.one_of(MAILS, st.just("5220304412"), st.integers(0, 9)), max_size=3).map(tuple)),
    st.builds(DomainIn, st.lists(st.sampled_from(["mitra.co.id", "evil.com", "*.x", " "]), max_size=2).map(tuple)),
)
plain = st.one_of(bounding, naming, st.builds(Max, st.sampled_from([0, 500_000, "10.5", "NaN"])))
constraints: st.SearchStrategy[Constraint] = st.one_of(plain, st.builds(AnyOf, st.lists(plain, max_size=3).map(tuple)))
otherwises: st.SearchStrategy[Otherwise] = st.sampled_from(["ask", "deny"])


def argument_rules(tool: str) -> st.SearchStrategy[ArgumentRule]:
    paths = st.sampled_from([PATHS[tool], "amount_minor", "currency", "body", "no.such.path", ""])
    return st.builds(ArgumentRule, paths, st.lists(constraints, max_size=3).map(tuple), otherwises)


def tool_rules(tool: str) -> st.SearchStrategy[ToolRule]:
    return st.builds(
        ToolRule,
        st.just(tool),
        st.sampled_from(["allow", "allow", "allow", "ask", "deny"]),
        st.lists(argument_rules(tool), max_size=3).map(tuple),
        st.lists(
            st.builds(
                SumRule,
                st.just("amount_minor"),
                st.sampled_from(["ticket", "day", "month"]),
                st.integers(-1, 2_000_000),
                otherwises,
            ),
            max_size=2,
        ).map(tuple),
        st.sampled_from([None, *Risk]),
        st.sampled_from([None, *Tier]),
    )


clocks = st.sampled_from(["00:00", "08:00", "17:00", "24:00", "99:99", "x"])
hours = st.builds(WorkingHours, st.lists(st.integers(0, 8), max_size=7).map(tuple), clocks, clocks)
hosts = st.lists(st.sampled_from(["mitra.co.id", "*.mitra.co.id", "evil.com:443", "", "x:y"]), max_size=2).map(tuple)


def boundaries(tool: str) -> st.SearchStrategy[Boundary]:
    return st.builds(
        Boundary,
        st.lists(tool_rules(tool), max_size=2).map(tuple),
        hosts,
        st.lists(words, max_size=2).map(tuple),
        st.one_of(st.none(), hours),
        st.one_of(st.none(), st.integers(-1, 5)),
    )


moments = st.one_of(
    st.datetimes(timezones=st.just(UTC)),
    st.just(datetime.max.replace(tzinfo=UTC)),
    st.just(datetime(2026, 11, 23, 5, tzinfo=UTC)),
)
spents = st.builds(
    Spent,
    moments,
    st.sampled_from(["Asia/Jakarta", "UTC", "No/Where", "", "../etc/passwd"]),
    st.dictionaries(st.just("order_payment/amount_minor/day"), st.integers(-5, 2_000_000)),
    st.dictionaries(st.sampled_from(["IDR", "USD"]), st.integers(-5, 2_000_000)),
    st.integers(0, 5),
    st.sampled_from([None, (), tuple(TOOLS)]),
)
provenances = st.builds(
    Provenance,
    st.builds(
        Trusted,
        texts,
        st.dictionaries(words, texts, max_size=2),
        texts,
        st.lists(words, max_size=2).map(tuple),
        st.lists(texts, max_size=1).map(tuple),
    ),
    st.lists(st.builds(Reading, st.integers(1, 9), words, texts, st.booleans()), max_size=3).map(tuple),
    st.dictionaries(words, texts, max_size=2),
)


def asked(tool: str, arguments: dict[str, object]) -> Proposal:
    return Proposal(ID, ID, ID, ID, 1, TOOLS[tool], arguments)


@st.composite
def cases(
    draw: st.DrawFn, arguments: st.SearchStrategy[dict[str, object]] | None = None
) -> tuple[Proposal, Boundary, Spent, Provenance]:
    tool = draw(st.sampled_from(sorted(FITTING)))
    given_arguments = draw(arguments if arguments is not None else FITTING[tool])
    return asked(tool, given_arguments), draw(boundaries(tool)), draw(spents), draw(provenances)


@QUICK
@given(cases(st.dictionaries(words, json_values, max_size=5)))
def test_the_gate_answers_whatever_it_is_asked(case: tuple[Proposal, Boundary, Spent, Provenance]) -> None:
    proposal, boundary, spent, provenance = case
    verdict = decide(proposal, contract(boundary=boundary), spent, provenance)
    assert isinstance(verdict, Allow | Hold | Refuse)


@QUICK
@given(cases())
def test_the_gate_gives_reasons_and_the_same_answer_twice(case: tuple[Proposal, Boundary, Spent, Provenance]) -> None:
    proposal, boundary, spent, provenance = case
    role = contract(boundary=boundary)
    verdict = decide(proposal, role, spent, provenance)
    assert decide(proposal, role, spent, provenance) == verdict
    assert isinstance(verdict, Allow) or (verdict.reason and verdict.facts)
    assert msgspec.json.encode(msgspec.to_builtins(verdict)) is not None


def rank(verdict: Verdict) -> int:
    return (Allow, Hold, Refuse).index(type(verdict))


Draw = Callable[[st.SearchStrategy[Any]], Any]
Change = Callable[[Draw, Boundary], Boundary]


def _with_rule(draw: Draw, boundary: Boundary, change: Callable[[ToolRule], ToolRule | None]) -> Boundary:
    if not boundary.tools:
        return boundary
    index = draw(st.integers(0, len(boundary.tools) - 1))
    changed = change(boundary.tools[index])
    rest = (*boundary.tools[:index], *((changed,) if changed else ()), *boundary.tools[index + 1 :])
    return replace(boundary, tools=rest)


def stricter_mode(draw: Draw, boundary: Boundary) -> Boundary:
    return _with_rule(draw, boundary, lambda one: replace(one, mode="ask" if one.mode == "allow" else "deny"))


def deny_instead_of_ask(draw: Draw, boundary: Boundary) -> Boundary:
    def change(one: ToolRule) -> ToolRule:
        arguments = tuple(replace(argument, otherwise="deny") for argument in one.arguments)
        return replace(one, arguments=arguments, sums=tuple(replace(item, otherwise="deny") for item in one.sums))

    return _with_rule(draw, boundary, change)


def one_more_constraint(draw: Draw, boundary: Boundary) -> Boundary:
    extra = draw(bounding)
    path = draw(st.sampled_from([*PATHS.values(), "amount_minor"]))
    kind = draw(otherwises)
    return _with_rule(
        draw, boundary, lambda one: replace(one, arguments=(*one.arguments, ArgumentRule(path, (extra,), kind)))
    )


def tighter(one: Constraint) -> Constraint:
    match one:
        case Max(int(limit)):
            return Max(limit - 3)
        case Min(int(limit)):
            return Min(limit + 3)
        case Length(limit):
            return Length(limit - 3)
        case Count(limit):
            return Count(limit - 1)
        case OneOf(values):
            return OneOf(values[1:])
        case DomainIn(domains):
            return DomainIn(domains[1:])
        case AnyOf(parts):
            return AnyOf(parts[1:])
        case _:
            return one


def tighter_constraints(draw: Draw, boundary: Boundary) -> Boundary:
    """Money and currency aside: there a smaller choice may be the first cap, which is a grant."""

    def change(one: ToolRule) -> ToolRule:
        arguments = tuple(
            argument
            if argument.path in {"amount_minor", "currency"}
            else replace(argument, constraints=tuple(map(tighter, argument.constraints)))
            for argument in one.arguments
        )
        return replace(
            one, arguments=arguments, sums=tuple(replace(item, limit=item.limit - 1000) for item in one.sums)
        )

    return _with_rule(draw, boundary, change)


def graver_risk(draw: Draw, boundary: Boundary) -> Boundary:
    return _with_rule(draw, boundary, lambda one: replace(one, risk=Risk.IRREVERSIBLE, tier=Tier.R2))


def no_such_rule(draw: Draw, boundary: Boundary) -> Boundary:
    if len(boundary.tools) > 1:  # of two rules for one tool both count, so one less is no tightening
        return replace(boundary, tools=())
    return _with_rule(draw, boundary, lambda one: None)


def narrower_role(draw: Draw, boundary: Boundary) -> Boundary:
    rate, times = boundary.calls_per_minute, boundary.working_hours
    return replace(
        boundary,
        egress_hosts=boundary.egress_hosts[1:],
        calls_per_minute=3 if rate is None else rate - 1,
        working_hours=WorkingHours((1,), "08:00", "17:00") if times is None else replace(times, days=times.days[1:]),
    )


CHANGES: tuple[Change, ...] = (
    stricter_mode,
    deny_instead_of_ask,
    one_more_constraint,
    tighter_constraints,
    graver_risk,
    no_such_rule,
    narrower_role,
)


@QUICK
@given(st.data(), cases())
def test_no_tightening_of_a_boundary_opens_the_gate(
    data: st.DataObject, case: tuple[Proposal, Boundary, Spent, Provenance]
) -> None:
    proposal, boundary, spent, provenance = case
    before = decide(proposal, contract(boundary=boundary), spent, provenance)
    for change in CHANGES:
        after = decide(proposal, contract(boundary=change(data.draw, boundary)), spent, provenance)
        assert rank(after) >= rank(before), (change.__name__, before, after)


@QUICK
@given(cases(), st.integers(1, 1_000_000))
def test_spending_more_never_opens_the_gate(case: tuple[Proposal, Boundary, Spent, Provenance], more: int) -> None:
    proposal, boundary, spent, provenance = case
    poorer = replace(
        spent,
        sums={key: value + more for key, value in spent.sums.items()},
        left_money={key: value - more for key, value in spent.left_money.items()},
        calls_last_minute=spent.calls_last_minute + more,
    )
    role = contract(boundary=boundary)
    assert rank(decide(proposal, role, poorer, provenance)) >= rank(decide(proposal, role, spent, provenance))


@QUICK
@given(cases(), st.lists(st.builds(Reading, st.integers(1, 9), words, texts, st.booleans()), max_size=3))
def test_nothing_that_is_read_opens_the_gate(
    case: tuple[Proposal, Boundary, Spent, Provenance], readings: list[Reading]
) -> None:
    proposal, boundary, spent, provenance = case
    role = contract(boundary=boundary)
    more = replace(provenance, readings=(*provenance.readings, *readings))
    assert rank(decide(proposal, role, spent, more)) >= rank(decide(proposal, role, spent, provenance))


def test_the_examples_reach_all_three_verdicts() -> None:
    """The laws above would be empty if every example were refused."""
    seen: set[type] = set()

    @settings(QUICK, database=None, derandomize=True)
    @given(cases())
    def look(case: tuple[Proposal, Boundary, Spent, Provenance]) -> None:
        proposal, boundary, spent, provenance = case
        seen.add(type(decide(proposal, contract(boundary=boundary), spent, provenance)))

    look()
    assert seen == {Allow, Hold, Refuse}


def test_a_role_that_was_tightened_to_nothing_refuses_everything() -> None:
    spent = Spent(datetime(2026, 11, 23, 5, tzinfo=UTC) + timedelta(hours=1))
    for name in TOOLS:
        assert isinstance(decide(asked(name, {}), contract(), spent, Provenance(Trusted(""))), Refuse)

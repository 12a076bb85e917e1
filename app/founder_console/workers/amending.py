"""A contract changed on the phone: which tools, which limits, what the job is. Pure."""

from collections.abc import Mapping, Sequence

import msgspec

from app.canon.contract import BudgetLimit, Mode, Terms, ToolRule
from app.canon.errors import Invalid
from app.canon.tool import ToolSpec
from app.canon.written import minor_digits
from app.founder_console.amounts import decimal_of, decimal_text
from app.founder_console.model import Language
from app.founder_console.naming import Naming, sentence_case
from app.founder_console.wording import Words

MODES: tuple[Mode, ...] = ("allow", "ask", "deny")
MICROS = 1_000_000


class ToolChoice(msgspec.Struct, frozen=True):
    """One tool and how far it may be used; `held` says that the rule bounds its arguments too."""

    name: str
    label: str
    mode: Mode
    held: bool


class LimitField(msgspec.Struct, frozen=True):
    """One budget line as it is typed: `value` in dollars, major units, or as counted."""

    name: str
    unit: str
    period: str
    currency: str
    value: str


def tool_choices(terms: Terms, tools: Mapping[str, ToolSpec], naming: Naming) -> tuple[ToolChoice, ...]:
    """The contract's own tools first, then every other that there is."""
    rules = {rule.tool: rule for rule in terms.boundary.tools}
    names = [*rules, *sorted(tools.keys() - rules.keys())]
    return tuple(_choice(name, rules.get(name), naming) for name in names)


def _choice(name: str, rule: ToolRule | None, naming: Naming) -> ToolChoice:
    held = rule is not None and bool(rule.arguments or rule.sums)
    return ToolChoice(name, sentence_case(naming.tool(name)), "deny" if rule is None else rule.mode, held)


def limit_fields(terms: Terms, language: Language) -> tuple[LimitField, ...]:
    return tuple(
        LimitField(
            name_of(line),
            line.unit,
            line.period,
            line.currency or "",
            decimal_text(int(line.limit), _places(line), language),
        )
        for line in terms.budget
    )


def name_of(line: BudgetLimit) -> str:
    return ".".join(part for part in (line.unit, line.period, line.currency) if part)


def _places(line: BudgetLimit) -> int:
    if line.unit == "usd_micros":
        return 6
    return minor_digits(line.currency) if line.unit == "money" and line.currency else 0


def amended(terms: Terms, data: Mapping[str, object], words: Words) -> Terms:
    """`terms` with what the form changes. Raises `Invalid` for a limit that is no number."""
    budget = tuple(_limited(line, data, words) for line in terms.budget)
    boundary = msgspec.structs.replace(terms.boundary, tools=_ruled(terms.boundary.tools, data))
    return msgspec.structs.replace(
        terms,
        name=_text(data, "name") or terms.name,
        title=_text(data, "title") or terms.title,
        job_description=_text(data, "job_description") or terms.job_description,
        boundary=boundary,
        budget=budget,
    )


def _text(data: Mapping[str, object], name: str) -> str:
    return str(data.get(name) or "").strip().replace("\r\n", "\n")


def _ruled(rules: Sequence[ToolRule], data: Mapping[str, object]) -> tuple[ToolRule, ...]:
    """Rules keep what they ask of arguments; a tool that is new gets a bare rule."""
    wanted = {name.removeprefix("tool:"): mode for name, mode in data.items() if name.startswith("tool:")}
    kept = tuple(msgspec.structs.replace(rule, mode=_mode(wanted.get(rule.tool), rule.mode)) for rule in rules)
    known = {rule.tool for rule in rules}
    added = tuple(
        ToolRule(name, mode)
        for name, given in wanted.items()
        if name not in known and (mode := _mode(given, "deny")) != "deny"
    )
    return (*kept, *added)


def _mode(given: object, otherwise: Mode) -> Mode:
    return next((mode for mode in MODES if mode == given), otherwise)


def _limited(line: BudgetLimit, data: Mapping[str, object], words: Words) -> BudgetLimit:
    given = data.get(f"limit:{name_of(line)}")
    if given is None:
        return line
    limit = decimal_of(str(given).replace(" ", ""), _places(line))
    if limit is None or limit < 0:
        raise Invalid(words("hire.problem.amount", value=str(given).strip() or "–"))
    return msgspec.structs.replace(line, limit=limit)

"""Make a rule from a card: bounds from the precedents, the backtest, then the founder's signature; and the list."""

from datetime import datetime, time
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from litestar.response import Redirect

from app.canon.argument_names import argument_name
from app.canon.contract import ArgumentRule, Constraint, Max, OneOf, ToolRule
from app.canon.digits import whole_number
from app.canon.errors import Conflict, Invalid
from app.canon.rule import RuleTerms
from app.canon.sentences import rule_sentence
from app.canon.vocabulary import Money
from app.founder_console.amounts import amount_of, amount_text
from app.founder_console.cards.inbox import act_of
from app.founder_console.model import Language
from app.founder_console.visits import Caller, Visit, enter, go
from app.postgres import Transaction
from app.role_registry import (
    NewRule,
    RuleBacktest,
    StandingRule,
    backtest_rule,
    earlier,
    propose_rule,
    revoke_rule,
    rules_of,
    suggested,
)
from app.work_queue import Approval, get_approval

Page = Response[bytes]
COUNTED = "IDR"
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]


class Bound(msgspec.Struct, frozen=True):
    """One bound as a field: at most a number, or one of the texts, one a line."""

    name: str
    label: str
    most: bool
    value: str


class RuleLine(msgspec.Struct, frozen=True):
    """A standing rule in a list."""

    rule: StandingRule
    text: str
    worker: str
    in_force: bool


@get("/approvals/{approval_id:uuid}/rule", include_in_schema=False)
async def rule_form(request: Caller, tx: NamedDependency[Transaction], approval_id: FromPath[UUID]) -> Page | Redirect:
    """The rule that the precedents suggest; with fields in the address, the one that they make, and its backtest."""
    visit, approval = await enter(request, tx), await get_approval(tx, approval_id)
    terms = await _suggested(visit, approval)
    if terms is None:
        return go(f"/approvals/{approval_id}")
    typed = dict(request.query_params.items())
    try:
        wanted = _typed(visit, terms, typed) if typed else terms
    except Invalid as refusal:
        return await _form(visit, approval, terms, problem=visit.refused(refusal), status=422)
    return await _form(visit, approval, wanted)


@post("/approvals/{approval_id:uuid}/rule", status_code=200, include_in_schema=False)
async def ask_rule(
    request: Caller, tx: NamedDependency[Transaction], approval_id: FromPath[UUID], data: Form
) -> Page | Redirect:
    """Ask for the signature under the rule; it leads to the card that is signed."""
    visit, approval = await enter(request, tx), await get_approval(tx, approval_id)
    terms = await _suggested(visit, approval)
    if terms is None:
        return go(f"/approvals/{approval_id}")
    try:
        terms = _typed(visit, terms, data)
        new = NewRule(role_id=terms.role_id, tool=terms.tool, bounds=terms.bounds, uses=terms.uses, until=terms.until)
        async with tx.savepoint():
            undo = request.app.state.settings.undo_seconds
            asked = await propose_rule(tx, new, by=visit.by, tools=visit.naming.tools, undo_seconds=undo)
    except (Conflict, Invalid) as refusal:
        return await _form(visit, approval, terms, problem=visit.refused(refusal), status=422)
    return go(f"/approvals/{asked.id}")


async def _suggested(visit: Visit, approval: Approval) -> RuleTerms | None:
    tool = visit.naming.tools.get(approval.tool or "")
    if approval.kind != "tool_call" or tool is None:
        return None
    before = await earlier(visit.tx, approval.role_id, approval.tool, approval.id)
    return suggested(approval, before, tool, visit.formats.now)


def _typed(visit: Visit, terms: RuleTerms, form: Any) -> RuleTerms:
    """The rule as the fields say. Raises `Invalid`."""
    currency = _currency(visit, terms)
    bounds = tuple(_bound(rule, str(form.get(f"b.{rule.path}") or ""), currency) for rule in terms.bounds)
    uses, until = whole_number(str(form.get("uses") or "")), str(form.get("until") or "")
    try:
        ends = datetime.combine(datetime.fromisoformat(until).date(), time(23, 59), visit.formats.zone)
    except ValueError:
        raise Invalid(visit.words("rule.problem.until")) from None
    if uses is None or not 1 <= uses <= 1000:
        raise Invalid(visit.words("rule.problem.uses"))
    return msgspec.structs.replace(terms, bounds=bounds, uses=uses, until=ends)


def _currency(visit: Visit, terms: RuleTerms) -> str:
    """The only currency of the rule, in which its amount is written; that of counted things, without decimal places,
    where there is none."""
    tool = visit.naming.tools[terms.tool]
    bound = next((rule.constraints[0] for rule in terms.bounds if rule.path == tool.currency), None)
    match bound:
        case OneOf((str(code),)):
            return code
        case _:
            return COUNTED


def _bound(rule: ArgumentRule, text: str, currency: str) -> ArgumentRule:
    one: Constraint
    if isinstance(rule.constraints[0], Max):
        most = amount_of(text, currency if rule.path.endswith("_minor") else COUNTED)
        one = rule.constraints[0] if most is None or most < 0 else Max(most)
    else:
        values = tuple(line.strip() for line in text.splitlines() if line.strip())
        one = OneOf(values) if values else rule.constraints[0]
    return ArgumentRule(rule.path, (one,))


async def _form(visit: Visit, approval: Approval, terms: RuleTerms, *, problem: str = "", status: int = 200) -> Page:
    tool = visit.naming.tools[terms.tool]
    tested: RuleBacktest = await backtest_rule(visit.tx, terms, tool)
    return visit.page(
        "approval_rule.html",
        tab="decisions",
        status=status,
        title=visit.words("rule.title"),
        a={"id": approval.id, "act": act_of(approval, visit.words.language)},
        bounds=[_field(rule, visit.words.language, _currency(visit, terms)) for rule in terms.bounds],
        uses=terms.uses,
        until=terms.until.astimezone(visit.formats.zone).date().isoformat(),
        tested=tested,
        sentence=_sentence(visit, terms),
        problem=problem,
    )


def _field(rule: ArgumentRule, language: Language, currency: str) -> Bound:
    label, one = argument_name(rule.path, language).removeprefix("the "), rule.constraints[0]
    written = ""
    if isinstance(one, Max):
        code = currency if rule.path.endswith("_minor") else COUNTED
        written = amount_text(Money(one.limit, code), language) if isinstance(one.limit, int) else one.limit
    if isinstance(one, OneOf):
        written = "\n".join(map(str, one.values))
    return Bound(f"b.{rule.path}", label[:1].upper() + label[1:], isinstance(one, Max), written)


def _sentence(visit: Visit, terms: RuleTerms) -> str:
    rule = ToolRule(terms.tool, "allow", terms.bounds)
    return rule_sentence(rule, visit.words.language, visit.naming.labels)


@get("/rules", include_in_schema=False)
async def rules(request: Caller, tx: NamedDependency[Transaction]) -> Page:
    """All standing rules: those in force, then those that are over."""
    visit = await enter(request, tx)
    now = visit.formats.now
    lines = [
        RuleLine(rule, _sentence(visit, rule.terms), visit.naming.worker(rule.terms.role_id), rule.in_force(now))
        for rule in await rules_of(tx)
    ]
    return visit.page(
        "rules.html",
        tab="decisions",
        title=visit.words("rules.title"),
        lines=sorted(lines, key=lambda line: not line.in_force),
    )


@post("/rules/{rule_id:uuid}/revoke", status_code=303, include_in_schema=False)
async def revoke(request: Caller, tx: NamedDependency[Transaction], rule_id: FromPath[UUID]) -> Redirect:
    await revoke_rule(tx, rule_id, (await enter(request, tx)).by)
    return go("/rules")


ROUTES = (rule_form, ask_rule, rules, revoke)

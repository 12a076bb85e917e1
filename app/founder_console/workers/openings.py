"""Jobs to hire for from a phone: what each starts from, and the contract that a filled-in form makes. Pure."""

from collections.abc import Mapping, Sequence

import msgspec

from app.canon.contract import (
    ArgumentRule,
    Boundary,
    BudgetLimit,
    Constraint,
    Escalation,
    EscalationStep,
    Max,
    OneOf,
    SumRule,
    Terms,
    ToolRule,
)
from app.canon.errors import Invalid
from app.canon.presets import PRESETS, PresetName
from app.canon.vocabulary import Money
from app.canon.written import minor_digits
from app.founder_console.amounts import amount_of, amount_text, decimal_of
from app.founder_console.wording import Words

PAYING = "order_payment"
# What a beginner may pay at once and in a month, in major units; rupiah as people count them, others as dollars.
CAPS: Mapping[str, tuple[int, int]] = {"IDR": (5_000_000, 25_000_000)}
OTHER_CAPS = (300, 1_500)
MOST_MICROS = 10**12


class Opening(msgspec.Struct, frozen=True):
    """A job that many companies have; its words are in the catalogues under `job.<key>.`"""

    key: str
    preset: PresetName
    names: tuple[str, ...]


OPENINGS: tuple[Opening, ...] = (
    Opening("bookkeeper", "clerk", ("Raka", "Dian", "Wulan")),
    Opening("support", "drafter", ("Sari", "Tari", "Yoga")),
    Opening("buyer", "drafter", ("Bimo", "Laras", "Gilang")),
    Opening("analyst", "observer", ("Nadia", "Fajar", "Intan")),
    Opening("sales", "drafter", ("Rian", "Maya", "Citra")),
    Opening("assistant", "drafter", ("Ayu", "Bagas", "Putri")),
)


class Application(msgspec.Struct, frozen=True):
    """The form as typed. Amounts are text in major units of the company's currency, or US dollars for the model."""

    name: str
    title: str
    job_description: str
    preset: PresetName
    model_usd: str = "2"
    each: str = ""
    month: str = ""


def opening_of(key: str) -> Opening | None:
    return next((one for one in OPENINGS if one.key == key), None)


def blank(opening: Opening, words: Words, taken: Sequence[str], currency: str, preset: str = "") -> Application:
    """The form as it is first shown, with a name that nobody has."""
    used = {name.casefold() for name in taken}
    name = next((one for one in opening.names if one.casefold() not in used), "")
    each, month = CAPS.get(currency, OTHER_CAPS)
    return Application(
        name=name,
        title=words(f"job.{opening.key}.title"),
        job_description=words(f"job.{opening.key}.does"),
        preset=preset_of(preset, opening.preset),
        each=_typed(each, currency, words),
        month=_typed(month, currency, words),
    )


def _typed(major: int, currency: str, words: Words) -> str:
    return amount_text(Money(major * int(10 ** minor_digits(currency)), currency), words.language)


def preset_of(text: str, otherwise: PresetName) -> PresetName:
    return next((name for name in PRESETS if name == text), otherwise)


def may_pay(preset: PresetName) -> bool:
    return any(rule.tool == PAYING and rule.mode != "deny" for rule in PRESETS[preset].tools)


def terms_of(form: Application, currency: str, words: Words) -> Terms:
    """The contract that the form asks for. Raises `Invalid` for an amount that is none."""
    each = month = 0
    if may_pay(form.preset):
        each, month = (_minor(text, currency, words) for text in (form.each, form.month))
    model = _micros(form.model_usd, words)
    return Terms(
        name=form.name,
        title=form.title,
        job_description=form.job_description,
        boundary=_fitted(PRESETS[form.preset], currency, each, month),
        budget=(*_model_limits(model), *_work_limits(), *_money_limits(currency, month)),
        escalation=Escalation((EscalationStep(1_800, "second_channel"), EscalationStep(7_200, "deputy"))),
    )


def _model_limits(micros: int) -> tuple[BudgetLimit, ...]:
    return (BudgetLimit("usd_micros", "day", micros), BudgetLimit("usd_micros", "month", micros * 10))


def _work_limits() -> tuple[BudgetLimit, ...]:
    return (
        BudgetLimit("tokens", "ticket", 200_000),
        BudgetLimit("tokens", "day", 1_000_000),
        BudgetLimit("calls", "ticket", 40),
        BudgetLimit("calls", "day", 500),
    )


def _money_limits(currency: str, month: int) -> tuple[BudgetLimit, ...]:
    return (BudgetLimit("money", "month", month, currency),) if month else ()


def _fitted(boundary: Boundary, currency: str, each: int, month: int) -> Boundary:
    """The preset in the company's currency and with the caps that the founder wrote."""
    return msgspec.structs.replace(
        boundary, tools=tuple(_fitted_rule(rule, currency, each, month) for rule in boundary.tools)
    )


def _fitted_rule(rule: ToolRule, currency: str, each: int, month: int) -> ToolRule:
    arguments = tuple(
        msgspec.structs.replace(one, constraints=_fitted_constraints(one, currency, each)) for one in rule.arguments
    )
    sums: tuple[SumRule, ...] = tuple(msgspec.structs.replace(one, limit=month) for one in rule.sums)
    return msgspec.structs.replace(rule, arguments=arguments, sums=sums)


def _fitted_constraints(argument: ArgumentRule, currency: str, each: int) -> tuple[Constraint, ...]:
    if argument.path == "currency":
        return (OneOf((currency,)),)
    if argument.path == "amount_minor":
        return (Max(each),)
    return argument.constraints


def _minor(text: str, currency: str, words: Words) -> int:
    minor = amount_of(text, currency)
    if minor is None or minor < 0:
        raise Invalid(words("hire.problem.amount", value=text.strip() or "–"))
    return minor


def _micros(text: str, words: Words) -> int:
    """US dollars; `1.250`, which is two amounts, is none."""
    micros = decimal_of(text, 6)
    if micros is None or not 0 <= micros <= MOST_MICROS:
        raise Invalid(words("hire.problem.amount", value=text.strip() or "–"))
    return micros

"""Rules as plain sentences, in English and Indonesian. A founder reads these, not the data."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias, assert_never

from app.canon.amounts import Language, grouped, money_phrase
from app.canon.argument_names import argument_name
from app.canon.contract import (
    AnyOf,
    ArgumentRule,
    Boundary,
    BudgetLimit,
    Constraint,
    Count,
    DomainIn,
    InTicket,
    KnownParty,
    Length,
    Max,
    Min,
    OneOf,
    Period,
    Regex,
    SumRule,
    ToolRule,
    WorkingHours,
)
from app.canon.values import shown
from app.canon.vocabulary import Money, Risk, Tier

Labels: TypeAlias = Mapping[str, str]

NO_LABELS: Labels = {}

_ONE_OF_THESE = "salah satu dari ini:"

_DAYS: Mapping[Language, tuple[str, ...]] = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "id": ("Sen", "Sel", "Rab", "Kam", "Jum", "Sab", "Min"),
}
_PERIODS: Mapping[Language, Mapping[Period, str]] = {
    "en": {"ticket": "per ticket", "day": "a day", "month": "a month"},
    "id": {"ticket": "per tiket", "day": "sehari", "month": "sebulan"},
}
_UNITS: Mapping[Language, Mapping[str, str]] = {
    "en": {"tokens": "tokens", "calls": "tool calls", "minutes": "minutes", "runs": "runs"},
    "id": {"tokens": "token", "calls": "panggilan alat", "minutes": "menit", "runs": "pengerjaan"},
}
_RISKS: Mapping[Language, Mapping[Risk, str]] = {
    "en": {
        Risk.READ: "reading",
        Risk.REVERSIBLE: "reversible",
        Risk.IRREVERSIBLE: "irreversible",
        Risk.MONEY: "moving money",
        Risk.OUTBOUND: "reaching people outside",
    },
    "id": {
        Risk.READ: "membaca",
        Risk.REVERSIBLE: "dapat dibatalkan",
        Risk.IRREVERSIBLE: "tidak dapat dibatalkan",
        Risk.MONEY: "memindahkan uang",
        Risk.OUTBOUND: "menjangkau pihak luar",
    },
}


def constraint_phrase(one: Constraint, language: Language, currency: str = "") -> str:
    """One constraint without its subject: `is at most 5,000,000`; with a currency its limit is money."""
    english = language == "en"
    match one:
        case Max(limit):
            most = _limit(limit, language, currency)
            return f"is at most {most}" if english else f"paling banyak {most}"
        case Min(limit):
            least = _limit(limit, language, currency)
            return f"is at least {least}" if english else f"paling sedikit {least}"
        case OneOf((value,)):
            return f"is {shown(value)}" if english else f"hanya {shown(value)}"
        case OneOf(values):
            names = ", ".join(map(shown, values))
            return f"is one of: {names}" if english else f"salah satu dari: {names}"
        case Regex(pattern):
            return f"has the form {pattern}" if english else f"berbentuk {pattern}"
        case DomainIn(domains):
            names = ", ".join(domains)
            return f"belongs to {names}" if english else f"berada di {names}"
        case InTicket():
            return "stands in the ticket" if english else "tertulis di tiket"
        case KnownParty():
            return "is a known party" if english else "adalah pihak yang dikenal"
        case Length(limit):
            text = grouped(limit, language)
            return f"has at most {text} characters" if english else f"paling panjang {text} karakter"
        case Count(limit):
            return f"has at most {limit} entries" if english else f"berisi paling banyak {limit} butir"
        case AnyOf(constraints):
            parts = [constraint_phrase(part, language, currency) for part in constraints]
            return f"either {' or '.join(parts)}" if english else f"{_ONE_OF_THESE} {', atau '.join(parts)}"
        case _:
            assert_never(one)


def rule_sentence(rule: ToolRule, language: Language, labels: Labels = NO_LABELS) -> str:
    """One tool rule as one sentence. `labels` say what a tool does (`send e-mail`); one without is used by its name."""
    english = language == "en"
    opening = _opening(rule, language, labels.get(rule.tool))
    if rule.mode == "deny":
        return f"{opening}."
    currency = _currency(rule)
    parts = [_argument_part(one, language, _of_money(one.path, currency)) for one in rule.arguments]
    parts += [_sum_part(one, language, _of_money(one.path, currency)) for one in rule.sums]
    parts += _gravity_parts(rule, language)
    joined = "; ".join(parts)
    if not joined:
        return f"{opening}."
    if rule.mode == "ask":
        return f"{opening}; {joined}."
    return (
        f"{opening} {'if' if english else 'jika'} {joined}." if rule.arguments or rule.sums else f"{opening}; {joined}."
    )


def _opening(rule: ToolRule, language: Language, label: str | None) -> str:
    english, place = language == "en", ("allow", "ask", "deny").index(rule.mode)
    does = label or (f"use {rule.tool}" if english else f"memakai {rule.tool}")
    if english:
        return (f"May {does}", f"Asks each time before it may {does}", f"May not {does}")[place]
    return (f"Boleh {does}", f"Bertanya setiap kali hendak {does}", f"Tidak boleh {does}")[place]


def _currency(rule: ToolRule) -> str:
    """The only currency in which the rule lets a call name its amount; empty where there are others."""
    only = (one.constraints for one in rule.arguments if one.path == "currency")
    match next(only, ()):
        case (OneOf((str(code),)),):
            return code
        case _:
            return ""


def _of_money(path: str, currency: str) -> str:
    """The currency of the argument at `path`; empty for what is no amount in minor units."""
    return currency if path.endswith("_minor") else ""


def _limit(limit: int | str, language: Language, currency: str) -> str:
    return (
        money_phrase(Money(limit, currency), language) if currency and type(limit) is int else grouped(limit, language)
    )


def _argument_part(argument: ArgumentRule, language: Language, currency: str) -> str:
    name, otherwise = argument_name(argument.path, language), _else(argument.otherwise, language)
    said = [constraint_phrase(one, language, currency) for one in argument.constraints]
    if language == "id" and len(said) == 1:
        said = [said[0].removeprefix(f"{_ONE_OF_THESE} ")]
    return f"{name} {(' and ' if language == 'en' else ' dan ').join(said)} ({otherwise})"


def _sum_part(one: SumRule, language: Language, currency: str) -> str:
    limit, period = _limit(one.limit, language, currency), _PERIODS[language][one.period]
    name = argument_name(one.path, language)
    if language == "en":
        return f"{name} stays within {limit} in all {period} ({_else(one.otherwise, language)})"
    return f"{name} seluruhnya tidak lewat {limit} {period} ({_else(one.otherwise, language)})"


def _else(otherwise: str, language: Language) -> str:
    if otherwise == "ask":
        return "else asks" if language == "en" else "selain itu bertanya"
    return "else refused" if language == "en" else "selain itu ditolak"


def _gravity_parts(rule: ToolRule, language: Language) -> list[str]:
    parts = []
    if rule.risk is not None:
        name = _RISKS[language][rule.risk]
        parts.append(f"it counts as {name}" if language == "en" else f"dianggap {name}")
    if rule.tier is Tier.R2:
        key = "approval needs the founder's own key" if language == "en" else "persetujuan memerlukan kunci pendiri"
        parts.append(key)
    return parts


def day_names(days: Iterable[int], language: Language) -> str:
    """`Mon, Tue`, `Mon–Fri`; days 1 (Monday) to 7, others are left out."""
    known = sorted({day for day in days if 1 <= day <= 7})
    names = [_DAYS[language][day - 1] for day in known]
    if len(known) > 2 and known[-1] - known[0] == len(known) - 1:
        return f"{names[0]}–{names[-1]}"
    return ", ".join(names)


def clocks(text: str, language: Language) -> str:
    """`07:00` as the language writes it."""
    return text if language == "en" else text.replace(":", ".")


def sum_phrase(limit_and_period: str, language: Language) -> str:
    """`25000000 month`, as a fact names a sum, in words: `25,000,000 a month`."""
    limit, _, period = limit_and_period.partition(" ")
    words = next((words for name, words in _PERIODS[language].items() if name == period), period)
    return f"{grouped(limit, language)} {words}".rstrip()


def hours_sentence(hours: WorkingHours, language: Language) -> str:
    days = day_names(hours.days, language)
    if language == "en":
        return f"Acts on {days} from {hours.start} to {hours.end}; outside these hours asks."
    return (
        f"Bekerja {days} pukul {clocks(hours.start, 'id')} sampai {clocks(hours.end, 'id')}; di luar jam itu bertanya."
    )


def boundary_sentences(boundary: Boundary, language: Language, labels: Labels = NO_LABELS) -> tuple[str, ...]:
    """The whole boundary, one sentence for each rule, in the order in which they are written."""
    english = language == "en"
    lines = [rule_sentence(rule, language, labels) for rule in boundary.tools]
    if boundary.egress_hosts:
        hosts = ", ".join(boundary.egress_hosts)
        lines.append(f"May reach {hosts}." if english else f"Boleh menghubungi {hosts}.")
    if boundary.data_scopes:
        scopes = ", ".join(boundary.data_scopes)
        lines.append(f"Reads only {scopes}; else asks." if english else f"Hanya membaca {scopes}; selain itu bertanya.")
    if boundary.working_hours is not None:
        lines.append(hours_sentence(boundary.working_hours, language))
    if boundary.calls_per_minute is not None:
        rate = boundary.calls_per_minute
        lines.append(
            f"Makes at most {rate} calls a minute; beyond that asks."
            if english
            else f"Paling banyak {rate} panggilan per menit; lebih dari itu bertanya."
        )
    lines.append(
        "Anything else is refused, and any place that nobody named is asked about."
        if english
        else "Selain itu ditolak, dan tujuan yang tidak pernah disebut ditanyakan."
    )
    return tuple(lines)


def amount_phrase(amount: int, unit: str, language: Language) -> str:
    """What is not money of a tool: `40 tool calls`, `US$2.50 of model spend`."""
    if unit != "usd_micros":
        return f"{grouped(amount, language)} {_UNITS[language].get(unit, unit)}"
    dollars = money_phrase(Money(round(amount / 10_000), "USD"), language)
    return f"{dollars} of model spend" if language == "en" else f"biaya model {dollars}"


def budget_sentence(limit: BudgetLimit, language: Language) -> str:
    """One budget line: `Spends at most US$2.50 of model spend a day.`"""
    period = _PERIODS[language][limit.period]
    if limit.unit == "money":
        what = money_phrase(Money(limit.limit, limit.currency or "IDR"), language)
    else:
        what = amount_phrase(limit.limit, limit.unit, language)
    return f"Spends at most {what} {period}." if language == "en" else f"Menghabiskan paling banyak {what} {period}."

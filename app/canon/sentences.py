"""Rules and reasons as plain sentences, in English and Indonesian. A founder reads these, not the data."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, TypeAlias, assert_never

from app.canon.contract import (
    AnyOf,
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
from app.canon.facts import Fact
from app.canon.values import shown
from app.canon.vocabulary import Money, Risk, Tier
from app.canon.written import minor_digits

Language: TypeAlias = Literal["en", "id"]

_DAYS: Mapping[Language, tuple[str, ...]] = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "id": ("Sen", "Sel", "Rab", "Kam", "Jum", "Sab", "Min"),
}
_PERIODS: Mapping[Language, Mapping[Period, str]] = {
    "en": {"ticket": "per ticket", "day": "a day", "month": "a month"},
    "id": {"ticket": "per tiket", "day": "sehari", "month": "sebulan"},
}
_UNITS: Mapping[Language, Mapping[str, str]] = {
    "en": {"tokens": "tokens", "calls": "tool calls", "minutes": "minutes"},
    "id": {"tokens": "token", "calls": "panggilan alat", "minutes": "menit"},
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


def grouped(number: int | str, language: Language) -> str:
    """Digits in groups of three, as the language writes them: `5,000,000` or `5.000.000`."""
    text = str(number)
    whole, point, fraction = text.partition(".")
    if not whole.lstrip("-").isdigit() or not whole.isascii():
        return shown(text)
    digits = whole.lstrip("-")
    head = len(digits) % 3
    groups = ([digits[:head]] if head else []) + [digits[i : i + 3] for i in range(head, len(digits), 3)]
    separator, decimal = (",", ".") if language == "en" else (".", ",")
    return ("-" if whole.startswith("-") else "") + separator.join(groups) + (decimal + fraction if point else "")


def constraint_phrase(one: Constraint, language: Language) -> str:
    """One constraint without its subject: `is at most 5,000,000`."""
    english = language == "en"
    match one:
        case Max(limit):
            return f"is at most {grouped(limit, 'en')}" if english else f"paling banyak {grouped(limit, 'id')}"
        case Min(limit):
            return f"is at least {grouped(limit, 'en')}" if english else f"paling sedikit {grouped(limit, 'id')}"
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
            parts = [constraint_phrase(part, language) for part in constraints]
            return f"either {' or '.join(parts)}" if english else f"salah satu dari: {', atau '.join(parts)}"
        case _:
            assert_never(one)


def rule_sentence(rule: ToolRule, language: Language) -> str:
    """One tool rule as one sentence."""
    english = language == "en"
    if rule.mode == "deny":
        return f"May not use {rule.tool}." if english else f"Tidak boleh memakai {rule.tool}."
    if rule.mode == "ask":
        opening = f"Asks before each {rule.tool}" if english else f"Bertanya sebelum setiap {rule.tool}"
    else:
        opening = f"May use {rule.tool}" if english else f"Boleh memakai {rule.tool}"
    parts = [
        _argument_part(argument.path, argument.constraints, argument.otherwise, language) for argument in rule.arguments
    ]
    parts += [_sum_part(one, language) for one in rule.sums]
    parts += _gravity_parts(rule, language)
    joined = "; ".join(parts)
    if not joined:
        return f"{opening}."
    if rule.mode == "ask":
        return f"{opening}; {joined}."
    return (
        f"{opening} {'if' if english else 'jika'} {joined}." if rule.arguments or rule.sums else f"{opening}; {joined}."
    )


def _argument_part(path: str, constraints: tuple[Constraint, ...], otherwise: str, language: Language) -> str:
    phrases = (" and " if language == "en" else " dan ").join(constraint_phrase(one, language) for one in constraints)
    return f"{path} {phrases} ({_else(otherwise, language)})"


def _sum_part(one: SumRule, language: Language) -> str:
    limit, period = grouped(one.limit, language), _PERIODS[language][one.period]
    if language == "en":
        return f"{one.path} stays within {limit} in all {period} ({_else(one.otherwise, language)})"
    return f"jumlah {one.path} tidak lewat {limit} {period} ({_else(one.otherwise, language)})"


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


def hours_sentence(hours: WorkingHours, language: Language) -> str:
    days = ", ".join(_DAYS[language][day - 1] for day in sorted(set(hours.days)) if 1 <= day <= 7)
    if language == "en":
        return f"Acts on {days} from {hours.start} to {hours.end}; outside these hours asks."
    return f"Bekerja {days} pukul {hours.start} sampai {hours.end}; di luar jam itu bertanya."


def boundary_sentences(boundary: Boundary, language: Language) -> tuple[str, ...]:
    """The whole boundary, one sentence for each rule, in the order in which they are written."""
    english = language == "en"
    lines = [rule_sentence(rule, language) for rule in boundary.tools]
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


def money_phrase(amount: Money, language: Language) -> str:
    """`12.50 USD`, `240,000 IDR`, in Indonesian `Rp240.000`: major units, as the language groups them."""
    places = minor_digits(amount.currency)
    written = grouped(f"{Decimal(amount.minor).scaleb(-places):.{places}f}", language)
    return f"Rp{written}" if language == "id" and amount.currency == "IDR" else f"{written} {amount.currency}"


def budget_sentence(limit: BudgetLimit, language: Language) -> str:
    """One budget line: `Spends at most 2.50 USD of model money a day.`"""
    period = _PERIODS[language][limit.period]
    if limit.unit == "usd_micros":
        dollars = f"{limit.limit / 1_000_000:.2f}"
        what = f"{dollars} USD of model spend" if language == "en" else f"biaya model {dollars} USD"
    elif limit.unit == "money":
        what = money_phrase(Money(limit.limit, limit.currency or "IDR"), language)
    else:
        what = f"{grouped(limit.limit, language)} {_UNITS[language][limit.unit]}"
    return f"Spends at most {what} {period}." if language == "en" else f"Menghabiskan paling banyak {what} {period}."


def fact_sentence(fact: Fact, tool: str, language: Language = "en") -> str:
    """One reason as a sentence: which rule, which value, what would pass."""
    template = _FACTS[fact.code][0 if language == "en" else 1]
    sentence = template.format(
        tool=tool, path=fact.path, value=fact.value, wanted=fact.wanted or "-", kind=_kind(fact.wanted, language)
    )
    if not fact.source_tool:
        return sentence
    return sentence + (
        f" It was first read in step {fact.source_step} ({fact.source_tool})."
        if language == "en"
        else f" Nilai ini pertama dibaca pada langkah {fact.source_step} ({fact.source_tool})."
    )


_KINDS: Mapping[Language, Mapping[str, str]] = {
    "en": {"mail": "mail address", "link": "link", "account": "account or number", "name": "name"},
    "id": {"mail": "alamat surel", "link": "tautan", "account": "rekening atau nomor", "name": "nama"},
}


def _kind(kind: str, language: Language) -> str:
    return _KINDS[language].get(kind, kind)


_FACTS: Mapping[str, tuple[str, str]] = {
    "unknown_tool": (
        "The role has no rule for {tool}, so it may not use it. Work with the tools it has.",
        "Peran ini tidak punya aturan untuk {tool}, jadi tidak boleh memakainya. Pakai alat yang ada.",
    ),
    "denied": (
        "The role may not use {tool}: its rule says deny.",
        "Peran ini tidak boleh memakai {tool}: aturannya menolak.",
    ),
    "schema": ("The call of {tool} is not well formed: {wanted}.", "Panggilan {tool} tidak benar bentuknya: {wanted}."),
    "ask": (
        "The role asks the founder before each {tool}.",
        "Peran ini bertanya kepada pendiri sebelum setiap {tool}.",
    ),
    "max": (
        "{path} is {value}; {tool} passes up to {wanted}.",
        "{path} bernilai {value}; {tool} lolos sampai {wanted}.",
    ),
    "min": ("{path} is {value}; {tool} passes from {wanted}.", "{path} bernilai {value}; {tool} lolos mulai {wanted}."),
    "one_of": (
        "{path} is {value}; {tool} passes with one of: {wanted}.",
        "{path} bernilai {value}; {tool} lolos dengan salah satu dari: {wanted}.",
    ),
    "regex": (
        "{path} is {value}; {tool} passes when it has the form {wanted}.",
        "{path} bernilai {value}; {tool} lolos jika berbentuk {wanted}.",
    ),
    "domain_in": (
        "{path} is {value}; {tool} passes for addresses of {wanted}.",
        "{path} bernilai {value}; {tool} lolos untuk alamat di {wanted}.",
    ),
    "in_ticket": (
        "{path} is {value}, which does not stand in the ticket; {tool} passes with a value written there.",
        "{path} bernilai {value}, yang tidak tertulis di tiket; {tool} lolos dengan nilai yang tertulis di sana.",
    ),
    "known_party": (
        "{path} is {value}, which is no known party; {tool} passes for a party the founder has signed.",
        "{path} bernilai {value}, bukan pihak yang dikenal; {tool} lolos untuk pihak yang ditandatangani pendiri.",
    ),
    "length": (
        "{path} is longer than {wanted} characters; {tool} passes with a shorter text.",
        "{path} lebih panjang dari {wanted} karakter; {tool} lolos dengan teks yang lebih pendek.",
    ),
    "count": (
        "{path} has {value} entries; {tool} passes with at most {wanted}.",
        "{path} berisi {value} butir; {tool} lolos dengan paling banyak {wanted}.",
    ),
    "any_of": (
        "{path} is {value} and satisfies none of its alternatives; {tool} passes with one of them: {wanted}.",
        "{path} bernilai {value} dan tidak memenuhi satu pun pilihannya; {tool} lolos dengan salah satunya: {wanted}.",
    ),
    "sum": (
        "{path} would come to {value} in all; {tool} passes while the sum stays within {wanted}.",
        "{path} seluruhnya menjadi {value}; {tool} lolos selama jumlahnya tidak lewat {wanted}.",
    ),
    "hours": (
        "It is {value}; the role acts within {wanted}.",
        "Sekarang {value}; peran ini bekerja dalam {wanted}.",
    ),
    "rate": (
        "The role has made {value} calls in the last minute; it may make {wanted}.",
        "Peran ini sudah membuat {value} panggilan dalam satu menit; batasnya {wanted}.",
    ),
    "scope": (
        "{value} is outside the data of the role; {tool} passes for {wanted}.",
        "{value} di luar data peran ini; {tool} lolos untuk {wanted}.",
    ),
    "narrowing": (
        "{tool} is not among the tools fixed for this ticket before its first read: {wanted}.",
        "{tool} tidak termasuk alat yang ditetapkan untuk tiket ini sebelum bacaan pertama: {wanted}.",
    ),
    "destination": (
        "{path} would reach {value} ({kind}), not written in the ticket or the role and no known party.",
        "{path} akan menuju {value} ({kind}), tidak tertulis di tiket atau peran dan bukan pihak yang dikenal.",
    ),
    "secret": (
        "{path} would carry out text of a secret source: {value}. It passes when the ticket itself contains that text.",
        "{path} akan membawa keluar teks dari sumber rahasia: {value}. Lolos jika tiket sendiri memuat teks itu.",
    ),
    "credential": (
        "{path} would carry out a key or password ({value}).",
        "{path} akan membawa keluar kunci atau kata sandi ({value}).",
    ),
    "money_over_cap": (
        "{path} is {value}, over the cap: {tool} passes up to {wanted}.",
        "{path} bernilai {value}, melewati batas: {tool} lolos sampai {wanted}.",
    ),
    "money_uncapped": (
        "{tool} would move {value} and the role sets no cap for it; a max on {path} in one currency would let it pass.",
        "{tool} akan memindahkan {value} tanpa batas di peran ini; batas {path} dalam satu mata uang meloloskannya.",
    ),
    "budget": (
        "{tool} would spend {value} and {wanted} are left of the role's budget; ask the founder to raise it.",
        "{tool} akan memakai {value} dan sisa anggaran peran {wanted}; minta pendiri menaikkannya.",
    ),
}

"""Reasons of a verdict as plain sentences: as the worker is told them, and in the founder's words."""

import re
from collections.abc import Mapping

import msgspec

from app.canon.amounts import Language, grouped, money_phrase
from app.canon.argument_names import argument_name
from app.canon.facts import Fact
from app.canon.sentences import NO_LABELS, Labels, amount_phrase, clocks, day_names, sum_phrase
from app.canon.vocabulary import Money


def fact_sentence(fact: Fact, tool: str, language: Language = "en") -> str:
    """One reason as a sentence: which rule, which value, what would pass."""
    return _sentence(msgspec.structs.replace(fact, wanted=_in_words(fact, language)), tool, language)


def _sentence(fact: Fact, tool: str, language: Language) -> str:
    template = _FACTS[fact.code][0 if language == "en" else 1]
    sentence = template.format(
        tool=tool, path=fact.path, value=fact.value, wanted=fact.wanted or "-", kind=_kind(fact.wanted, language)
    )
    if not fact.source_tool:
        return sentence
    if fact.source_step is None:
        return sentence + (
            f" It was first read in the work before this ({fact.source_tool})."
            if language == "en"
            else f" Nilai ini pertama dibaca dalam pekerjaan sebelum ini ({fact.source_tool})."
        )
    return sentence + (
        f" It was first read in step {fact.source_step} ({fact.source_tool})."
        if language == "en"
        else f" Nilai ini pertama dibaca pada langkah {fact.source_step} ({fact.source_tool})."
    )


def reason_sentence(fact: Fact, tool: str, language: Language, labels: Labels = NO_LABELS) -> str:
    """`fact_sentence` as a founder reads it: arguments and tools by the names that people have for them."""
    path, source = argument_name(fact.path, language), _quoted(fact.source_tool, labels)
    shown = msgspec.structs.replace(in_words(fact, language), path=path, source_tool=source)
    sentence = _sentence(shown, _quoted(tool, labels), language)
    return sentence[:1].upper() + sentence[1:]


def in_words(fact: Fact, language: Language) -> Fact:
    """`fact` with its amounts and limits as people write them: `12105000 IDR`, `25000000 month`, days by number."""
    value, wanted = _amount(fact, fact.value, language), _amount(fact, _in_words(fact, language), language)
    return msgspec.structs.replace(fact, value=value, wanted=wanted)


def _amount(fact: Fact, text: str, language: Language) -> str:
    money = _MONEY.fullmatch(text) if fact.code in ("money_uncapped", "budget") else None
    if money is not None:
        return money_phrase(Money(int(money[1]), money[2]), language)
    counted = _COUNTED.fullmatch(text) if fact.code == "budget" else None
    if counted is not None:
        return amount_phrase(int(counted[1]), counted[2], language)
    return grouped(text, language) if fact.code in _NUMBERED and _DIGITS.fullmatch(text) else text


def _quoted(tool: str, labels: Labels) -> str:
    return f"“{labels[tool]}”" if tool in labels else tool


_NUMBERED = frozenset(("max", "min", "money_over_cap", "length", "sum"))
_DIGITS = re.compile("-?[0-9]{1,18}")
_COUNTED = re.compile("(-?[0-9]{1,18}) ([a-z_]+)")
_MONEY = re.compile("(-?[0-9]{1,18}) ([A-Z]{3})")
_KINDS: Mapping[Language, Mapping[str, str]] = {
    "en": {"mail": "mail address", "link": "link", "account": "account or number", "name": "name"},
    "id": {"mail": "alamat surel", "link": "tautan", "account": "rekening atau nomor", "name": "nama"},
}


_ALTERNATIVES: Mapping[Language, Mapping[str, str]] = {
    "en": {"{in_ticket}": "a value that stands in the ticket", "{known_party}": "a party the founder has signed"},
    "id": {"{in_ticket}": "nilai yang tertulis di tiket", "{known_party}": "pihak yang ditandatangani pendiri"},
}


def _in_words(fact: Fact, language: Language) -> str:
    """What would pass, in words: alternatives without a limit, days by their names, a sum with its period."""
    match fact.code:
        case "any_of":
            wanted = fact.wanted
            for code, words in _ALTERNATIVES[language].items():
                wanted = wanted.replace(code, words)
            return wanted
        case "hours":
            hours, _, days = fact.wanted.partition(" ")
            numbers = [int(day) for day in days.split(",") if day in {"1", "2", "3", "4", "5", "6", "7"}]
            return f"{clocks(hours, language)}, {day_names(numbers, language)}" if numbers else fact.wanted
        case "sum":
            return sum_phrase(fact.wanted, language)
        case _:
            return fact.wanted


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
        "{path} would carry out a key or password ({value}). It passes when the founder wrote it.",
        "{path} akan membawa keluar kunci atau kata sandi ({value}). Lolos jika pendiri yang menulisnya.",
    ),
    "unreadable": (
        "After something secret was read, {path} would carry out a block that nobody can read ({value}). Words pass.",
        "Sesudah hal rahasia dibaca, {path} akan membawa keluar blok yang tak terbaca ({value}). Kata biasa lolos.",
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

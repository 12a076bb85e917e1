"""Boundaries and reasons read as plain sentences in both languages."""

import pytest

from app.canon.amounts import NBSP, Language, grouped, money_phrase
from app.canon.contract import (
    AnyOf,
    ArgumentRule,
    Boundary,
    BudgetLimit,
    Count,
    DomainIn,
    InTicket,
    KnownParty,
    Length,
    Max,
    Min,
    OneOf,
    Regex,
    SumRule,
    ToolRule,
    WorkingHours,
)
from app.canon.facts import Fact
from app.canon.gate import Refuse
from app.canon.presets import PRESETS
from app.canon.reasons import fact_sentence, reason_sentence
from app.canon.sentences import boundary_sentences, budget_sentence, rule_sentence
from app.canon.validation import validate_boundary
from app.canon.vocabulary import Money, Risk, Tier
from tests.canon.gate_cases import MAIL, TOOLS, contract, judge, proposal, told

MAIL_RULE = ToolRule(
    "send_email",
    "allow",
    (ArgumentRule("to", (Count(3), AnyOf((InTicket(), KnownParty(), DomainIn(("mitra.co.id",)))))),),
)
PAY_RULE = ToolRule(
    "order_payment",
    "ask",
    (ArgumentRule("amount_minor", (Max(5_000_000), Min(1)), "deny"),),
    (SumRule("amount_minor", "month", 25_000_000, "deny"),),
    Risk.IRREVERSIBLE,
    Tier.R2,
)


def test_rules_read_as_sentences_in_english() -> None:
    assert rule_sentence(ToolRule("write_note", "allow"), "en") == "May use write_note."
    assert rule_sentence(ToolRule("send_email", "deny"), "en") == "May not use send_email."
    assert rule_sentence(MAIL_RULE, "en") == (
        "May use send_email if the recipient has at most 3 entries and either stands in the ticket or is a known party "
        "or belongs to mitra.co.id (else asks)."
    )
    assert rule_sentence(PAY_RULE, "en", {"order_payment": "order a payment"}) == (
        "Asks each time before it may order a payment; the amount is at most 5,000,000 and is at least 1 (else "
        "refused); the amount stays within 25,000,000 in all a month (else refused); it counts as irreversible; "
        "approval needs the founder's own key."
    )


def test_rules_read_as_sentences_in_indonesian() -> None:
    assert rule_sentence(MAIL_RULE, "id", {"send_email": "mengirim surel"}) == (
        "Boleh mengirim surel jika penerima berisi paling banyak 3 butir dan salah satu dari ini: tertulis di tiket, "
        "atau adalah pihak yang dikenal, atau berada di mitra.co.id (selain itu bertanya)."
    )
    assert rule_sentence(PAY_RULE, "id") == (
        "Bertanya setiap kali hendak memakai order_payment; jumlah paling banyak 5.000.000 dan paling sedikit 1 "
        "(selain itu ditolak); jumlah seluruhnya tidak lewat 25.000.000 sebulan (selain itu ditolak); dianggap tidak "
        "dapat dibatalkan; persetujuan memerlukan kunci pendiri."
    )


@pytest.mark.parametrize("language", ["en", "id"])
def test_every_part_of_a_boundary_is_said(language: Language) -> None:
    every = (OneOf(("a",)), Regex("x+"), Length(9), Count(2), InTicket(), KnownParty(), Max("1.5"), Min(0))
    boundary = Boundary(
        tools=(MAIL_RULE, PAY_RULE, ToolRule("x", "allow", (ArgumentRule("p", every),))),
        egress_hosts=("api.kurs.id",),
        data_scopes=("keuangan",),
        working_hours=WorkingHours((1, 5), "08:00", "17:00"),
        calls_per_minute=12,
    )
    lines = boundary_sentences(boundary, language)
    assert len(lines) == 8
    assert all(line.endswith(".") and line[0].isupper() for line in lines)
    said = " ".join(lines)
    for word in ("api.kurs.id", "keuangan", "08:00" if language == "en" else "08.00", "12", "x+"):
        assert word in said


def test_an_amount_is_money_where_the_rule_allows_one_currency_only() -> None:
    currency = ArgumentRule("currency", (OneOf(("IDR",)),), "deny")
    rule = ToolRule(
        "pay",
        "allow",
        (
            currency,
            ArgumentRule("amount_minor", (Max(5_000_000),)),
            ArgumentRule("to", (AnyOf((InTicket(), KnownParty())),)),
        ),
        (SumRule("amount_minor", "month", 25_000_000),),
    )
    assert rule_sentence(rule, "id", {"pay": "membayar"}) == (
        "Boleh membayar jika mata uang hanya IDR (selain itu ditolak); jumlah paling banyak Rp5.000.000 (selain itu "
        "bertanya); penerima tertulis di tiket, atau adalah pihak yang dikenal (selain itu bertanya); jumlah "
        "seluruhnya tidak lewat Rp25.000.000 sebulan (selain itu bertanya)."
    )
    assert "the currency is IDR (else refused); the amount is at most IDR 5,000,000" in rule_sentence(
        rule, "en"
    ).replace("\u00a0", " ")
    dollars = ToolRule(
        "pay", "allow", (ArgumentRule("currency", (OneOf(("USD",)),)), ArgumentRule("amount_minor", (Max(150_000),)))
    )
    assert "the amount is at most US$1,500.00" in rule_sentence(dollars, "en")


@pytest.mark.parametrize(("days", "said"), [((1, 2, 3, 4, 5), "Sen–Jum"), ((1, 5), "Sen, Jum"), ((6, 7), "Sab, Min")])
def test_days_in_a_row_are_said_from_to(days: tuple[int, ...], said: str) -> None:
    hours = WorkingHours(days, "07:00", "19:00")
    assert boundary_sentences(Boundary(working_hours=hours), "id")[0] == (
        f"Bekerja {said} pukul 07.00 sampai 19.00; di luar jam itu bertanya."
    )


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid_and_differ_in_what_they_may(name: str) -> None:
    boundary = PRESETS[name]  # type: ignore[index]
    assert validate_boundary(boundary, TOOLS) == []
    assert boundary_sentences(boundary, "id")


def test_budgets_read_as_sentences() -> None:
    assert budget_sentence(BudgetLimit("usd_micros", "day", 2_500_000), "en") == (
        "Spends at most US$2.50 of model spend a day."
    )
    assert budget_sentence(BudgetLimit("usd_micros", "day", 2_500_000), "id") == (
        "Menghabiskan paling banyak biaya model US$2,50 sehari."
    )
    assert budget_sentence(BudgetLimit("money", "month", 25_000_000, "IDR"), "id") == (
        "Menghabiskan paling banyak Rp25.000.000 sebulan."
    )
    assert budget_sentence(BudgetLimit("money", "month", 1_250, "USD"), "en") == ("Spends at most US$12.50 a month.")
    assert budget_sentence(BudgetLimit("tokens", "ticket", 200_000), "en") == (
        "Spends at most 200,000 tokens per ticket."
    )


@pytest.mark.parametrize(
    ("number", "english", "indonesian"),
    [(5, "5", "5"), (1234567, "1,234,567", "1.234.567"), ("-1234.5", "-1,234.5", "-1.234,5"), ("NaN", "NaN", "NaN")],
)
def test_numbers_are_grouped_as_the_language_writes_them(number: int | str, english: str, indonesian: str) -> None:
    assert (grouped(number, "en"), grouped(number, "id")) == (english, indonesian)


def test_a_reason_names_value_rule_and_source_in_both_languages() -> None:
    fact = Fact("destination", "to", "x@evil.com", "mail", 3, "read_input")
    assert fact_sentence(fact, "send_email") == (
        "to would reach x@evil.com (mail address), not written in the ticket or the role and no known party. It was "
        "first read in step 3 (read_input)."
    )
    assert fact_sentence(fact, "send_email", "id") == (
        "to akan menuju x@evil.com (alamat surel), tidak tertulis di tiket atau peran dan bukan pihak yang dikenal. "
        "Nilai ini pertama dibaca pada langkah 3 (read_input)."
    )


def test_a_founder_reads_a_reason_without_the_names_of_the_machine() -> None:
    fact = Fact("destination", "account", "5220304412", "account", 2, "read_input")
    labels = {"read_input": "membaca berkas", "order_payment": "memerintahkan pembayaran"}
    assert reason_sentence(fact, "order_payment", "id", labels) == (
        "Rekening akan menuju 5220304412 (rekening atau nomor), tidak tertulis di tiket atau peran dan bukan pihak "
        "yang dikenal. Nilai ini pertama dibaca pada langkah 2 (“membaca berkas”)."
    )
    over = Fact("max", "headers.x-size", "9", "5")
    assert reason_sentence(over, "crm_update", "en").startswith("The header (headers.x-size) is 9; crm_update passes")


def test_every_code_has_a_sentence_in_both_languages_and_takes_any_value() -> None:
    import typing

    from app.canon.facts import Code

    for code in typing.get_args(Code):
        fact = Fact(code, "a.b", "{value} {0} %s", "{wanted}")
        for language in ("en", "id"):
            assert fact_sentence(fact, "{tool}", language).endswith(".")


def test_alternatives_that_have_no_limit_are_said_in_words() -> None:
    asked = ArgumentRule("to", (AnyOf((InTicket(), KnownParty(), DomainIn(("lain.co.id",)))),), "deny")
    refused = judge(proposal("send_email", **MAIL), contract(ToolRule("send_email", "allow", (asked,))), told("Reply."))
    assert isinstance(refused, Refuse)
    assert refused.reason.endswith(
        "one of them: a value that stands in the ticket; a party the founder has signed; lain.co.id."
    )
    assert "pihak yang ditandatangani pendiri" in fact_sentence(refused.facts[0], "send_email", "id")


def test_hours_and_sums_say_what_would_pass_in_words() -> None:
    late = Fact("hours", "", "2026-11-22 03:10", "08:00-17:00 1,2,5")
    assert fact_sentence(late, "send_email").endswith("the role acts within 08:00-17:00, Mon, Tue, Fri.")
    assert fact_sentence(late, "send_email", "id").endswith("dalam 08.00-17.00, Sen, Sel, Jum.")
    over = Fact("sum", "amount_minor", "26000000", "25000000 month")
    assert fact_sentence(over, "order_payment").endswith("while the sum stays within 25,000,000 a month.")
    assert fact_sentence(over, "order_payment", "id").endswith("jumlahnya tidak lewat 25.000.000 sebulan.")


@pytest.mark.parametrize(
    ("amount", "english", "indonesian"),
    [
        (Money(12_105_000), f"IDR{NBSP}12,105,000", "Rp12.105.000"),
        (Money(1_250, "USD"), "US$12.50", "US$12,50"),
        (Money(-5, "EUR"), "−€0.05", "−€0,05"),
        (Money(1_500, "CHF"), f"CHF{NBSP}15.00", f"CHF{NBSP}15,00"),
    ],
)
def test_money_has_one_form_in_each_language(amount: Money, english: str, indonesian: str) -> None:
    assert money_phrase(amount, "en") == english
    assert money_phrase(amount, "id") == indonesian


@pytest.mark.parametrize(
    ("fact", "english", "indonesian"),
    [
        (Fact("money_uncapped", "amount_minor", "12105000 IDR"), f"would move IDR{NBSP}12,105,000", "Rp12.105.000"),
        (Fact("budget", "amount_minor", "900 USD", "50 USD"), "would spend US$9.00 and US$0.50 are left", "US$9,00"),
        (Fact("money_over_cap", "amount_minor", "12105000", "5000000"), "is 12,105,000, over", "sampai 5.000.000"),
        (Fact("sum", "amount_minor", "26000000", "25000000 month"), "25,000,000 a month", "25.000.000 sebulan"),
    ],
)
def test_a_founder_reads_amounts_as_people_write_them(fact: Fact, english: str, indonesian: str) -> None:
    assert english in reason_sentence(fact, "order_payment", "en")
    assert indonesian in reason_sentence(fact, "order_payment", "id")


def test_a_value_that_a_worker_made_up_is_shown_as_it_is() -> None:
    fact = Fact("max", "amount_minor", "5 IDR", "5000000")
    assert "is 5 IDR" in reason_sentence(fact, "order_payment", "en")
    assert "12105000 IDR" in fact_sentence(Fact("money_uncapped", "amount_minor", "12105000 IDR"), "order_payment")

"""Hiring from the phone: every job makes a contract that can be signed, in the company's own currency."""

import msgspec
import pytest

from app.adapters.tools import load_tools
from app.canon.contract import InvalidTerms, Max, OneOf, Terms
from app.canon.errors import Invalid
from app.canon.presets import PRESETS
from app.founder_console.wording import load_words
from app.founder_console.workers.openings import OPENINGS, Application, Opening, blank, terms_of
from app.role_registry.terms import check_terms
from tests.founder_console.test_wording import ROOT

WORDS = load_words(ROOT / "frontend" / "i18n")
TOOLS = {name: tool.spec for name, tool in load_tools(smtp_url=None, mail_from="a@b.example").items()}


def filled(opening: Opening = OPENINGS[0], currency: str = "IDR", **changes: str) -> Application:
    form = blank(opening, WORDS["id"], [], currency, preset=changes.pop("preset", ""))
    return msgspec.structs.replace(form, **changes)


@pytest.mark.parametrize("opening", OPENINGS, ids=lambda one: one.key)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("currency", ["IDR", "USD", "KWD"])
def test_every_job_makes_a_contract_that_can_be_signed(opening: Opening, preset: str, currency: str) -> None:
    for words in WORDS.values():
        form = blank(opening, words, [], currency, preset=preset)
        check_terms(terms_of(form, currency, words), TOOLS)


def test_the_caps_are_those_that_the_founder_wrote_in_his_currency() -> None:
    terms = terms_of(filled(currency="USD", preset="trusted", each="1,250", month="9.000"), "USD", WORDS["en"])
    (paying,) = (rule for rule in terms.boundary.tools if rule.tool == "order_payment")
    limits = {rule.path: rule.constraints for rule in paying.arguments}
    assert limits["currency"] == (OneOf(("USD",)),)
    assert limits["amount_minor"] == (Max(125_000),)
    assert paying.sums[0].limit == 900_000
    assert money(terms) == {"USD": 900_000}


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("5.000.000,00", "IDR", 5_000_000),
        ("Rp5.000.000", "IDR", 5_000_000),
        ("1500.50", "USD", 150_050),
        ("1.500,50", "USD", 150_050),
    ],
)
def test_decimal_places_never_make_a_cap_a_hundred_times_as_large(text: str, currency: str, minor: int) -> None:
    terms = terms_of(filled(currency=currency, preset="trusted", each=text, month=text), currency, WORDS["id"])
    assert money(terms) == {currency: minor}


def money(terms: Terms) -> dict[str | None, int]:
    return {limit.currency: limit.limit for limit in terms.budget if limit.unit == "money"}


def test_who_may_not_pay_has_no_money() -> None:
    assert money(terms_of(filled(preset="observer", each="", month=""), "IDR", WORDS["id"])) == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"each": "lima juta"},
        {"month": ""},
        {"month": "-5"},
        {"each": "12,5"},
        {"each": "9" * 17},
        {"model_usd": "2.345"},
        {"model_usd": ""},
        {"model_usd": "٢"},
    ],
)
def test_an_amount_that_is_none_is_named(changes: dict[str, str]) -> None:
    with pytest.raises(Invalid, match="bukan jumlah"):
        terms_of(msgspec.structs.replace(filled(preset="clerk"), **changes), "IDR", WORDS["id"])


def test_what_is_left_out_cannot_be_signed() -> None:
    with pytest.raises(InvalidTerms):
        check_terms(terms_of(filled(name=" "), "IDR", WORDS["id"]), TOOLS)


def test_a_name_is_offered_that_nobody_has() -> None:
    opening = OPENINGS[0]
    assert blank(opening, WORDS["id"], ["raka"], "IDR").name == opening.names[1]
    assert blank(opening, WORDS["id"], opening.names, "IDR").name == ""

"""Contracts on the phone: versions compared line by line, and changed by a form."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest

from app.canon.contract import ArgumentRule, Boundary, BudgetLimit, KnownParty, Terms, ToolRule
from app.canon.errors import Invalid
from app.founder_console.formats import Formats
from app.founder_console.naming import Naming
from app.founder_console.wording import load_words
from app.founder_console.workers.amending import amended, limit_fields, tool_choices
from app.founder_console.workers.contracts import compare
from tests.builders import some_terms

WORDS = load_words(Path(__file__).parents[2] / "frontend" / "i18n")["en"]
NAMING = Naming(
    words=WORDS,
    formats=Formats("en", ZoneInfo("Asia/Jakarta"), datetime(2026, 11, 22, tzinfo=UTC)),
    me=UUID(int=0),
    founders=(),
    roles={},
)
MAIL = ToolRule("send_email", "allow", arguments=(ArgumentRule("to", (KnownParty(),)),))
TERMS = msgspec.structs.replace(
    some_terms(tools=(MAIL, ToolRule("note_write", "allow"))),
    budget=(BudgetLimit("usd_micros", "day", 2_500_000), BudgetLimit("money", "month", 25_000_000, "IDR")),
)


def signs(older: Terms, newer: Terms) -> dict[str, list[tuple[str, str]]]:
    parts = compare(older, newer, NAMING)
    return {
        part.name: [(line.sign, line.text) for line in part.lines if line.sign != "same"]
        for part in parts
        if part.changed
    }


def test_a_contract_beside_itself_differs_in_nothing() -> None:
    assert signs(TERMS, TERMS) == {}


def test_each_changed_sentence_stands_as_it_was_and_as_it_is() -> None:
    newer = msgspec.structs.replace(
        TERMS,
        job_description="Helps where help is needed.\nAsks before money leaves.",
        budget=(BudgetLimit("usd_micros", "day", 5_000_000), TERMS.budget[1]),
    )
    found = signs(TERMS, newer)
    assert found.keys() == {"job_description", "budgets"}
    assert found["job_description"] == [("new", "Asks before money leaves.")]
    assert [sign for sign, _ in found["budgets"]] == ["gone", "new"]
    assert "2.5" in found["budgets"][0][1]
    assert "5" in found["budgets"][1][1]


def test_a_tool_that_is_taken_away_is_a_sentence_that_is_gone() -> None:
    newer = msgspec.structs.replace(TERMS, boundary=Boundary(tools=(MAIL,)))
    [(sign, text)] = signs(TERMS, newer)["boundary"]
    assert sign == "gone"
    assert "note_write" in text or "note" in text.lower()


def test_limits_are_typed_as_people_count_them() -> None:
    assert [(field.name, field.value) for field in limit_fields(TERMS, "en")] == [
        ("usd_micros.day", "2.5"),
        ("money.month.IDR", "25,000,000"),
    ]


def test_a_form_sent_as_it_was_shown_changes_nothing() -> None:
    form: dict[str, object] = {f"limit:{field.name}": field.value for field in limit_fields(TERMS, "en")}
    form |= {f"tool:{tool.name}": tool.mode for tool in tool_choices(TERMS, {}, NAMING)}
    form |= {"name": TERMS.name, "title": TERMS.title, "job_description": TERMS.job_description}
    assert amended(TERMS, form, WORDS) == TERMS


def test_a_mode_is_changed_and_what_bounds_its_arguments_stays() -> None:
    changed = amended(TERMS, {"tool:send_email": "ask", "tool:web_read": "ask", "tool:forget": "deny"}, WORDS)
    by_name = {rule.tool: rule for rule in changed.boundary.tools}
    assert by_name["send_email"] == msgspec.structs.replace(MAIL, mode="ask")
    assert by_name["web_read"] == ToolRule("web_read", "ask")
    assert by_name.keys() == {"send_email", "note_write", "web_read"}


@pytest.mark.parametrize("text", ["", "-1", "1.5", "ten", "1e9", "9" * 16])
def test_a_limit_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        amended(TERMS, {"limit:money.month.IDR": text}, WORDS)


@pytest.mark.parametrize("text", ["30000000", "30.000.000", "30,000,000", "30 000 000", "30.000.000,00"])
def test_a_limit_is_read_with_the_separators_that_people_write(text: str) -> None:
    assert amended(TERMS, {"limit:money.month.IDR": text}, WORDS).budget[1].limit == 30_000_000


def test_a_limit_that_could_be_two_amounts_is_refused() -> None:
    with pytest.raises(Invalid):
        amended(TERMS, {"limit:usd_micros.day": "1.000"}, WORDS)


def test_a_limit_in_dollars_may_have_parts() -> None:
    changed = amended(TERMS, {"limit:usd_micros.day": "0,75"}, WORDS)
    assert changed.budget[0].limit == 750_000

"""The certificate in the docs names every promise of the contract suites, and every adapter that can be bound."""

import re

import pytest

from tests.adapters.certificate import ADAPTERS, MECHANICAL, PAGE, ROOT, SUITES, promises


def promises_of(kind: str) -> set[str]:
    source = (ROOT / SUITES[kind]).read_text(encoding="utf-8")
    return set(re.findall(r"^(?:async )?def test_(\w+)\(", source, re.MULTILINE))


@pytest.mark.parametrize("kind", SUITES)
def test_the_page_names_each_promise_of_the_suite(kind: str) -> None:
    assert {said.replace(" ", "_") for said in promises()[kind]} == promises_of(kind)


def test_the_page_names_each_adapter_and_breaks_no_promise() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "BROKEN" not in text
    for names in ADAPTERS.values():
        assert f"| {' | '.join(names)} |" in text


def test_what_is_called_mechanical_is_a_promise_of_some_suite() -> None:
    assert set().union(*map(promises_of, SUITES)) >= MECHANICAL

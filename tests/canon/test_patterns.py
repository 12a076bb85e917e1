"""Founders' patterns: what is useful is accepted, what could be slow is refused, with the reason."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.canon.patterns import matches, pattern_problem


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (r"INV-\d{4}(-\d+)?", "INV-2026-118"),
        (r"[a-z]+@[a-z]+\.[a-z]+", "a@b.co"),
        (r"(\d{3}\.)+\d{3}", "012.345.678"),
        (r"(?:IDR|USD) \d+", "IDR 5"),
        (r"[^\]\s]{1,5}", "abc"),
        (r"PT .*", "PT Kopi"),
        ("", ""),
    ],
)
def test_useful_patterns_match_whole_values(pattern: str, value: str) -> None:
    assert pattern_problem(pattern) is None
    assert matches(pattern, value)
    assert not matches(pattern, f"{value}\nx")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(a+)+b", "repeats a group"),
        ("(a|a)*b", "repeats a group"),
        ("(a?){30}a{30}", "repeats a group"),
        ("a?" * 30 + "a" * 30, "too many repetitions"),
        ("a*a*a*a*b", "too many repetitions"),
        ("(a|b)" * 40, "too many repetitions"),
        (r"(?=a)", "special group"),
        (r"(?P<x>a)", "special group"),
        (r"(?i)a", "special group"),
        (r"(a)\1", r"uses \\1"),
        (r"\bword", r"uses \\b"),
        ("a{2", "brace"),
        ("a{500}", "beyond"),
        ("a**", "repeats a repetition"),
        ("a*?", "repeats a repetition"),
        ("*a", "repeats nothing"),
        ("[", "not closed"),
        ("(", "not closed"),
        (")", "not opened"),
        ("a\\", "backslash"),
        ("[b-a]", "no regular expression"),
        ("[[a]", "escape it"),
        ("a{3,1}", "no regular expression"),
        ("a" * 201, "longer than 200"),
        ("(" * 12 + "a" + ")" * 12, "nested groups"),
    ],
)
def test_doubtful_patterns_are_refused_with_the_reason(pattern: str, words: str) -> None:
    problem = pattern_problem(pattern)
    assert problem is not None
    assert words.replace("\\\\", "\\") in problem
    assert not matches(pattern, "a")


def test_long_values_never_match() -> None:
    assert matches(".*", "a" * 200)
    assert not matches(".*", "a" * 201)


@given(st.text(alphabet="ab()[]{}|?*+\\.^$-,019 d", max_size=40), st.text(alphabet="ab01", max_size=200))
def test_no_accepted_pattern_is_slow(pattern: str, value: str) -> None:
    started = time.process_time()
    matches(pattern, value)
    assert time.process_time() - started < 2


@given(st.text(max_size=60))
def test_any_text_is_judged_as_a_pattern_without_an_error(pattern: str) -> None:
    problem = pattern_problem(pattern)
    assert problem is None or problem

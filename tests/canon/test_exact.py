"""Model JSON made fit for digests: no float survives, nothing is rounded in silence."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.canon.canonical_json import NotCanonical, canonical_bytes, exact


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (2.0, 2),
        (-0.0, 0),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (1e300, "1" + "0" * 300),
        (2**53, 2**53),
        (2**53 + 1, "9007199254740993"),
        (True, True),
        ({"a": [1.5, {"b": None}]}, {"a": ["1.5", {"b": None}]}),
        ((1, 2), [1, 2]),
    ],
)
def test_every_number_keeps_its_value(value: object, wanted: object) -> None:
    assert exact(value) == wanted


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), "\x00", "\ud800", {"\u00e9": 1}, {1: 2}, {"a\x00": 1}, 10**400, b"x", object()],
)
def test_what_has_no_exact_form_is_refused(value: object) -> None:
    with pytest.raises(NotCanonical):
        exact(value)


def test_too_deep_is_refused() -> None:
    value: object = 1
    for _ in range(40):
        value = [value]
    with pytest.raises(NotCanonical, match="deeper"):
        exact(value)


scalars = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text())
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)),
    max_leaves=12,
)


@given(values)
def test_what_is_exact_has_canonical_bytes_and_stays_as_it_is(value: object) -> None:
    try:
        made = exact(value)
    except NotCanonical:
        return
    assert exact(made) == made
    assert json.loads(canonical_bytes(made)) == made


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_never_rounded(value: float) -> None:
    assert Decimal(str(exact(value))) == Decimal(repr(value))

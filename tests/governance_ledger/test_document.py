"""The canonical document: its bytes equal RFC 8785, its hashes and notes stand in docs/ledger-format.md."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pymerkle
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from app.canon.canonical_json import NotCanonical, canonical_bytes
from app.governance_ledger import notes
from app.governance_ledger.document import instant
from app.governance_ledger.errors import EventRefused
from app.governance_ledger.merkle import Frontier
from tests.governance_ledger.ledgers import KEY, OTHER, TENANT

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ASCII = st.text(st.characters(max_codepoint=127, exclude_characters="\0"))
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(ASCII, inner, max_size=5),
    max_leaves=20,
)


@given(JSON)
def test_canonical_bytes_equal_the_reference(value: object) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [1.0, 2**53 + 1, {"ä": 1}, "\ud800", b"x", {1: 2}, "a\0b", object(), float("nan")])
def test_what_two_implementations_could_write_differently_is_refused(value: object) -> None:
    with pytest.raises(NotCanonical):
        canonical_bytes(value)


def test_an_instant_has_one_form() -> None:
    jakarta = timezone(timedelta(hours=7))
    assert instant(datetime(2026, 3, 2, 10, 4, 5, tzinfo=jakarta)) == "2026-03-02T03:04:05.000000Z"
    with pytest.raises(EventRefused):
        instant(datetime(2026, 3, 2))  # noqa: DTZ001


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=70))
def test_roots_agree_with_an_independent_library(leaves: list[bytes]) -> None:
    tree, reference = Frontier(), pymerkle.InmemoryTree(algorithm="sha256")
    for leaf in leaves:
        tree.append(leaf_hash(leaf))
        reference.append_entry(leaf)
    if leaves:
        assert tree.root() == reference.get_root()
    assert Frontier(tree.size, tree.packed()).root() == tree.root()


def leaf_hash(data: bytes) -> bytes:
    from app.governance_ledger.chain import leaf_of

    return leaf_of(data)


def test_a_frontier_of_the_wrong_size_is_refused() -> None:
    with pytest.raises(ValueError, match="size 3"):
        Frontier(3, bytes(32))


CHECKPOINT = notes.Checkpoint(TENANT, 3, bytes([1]) * 32, bytes([2]) * 32, datetime(2026, 3, 2, 3, 4, 5, 678901, UTC))


def note() -> str:
    return notes.sign(CHECKPOINT, (KEY.raw_public, KEY.sign))


def test_a_note_verifies_under_its_key_and_tenant_only() -> None:
    assert notes.verify(note(), TENANT, KEY.raw_public) == CHECKPOINT
    for tenant, public in ((OTHER, KEY.raw_public), (TENANT, bytes(32)), (TENANT, b"short")):
        with pytest.raises(notes.NoteRefused):
            notes.verify(note(), tenant, public)


@given(st.integers(0, len(note().encode()) - 1), st.integers(1, 255))
def test_a_note_in_which_one_byte_differs_is_refused(place: int, by: int) -> None:
    changed = bytearray(note().encode())
    changed[place] ^= by
    text = changed.decode(errors="replace")
    try:
        found = notes.verify(text, TENANT, KEY.raw_public)
    except notes.NoteRefused:
        return
    assert found == CHECKPOINT
    assert text.partition("\n\n")[0] == note().partition("\n\n")[0]


def test_the_origin_names_the_tenant() -> None:
    assert notes.origin(UUID(int=0)) == "5-layer-runtime/ledger/00000000-0000-0000-0000-000000000000"

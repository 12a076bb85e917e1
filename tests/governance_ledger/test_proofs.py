"""Merkle proofs agree with the RFC's vectors and with an independent library."""

import hashlib
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from app.governance_ledger.merkle import Frontier, Subtree, node
from app.governance_ledger.proofs import (
    ProofRefused,
    check_consistency,
    check_inclusion,
    consistency_ranges,
    inclusion_ranges,
    kept_below,
    path_of,
    root_of_full,
    subtrees_of,
)

# The leaves and roots with which Certificate Transparency implementations are tested.
DATA = tuple(
    map(
        bytes.fromhex,
        ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"),
    )
)
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
CONSISTENT = {
    (1, 1): "",
    (1, 8): "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7 "
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e "
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    (6, 8): "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a "
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0 "
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    (2, 5): "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e "
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
}
LARGEST = 700
SIZES = st.tuples(st.integers(1, LARGEST), st.integers(1, LARGEST)).map(sorted)


def leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def roots_over(leaves: list[bytes], wanted: set[Subtree]) -> dict[Subtree, bytes]:
    return {
        subtree: root_of_full(leaves[subtree.place << subtree.height : subtree.place + 1 << subtree.height])
        for subtree in wanted
    }


def inclusion(leaves: list[bytes], index: int, size: int) -> list[bytes]:
    ranges = inclusion_ranges(index, size)
    return path_of(ranges, roots_over(leaves, {tree for span in ranges for tree in subtrees_of(span)}))


def consistency(leaves: list[bytes], first: int, second: int) -> list[bytes]:
    ranges = consistency_ranges(first, second)
    return path_of(ranges, roots_over(leaves, {tree for span in ranges for tree in subtrees_of(span)}))


@cache
def other() -> tuple[InmemoryTree, list[bytes]]:
    """An independent tree of `LARGEST` leaves, and their hashes."""
    tree = InmemoryTree()
    for number in range(LARGEST):
        tree.append_entry(str(number).encode())
    return tree, [leaf(str(number).encode()) for number in range(LARGEST)]


def test_roots_are_those_of_certificate_transparency() -> None:
    tree = Frontier()
    for data, root in zip(DATA, ROOTS, strict=True):
        tree.append(leaf(data))
        assert tree.root().hex() == root


def test_consistency_proofs_are_those_of_certificate_transparency() -> None:
    leaves = [leaf(data) for data in DATA]
    for (first, second), proof in CONSISTENT.items():
        assert [part.hex() for part in consistency(leaves, first, second)] == proof.split()
        check_consistency(first, second, _roots(first, second), [bytes.fromhex(part) for part in proof.split()])


def _roots(first: int, second: int) -> tuple[bytes, bytes]:
    return bytes.fromhex(ROOTS[first - 1]), bytes.fromhex(ROOTS[second - 1])


@given(SIZES)
def test_an_inclusion_proof_is_that_of_an_independent_library_and_holds(numbers: list[int]) -> None:
    place, size = numbers
    tree, leaves = other()
    proof, theirs = inclusion(leaves, place - 1, size), tree.prove_inclusion(place, size)
    assert [leaves[place - 1], *proof] == theirs.path
    check_inclusion(leaves[place - 1], place - 1, size, proof, tree.get_root(size))


@given(SIZES)
def test_a_consistency_proof_holds_between_the_roots_of_an_independent_library(numbers: list[int]) -> None:
    first, second = numbers
    tree, leaves = other()
    roots = tree.get_root(first), tree.get_root(second)
    proof = consistency(leaves, first, second)
    check_consistency(first, second, roots, proof)
    assert len(proof) <= second.bit_length() + 1


@given(SIZES, st.data())
def test_a_proof_with_anything_changed_is_refused(numbers: list[int], data: st.DataObject) -> None:
    first, second = numbers
    tree, leaves = other()
    roots = tree.get_root(first), tree.get_root(second)
    proof = consistency(leaves, first, second)
    for wrong in (_changed(proof, data), [*proof, leaves[0]], proof[:-1]):
        if wrong != proof:
            with pytest.raises(ProofRefused):
                check_consistency(first, second, roots, wrong)
    if first < second:
        with pytest.raises(ProofRefused):
            check_consistency(first, second, (leaves[0] if first > 1 else leaves[1], roots[1]), proof)
        with pytest.raises(ProofRefused):
            check_consistency(first, second, (roots[0], leaves[0]), proof)
    path, root = inclusion(leaves, first - 1, second), roots[1]
    for wrong in (_changed(path, data), [*path, leaves[0]], path[:-1]):
        if wrong != path:
            with pytest.raises(ProofRefused):
                check_inclusion(leaves[first - 1], first - 1, second, wrong, root)
    with pytest.raises(ProofRefused):
        check_inclusion(leaf(b"another"), first - 1, second, path, root)


def _changed(proof: list[bytes], data: st.DataObject) -> list[bytes]:
    if not proof:
        return proof
    place = data.draw(st.integers(0, len(proof) - 1))
    return [*proof[:place], node(proof[place], b""), *proof[place + 1 :]]


@given(st.integers(1, 2**40), st.integers(1, 2**40))
def test_a_proof_over_any_ledger_reads_few_hashes(one: int, two: int) -> None:
    first, second = sorted((one, two))
    for ranges in (inclusion_ranges(first - 1, second), consistency_ranges(first, second)):
        spans = [kept_below(tree) for span in ranges for tree in subtrees_of(span)]
        assert len(ranges) <= second.bit_length() + 1
        assert sum(count for _, _, count in spans) <= 2 * 256 * (second.bit_length() // 8 + 1)
        for height, place, count in spans:
            assert (place + count) << height <= second


@pytest.mark.parametrize(("first", "second"), [(0, 4), (5, 4), (-1, 4)])
def test_sizes_that_no_tree_has_prove_nothing(first: int, second: int) -> None:
    with pytest.raises(ProofRefused):
        check_consistency(first, second, (b"", b""), [])
    with pytest.raises(ProofRefused):
        check_inclusion(b"", second, first, [], b"")


def test_a_frontier_keeps_the_roots_of_its_full_subtrees() -> None:
    leaves = [leaf(str(number).encode()) for number in range(1030)]
    whole = Frontier()
    for one in leaves:
        whole.append(one)
    assert whole.kept == [
        (Subtree(8, place), root_of_full(leaves[place * 256 : place * 256 + 256])) for place in range(4)
    ]

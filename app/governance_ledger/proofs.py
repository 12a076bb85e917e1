"""Merkle proofs after RFC 6962, 2.1 (RFC 9162, 2.1): which hashes make one, and whether one holds. No I/O.

Ranges are of leaves counted from 0, the end exclusive. A proof is a list of hashes, from the leaf upwards.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TypeAlias

from app.governance_ledger.merkle import KEPT_EVERY, Subtree, fold, node
from app.verifier.tree import root_by_path

Range: TypeAlias = tuple[int, int]


class ProofRefused(Exception):
    """The proof does not hold; the message says what it fails to show."""


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The ranges whose roots prove that leaf `index` stands in the tree of `size` leaves."""
    start, end, path = 0, size, []
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            path.append((split, end))
            end = split
        else:
            path.append((start, split))
            start = split
    return path[::-1]


def consistency_ranges(first: int, second: int) -> list[Range]:
    """The ranges whose roots prove that the tree of `second` leaves begins with that of `first`, at least 1."""
    start, end, path = 0, second, []
    while end != first:
        split = start + _split(end - start)
        if first <= split:
            path.append((split, end))
            end = split
        else:
            path.append((start, split))
            start = split
    if start:
        path.append((start, end))
    return path[::-1]


def subtrees_of(span: Range) -> list[Subtree]:
    """The full subtrees that make a range of a proof, largest first."""
    start, end = span
    sizes = [1 << height for height in range((end - start).bit_length() - 1, -1, -1) if (end - start) >> height & 1]
    starts = accumulate(sizes[:-1], initial=start)
    return [Subtree(size.bit_length() - 1, at // size) for at, size in zip(starts, sizes, strict=True)]


def kept_below(subtree: Subtree) -> tuple[int, int, int]:
    """From which kept hashes a subtree's root is computed: their height (0: leaves), the first place, how many."""
    height = subtree.height // KEPT_EVERY * KEPT_EVERY
    down = subtree.height - height
    return height, subtree.place << down, 1 << down


def root_of_full(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of equal subtrees."""
    level = list(hashes)
    while len(level) > 1:
        level = [node(left, right) for left, right in zip(level[::2], level[1::2], strict=True)]
    return level[0]


def path_of(ranges: Sequence[Range], roots: Mapping[Subtree, bytes]) -> list[bytes]:
    """The proof, given the root of each full subtree in its ranges."""
    return [fold([roots[subtree] for subtree in subtrees_of(span)]) for span in ranges]


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162, 2.1.3.2. Raises `ProofRefused` unless `leaf` is number `index` of the `size` under `root`."""
    if not 0 <= index < size:
        raise ProofRefused(f"leaf {index} is not in a tree of {size}")
    if root_by_path(leaf, index, size, proof) != root:
        raise ProofRefused("the leaf is not under this root")


def check_consistency(first: int, second: int, roots: tuple[bytes, bytes], proof: Sequence[bytes]) -> None:
    """RFC 9162, 2.1.4.2. Raises `ProofRefused` unless the tree of `second` leaves begins with that of `first`.

    `roots` are those at `first` and at `second`; `first` is at least 1.
    """
    if not 1 <= first <= second:
        raise ProofRefused(f"a tree of {second} cannot begin with one of {first}")
    if first == second:
        if proof or roots[0] != roots[1]:
            raise ProofRefused("two trees of the same size differ")
        return
    path = list(proof) if first & (first - 1) else [roots[0], *proof]
    if not path:
        raise ProofRefused("the proof is empty")
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = path[0]
    for part in path[1:]:
        if last == 0:
            raise ProofRefused("the proof is too long")
        if place & 1 or place == last:
            old, new = node(part, old), node(part, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node(new, part)
        place, last = place >> 1, last >> 1
    if last or old != roots[0]:
        raise ProofRefused("the proof does not lead to the first root")
    if new != roots[1]:
        raise ProofRefused("the second tree does not begin with the first")


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1

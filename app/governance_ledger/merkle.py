"""The RFC 6962 tree over a tenant's leaves, as a frontier: the roots of the full subtrees, largest first."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from app.verifier.tree import HASH_BYTES, node

__all__ = ["KEPT_EVERY", "Frontier", "Subtree", "fold", "node"]

KEPT_EVERY = 8
"""Roots of full subtrees of these heights are kept, so that proofs need not go down to every leaf."""


class Subtree(NamedTuple):
    """A full subtree: `height` 0 is a leaf; it covers the leaves from `place << height`, counted from 0."""

    height: int
    place: int


class Frontier:
    """Appends leaf hashes and gives the root. `size` leaves; the state is at most 32 bytes for each binary digit."""

    def __init__(self, size: int = 0, packed: bytes = b"") -> None:
        if len(packed) != HASH_BYTES * size.bit_count():
            raise ValueError(f"a frontier of size {size} has {size.bit_count()} hashes, not {len(packed) / HASH_BYTES}")
        self.size = size
        self.kept: list[tuple[Subtree, bytes]] = []
        self._roots = [packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)]

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash, `SHA-256(0x00 || document)`. Subtrees to be kept that it completes go to `kept`."""
        top, rest, height = leaf, self.size, 0
        while rest & 1:
            top = node(self._roots.pop(), top)
            rest >>= 1
            height += 1
            if not height % KEPT_EVERY:
                self.kept.append((Subtree(height, rest), top))
        self._roots.append(top)
        self.size += 1

    def root(self) -> bytes:
        """The tree's root; of an empty tree, the hash of nothing (RFC 6962, 2.1)."""
        if not self._roots:
            return hashlib.sha256(b"").digest()
        return fold(self._roots)

    def packed(self) -> bytes:
        return b"".join(self._roots)


def fold(roots: Sequence[bytes]) -> bytes:
    """The root over full subtrees that stand side by side, largest first. At least one."""
    top = roots[-1]
    for left in reversed(roots[:-1]):
        top = node(left, top)
    return top

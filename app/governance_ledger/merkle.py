"""The RFC 6962 tree over a tenant's leaves, as a frontier: the roots of the full subtrees, largest first."""

from collections.abc import Sequence
from typing import NamedTuple

from app.verifier import tree
from app.verifier.tree import node

__all__ = ["KEPT_EVERY", "Frontier", "Subtree", "fold", "node"]

KEPT_EVERY = 8
"""Roots of full subtrees of these heights are kept, so that proofs need not go down to every leaf."""


class Subtree(NamedTuple):
    """A full subtree: `height` 0 is a leaf; it covers the leaves from `place << height`, counted from 0."""

    height: int
    place: int


class Frontier(tree.Frontier):
    """The verifier's tree, which also puts aside the subtrees that are to be kept: `kept`."""

    def __init__(self, size: int = 0, packed: bytes = b"") -> None:
        super().__init__(size, packed)
        self.kept: list[tuple[Subtree, bytes]] = []

    def completed(self, height: int, place: int, roots: Sequence[bytes]) -> None:
        if not height % KEPT_EVERY:
            self.kept += [(Subtree(height, at), root) for at, root in enumerate(roots, place)]


def fold(roots: Sequence[bytes]) -> bytes:
    """The root over full subtrees that stand side by side, largest first. At least one."""
    top = roots[-1]
    for left in reversed(roots[:-1]):
        top = node(left, top)
    return top

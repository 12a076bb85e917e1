"""The tree of RFC 6962 over a ledger's leaves: its root as it grows, and audit paths of chosen leaves."""

import hashlib
from collections.abc import Sequence

HASH_BYTES = 32
CHUNK = 4096


def node(left: bytes, right: bytes) -> bytes:
    """`SHA-256(0x01 || left || right)` (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """Appends leaf hashes and gives the root. Its state is the roots of the full subtrees, largest first: `packed`."""

    def __init__(self, size: int = 0, packed: bytes = b"") -> None:
        if size < 0 or len(packed) != HASH_BYTES * size.bit_count():
            raise ValueError(f"a frontier of size {size} has {size.bit_count()} hashes, not {len(packed) / HASH_BYTES}")
        self.size = size
        self._roots = [packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)]

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash, `SHA-256(0x00 || document)`."""
        rest = self.size
        while rest & 1:
            leaf = hashlib.sha256(b"\x01" + self._roots.pop() + leaf).digest()
            rest >>= 1
        self._roots.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The tree's root; of an empty tree, the hash of nothing."""
        if not self._roots:
            return hashlib.sha256(b"").digest()
        found = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            found = node(left, found)
        return found

    def packed(self) -> bytes:
        return b"".join(self._roots)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root of a whole tree."""
    tree = Frontier()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def root_by_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2); None when its length is not that of such a tree.

    `index` counts from 0.
    """
    if not 0 <= index < size:
        return None
    at, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if at & 1 or at == last:
            found = node(sibling, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node(found, sibling)
        at, last = at >> 1, last >> 1
    return found if last == 0 else None


class Paths:
    """Audit paths of some leaves, from one pass over all: keeps 32 bytes for every 4096 leaves that hold none."""

    def __init__(self, wanted: Sequence[int]) -> None:
        """`wanted` are indices from 0."""
        self._wanted = sorted(set(wanted))
        self._chunks = {index // CHUNK for index in self._wanted}
        self._leaves: dict[int, list[bytes]] = {}
        self._roots: list[bytes] = []
        self._filling: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """The next leaf hash."""
        self._filling.append(leaf)
        if len(self._filling) == CHUNK:
            self._close()

    def _close(self) -> None:
        if len(self._roots) in self._chunks:
            self._leaves[len(self._roots)] = self._filling
        self._roots.append(root_of(self._filling))
        self._filling = []

    def finish(self) -> tuple[bytes, dict[int, tuple[bytes, ...]]]:
        """The root over all leaves added, and the path of each wanted one, from the leaf up."""
        size = len(self._roots) * CHUNK + len(self._filling)
        if self._filling:
            self._close()
        found: dict[int, list[bytes]] = {index: [] for index in self._wanted}
        root = self._climb(0, size, self._wanted, found) if size else root_of(())
        return root, {index: tuple(path) for index, path in found.items()}

    def _climb(self, low: int, high: int, wanted: Sequence[int], found: dict[int, list[bytes]]) -> bytes:
        """The root over the leaves `low` to `high`; the paths of `wanted` grow by their siblings there."""
        if not wanted and low // CHUNK not in self._leaves and high - low <= CHUNK:
            return self._roots[low // CHUNK]
        if high - low == 1:
            return self._leaves[low // CHUNK][low % CHUNK]
        split = low + (1 << ((high - low - 1).bit_length() - 1))
        lefts = [index for index in wanted if index < split]
        rights = [index for index in wanted if index >= split]
        left, right = self._climb(low, split, lefts, found), self._climb(split, high, rights, found)
        for index in lefts:
            found[index].append(right)
        for index in rights:
            found[index].append(left)
        return node(left, right)

"""The tree of RFC 6962 over a ledger's leaves: its root as it grows, and inclusion proofs."""

import hashlib
from collections.abc import Sequence

HASH_BYTES = 32


def node(left: bytes, right: bytes) -> bytes:
    """`SHA-256(0x01 || left || right)` (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """Appends leaf hashes and gives the root. Its state is the roots of the full subtrees, largest first: `packed`."""

    def __init__(self, size: int = 0, packed: bytes = b"") -> None:
        if size < 0 or len(packed) != HASH_BYTES * size.bit_count():
            raise ValueError(f"a frontier of size {size} has {size.bit_count()} hashes, not {len(packed) / HASH_BYTES}")
        self.size = size
        roots = [packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)]
        self._levels = [roots.pop() if size >> level & 1 else None for level in range(size.bit_length())]

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash, `SHA-256(0x00 || document)`."""
        self.extend([leaf])

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes in their order. Many at once cost less: each level is hashed in one go."""
        before = self.size
        self.size += len(leaves)
        carried, level = list(leaves), 0
        while carried:
            if level == len(self._levels):
                self._levels.append(None)
            standing = self._levels[level]
            if standing is not None:
                carried.insert(0, standing)
            self._levels[level] = carried.pop() if len(carried) & 1 else None
            pairs = zip(carried[::2], carried[1::2], strict=True)
            carried = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs]
            level += 1
            self.completed(level, before >> level, carried)

    def completed(self, height: int, place: int, roots: Sequence[bytes]) -> None:
        """Full subtrees of `height` were completed, side by side from `place` on; for who keeps some of them."""

    def root(self) -> bytes:
        """The tree's root; of an empty tree, the hash of nothing."""
        found: bytes | None = None
        for standing in self._levels:
            if standing is not None:
                found = standing if found is None else node(standing, found)
        return hashlib.sha256(b"").digest() if found is None else found

    def packed(self) -> bytes:
        return b"".join(standing for standing in reversed(self._levels) if standing is not None)


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

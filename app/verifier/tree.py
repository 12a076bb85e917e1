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

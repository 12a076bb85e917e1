"""The RFC 6962 tree over a tenant's leaves, as a frontier: the roots of the full subtrees, largest first."""

import hashlib

HASH_BYTES = 32


class Frontier:
    """Appends leaf hashes and gives the root. `size` leaves; the state is at most 32 bytes for each binary digit."""

    def __init__(self, size: int = 0, packed: bytes = b"") -> None:
        if len(packed) != HASH_BYTES * size.bit_count():
            raise ValueError(f"a frontier of size {size} has {size.bit_count()} hashes, not {len(packed) / HASH_BYTES}")
        self.size = size
        self._roots = [packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)]

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash, `SHA-256(0x00 || document)`."""
        node, rest = leaf, self.size
        while rest & 1:
            node = hashlib.sha256(b"\x01" + self._roots.pop() + node).digest()
            rest >>= 1
        self._roots.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The tree's root; of an empty tree, the hash of nothing (RFC 6962, 2.1)."""
        if not self._roots:
            return hashlib.sha256(b"").digest()
        node = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            node = hashlib.sha256(b"\x01" + left + node).digest()
        return node

    def packed(self) -> bytes:
        return b"".join(self._roots)

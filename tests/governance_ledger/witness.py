"""A witness written from C2SP tlog-witness and tlog-cosignature, with nothing of the product's own."""

import base64
import hashlib
import struct
import time
from dataclasses import dataclass, field
from threading import Lock

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tests.outside_servers import Answer

PLAIN = "text/plain; charset=utf-8"


def h(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def consistent(first: int, second: int, old: bytes, new: bytes, proof: list[bytes]) -> bool:
    """RFC 6962, 2.1.2, by its recursion: both roots from one proof."""

    def walk(m: int, n: int, whole: bool) -> tuple[bytes, bytes]:
        if m == n:
            if whole:
                return old, old
            root = proof.pop(0)
            return root, root
        k = 1 << (n - 1).bit_length() - 1
        if m <= k:
            left_old, left_new = walk(m, k, whole)
            return left_old, h(left_new, proof.pop(0))
        right_old, right_new = walk(m - k, n - k, False)
        left = proof.pop(0)
        return h(left, right_old), h(left, right_new)

    proof = list(proof)
    try:
        return walk(first, second, True) == (old, new) and not proof
    except IndexError:
        return False


@dataclass
class LocalWitness:
    """Answers add-checkpoint for the logs in `logs` (origin to public key)."""

    name: str = "witness.example/w1"
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    logs: dict[str, bytes] = field(default_factory=dict)
    seen: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[bytes] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    @property
    def public(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n\x04" + self.public).digest()[:4]

    @property
    def vkey(self) -> str:
        encoded = base64.b64encode(b"\x04" + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    def answer(self, path: str, media_type: str, body: bytes) -> Answer:
        with self.lock:
            self.asked.append(body)
            if path != "/add-checkpoint":
                return 404, PLAIN, b""
            return self._add(body.decode())

    def _add(self, body: str) -> Answer:
        head, _, note = body.partition("\n\n")
        first, *lines = head.split("\n")
        text, _, signatures = note.partition("\n\n")
        origin, size_line, root_line, *_ = text.split("\n")
        old, size = int(first.removeprefix("old ")), int(size_line)
        root = base64.b64decode(root_line)
        if origin not in self.logs:
            return 404, PLAIN, b"unknown log\n"
        if not self._signed(origin, text + "\n", signatures):
            return 403, PLAIN, b"no signature of the log\n"
        if old > size:
            return 400, PLAIN, b"old size\n"
        known, known_root = self.seen.get(origin, (0, b""))
        if old != known:
            return 409, "text/x.tlog.size", f"{known}\n".encode()
        if old == size and root != known_root:
            return 409, "text/x.tlog.size", f"{known}\n".encode()
        proof = [base64.b64decode(line) for line in lines]
        if (old == 0 and proof) or (0 < old < size and not consistent(old, size, known_root, root, proof)):
            return 422, PLAIN, b"not consistent\n"
        self.seen[origin] = size, root
        return 200, PLAIN, self._cosign(text + "\n").encode()

    def _signed(self, origin: str, text: str, signatures: str) -> bool:
        for line in signatures.splitlines():
            blob = base64.b64decode(line.rpartition(" ")[2])
            try:
                Ed25519PublicKey.from_public_bytes(self.logs[origin]).verify(blob[4:], text.encode())
            except InvalidSignature:
                continue
            return line.startswith(f"— {origin} ")
        return False

    def _cosign(self, text: str) -> str:
        now = int(time.time())
        signature = self.key.sign(f"cosignature/v1\ntime {now}\n{text}".encode())
        return f"— {self.name} {base64.b64encode(self.key_id + struct.pack('>Q', now) + signature).decode()}\n"

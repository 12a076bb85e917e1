"""The console's own key files: P-256 for web push (VAPID), and one secret for tokens that come back to us.

Both lie in FLR_HOME/keys, mode 0600: `vapid.pem` and `console.key`. Several hosts share them like the other keys.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import TypeVar

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.auth import b64url, unb64url

T = TypeVar("T")

VAPID = "vapid.pem"
COMMON = "console.key"


def ensure_console_keys(folder: Path) -> None:
    """Make the key files that are missing; another process may make them at the same time."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / VAPID).exists():
        private = ec.generate_private_key(ec.SECP256R1())
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write_once(folder / VAPID, pem)
    if not (folder / COMMON).exists():
        _write_once(folder / COMMON, secrets.token_bytes(32))


def _write_once(path: Path, content: bytes) -> None:
    """Whole or not at all; the first writer wins."""
    mine = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    try:
        path.hardlink_to(mine)
    except FileExistsError:
        return
    finally:
        mine.unlink()


def vapid_public_key(folder: Path) -> str:
    """What a browser wants as `applicationServerKey`: base64url of the uncompressed point."""
    private = serialization.load_pem_private_key((folder / VAPID).read_bytes(), None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{folder / VAPID} is not a P-256 key")
    point = private.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return b64url(point)


class Seal:
    """Authenticates what we hand out and get back. Each purpose has a key of its own."""

    def __init__(self, folder: Path) -> None:
        ensure_console_keys(folder)
        self._secret = (folder / COMMON).read_bytes()

    def mac(self, purpose: str, message: bytes) -> bytes:
        """16 bytes of HMAC-SHA256."""
        return hmac.new(self._secret, purpose.encode() + b"\0" + message, hashlib.sha256).digest()[:16]

    def holds(self, purpose: str, message: bytes, mac: bytes) -> bool:
        return hmac.compare_digest(self.mac(purpose, message), mac)

    def stamped(self, purpose: str, content: msgspec.Struct) -> str:
        """`content` with its seal, for a link or a token."""
        body = msgspec.json.encode(content)
        return f"{b64url(body)}.{b64url(self.mac(purpose, body))}"

    def read(self, purpose: str, text: str, shape: type[T]) -> T | None:
        """What we stamped for that purpose; None for what is not ours."""
        body, _, mac = text.partition(".")
        try:
            content = unb64url(body)
            return msgspec.json.decode(content, type=shape) if self.holds(purpose, content, unb64url(mac)) else None
        except (ValueError, msgspec.DecodeError):
            return None

    @staticmethod
    def holds_part(whole: bytes, part: bytes) -> bool:
        """Whether `part` is how `whole` begins: twelve bytes, where sixteen have no room."""
        return len(part) == 12 and hmac.compare_digest(whole[:12], part)

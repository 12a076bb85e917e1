"""Signed, expiring addresses of evidence. Whoever holds one may read those bytes until it expires, and no others."""

import hashlib
import hmac
import re
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, urlencode
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.auth import KeyMissing, load_keys
from app.canon.errors import Forbidden

LONGEST_TTL_SECONDS = 7 * 24 * 3600
_DIGITS = re.compile(r"[0-9]{1,12}")


class LinkRefused(Forbidden):
    """The address has expired or was altered: ask for a new one."""

    code = "evidence.altered"


class Grant(msgspec.Struct, frozen=True):
    """What an address allows: `key` of `tenant` until `exp` (Unix seconds), saved as `name`."""

    tenant: UUID
    key: str
    exp: int
    name: str

    def signed_bytes(self) -> bytes:
        return f"v1\nGET\n{self.tenant}\n{self.key}\n{self.exp}\n{self.name}".encode()


class Links:
    """Makes and checks addresses. The first key signs, all of them check."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    @classmethod
    def load(cls, folder: Path) -> "Links":
        """Keys derived from the API's token keys, so that every host of the API has the same. Raises `KeyMissing`."""
        keys = [_derive(key.private.private_bytes_raw()) for key in load_keys(folder, "token")]
        if not keys:
            raise KeyMissing(f"no token key in {folder}: run `flr migrate` on the machine that holds FLR_HOME")
        return cls(keys)

    def path(self, tenant: UUID, key: str, *, ttl_seconds: int, name: str) -> tuple[str, int]:
        """The address below the origin, and when it expires (Unix seconds)."""
        exp = int(time.time()) + min(ttl_seconds, LONGEST_TTL_SECONDS)
        grant = Grant(tenant, key, exp, name)
        query = urlencode({"t": str(tenant), "exp": exp, "name": name, "sig": _mac(self._keys[0], grant)})
        return f"/evidence/{quote(key)}?{query}", exp

    def check(self, tenant: str, key: str, exp: str, name: str, sig: str) -> Grant:
        """The grant. Raises `LinkRefused`."""
        try:
            grant = Grant(UUID(tenant), key, int(exp) if _DIGITS.fullmatch(exp) else 0, name)
        except ValueError as error:
            raise LinkRefused("the address was altered") from error
        if not any(hmac.compare_digest(_mac(known, grant), sig) for known in self._keys):
            raise LinkRefused("the address was altered")
        if grant.exp < time.time():
            raise LinkRefused(
                "the address has expired: ask for a new one at /api/v1/events/{id}/evidence", code="evidence.late"
            )
        return grant


def _mac(key: bytes, grant: Grant) -> str:
    return hmac.new(key, grant.signed_bytes(), hashlib.sha256).hexdigest()


def _derive(secret: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"flr evidence links v1").derive(secret)

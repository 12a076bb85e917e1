"""The key that an auditor brings, in whatever form it was handed over."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.verifier.errors import KeyUnknown
from app.verifier.notes import kid_of

Keys = dict[str, bytes]
_HOW = "give a kid (16 hex digits), a public key (64 hex digits), a PEM file or a JWKS file"


class Trusted(NamedTuple):
    """Public keys by kid. `approval` is empty when the auditor brought none: then the file's own are used."""

    seal: Keys
    approval: Keys
    kids: tuple[str, ...] = ()
    receipt: Mapping[str, bytes] = MappingProxyType({})


def unb64url(text: str) -> bytes:
    """Strict base64url without padding. Raises `ValueError`."""
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def read_keys(given: Sequence[str]) -> Trusted:
    """The keys behind `--key`. Raises `KeyUnknown`."""
    seal: Keys = {}
    approval: Keys = {}
    receipt: Keys = {}
    kids: list[str] = []
    for text in given:
        if re.fullmatch(r"[0-9a-f]{16}", text):
            kids.append(text)
        elif re.fullmatch(r"[0-9a-fA-F]{64}", text):
            public = bytes.fromhex(text)
            seal[kid_of(public)] = public
        else:
            _read_file(Path(text), seal, approval, receipt)
    return Trusted(seal, approval, tuple(kids), receipt)


def _read_file(path: Path, seal: Keys, approval: Keys, receipt: Keys) -> None:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise KeyUnknown(f"{path} cannot be read ({error.strerror}): {_HOW}") from error
    if content.lstrip().startswith(b"-----BEGIN"):
        public = _of_pem(path, content)
        seal[kid_of(public)] = public
        return
    try:
        parsed = json.loads(content)
        jwks = parsed.get("keys", [parsed])
        found_seal, found_approval = keys_of_jwks(jwks, "seal"), keys_of_jwks(jwks, "approval")
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise KeyUnknown(f"{path} is neither a PEM file nor a JWKS file: {_HOW}") from error
    if not found_seal and not found_approval:
        raise KeyUnknown(f'{path} holds no Ed25519 key of purpose "seal" or "approval": {_HOW}')
    seal |= found_seal
    approval |= found_approval
    receipt |= keys_of_jwks(jwks, "receipt")


def _of_pem(path: Path, content: bytes) -> bytes:
    try:
        key = serialization.load_pem_public_key(content)
    except ValueError as error:
        raise KeyUnknown(f"{path} holds no public key: {_HOW}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyUnknown(f"{path} holds a key of another kind than Ed25519")
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def keys_of_jwks(jwks: Sequence[Mapping[str, Any]], purpose: str) -> Keys:
    """The Ed25519 keys of a purpose; one without a purpose serves all. A kid is computed, not believed.

    Raises `ValueError`, `TypeError`, `KeyError`.
    """
    found: Keys = {}
    for jwk in jwks:
        if jwk.get("crv") == "Ed25519" and jwk.get("purpose", purpose) == purpose:
            public = unb64url(jwk["x"])
            if len(public) != 32:
                raise ValueError("an Ed25519 key has 32 bytes")
            found[kid_of(public)] = public
    return found


def trusted_seals(trusted: Trusted, jwks: Sequence[Mapping[str, Any]]) -> Keys:
    """The keys whose checkpoints count: those given, and those of the file that are named by a given kid.

    Raises `KeyUnknown` for a kid that the file does not hold, and what `keys_of_jwks` raises.
    """
    of_file = keys_of_jwks(jwks, "seal")
    missing = [kid for kid in trusted.kids if kid not in of_file and kid not in trusted.seal]
    if missing:
        raise KeyUnknown(f"the file holds no key {missing[0]}: give the public key itself")
    return trusted.seal | {kid: of_file[kid] for kid in trusted.kids if kid in of_file}

"""Approval signatures: an `approval+jwt`, and in it the founder's own key over the exact statement.

What one token shows by itself. Whether the keys were the founder's and whether it may stand where it stands follows
from the events before it: `approvals.py`.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from app.verifier.canonical import canonical_bytes
from app.verifier.cose import NoKey, signed_by
from app.verifier.keys import b64url, unb64url
from app.verifier.notes import holds, kid_of

TYPE = "approval+jwt"
STATEMENT = "flr.decision.v1"
LIST = "flr.decisions.v1"
KEYED = ("passkey", "device_key")
_PRESENT_AND_VERIFIED = 0x05
_TEXTS = ("iss", "sub", "tid", "jti", "approval", "decision", "payload_digest", "act_digest", "kind")


class Refused(Exception):
    """The token does not show what it says; the message says why."""


class Token(NamedTuple):
    """A token whose signature holds, or the `fault` in it. `key` is the founder's public key that signed, if any;
    `listed` names the whole list where it signed one."""

    claims: Mapping[str, Any]
    fault: str | None = None
    method: str = "session"
    key: bytes = b""
    key_name: str = ""
    nonce: str = ""
    listed: str = ""

    def says(self, name: str) -> Any:
        return self.claims.get(name)


class Tokens:
    """Reads tokens with the approval keys (kid to 32 raw bytes); the same token is checked once."""

    def __init__(self, keys: Mapping[str, bytes], *, remembered: int = 20_000) -> None:
        self._keys = dict(keys)
        self.read = lru_cache(maxsize=remembered)(self._read)

    def _read(self, text: str) -> Token:
        try:
            claims = self._claims(text)
        except Refused as error:
            return Token({}, str(error))
        try:
            return _proved(claims)
        except Refused as error:
            return Token(claims, str(error))

    def _claims(self, text: str) -> dict[str, Any]:
        signed, _, signature = text.rpartition(".")
        head, _, body = signed.partition(".")
        try:
            header, claims = json.loads(unb64url(head)), json.loads(unb64url(body))
            blob = unb64url(signature)
        except (ValueError, RecursionError) as error:
            raise Refused("the approval signature is not a JWT") from error
        if not isinstance(header, dict) or not isinstance(claims, dict):
            raise Refused("the approval signature is not a JWT")
        if header.get("alg") != "EdDSA" or header.get("typ") != TYPE:
            raise Refused(f"the approval signature is not an EdDSA {TYPE}")
        public = self._keys.get(str(header.get("kid")))
        if public is None:
            raise Refused(f"the approval signature is by an unknown key {str(header.get('kid'))[:32]}")
        if not holds(public, blob, signed.encode()):
            raise Refused("the approval signature does not hold")
        _check_shape(claims)
        return claims


def _check_shape(claims: Mapping[str, Any]) -> None:
    if not all(isinstance(claims.get(name), str) for name in _TEXTS):
        raise Refused("the approval signature lacks a claim")
    if not all(type(claims.get(name)) is int for name in ("iat", "exp")):
        raise Refused("the approval signature lacks a time")
    if claims["decision"] not in ("approve", "reject") or not isinstance(claims.get("proof"), dict):
        raise Refused("the approval signature lacks a decision or its proof")


def _proved(claims: Mapping[str, Any]) -> Token:
    proof = claims["proof"]
    match proof.get("method"):
        case "session":
            return Token(claims)
        case "device_key":
            check, name = _check_device, proof.get("kid")
        case "passkey":
            check, name = _check_passkey, proof.get("credential_id")
        case _:
            raise Refused("the founder's proof is of an unknown kind")
    try:
        statement = proof["statement"]
        key = unb64url(proof["public_key"])
        challenge = _challenge(statement)
        check(proof, key, challenge)
        nonce = str(statement["nonce"])
        said = [_decision(item) for item in _items(statement)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused("the founder's proof is not complete") from error
    if said.count(_decision(claims)) != 1 or len({approval for approval, *_ in said}) != len(said):
        raise Refused("the founder's key signed something else than this decision")
    listed = challenge.hex() if statement["typ"] == LIST else ""
    return Token(claims, None, str(proof["method"]), key, str(name), nonce, listed)


def _challenge(statement: Mapping[str, Any]) -> bytes:
    typ = statement.get("typ")
    if typ not in (STATEMENT, LIST):
        raise Refused("the founder's key signed no decision")
    return hashlib.sha256(str(typ).encode() + b"\0" + canonical_bytes(dict(statement))).digest()


def _items(statement: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The decisions that a statement names: one, or those of its list."""
    return list(statement["items"]) if statement["typ"] == LIST else [statement]


def _decision(named: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return named.get("approval"), named.get("decision"), named.get("payload_digest")


def _check_device(proof: Mapping[str, Any], key: bytes, challenge: bytes) -> None:
    if proof.get("kid") != kid_of(key) or not holds(key, unb64url(proof["signature"]), challenge):
        raise Refused("the device key's signature does not hold")


def _check_passkey(proof: Mapping[str, Any], key: bytes, challenge: bytes) -> None:
    """WebAuthn, 7.2: challenge, type, origin, relying party, user present and verified, signature."""
    client, data = unb64url(proof["client_data_json"]), unb64url(proof["authenticator_data"])
    said = json.loads(client)
    if said.get("type") != "webauthn.get" or said.get("challenge") != b64url(challenge):
        raise Refused("the passkey signed something else than this decision")
    host, rp_id = urlsplit(str(said.get("origin"))).hostname or "", str(proof["rp_id"])
    if host != rp_id and not host.endswith(f".{rp_id}"):
        raise Refused("the passkey signed for another site")
    if data[:32] != hashlib.sha256(rp_id.encode()).digest() or len(data) < 37:
        raise Refused("the passkey signed for another site")
    if data[32] & _PRESENT_AND_VERIFIED != _PRESENT_AND_VERIFIED:
        raise Refused("the passkey's user was not verified")
    try:
        held = signed_by(key, unb64url(proof["signature"]), data + hashlib.sha256(client).digest())
    except NoKey as error:
        raise Refused(str(error)) from error
    if not held:
        raise Refused("the passkey's signature does not hold")

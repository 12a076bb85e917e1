"""An authenticator in software: makes passkeys and signs with them as a browser's JSON would say it (ES256)."""

import hashlib
import json
import secrets
import struct
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import encode_cbor

from app.auth import b64url, unb64url

PRESENT, VERIFIED, ATTESTED = 1, 4, 64


class SoftAuthenticator:
    """One device with one passkey. `verified` False: the user was there, but was not recognised."""

    def __init__(self, origin: str, rp_id: str = "console.local") -> None:
        self.origin = origin
        self.rp_id = rp_id
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.credential_id = secrets.token_bytes(32)
        self.user_handle = b""
        self.count = 0
        self.verified = True

    def _client_data(self, kind: str, challenge: str) -> bytes:
        data = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(data, separators=(",", ":")).encode()

    def _data(self, *, attested: bytes = b"") -> bytes:
        self.count += 1
        flags = PRESENT | (VERIFIED if self.verified else 0) | (ATTESTED if attested else 0)
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + struct.pack(">I", self.count) + attested

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """`navigator.credentials.create(...).toJSON()`."""
        self.user_handle = unb64url(options["user"]["id"])
        numbers = self.private.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + struct.pack(">H", len(self.credential_id)) + self.credential_id + encode_cbor(cose)
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": self._data(attested=attested)})
        client = self._client_data("webauthn.create", options["challenge"])
        return self._credential({"clientDataJSON": b64url(client), "attestationObject": b64url(attestation)})

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """`navigator.credentials.get(...).toJSON()`."""
        client = self._client_data("webauthn.get", options["challenge"])
        data = self._data()
        signature = self.private.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._credential(
            {
                "clientDataJSON": b64url(client),
                "authenticatorData": b64url(data),
                "signature": b64url(signature),
                "userHandle": b64url(self.user_handle),
            }
        )

    def _credential(self, response: dict[str, str]) -> dict[str, Any]:
        name = b64url(self.credential_id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
            "authenticatorAttachment": "platform",
        }

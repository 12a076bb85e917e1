"""The founder's own key over a decision: offered with a nonce, verified once (`canon.approval.ProofVerifier`)."""

import secrets
from typing import Any
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app import clock
from app.auth import b64url, unb64url
from app.canon.approval import (
    Decision,
    DeviceListProof,
    DeviceProof,
    Item,
    ListOffer,
    ListProof,
    ListStatement,
    Offer,
    PasskeyListProof,
    PasskeyProof,
    Proof,
    ProofRefused,
    Statement,
    VerifiedProof,
)
from app.canon.vocabulary import Principal
from app.founder_console import store
from app.founder_console.errors import KeyRefused
from app.founder_console.identity.passkeys import RelyingParty, check_assertion
from app.postgres import Transaction

OFFER_SECONDS = 150


class ProofBook:
    """Verifies passkeys for one origin, and device keys."""

    def __init__(self, origin: str) -> None:
        self._party = RelyingParty(origin)

    async def offer(
        self, tx: object, by: Principal, *, approval_id: UUID, decision: Decision, version: int, payload_digest: str
    ) -> Offer:
        """A statement for `by` to sign, good once and for two minutes."""
        opened, founder = _opened(tx), _founder(by)
        nonce = await _nonce(opened, founder, str(approval_id))
        statement = Statement(str(approval_id), decision, version, payload_digest, nonce, _seconds())
        options = await self._passkey_options(opened, founder, statement.challenge())
        return Offer(statement, b64url(statement.challenge()), options)

    async def offer_list(self, tx: object, by: Principal, items: tuple[Item, ...]) -> ListOffer:
        """One statement for `by` to sign over all of `items`, good once and for two minutes."""
        opened, founder = _opened(tx), _founder(by)
        unsigned = ListStatement(items, "", _seconds())
        nonce = await _nonce(opened, founder, unsigned.subject())
        statement = msgspec.structs.replace(unsigned, nonce=nonce)
        options = await self._passkey_options(opened, founder, statement.challenge())
        return ListOffer(statement, b64url(statement.challenge()), options)

    async def _passkey_options(self, tx: Transaction, founder: UUID, challenge: bytes) -> dict[str, object] | None:
        now = await store.now(tx)
        keys = [key for key in await store.fetch_passkeys(tx, founder) if key.usable_from <= now]
        if not keys:
            return None
        return {
            "challenge": b64url(challenge),
            "timeout": 60_000,
            "rpId": self._party.id,
            "userVerification": "required",
            "allowCredentials": [{"type": "public-key", "id": key.credential_id} for key in keys],
        }

    async def verify(self, tx: object, by: Principal, proof: Proof | ListProof) -> VerifiedProof:
        """Uses the statement's nonce up. Raises `ProofRefused`."""
        opened, founder = _opened(tx), _founder(by)
        said = proof.statement
        used = await store.use_challenge(opened, said.nonce, founder, "decision")
        if used != (said.subject() if isinstance(said, ListStatement) else said.approval):
            why = "the statement was used, has expired or was made for somebody else: ask for a fresh one"
            raise ProofRefused(why, code="proof.used")
        if isinstance(proof, DeviceProof | DeviceListProof):
            return await _verify_device(opened, founder, proof)
        return await self._verify_passkey(opened, founder, proof)

    async def _verify_passkey(
        self, tx: Transaction, founder: UUID, proof: PasskeyProof | PasskeyListProof
    ) -> VerifiedProof:
        try:
            signed = await check_assertion(tx, self._party, dict(proof.assertion), proof.statement.challenge())
        except KeyRefused as error:
            raise ProofRefused(str(error), code=error.code, **error.data) from error
        if signed.key.founder_id != founder:
            raise ProofRefused("this passkey is another founder's")
        if signed.key.usable_from > await store.now(tx):
            from_at = signed.key.usable_from
            said = f"this passkey was made after a recovery: it signs decisions from {from_at.isoformat()} on"
            raise ProofRefused(said, code="proof.recovered", from_at=from_at)
        response: Any = proof.assertion.get("response")
        return VerifiedProof(
            "passkey",
            {
                "statement": msgspec.to_builtins(proof.statement),
                "credential_id": signed.key.credential_id,
                "public_key": b64url(signed.key.public_key),
                "client_data_json": response["clientDataJSON"],
                "authenticator_data": response["authenticatorData"],
                "signature": response["signature"],
                "rp_id": self._party.id,
            },
        )


async def _nonce(tx: Transaction, founder: UUID, subject: str) -> str:
    nonce = secrets.token_urlsafe(18)
    await store.insert_challenge(tx, nonce, founder, purpose="decision", subject=subject, ttl_seconds=OFFER_SECONDS)
    return nonce


def _seconds() -> int:
    return int(clock.now().timestamp())


async def _verify_device(tx: Transaction, founder: UUID, proof: DeviceProof | DeviceListProof) -> VerifiedProof:
    key = await store.fetch_device_key(tx, proof.kid)
    if key is None or key.founder_id != founder:
        raise ProofRefused("this device key is not registered for you: `flr device add`")
    try:
        public = Ed25519PublicKey.from_public_bytes(key.public_key)
        public.verify(unb64url(proof.signature), proof.statement.challenge())
    except (InvalidSignature, ValueError) as error:
        raise ProofRefused("the device key's signature does not hold") from error
    claims = {
        "statement": msgspec.to_builtins(proof.statement),
        "kid": proof.kid,
        "public_key": b64url(key.public_key),
        "signature": proof.signature,
    }
    return VerifiedProof("device_key", claims)


def _opened(tx: object) -> Transaction:
    if not isinstance(tx, Transaction):
        raise TypeError("a transaction is needed")
    return tx


def _founder(by: Principal) -> UUID:
    try:
        return UUID(by.sub)
    except ValueError:
        raise ProofRefused(f"{by.actor} has no key here") from None

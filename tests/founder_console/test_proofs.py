"""The founder's own key: over exactly this decision, once, and checked again by anybody from public keys alone."""

import hashlib
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import decode_credential_public_key

from app.auth import unb64url
from app.canon.approval import ProofRefused
from app.canon.vocabulary import Tier
from app.founder_console.identity.passkeys import AFTER_RECOVERY
from app.postgres import Database
from app.work_queue import decide, get_approval, prove, raise_approval
from app.work_queue.errors import ProofMismatch, ProofRequired
from tests.builders import APPROVALS, a_question
from tests.founder_console.people import BOOK, a_device_key, a_founder, a_passkey, by_device, by_passkey, offered


async def test_a_passkey_approves_high_risk_and_an_auditor_can_check_it(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, by = await a_founder(tx)
        device = await a_passkey(tx, founder)
        asked = await raise_approval(tx, a_question(tier=Tier.R2))
        with pytest.raises(ProofRequired):
            await decide(tx, asked.id, "approve", by=by, signer=APPROVALS, proof=None)
        signed = by_passkey(await offered(tx, by, asked), device)
        proof = await prove(tx, asked.id, "approve", by=by, proof=signed, verifier=BOOK)
        decided = await decide(tx, asked.id, "approve", by=by, signer=APPROVALS, proof=proof)
    kept: Any = APPROVALS.read(decided.signature or "").proof
    client, data = unb64url(kept["client_data_json"]), unb64url(kept["authenticator_data"])
    statement = proof.statement
    assert unb64url(msgspec.json.decode(client)["challenge"]) == statement.challenge()
    assert statement.payload_digest == asked.payload_digest
    assert data[:32] == hashlib.sha256(b"console.local").digest()
    assert data[32] & 4, "the user was verified"
    cose: Any = decode_credential_public_key(unb64url(kept["public_key"]))
    numbers = ec.EllipticCurvePublicNumbers(
        int.from_bytes(cose.x, "big"), int.from_bytes(cose.y, "big"), ec.SECP256R1()
    )
    message = data + hashlib.sha256(client).digest()
    numbers.public_key().verify(unb64url(kept["signature"]), message, ec.ECDSA(hashes.SHA256()))


async def test_a_signature_is_used_once(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, by = await a_founder(tx)
        device = await a_passkey(tx, founder)
        asked = await raise_approval(tx, a_question(tier=Tier.R2))
        signed = by_passkey(await offered(tx, by, asked), device)
        await BOOK.verify(tx, by, signed)
        with pytest.raises(ProofRefused, match="used"):
            await BOOK.verify(tx, by, signed)


async def test_a_signature_over_yes_is_no_signature_over_no(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, by = await a_founder(tx)
        device = await a_passkey(tx, founder)
        asked = await raise_approval(tx, a_question(tier=Tier.R2))
        signed = by_passkey(await offered(tx, by, asked), device)
        with pytest.raises(ProofMismatch):
            await prove(tx, asked.id, "reject", by=by, proof=signed, verifier=BOOK)


async def test_a_changed_statement_does_not_hold(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, by = await a_founder(tx)
        device = await a_passkey(tx, founder)
        asked = await raise_approval(tx, a_question(tier=Tier.R2))
        signed = by_passkey(await offered(tx, by, asked), device)
        larger = msgspec.structs.replace(signed.statement, payload_digest="0" * 64)
        with pytest.raises(ProofRefused):
            await BOOK.verify(tx, by, msgspec.structs.replace(signed, statement=larger))


async def test_a_finger_that_was_not_recognised_does_not_hold(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, by = await a_founder(tx)
        device = await a_passkey(tx, founder)
        device.verified = False
        asked = await raise_approval(tx, a_question(tier=Tier.R2))
        with pytest.raises(ProofRefused):
            await BOOK.verify(tx, by, by_passkey(await offered(tx, by, asked), device))


async def test_another_founders_key_does_not_decide_for_me(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        mine, by = await a_founder(tx)
        await a_passkey(tx, mine)
        other, _ = await a_founder(tx, "Raden")
        foreign = await a_passkey(tx, other)
        asked = await raise_approval(tx, a_question(tier=Tier.R2))
        with pytest.raises(ProofRefused, match="another founder"):
            await BOOK.verify(tx, by, by_passkey(await offered(tx, by, asked), foreign))


async def test_a_statement_that_was_never_offered_does_not_hold(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, by = await a_founder(tx)
        key = await a_device_key(tx, founder)
        asked = await raise_approval(tx, a_question(tier=Tier.R2))
        offer = await offered(tx, by, asked)
        invented = msgspec.structs.replace(offer, statement=msgspec.structs.replace(offer.statement, nonce="mine"))
        with pytest.raises(ProofRefused):
            await BOOK.verify(tx, by, by_device(invented, key))


async def test_an_offer_expires(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, by = await a_founder(tx)
        key = await a_device_key(tx, founder)
        asked = await raise_approval(tx, a_question(tier=Tier.R2))
        offer = await offered(tx, by, asked)
        await tx.connection.execute("SELECT set_config('app.now', (now() + interval '3 minutes')::text, true)")
        with pytest.raises(ProofRefused, match="expired"):
            await BOOK.verify(tx, by, by_device(offer, key))


async def test_a_device_key_approves_high_risk(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, by = await a_founder(tx)
        key = await a_device_key(tx, founder)
        asked = await raise_approval(tx, a_question(tier=Tier.R2))
        signed = by_device(await offered(tx, by, asked), key)
        proof = await prove(tx, asked.id, "approve", by=by, proof=signed, verifier=BOOK)
        await decide(tx, asked.id, "approve", by=by, signer=APPROVALS, proof=proof)
        assert (await get_approval(tx, asked.id)).status == "approved"


async def test_a_foreign_device_key_does_not(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, by = await a_founder(tx)
        await a_device_key(tx, founder)
        other, _ = await a_founder(tx, "Raden")
        foreign = await a_device_key(tx, other)
        asked = await raise_approval(tx, a_question(tier=Tier.R2))
        with pytest.raises(ProofRefused):
            await BOOK.verify(tx, by, by_device(await offered(tx, by, asked), foreign))


async def test_a_key_made_after_a_recovery_signs_from_the_next_day_on(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, by = await a_founder(tx)
        device = await a_passkey(tx, founder, recovered=True)
        asked = await raise_approval(tx, a_question(tier=Tier.R2, in_seconds=3 * 86_400))
        assert (await offered(tx, by, asked)).passkey is None
        later = f"{AFTER_RECOVERY.total_seconds() + 60:.0f} seconds"
        statement = "SELECT set_config('app.now', (now() + $1::text::interval)::text, true)"
        await tx.connection.execute(statement, later)
        assert (await BOOK.verify(tx, by, by_passkey(await offered(tx, by, asked), device))).method == "passkey"

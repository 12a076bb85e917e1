"""A founder with keys, arranged through the console's front door."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.auth import SigningKey, b64url
from app.canon.approval import DeviceProof, Offer, PasskeyProof
from app.canon.vocabulary import Principal, Rol
from app.founder_console import ProofBook, create_enrolment, create_founder, register_device_key
from app.founder_console.identity.enrolment import invited, read_link, use_link
from app.founder_console.identity.passkeys import RelyingParty, register_passkey, registration_options
from app.founder_console.identity.sessions import hashed
from app.founder_console.model import Founder
from app.postgres import Transaction
from app.work_queue import Approval
from tests.founder_console.authenticator import SoftAuthenticator

ORIGIN = "https://console.local"
PARTY = RelyingParty(ORIGIN)
BOOK = ProofBook(ORIGIN)


async def a_founder(tx: Transaction, name: str = "Dewi") -> tuple[Founder, Principal]:
    founder = await create_founder(tx, name=name, language="id")
    return founder, Principal(str(founder.id), tx.tenant, Rol.FOUNDER)


async def a_passkey(tx: Transaction, founder: Founder, **changes: Any) -> SoftAuthenticator:
    """A passkey of the founder, made through an enrolment link."""
    link = read_link((await create_enrolment(tx, founder.id)).removeprefix("/enrol/"))
    await invited(tx, link)
    device = SoftAuthenticator(ORIGIN)
    options = await registration_options(tx, PARTY, founder, subject=hashed(link.token))
    credential = device.create(options)
    await register_passkey(
        tx, PARTY, founder, subject=hashed(link.token), credential=credential, label="phone", **changes
    )
    await use_link(tx, link)
    return device


async def a_device_key(tx: Transaction, founder: Founder) -> SigningKey:
    key = SigningKey(Ed25519PrivateKey.generate())
    await register_device_key(tx, founder.id, public_key=key.raw_public, label="laptop")
    return key


async def offered(tx: Transaction, by: Principal, approval: Approval, decision: Any = "approve") -> Offer:
    return await BOOK.offer(
        tx,
        by,
        approval_id=approval.id,
        decision=decision,
        version=approval.version,
        payload_digest=approval.payload_digest,
    )


def by_passkey(offer: Offer, device: SoftAuthenticator) -> PasskeyProof:
    assert offer.passkey is not None
    return PasskeyProof(offer.statement, device.get(offer.passkey))


def by_device(offer: Offer, key: SigningKey) -> DeviceProof:
    return DeviceProof(key.kid, offer.statement, b64url(key.sign(offer.statement.challenge())))

"""Passkeys: made at enrolment or in settings, used to sign in and to sign decisions (WebAuthn, ES256 and RS256)."""

import secrets
import struct
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from app.auth import b64url, unb64url
from app.canon.vocabulary import Rol
from app.founder_console import store
from app.founder_console.errors import KeyRefused, LastKey
from app.founder_console.keyfiles import Seal
from app.founder_console.model import Founder, Passkey
from app.governance_ledger import Event, append
from app.postgres import Transaction

CEREMONY_SECONDS = 300
AFTER_RECOVERY = timedelta(hours=24)
LOGIN = "flr login v1"
HANDLE_BYTES = 32

Json = dict[str, Any]


class RelyingParty(msgspec.Struct, frozen=True):
    """Who a passkey is for: the console's own origin."""

    origin: str

    @property
    def id(self) -> str:
        return urlsplit(self.origin).hostname or "localhost"


class Signed(msgspec.Struct, frozen=True):
    """An assertion that held."""

    key: Passkey
    sign_count: int


def user_handle(tenant: UUID, founder_id: UUID) -> bytes:
    """Names tenant and founder to the authenticator, so that signing in needs no name."""
    return tenant.bytes + founder_id.bytes


async def registration_options(tx: Transaction, party: RelyingParty, founder: Founder, *, subject: str) -> Json:
    """`PublicKeyCredentialCreationOptions` as JSON. `subject` is what the ceremony is for; it is checked at its end."""
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialDescriptor,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    challenge = secrets.token_bytes(32)
    await store.insert_challenge(
        tx, b64url(challenge), founder.id, purpose="register", subject=subject, ttl_seconds=CEREMONY_SECONDS
    )
    known = await store.fetch_passkeys(tx, founder.id)
    options = generate_registration_options(
        rp_id=party.id,
        rp_name="5-Layer Runtime",
        user_id=user_handle(tx.tenant, founder.id),
        user_name=founder.name,
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        supported_pub_key_algs=_algorithms(),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=unb64url(key.credential_id)) for key in known],
    )
    decoded: Json = msgspec.json.decode(options_to_json(options))
    return decoded


def _algorithms() -> list[Any]:
    from webauthn.helpers.cose import COSEAlgorithmIdentifier

    return [COSEAlgorithmIdentifier.ECDSA_SHA_256, COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256]


async def register_passkey(
    tx: Transaction,
    party: RelyingParty,
    founder: Founder,
    *,
    subject: str,
    credential: Json,
    label: str,
    recovered: bool = False,
) -> Passkey:
    """Keep a new passkey. After a recovery it signs decisions from the next day on. Event `founder.passkey_added`.

    Raises `KeyRefused`.
    """
    from webauthn import verify_registration_response
    from webauthn.helpers.exceptions import WebAuthnException

    challenge = _challenge_of(credential)
    if await store.use_challenge(tx, challenge, founder.id, "register") != subject:
        raise KeyRefused("this took too long or was done already: start again", code="key.again")
    try:
        verified = verify_registration_response(
            credential=credential,
            expected_challenge=unb64url(challenge),
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
            supported_pub_key_algs=_algorithms(),
        )
    except (WebAuthnException, ValueError, TypeError, KeyError) as error:
        raise KeyRefused(f"the passkey could not be checked: {error}") from error
    now = await store.now(tx)
    key = Passkey(
        credential_id=b64url(verified.credential_id),
        founder_id=founder.id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        label=label[:80] or "passkey",
        created_at=now,
        usable_from=now + AFTER_RECOVERY if recovered else now,
    )
    await store.insert_passkey(tx, key)
    await _record(tx, key, "added")
    return key


async def remove_passkey(tx: Transaction, founder_id: UUID, credential_id: str) -> None:
    """Revoke a passkey of the founder. Event `founder.passkey_removed`. Raises `LastKey`, `KeyRefused`."""
    keys = {key.credential_id: key for key in await store.fetch_passkeys(tx, founder_id, lock=True)}
    if credential_id not in keys:
        raise KeyRefused("there is no such passkey", code="key.unknown")
    if len(keys) == 1:
        raise LastKey("this is the only passkey: add another one first")
    await store.revoke_passkey(tx, credential_id)
    await _record(tx, keys[credential_id], "removed")


async def name_passkey(tx: Transaction, founder_id: UUID, credential_id: str, label: str) -> None:
    """Call a passkey of the founder by another name. Raises `KeyRefused`."""
    if credential_id not in {key.credential_id for key in await store.fetch_passkeys(tx, founder_id)}:
        raise KeyRefused("there is no such passkey", code="key.unknown")
    name = " ".join(label.split())[:80]
    if name:
        await store.label_passkey(tx, credential_id, name)


async def _record(tx: Transaction, key: Passkey, what: str) -> None:
    data: dict[str, object] = {
        "credential_id": key.credential_id,
        "label": key.label,
        "public_key": b64url(key.public_key),
        "usable_from": key.usable_from.isoformat(),
    }
    await append(tx, Event(type=f"founder.passkey_{what}", actor=f"{Rol.FOUNDER}:{key.founder_id}", data=data))


def login_options(party: RelyingParty, seal: Seal) -> Json:
    """`PublicKeyCredentialRequestOptions` as JSON for whoever comes: the challenge itself says until when it holds."""
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import UserVerificationRequirement

    stamped = secrets.token_bytes(16) + struct.pack(">q", int(time.time()) + CEREMONY_SECONDS)
    options = generate_authentication_options(
        rp_id=party.id,
        challenge=stamped + seal.mac(LOGIN, stamped),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    decoded: Json = msgspec.json.decode(options_to_json(options))
    return decoded


def tenant_of_login(credential: Json) -> UUID:
    """The tenant that a discoverable passkey names. Raises `KeyRefused`."""
    try:
        handle = unb64url(credential["response"]["userHandle"])
    except (KeyError, TypeError, ValueError, AttributeError):
        handle = b""
    if len(handle) != HANDLE_BYTES:
        raise KeyRefused(
            "this passkey does not say whose it is: make a new one by an enrolment link", code="key.nobody"
        )
    return UUID(bytes=handle[:16])


async def log_in(tx: Transaction, party: RelyingParty, seal: Seal, credential: Json) -> Passkey:
    """The passkey that signed our challenge; it names its founder. Raises `KeyRefused`."""
    challenge = _challenge_of(credential)
    _check_login_challenge(unb64url(challenge), seal)
    signed = await check_assertion(tx, party, credential, unb64url(challenge))
    if not await store.spend_login_nonce(tx, challenge, signed.key.founder_id):
        raise KeyRefused("this sign-in was used already: start again", code="key.again")
    return signed.key


def _check_login_challenge(challenge: bytes, seal: Seal) -> None:
    stamped, mac = challenge[:24], challenge[24:]
    if len(stamped) != 24 or not seal.holds(LOGIN, stamped, mac):
        raise KeyRefused("this challenge is not one of ours: start again", code="key.again")
    if struct.unpack(">q", stamped[16:])[0] < time.time():
        raise KeyRefused("this took too long: start again", code="key.again")


async def check_assertion(tx: Transaction, party: RelyingParty, credential: Json, challenge: bytes) -> Signed:
    """A passkey of the tenant, not revoked, signed `challenge` for this origin, with the user verified.

    Moves the key's counter. Raises `KeyRefused`.
    """
    from webauthn import verify_authentication_response
    from webauthn.helpers.exceptions import WebAuthnException

    key = await store.lock_passkey(tx, str(credential.get("id", "")))
    if key is None:
        raise KeyRefused("this passkey is not known here, or was removed", code="key.unknown")
    try:
        verified = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=key.public_key,
            credential_current_sign_count=key.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError) as error:
        raise KeyRefused(f"the passkey's signature does not hold: {error}") from error
    await store.passkey_used(tx, key.credential_id, verified.new_sign_count)
    return Signed(key, verified.new_sign_count)


def _challenge_of(credential: Json) -> str:
    """The challenge that the browser says it signed; what it is worth is checked by the caller. Raises `KeyRefused`."""
    try:
        data = msgspec.json.decode(unb64url(credential["response"]["clientDataJSON"]))
        return b64url(unb64url(data["challenge"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise KeyRefused("the browser's answer cannot be read") from error

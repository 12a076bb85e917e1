"""A receipt holds by itself: with a public key, and without the ledger."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app import auth
from app.governance_ledger import Receipt
from app.governance_ledger.receipts import Claims, ReceiptRefused, Receipts, verify
from app.postgres import Database
from tests.api import api_of
from tests.governance_ledger.ledgers import KEY, TENANT

RECEIPT = Receipt(
    UUID("018f0000-0000-7000-8000-000000000001"), "ab" * 32, "7351", datetime(2026, 3, 2, 3, 4, 5, 1, tzinfo=UTC)
)
KEYS = {KEY.kid: KEY.public}


def receipts() -> Receipts:
    return Receipts(auth.KeyRing({}, "receipt", KEY), 5)


def test_a_receipt_says_what_was_recorded_and_by_when_it_is_sealed() -> None:
    assert verify(receipts().sign(TENANT, RECEIPT), KEYS) == Claims(
        event_id=RECEIPT.event_id,
        leaf=RECEIPT.leaf,
        max_merge_delay_seconds=5,
        recorded_at=RECEIPT.recorded_at,
        tenant=TENANT,
        xid="7351",
    )


def test_any_jose_library_reads_a_receipt() -> None:
    token = receipts().sign(TENANT, RECEIPT)
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": KEY.kid, "typ": "receipt+jws"}
    said = jwt.decode(token, KEY.public, algorithms=["EdDSA"])
    assert said["leaf"] == RECEIPT.leaf
    assert said["recorded_at"] == "2026-03-02T03:04:05.000001Z"


def test_a_receipt_with_any_letter_changed_is_refused() -> None:
    token = receipts().sign(TENANT, RECEIPT)
    for place, letter in enumerate(token):
        other = token[:place] + ("A" if letter != "A" else "B") + token[place + 1 :]
        if letter == "." or _bytes(other) != _bytes(token):
            with pytest.raises(ReceiptRefused):
                verify(other, KEYS)


def test_a_token_of_another_kind_or_another_key_is_no_receipt(tmp_path: Path) -> None:
    stranger = auth.SigningKey(Ed25519PrivateKey.generate())
    with pytest.raises(ReceiptRefused, match="unknown"):
        verify(receipts().sign(TENANT, RECEIPT), {stranger.kid: stranger.public})
    with pytest.raises(ReceiptRefused, match="signature"):
        verify(receipts().sign(TENANT, RECEIPT), {KEY.kid: stranger.public})
    with pytest.raises(ReceiptRefused, match="approval"):
        verify(auth.KeyRing({}, "approval", KEY).encode({"leaf": "x"}, "approval+jwt"), KEYS)
    for wrong in ("", "a.b", "a.b.c", "..", "ä.b.c"):
        with pytest.raises(ReceiptRefused):
            verify(wrong, KEYS)


def test_a_receipt_of_the_key_before_still_holds(tmp_path: Path) -> None:
    auth.create_key(tmp_path, "receipt")
    old = Receipts(auth.KeyRing.load(tmp_path, "receipt"), 5).sign(TENANT, RECEIPT)
    auth.create_key(tmp_path, "receipt")
    ring = auth.KeyRing.load(tmp_path, "receipt")
    new = Receipts(ring, 5).sign(TENANT, RECEIPT)
    assert verify(old, ring.by_kid) == verify(new, ring.by_kid)
    assert len({jwt.get_unverified_header(token)["kid"] for token in (old, new)}) == 2


def _bytes(token: str) -> tuple[bytes, ...]:
    """What the parts of a token say: the last letter of base64 has bits that say nothing."""
    return tuple(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".") if part)


def test_the_claims_are_canonical_json() -> None:
    claims = _bytes(receipts().sign(TENANT, RECEIPT))[1]
    assert claims == json.dumps(json.loads(claims), sort_keys=True, separators=(",", ":")).encode()


async def test_a_receipt_of_the_api_verifies_with_the_keys_that_are_published(database: Database, home: Path) -> None:
    async with api_of(home, database) as api:
        keys = (await api.client.get("/.well-known/jwks.json")).json()["keys"]
        recorded = await api.post("/events", {"type": "x.sold", "data": {"sku": "K-1"}})
    assert {key["purpose"] for key in keys} == {"token", "approval", "receipt", "seal"}
    published = {key["kid"]: jwt.PyJWK(key).key for key in keys if key["purpose"] == "receipt"}
    claims = verify(recorded["receipt"], published)
    assert (str(claims.event_id), claims.leaf, claims.xid) == (recorded["event_id"], recorded["leaf"], recorded["xid"])
    assert (claims.tenant, claims.max_merge_delay_seconds) == (api.tenant, 5)

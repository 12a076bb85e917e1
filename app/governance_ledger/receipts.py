"""Signed receipts: what a caller holds in his own hands, and the ledger must answer for.

A receipt is a JWS (RFC 7515) in compact form, signed with Ed25519 (RFC 8037); `docs/ledger-format.md` says it in full.
Whoever holds one and, once the merge delay is over, finds its leaf in no tree has proof that the ledger was cut.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.auth import KeyRing, b64url, unb64url
from app.canon.canonical_json import canonical_bytes
from app.canon.errors import Invalid
from app.governance_ledger.document import instant
from app.governance_ledger.model import Receipt

TYPE = "receipt+jws"
PURPOSE = "receipt"


class ReceiptRefused(Invalid):
    """The text is no receipt of this ledger; the message says why."""


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a receipt promises: the event was recorded, and will stand in the tree within the merge delay."""

    event_id: UUID
    leaf: str
    max_merge_delay_seconds: int
    recorded_at: datetime
    tenant: UUID
    xid: str


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    kid: str
    typ: str


class Receipts:
    """Signs receipts with the newest key of purpose `receipt`. Lives in the API process."""

    def __init__(self, ring: KeyRing, max_merge_delay_seconds: int) -> None:
        self.ring = ring
        self._delay_seconds = max_merge_delay_seconds
        header = {"alg": "EdDSA", "kid": ring.signing.kid, "typ": TYPE}
        self._header = b64url(canonical_bytes(header))

    def sign(self, tenant: UUID, receipt: Receipt) -> str:
        """The receipt in compact form. Hand it out only after the event's transaction has committed."""
        claims = {
            "event_id": str(receipt.event_id),
            "leaf": receipt.leaf,
            "max_merge_delay_seconds": self._delay_seconds,
            "recorded_at": instant(receipt.recorded_at),
            "tenant": str(tenant),
            "xid": receipt.xid,
        }
        signed = f"{self._header}.{b64url(canonical_bytes(claims))}"
        return f"{signed}.{b64url(self.ring.signing.sign(signed.encode()))}"


def verify(token: str, keys: Mapping[str, Ed25519PublicKey]) -> Claims:
    """What a receipt promises, when one of `keys` (by `kid`) signed it. Raises `ReceiptRefused`."""
    try:
        head, claims, signature = token.split(".")
        header = msgspec.json.decode(unb64url(head), type=_Header)
        if (header.alg, header.typ) != ("EdDSA", TYPE):
            raise ReceiptRefused(f"this is no receipt but {header.typ} under {header.alg}")
        keys[header.kid].verify(unb64url(signature), f"{head}.{claims}".encode())
        return msgspec.json.decode(unb64url(claims), type=Claims)
    except KeyError as error:
        raise ReceiptRefused(f"the receipt's key {error} is unknown") from error
    except InvalidSignature as error:
        raise ReceiptRefused("the receipt's signature does not hold") from error
    except (ValueError, msgspec.MsgspecError) as error:
        raise ReceiptRefused(f"this is no receipt: {error}") from error

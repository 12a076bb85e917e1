"""Receipts (JWS): what a caller was promised, held against the event as it stands."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from app.verifier.canonical import parse
from app.verifier.documents import Fact, shifted
from app.verifier.errors import Broken
from app.verifier.keys import b64url, unb64url
from app.verifier.notes import holds

CHECKPOINT_SECONDS = 10
_CLAIMS = ("event_id", "leaf", "max_merge_delay_seconds", "recorded_at", "tenant", "xid")


class Recorded(NamedTuple):
    """What a receipt says of its event. `leaf` is hex, `recorded_at` in the form of documents."""

    event_id: str
    leaf: str
    xid: str
    recorded_at: str


class Promise(NamedTuple):
    """What a receipt whose signature holds promises: this event is in the tree by `due`."""

    recorded: Recorded
    due: str


def read_receipt(text: str, tenant: str, keys: Mapping[str, bytes]) -> Promise:
    """What the receipt promises, once one of `keys` (kid to 32 raw bytes) has signed it for this tenant.

    Raises `Broken`.
    """
    signed, _, signature = text.rpartition(".")
    head, _, body = signed.partition(".")
    try:
        header, claims, blob = json.loads(unb64url(head)), unb64url(body), unb64url(signature)
    except (ValueError, RecursionError) as error:
        raise Broken("a receipt that is no JWS") from error
    public = keys.get(str(header.get("kid"))) if isinstance(header, dict) else None
    if public is None or (header.get("alg"), header.get("typ")) != ("EdDSA", "receipt+jws"):
        raise Broken("a receipt by an unknown key")
    # The last letter of base64 has bits that say nothing: no two texts are one receipt.
    if b64url(blob) != signature or not holds(public, blob, signed.encode()):
        raise Broken("a receipt that this ledger's installation did not sign")
    return _promised(parse(claims), tenant)


def _promised(claims: Mapping[str, object], tenant: str) -> Promise:
    delay, recorded_at = claims.get("max_merge_delay_seconds"), claims.get("recorded_at")
    if tuple(claims) != _CLAIMS or type(delay) is not int:
        raise Broken("a receipt with other members than those of version 1")
    if claims["tenant"] != tenant:
        raise Broken("a receipt of another tenant's event")
    recorded = Recorded(*(str(claims[name]) for name in Recorded._fields))
    try:
        return Promise(recorded, shifted(str(recorded_at), seconds=delay + CHECKPOINT_SECONDS))
    except (ValueError, OverflowError) as error:
        raise Broken("a receipt with other members than those of version 1") from error


def read_receipts(texts: Sequence[str], tenant: str, keys: Mapping[str, bytes]) -> list[Promise | str]:
    """What receipts promise, or what is wrong with one; the first wrong one ends the list."""
    found: list[Promise | str] = []
    for text in texts:
        try:
            found.append(read_receipt(text, tenant, keys))
        except Broken as broken:
            found.append(broken.reason)
            break
    return found


def recorded_of(fact: Fact, document: bytes) -> Recorded:
    """What a receipt of the event says."""
    return Recorded(fact.id, hashlib.sha256(b"\x00" + document).hexdigest(), fact.xid, fact.at)


def hold(promise: Promise, event: Recorded) -> None:
    """Raises `Broken` unless the event is the one that was promised."""
    if promise.recorded.event_id != event.event_id:
        raise Broken(f"the receipt in this event's place is that of event {promise.recorded.event_id}")
    if promise.recorded != event:
        raise Broken("a receipt promises another event under this id")


def gone(event_id: str) -> Broken:
    """What is wrong when nothing stands under the id that a receipt names."""
    return Broken(f"event {event_id} was promised by a receipt and is not in the ledger", event_id=event_id)


class Receipts:
    """Receipts that somebody holds: each event must stand in the ledger, as it was received."""

    def __init__(self, texts: Sequence[str], tenant: str, keys: Mapping[str, bytes]) -> None:
        """Raises `Broken` for one that the installation did not sign, or that is another tenant's."""
        self.held = 0
        promises = (read_receipt(text.strip(), tenant, keys) for text in texts)
        self._open = {promise.recorded.event_id: promise for promise in promises}

    def event(self, fact: Fact, document: bytes) -> None:
        """The next event. Raises `Broken` when it is not the one that was received."""
        promise = self._open.pop(fact.id, None)
        if promise is not None:
            hold(promise, recorded_of(fact, document))
            self.held += 1

    def finish(self, signed_at: str, *, whole: bool) -> list[str]:
        """What could not be checked. Raises `Broken` for an event that had to be there by `signed_at`."""
        for event_id, promise in self._open.items():
            if whole and promise.due < signed_at:
                raise gone(event_id)
        return [f"the receipt of event {event_id}: it does not lie in this range" for event_id in self._open]

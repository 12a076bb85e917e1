"""What others hold of a ledger: cosignatures (C2SP tlog-cosignature) and time stamps of its checkpoints, and its
callers' receipts (JWS)."""

import base64
import binascii
import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from cryptography.x509 import Certificate

from app.verifier.canonical import parse
from app.verifier.documents import instant, shifted
from app.verifier.errors import Broken, KeyUnknown
from app.verifier.keys import unb64url
from app.verifier.notes import holds
from app.verifier.stamps import check_stamp

CHECKPOINT_SECONDS = 10
CLOCKS_APART = timedelta(minutes=5)
KINDS = ("timestamp", "witness")
_RECEIPT = ("event_id", "leaf", "max_merge_delay_seconds", "recorded_at", "tenant", "xid")


def read_witnesses(given: Sequence[str]) -> dict[str, bytes]:
    """Public keys by name from verifier keys, `name+id+base64` of type 0x04. Raises `KeyUnknown`."""
    found: dict[str, bytes] = {}
    for text in given:
        name, _, rest = text.partition("+")
        try:
            blob = base64.b64decode(rest.partition("+")[2], validate=True)
        except binascii.Error:
            blob = b""
        if not name or len(blob) != 33 or blob[:1] != b"\x04":
            raise KeyUnknown(f"{text[:60]!r} is no verifier key of a witness: write name+id+base64 of type 0x04")
        found[name] = blob[1:]
    return found


def check_cosignature(name: str, public: bytes, lines: str, note: str) -> None:
    """Raises `Broken` unless the witness has cosigned the note."""
    text = note.partition("\n\n")[0] + "\n"
    mark = hashlib.sha256(name.encode() + b"\n\x04" + public).digest()[:4]
    for line in lines.splitlines():
        start, _, encoded = line.rpartition(" ")
        try:
            blob = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            continue
        if start == f"— {name}" and blob[:4] == mark and len(blob) == 76:
            (seconds,) = struct.unpack_from(">Q", blob, 4)
            if holds(public, blob[12:], f"cosignature/v1\ntime {seconds}\n{text}".encode()):
                return
    raise Broken(f"the cosignature of {name} does not hold")


class Attested:
    """Attestations beside checkpoints: those of named witnesses, and with roots time stamps, are verified, the others
    counted."""

    def __init__(self, witnesses: Mapping[str, bytes], roots: Sequence[Certificate] = ()) -> None:
        self.verified = 0
        self.stamped = 0
        self._witnesses = witnesses
        self._roots = roots
        self._unread: dict[str, int] = {}

    def take(self, said: Mapping[str, Any], note: str, time: str) -> None:
        """An attestation line behind the checkpoint `note`, signed at `time`. Raises `Broken`."""
        if set(said) != {"content", "kind", "name", "serial"} or said["kind"] not in KINDS:
            raise Broken("an attestation line with other members than those of version 1")
        content = base64.b64decode(said["content"], validate=True)
        public = self._witnesses.get(said["name"])
        if said["kind"] == "witness" and public is not None:
            check_cosignature(said["name"], public, content.decode(), note)
            self.verified += 1
        elif said["kind"] == "timestamp" and self._roots:
            at = check_stamp(content, note, self._roots)
            if instant(time) > at + CLOCKS_APART:
                raise Broken(f"the checkpoint says a later time than {said['name']}, whose time stamp came after it")
            self.stamped += 1
        else:
            self._unread[said["kind"]] = self._unread.get(said["kind"], 0) + 1

    def unchecked(self) -> list[str]:
        how = {
            "timestamp": "give the authority's root with --timestamp-root",
            "witness": "give their keys with --witness",
        }
        return [f"{count} attestations of kind {kind}: {how[kind]}" for kind, count in sorted(self._unread.items())]


class Receipt(NamedTuple):
    """What a receipt promises."""

    event_id: str
    leaf: str
    due: str


class Receipts:
    """Receipts that somebody holds: each event must stand in the ledger, as it was received."""

    def __init__(self, texts: Sequence[str], tenant: str, keys: Mapping[str, bytes]) -> None:
        """Raises `Broken` for one that the installation did not sign, or that is another tenant's."""
        self.held = 0
        self._open = {receipt.event_id: receipt for receipt in (_read(text, tenant, keys) for text in texts)}

    def event(self, event_id: str, document: bytes) -> None:
        """The next event. Raises `Broken` when it is not the one that was received."""
        receipt = self._open.pop(event_id, None)
        if receipt is None:
            return
        if hashlib.sha256(b"\x00" + document).hexdigest() != receipt.leaf:
            raise Broken("a receipt promises another event under this id")
        self.held += 1

    def finish(self, signed_at: str, *, whole: bool) -> list[str]:
        """What could not be checked. Raises `Broken` for an event that had to be there by `signed_at`."""
        for receipt in self._open.values():
            if whole and receipt.due < signed_at:
                raise Broken(f"event {receipt.event_id} was promised by a receipt and is not in the ledger")
        return [f"the receipt of event {event_id}: it does not lie in this range" for event_id in self._open]


def _read(text: str, tenant: str, keys: Mapping[str, bytes]) -> Receipt:
    signed, _, signature = text.strip().rpartition(".")
    head, _, body = signed.partition(".")
    try:
        header, claims = json.loads(unb64url(head)), parse(unb64url(body))
        blob = unb64url(signature)
    except (ValueError, RecursionError) as error:
        raise Broken("a receipt that is no JWS") from error
    public = keys.get(str(header.get("kid"))) if isinstance(header, dict) else None
    if public is None or (header.get("alg"), header.get("typ")) != ("EdDSA", "receipt+jws"):
        raise Broken("a receipt by an unknown key")
    if not holds(public, blob, signed.encode()) or tuple(claims) != _RECEIPT or claims["tenant"] != tenant:
        raise Broken("a receipt that this ledger's installation did not sign")
    due = shifted(claims["recorded_at"], seconds=claims["max_merge_delay_seconds"] + CHECKPOINT_SECONDS)
    return Receipt(claims["event_id"], claims["leaf"], due)

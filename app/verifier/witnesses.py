"""What others say of a ledger: cosignatures (C2SP tlog-cosignature) and time stamps of its checkpoints."""

import base64
import binascii
import hashlib
import struct
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from cryptography.x509 import Certificate

from app.verifier.documents import instant
from app.verifier.errors import Broken, KeyUnknown
from app.verifier.notes import holds
from app.verifier.stamps import check_stamp

CLOCKS_APART = timedelta(minutes=5)
KINDS = ("timestamp", "witness")


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

"""docs/ledger-format.md is enough to verify an export: a second verifier, written from the page, agrees with ours.

It uses a hash, a signature and a compression library, and nothing of the product.
"""

import base64
import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest
import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.verifier.errors import NotAnExport
from app.verifier.keys import Trusted
from tests.governance_ledger.ledgers import KEY
from tests.verifier.decisions import APPROVAL_KEYS
from tests.verifier.files import checked, written
from tests.verifier.golden import golden
from tests.verifier.test_forged_receipts import ATTACKS as RECEIPT_ATTACKS
from tests.verifier.test_tampering import ATTACKS

GOLDEN = Path(__file__).parents[2] / "docs" / "ledger-format.ndjson"
GOLDEN_KEY = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"


class Wrong(Exception):
    """The export is not what it says."""


def need(held: object, said: str) -> None:
    if not held:
        raise Wrong(said)


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def root_of(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\x01", root_of(leaves[:split]), root_of(leaves[split:]))


def signed_by(public: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def content_of(path: Path) -> bytes:
    content = path.read_bytes()
    if not content.startswith(b"\x28\xb5\x2f\xfd"):
        return content
    with zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True) as reader:
        return reader.read()


class Second:
    """A verifier of exports that begin with the first event."""

    def __init__(self, public: bytes) -> None:
        self.public = public
        self.leaves: list[bytes] = []
        self.changes: list[dict[str, Any]] = []
        self.rows: dict[tuple[str, str], str | None] = {}
        self.named: dict[str, int] = {}
        self.evidence: dict[str, bytes] = {}
        self.covered = 0
        self.serial = 0
        self.devices: dict[str, bytes] = {}
        self.decisions: set[str] = set()

    def verify(self, content: bytes) -> int:
        """How many events; raises `Wrong`."""
        need(content.endswith(b"\n"), "the last line is not whole")
        lines = content[:-1].split(b"\n")
        header = json.loads(lines[0])["export"]
        self.tenant = header["tenant"]
        self.approval = {key["kid"]: unb64(key["x"]) for key in header["jwks"] if key["purpose"] == "approval"}
        self.receipt = {key["kid"]: unb64(key["x"]) for key in header["jwks"] if key["purpose"] == "receipt"}
        self.head = sha256(bytes.fromhex(self.tenant.replace("-", "")))
        need(header["head"] == self.head.hex(), "the chain begins elsewhere")
        kind, parsed = "", {}
        for line in lines:
            parsed = json.loads(line)
            need(canonical(parsed) == line, "not canonical")
            need(next(iter(parsed)) != "receipt" or kind == "event", "a receipt behind no event")
            kind = next(iter(parsed))
            getattr(self, f"take_{kind}")(parsed, line)
        need(kind == "end", "no end")
        end = parsed["end"]
        need(end["sha256"] == sha256(b"\n".join(lines[:-1]) + b"\n").hex(), "other lines")
        need((end["seq"], end["head"]) == (len(self.leaves), self.head.hex()), "another end")
        need(self.covered == len(self.leaves) == header["to_seq"], "not covered by a checkpoint")
        need(not self.changes, "a change without an event")
        for name, size in self.named.items():
            need(len(self.evidence.get(name, b"")) == size and sha256(self.evidence[name]).hex() == name, "evidence")
        return len(self.leaves)

    def take_export(self, parsed: dict[str, Any], line: bytes) -> None:
        need(set(parsed) == {"export"}, "header")

    def take_end(self, parsed: dict[str, Any], line: bytes) -> None:
        need(set(parsed) == {"end"}, "end")

    def take_event(self, parsed: dict[str, Any], line: bytes) -> None:
        document = line[len(b'{"event":') : line.rindex(b',"hash":"')]
        event = self.event = parsed["event"]
        self.leaves.append(sha256(b"\x00", document))
        self.head = sha256(self.head, struct.pack(">q", parsed["seq"]), self.leaves[-1])
        need((parsed["seq"], parsed["hash"]) == (len(self.leaves), self.head.hex()), "the chain")
        need(event["tenant"] == self.tenant, "another tenant")
        self.take_effect(event)
        for ref in event["body"]["evidence"]:
            self.named[ref["sha256"]] = ref["size_bytes"]
        self.take_approval(event["body"])

    def take_receipt(self, parsed: dict[str, Any], line: bytes) -> None:
        signed, _, signature = parsed["receipt"]["jws"].rpartition(".")
        header, claims = (json.loads(unb64(part)) for part in signed.split("."))
        need((header["alg"], header["typ"]) == ("EdDSA", "receipt+jws"), "a receipt")
        need(signed_by(self.receipt[header["kid"]], unb64(signature), signed.encode()), "a receipt")
        need(base64.urlsafe_b64encode(unb64(signature)).decode().rstrip("=") == signature, "a receipt")
        said = {"event_id": "id", "recorded_at": "at", "tenant": "tenant", "xid": "xid"}
        need(all(claims[name] == self.event[member] for name, member in said.items()), "another event's receipt")
        need(claims["leaf"] == self.leaves[-1].hex(), "a receipt of another event")

    def take_effect(self, event: dict[str, Any]) -> None:
        def taken(change: dict[str, Any]) -> bool:
            named = {change["table"], f"{change['table']}/{change['key']}"} & set(event["subjects"])
            return bool(named) and change["xid"] == event["xid"] and int(change["n"]) < int(event["n"])

        mine = [change for change in self.changes if taken(change)]
        self.changes = [change for change in self.changes if not taken(change)]
        need(all(change["xid"] == event["xid"] for change in self.changes), "a change without an event")
        digest = sha256(*(self.digest(change) for change in mine)).hex()
        need(event["effect"] == {"digest": digest, "n": str(len(mine))}, "the effect")

    def digest(self, change: dict[str, Any]) -> bytes:
        said = [change[name] or "-" for name in ("table", "key", "op", "old", "new")]
        return sha256("\n".join(["change/v1", self.tenant, *said]).encode())

    def take_change(self, parsed: dict[str, Any], line: bytes) -> None:
        change = parsed["change"]
        need((change["image"] is None) == (change["op"] == "D"), "an image")
        need(change["image"] is None or sha256(change["image"].encode()).hex() == change["new"], "an image")
        row = (change["table"], change["key"])
        need(self.rows.get(row) == change["old"], "a row's history")
        self.rows[row] = change["new"]
        self.changes.append(change)

    def take_checkpoint(self, parsed: dict[str, Any], line: bytes) -> None:
        text, _, signatures = parsed["checkpoint"]["note"].partition("\n\n")
        origin, size, root, chain, _ = text.split("\n")
        self.serial += 1
        need(parsed["checkpoint"]["serial"] == self.serial, "a checkpoint is missing")
        need(origin == f"5-layer-runtime/ledger/{self.tenant}", "another log")
        mark = sha256(origin.encode() + b"\n\x01" + self.public)[:4]
        blobs = [base64.b64decode(signature.split(" ")[2]) for signature in signatures.splitlines()]
        held = [blob for blob in blobs if blob[:4] == mark]
        need(any(signed_by(self.public, blob[4:], (text + "\n").encode()) for blob in held), "a signature")
        need(int(size) == len(self.leaves), "a checkpoint's place")
        need(base64.b64decode(root) == root_of(self.leaves), "the root")
        need(chain == f"chain {self.head.hex()}", "the chain")
        self.covered = int(size)

    def take_evidence(self, parsed: dict[str, Any], line: bytes) -> None:
        said = parsed["evidence"]
        need("missing" not in said, "lost evidence")
        self.evidence[said["sha256"]] = self.evidence.get(said["sha256"], b"") + base64.b64decode(said["content"])

    def take_approval(self, body: dict[str, Any]) -> None:
        data = body["data"]
        if body["type"] == "founder.device_key_added":
            self.devices[data["kid"]] = bytes.fromhex(data["public_key"])
        if body["approval"] is None:
            return
        head, payload, signature = body["approval"].split(".")
        header, claims = json.loads(unb64(head)), json.loads(unb64(payload))
        need((header["alg"], header["typ"]) == ("EdDSA", "approval+jwt"), "a JWT")
        need(signed_by(self.approval[header["kid"]], unb64(signature), f"{head}.{payload}".encode()), "a JWT")
        need(claims["tid"] == self.tenant, "another tenant's approval")
        if body["type"] == "approval.decided":
            need(claims["payload_digest"] == data["payload_digest"], "another payload")
            self.take_proof(claims)
            self.decisions.add(claims["jti"])
        need(claims["jti"] in self.decisions, "no decision")
        if claims["kind"] == "tool_call":
            need(data["act_digest"] == claims["act_digest"], "other arguments")

    def take_proof(self, claims: dict[str, Any]) -> None:
        proof = claims["proof"]
        if proof["method"] == "device_key":
            said = proof["statement"]
            named = said["items"] if said["typ"] == "flr.decisions.v1" else [said]
            digests = [item["payload_digest"] for item in named if item["approval"] == claims["approval"]]
            need(digests == [claims["payload_digest"]], "another statement")
            challenge = sha256(said["typ"].encode() + b"\x00", canonical(said))
            need(signed_by(self.devices[proof["kid"]], unb64(proof["signature"]), challenge), "the founder's key")


def second(path: Path, public: bytes) -> str | None:
    """What the second verifier finds wrong."""
    try:
        Second(public).verify(content_of(path))
    except (Wrong, ValueError, KeyError, AttributeError) as error:
        return repr(error)
    return None


def holds(path: Path, public: bytes) -> bool:
    """What our own verifier says."""
    try:
        return checked(path, trusted=Trusted({"": public}, {})).ok
    except NotAnExport:
        return False


def test_the_export_of_the_page_is_what_the_product_writes() -> None:
    assert GOLDEN.read_bytes() == golden()


def test_both_verifiers_agree_on_the_export_of_the_page() -> None:
    public = bytes.fromhex(GOLDEN_KEY)
    report = checked(GOLDEN, trusted=Trusted({"": public}, {}))
    assert (report.ok, report.events, report.signatures, report.proofs, report.evidence) == (True, 6, 1, 1, 2)
    assert report.stored_receipts == 1
    assert second(GOLDEN, public) is None
    assert Second(public).verify(content_of(GOLDEN)) == 6


@pytest.mark.parametrize("place", range(0, 7000, 97))
def test_both_verifiers_find_a_changed_byte_in_the_export_of_the_page(tmp_path: Path, place: int) -> None:
    content = bytearray(GOLDEN.read_bytes())
    content[place % len(content)] ^= 1
    path = written(tmp_path / "changed", [bytes(content)])
    public = bytes.fromhex(GOLDEN_KEY)
    assert second(path, public) is not None
    assert not holds(path, public)


def test_both_verifiers_agree_on_a_real_export_and_on_what_was_forged(real: Path, tmp_path: Path) -> None:
    public, content = KEY.raw_public, content_of(real).splitlines(keepends=True)
    assert second(real, public) is None
    attacks = [*ATTACKS, *RECEIPT_ATTACKS]
    found = {attack.__name__: second(written(tmp_path / "forged", attack(content)), public) for attack in attacks}
    assert [name for name, wrong in found.items() if wrong is None] == []


@pytest.fixture
def real(ledger: Path) -> Path:
    assert checked(ledger, trusted=Trusted({KEY.kid: KEY.raw_public}, APPROVAL_KEYS)).ok
    return ledger

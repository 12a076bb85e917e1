"""docs/ledger-format.md is enough: its vectors are recomputed here with nothing but a hash and a signature library."""

import base64
import hashlib
import json
import re
import struct
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.governance_ledger import notes, proofs, receipts
from app.governance_ledger.chain import genesis, leaf_of, link
from app.governance_ledger.document import DECODER

PAGE = Path(__file__).parents[2] / "docs" / "ledger-format.md"


def vectors() -> dict[str, Any]:
    found = re.search(r"```json\n(.*?)\n```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    parsed: dict[str, Any] = json.loads(found[1])
    return parsed


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def root_of(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it is written there."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\x01" + root_of(leaves[:split]) + root_of(leaves[split:]))


def test_the_vectors_follow_from_the_page_alone() -> None:
    given = vectors()
    head = sha256(bytes.fromhex(given["tenant"].replace("-", "")))
    assert head.hex() == given["genesis"]
    leaves = []
    for event in given["events"]:
        document = event["document"].encode()
        again = json.dumps(json.loads(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert again == event["document"]
        leaves.append(sha256(b"\x00" + document))
        head = sha256(head + struct.pack(">q", event["seq"]) + leaves[-1])
        assert (leaves[-1].hex(), head.hex(), root_of(leaves).hex()) == (event["leaf"], event["hash"], event["root"])


def test_the_change_follows_from_the_page_alone() -> None:
    given = vectors()
    digest = sha256(given["change"]["text"].encode())
    assert digest.hex() == given["change"]["digest"]
    assert sha256(digest).hex() == given["change"]["effect_digest"]
    effect = json.loads(given["events"][2]["document"])["effect"]
    assert effect == {"digest": given["change"]["effect_digest"], "n": "1"}


def test_the_note_follows_from_the_page_alone() -> None:
    given = vectors()
    text, _, signed = given["note"].partition("\n\n")
    origin, size, root, chain, _time = text.split("\n")
    public = bytes.fromhex(given["public_key"])
    assert sha256(public).hex()[:16] == given["kid"]
    assert (origin, size) == (f"5-layer-runtime/ledger/{given['tenant']}", "3")
    assert base64.b64decode(root).hex() == given["events"][2]["root"]
    assert chain == f"chain {given['events'][2]['hash']}"
    mark, name, blob = signed.rstrip("\n").split(" ")
    assert (mark, name) == ("—", origin)
    assert base64.b64decode(blob)[:4] == sha256(origin.encode() + b"\n\x01" + public)[:4]
    Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(blob)[4:], (text + "\n").encode())


def test_the_product_agrees_with_the_page() -> None:
    given = vectors()
    tenant = UUID(given["tenant"])
    head = genesis(tenant)
    for event in given["events"]:
        document = event["document"].encode()
        head = link(head, event["seq"], leaf_of(document))
        assert head.hex() == event["hash"]
        assert DECODER.decode(document).tenant == tenant
    checkpoint = notes.verify(given["note"], tenant, bytes.fromhex(given["public_key"]))
    assert (checkpoint.size, checkpoint.head_hash) == (3, head)


def test_the_receipt_follows_from_the_page_alone() -> None:
    given = vectors()
    head, claims, signature = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in given["receipt"].split(".")
    )
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(given["public_key"]))
    public.verify(signature, given["receipt"].rpartition(".")[0].encode())
    assert json.loads(head) == {"alg": "EdDSA", "kid": given["kid"], "typ": "receipt+jws"}
    document = json.loads(given["events"][0]["document"])
    assert json.loads(claims) == {
        "event_id": document["id"],
        "leaf": given["events"][0]["leaf"],
        "max_merge_delay_seconds": 5,
        "recorded_at": document["at"],
        "tenant": given["tenant"],
        "xid": document["xid"],
    }


def test_the_proofs_follow_from_the_page_alone() -> None:
    given = vectors()
    first, second, third = (bytes.fromhex(event["leaf"]) for event in given["events"])
    left, right = (bytes.fromhex(part) for part in given["inclusion"]["hashes"])
    assert (left, right) == (first, third)
    root = sha256(b"\x01" + sha256(b"\x01" + left + second) + right)
    assert root.hex() == given["events"][given["inclusion"]["size"] - 1]["root"]
    (added,) = (bytes.fromhex(part) for part in given["consistency"]["hashes"])
    before = bytes.fromhex(given["events"][given["consistency"]["first"] - 1]["root"])
    assert sha256(b"\x01" + before + added).hex() == given["events"][2]["root"]


def test_the_note_of_a_rotation_holds_under_both_keys_from_the_page_alone() -> None:
    given = vectors()
    text, _, signed = given["rotation"]["note"].partition("\n\n")
    assert text == given["note"].partition("\n\n")[0]
    for name, line in zip(("new_public_key", "old_public_key"), signed.splitlines(), strict=True):
        public = bytes.fromhex(given["rotation"][name])
        blob = base64.b64decode(line.split(" ")[2])
        assert blob[:4] == sha256(text.split("\n")[0].encode() + b"\n\x01" + public)[:4]
        Ed25519PublicKey.from_public_bytes(public).verify(blob[4:], (text + "\n").encode())


def test_the_product_agrees_with_the_pages_receipt_and_proofs() -> None:
    given = vectors()
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(given["public_key"]))
    assert receipts.verify(given["receipt"], {given["kid"]: key}).leaf == given["events"][0]["leaf"]
    roots = [bytes.fromhex(event["root"]) for event in given["events"]]
    inclusion, consistency = given["inclusion"], given["consistency"]
    hashes = [bytes.fromhex(part) for part in inclusion["hashes"]]
    proofs.check_inclusion(bytes.fromhex(inclusion["leaf"]), inclusion["index"], inclusion["size"], hashes, roots[2])
    hashes = [bytes.fromhex(part) for part in consistency["hashes"]]
    proofs.check_consistency(consistency["first"], consistency["second"], (roots[1], roots[2]), hashes)
    for name in ("old_public_key", "new_public_key"):
        note = notes.verify(given["rotation"]["note"], UUID(given["tenant"]), bytes.fromhex(given["rotation"][name]))
        assert note.root_hash == roots[2]

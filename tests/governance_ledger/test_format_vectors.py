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

from app.governance_ledger import notes
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

"""The export of docs/ledger-format.ndjson, made again from the product's own parts."""

import base64
import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.auth import SigningKey, b64url, public_jwk
from app.canon.approval import Statement
from app.canon.canonical_json import canonical_bytes, digest
from app.governance_ledger import Receipt, notes
from app.governance_ledger.refs import key_of
from app.verifier import lines
from app.verifier.chain import genesis, leaf_of, link
from app.verifier.changes import Change, image_hash
from app.verifier.tree import Frontier
from tests.governance_ledger.ledgers import RECEIPT_KEY, RECEIPTS, TENANT

SEAL, APPROVAL, DEVICE = (
    SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(first, first + 32)))) for first in (0, 2, 3)
)
FOUNDER, ROLE, VERSION, QUESTION, RUN = (
    f"018f0000-0000-7000-8000-0000000000{mark}" for mark in ("bb", "11", "12", "13", "33")
)
AT = "2026-03-02T03:04:0{}.000000Z"
SIGNED_AT = datetime.fromisoformat("2026-03-02T03:04:09.000000Z")
PAYLOAD = canonical_bytes({"kind": "hire", "policy": "c" * 64, "text": {"en": "Hire Mira?", "id": "Pekerjakan Mira?"}})
CALL = canonical_bytes({"answer": None, "arguments": {"text": "hello"}, "schema_hash": "5" * 64, "tool": "write_note"})
ACT = digest([str(TENANT), ROLE, "write_note", "5" * 64, {"text": "hello"}])


def jwt() -> str:
    """The founder's approval of the contract, by the device key."""
    payload = hashlib.sha256(PAYLOAD).hexdigest()
    statement = Statement(QUESTION, "approve", 1, payload, "nonce-1", 1772420643)
    proof = {
        "method": "device_key",
        "statement": _plain(statement),
        "kid": DEVICE.kid,
        "public_key": b64url(DEVICE.raw_public),
        "signature": b64url(DEVICE.sign(statement.challenge())),
    }
    claims = {
        "iss": "flr", "sub": f"founder:{FOUNDER}", "tid": str(TENANT), "jti": "018f0000-0000-7000-8000-0000000000aa",
        "iat": 1772420643, "exp": 1773025443, "approval": QUESTION, "decision": "approve", "payload_digest": payload,
        "act_digest": "a" * 64, "kind": "hire", "role_id": ROLE, "role_version": 1, "policy": "c" * 64, "run_id": None,
        "step": None, "proof": proof,
    }  # fmt: skip
    header = {"alg": "EdDSA", "kid": APPROVAL.kid, "typ": "approval+jwt"}
    signed = f"{b64url(canonical_bytes(header))}.{b64url(canonical_bytes(claims))}"
    return f"{signed}.{b64url(APPROVAL.sign(signed.encode()))}"


def _plain(statement: Statement) -> dict[str, Any]:
    return {name: getattr(statement, name) for name in statement.__struct_fields__}


def evidence(content: bytes, name: str) -> dict[str, Any]:
    sha256 = hashlib.sha256(content).hexdigest()
    ref = {"key": key_of(sha256), "media_type": "application/json", "name": name, "sha256": sha256}
    return {**ref, "size_bytes": len(content)}


def document(n: int, kind: str, data: dict[str, Any], **more: Any) -> bytes:
    at = AT.format(n)
    body = {
        "actor": more.get("actor", f"founder:{FOUNDER}"),
        "approval": more.get("approval"),
        "data": data,
        "evidence": more.get("evidence", []),
        "occurred_at": at,
        "run_id": more.get("run_id"),
        "step": more.get("step"),
        "ticket_id": None,
        "type": kind,
    }
    changes: list[Change] = more.get("changes", [])
    digests = b"".join(change.digest(str(TENANT)) for change in changes)
    return canonical_bytes(
        {
            "at": at,
            "body": body,
            "effect": {"digest": hashlib.sha256(digests).hexdigest(), "n": str(len(changes))},
            "id": f"018f0000-0000-7000-8000-00000000000{n}",
            "n": str(n * 10),
            "subjects": [f"{change.table}/{change.key}" for change in changes],
            "tenant": str(TENANT),
            "v": "1",
            "xid": str(700 + n),
        }
    )


def golden() -> bytes:
    """The file's bytes."""
    payload, token = hashlib.sha256(PAYLOAD).hexdigest(), jwt()
    asked = {
        "approval_id": QUESTION, "payload_digest": payload, "act_digest": "a" * 64, "kind": "hire", "tier": "R2",
        "role_id": ROLE, "role_version": 1,
    }  # fmt: skip
    image = f'{{"id": "{VERSION}", "name": "Mira — “baru”", "role_id": "{ROLE}"}}'
    change = Change("704", 39, "role_registry.ai_role_versions", VERSION, "I", "-", image_hash(image))
    hired = {"role_id": ROLE, "version": 1, "terms_digest": "c" * 64, "approval_id": QUESTION}
    done = {"tool": "write_note", "act_digest": ACT, "role_id": ROLE, "role_version": 1, "policy": "c" * 64}
    key = {"kid": DEVICE.kid, "label": "laptop", "public_key": DEVICE.raw_public.hex()}
    documents = [
        document(1, "founder.device_key_added", key),
        document(2, "approval.raised", asked, evidence=[evidence(PAYLOAD, "payload.json")]),
        document(3, "approval.decided", {**asked, "decision": "approve", "method": "device_key"}, approval=token),
        document(4, "role.hired", hired, approval=token, changes=[change]),
        document(
            5, "tool.done", done, approval=token, actor=f"worker:{ROLE}", run_id=RUN, step=1,
            evidence=[evidence(CALL, "step-1-write_note.json")],
        ),
        document(6, "x.shop.sold", {"amount_minor": "240000", "currency": "IDR"}, actor="service:shop"),
    ]  # fmt: skip
    return b"".join(_lines(documents, change, image))


def _lines(documents: list[bytes], change: Change, image: str) -> list[bytes]:
    tally, written, tree, head = lines.Tally(receipts=True), [], Frontier(), genesis(TENANT)

    def add(line: bytes, kind: str | None = None) -> None:
        tally.add(line, kind)
        written.append(line)

    add(lines.header_line(_header()))
    for seq, one in enumerate(documents, 1):
        if seq == 4:
            add(
                lines.change_line(
                    xid=change.xid, n=change.n, table=change.table, key=change.key, op=change.op, old=None,
                    new=bytes.fromhex(change.new), image=image,
                ),
                "changes",
            )  # fmt: skip
        head = link(head, seq, leaf_of(one))
        tree.append(leaf_of(one))
        add(lines.event_line(one, head, seq), "events")
        if seq == 6:
            add(lines.receipt_line(received(one)), "receipts")
    checkpoint = notes.Checkpoint(TENANT, len(documents), tree.root(), head, SIGNED_AT)
    add(lines.checkpoint_line(1, sealed(checkpoint)), "checkpoints")
    for content in (PAYLOAD, CALL):
        add(lines.evidence_line(hashlib.sha256(content).hexdigest(), 0, content, last=True), "evidence")
    add(tally.end_line(len(documents), head))
    return written


def received(document: bytes) -> str:
    """What the API answered whoever appended the last event."""
    event_id, at = UUID("018f0000-0000-7000-8000-000000000006"), datetime.fromisoformat(AT.format(6))
    return RECEIPTS.sign(TENANT, Receipt(event_id, leaf_of(document).hex(), "706", at))


def sealed(checkpoint: notes.Checkpoint) -> str:
    text, name = notes.text_of(checkpoint), notes.origin(TENANT)
    blob = notes.key_hash(name, SEAL.raw_public) + SEAL.sign(text.encode())
    return f"{text}\n— {name} {base64.b64encode(blob).decode()}\n"


def _header() -> dict[str, Any]:
    keys = (("seal", SEAL), ("approval", APPROVAL), ("receipt", RECEIPT_KEY))
    return {
        "changes": True,
        "created_at": AT.format(9),
        "evidence": True,
        "from_seq": 1,
        "frontier": "",
        "head": genesis(TENANT).hex(),
        "jwks": [public_jwk(key.kid, key.public, purpose) for purpose, key in keys],
        "kind": "range",
        "receipts": True,
        "tenant": str(TENANT),
        "ticket": None,
        "to_seq": 6,
    }

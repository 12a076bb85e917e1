"""Verifying an export offline: the chain alone, and all of it with approval signatures and founders' own keys."""

import base64
import hashlib
import resource
import secrets
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.auth import SigningKey, b64url, public_jwk
from app.canon.approval import Statement
from app.canon.canonical_json import canonical_bytes
from app.verifier import lines
from app.verifier.chain import genesis, leaf_of, link
from app.verifier.keys import Trusted
from app.verifier.notes import key_hash, origin
from app.verifier.passes import Options
from app.verifier.tree import Frontier
from app.verifier.verifying import verify_file
from bench.figures import Figure, arguments, middle, show

TENANT = UUID("018f0000-0000-7000-8000-000000000001")
SEAL, APPROVAL, DEVICE = (SigningKey(Ed25519PrivateKey.generate()) for _ in range(3))
NOTHING = hashlib.sha256(b"").hexdigest()
EVERY = 5_000
FRAME = 2_000
START = 1_772_420_400


def main() -> None:
    chosen = arguments(str(__doc__))
    count = 20_000 if chosen.quick else 200_000
    with tempfile.TemporaryDirectory() as folder:
        plain, signed = Path(folder) / "plain.zst", Path(folder) / "signed.zst"
        write(plain, [_counted(n) for n in range(2, count + 2)])
        write(signed, list(_decided(count // 4)))
        rounds = range(1 if chosen.quick else 3)
        chain = middle([_rate(plain, chain_only=True) for _ in rounds])
        documents = middle([_rate(plain) for _ in rounds])
        signatures = middle([_rate(signed) for _ in rounds])
        packed = plain.stat().st_size / count
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    figures = {
        "offline_chain": Figure(chain, "/s", f"{count} events: hashes, chain, roots, checkpoints", 100_000),
        "offline_documents": Figure(documents, "/s", "the same, every document's bytes and members", 5_000),
        "offline_signatures": Figure(
            signatures, "/s", f"{count // 4} events, each fifth a decision under two signatures", 5_000
        ),
        "export_bytes": Figure(packed, "B", "compressed, for each event", 400, "less"),
        "offline_memory": Figure(memory, "MB", "largest resident set, the bench's own lists included", 1_500, "less"),
    }
    show(figures, as_json=chosen.json)


def _rate(path: Path, **options: Any) -> float:
    began = time.perf_counter()
    report = verify_file(path, Options(Trusted({SEAL.kid: SEAL.raw_public}, {}), **options))
    if not report.ok:
        raise SystemExit(f"the export does not verify: {report.first_break}")
    return report.events / (time.perf_counter() - began)


def _at(n: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(START + n // 1000)) + f".{n % 1000:03}000Z"


def _document(n: int, kind: str, data: dict[str, Any], **more: Any) -> bytes:
    names = ("approval", "run_id", "step", "ticket_id")
    body: dict[str, Any] = {"actor": "worker:1", "data": data, "evidence": [], "occurred_at": _at(n), "type": kind}
    body |= dict.fromkeys(names) | more
    return canonical_bytes(
        {
            "at": _at(n), "body": body, "effect": {"digest": NOTHING, "n": "0"}, "id": str(UUID(int=n)), "n": str(n),
            "subjects": [], "tenant": str(TENANT), "v": "1", "xid": str(n),
        }
    )  # fmt: skip


def _counted(n: int) -> bytes:
    return _document(n, "x.counted", {"number": n, "tool": "mail_send", "tokens": 912, "sha256": "5" * 64})


def _decided(count: int) -> Iterator[bytes]:
    """A ledger in which each fifth event is a decision by a device key, and each fifth a call under it."""
    data = {"kid": DEVICE.kid, "label": "laptop", "public_key": DEVICE.raw_public.hex()}
    yield _document(1, "founder.device_key_added", data, actor="founder:7")
    for n in range(2, count + 1, 5):
        run = str(UUID(int=n))
        claims, token = _token(n, run)
        named = ("payload_digest", "act_digest", "kind", "decision", "role_version")
        said = {name: claims[name] for name in named} | {"approval_id": claims["approval"], "method": "device_key"}
        place = {"approval": token, "run_id": run, "step": 3}
        yield _document(n, "approval.decided", said | {"tier": "R2"}, actor="founder:7", **place)
        call = {name: claims[name] for name in ("act_digest", "role_id", "role_version", "policy")}
        yield _document(n + 1, "tool.done", call, **place)
        yield from (_counted(more) for more in range(n + 2, n + 5))


def _token(n: int, run: str) -> tuple[dict[str, Any], str]:
    digest = hashlib.sha256(str(n).encode()).hexdigest()
    statement = Statement(str(UUID(int=n)), "approve", 1, digest, secrets.token_urlsafe(18), START)
    proof = {
        "method": "device_key",
        "statement": {name: getattr(statement, name) for name in statement.__struct_fields__},
        "kid": DEVICE.kid,
        "public_key": b64url(DEVICE.raw_public),
        "signature": b64url(DEVICE.sign(statement.challenge())),
    }
    at = START + n // 1000
    claims = {
        "iss": "flr", "sub": "founder:7", "tid": str(TENANT), "jti": secrets.token_hex(16), "iat": at, "exp": at + 3600,
        "approval": statement.approval, "decision": "approve", "payload_digest": digest, "act_digest": digest,
        "kind": "tool_call", "role_id": "1", "role_version": 1, "policy": "c" * 64, "run_id": run, "step": 3,
        "proof": proof,
    }  # fmt: skip
    header = {"alg": "EdDSA", "kid": APPROVAL.kid, "typ": "approval+jwt"}
    signed = f"{b64url(canonical_bytes(header))}.{b64url(canonical_bytes(claims))}"
    return claims, f"{signed}.{b64url(APPROVAL.sign(signed.encode()))}"


def write(path: Path, documents: list[bytes]) -> None:
    """An export of these documents, with a checkpoint every 5,000."""
    tally, tree, head, serial, waiting = lines.Tally(), Frontier(), genesis(TENANT), 0, []
    with path.open("wb") as file:

        def add(line: bytes, kind: str | None = None, *, closes: bool = False) -> None:
            tally.add(line, kind)
            waiting.append(line)
            if closes:
                file.write(zstandard.ZstdCompressor(level=3, write_checksum=True).compress(b"".join(waiting)))
                waiting.clear()

        add(lines.header_line(_header(len(documents))))
        for seq, document in enumerate(documents, 1):
            leaf = leaf_of(document)
            head = link(head, seq, leaf)
            tree.append(leaf)
            add(lines.event_line(document, head, seq), "events", closes=seq % FRAME == 0)
            if seq % EVERY == 0 or seq == len(documents):
                serial += 1
                add(lines.checkpoint_line(serial, _note(seq, tree.root(), head)), "checkpoints")
        add(tally.end_line(len(documents), head), closes=True)


def _note(size: int, root: bytes, head: bytes) -> str:
    name = origin(TENANT)
    text = f"{name}\n{size}\n{base64.b64encode(root).decode()}\nchain {head.hex()}\ntime {_at(size + 2000)}\n"
    blob = key_hash(name, SEAL.raw_public) + SEAL.sign(text.encode())
    return f"{text}\n— {name} {base64.b64encode(blob).decode()}\n"


def _header(size: int) -> dict[str, Any]:
    return {
        "changes": True, "created_at": _at(0), "evidence": False, "from_seq": 1, "frontier": "",
        "head": genesis(TENANT).hex(), "jwks": [public_jwk(APPROVAL.kid, APPROVAL.public, "approval")],
        "kind": "range", "tenant": str(TENANT), "ticket": None, "to_seq": size,
    }  # fmt: skip


if __name__ == "__main__":
    main()

"""Small builders: exports on disk, their lines, and lines that were changed."""

from collections.abc import Sequence
from pathlib import Path

from app.adapters.evidence.folder import FolderStore
from app.auth import public_jwk
from app.governance_ledger import Wanted, export_to_file
from app.postgres import Database
from app.verifier import lines
from app.verifier.files import lines_of, open_export
from app.verifier.keys import Trusted
from app.verifier.passes import Options
from app.verifier.report import Report
from app.verifier.verifying import verify_file
from tests.builders import APPROVALS
from tests.governance_ledger.ledgers import KEY, RECEIPT_KEY, TENANT

SEALED_BY = Trusted({KEY.kid: KEY.raw_public}, {})


async def exported(database: Database, folder: Path, name: str = "ledger.ndjson.zst", **wanted: object) -> Path:
    """An export of the tenant."""
    out = folder / name
    store = FolderStore(folder / "evidence")
    jwks = [public_jwk(KEY.kid, KEY.public, "seal"), *APPROVALS.keys.jwks()]
    jwks.append(public_jwk(RECEIPT_KEY.kid, RECEIPT_KEY.public, "receipt"))
    await export_to_file(database, TENANT, Wanted(**wanted), out, store=store, jwks=jwks)  # type: ignore[arg-type]
    return out


def checked(path: Path, **options: object) -> Report:
    given = {"trusted": SEALED_BY, "jobs": 1, **options}
    return verify_file(path, Options(**given))  # type: ignore[arg-type]


def lines_in(path: Path) -> list[bytes]:
    opened = open_export(path)
    try:
        return list(lines_of(opened.stream))
    finally:
        opened.close()


def written(path: Path, content: Sequence[bytes]) -> Path:
    """Plain lines as a file."""
    path.write_bytes(b"".join(content))
    return path


def ended(content: Sequence[bytes]) -> list[bytes]:
    """The lines with an end line that fits them, as somebody would write it who knows the format."""
    tally = lines.Tally(receipts=b'"receipts":true' in content[0])
    seq, head = 0, bytes(32)
    kept = [line for line in content if not line.startswith(lines.END)]
    for line in kept:
        tally.add(line, kind_of(line))
        at = line.rfind(b'},"hash":"')
        found = lines.EVENT_TAIL.match(line, at) if line.startswith(lines.EVENT) else lines.LEAF_LINE.match(line)
        if found is not None:
            seq, head = int(found[found.re.groups]), bytes.fromhex(found[1].decode())
    return [*kept, tally.end_line(seq, head)]


def kind_of(line: bytes) -> str | None:
    """How the end line counts a line."""
    starts = {lines.EVENT: "events", lines.LEAF: "leaves", lines.CHANGE: "changes", lines.CHECKPOINT: "checkpoints"}
    starts |= {lines.ATTESTATION: "attestations", lines.RECEIPT: "receipts"}
    for start, kind in starts.items():
        if line.startswith(start):
            return kind
    return "evidence" if line.startswith(lines.EVIDENCE) and b'"last":true' in line else None

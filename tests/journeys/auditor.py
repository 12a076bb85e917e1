"""An auditor who trusts nobody: takes the ledger and a ticket's case away, and verifies both with one public key."""

from pathlib import Path

from app.auth import load_public_keys, raw_public
from app.verifier.keys import Keys, Trusted
from app.verifier.passes import Options
from app.verifier.verifying import verify_file
from tests.processes import FounderClient, wait_until


def keys_of(founder: FounderClient, purpose: str) -> Keys:
    folder = founder.machine.settings.keys
    return {kid: raw_public(key) for kid, key in load_public_keys(folder, purpose).items()}


def assert_an_auditor_finds_all_of_it(founder: FounderClient, ticket_id: str, folder: Path) -> None:
    """The live ledger in full, an export with its evidence, and the case file; in each the receipt of an event that
    came over the API."""
    founder.post("/events", {"type": "x.audited", "ticket_id": ticket_id})
    live = founder.get("/events/chain-verify", full=True)
    assert (live["first_break"], live["receipts"]) == (None, 1)
    case = wait_until(lambda: _download(founder, f"/ledger/cases/{ticket_id}", folder / "case.zip"), seconds=20)
    export = _download(founder, "/ledger/export?evidence=true", folder / "ledger.ndjson.zst")
    assert export is not None
    seal, approval, receipt = (keys_of(founder, purpose) for purpose in ("seal", "approval", "receipt"))
    for path in (export, case):
        report = verify_file(path, Options(Trusted(seal, approval, (), receipt)))
        assert report.first_break is None, (path, report.first_break)
        assert report.ok
        assert report.signatures
        assert report.proofs
        assert report.evidence
        assert report.stored_receipts == 1
        assert report.unchecked == []


def _download(founder: FounderClient, path: str, to: Path) -> Path | None:
    """None while no checkpoint covers it yet."""
    answer = founder.http.get(path)
    if answer.status_code == 409:
        return None
    assert answer.is_success, answer.text
    to.write_bytes(answer.content)
    return to

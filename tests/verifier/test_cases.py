"""The case file of a ticket: one archive that a person reads and anyone verifies offline."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from app.adapters.evidence.folder import FolderStore
from app.auth import public_jwk
from app.canon.vocabulary import Tier
from app.governance_ledger import Event, append, make_case
from app.governance_ledger.cases import CaseUnknown, safe_name
from app.governance_ledger.issuing import issue
from app.governance_ledger.proving import NotCovered
from app.governance_ledger.sealing import seal
from app.postgres import Database
from app.verifier.keys import Trusted
from tests.builders import a_ticket
from tests.governance_ledger.ledgers import KEY, RECEIPT_KEY, RECEIPTS, TENANT, record, sign
from tests.verifier.decisions import APPROVAL_KEYS, Call, a_company, a_role, decided
from tests.verifier.files import checked

TRUSTED = Trusted({KEY.kid: KEY.raw_public}, APPROVAL_KEYS, (), {RECEIPT_KEY.kid: RECEIPT_KEY.raw_public})


async def a_story(database: Database, sealer: asyncpg.Connection) -> UUID:
    """A ticket on which a worker acted, once freely and once with the founder's approval, among other events; and one
    event of it came over the API."""
    async with database.transaction(TENANT) as tx:
        company = await a_company(tx)
        contract = await a_role(tx, company)
        ticket = await a_ticket(tx, company.by, title="Pay <the> baker")
    await record(database, 7)
    async with database.transaction(TENANT) as tx:
        free, asked = Call(tx, contract, {"note": "hello"}), Call(tx, contract, {"to": "a@b.example"})
        free.ticket_id = asked.ticket_id = ticket.id
        await free.record(tx, "done")
        await asked.use(tx, await decided(tx, company, await asked.ask(tx, Tier.R2), by="phone"))
    async with database.transaction(TENANT) as tx:
        delivered = await append(tx, Event(type="x.delivered", actor="service:shop", ticket_id=ticket.id))
        await issue(tx, RECEIPTS, [delivered])
    await sign(sealer)
    await record(database, 5)
    await sign(sealer)
    return ticket.id


async def a_case(database: Database, folder: Path, ticket_id: UUID, language: str = "en") -> Path:
    path = folder / "case.zip"
    with path.open("wb") as file:
        store = FolderStore(folder / "evidence")
        jwks = [public_jwk(RECEIPT_KEY.kid, RECEIPT_KEY.public, "receipt")]
        await make_case(database, TENANT, ticket_id, file, store=store, jwks=jwks, language=language)  # type: ignore[arg-type]
    return path


async def test_a_case_verifies_and_reads(database: Database, sealer: asyncpg.Connection, tmp_path: Path) -> None:
    ticket_id = await a_story(database, sealer)
    path = await a_case(database, tmp_path, ticket_id, "id")
    report = checked(path, trusted=TRUSTED)
    assert report.first_break is None
    assert (report.ok, report.kind, report.signatures, report.proofs) == (True, "case", 2, 2)
    assert report.stored_receipts == 1
    assert report.evidence >= 3
    assert report.unchecked == []
    with zipfile.ZipFile(path) as archive:
        page = archive.read("summary.html").decode()
    assert "Pay &lt;the&gt; baker" in page
    assert '<html lang="id">' in page
    assert "<script" not in page
    assert "Berkas perkara" in page
    assert "tool.done" in page
    assert "<td>Mira</td>" in page


async def test_a_case_is_made_of_what_is_signed(database: Database, sealer: asyncpg.Connection, tmp_path: Path) -> None:
    ticket_id = await a_story(database, sealer)
    with pytest.raises(CaseUnknown):
        await a_case(database, tmp_path, UUID(int=7))
    async with database.transaction(TENANT) as tx:
        await append(tx, Event(type="x.noted", actor="system", ticket_id=ticket_id))
    await seal(sealer)
    with pytest.raises(NotCovered, match="ask again"):
        await a_case(database, tmp_path, ticket_id)


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None], **more: bytes) -> Path:
    """The archive with its members changed; None drops one."""
    out = path.with_name("forged.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            content = change(info.filename, old.read(info))
            if content is not None:
                new.writestr(info.filename, content)
        for name, content in more.items():
            new.writestr(name, content)
    return out


def edit_an_event(name: str, content: bytes) -> bytes:
    return content.replace(b'"title":"Pay', b'"title":"Pat', 1) if name == "ledger.ndjson" else content


def edit_the_receipt(name: str, content: bytes) -> bytes:
    return content.replace(b'{"jws":"eyJ', b'{"jws":"eyK', 1) if name == "ledger.ndjson" else content


def edit_evidence(name: str, content: bytes) -> bytes:
    return content.replace(b"hello", b"hallo") if name.startswith("evidence/") else content


def drop_evidence(name: str, content: bytes) -> bytes | None:
    return None if name.startswith("evidence/") else content


def edit_the_summary(name: str, content: bytes) -> bytes:
    return content.replace(b"baker", b"maker") if name == "summary.html" else content


def drop_a_line(name: str, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join(lines[:5] + lines[6:]) if name == "ledger.ndjson" else content


FORGERIES: dict[Callable[[str, bytes], bytes | None], str] = {
    edit_an_event: "does not stand where its proof says",
    edit_the_receipt: "a receipt that is no JWS",
    edit_evidence: "its bytes hash to another value",
    drop_evidence: "evidence that the event names is not in the file",
    edit_the_summary: "summary.html is not what the case's ledger says",
    drop_a_line: "other lines than stand here|row change",
}


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.__name__)
async def test_a_forged_case_is_found(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path, forgery: Callable[[str, bytes], bytes | None]
) -> None:
    path = await a_case(database, tmp_path, await a_story(database, sealer))
    report = checked(rewritten(path, forgery), trusted=TRUSTED)
    assert report.first_break is not None
    assert re.search(FORGERIES[forgery], report.first_break.reason), report.first_break


async def test_a_file_slipped_into_a_case_is_found(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    path = await a_case(database, tmp_path, await a_story(database, sealer))
    report = checked(rewritten(path, lambda _, content: content, **{"extra.txt": b"?"}), trusted=TRUSTED)
    assert report.first_break is not None
    assert "it was changed or added" in report.first_break.reason


def test_evidence_gets_a_name_that_nothing_runs() -> None:
    assert [safe_name(name) for name in ("../../etc/passwd", "a.HTML", "", "Rp 5.csv")] == [
        "_.._etc_passwd",
        "a.HTML.txt",
        "evidence",
        "Rp 5.csv",
    ]

"""Personal evidence in exports and cases: encrypted, verified without a key, and believed erased by an event alone."""

import shutil
import zipfile
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from app.adapters.evidence.folder import FolderStore
from app.governance_ledger import Event, append, ensure_subjects_key, keep_evidence
from app.governance_ledger.proving import NotCovered
from app.governance_ledger.sealing import Mover
from app.governance_ledger.subjects import Keeper, erase_subject, open_subject
from app.postgres import Database
from app.verifier import lines
from tests.builders import a_ticket
from tests.governance_ledger.ledgers import KEY, TENANT, record, sign, verify
from tests.verifier.decisions import a_company
from tests.verifier.files import checked, ended, exported, lines_in, written
from tests.verifier.test_cases import a_case

LETTER = b"Dear Dewi Lestari, your order of 3 March has left Bandung."
ENCRYPTED = ["what 1 pieces of personal evidence say: they are encrypted, 0 of them erased"]
ERASED = ["what 1 pieces of personal evidence say: they are encrypted, 1 of them erased"]


@pytest.fixture
async def ticket_id(database: Database, sealer: asyncpg.Connection, tmp_path: Path) -> UUID:
    """A ticket with one letter as personal evidence, moved to the store, and a signed checkpoint over it."""
    ensure_subjects_key(tmp_path / "keys")
    async with database.transaction(TENANT) as tx:
        company = await a_company(tx)
        ticket = await a_ticket(tx, company.by)
        key = await open_subject(tx, Keeper.load(tmp_path / "keys"), subject_of(ticket.id))
        ref = await keep_evidence(tx, LETTER, media_type="text/plain", name="step-1-mail.json", subject=key)
        data: dict[str, object] = {"role_id": "r", "act_digest": "0" * 64}
        await append(tx, Event(type="x.mailed", actor="system", ticket_id=ticket.id, data=data, evidence=(ref,)))
    await sign(sealer)
    await Mover(FolderStore(tmp_path / "evidence")).move(sealer)
    return ticket.id


def subject_of(ticket_id: UUID) -> str:
    return f"ticket:{ticket_id}"


async def erase(database: Database, ticket_id: UUID) -> None:
    async with database.transaction(TENANT) as tx:
        await erase_subject(tx, subject_of(ticket_id), by="founder:7")


def empty(folder: Path) -> None:
    """What a founder who empties the bucket leaves."""
    for path in folder.rglob("*"):
        path.chmod(0o750)
    shutil.rmtree(folder / "tree" / "sha256")


async def test_an_export_holds_ciphertext_before_and_after_the_erasing(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path, ticket_id: UUID
) -> None:
    before = await exported(database, tmp_path, "before", evidence=True)
    assert (checked(before).ok, checked(before).evidence, checked(before).unchecked[:1]) == (True, 1, ENCRYPTED)
    assert LETTER not in b"".join(lines_in(before))
    await erase(database, ticket_id)
    await sign(sealer)
    after = await exported(database, tmp_path, "after", evidence=True)
    assert (checked(after).ok, checked(after).evidence, checked(after).unchecked[:1]) == (True, 1, ERASED)
    empty(tmp_path / "evidence")
    gone = await exported(database, tmp_path, "gone", evidence=True)
    assert (checked(gone).ok, checked(gone).evidence, checked(gone).unchecked[:1]) == (True, 0, ERASED)
    assert (await verify(database, full=True, keys={KEY.kid: KEY.raw_public})).ok


async def test_what_the_store_lost_is_lost_until_its_subject_is_erased(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path, ticket_id: UUID
) -> None:
    empty(tmp_path / "evidence")
    found = checked(await exported(database, tmp_path, "lost", evidence=True)).first_break
    assert found is not None
    assert "evidence that the event names is lost" in found.reason


async def test_nobody_calls_evidence_erased_without_the_event_that_says_so(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path, ticket_id: UUID
) -> None:
    await record(database, 2)
    await sign(sealer)
    content = lines_in(await exported(database, tmp_path, evidence=True))
    at = next(place for place, line in enumerate(content) if line.startswith(lines.EVIDENCE))
    sha256 = content[at].split(b'"sha256":"')[1][:64].decode()
    forged = ended([*content[:at], lines.missing_line(sha256, "erased"), *content[at + 1 :]])
    found = checked(written(tmp_path / "forged", forged)).first_break
    assert found is not None
    assert "evidence is called erased, and no event says so" in found.reason


async def test_a_case_holds_ciphertext_and_says_what_was_erased(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path, ticket_id: UUID
) -> None:
    before = await a_case(database, tmp_path, ticket_id)
    assert (checked(before).ok, checked(before).evidence) == (True, 1)
    assert f"personal: encrypted under the key of {subject_of(ticket_id)}" in page_of(before)
    await erase(database, ticket_id)
    empty(tmp_path / "evidence")
    with pytest.raises(NotCovered):
        await a_case(database, tmp_path, ticket_id)
    await sign(sealer)
    after = await a_case(database, tmp_path, ticket_id)
    report = checked(after)
    assert (report.ok, report.evidence, report.unchecked[:1]) == (True, 0, ERASED), report.first_break
    assert f"erased with the key of {subject_of(ticket_id)}" in page_of(after)


def page_of(case: Path) -> str:
    with zipfile.ZipFile(case) as archive:
        assert not any(LETTER in archive.read(name) for name in archive.namelist())
        return archive.read("summary.html").decode()

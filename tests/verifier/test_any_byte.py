"""Any single byte changed is found: in each kind of line, by one who fits the end to it, in each file of a case."""

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from app.adapters.evidence.folder import FolderStore
from app.governance_ledger import Event, append, ensure_subjects_key, keep_evidence
from app.governance_ledger.sealing import Mover
from app.governance_ledger.subjects import Keeper, erase_subject, open_subject
from app.postgres import Database
from app.verifier import lines
from app.verifier.errors import NotAnExport
from tests.governance_ledger.ledgers import TENANT, record, sign
from tests.verifier.files import checked, ended, exported, lines_in, written
from tests.verifier.test_cases import a_case, a_story
from tests.verifier.test_tampering import TRUSTED

MISSING = b'{"evidence":{"missing"'
KINDS = (
    lines.HEADER, lines.CHANGE, lines.EVENT, lines.RECEIPT, lines.LEAF, lines.CHECKPOINT, lines.ATTESTATION,
    lines.EVIDENCE, MISSING, lines.END,
)  # fmt: skip
UNSIGNED = {
    lines.HEADER: re.compile(rb'"created_at":"[^"]*"|"jwks":\[[^]]*\]'),
    lines.CHANGE: re.compile(rb'"n":"[0-9]*"'),
}
"""What no signature covers: when a file was made, keys that the auditor brings himself, and a change's number, which
says no more than its place among the others."""

examples = settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
async def everything(database: Database, sealer: asyncpg.Connection, ledger: Path, tmp_path: Path) -> list[bytes]:
    """The lines of an export in which every kind of line stands."""
    ensure_subjects_key(tmp_path / "keys")
    async with database.transaction(TENANT) as tx:
        key = await open_subject(tx, Keeper.load(tmp_path / "keys"), "customer:8841")
        ref = await keep_evidence(tx, b"Dewi Lestari", media_type="text/plain", name="letter.txt", subject=key)
        await append(tx, Event(type="x.mailed", actor="system", evidence=(ref,)))
    async with database.transaction(TENANT) as tx:
        await erase_subject(tx, "customer:8841", by="founder:7")
    await sealer.execute(
        "INSERT INTO governance_ledger.ledger_attestations (tenant_id, serial, size, kind, name, attested_at, content) "
        "VALUES ($1, 1, 12, 'timestamp', 'tsa.example', now(), '\\x3003')",
        TENANT,
    )
    await sign(sealer)
    store = tmp_path / "evidence"
    while await Mover(FolderStore(store)).move(sealer):
        pass
    gone = store / "tree" / ref.key
    gone.chmod(0o600)
    gone.unlink()
    await record(database, 4)
    await sign(sealer)
    size = await sealer.fetchval("SELECT max(seq) FROM governance_ledger.ledger_seals WHERE tenant_id = $1", TENANT)
    content = lines_in(await exported(database, tmp_path, "everything", evidence=True, to_seq=size - 2))
    assert {kind: any(line.startswith(kind) for line in content) for kind in KINDS} == dict.fromkeys(KINDS, True)
    return content


def holds(path: Path) -> bool:
    try:
        return checked(path, trusted=TRUSTED).ok
    except NotAnExport:
        return False


def changed(line: bytes, place: int, mask: int) -> bytes:
    at = place % len(line)
    return line[:at] + bytes((line[at] ^ mask,)) + line[at + 1 :]


def of_kind(content: Sequence[bytes], kind: bytes) -> list[int]:
    found = [at for at, line in enumerate(content) if line.startswith(kind)]
    return [at for at in found if kind is MISSING or not content[at].startswith(MISSING)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.decode().strip('{":'))
async def test_a_changed_byte_in_any_kind_of_line_is_found(
    everything: list[bytes], tmp_path: Path, kind: bytes
) -> None:
    assert holds(written(tmp_path / "same", everything))

    @examples
    @given(which=st.integers(0, 10**6), place=st.integers(0, 10**6), mask=st.integers(1, 255))
    def check(which: int, place: int, mask: int) -> None:
        places = of_kind(everything, kind)
        at = places[which % len(places)]
        line = changed(everything[at], place, mask)
        assert not holds(written(tmp_path / "changed", [*everything[:at], line, *everything[at + 1 :]]))

    check()


FITTED = tuple(kind for kind in KINDS if kind not in (lines.ATTESTATION, lines.END))


@pytest.mark.parametrize("kind", FITTED, ids=lambda kind: kind.decode().strip('{":'))
async def test_who_fits_the_end_to_the_byte_that_he_changed_is_found(
    everything: list[bytes], tmp_path: Path, kind: bytes
) -> None:
    @examples
    @given(which=st.integers(0, 10**6), place=st.integers(0, 10**6), mask=st.integers(1, 255))
    def check(which: int, place: int, mask: int) -> None:
        places = of_kind(everything, kind)
        at = places[which % len(places)]
        unsigned = UNSIGNED[kind].finditer(everything[at]) if kind in UNSIGNED else ()
        assume(not any(found.start() <= place % len(everything[at]) < found.end() for found in unsigned))
        line = changed(everything[at], place, mask)
        try:
            forged = ended([*everything[:at], line, *everything[at + 1 :]])
        except ValueError:
            return
        assert not holds(written(tmp_path / "forged", forged))

    check()


def members_of(case: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(case) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


async def test_a_changed_byte_of_a_case_is_found_or_changes_nothing_that_is_in_it(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    case = await a_case(database, tmp_path, await a_story(database, sealer))
    content, whole = case.read_bytes(), members_of(case)
    assert len(whole) >= 4
    assert holds(case)

    @settings(examples, max_examples=200)
    @given(place=st.integers(0, len(content) - 1), mask=st.integers(1, 255))
    def check(place: int, mask: int) -> None:
        path = written(tmp_path / "changed.zip", [changed(content, place, mask)])
        assert not holds(path) or members_of(path) == whole

    check()


async def test_a_changed_byte_of_any_file_of_a_case_is_found(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    path = await a_case(database, tmp_path, await a_story(database, sealer))
    whole = members_of(path)
    assert holds(path)
    assert lines.RECEIPT in whole["ledger.ndjson"]

    @settings(examples, max_examples=200)
    @given(name=st.sampled_from(sorted(whole)), place=st.integers(0, 10**6), mask=st.integers(1, 255))
    def check(name: str, place: int, mask: int) -> None:
        path = tmp_path / "rewritten.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in whole.items():
                archive.writestr(member, changed(content, place, mask) if member == name else content)
        assert not holds(path)

    check()

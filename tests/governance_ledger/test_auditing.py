"""The audit reads every object that the ledger names, and believes its bytes only."""

import os
from collections import Counter
from pathlib import Path

import asyncpg
import pytest

from app.adapters.evidence.folder import FolderStore
from app.canon.evidence import EvidenceRef
from app.governance_ledger import Audited, Event, append, audit_evidence, count_evidence, keep_evidence
from app.governance_ledger.errors import EvidenceAway
from app.governance_ledger.sealing import Mover
from app.postgres import Database
from tests.evidence import NoStore
from tests.governance_ledger.ledgers import OTHER, TENANT, sign


async def keep(database: Database, content: bytes) -> EvidenceRef:
    async with database.transaction(TENANT) as tx:
        ref = await keep_evidence(tx, content, media_type="text/plain", name="x")
        await append(tx, Event(type="tool.done", actor="worker:1", evidence=(ref,)))
    return ref


async def audit(database: Database, store: FolderStore | NoStore) -> dict[str, Audited]:
    return {audited.key: audited async for audited in audit_evidence(database, TENANT, store)}


async def move_all(sealer: asyncpg.Connection, store: FolderStore) -> None:
    while await Mover(store).move(sealer):
        pass


def alter(folder: Path, ref: EvidenceRef, content: bytes) -> None:
    place = folder / "tree" / ref.key
    place.chmod(0o640)
    place.write_bytes(content)


async def test_what_is_as_it_was_is_the_same_or_still_waits(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path)
    moved = [await keep(database, b"answer %d" % number) for number in range(20)]
    await move_all(sealer, store)
    waiting = await keep(database, b"not moved yet")
    found = await audit(database, store)
    assert {audited.key for audited in found.values() if audited.verdict == "same"} == {ref.key for ref in moved}
    assert found[waiting.key] == Audited(waiting.key, 13, "waiting")
    assert await count_evidence(database, TENANT) == len(found) == 21


async def test_changed_lost_shortened_and_lengthened_objects_are_found(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path)
    changed, lost, shortened, lengthened, kept = [await keep(database, b"answer %d" % number) for number in range(5)]
    await move_all(sealer, store)
    alter(tmp_path, changed, b"answer 9")
    alter(tmp_path, shortened, b"answer")
    alter(tmp_path, lengthened, b"answer 3 and more")
    os.unlink(tmp_path / "tree" / lost.key)  # noqa: PTH108
    found = await audit(database, store)
    assert found[changed.key].verdict == "differs"
    assert "other bytes" in found[changed.key].says
    assert found[shortened.key].says == "the ledger names 8 bytes, the store holds 6"
    assert found[lengthened.key].says == "the ledger names 8 bytes, the store holds 17 or more"
    assert found[lost.key].verdict == "missing"
    assert found[kept.key].verdict == "same"


async def test_what_the_store_says_about_an_object_is_not_believed(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path)
    ref = await keep(database, b"answer 1")
    await move_all(sealer, store)
    alter(tmp_path, ref, b"answer 2")
    assert (await store.head(ref.key)).sha256 == ref.sha256
    assert (await audit(database, store))[ref.key].verdict == "differs"


async def test_bytes_altered_in_the_spool_are_found(
    database: Database, superuser: asyncpg.Connection, tmp_path: Path
) -> None:
    ref = await keep(database, b"answer 1")
    await superuser.execute("UPDATE governance_ledger.evidence_spool SET content = 'answer 2'")
    assert (await audit(database, FolderStore(tmp_path)))[ref.key].verdict == "differs"


async def test_an_object_as_large_as_several_reads_is_compared_whole(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path)
    size = 16 * 1024 * 1024
    whole, altered = await keep(database, bytes(size)), await keep(database, b"\1" * (size + 1))
    await move_all(sealer, store)
    alter(tmp_path, altered, b"\1" * size + b"\2")
    found = await audit(database, store)
    assert (found[whole.key].verdict, found[altered.key].verdict) == ("same", "differs")


async def test_checkpoints_are_audited_too(database: Database, sealer: asyncpg.Connection, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    await keep(database, b"answer 1")
    assert await sign(sealer)
    (waiting,) = [audited for key, audited in (await audit(database, store)).items() if key.startswith("checkpoints/")]
    await move_all(sealer, store)
    place = tmp_path / "tree" / waiting.key
    verdicts = [(await audit(database, store))[waiting.key].verdict]
    place.chmod(0o640)
    place.write_bytes(place.read_bytes().replace(b"\n1\n", b"\n2\n"))
    verdicts.append((await audit(database, store))[waiting.key].verdict)
    assert (waiting.verdict, *verdicts) == ("waiting", "same", "differs")


async def test_evidence_that_the_list_has_lost_is_known_from_its_event(
    database: Database, superuser: asyncpg.Connection, tmp_path: Path
) -> None:
    ref, other = await keep(database, b"answer 1"), await keep(database, b"answer 2")
    await superuser.execute("SET event_triggers = off")
    await superuser.execute("ALTER TABLE governance_ledger.evidence_objects DISABLE TRIGGER USER")
    await superuser.execute("DELETE FROM governance_ledger.evidence_objects WHERE sha256 = $1", ref.sha256)
    found = await audit(database, FolderStore(tmp_path))
    assert (found[ref.key].verdict, found[other.key].verdict) == ("unlisted", "waiting")
    assert "event" in found[ref.key].says


async def test_an_audit_goes_over_many_pages(database: Database, sealer: asyncpg.Connection, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    for number in range(10):
        await keep(database, b"answer %d" % number)
        await keep(database, b"answer %d" % number)
    await move_all(sealer, store)
    found = [audited async for audited in audit_evidence(database, TENANT, store, page=3)]
    assert Counter(audited.verdict for audited in found) == {"same": 10}


async def test_a_tenant_audits_its_own_objects_only(database: Database, tmp_path: Path) -> None:
    await keep(database, b"answer 1")
    assert [audited async for audited in audit_evidence(database, OTHER, FolderStore(tmp_path))] == []


async def test_with_the_store_away_nothing_is_said_to_be_missing(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    for number in range(10):
        await keep(database, b"answer %d" % number)
    await move_all(sealer, FolderStore(tmp_path))
    with pytest.raises(EvidenceAway, match="not finished"):
        await audit(database, NoStore())

"""Evidence is kept with the transaction, readable at once, and moved to the store when the store is there."""

import hashlib
from pathlib import Path

import asyncpg
import pytest

from app.adapters.evidence.folder import FolderStore
from app.canon.evidence import EvidenceRef, StoredObject, StoreUnavailable
from app.governance_ledger import Event, append, keep_evidence, read_event, read_evidence
from app.governance_ledger.errors import EvidenceAway, EvidenceDiffers, EvidenceTooLarge, EvidenceUnknown
from app.governance_ledger.evidence import fetch_evidence
from app.governance_ledger.refs import MAX_BYTES
from app.governance_ledger.sealing import Mover, oldest_spooled_at
from app.postgres import Database
from tests.governance_ledger.ledgers import OTHER, TENANT

CONTENT = b"A statement of account, page 1 of 1.\n" * 50


async def keep(database: Database, content: bytes = CONTENT) -> EvidenceRef:
    async with database.transaction(TENANT) as tx:
        ref = await keep_evidence(tx, content, media_type="text/plain", name="statement.txt")
        await append(tx, Event(type="tool.done", actor="worker:1", evidence=(ref,)))
    return ref


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "evidence")


def away(tmp_path: Path) -> FolderStore:
    """A store that does not answer: its folder is a file."""
    (tmp_path / "gone").write_text("")
    return FolderStore(tmp_path / "gone")


async def test_the_same_bytes_are_read_before_and_after_they_moved(
    database: Database, sealer: asyncpg.Connection, store: FolderStore
) -> None:
    ref = await keep(database)
    assert ref == EvidenceRef(
        hashlib.sha256(CONTENT).hexdigest(),
        f"sha256/{ref.sha256[:2]}/{ref.sha256}",
        len(CONTENT),
        "text/plain",
        "statement.txt",
    )
    for moved in (1, 0):
        async with database.transaction(TENANT) as tx:
            assert await read_evidence(tx, store, ref.key) == CONTENT
            assert await read_evidence(tx, store, ref.key, 3, 9) == CONTENT[3:10]
            assert await read_evidence(tx, store, ref.key, 1800) == CONTENT[1800:]
        assert await fetch_evidence(database, TENANT, store, ref.key, 0, 4) == CONTENT[:5]
        assert await Mover(store).move(sealer) == moved
    assert await store.get(ref.key) == CONTENT
    assert await oldest_spooled_at(sealer) is None


async def test_evidence_of_a_rolled_back_transaction_is_gone(database: Database, sealer: asyncpg.Connection) -> None:
    async def fails() -> None:
        async with database.transaction(TENANT) as tx:
            await keep_evidence(tx, CONTENT, media_type="text/plain", name="x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fails()
    assert await oldest_spooled_at(sealer) is None


async def test_the_same_bytes_are_spooled_once(database: Database, superuser: asyncpg.Connection) -> None:
    first, second = await keep(database), await keep(database)
    assert first == second
    assert await superuser.fetchval("SELECT count(*) FROM governance_ledger.evidence_spool") == 1
    async with database.transaction(OTHER) as tx:
        await keep_evidence(tx, CONTENT, media_type="text/plain", name="x")
    assert await superuser.fetchval("SELECT count(*) FROM governance_ledger.evidence_spool") == 2


async def test_two_who_keep_the_same_bytes_at_once_do_not_wait_for_each_other(
    database: Database, sealer: asyncpg.Connection, store: FolderStore
) -> None:
    async with database.transaction(TENANT) as one, database.transaction(TENANT) as two:
        await keep_evidence(one, CONTENT, media_type="text/plain", name="x")
        ref = await keep_evidence(two, CONTENT, media_type="text/plain", name="x")
    assert await Mover(store).move(sealer) == 2
    async with database.transaction(TENANT) as tx:
        assert await read_evidence(tx, store, ref.key) == CONTENT


async def test_with_the_store_away_no_work_stops_and_nothing_is_lost(
    database: Database, sealer: asyncpg.Connection, store: FolderStore, tmp_path: Path
) -> None:
    mover = Mover(away(tmp_path))
    refs = []
    for number in range(5):
        refs.append(await keep(database, b"answer %d" % number))
        with pytest.raises(StoreUnavailable):
            await mover.move(sealer)
    async with database.transaction(TENANT) as tx:
        assert await read_evidence(tx, away(tmp_path), refs[3].key) == b"answer 3"
    assert await Mover(store).move(sealer) == 5
    for number, ref in enumerate(refs):
        content = await store.get(ref.key)
        assert content == b"answer %d" % number
        assert hashlib.sha256(content).hexdigest() == ref.sha256


async def test_a_mover_that_died_after_the_put_is_repeated_harmlessly(
    database: Database, sealer: asyncpg.Connection, store: FolderStore
) -> None:
    ref = await keep(database)
    await store.put_once(ref.key, CONTENT, "text/plain")
    assert await Mover(store).move(sealer) == 1
    assert await oldest_spooled_at(sealer) is None


async def test_other_bytes_under_the_key_stay_in_the_spool_and_hold_nobody_up(
    database: Database, sealer: asyncpg.Connection, store: FolderStore, caplog: pytest.LogCaptureFixture
) -> None:
    ref = await keep(database)
    await store.put_once(ref.key, b"planted", "text/plain")
    await keep(database, b"honest")
    mover = Mover(store)
    assert await mover.move(sealer) == 1
    assert await mover.move(sealer) == 0
    assert "the store holds other bytes" in caplog.text
    async with database.transaction(TENANT) as tx:
        assert await read_evidence(tx, store, ref.key) == CONTENT


async def test_planted_bytes_with_a_forged_description_do_not_push_the_true_ones_out(
    database: Database, sealer: asyncpg.Connection, store: FolderStore, tmp_path: Path
) -> None:
    ref = await keep(database)
    await store.put_once(ref.key, b"planted", "text/plain")
    described = tmp_path / "evidence" / "meta" / f"{ref.key}.json"
    forged = described.read_text().replace(hashlib.sha256(b"planted").hexdigest(), ref.sha256)
    described.chmod(0o640)
    described.write_text(forged)
    assert (await store.head(ref.key)).sha256 == ref.sha256
    assert await Mover(store).move(sealer) == 0
    async with database.transaction(TENANT) as tx:
        assert await read_evidence(tx, store, ref.key) == CONTENT


class HalfStore(FolderStore):
    """Takes nothing under some keys."""

    def __init__(self, root: Path, refused: set[str]) -> None:
        super().__init__(root)
        self.refused = refused

    async def put_once(self, key: str, content: bytes, media_type: str) -> StoredObject:
        if key in self.refused:
            raise StoreUnavailable(key)
        return await super().put_once(key, content, media_type)


async def test_what_was_moved_before_the_store_went_away_is_not_moved_again(
    database: Database, sealer: asyncpg.Connection, store: FolderStore, tmp_path: Path
) -> None:
    refs = [await keep(database, b"answer %d" % number) for number in range(6)]
    half = HalfStore(tmp_path / "evidence", {ref.key for ref in refs[::2]})
    with pytest.raises(StoreUnavailable):
        await Mover(half).move(sealer)
    assert await sealer.fetchval("SELECT count(*) FROM governance_ledger.evidence_spool") == 3
    assert await Mover(store).move(sealer) == 3
    assert {await store.get(ref.key) for ref in refs} == {b"answer %d" % number for number in range(6)}


async def test_altered_and_lost_bytes_are_refused(
    database: Database, sealer: asyncpg.Connection, store: FolderStore, tmp_path: Path
) -> None:
    ref = await keep(database)
    await Mover(store).move(sealer)
    place = tmp_path / "evidence" / "tree" / ref.key
    place.chmod(0o640)
    place.write_bytes(CONTENT.replace(b"1", b"2"))
    async with database.transaction(TENANT) as tx:
        with pytest.raises(EvidenceDiffers, match="other bytes"):
            await read_evidence(tx, store, ref.key)
        place.unlink()
        with pytest.raises(EvidenceDiffers, match="has lost"):
            await read_evidence(tx, store, ref.key)
        (tmp_path / "evidence" / "tree").rename(tmp_path / "evidence" / "moved")
        with pytest.raises(EvidenceDiffers):
            await read_evidence(tx, store, ref.key)


async def test_another_tenants_evidence_is_unknown(database: Database, store: FolderStore) -> None:
    ref = await keep(database)
    async with database.transaction(OTHER) as tx:
        with pytest.raises(EvidenceUnknown):
            await read_evidence(tx, store, ref.key)


@pytest.mark.parametrize("key", ["", "checkpoints/x/1", "../etc/passwd", "sha256/ab/" + "0" * 64])
async def test_what_is_no_evidence_is_unknown(database: Database, store: FolderStore, key: str) -> None:
    async with database.transaction(TENANT) as tx:
        with pytest.raises(EvidenceUnknown):
            await read_evidence(tx, store, key)


async def test_too_much_is_refused(database: Database) -> None:
    async with database.transaction(TENANT) as tx:
        with pytest.raises(EvidenceTooLarge):
            await keep_evidence(tx, bytes(MAX_BYTES + 1), media_type="text/plain", name="x")


async def test_large_evidence_moves_alone(database: Database, sealer: asyncpg.Connection, store: FolderStore) -> None:
    await keep(database, bytes(40_000_000))
    await keep(database, b"small")
    mover = Mover(store)
    assert [await mover.move(sealer), await mover.move(sealer), await mover.move(sealer)] == [1, 1, 0]


async def test_an_event_names_all_of_its_evidence(database: Database) -> None:
    async with database.transaction(TENANT) as tx:
        refs = tuple([await keep_evidence(tx, text, media_type="text/plain", name="x") for text in (b"a", b"b")])
        receipt = await append(tx, Event(type="tool.done", actor="worker:1", evidence=refs))
        assert (await read_event(tx, receipt.event_id)).evidence == refs


async def test_a_store_that_is_away_is_said_so(
    database: Database, sealer: asyncpg.Connection, store: FolderStore, tmp_path: Path
) -> None:
    ref = await keep(database)
    await Mover(store).move(sealer)
    place = tmp_path / "evidence" / "tree" / ref.key
    place.unlink()
    place.symlink_to(place)
    async with database.transaction(TENANT) as tx:
        with pytest.raises((EvidenceAway, EvidenceDiffers)):
            await read_evidence(tx, store, ref.key)

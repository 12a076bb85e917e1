"""`flr evidence audit` over a real bucket, after somebody with the bucket's key went around the product."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.adapters.evidence.s3 import Place, S3Store
from app.auth import SigningKey
from app.canon.evidence import EvidenceRef
from app.cli.founding import FILE, Founded
from app.cli.main import main
from app.governance_ledger import Event, append, audit_evidence, keep_evidence, read_evidence
from app.governance_ledger.sealing import Mover
from app.postgres import Database
from app.sealer import Sealer
from app.settings import read
from tests.adapters.detours import way_to
from tests.adapters.seaweed import BUCKET, KEYS, Seaweed, vendor_client
from tests.adapters.tool_calls import free_port
from tests.databases import share_key

TENANT = UUID("018f0000-0000-7000-8000-000000000001")


@pytest.fixture
async def store(seaweed: Seaweed) -> AsyncIterator[S3Store]:
    opened = S3Store(seaweed.place(f"audit/{uuid4()}"), KEYS)
    yield opened
    await opened.close()


@pytest.fixture
def home(tmp_path: Path, superuser_dsn: str, seaweed: Seaweed, store: S3Store, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose company keeps its evidence in the bucket."""
    environment = {
        "FLR_HOME": str(tmp_path),
        "DATABASE_URL": superuser_dsn,
        "FLR_EVIDENCE_URL": seaweed.url(store.place.prefix),
        "FLR_EVIDENCE_ACCESS_KEY": KEYS.access_key,
        "FLR_EVIDENCE_SECRET_KEY": KEYS.secret_key,
    }
    share_key(read(environment))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / FILE).write_bytes(msgspec.json.encode(Founded(TENANT, uuid4(), "Test Company")))
    return tmp_path


async def keep(database: Database, content: bytes) -> EvidenceRef:
    async with database.transaction(TENANT) as tx:
        ref = await keep_evidence(tx, content, media_type="text/plain", name="x")
        await append(tx, Event(type="tool.done", actor="worker:1", evidence=(ref,)))
    return ref


async def move_all(sealer_dsn: str, store: S3Store) -> None:
    connection = await asyncpg.connect(sealer_dsn)
    while await Mover(store).move(connection):
        pass
    await connection.close()


@pytest.mark.usefixtures("home")
async def test_a_changed_and_a_lost_object_are_found_and_what_waits_is_not_missed(
    database: Database, sealer_dsn: str, seaweed: Seaweed, store: S3Store, capsys: pytest.CaptureFixture[str]
) -> None:
    changed, lost, _ = [await keep(database, b"answer %d" % number) for number in range(3)]
    await move_all(sealer_dsn, store)
    await keep(database, b"still in the database")
    thief = vendor_client(seaweed)
    metadata = {"sha256": changed.sha256}
    thief.put_object(Bucket=BUCKET, Key=store.place.of(changed.key), Body=b"answer 9", Metadata=metadata)
    thief.delete_object(Bucket=BUCKET, Key=store.place.of(lost.key))
    assert await asyncio.to_thread(main, ["evidence", "audit"]) == 1
    *problems, last = capsys.readouterr().out.splitlines()
    other = hashlib.sha256(b"answer 9").hexdigest()
    assert sorted(problems) == [
        f"differs {changed.key}: the ledger names other bytes: here is {other}",
        f"missing {lost.key}: the store has lost it; the ledger still names it",
    ]
    assert last.startswith(f"4 objects compared with {seaweed.url(store.place.prefix)}: ")
    assert last.endswith(": 1 the same, 1 still wait in the database, 2 WRONG")


@pytest.mark.usefixtures("home")
async def test_a_store_as_it_should_be_passes(
    database: Database, sealer_dsn: str, store: S3Store, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        await keep(database, b"answer %d" % number)
    await move_all(sealer_dsn, store)
    await keep(database, b"still in the database")
    assert await asyncio.to_thread(main, ["evidence", "audit", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["same"], said["waiting"], said["problems"]) == (3, 1, [])


@pytest.mark.usefixtures("home")
async def test_a_store_that_is_away_fails_the_audit_and_calls_nothing_lost(
    database: Database,
    sealer_dsn: str,
    store: S3Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await keep(database, b"answer 1")
    await move_all(sealer_dsn, store)
    monkeypatch.setenv("FLR_EVIDENCE_SECRET_KEY", "revoked")
    assert await asyncio.to_thread(main, ["evidence", "audit"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "the audit is not finished" in said.err
    assert "403" in said.err


async def test_after_an_outage_of_the_store_everything_is_there(
    database: Database, sealer_dsn: str, seaweed: Seaweed, store: S3Store
) -> None:
    port = free_port()
    through = S3Store(Place(BUCKET, store.place.prefix, f"http://127.0.0.1:{port}", "auto"), KEYS)
    key = SigningKey(Ed25519PrivateKey.generate())
    sealer = Sealer(sealer_dsn, lambda: (key,), through)
    sealing = asyncio.create_task(sealer.run())
    await sealer.leading.wait()
    refs = [await keep(database, b"answer %d" % number) for number in range(20)]
    async with database.transaction(TENANT) as tx:
        assert await read_evidence(tx, through, refs[7].key) == b"answer 7"
    assert set((await verdicts(database, through)).values()) == {"waiting"}
    async with way_to(seaweed, port=port):
        found = await when_nothing_waits(database, through)
        sealer.close()
        await sealing
        await through.close()
    assert set(found.values()) == {"same"}
    assert {ref.key for ref in refs} <= set(found), "and checkpoints, if one was due"
    assert {await store.get(ref.key) for ref in refs} == {b"answer %d" % number for number in range(20)}


async def when_nothing_waits(database: Database, store: S3Store) -> dict[str, str]:
    for _ in range(300):
        found = await verdicts(database, store)
        if "waiting" not in found.values():
            return found
        await asyncio.sleep(0.2)
    raise AssertionError("something waits for the store still")


async def verdicts(database: Database, store: S3Store) -> dict[str, str]:
    """Of evidence and checkpoints."""
    return {audited.key: audited.verdict async for audited in audit_evidence(database, TENANT, store)}


@pytest.mark.usefixtures("home")
async def test_without_a_database_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert await asyncio.to_thread(main, ["evidence", "audit"]) == 78
    assert "cannot be reached" in capsys.readouterr().err

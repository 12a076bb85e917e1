"""Evidence in a real bucket, read through the application: ranges, HEAD, headers, expiry and the change of keys."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import httpx
import pytest

from app import auth
from app.adapters.evidence import load_store
from app.adapters.evidence.s3 import S3Store
from app.canon.vocabulary import Rol
from app.governance_ledger import Event, append, ensure_subjects_key, keep_evidence, keeper_of
from app.governance_ledger.sealing import Mover
from app.governance_ledger.subjects import erase_subject, open_subject
from app.main import build
from app.postgres import Database
from app.settings import Settings
from tests.adapters.r2guard import Guard
from tests.adapters.seaweed import KEYS, Seaweed
from tests.governance_ledger.ledgers import TENANT, connected

CONTENT = bytes(range(256)) * 40
SANDBOX = "sandbox; default-src 'none'"


@pytest.fixture
async def bucket(seaweed: Seaweed) -> AsyncIterator[S3Store]:
    """A bucket that is held to what R2 can do."""
    url = seaweed.url(f"http/{uuid4()}")
    store = load_store(url, Path(), access_key=KEYS.access_key, secret_key=KEYS.secret_key)
    assert isinstance(store, S3Store)
    Guard(await store.client())
    yield store
    await store.close()


@pytest.fixture
async def client(tmp_path: Path, database: Database, bucket: S3Store) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(home=tmp_path)
    auth.ensure_keys(settings.keys, "token", "approval", "receipt", "seal")
    ensure_subjects_key(settings.keys)
    token = auth.Tokens(auth.KeyRing.load(settings.keys, "token")).issue(
        sub="1", tid=TENANT, rol=Rol.FOUNDER, ttl_seconds=600
    )
    transport = httpx.ASGITransport(build(settings, database, bucket))  # type: ignore[arg-type]
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8400", headers=headers) as opened:
        yield opened


async def evidenced(
    database: Database,
    sealer_dsn: str,
    bucket: S3Store,
    media_type: str,
    subject: str | None = None,
    keys: Path = Path(),
) -> str:
    """An event with evidence that lies in the bucket and nowhere else."""
    async with database.transaction(TENANT) as tx:
        key = None if subject is None else await open_subject(tx, keeper_of(keys), subject)
        ref = await keep_evidence(tx, CONTENT, media_type=media_type, name="höhe.html", subject=key)
        receipt = await append(tx, Event(type="x.kept", actor="system", evidence=(ref,)))
    async with connected(sealer_dsn) as sealer:
        while await Mover(bucket).move(sealer):
            pass
        assert await spooled(sealer) == 0
    return str(receipt.event_id)


async def spooled(sealer: asyncpg.Connection) -> int:
    return int(await sealer.fetchval("SELECT count(*) FROM governance_ledger.evidence_spool"))


async def address(client: httpx.AsyncClient, event_id: str) -> str:
    split = urlsplit((await client.get(f"/api/v1/events/{event_id}/evidence")).json()["url"])
    return f"{split.path}?{split.query}"


async def test_a_bucket_is_read_in_ranges_and_measured_without_being_read(
    client: httpx.AsyncClient, database: Database, sealer_dsn: str, bucket: S3Store
) -> None:
    where = await address(client, await evidenced(database, sealer_dsn, bucket, "application/octet-stream"))
    whole, head = await client.get(where), await client.head(where)
    assert (whole.status_code, whole.content) == (200, CONTENT)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(CONTENT)), b"")
    for wanted, start, end in (("0-9", 0, 9), ("10000-", 10000, 10239), ("-7", 10233, 10239), ("5-99999", 5, 10239)):
        part = await client.get(where, headers={"range": f"bytes={wanted}"})
        assert (part.status_code, part.content) == (206, CONTENT[start : end + 1])
        assert part.headers["content-range"] == f"bytes {start}-{end}/{len(CONTENT)}"
    beyond = await client.get(where, headers={"range": "bytes=20000-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")
    again = await client.get(where, headers={"if-none-match": whole.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_what_a_browser_may_do_with_it_does_not_depend_on_the_store(
    client: httpx.AsyncClient, database: Database, sealer_dsn: str, bucket: S3Store
) -> None:
    where = await address(client, await evidenced(database, sealer_dsn, bucket, "text/html"))
    for answer in (
        await client.get(where),
        await client.head(where),
        await client.get(where, headers={"range": "bytes=0-1"}),
    ):
        assert answer.headers["content-security-policy"] == SANDBOX
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''h%C3%B6he.html"
        assert answer.headers["content-type"].startswith("text/html")


async def test_addresses_expire_and_outlive_a_change_of_keys(
    client: httpx.AsyncClient,
    database: Database,
    sealer_dsn: str,
    bucket: S3Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    event_id = await evidenced(database, sealer_dsn, bucket, "text/plain")
    before = await address(client, event_id)
    (old,) = (tmp_path / "keys").glob("token-*.pem")
    auth.create_key(tmp_path / "keys", "token")
    after = await address(client, event_id)
    assert [(await client.get(path)).status_code for path in (before, after)] == [200, 200]
    old.unlink()
    assert [(await client.get(path)).status_code for path in (before, after)] == [403, 200]
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    assert (await client.get(after)).status_code == 403


async def test_personal_evidence_in_a_bucket_is_read_until_it_is_erased(
    client: httpx.AsyncClient, database: Database, sealer_dsn: str, bucket: S3Store, tmp_path: Path
) -> None:
    event_id = await evidenced(database, sealer_dsn, bucket, "text/plain", "customer:1", tmp_path / "keys")
    where = await address(client, event_id)
    part = await client.get(where, headers={"range": "bytes=100-199"})
    assert ((await client.get(where)).content, part.content) == (CONTENT, CONTENT[100:200])
    key = (await client.get(f"/api/v1/events/{event_id}")).json()["evidence"][0]["key"]
    assert CONTENT[:32] not in await bucket.get(key)
    async with database.transaction(TENANT) as tx:
        await erase_subject(tx, "customer:1", by="founder:7")
    assert [(await client.get(where)).status_code, (await client.head(where)).status_code] == [410, 410]

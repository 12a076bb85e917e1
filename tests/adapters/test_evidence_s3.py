"""What a bucket adds to the contract: addresses of its own, and all that can go wrong on the way to it."""

import asyncio
import hashlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from app.adapters.evidence import load_store
from app.adapters.evidence.s3 import Keys, Place, S3Store, read_place
from app.canon.errors import Misconfigured
from app.canon.evidence import AlreadyStored, NotStored, StoredObject, StoreUnavailable
from tests.adapters.detours import way_to
from tests.adapters.lax_s3 import LaxS3, lax_s3
from tests.adapters.r2guard import Guard, NotOnR2
from tests.adapters.seaweed import BUCKET, KEYS, Seaweed, vendor_client
from tests.adapters.tool_calls import free_port

CONTENT = b"The contract of 9 April, signed by both." * 20
SHA256 = hashlib.sha256(CONTENT).hexdigest()
KEY = f"sha256/{SHA256[:2]}/{SHA256}"


@pytest.fixture
async def store(seaweed: Seaweed) -> AsyncIterator[S3Store]:
    opened = S3Store(seaweed.place(f"s3/{uuid4()}"), KEYS)
    yield opened
    await opened.close()


@pytest.fixture
def lax() -> Iterator[LaxS3]:
    with lax_s3() as server:
        yield server


@asynccontextmanager
async def at(endpoint: str, *, call_seconds: float = 30, keys: Keys = KEYS) -> AsyncIterator[S3Store]:
    opened = S3Store(Place(BUCKET, "", endpoint, "auto"), keys, call_seconds=call_seconds)
    try:
        yield opened
    finally:
        await opened.close()


async def address_of(store: S3Store, seconds: int = 300) -> str:
    await store.put_once(KEY, CONTENT, "text/plain")
    url = await store.url(KEY, seconds, None)
    assert url is not None
    return url


async def read(url: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(url, headers=headers)


async def test_a_signed_address_gives_the_bytes_as_a_file_to_save(store: S3Store) -> None:
    answer = await read(await address_of(store))
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{SHA256}.txt"
    assert answer.headers["content-type"] == "text/plain"


async def test_a_signed_address_gives_ranges(store: S3Store) -> None:
    url = await address_of(store)
    for asked, expected in (("bytes=4-11", CONTENT[4:12]), ("bytes=-5", CONTENT[-5:])):
        answer = await read(url, range=asked)
        assert (answer.status_code, answer.content) == (206, expected)
    assert (await read(url, range="bytes=9999-")).status_code == 416


async def test_an_altered_address_gives_nothing(store: S3Store) -> None:
    url = await address_of(store)
    await store.put_once("other", b"other", "text/plain")
    last = "0" if url[-1] != "0" else "1"
    for altered in (url[:-1] + last, url.replace(KEY, "other"), url.replace("Expires=300", "Expires=3000")):
        assert altered != url
        assert (await read(altered)).status_code == 403
    assert (await read(urlsplit(url)._replace(query="").geturl())).status_code == 403


async def test_an_address_expires(store: S3Store) -> None:
    url = await address_of(store, 4)
    assert (await read(url)).status_code == 200
    await asyncio.sleep(4.5)
    assert (await read(url)).status_code == 403


async def test_no_address_lives_longer_than_seven_days(store: S3Store) -> None:
    url = await address_of(store, 10**9)
    assert "X-Amz-Expires=604800&" in url
    assert (await read(url)).status_code == 200


async def test_a_put_carries_what_the_server_needs_to_keep_the_promises(lax: LaxS3) -> None:
    async with at(lax.endpoint) as store:
        await store.put_once(KEY, CONTENT, "application/json")
    ((method, path, headers),) = lax.seen
    assert (method, path) == ("PUT", f"/{BUCKET}/{KEY}")
    assert headers["if-none-match"] == "*"
    assert headers["content-md5"]
    assert headers["x-amz-meta-sha256"] == SHA256
    assert headers["content-disposition"].endswith(f"{SHA256}.json")


async def test_nothing_goes_out_that_r2_refuses_or_waits_for(lax: LaxS3) -> None:
    async with at(lax.endpoint) as store:
        await store.put_once(KEY, CONTENT, "text/plain")
        await store.head(KEY)
        await store.get(KEY, 1, 2)
    sent = {name for _, _, headers in lax.seen for name in headers}
    assert not {name for name in sent if "checksum" in name or name in ("expect", "x-amz-trailer", "transfer-encoding")}


async def test_a_server_that_never_says_continue_holds_nobody_up(lax: LaxS3) -> None:
    async with at(lax.endpoint) as store:
        await store.client()
        started = time.monotonic()
        await store.put_once(KEY, CONTENT, "text/plain")
        assert time.monotonic() - started < 2


async def test_a_server_that_says_nothing_is_given_up() -> None:
    with lax_s3("silent") as silent:
        async with at(silent.endpoint, call_seconds=0.5) as store:
            await store.client()
            started = time.monotonic()
            for call in (store.put_once(KEY, CONTENT, "text/plain"), store.head(KEY), store.get(KEY)):
                with pytest.raises(StoreUnavailable, match="in time"):
                    await call
            assert time.monotonic() - started < 5


async def test_a_server_that_is_down_is_unavailable_soon() -> None:
    async with at(f"http://127.0.0.1:{free_port()}") as store:
        await store.client()
        started = time.monotonic()
        with pytest.raises(StoreUnavailable, match="cannot be used"):
            await store.put_once(KEY, CONTENT, "text/plain")
        assert time.monotonic() - started < 5


async def test_a_wrong_key_is_unavailable_and_not_said_to_be_missing(seaweed: Seaweed) -> None:
    async with at(seaweed.endpoint, keys=Keys(KEYS.access_key, "wrong")) as store:
        for call in (store.put_once(KEY, CONTENT, "text/plain"), store.head("ready"), store.get("ready")):
            with pytest.raises(StoreUnavailable, match="403") as caught:
                await call
            assert "wrong" not in str(caught.value)


async def test_a_missing_bucket_is_unavailable_and_not_an_empty_one() -> None:
    with lax_s3("no bucket") as server:
        async with at(server.endpoint) as store:
            for call in (store.put_once(KEY, CONTENT, "text/plain"), store.head(KEY), store.get(KEY)):
                with pytest.raises(StoreUnavailable, match="NoSuchBucket"):
                    await call


async def test_an_answer_cut_short_is_no_answer() -> None:
    with lax_s3("cut short") as server:
        async with at(server.endpoint) as store:
            await store.put_once(KEY, CONTENT, "text/plain")
            with pytest.raises(StoreUnavailable):
                await store.get(KEY)


async def test_a_server_without_ranges_is_read_all_the_same(lax: LaxS3) -> None:
    async with at(lax.endpoint) as store:
        await store.put_once(KEY, CONTENT, "text/plain")
        assert await store.get(KEY, 5, 9) == CONTENT[5:10]


async def test_the_hash_of_what_others_put_is_taken_from_the_bytes(store: S3Store, seaweed: Seaweed) -> None:
    vendor_client(seaweed).put_object(
        Bucket=BUCKET, Key=store.place.of("theirs"), Body=CONTENT, ContentType="text/plain"
    )
    assert await store.head("theirs") == StoredObject("theirs", len(CONTENT), SHA256, "text/plain")
    with pytest.raises(AlreadyStored):
        await store.put_once("theirs", CONTENT, "text/plain")


async def test_a_large_object_comes_back_whole(store: S3Store) -> None:
    content = bytes(range(256)) * 40_000
    await store.put_once("large", content, "application/octet-stream")
    assert await store.get("large") == content
    assert await store.get("large", 5_000_000, 9_000_000) == content[5_000_000:9_000_001]


async def test_a_put_whose_answer_was_lost_finds_its_own_object(store: S3Store, seaweed: Seaweed) -> None:
    async with way_to(seaweed, lose=1) as endpoint, at(endpoint) as through:
        stored = await through.put_once(store.place.of(KEY), CONTENT, "text/plain")
    assert stored.sha256 == SHA256
    assert await store.get(KEY) == CONTENT


@pytest.mark.parametrize("theirs", [CONTENT, b"other bytes"])
async def test_a_lost_answer_does_not_hide_somebody_elses_object(
    store: S3Store, seaweed: Seaweed, theirs: bytes
) -> None:
    await store.put_once(KEY, theirs, "text/plain")
    async with way_to(seaweed, lose=1) as endpoint, at(endpoint) as through:
        with pytest.raises(AlreadyStored):
            await through.put_once(store.place.of(KEY), CONTENT, "text/plain")
    assert await store.get(KEY) == theirs


async def test_the_store_works_again_after_it_was_closed(store: S3Store) -> None:
    await store.put_once(KEY, CONTENT, "text/plain")
    await store.close()
    assert await store.get(KEY) == CONTENT


async def test_prefixes_keep_stores_of_one_bucket_apart(store: S3Store, seaweed: Seaweed) -> None:
    await store.put_once(KEY, CONTENT, "text/plain")
    other = S3Store(seaweed.place(f"s3/{uuid4()}"), KEYS)
    with pytest.raises(NotStored):
        await other.get(KEY)
    await other.close()


async def test_the_guard_refuses_what_r2_lacks(store: S3Store) -> None:
    client = await store.client()
    Guard(client)
    with pytest.raises(NotOnR2, match="ACL"):
        await client.put_object(Bucket=BUCKET, Key="x", ACL="private")
    with pytest.raises(NotOnR2, match="PutBucketVersioning"):
        await client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    with pytest.raises(NotOnR2, match="checksum"):
        await client.put_object(Bucket=BUCKET, Key="x", Body=b"x", ChecksumAlgorithm="SHA256")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://b", Place("b")),
        ("s3://b/?region=eu-west-1", Place("b", region="eu-west-1")),
        (
            "s3://b/a/c/?endpoint=https://x.eu.r2.cloudflarestorage.com",
            Place("b", "a/c", "https://x.eu.r2.cloudflarestorage.com", "auto"),
        ),
        ("s3://b?endpoint=http%3A%2F%2F127.0.0.1%3A9000&region=x", Place("b", "", "http://127.0.0.1:9000", "x")),
    ],
)
def test_an_address_names_bucket_prefix_endpoint_and_region(url: str, place: Place) -> None:
    assert read_place(url) == place


@pytest.mark.parametrize(
    "url",
    [
        "s3:",
        "s3:///prefix",
        "s3://b?enpoint=https://x",
        "s3://b/../c",
        "s3://b?endpoint=x",
        "s3://k:secret@b",
        "s3://b#x",
    ],
)
def test_an_address_that_says_something_else_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="FLR_EVIDENCE_URL") as caught:
        load_store(url, tmp_path)
    assert "secret@" not in str(caught.value)


def test_half_a_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="belong together"):
        load_store("s3://b", tmp_path, access_key="k")


def test_a_key_does_not_show_its_secret() -> None:
    assert "secret" not in repr(KEYS)


def test_the_vendors_kit_is_imported_only_for_a_bucket() -> None:
    script = (
        "import sys, pathlib; from app.adapters.evidence import load_store; "
        "load_store(None, pathlib.Path()); print(sorted({'aioboto3', 'botocore', 'aiohttp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"

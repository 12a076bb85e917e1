"""What every evidence store promises."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from app.adapters.evidence import load_store
from app.adapters.evidence.folder import FolderStore
from app.adapters.evidence.s3 import S3Store
from app.canon.errors import Misconfigured
from app.canon.evidence import AlreadyStored, EvidenceStore, NotStored, StoredObject, StoreUnavailable
from tests.adapters.r2guard import Guard
from tests.adapters.seaweed import KEYS, Seaweed

CONTENT = b"The invoice of 3 March, 240000 rupiah." * 10
KEY = "sha256/ab/" + hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(params=["folder", "s3"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EvidenceStore]:
    """The folder, and a bucket that is held to what R2 can do."""
    opened = _bucket(request) if request.param == "s3" else load_store(f"file:{tmp_path}/evidence", tmp_path)
    if isinstance(opened, S3Store):
        Guard(await opened.client())
    yield opened
    await opened.close()


def _bucket(request: pytest.FixtureRequest) -> EvidenceStore:
    server: Seaweed = request.getfixturevalue("seaweed")
    url = server.url(f"contract/{uuid4()}")
    return load_store(url, Path(), access_key=KEYS.access_key, secret_key=KEYS.secret_key)


async def test_what_was_put_is_there(store: EvidenceStore) -> None:
    stored = await store.put_once(KEY, CONTENT, "text/plain")
    assert stored == StoredObject(KEY, len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), "text/plain")
    assert await store.head(KEY) == stored
    assert await store.get(KEY) == CONTENT


@pytest.mark.parametrize("again", [CONTENT, b"other bytes"])
async def test_a_key_is_taken_once(store: EvidenceStore, again: bytes) -> None:
    await store.put_once(KEY, CONTENT, "text/plain")
    with pytest.raises(AlreadyStored):
        await store.put_once(KEY, again, "text/html")
    assert await store.get(KEY) == CONTENT
    assert (await store.head(KEY)).media_type == "text/plain"


@pytest.mark.parametrize(
    ("start", "end"), [(0, 0), (5, 9), (10, None), (0, 10_000), (380, 379), (1, 1), (380, 400), (9, 3)]
)
async def test_ranges_are_inclusive(store: EvidenceStore, start: int, end: int | None) -> None:
    await store.put_once(KEY, CONTENT, "text/plain")
    expected = CONTENT[start : None if end is None else end + 1]
    assert await store.get(KEY, start, end) == expected
    with pytest.raises(NotStored):
        await store.get("other", start, end)


async def test_nothing_is_stored_under_another_key(store: EvidenceStore) -> None:
    await store.put_once(KEY, CONTENT, "text/plain")
    for key in ("sha256/ab", KEY + "x", KEY + "/x", "other"):
        with pytest.raises(NotStored):
            await store.get(key)
        with pytest.raises(NotStored):
            await store.head(key)


@pytest.mark.parametrize("key", ["", "/a", "a/", "../a", "a/../b", "a//b", "a/./b", "ä", "a\nb", "a\0b"])
async def test_a_key_that_could_lead_elsewhere_is_refused(store: EvidenceStore, key: str) -> None:
    with pytest.raises(ValueError, match="is no key"):
        await store.put_once(key, b"", "text/plain")
    with pytest.raises(NotStored):
        await store.get(key)
    with pytest.raises(NotStored):
        await store.head(key)


async def test_of_many_who_put_at_once_one_wins(store: EvidenceStore) -> None:
    puts = (store.put_once(KEY, b"writer %d" % number, "text/plain") for number in range(8))
    answers = await asyncio.gather(*puts, return_exceptions=True)
    winners = [answer for answer in answers if isinstance(answer, StoredObject)]
    assert len(winners) == 1
    assert all(isinstance(answer, AlreadyStored) for answer in answers if answer not in winners)
    assert hashlib.sha256(await store.get(KEY)).hexdigest() == winners[0].sha256


async def test_nothing_at_all_can_be_stored(store: EvidenceStore) -> None:
    stored = await store.put_once("empty", b"", "application/octet-stream")
    assert (stored.size_bytes, await store.get("empty"), await store.get("empty", 0, 9)) == (0, b"", b"")


async def test_closing_twice_is_harmless(store: EvidenceStore) -> None:
    await store.put_once(KEY, CONTENT, "text/plain")
    await store.close()
    await store.close()


async def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "evidence").write_text("a file where the folder would be")
    with pytest.raises(StoreUnavailable):
        await FolderStore(tmp_path / "evidence").put_once(KEY, CONTENT, "text/plain")


async def test_a_crash_before_the_description_loses_the_media_type_only(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    await store.put_once(KEY, CONTENT, "text/plain")
    (tmp_path / "meta" / f"{KEY}.json").unlink()
    assert await store.head(KEY) == StoredObject(
        KEY, len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), "application/octet-stream"
    )


async def test_stored_files_are_read_only_and_nothing_else_is_left(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    await store.put_once(KEY, CONTENT, "text/plain")
    with pytest.raises(AlreadyStored):
        await store.put_once(KEY, CONTENT, "text/plain")
    assert (tmp_path / "tree" / KEY).stat().st_mode & 0o777 == 0o440
    assert os.listdir(tmp_path / "tmp") == []  # noqa: PTH208


async def test_without_an_address_evidence_lies_in_the_home(tmp_path: Path) -> None:
    await load_store(None, tmp_path).put_once(KEY, CONTENT, "text/plain")
    assert (tmp_path / "evidence" / "tree" / KEY).read_bytes() == CONTENT


@pytest.mark.parametrize("url", ["ftp://host/folder", "file:", "file://elsewhere/folder", "folder", "https://bucket"])
def test_an_address_that_no_store_serves_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="FLR_EVIDENCE_URL"):
        load_store(url, tmp_path)

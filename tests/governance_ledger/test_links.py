"""Addresses of evidence: whose key signs them, for how long, and what a browser is told about what it gets."""

from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from app import auth
from app.auth import KeyMissing
from app.governance_ledger import Event, append, keep_evidence
from app.governance_ledger.evidence import find_evidence
from app.governance_ledger.links import LONGEST_TTL_SECONDS, LinkRefused, Links
from app.postgres import Database
from tests.governance_ledger.ledgers import OTHER, TENANT

CONTENT = b"0123456789"


async def evidenced(database: Database, media_type: str = "text/plain") -> str:
    async with database.transaction(TENANT) as tx:
        ref = await keep_evidence(tx, CONTENT, media_type=media_type, name="digits.txt")
        return str((await append(tx, Event(type="tool.done", actor="worker:1", evidence=(ref,)))).event_id)


async def address(client: httpx.AsyncClient, event_id: str) -> str:
    split = urlsplit((await client.get(f"/api/v1/events/{event_id}/evidence")).json()["url"])
    return f"{split.path}?{split.query}"


async def test_a_rotated_key_signs_new_addresses_and_old_ones_hold_until_it_is_retired(
    client: httpx.AsyncClient, database: Database, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    event_id = await evidenced(database)
    before = await address(client, event_id)
    (old,) = keys.glob("token-*.pem")
    auth.create_key(keys, "token")
    after = await address(client, event_id)
    assert before.partition("sig=")[2] != after.partition("sig=")[2]
    assert [(await client.get(path)).status_code for path in (before, after)] == [200, 200]
    old.unlink()
    assert [(await client.get(path)).status_code for path in (before, after)] == [403, 200]


def test_an_address_lives_as_long_as_was_said_and_never_longer_than_a_week(tmp_path: Path) -> None:
    auth.ensure_keys(tmp_path, "token")
    links = Links.load(tmp_path)
    _, short = links.path(TENANT, "k", ttl_seconds=60, name="n")
    _, long = links.path(TENANT, "k", ttl_seconds=10**9, name="n")
    assert long - short == LONGEST_TTL_SECONDS - 60


def test_an_address_is_for_one_object_of_one_tenant_under_one_name(tmp_path: Path) -> None:
    auth.ensure_keys(tmp_path, "token")
    links = Links.load(tmp_path)
    path, exp = links.path(TENANT, "sha256/ab/c", ttl_seconds=60, name="n")
    sig = path.partition("sig=")[2]
    good = (str(TENANT), "sha256/ab/c", str(exp), "n", sig)
    assert links.check(*good).key == "sha256/ab/c"
    for place, other in enumerate((str(OTHER), "sha256/ab/d", str(exp + 1), "m", "0" * 64)):
        with pytest.raises(LinkRefused):
            links.check(*(other if at == place else part for at, part in enumerate(good)))


def test_without_a_token_key_there_are_no_addresses(tmp_path: Path) -> None:
    with pytest.raises(KeyMissing):
        Links.load(tmp_path)


@pytest.mark.parametrize(
    ("media_type", "how"),
    [("text/plain", "inline"), ("text/html", "attachment"), ("image/svg+xml", "attachment"), ("image/png", "inline")],
)
async def test_what_a_browser_may_do_with_it_is_fixed_when_it_is_put(
    client: httpx.AsyncClient, database: Database, media_type: str, how: str
) -> None:
    path = await address(client, await evidenced(database, media_type))
    known = {"if-none-match": (await client.get(path)).headers["etag"]}
    assert (await client.get(path, headers=known)).status_code == 304
    assert (await client.head(path)).headers["content-length"] == str(len(CONTENT))
    await evidenced(database, "text/plain" if how == "attachment" else "text/html")
    for answer in (
        await client.get(path),
        await client.head(path),
        await client.get(path, headers={"range": "bytes=0-1"}),
    ):
        assert answer.headers["content-type"].partition(";")[0] == media_type
        assert answer.headers["content-disposition"].startswith(f"{how}; ")
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_two_who_put_the_same_bytes_at_once_leave_the_first_ones_type(database: Database) -> None:
    async with database.transaction(TENANT) as one, database.transaction(TENANT) as two:
        ref = await keep_evidence(one, CONTENT, media_type="text/plain", name="a")
        await keep_evidence(two, CONTENT, media_type="text/html", name="b")
    async with database.transaction(TENANT) as tx:
        assert (await find_evidence(tx, ref.key)).media_type == "text/plain"

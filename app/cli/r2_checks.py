"""The evidence contract, put to a real bucket: what it enforces, and what nobody enforces there yet.

Everything happens under a prefix of its own inside the configured one, with objects of a few bytes.
"""

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

import httpx
import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from app.adapters.evidence.s3 import S3Store
from app.canon.evidence import AlreadyStored, NotStored, StoredObject, StoreUnavailable
from app.canon.vocabulary import new_id

Verdict: TypeAlias = Literal["enforced", "not enforced", "unknown"]

CONTENT = b"flr r2-doctor was here: 0123456789\n"
MEDIA_TYPE = "text/plain"
WRITERS = 8
URL_SECONDS = 60
GRACE_SECONDS = 2
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """One promise. `needed` ones the product relies on; the others make it stronger."""

    name: str
    verdict: Verdict
    says: str
    next_step: str = ""
    needed: bool = True


class Probe:
    """A prefix of this examination alone, a stranger's way to the bucket, and the way to clean up."""

    def __init__(self, store: S3Store, web: httpx.AsyncClient) -> None:
        self.store = store
        self.web = web
        self.folder = f"r2-doctor/{new_id()}"
        self._put: list[str] = []

    async def put(self, name: str, content: bytes = CONTENT) -> str:
        """The key under which it was stored; write-once as ever."""
        key = f"{self.folder}/{name}"
        await self.store.put_once(key, content, MEDIA_TYPE)
        self._put.append(key)
        return key

    async def address(self, name: str, ttl_seconds: int = URL_SECONDS) -> str:
        """A signed address of a new object."""
        url = await self.store.url(await self.put(name), ttl_seconds, None)
        assert url is not None
        return url

    async def read(self, url: str, **headers: str) -> tuple[int, bytes]:
        answer = await self.web.get(url, headers=headers)
        return answer.status_code, answer.content

    async def around(self, operation: str, key: str, **asked: Any) -> ClientError | None:
        """Do `operation` past the store's own rules; what the server refused it with, None when it did it."""
        client = await self.store.client()
        try:
            await getattr(client, operation)(Bucket=self.store.place.bucket, Key=self.store.place.of(key), **asked)
        except ClientError as error:
            return error
        except (BotoCoreError, OSError) as error:
            raise StoreUnavailable(str(error)) from error
        return None

    async def delete_all(self) -> int:
        """How many objects the server kept."""
        return sum([await self.around("delete_object", key) is not None for key in self._put])


async def examine(store: S3Store) -> AsyncIterator[Check]:
    """Each check as it is known. A bucket that cannot be written ends it with the first one."""
    async with httpx.AsyncClient(timeout=20) as web:
        probe = Probe(store, web)
        first = await _guarded("put and get", put_and_get, probe)
        yield first
        if first.verdict != "enforced":
            return
        for name, check in CHECKS.items():
            yield await _guarded(name, check, probe)
        yield await _guarded("clean up", clean_up, probe)


async def _guarded(name: str, check: Callable[[Probe], Awaitable[Check]], probe: Probe) -> Check:
    try:
        return await check(probe)
    except (StoreUnavailable, httpx.HTTPError) as error:
        return Check(name, "unknown", str(error), "see that bucket, endpoint and key are right and the key may read")


async def put_and_get(probe: Probe) -> Check:
    """Also the metadata: size, hash and media type."""
    key = await probe.put("object")
    expected = StoredObject(key, len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), MEDIA_TYPE)
    if await probe.store.get(key) != CONTENT or await probe.store.head(key) != expected:
        return Check("put and get", "not enforced", "what comes back is not what was put", "use another server")
    return Check("put and get", "enforced", "bytes, size, hash and media type come back as they were put")


async def write_once(probe: Probe) -> Check:
    """Another put under a key that is taken, and several at once under one that is free."""
    key = await probe.put("write-once")
    second = await asyncio.gather(probe.put("write-once", b"other bytes"), return_exceptions=True)
    many = (probe.put("race", b"writer %d" % number) for number in range(WRITERS))
    race = await asyncio.gather(*many, return_exceptions=True)
    for answer in (*second, *race):
        if isinstance(answer, BaseException) and not isinstance(answer, AlreadyStored):
            raise answer
    winners = sum(isinstance(answer, str) for answer in race)
    if isinstance(second[0], str) or await probe.store.get(key) != CONTENT or winners != 1:
        says = f"a taken key can be put again ({winners} of {WRITERS} writers at once succeeded)"
        return Check("write-once", "not enforced", says, "use a server that honours If-None-Match: * on PutObject")
    return Check("write-once", "enforced", f"a taken key is refused; of {WRITERS} writers at once one won")


async def missing(probe: Probe) -> Check:
    try:
        await probe.store.get(f"{probe.folder}/never-put")
    except NotStored:
        return Check("missing objects", "enforced", "what was never put is said to be missing, not refused")
    return Check("missing objects", "not enforced", "what was never put is given all the same", "use another server")


async def ranges(probe: Probe) -> Check:
    url = await probe.address("ranges")
    status, got = await probe.read(url, range="bytes=5-12")
    past, _ = await probe.read(url, range="bytes=9999-")
    if (status, got, past) != (206, CONTENT[5:13], 416):
        says = f"a range is answered with {status}, one past the end with {past}"
        return Check("ranges", "not enforced", says, "large evidence is read whole here", needed=False)
    return Check("ranges", "enforced", "parts of an object can be read", needed=False)


async def signatures(probe: Probe) -> Check:
    """An altered signature, another key under it, a longer life, and no signature at all."""
    url, other = await probe.address("signed"), await probe.put("not-signed")
    status, got = await probe.read(url)
    if (status, got) != (200, CONTENT):
        return Check("signed addresses", "not enforced", f"a signed address is answered with {status}", "check the key")
    altered = {
        "an altered signature": url[:-1] + ("0" if url[-1] != "0" else "1"),
        "another object": url.replace("/signed?", f"/{other.rsplit('/', 1)[-1]}?"),
        "a longer life": re.sub(r"(X-Amz-Expires=)\d+", r"\g<1>86400", url),
        "no signature": urlsplit(url)._replace(query="").geturl(),
    }
    opened = [what for what, address in altered.items() if (await probe.read(address))[0] < httpx.codes.BAD_REQUEST]
    if opened:
        step = "make the bucket private; if it is, use another server"
        return Check("signed addresses", "not enforced", f"it also opens for {', '.join(opened)}", step)
    return Check("signed addresses", "enforced", f"only the signed address opens, not {', '.join(altered)}")


async def expiry(probe: Probe) -> Check:
    url = await probe.address("expiry", ttl_seconds=1)
    await asyncio.sleep(1 + GRACE_SECONDS + await _clock_ahead(probe))
    status, _ = await probe.read(url)
    if status < httpx.codes.BAD_REQUEST:
        return Check("expiry", "not enforced", "a signed address opens after its time", "use another server")
    return Check("expiry", "enforced", f"a signed address is refused after its time ({status})")


async def disposition(probe: Probe) -> Check:
    """R2 fixes it at the put; an address cannot change it there."""
    url = await probe.address("disposition")
    said = (await probe.web.get(url)).headers.get("content-disposition", "")
    if not said.startswith("attachment"):
        step = "do not hand out addresses of this bucket: a browser would show evidence in place"
        return Check("content disposition", "not enforced", f"the server says {said!r}", step)
    return Check("content disposition", "enforced", "a browser saves evidence to a file and never shows it in place")


async def damage(probe: Probe) -> Check:
    wrong = base64.b64encode(bytes(16)).decode()
    refused = await probe.around("put_object", f"{probe.folder}/damaged", Body=CONTENT, ContentMD5=wrong)
    if refused is None:
        await probe.around("delete_object", f"{probe.folder}/damaged")
        says = "bytes that differ from their Content-MD5 are stored"
        step = "damage on the way shows only in `flr evidence audit`: run it regularly"
        return Check("damage on the way", "not enforced", says, step, needed=False)
    return Check("damage on the way", "enforced", "bytes that differ from their Content-MD5 are refused", needed=False)


async def transport(probe: Probe) -> Check:
    endpoint = urlsplit(probe.store.place.endpoint or "https://s3.amazonaws.com")
    if endpoint.scheme == "https" or endpoint.hostname in LOOPBACK:
        return Check("transport", "enforced", "evidence travels encrypted, or stays on this machine")
    return Check("transport", "not enforced", "evidence travels in clear text", "use an https endpoint")


async def lock(probe: Probe) -> Check:
    """What the product's own key could do, and with it whoever steals it."""
    key = await probe.put("locked")
    overwritten = await probe.around("put_object", key, Body=b"overwritten")
    deleted = await probe.around("delete_object", key)
    if overwritten and deleted:
        codes = sorted({_code(overwritten), _code(deleted)})
        says = f"with this key an object can neither be overwritten nor deleted ({', '.join(codes)})"
        return Check("lock", "enforced", says, needed=False)
    can = " and ".join([*["overwrite"] * (overwritten is None), *["delete"] * (deleted is None)])
    return Check(
        "lock",
        "not enforced",
        f"whoever has this key can {can} evidence past the product; the ledger's hashes show it, nothing prevents it",
        "R2 has no S3 Object Lock: add a bucket lock rule (dashboard: bucket, Settings, Bucket lock rules) for the "
        f"prefix {probe.store.place.prefix!r}, with another token than this one; see docs/evidence.md",
        needed=False,
    )


async def clean_up(probe: Probe) -> Check:
    left = await probe.delete_all()
    if not left:
        return Check("clean up", "enforced", "what was put here is deleted again", needed=False)
    says = f"{left} objects of a few bytes stay under {probe.store.place.of(probe.folder)}: they cannot be deleted"
    return Check("clean up", "enforced", says, needed=False)


CHECKS: dict[str, Callable[[Probe], Awaitable[Check]]] = {
    "write-once": write_once,
    "missing objects": missing,
    "ranges": ranges,
    "signed addresses": signatures,
    "expiry": expiry,
    "content disposition": disposition,
    "damage on the way": damage,
    "transport": transport,
    "lock": lock,
}


async def _clock_ahead(probe: Probe) -> float:
    """Seconds that this machine's clock is before the server's: a signed address lives so much longer."""
    date = (await probe.web.get(await probe.address("clock"))).headers.get("date")
    if date is None:
        return 0
    return max(0.0, (datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds())


def _code(error: ClientError) -> str:
    return error.response["Error"].get("Code") or str(error.response["ResponseMetadata"]["HTTPStatusCode"])

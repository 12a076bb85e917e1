"""Evidence in a bucket of Cloudflare R2 or any other S3.

Write-once is the bucket's own: a conditional PutObject, which the server answers with 412 when the key is taken. What
somebody with the bucket's token does past this adapter only a lock of the bucket prevents (`docs/evidence.md`).
"""

import asyncio
import base64
import hashlib
import mimetypes
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from app.canon.errors import Misconfigured
from app.canon.evidence import AlreadyStored, NotStored, StoredObject, StoreUnavailable, is_key

if TYPE_CHECKING:
    import aioboto3
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import GetObjectOutputTypeDef, HeadObjectOutputTypeDef

CALL_SECONDS = 30.0
SLOWEST_BYTES_PER_SECOND = 256 * 1024
LONGEST_URL_SECONDS = 7 * 24 * 3600
CHUNK_BYTES = 1024 * 1024
_FORM = "write s3://bucket/prefix?endpoint=https://...&region=auto"


class Place(msgspec.Struct, frozen=True):
    """Where the objects lie. Without `endpoint` it is Amazon's; `prefix` has no slash at its ends."""

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None

    def of(self, key: str) -> str:
        """The object's full key in the bucket."""
        return f"{self.prefix}/{key}" if self.prefix else key


class Keys(msgspec.Struct, frozen=True):
    """An access key of the bucket; without one the usual AWS_* chain is asked."""

    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        return f"Keys({self.access_key!r}, ...)"


def read_place(url: str) -> Place:
    """What an address says. Raises `Misconfigured`; its message never repeats a secret."""
    split = urlsplit(url)
    if "@" in split.netloc:
        raise Misconfigured("FLR_EVIDENCE_URL holds no keys: put them into FLR_EVIDENCE_ACCESS_KEY and _SECRET_KEY")
    options = dict(parse_qsl(split.query, keep_blank_values=True))
    endpoint, region = options.pop("endpoint", None), options.pop("region", None)
    prefix = unquote(split.path).strip("/")
    if not split.netloc or options or split.fragment or (prefix and not is_key(prefix)):
        raise Misconfigured(f"FLR_EVIDENCE_URL names no bucket, or more than can be used: {_FORM}")
    if endpoint is not None and not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]_-]+(/[A-Za-z0-9._/-]*)?", endpoint):
        raise Misconfigured(f"FLR_EVIDENCE_URL: endpoint={endpoint!r} is no web address: {_FORM}")
    return Place(split.netloc, prefix, endpoint, region or ("auto" if endpoint else None))


def open_store(url: str, access_key: str | None, secret_key: str | None) -> "S3Store":
    """The store of an address, with both parts of a key or none. Raises `Misconfigured`. Connects on first use."""
    place = read_place(url)
    if access_key and secret_key:
        return S3Store(place, Keys(access_key, secret_key))
    if access_key or secret_key:
        raise Misconfigured("FLR_EVIDENCE_ACCESS_KEY and FLR_EVIDENCE_SECRET_KEY belong together: set both or none")
    return S3Store(place)


class S3Store:
    """Write-once objects in a bucket, over one client that lives until `close`. Belongs to one event loop."""

    def __init__(self, place: Place, keys: Keys | None = None, *, call_seconds: float = CALL_SECONDS) -> None:
        self.place = place
        self._keys = keys
        self._call_seconds = call_seconds
        self._opening = asyncio.Lock()
        self._client: S3Client | None = None
        self._open = AsyncExitStack()

    async def put_once(self, key: str, content: bytes, media_type: str) -> StoredObject:
        if not is_key(key):
            raise ValueError(f"{key!r} is no key")
        stored, put_id = _described(key, content, media_type), secrets.token_hex(8)
        async with self._wall(key, size_bytes=len(content)):
            client = await self.client()
            try:
                await client.put_object(**self._put(stored, put_id, content))
            except ClientError as error:
                if _status(error) not in (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT):
                    raise
                await self._settle_taken(key, put_id, error)
        return stored

    async def head(self, key: str) -> StoredObject:
        if not is_key(key):
            raise NotStored(key)
        async with self._wall(key):
            found = await self._look(key)
        sha256 = found["Metadata"].get("sha256") or await self._hash(key, found["ContentLength"])
        return StoredObject(key, found["ContentLength"], sha256, found.get("ContentType", "application/octet-stream"))

    async def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        if not is_key(key):
            raise NotStored(key)
        if end is not None and end < start:
            await self.head(key)
            return b""
        async with self._wall(key) as limit:
            found = await self._fetch(key, start, end)
            if found is None:
                return b""
            limit.reschedule(asyncio.get_running_loop().time() + self._seconds(found["ContentLength"]))
            content = b"".join([chunk async for chunk in _chunks(found)])
        if found["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.PARTIAL_CONTENT:
            return content
        return content[start : None if end is None else end + 1]

    async def url(self, key: str, ttl_seconds: int, name: str | None) -> str | None:
        """Valid for at most seven days. `name` has no effect: the file's name was fixed when it was put.

        R2 knows no `response-content-disposition`, so that a name asked for later would be ignored there.
        """
        if not is_key(key):
            raise NotStored(key)
        async with self._wall(key):
            client = await self.client()
            return await client.generate_presigned_url(
                "get_object",
                Params={"Bucket": self.place.bucket, "Key": self.place.of(key)},
                ExpiresIn=max(1, min(ttl_seconds, LONGEST_URL_SECONDS)),
            )

    async def close(self) -> None:
        self._client = None
        await self._open.aclose()

    async def client(self) -> "S3Client":
        """The vendor's client, opened once. For probes of a bucket; its errors are the vendor's."""
        async with self._opening:
            if self._client is None:
                # The first import and the service's model take a second of CPU: not on the loop.
                session, config = await asyncio.to_thread(_vendor)
                self._client = await self._open.enter_async_context(
                    session.client("s3", endpoint_url=self.place.endpoint, config=config, **self._signing())
                )
                self._client.meta.events.register("before-send.s3", _without_expect)
        return self._client

    def _signing(self) -> Mapping[str, Any]:
        if self._keys is None:
            return {"region_name": self.place.region}
        return {
            "region_name": self.place.region,
            "aws_access_key_id": self._keys.access_key,
            "aws_secret_access_key": self._keys.secret_key,
        }

    def _put(self, stored: StoredObject, put_id: str, content: bytes) -> Any:
        return {
            "Bucket": self.place.bucket,
            "Key": self.place.of(stored.key),
            "Body": content,
            "IfNoneMatch": "*",
            "ContentType": stored.media_type,
            "ContentDisposition": f"attachment; filename*=UTF-8''{quote(_file_name(stored))}",
            "ContentMD5": base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
            "Metadata": {"sha256": stored.sha256, "put-id": put_id},
        }

    async def _settle_taken(self, key: str, put_id: str, error: ClientError) -> None:
        """A put was refused because the key is taken. Returns when this very put had taken it.

        A put whose answer was lost is repeated below us, by the SDK or unseen by the HTTP client, and is then refused
        (412) because of its own object. 409 is a server's word for two puts at once, of which none may have won.
        """
        try:
            found = await self._look(key)
        except NotStored:
            raise StoreUnavailable(f"{self._name}: two puts of {key} met; try again") from error
        if found["Metadata"].get("put-id") != put_id:
            raise AlreadyStored(key) from error

    async def _look(self, key: str) -> "HeadObjectOutputTypeDef":
        """The object's headers. Raises `NotStored`."""
        client = await self.client()
        try:
            return await client.head_object(Bucket=self.place.bucket, Key=self.place.of(key))
        except ClientError as error:
            if _status(error) != HTTPStatus.NOT_FOUND:
                raise
            # The answer to HEAD has no body, so it cannot tell a lost object from a lost bucket; a GET can.
            if (present := await self._fetch(key, 0, 0)) is not None:
                present["Body"].close()
            raise NotStored(key) from error

    async def _fetch(self, key: str, start: int, end: int | None) -> "GetObjectOutputTypeDef | None":
        """The answer with its unread body; None when the range lies past the end. Raises `NotStored`."""
        asked: Any = {} if (start, end) == (0, None) else {"Range": f"bytes={start}-{'' if end is None else end}"}
        client = await self.client()
        try:
            return await client.get_object(Bucket=self.place.bucket, Key=self.place.of(key), **asked)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                raise NotStored(key) from error
            if _status(error) == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return None
            raise

    async def _hash(self, key: str, size_bytes: int) -> str:
        """Of an object that somebody else put, and which therefore doesn't say it."""
        digest = hashlib.sha256()
        async with self._wall(key, size_bytes=size_bytes):
            found = await self._fetch(key, 0, None)
            if found is not None:
                async for chunk in _chunks(found):
                    digest.update(chunk)
        return digest.hexdigest()

    @asynccontextmanager
    async def _wall(self, key: str, size_bytes: int = 0) -> AsyncIterator[asyncio.Timeout]:
        """Bounds the time, and lets nothing of the vendor's through."""
        try:
            async with asyncio.timeout(self._seconds(size_bytes)) as limit:
                yield limit
        except ClientError as error:
            code, said = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
            raise StoreUnavailable(f"{self._name} answers {_status(error)} {code} for {key}: {said}") from error
        except TimeoutError as error:
            raise StoreUnavailable(f"{self._name} did not answer in time for {key}") from error
        except (BotoCoreError, OSError) as error:
            raise StoreUnavailable(f"{self._name} cannot be used for {key}: {error}") from error

    def _seconds(self, size_bytes: int) -> float:
        return self._call_seconds + size_bytes / SLOWEST_BYTES_PER_SECOND

    @property
    def _name(self) -> str:
        return f"the bucket {self.place.bucket} at {self.place.endpoint or 'Amazon S3'}"


async def _chunks(found: "GetObjectOutputTypeDef") -> AsyncIterator[bytes]:
    """The body; cut short it raises OSError. The connection goes back to the pool in any case."""
    from aiohttp import ClientError as Broken

    body = found["Body"]
    try:
        while chunk := await body.read(CHUNK_BYTES):
            yield chunk
    except Broken as error:
        raise ConnectionError(str(error)) from error
    finally:
        body.close()


@cache
def _vendor() -> tuple["aioboto3.Session", Any]:
    """One session for the process: it parses the service's model once."""
    import aioboto3
    from aiobotocore.config import AioConfig

    config = AioConfig(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        # R2 and older servers refuse the checksums that newer SDKs add by themselves; Content-MD5 is everybody's.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=5,
        read_timeout=20,
        max_pool_connections=32,
    )
    return aioboto3.Session(), config


def _without_expect(request: Any, **_: Any) -> None:
    """aiohttp waits for "100 Continue" without any limit, and R2 sends none. The header is not signed."""
    if "Expect" in request.headers:
        del request.headers["Expect"]


def _status(error: ClientError) -> int:
    return int(error.response["ResponseMetadata"].get("HTTPStatusCode", 0))


def _described(key: str, content: bytes, media_type: str) -> StoredObject:
    return StoredObject(key, len(content), hashlib.sha256(content).hexdigest(), media_type)


def _file_name(stored: StoredObject) -> str:
    name = stored.key.rsplit("/", 1)[-1]
    ending = mimetypes.guess_extension(stored.media_type.partition(";")[0]) or ""
    return name if "." in name else name + ending

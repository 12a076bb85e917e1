"""An evidence store that is down: what is read must come from the spool."""

from app.canon.evidence import StoredObject, StoreUnavailable


class NoStore:
    """Does not answer."""

    async def put_once(self, key: str, content: bytes, media_type: str) -> StoredObject:
        raise StoreUnavailable(key)

    async def head(self, key: str) -> StoredObject:
        raise StoreUnavailable(key)

    async def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        raise StoreUnavailable(key)

    async def url(self, key: str, ttl_seconds: int, name: str | None) -> str | None:
        raise StoreUnavailable(key)

    async def close(self) -> None:
        return

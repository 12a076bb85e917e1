"""Evidence in a local folder. Publishing is `link(2)`: atomic, and refused when the key is taken.

`tree/<key>` holds the bytes, `meta/<key>.json` what was said about them; both on one file system. Whoever is root on
the host can alter files: that they were altered shows in the ledger, which names their hashes.
"""

import asyncio
import hashlib
import os
import secrets
from pathlib import Path

import msgspec

from app.canon.evidence import AlreadyStored, NotStored, StoredObject, StoreUnavailable, is_key

_META = msgspec.json.Decoder(StoredObject)


class FolderStore:
    """Write-once objects below `root`. Safe for any number of processes on one host."""

    def __init__(self, root: Path) -> None:
        self._tree, self._meta, self._temporary = root / "tree", root / "meta", root / "tmp"

    async def put_once(self, key: str, content: bytes, media_type: str) -> StoredObject:
        return await asyncio.to_thread(self._put, key, content, media_type)

    async def head(self, key: str) -> StoredObject:
        return await asyncio.to_thread(self._head, key)

    async def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        return await asyncio.to_thread(self._get, key, start, end)

    async def url(self, key: str, ttl_seconds: int, name: str | None) -> str | None:
        """None: the application serves the bytes."""
        return None

    async def close(self) -> None:
        """Nothing is held open."""

    def _put(self, key: str, content: bytes, media_type: str) -> StoredObject:
        if not is_key(key):
            raise ValueError(f"{key!r} is no key")
        stored = StoredObject(key, len(content), hashlib.sha256(content).hexdigest(), media_type)
        try:
            self._publish(stored, content)
        except OSError as error:
            raise StoreUnavailable(f"{self._tree}: {error.strerror or error}") from error
        return stored

    def _publish(self, stored: StoredObject, content: bytes) -> None:
        place = self._tree / stored.key
        written = self._write(content)
        try:
            _make(place.parent)
            _link(written, place)
        finally:
            written.unlink()
        _sync(place.parent)
        described = self._meta / f"{stored.key}.json"
        _make(described.parent)
        self._write(msgspec.json.encode(stored)).replace(described)

    def _write(self, content: bytes) -> Path:
        _make(self._temporary)
        path = self._temporary / secrets.token_hex(16)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o440)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return path

    def _head(self, key: str) -> StoredObject:
        place = self._place(key)
        if not place.is_file():
            raise NotStored(key)
        try:
            return _META.decode((self._meta / f"{key}.json").read_bytes())
        except FileNotFoundError:
            # A crash between link and description: the bytes are the truth, only their media type is lost.
            content = self._read(place, 0, None)
            return StoredObject(key, len(content), hashlib.sha256(content).hexdigest(), "application/octet-stream")
        except OSError as error:
            raise StoreUnavailable(f"{self._meta}: {error.strerror or error}") from error

    def _get(self, key: str, start: int, end: int | None) -> bytes:
        return self._read(self._place(key), start, end)

    def _place(self, key: str) -> Path:
        if not is_key(key):
            raise NotStored(key)
        return self._tree / key

    def _read(self, place: Path, start: int, end: int | None) -> bytes:
        try:
            with place.open("rb") as file:
                file.seek(start)
                return file.read() if end is None else file.read(max(end - start + 1, 0))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise NotStored(str(place.relative_to(self._tree))) from error
        except OSError as error:
            raise StoreUnavailable(f"{place}: {error.strerror or error}") from error


def _link(written: Path, place: Path) -> None:
    try:
        os.link(written, place)
    except FileExistsError as error:
        raise AlreadyStored(place.name) from error


def _make(folder: Path) -> None:
    """With its parents; durable."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Static files under names that carry their content's hash, the service worker and the manifest."""

import gzip
import hashlib
from pathlib import Path

import msgspec

from app.founder_console.screens.bundling import bundle, later_of, slim

MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".png": "image/png"}
ENTRIES = ("app.js", "door.js")


class Asset(msgspec.Struct, frozen=True):
    """One file as served."""

    name: str
    content: bytes
    gzipped: bytes
    media_type: str

    @property
    def url(self) -> str:
        return f"/static/{self.name}"


class Assets:
    """All static files of the console, read once."""

    def __init__(self, folder: Path) -> None:
        self._by_source: dict[str, Asset] = {}
        self._keep("app.css", b"".join(path.read_bytes() for path in sorted((folder / "css").glob("*.css"))))
        for path in sorted((folder / "icons").glob("*.png")):
            self._keep(path.name, path.read_bytes())
        self._sources = {path.name: slim(path.read_text(encoding="utf-8")) for path in (folder / "js").glob("*.js")}
        for entry in ENTRIES:
            self._script(entry)
        self.served = {asset.name: asset for asset in self._by_source.values()}

    def url(self, source: str) -> str:
        """The address of the file called `source`. Raises `KeyError`."""
        return self._by_source[source].url

    def _script(self, entry: str) -> Asset:
        """`entry` with all that it imports, in one file; what it imports later becomes a file of its own."""
        if entry in self._by_source:
            return self._by_source[entry]
        joined = bundle(entry, self._sources)
        for later in later_of(joined):
            joined = joined.replace(f"'./{later}'", f"'./{self._script(later).name}'")
        return self._keep(entry, joined.encode())

    def _keep(self, source: str, content: bytes) -> Asset:
        stem, _, suffix = source.rpartition(".")
        name = f"{stem}.{hashlib.sha256(content).hexdigest()[:10]}.{suffix}"
        asset = Asset(name, content, gzip.compress(content, 9, mtime=0), MEDIA_TYPES[f".{suffix}"])
        self._by_source[source] = asset
        return asset


def service_worker(source: str, assets: Assets, words: dict[str, str]) -> bytes:
    """The service worker with its list of files; its version is the hash of all that it keeps."""
    shell = ["/offline", *(asset.url for asset in assets.served.values() if asset.media_type != "image/png")]
    shell.append(assets.url("icon-192.png"))
    version = hashlib.sha256(msgspec.json.encode([source, shell, words])).hexdigest()[:12]
    parts = {"__VERSION__": version, "__SHELL__": msgspec.json.encode(shell).decode()}
    parts["__WORDS__"] = msgspec.json.encode(words).decode()
    for mark, text in parts.items():
        source = source.replace(mark, text)
    return source.encode()


def manifest(source: bytes, assets: Assets) -> bytes:
    """The PWA manifest with its pictures under their hashed names."""
    decoded = msgspec.json.decode(source)
    icons = [icon for shortcut in decoded["shortcuts"] for icon in shortcut["icons"]]
    for icon in [*decoded["icons"], *decoded["screenshots"], *icons]:
        icon["src"] = assets.url(icon["src"].removeprefix("/static/"))
    return msgspec.json.encode(decoded)

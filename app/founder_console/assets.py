"""Static files under names that carry their content's hash, the service worker and the manifest."""

import gzip
import hashlib
import re
from pathlib import Path

import msgspec

MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".png": "image/png"}
ENTRIES = ("app.js", "door.js")
_IMPORT = re.compile(r"(from |import |import\()'\./([\w-]+\.js)'")
_LATER = "import("


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
        self._folder = folder
        self._by_source: dict[str, Asset] = {}
        self._keep("app.css", b"".join(path.read_bytes() for path in sorted((folder / "css").glob("*.css"))))
        for path in sorted((folder / "icons").glob("*.png")):
            self._keep(path.name, path.read_bytes())
        for path in sorted((folder / "js").glob("*.js")):
            self._module(path.name)
        self.served = {asset.name: asset for asset in self._by_source.values()}

    def url(self, source: str) -> str:
        """The address of the file called `source`. Raises `KeyError`."""
        return self._by_source[source].url

    def modules_of(self, entry: str) -> tuple[str, ...]:
        """Addresses of all modules that `entry` imports at once, for preloading."""
        seen: dict[str, None] = {}
        self._collect(entry, seen)
        return tuple(self.url(name) for name in seen if name != entry)

    def _collect(self, name: str, seen: dict[str, None]) -> None:
        if name in seen:
            return
        seen[name] = None
        for how, imported in _IMPORT.findall((self._folder / "js" / name).read_text(encoding="utf-8")):
            if how != _LATER:
                self._collect(imported, seen)

    def _module(self, name: str) -> Asset:
        """Imports are rewritten to hashed names, so a module's name changes when what it imports changes."""
        if name in self._by_source:
            return self._by_source[name]
        source = (self._folder / "js" / name).read_text(encoding="utf-8")
        rewritten = _IMPORT.sub(lambda found: f"{found[1]}'./{self._module(found[2]).name}'", source)
        return self._keep(name, rewritten.encode())

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
    """The PWA manifest with its icons under their hashed names."""
    decoded = msgspec.json.decode(source)
    for icon in [*decoded["icons"], *(icon for shortcut in decoded["shortcuts"] for icon in shortcut["icons"])]:
        icon["src"] = assets.url(icon["src"].removeprefix("/static/"))
    return msgspec.json.encode(decoded)

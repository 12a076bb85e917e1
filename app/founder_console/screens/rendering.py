"""Pages: templates, their surroundings, and the headers that keep them ours alone."""

import gzip
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Request, Response
from markupsafe import Markup, escape

import app
from app.canon.values import upright
from app.founder_console.formats import Formats
from app.founder_console.model import Language, Theme
from app.founder_console.screens.assets import Assets, manifest, service_worker
from app.founder_console.wording import load_words

ROOT = Path(app.__file__).parent.parent
HTML = "text/html; charset=utf-8"
SMALL = 600
RULES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "worker-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "flr-html flr-sw",
}
POLICY = "; ".join(f"{what} {whom}" for what, whom in RULES.items())
HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), geolocation=(), microphone=(), payment=(), publickey-credentials-get=(self)",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "vary": "accept-encoding, cookie",
    "x-flr-html": "1",
}


class Chrome(msgspec.Struct, frozen=True, kw_only=True):
    """What stands around every page."""

    language: Language
    company: str
    tenant: str = ""
    founder_name: str = ""
    is_founder: bool = False
    theme: Theme = "auto"
    tab: str = ""
    pending: int = 0
    all_paused: bool = False
    scripted: bool = False
    zone_name: str = "WIB"
    zone: str = "Asia/Jakarta"
    seen: int = 0
    now: datetime


class Frontend:
    """Templates, catalogues and static files of one process, read once."""

    def __init__(self, root: Path = ROOT) -> None:
        folder = root / "frontend"
        self.words = load_words(folder / "i18n")
        self.assets = Assets(folder / "static")
        self.manifest = manifest((root / "manifest.json").read_bytes(), self.assets)
        self._worker_source = (folder / "service_worker.js").read_text(encoding="utf-8")
        self._environment = Environment(
            loader=FileSystemLoader(folder / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            finalize=_upright,
        )
        self._environment.filters["breaks"] = breaks
        self._environment.globals["asset"] = self.assets.url

    def service_worker(self, language: Language) -> bytes:
        words = {
            "title": self.words[language]("push.generic"),
            "icon": self.assets.url("icon-192.png"),
            "badge": self.assets.url("badge-96.png"),
        }
        return service_worker(self._worker_source, self.assets, words)

    def render(self, template: str, chrome: Chrome, formats: Formats, **values: Any) -> str:
        """The page as text; a name that nobody gave is an error."""
        return self._environment.get_template(template).render(
            c=chrome, t=self.words[chrome.language], **_formatters(formats), **values
        )

    def door(self, template: str, language: Language, **values: Any) -> str:
        """A page for somebody who has not signed in."""
        now = values.pop("now")
        chrome = Chrome(language=language, company="5-Layer Runtime", now=now)
        return self.render(template, chrome, Formats(language, ZoneInfo("Asia/Jakarta"), now), **values)


def _upright(value: Any) -> Any:
    """What is shown reads in the order in which it stands: a worker's text cannot turn an account around."""
    if isinstance(value, Markup):
        return Markup(upright(value))  # noqa: S704 - it was markup before
    return upright(value) if isinstance(value, str) else value


def breaks(text: str) -> Markup:
    """The text, which may go on in the next line after an `@`: a long address is broken there, not inside a word."""
    return Markup("@<wbr>").join(escape(part) for part in text.split("@"))


def _formatters(formats: Formats) -> dict[str, Any]:
    names = (
        "money",
        "money_short",
        "money_signed",
        "amount_text",
        "usd",
        "size",
        "moment",
        "exactly",
        "left",
        "clock",
        "date",
        "day_of",
        "number",
        "in_own",
        "seconds",
        "span_of",
    )
    return {name: getattr(formats, name) for name in names}


def html(request: Request[Any, Any, Any], text: str, *, status: int = 200) -> Response[bytes]:
    """A page of ours, compressed where the browser takes it."""
    content, headers = text.encode(), dict(HEADERS)
    if len(content) > SMALL and "gzip" in request.headers.get("accept-encoding", ""):
        content = gzip.compress(content, 5, mtime=0)
        headers["content-encoding"] = "gzip"
    return Response(content, status_code=status, media_type=HTML, headers=headers)

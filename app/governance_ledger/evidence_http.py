"""Evidence bytes under signed addresses, on the application's own origin and never as part of it."""

import re
import unicodedata
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from litestar import Request, Response, get, head
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery

from app.governance_ledger.evidence import Kept, fetch_evidence, find_evidence
from app.governance_ledger.links import Grant, Links
from app.governance_ledger.subjects import keeper_of
from app.postgres import Database
from app.problems import documented

MAX_NAME_CHARACTERS = 150
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9.+-]{1,60}/[A-Za-z0-9.+_-]{1,100}(; ?charset=[A-Za-z0-9_-]{1,30})?")
_UNSEEN = frozenset({"Cc", "Cf", "Cs"})

# What a browser may show in place. All of it is sandboxed; what could hold markup is saved to a file.
SAFE_INLINE = ("text/plain", "application/json", "text/csv", "image/png", "image/jpeg", "image/webp", "image/gif")


def links_of(keys: Path) -> Links:
    """The links of a key folder; read once, and again when a key comes or goes, so that a rotation needs no restart."""
    return _load(keys, keys.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _load(keys: Path, changed_at: int) -> Links:
    return Links.load(keys)


@get(
    "/evidence/{key:path}",
    exclude_from_auth=True,
    tags=["ledger"],
    summary="Read evidence under a signed address",
    description="Takes Range, If-Range and If-None-Match. The answer is sandboxed: evidence is what a worker brought.",
    responses=documented(
        HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    ),
    security=[],
)
async def serve_evidence(
    request: Request[Any, Any, State],
    key: FromPath[str],
    t: FromQuery[str],
    exp: FromQuery[str],
    sig: FromQuery[str],
    name: FromQuery[str] = "",
) -> Response[bytes]:
    state = request.app.state
    grant = links_of(state.settings.keys).check(t, key.lstrip("/"), exp, name, sig)
    return await _answer(request, grant, name)


@head("/evidence/{key:path}", exclude_from_auth=True, include_in_schema=False)
async def measure_evidence(
    request: Request[Any, Any, State],
    key: FromPath[str],
    t: FromQuery[str],
    exp: FromQuery[str],
    sig: FromQuery[str],
    name: FromQuery[str] = "",
) -> Response[None]:
    state = request.app.state
    grant = links_of(state.settings.keys).check(t, key.lstrip("/"), exp, name, sig)
    async with state.database.transaction(grant.tenant) as tx:
        kept = await find_evidence(tx, grant.key)
    kept.require_unerased()
    headers = _headers(kept, name) | {"content-length": str(kept.plain_bytes)}
    # An empty body of bytes: nothing of another type could be rendered as an image.
    return cast("Response[None]", Response(b"", headers=headers, media_type=_served_type(kept)))


async def _answer(request: Request[Any, Any, State], grant: Grant, name: str) -> Response[bytes]:
    state = request.app.state
    database: Database = state.database
    async with database.transaction(grant.tenant) as tx:
        kept = await find_evidence(tx, grant.key)
    kept.require_unerased()
    headers = _headers(kept, name)
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    keeper = keeper_of(state.settings.keys)
    wanted = _range(request, kept, headers["etag"])
    if wanted is None:
        content = await fetch_evidence(database, grant.tenant, state.store, grant.key, keeper=keeper)
        return Response(content, headers=headers, media_type=_served_type(kept))
    start, end = wanted
    if start > end:
        headers["content-range"] = f"bytes */{kept.plain_bytes}"
        return Response(b"", status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)
    headers["content-range"] = f"bytes {start}-{end}/{kept.plain_bytes}"
    content = await fetch_evidence(database, grant.tenant, state.store, grant.key, start, end, keeper=keeper)
    return Response(content, status_code=HTTPStatus.PARTIAL_CONTENT, headers=headers, media_type=_served_type(kept))


def _headers(kept: Kept, name: str) -> dict[str, str]:
    offered = _file_name(name or kept.name) or kept.sha256
    how = "inline" if _served_type(kept).partition(";")[0] in SAFE_INLINE else "attachment"
    return {
        "etag": f'"{kept.sha256}"',
        "accept-ranges": "bytes",
        "cache-control": "private, max-age=300, immutable" if kept.subject_key is None else "no-store",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",
        "referrer-policy": "no-referrer",
        "content-disposition": f"{how}; filename*=UTF-8''{quote(offered, safe='')}",
    }


def _served_type(kept: Kept) -> str:
    """As it was kept, when it is one: a stranger's server may have written anything there."""
    return kept.media_type if _MEDIA_TYPE.fullmatch(kept.media_type) else "application/octet-stream"


def _file_name(name: str) -> str:
    """Without folders, and without signs that nobody sees or that turn the reading around."""
    seen = "".join(sign for sign in name if unicodedata.category(sign) not in _UNSEEN)
    return re.sub(r"[/\\]", "_", seen)[-MAX_NAME_CHARACTERS:].strip(". ")


def _range(request: Request[Any, Any, State], kept: Kept, etag: str) -> tuple[int, int] | None:
    """First and last byte that are asked for, one range only; None for all (RFC 9110, section 14)."""
    found = re.fullmatch(r"bytes=(\d{0,15})-(\d{0,15})", request.headers.get("range", ""))
    if found is None or found[0] == "bytes=-" or request.headers.get("if-range", etag) != etag:
        return None
    last = kept.plain_bytes - 1
    if not found[1]:
        return max(kept.plain_bytes - int(found[2]), 0), last if int(found[2]) else -1
    if not found[2]:
        return int(found[1]), last
    return None if int(found[1]) > int(found[2]) else (int(found[1]), min(int(found[2]), last))


FILE_ROUTES = (serve_evidence, measure_evidence)

"""Static files, the service worker, the manifest, and the stream of changes."""

from http import HTTPStatus
from typing import Any

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from app.canon.digits import whole_number
from app.founder_console.identity.enrolment import get_founder
from app.founder_console.identity.sessions import read_cookie, session_of_cookie
from app.founder_console.model import Language
from app.founder_console.screens.rendering import Frontend
from app.founder_console.stream import Hub
from app.founder_console.visits import Caller
from app.founder_console.wording import preferred
from app.governance_ledger import latest_seq
from app.postgres import AWAY

Anybody = Request[Any, Any, State]
FOREVER = "public, max-age=31536000, immutable"


@get("/static/{name:str}", exclude_from_auth=True, include_in_schema=False)
async def static(request: Anybody, name: FromPath[str]) -> Response[bytes]:
    """A file whose name carries its hash."""
    frontend: Frontend = request.app.state.frontend
    asset = frontend.assets.served.get(name)
    if asset is None:
        raise NotFoundException(f"there is no file {name}")
    headers = {"cache-control": FOREVER, "x-content-type-options": "nosniff", "vary": "accept-encoding"}
    if asset.media_type == "image/png" or "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(asset.content, media_type=asset.media_type, headers=headers)
    return Response(asset.gzipped, media_type=asset.media_type, headers=headers | {"content-encoding": "gzip"})


@get("/sw.js", exclude_from_auth=True, include_in_schema=False)
async def service_worker(request: Anybody) -> Response[bytes]:
    frontend: Frontend = request.app.state.frontend
    headers = {"cache-control": "no-cache", "x-content-type-options": "nosniff", "vary": "accept-language, cookie"}
    return Response(
        frontend.service_worker(await _language(request)), media_type="text/javascript; charset=utf-8", headers=headers
    )


async def _language(request: Anybody) -> Language:
    """The founder's, for what the worker says by itself; the browser's before anybody has signed in."""
    session = await session_of_cookie(request, request.app.state.database)
    found = read_cookie(request)
    if session is None or found is None:
        return preferred(request.headers.get("accept-language", ""))
    async with request.app.state.database.transaction(found[0]) as tx:
        return (await get_founder(tx, session.founder_id)).language


@get("/manifest.json", exclude_from_auth=True, include_in_schema=False)
async def manifest(request: Anybody) -> Response[bytes]:
    frontend: Frontend = request.app.state.frontend
    headers = {"cache-control": "no-cache"}
    return Response(frontend.manifest, media_type="application/manifest+json", headers=headers)


@get("/favicon.ico", exclude_from_auth=True, include_in_schema=False)
async def favicon(request: Anybody) -> Response[bytes]:
    frontend: Frontend = request.app.state.frontend
    name = frontend.assets.url("icon-192.png").removeprefix("/static/")
    return Response(frontend.assets.served[name].content, media_type="image/png", headers={"cache-control": FOREVER})


@get("/events", include_in_schema=False)
async def events(request: Caller, seen: FromQuery[int | None] = None) -> Stream:
    """Server-sent events: `change` when something of the company changed, `beat` otherwise.

    `Last-Event-ID`, which a browser sends when it comes back, or `seen`, which a page knows from its making, say what
    need not be told again.
    """
    hub: Hub = request.app.state.hub
    last = request.headers.get("last-event-id", "")

    async def head() -> int:
        async with request.app.state.database.transaction(request.auth.tid) as tx:
            return await latest_seq(tx)

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}

    async def allowed() -> bool:
        """Whether the session stands; what the database cannot say now is asked at the next beat."""
        try:
            session = await session_of_cookie(request, request.app.state.database)
        except (*AWAY, OSError):
            return True
        return session is not None or read_cookie(request) is None

    from_seq = seen if (heard := whole_number(last)) is None else heard
    stream = hub.stream(request.auth.tid, seen=from_seq, head=head, allowed=allowed)
    return Stream(stream, status_code=HTTPStatus.OK, media_type="text/event-stream", headers=headers)


ROUTES = (static, service_worker, manifest, favicon, events)

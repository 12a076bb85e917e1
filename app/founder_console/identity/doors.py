"""Pages for whoever has not signed in: enrolment by a one-time link, sign-in by passkey, a lost phone, no network."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, JSONBody
from litestar.response import Redirect

from app import clock
from app.canon.errors import Unauthenticated
from app.canon.vocabulary import Principal
from app.founder_console import store
from app.founder_console.channels.letters import read_opening
from app.founder_console.errors import KeyRefused, LinkUnusable
from app.founder_console.identity.enrolment import invited, read_link, renew_codes, tenant_of_code, use_code, use_link
from app.founder_console.identity.key_pages import NewKey, Next
from app.founder_console.identity.passkeys import (
    RelyingParty,
    log_in,
    login_options,
    register_passkey,
    registration_options,
    tenant_of_login,
)
from app.founder_console.identity.sessions import (
    check_origin,
    cookie_header,
    hashed,
    principal_of_cookie,
    read_cookie,
    start_session,
)
from app.founder_console.identity.trying import Failures, TooManyTries
from app.founder_console.model import Founder, Language
from app.founder_console.refusals import refusal
from app.founder_console.screens.rendering import Frontend, html
from app.founder_console.visits import go
from app.founder_console.wording import preferred
from app.postgres import Transaction
from app.problems import status_of
from app.role_registry import company
from app.work_queue import has_say

Anybody = Request[Any, Any, State]
Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
LOOPBACK = ("127.0.0.1", "::1")


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A browser's answer to a sign-in, and where the founder was going."""

    credential: dict[str, Any]
    next: str = "/"
    label: str = ""


def _frontend(request: Anybody) -> Frontend:
    frontend: Frontend = request.app.state.frontend
    return frontend


def _party(request: Anybody) -> RelyingParty:
    return RelyingParty(request.app.state.settings.origin)


def _language(request: Anybody) -> Language:
    return preferred(request.headers.get("accept-language", ""))


def door(
    request: Anybody, template: str, title: str, *, status: int = 200, language: Language | None = None, **values: Any
) -> Page:
    """A page without a founder: `title` is a key of the catalogues."""
    spoken = language or _language(request)
    frontend = _frontend(request)
    named = frontend.words[spoken](title, name=values.get("founder_name", ""))
    text = frontend.door(template, spoken, now=clock.now(), title=named, **values)
    return html(request, text, status=status)


def _elsewhere(request: Anybody) -> Page | Redirect | None:
    """Passkeys belong to one origin: whoever came by another address is sent there, or told what to do."""
    origin = request.app.state.settings.origin
    there, host = urlsplit(origin), urlsplit(f"//{request.headers.get('host', '')}")
    if host.netloc == there.netloc:
        return None
    if host.hostname in LOOPBACK and there.hostname == "localhost":
        return go(origin + request.url.path)
    if there.scheme == "https":
        return go(origin + request.url.path)
    return door(
        request,
        "insecure.html",
        "insecure.title",
        here=f"http://{host.netloc}",
        origin=origin,
        host=host.hostname or "server",
        port=there.port or 80,
    )


@get("/enrol/{link:str}", exclude_from_auth=True, include_in_schema=False)
async def enrol(request: Anybody, link: FromPath[str]) -> Page | Redirect:
    """The page behind a one-time link. Looking at it uses nothing up."""
    elsewhere = _elsewhere(request)
    if elsewhere is not None:
        return elsewhere
    read = read_link(link)
    async with request.app.state.database.transaction(read.tenant) as tx:
        founder, its_company = await invited(tx, read), await company(tx)
    return door(
        request,
        "enrol.html",
        "enrol.title",
        language=founder.language,
        founder_name=founder.name,
        company=its_company.name,
        here=read.path,
    )


@post("/enrol/{link:str}/options", status_code=200, exclude_from_auth=True, include_in_schema=False)
async def enrol_options(request: Anybody, link: FromPath[str]) -> dict[str, Any]:
    check_origin(request)
    read = read_link(link)
    async with request.app.state.database.transaction(read.tenant) as tx:
        founder = await invited(tx, read)
        return await registration_options(tx, _party(request), founder, subject=hashed(read.token))


@post("/enrol/{link:str}", status_code=201, exclude_from_auth=True, include_in_schema=False)
async def enrol_passkey(request: Anybody, link: FromPath[str], data: JSONBody[NewKey]) -> Response[Next]:
    """Keep the passkey, use the link up, sign the browser in. Recovery codes are shown on the next page, once."""
    check_origin(request)
    read = read_link(link)
    async with request.app.state.database.transaction(read.tenant) as tx:
        founder = await invited(tx, read)
        subject = hashed(read.token)
        await register_passkey(
            tx, _party(request), founder, subject=subject, credential=data.credential, label=data.label
        )
        await use_link(tx, read)
        cookie = await start_session(tx, founder.id, label=data.label)
    return _signed_in(request, cookie, "/enrolled")


def _signed_in(request: Anybody, cookie: str, path: str) -> Response[Next]:
    header = cookie_header(request.app.state.settings.origin, cookie)
    return Response(Next(path), headers={"set-cookie": header, "cache-control": "no-store"})


@get("/enrolled", include_in_schema=False)
async def enrolled(request: Anybody) -> Page | Redirect:
    """The first recovery codes, for a founder who has none yet."""
    tenant: UUID = request.auth.tid
    async with request.app.state.database.transaction(tenant) as tx:
        founder = await _founder(tx, request.auth.sub)
        if await store.count_codes(tx, founder.id):
            return go("/")
        codes = await renew_codes(tx, founder.id)
    return door(request, "enrolled.html", "enrolled.title", language=founder.language, codes=codes)


async def _founder(tx: Any, sub: str) -> Founder:
    founder = await store.fetch_founder(tx, UUID(sub))
    if founder is None:
        raise Unauthenticated("this session is nobody's", code="token.missing")
    return founder


@get("/login", exclude_from_auth=True, include_in_schema=False)
async def login(request: Anybody) -> Page | Redirect:
    elsewhere = _elsewhere(request)
    if elsewhere is not None:
        return elsewhere
    path, again = _own(request.query_params.get("next", "/")), "again" in request.query_params
    if not again and await principal_of_cookie(request, request.app.state.database) is not None:
        return go(path)
    return _login(request, path, again=again)


def _login(request: Anybody, path: str, problem: str = "", status: int = 200, *, again: bool = False) -> Page:
    return door(request, "login.html", "login.title", status=status, next=path, problem=problem, again=again)


def _own(path: str) -> str:
    """A path of ours, whatever was asked: never another site."""
    inside = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if inside else "/"


@post("/login/options", status_code=200, exclude_from_auth=True, include_in_schema=False)
async def login_challenge(request: Anybody) -> dict[str, Any]:
    check_origin(request)
    return login_options(_party(request), request.app.state.seal)


@post("/login", status_code=200, exclude_from_auth=True, include_in_schema=False)
async def login_passkey(request: Anybody, data: JSONBody[Login]) -> Response[Next]:
    check_origin(request)
    with _counted(request):
        tenant = tenant_of_login(data.credential)
        async with request.app.state.database.transaction(tenant) as tx:
            key = await log_in(tx, _party(request), request.app.state.seal, data.credential)
            await _check_mandate(request, tx, key.founder_id)
            waits = key.usable_from > await store.now(tx)
            await _end_before(request, tx, key.founder_id)
            cookie = await start_session(tx, key.founder_id, label=data.label, recovered=waits)
    return _signed_in(request, cookie, _own(data.next))


async def _end_before(request: Anybody, tx: Transaction, founder_id: UUID) -> None:
    """Who signs in again in a browser has one session there, not two."""
    found = read_cookie(request)
    session = await store.fetch_session(tx, found[1]) if found else None
    if session is not None and session.founder_id == founder_id:
        await store.revoke_session(tx, session.token_sha256)


@contextmanager
def _counted(request: Anybody) -> Iterator[None]:
    """Ten failures in ten minutes from one address, then no more. Raises `TooManyTries`."""
    failures: Failures = request.app.state.failures
    address = request.client.host if request.client else ""
    failures.check(address)
    try:
        yield
    except (KeyRefused, LinkUnusable):
        failures.note(address)
        raise
    failures.forget(address)


async def _check_mandate(request: Anybody, tx: Transaction, founder_id: UUID) -> None:
    """Whose mandate is over comes in no more. Raises `KeyRefused`."""
    founder = await _founder(tx, str(founder_id))
    if not await has_say(tx, Principal(str(founder_id), tx.tenant, founder.rol)):
        raise KeyRefused("the mandate is over: a founder can grant a new one", code="mandate.beyond.ended")


@post("/login/recovery", status_code=303, exclude_from_auth=True, include_in_schema=False)
async def login_recovery(request: Anybody, data: Form) -> Page | Redirect:
    """One recovery code opens the console once; a new passkey is the next step."""
    check_origin(request)
    code = str(data.get("code") or "")
    words = _frontend(request).words[_language(request)]
    try:
        with _counted(request):
            tenant = await tenant_of_code(request.app.state.database, code)
            async with request.app.state.database.transaction(tenant) as tx:
                founder = await use_code(tx, code)
                await _check_mandate(request, tx, founder.id)
                cookie = await start_session(tx, founder.id, label="recovery", recovered=True, by_code=True)
    except (TooManyTries, KeyRefused) as error:
        return _login(request, "/", refusal(error, words), status=status_of(error))
    answer = go("/settings/keys")
    answer.headers["set-cookie"] = cookie_header(request.app.state.settings.origin, cookie)
    return answer


@get("/open/{link:str}", exclude_from_auth=True, include_in_schema=False)
async def open_card(request: Anybody, link: FromPath[str]) -> Redirect:
    """The link of a letter or chat: shows the card to whoever is signed in; changes nothing. Raises `LinkUnusable`."""
    return go(f"/approvals/{read_opening(request.app.state.seal, link)}")


@get("/offline", exclude_from_auth=True, include_in_schema=False)
async def offline(request: Anybody) -> Page:
    """What the service worker keeps for a phone without network."""
    return door(request, "offline.html", "offline.title")


ROUTES = (
    enrol,
    enrol_options,
    enrol_passkey,
    enrolled,
    login,
    login_challenge,
    login_passkey,
    login_recovery,
    open_card,
    offline,
)

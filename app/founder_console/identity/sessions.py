"""Who is signed in: a cookie whose token is kept only as a hash, and the check that a request is our own page's.

The cookie's value is `<tenant>.<token>`: the tenant must be entered before anything can be read.
"""

import hashlib
import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar.connection import ASGIConnection

from app.canon.vocabulary import Principal
from app.founder_console import store
from app.founder_console.errors import ForeignOrigin, SignInAgain
from app.founder_console.model import Session
from app.governance_ledger import Event, append
from app.postgres import Database, Transaction
from app.work_queue import has_say

SECURE_COOKIE = "__Host-flr"
PLAIN_COOKIE = "flr"
TTL_SECONDS = 30 * 86_400
TOUCH = timedelta(minutes=5)
LATELY = timedelta(minutes=10)
READING = frozenset({"GET", "HEAD", "OPTIONS"})


def hashed(token: str) -> str:
    """SHA-256 of a random token, hex: all that is kept of it."""
    return hashlib.sha256(token.encode()).hexdigest()


async def start_session(
    tx: Transaction, founder_id: UUID, *, label: str, recovered: bool = False, by_code: bool = False
) -> str:
    """Sign a browser in; the cookie's value. Event `founder.signed_in`, or `founder.recovered` with a recovery code.

    `recovered` holds for what such a code opened, and for what a passkey opens that waits since then: a passkey made
    in it waits too.
    """
    token = secrets.token_urlsafe(32)
    name = label[:80] or "browser"
    await store.insert_session(tx, hashed(token), founder_id, label=name, ttl_seconds=TTL_SECONDS, recovered=recovered)
    await append(
        tx,
        Event(
            type="founder.recovered" if by_code else "founder.signed_in",
            actor=f"founder:{founder_id}",
            data={"session": hashed(token)[:24], "label": name},
        ),
    )
    return f"{tx.tenant.hex}.{token}"


def cookie_name(origin: str) -> str:
    return SECURE_COOKIE if origin.startswith("https://") else PLAIN_COOKIE


def cookie_header(origin: str, value: str, *, max_age: int = TTL_SECONDS) -> str:
    """The `Set-Cookie` header; an empty value with `max_age` 0 takes the cookie away."""
    secure = "; Secure" if origin.startswith("https://") else ""
    return f"{cookie_name(origin)}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}"


def read_cookie(connection: ASGIConnection[Any, Any, Any, Any]) -> tuple[UUID, str] | None:
    """The tenant and the token's hash of the request's cookie."""
    value = _cookie(connection.headers.get("cookie", ""), cookie_name(connection.app.state.settings.origin))
    tenant, _, token = value.partition(".")
    try:
        return (UUID(hex=tenant), hashed(token)) if token else None
    except ValueError:
        return None


def _cookie(header: str, name: str) -> str:
    """The cookie's value, whatever else other servers of this host have put into the header."""
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return next((value for found, _, value in pairs if found == name), "")


async def session_of_cookie(connection: ASGIConnection[Any, Any, Any, Any], database: Database) -> Session | None:
    """The session of a request; its time is extended as it is used. Who decides here no more has none."""
    found = read_cookie(connection)
    if found is None:
        return None
    tenant, token_sha256 = found
    async with database.transaction(tenant) as tx:
        session = await store.fetch_session(tx, token_sha256)
        if session is not None and not await has_say(tx, Principal(str(session.founder_id), tenant, session.rol)):
            return None
        if session is not None and await store.now(tx) - session.seen_at > TOUCH:
            await store.touch_session(tx, token_sha256, TTL_SECONDS)
    return session


async def signed_in_lately(connection: ASGIConnection[Any, Any, Any, Any], tx: Transaction) -> bool:
    """Whether the request's session began within the last minutes: by a passkey, a link or a code, so by a person."""
    found = read_cookie(connection)
    session = await store.fetch_session(tx, found[1]) if found else None
    return session is not None and await store.now(tx) - session.created_at <= LATELY


async def check_lately(connection: ASGIConnection[Any, Any, Any, Any], tx: Transaction, back: str) -> None:
    """A session that lies open in a browser makes no key, link or code that outlasts it. Raises `SignInAgain`."""
    if not await signed_in_lately(connection, tx):
        raise SignInAgain(back)


async def principal_of_cookie(connection: ASGIConnection[Any, Any, Any, Any], database: Database) -> Principal | None:
    """Who is signed in with the request's cookie; None for nobody.

    Opens a transaction of its own. Raises `ForeignOrigin` when a request that could change something comes from
    another site: a cookie says who, not what they meant.
    """
    session = await session_of_cookie(connection, database)
    if session is None:
        return None
    check_origin(connection)
    tenant, _ = read_cookie(connection) or (UUID(int=0), "")
    exp = int(session.expires_at.timestamp())
    return Principal(str(session.founder_id), tenant, session.rol, jti=session.ref, exp=exp)


def check_origin(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Raises `ForeignOrigin` for a writing request that is not from this origin's own pages."""
    if connection.scope.get("method", "GET") in READING:
        return
    site, origin = connection.headers.get("sec-fetch-site"), connection.headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        raise ForeignOrigin("this request comes from another site: open the console itself")
    if origin is not None and origin != connection.app.state.settings.origin:
        raise ForeignOrigin(f"this request comes from {origin}: open the console at its own address")
    if site is None and origin is None:
        raise ForeignOrigin("a browser says where a request comes from; with a program, use a token")

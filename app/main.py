"""The API process: composes settings, keys, adapters and the rooms' HTTP into one Litestar application.

One request, one transaction: the `tx` dependency opens it for the caller's tenant and commits it after the answer
is encoded and before its first byte.
"""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import uvicorn
from litestar import Litestar, Request, Router, get
from litestar.config.app import AppConfig
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.middleware import DefineMiddleware
from litestar.middleware.authentication import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin
from litestar.plugins.prometheus import PrometheusConfig, PrometheusController
from litestar.types import ASGIApp, Receive, Scope, Send

from app import auth, event_loop, problems
from app.adapters.evidence import load_store
from app.adapters.mcp import list_tools
from app.adapters.models import load_model, thinks
from app.adapters.notices import load_chats, load_notices, load_posts
from app.adapters.push import load_push
from app.adapters.tools import load_tools
from app.auth import ApprovalTokens, KeyRing, Tokens
from app.canon.errors import Misconfigured, Unauthenticated
from app.canon.evidence import EvidenceStore
from app.canon.vocabulary import Principal
from app.database_urls import app_url
from app.execution_graph import http as execution_http
from app.founder_console import (
    Counter,
    Desk,
    Hook,
    Hub,
    Listener,
    ProofBook,
    Revocations,
    Senders,
    principal_of_cookie,
)
from app.founder_console import http as console_http
from app.founder_console.channels.hook_http import PATH as HOOK_PATH
from app.founder_console.channels.hook_http import hook_secret
from app.founder_console.keyfiles import VAPID
from app.governance_ledger import http as ledger_http
from app.governance_ledger.arriving import check_database
from app.governance_ledger.metering import measure
from app.governance_ledger.receipts import PURPOSE as RECEIPT
from app.governance_ledger.receipts import Receipts
from app.postgres import ENGINE, Binding, Database, Transaction
from app.role_registry import http as roles_http
from app.settings import InvalidSetting, Settings
from app.work_queue import http as queue_http
from app.work_queue import idempotency

VERSION = "0.1.0"
API = "/api/v1"


class Authentication(AbstractAuthenticationMiddleware):
    """A bearer token, or the console's session cookie. Handlers with `exclude_from_auth` are public."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        principal = await _principal(connection)
        return AuthenticationResult(user=principal, auth=principal)


async def _principal(connection: ASGIConnection[Any, Any, Any, Any]) -> Principal:
    state = connection.app.state
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        tokens: Tokens = state.tokens
        return tokens.verify(token.strip())
    principal = await principal_of_cookie(connection, state.database)
    if principal is None:
        said = "no token: send `Authorization: Bearer ...` (print one with `flr token`), or sign in"
        raise Unauthenticated(said, code="token.missing")
    return principal


def bind(app: ASGIApp) -> ASGIApp:
    """Gives each request a slot for its transaction, and closes what the framework forgot."""

    async def edge(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        binding = Binding()
        scope["state"]["binding"] = binding
        mark = ENGINE.current_transaction.set(binding)  # type: ignore[arg-type]
        try:
            await app(scope, receive, send)
        finally:
            ENGINE.current_transaction.reset(mark)
            await binding.abandon()

    return edge


async def provide_tx(request: Request[Principal, Principal, State], state: State) -> AsyncIterator[Transaction]:
    """The request's one transaction, for the tenant of the token."""
    binding: Binding = request.scope["state"]["binding"]
    tx = await binding.enter(state.database.transaction(request.auth.tid, binding))
    try:
        await idempotency.replay(tx, request)
        yield tx
    except BaseException as error:
        await binding.leave(error)
        raise
    else:
        await binding.leave(None)


@get("/healthz", exclude_from_auth=True, summary="The process is alive", tags=["operations"])
async def healthz() -> dict[str, str]:
    return {"status": "ok", "version": VERSION}


@get("/readyz", exclude_from_auth=True, summary="The process can answer: its database does", tags=["operations"])
async def readyz(state: State) -> dict[str, str]:
    async with state.database.pool.acquire(timeout=2) as connection:
        await connection.fetchval("SELECT 1")
    return {"status": "ready"}


class Application(Litestar):
    """Litestar with its msgspec plugin alone: the pydantic ones would cost every start a third of its time."""

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


async def _measure_ledger(request: Request[Any, Any, State]) -> None:
    state = request.app.state
    await measure(state.database, state.settings.max_merge_delay_seconds)


class Metrics(PrometheusController):
    """Requests by route and status, and what the sealer has not sealed yet, for Prometheus."""

    path = "/metrics"
    include_in_schema = False
    opt = {"exclude_from_auth": True}  # noqa: RUF012 - Litestar reads it as it is
    openmetrics_format = True
    before_request = staticmethod(_measure_ledger)


@get("/.well-known/jwks.json", exclude_from_auth=True, summary="Public keys (RFC 7517)", tags=["operations"])
async def jwks(state: State) -> dict[str, list[dict[str, str]]]:
    settings: Settings = state.settings
    seals = auth.load_public_keys(settings.keys, "seal")
    sealing = [auth.public_jwk(kid, public, "seal") for kid, public in seals.items()]
    rings = (state.tokens.ring, state.approval_tokens.keys, state.receipts.ring)
    return {"keys": [*(key for ring in rings for key in ring.jwks()), *sealing]}


_METERED = PrometheusConfig(app_name="flr", prefix="flr", group_path=True).middleware


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="5-Layer Runtime",
        version=VERSION,
        description="Employ, bound, audit and evaluate AI workers. Errors are problem+json (RFC 9457).",
        path="/schema",
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        components=Components(
            security_schemes={"token": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")}
        ),
        security=[{"token": []}],
    )


def build(settings: Settings, database: Database, store: EvidenceStore) -> Litestar:
    """The application over a connected `database` and an open `store`; both stay the caller's to close."""
    approval_tokens = ApprovalTokens(KeyRing.load(settings.keys, "approval"))
    tools = load_tools(
        smtp_url=settings.smtp_url, mail_from=settings.mail_from, allow_private=settings.http_allow_private
    )
    revocations, counter = Revocations(database), Counter(database)
    state = State(
        {
            "settings": settings,
            "database": database,
            "store": store,
            "tokens": Tokens(KeyRing.load(settings.keys, "token"), revocations.holds),
            "revocations": revocations,
            "approval_tokens": approval_tokens,
            "receipts": Receipts(KeyRing.load(settings.keys, RECEIPT), settings.max_merge_delay_seconds),
            "proofs": ProofBook(settings.origin),
            "tools": {name: tool.spec for name, tool in tools.items()},
            "list_tools": list_tools,
            "counter": counter,
            "hub": Hub(database.url, counter.call),
            "push": load_push(settings.keys / VAPID, origin=settings.origin, mail_from=settings.mail_from),
            "senders": _senders(settings),
            "scripted": settings.model_base_url is None,
            "model": load_model(settings) if thinks(settings) else None,
        }
    )
    api = Router(API, route_handlers=[*_api_routes()])
    return Application(
        route_handlers=[healthz, readyz, jwks, Metrics, api, *ledger_http.FILE_ROUTES, *console_http.PAGE_ROUTES],
        middleware=[_METERED, DefineMiddleware(Authentication), bind, idempotency.edge],
        dependencies={"tx": Provide(provide_tx)},
        exception_handlers={**problems.HANDLERS, **idempotency.HANDLERS},
        after_request=idempotency.remember,
        openapi_config=_openapi(),
        state=state,
        lifespan=[_listening],
        on_app_init=[_configure],
        request_max_body_size=64 * 1024 * 1024,
    )


def _api_routes() -> Sequence[Any]:
    return (
        *roles_http.ROUTES,
        *queue_http.ROUTES,
        *execution_http.ROUTES,
        *ledger_http.ROUTES,
        *console_http.API_ROUTES,
    )


def _configure(config: AppConfig) -> AppConfig:
    return console_http.configure(config)


@asynccontextmanager
async def _listening(app: Litestar) -> AsyncIterator[None]:
    loops = [asyncio.create_task(work) for work in _loops(app.state)]
    try:
        yield
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await app.state.push.close()
        if app.state.model is not None:
            await app.state.model.close()
        if app.state.senders.chats is not None:
            await app.state.senders.chats.close()


def _loops(state: State) -> Sequence[Coroutine[None, None, None]]:
    """What runs beside the requests: the stream, the figures, the list of revoked tokens, and the bot's chats, which
    decide and so belong to the signer."""
    chats, always = state.senders.chats, (state.hub.run(), state.counter.run(), state.revocations.run())
    if chats is None:
        return always
    settings: Settings = state.settings
    state.desk = Desk(state.database, chats, settings, state.frontend.words, state.approval_tokens)
    if settings.telegram_updates == "webhook" and settings.telegram_token:
        hook = Hook(chats, settings.origin + HOOK_PATH, hook_secret(state.seal, settings.telegram_token))
        return (*always, hook.run())
    return (*always, Listener(state.database.url, chats, state.desk).run())


def _senders(settings: Settings) -> Senders:
    return Senders(
        load_notices(smtp_url=settings.smtp_url, mail_from=settings.mail_from),
        load_posts(settings.http_allow_private),
        load_chats(token=settings.telegram_token, base_url=settings.telegram_url),
    )


class Server(uvicorn.Server):
    """Tells open streams that the process closes, so that they end by themselves."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._hub.close()
        super().handle_exit(sig, frame)


def serve(settings: Settings) -> int:
    """Runs the API until SIGTERM or SIGINT; the process's exit code."""
    try:
        listener = listen(settings.host, settings.port)
    except OSError as error:
        sys.stderr.write(f"FLR_PORT={settings.port} cannot be opened on {settings.host}: {error.strerror}\n")
        return 1
    try:
        event_loop.run(_serve(settings, listener))
    except (InvalidSetting, Misconfigured) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def listen(host: str, port: int) -> socket.socket:
    """The socket to serve on. asyncio sends at once only over a socket that names its protocol: without that, a page's
    body waits for its head to be acknowledged, 40 ms on one machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


async def _serve(settings: Settings, listener: socket.socket) -> None:
    store = load_store(
        settings.evidence_url,
        settings.home,
        access_key=settings.evidence_access_key,
        secret_key=settings.evidence_secret_key,
    )
    url = app_url(settings)
    async with Database(url) as database:
        async with database.pool.acquire() as connection:
            await check_database(connection, url)
        app = build(settings, database, store)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, timeout_graceful_shutdown=5, proxy_headers=False
        )
        server = Server(config, app.state.hub)
        try:
            await server.serve(sockets=[listener])
        finally:
            await store.close()


if __name__ == "__main__":
    from app.settings import read

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.exit(serve(read()))

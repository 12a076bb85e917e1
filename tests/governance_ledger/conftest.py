from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import asyncpg
import httpx
import pytest
from litestar import Litestar, Request, Router
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.middleware.authentication import AbstractAuthenticationMiddleware, AuthenticationResult

from app import auth, problems
from app.adapters.evidence.folder import FolderStore
from app.canon.vocabulary import Principal, Rol
from app.governance_ledger.http import FILE_ROUTES, ROUTES
from app.governance_ledger.receipts import Receipts
from app.postgres import Binding, Database, Transaction
from app.settings import Settings
from tests.governance_ledger.ledgers import OTHER, TENANT, connected


@pytest.fixture
async def sealer(sealer_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the sealer's role."""
    async with connected(sealer_dsn) as connection:
        yield connection


class ByHeader(AbstractAuthenticationMiddleware):
    """Who calls stands in the headers: tokens are not this test's subject."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        tenant = OTHER if connection.headers.get("tenant") == "other" else TENANT
        principal = Principal("7", tenant, Rol(connection.headers.get("rol", "founder")))
        return AuthenticationResult(principal, principal)


async def provide_tx(request: Request[Principal, Principal, State], state: State) -> AsyncIterator[Transaction]:
    async with state.database.transaction(request.auth.tid, Binding()) as tx:
        yield tx


@pytest.fixture
def app(database: Database, tmp_path: Path) -> Litestar:
    """The ledger over HTTP, composed with nothing but this room."""
    settings = Settings(home=tmp_path)
    auth.ensure_keys(settings.keys, "token", "receipt", "seal")
    return Litestar(
        [Router("/api/v1", route_handlers=[*ROUTES]), *FILE_ROUTES],
        middleware=[DefineMiddleware(ByHeader)],
        dependencies={"tx": Provide(provide_tx)},
        exception_handlers=problems.HANDLERS,
        state=State(
            {
                "database": database,
                "settings": settings,
                "store": FolderStore(tmp_path / "evidence"),
                "receipts": Receipts(auth.KeyRing.load(settings.keys, "receipt"), settings.max_merge_delay_seconds),
            }
        ),
    )


@pytest.fixture
async def client(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """Speaks to `app`; headers `rol` and `tenant` say who calls."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(cast(Any, app)), base_url="http://here") as opened:
        yield opened

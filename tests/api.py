"""The whole application inside the test's own loop: no port, the real middleware, the real transactions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from litestar import Litestar

from app import auth
from app.adapters.evidence import FolderStore
from app.auth import ApprovalTokens, KeyRing, Tokens
from app.canon.approval import DeviceProof, Statement
from app.canon.vocabulary import Rol, new_id
from app.founder_console import create_founder, register_device_key
from app.messages import ApprovalDecided
from app.postgres import Database
from app.role_registry import create_company, on_approval_decided
from app.settings import Settings


class Api:
    """The application, its keys, and callers of one tenant."""

    def __init__(self, app: Litestar, client: httpx.AsyncClient, settings: Settings, database: Database) -> None:
        self.app = app
        self.client = client
        self.settings = settings
        self.database = database
        self.tenant = new_id()
        self.founder = new_id()
        self._tokens = Tokens(KeyRing.load(settings.keys, "token"))
        self._key = auth.load_keys(settings.keys, "device")[0]

    async def found(self) -> None:
        """A company with a founder whose device key is registered."""
        async with self.database.transaction(self.tenant) as tx:
            await create_company(tx, name="Warung Test", language="en", actor="system")
            founder = await create_founder(tx, name="Ani", language="en")
            await register_device_key(tx, founder.id, public_key=self._key.raw_public, label="test")
            self.founder = founder.id

    def token(self, rol: Rol = Rol.FOUNDER, tenant: UUID | None = None) -> str:
        sub = str(self.founder) if rol is Rol.FOUNDER else f"{rol}-1"
        return self._tokens.issue(sub=sub, tid=tenant or self.tenant, rol=rol, ttl_seconds=600)

    async def ask(
        self, method: str, path: str, body: Any = None, *, rol: Rol = Rol.FOUNDER, key: str | None = None, **more: Any
    ) -> httpx.Response:
        """One request with a token of `rol`; `key` is its Idempotency-Key."""
        headers = {"Authorization": f"Bearer {self.token(rol)}", **more.pop("headers", {})}
        if key is not None:
            headers["Idempotency-Key"] = key
        if body is not None:
            more["json"] = body
        return await self.client.request(method, f"/api/v1{path}", headers=headers, **more)

    async def get(self, path: str, **params: Any) -> Any:
        return _checked(await self.ask("GET", path, params=params))

    async def post(self, path: str, body: Any = None) -> Any:
        return _checked(await self.ask("POST", path, body))

    async def patch(self, path: str, body: Any) -> Any:
        return _checked(await self.ask("PATCH", path, body))

    async def proof(self, approval_id: str, decision: str = "approve") -> Any:
        """A fresh statement, signed with the founder's device key."""
        import msgspec

        offered = await self.post(f"/approvals/{approval_id}/statement", {"decision": decision})
        statement = msgspec.convert(offered["statement"], Statement)
        signature = auth.b64url(self._key.sign(statement.challenge()))
        return msgspec.to_builtins(DeviceProof(self._key.kid, statement, signature))

    async def sign(self, approval_id: str) -> Any:
        """Approve with the founder's key, and let the registry act as a worker would."""
        approved = await self.post(f"/approvals/{approval_id}/approve", {"proof": await self.proof(approval_id)})
        reader = ApprovalTokens(KeyRing.load(self.settings.keys, "approval"))
        async with self.database.transaction(self.tenant) as tx:
            await on_approval_decided(tx, ApprovalDecided(self.tenant, UUID(approval_id), None, None), reader=reader)
        return approved


def _checked(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    return answer.json()


@asynccontextmanager
async def api_of(home: Path, database: Database) -> AsyncIterator[Api]:
    """The application over `database`, with keys in `home`, undo window 0, and a founded company.

    Without its lifespan: nothing listens for live updates here.
    """
    from app.main import build

    settings = Settings(home=home, undo_seconds=0)
    auth.ensure_keys(settings.keys, "token", "approval", "receipt", "seal", "device")
    store = FolderStore(home / "evidence")
    app = build(settings, database, store)
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8400") as client:
        api = Api(app, client, settings, database)
        await api.found()
        yield api
    await store.close()

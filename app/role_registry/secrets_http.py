"""The vault over HTTP: a value goes in, and none comes out."""

from http import HTTPStatus
from typing import Annotated

from litestar import Request, delete, get, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath

from app.auth import require
from app.canon.errors import Invalid
from app.canon.vocabulary import Principal, Rol
from app.governance_ledger import Page
from app.postgres import Transaction
from app.problems import documented
from app.role_registry import vault
from app.role_registry.model import NewSecret, Secret
from app.settings import Settings

TAGS = ["secrets"]
EXAMPLE = {
    "value": "(the secret)",
    "description": "Key of our shop's API",
    "header": "Authorization",
    "prefix": "Bearer ",
    "hosts": ["api.shop.example"],
    "role_ids": ["018f0000-0000-7000-8000-000000000001"],
}

Caller = Request[Principal, Principal, State]


@get(
    "/secrets",
    tags=TAGS,
    summary="List secrets",
    description="What each is for, and who may use it. The value is never shown, to nobody.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def list_secrets(request: Caller, tx: NamedDependency[Transaction]) -> Page[Secret]:
    require(request.auth, Rol.FOUNDER, Rol.DEPUTY, Rol.AUDITOR)
    return Page(await vault.list_secrets(tx))


@put(
    "/secrets/{name:str}",
    tags=TAGS,
    summary="Set or replace a secret",
    description="Founder only. Sealed at once under a key that is not in the database. Takes no `Idempotency-Key`: "
    "nothing derived from the value is kept.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE),
)
async def set_secret(
    request: Caller,
    tx: NamedDependency[Transaction],
    name: FromPath[str],
    data: Annotated[NewSecret, Body(examples=[Example(value=EXAMPLE)])],
) -> Secret:
    if "idempotency-key" in request.headers:
        raise Invalid("a secret takes no Idempotency-Key: setting it twice is setting it once")
    settings: Settings = request.app.state.settings
    return await vault.set_secret(tx, name, data, vault.vault_keys(settings.keys), request.auth)


@delete(
    "/secrets/{name:str}",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Forget a secret, at once",
    description="Founder only. The sealed value is deleted; that it was there stays in the ledger.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def remove_secret(request: Caller, tx: NamedDependency[Transaction], name: FromPath[str]) -> Secret:
    return await vault.remove_secret(tx, name, request.auth)


ROUTES = (list_secrets, set_secret, remove_secret)

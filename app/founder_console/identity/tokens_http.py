"""Revoking API tokens over HTTP."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from app.auth import Tokens
from app.canon.errors import Invalid
from app.founder_console.identity.revoking import Revocations, revoke
from app.founder_console.visits import Caller
from app.postgres import Transaction
from app.problems import documented


class RevokeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The token itself, or its `jti`."""

    token: str | None = None
    jti: UUID | None = None
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class Revoked(msgspec.Struct, frozen=True):
    jti: UUID
    expires_at: datetime


@post(
    "/tokens/revoke",
    status_code=HTTPStatus.OK,
    tags=["tokens"],
    summary="Let an API token hold no more",
    description="Founder only. Every API process refuses it within two seconds. A token of another company is refused.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def revoke_token(request: Caller, tx: NamedDependency[Transaction], data: JSONBody[RevokeBody]) -> Revoked:
    tokens: Tokens = request.app.state.tokens
    revocations: Revocations = request.app.state.revocations
    jti, expires = data.jti, None
    if data.token is not None:
        named = tokens.read(data.token)
        if named.tid != request.auth.tid:
            raise Invalid("the token is not one of this company")
        jti, expires = UUID(named.jti), named.exp
    if jti is None:
        raise Invalid("name the token, or its `jti`")
    until = await revoke(tx, jti, by=request.auth, expires=expires, reason=data.reason)
    revocations.add(jti)
    return Revoked(jti, until)


ROUTES = (revoke_token,)

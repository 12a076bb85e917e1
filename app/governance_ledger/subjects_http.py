"""Erasing a subject over HTTP."""

from http import HTTPStatus

from litestar import Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from app.auth import require
from app.canon.vocabulary import Principal, Rol
from app.governance_ledger.subjects import Erased, Rewrapped, erase_subject, keeper_of, rewrap_subjects
from app.postgres import Transaction
from app.problems import documented


@post(
    "/ledger/subjects/{subject:str}/erase",
    status_code=HTTPStatus.OK,
    tags=["ledger"],
    summary="Erase a subject's personal data",
    description="Destroys the key under which the subject's data and evidence are kept, for good, and records "
    "`subject.erased`. The chain stays as it is and verifies; readers get `erased_at` instead of the data, and 410 for "
    "evidence. The same again answers the same. Copies of the database from before need a look: see docs/retention.md.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def erase(
    request: Request[Principal, Principal, State], tx: NamedDependency[Transaction], subject: FromPath[str]
) -> Erased:
    require(request.auth, Rol.FOUNDER)
    return await erase_subject(tx, subject, by=request.auth.actor)


@post(
    "/ledger/subjects/rewrap",
    status_code=HTTPStatus.OK,
    tags=["ledger"],
    summary="Move all subjects' keys under the newest wrapping key",
    description="After `flr keys rotate subjects`: wraps every living subject's key anew and records "
    "`subject.rewrapped`. Nothing that was encrypted changes. The same again answers 0 subjects.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE),
)
async def rewrap(request: Request[Principal, Principal, State], tx: NamedDependency[Transaction]) -> Rewrapped:
    require(request.auth, Rol.FOUNDER)
    return await rewrap_subjects(tx, keeper_of(request.app.state.settings.keys), by=request.auth.actor)


ROUTES = (erase, rewrap)

"""The ledger as a download: exports, and the case file of a ticket."""

import tempfile
from collections.abc import AsyncIterator
from datetime import datetime
from http import HTTPStatus
from typing import IO, Annotated, Literal
from uuid import UUID

from litestar import Request, get
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from app.auth import require
from app.canon.vocabulary import Principal, Rol
from app.governance_ledger.cases import make_case
from app.governance_ledger.exporting import export_pieces
from app.governance_ledger.packing import MEDIA_TYPE, pack
from app.governance_ledger.planning import Plan, Wanted, plan_export, public_keys
from app.problems import documented

TAGS = ["ledger"]
ZIP = "application/zip"
IN_MEMORY_BYTES = 8 * 1024 * 1024
BLOCK_BYTES = 256 * 1024
AUDITORS = (Rol.FOUNDER, Rol.AUDITOR)

Caller = Request[Principal, Principal, State]


@get(
    "/ledger/export",
    tags=TAGS,
    summary="Download the signed part of the ledger",
    description="NDJSON in zstd frames, streamed: events with their hashes and receipts, checkpoints, public keys, "
    "the row changes of Law 17, and with `evidence=true` the evidence. `flr ledger verify FILE --key KEY` verifies it "
    "offline. `since` (inclusive) "
    "and `until` (exclusive) are times of sealing. A download that broke off is continued with `from_seq`.",
    responses={
        HTTPStatus.OK.value: ResponseSpec(bytes, description="The export", media_type=MEDIA_TYPE),
        **documented(HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT),
    },
)
async def download_export(
    request: Caller,
    state: State,
    from_seq: Annotated[int | None, QueryParameter(ge=1)] = None,
    to_seq: Annotated[int | None, QueryParameter(ge=1)] = None,
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
    changes: FromQuery[bool] = True,
    evidence: FromQuery[bool] = False,
) -> Stream:
    require(request.auth, *AUDITORS)
    wanted = Wanted(from_seq=from_seq, to_seq=to_seq, since=since, until=until, changes=changes, evidence=evidence)
    tenant = request.auth.tid
    plan = await plan_export(state.database, tenant, wanted, jwks=public_keys(state.settings.keys))
    name = f"ledger-{tenant}-{plan.from_seq}-{plan.to_seq}.ndjson.zst"
    return Stream(
        _content(state, tenant, plan),
        media_type=MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


async def _content(state: State, tenant: UUID, plan: Plan) -> AsyncIterator[bytes]:
    async for packed in pack(export_pieces(state.database, tenant, plan, store=state.store)):
        yield packed.content


@get(
    "/ledger/cases/{ticket_id:uuid}",
    tags=TAGS,
    summary="Download the case file of a ticket",
    description="A zip archive: the ticket's events, each with a proof that it stands under a signed checkpoint, the "
    "decisions, keys and contracts that its signatures rest on, row changes, evidence, and `summary.html` to read. "
    "`flr ledger verify FILE --key KEY` verifies it offline.",
    responses={
        HTTPStatus.OK.value: ResponseSpec(bytes, description="The archive", media_type=ZIP),
        **documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE),
    },
)
async def download_case(
    request: Caller, state: State, ticket_id: FromPath[UUID], language: FromQuery[Literal["id", "en"]] = "en"
) -> Stream:
    require(request.auth, *AUDITORS)
    jwks = public_keys(state.settings.keys)
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - closed once it is sent
    try:
        tenant = request.auth.tid
        await make_case(state.database, tenant, ticket_id, file, store=state.store, jwks=jwks, language=language)
    except BaseException:
        file.close()
        raise
    return Stream(
        _blocks(file),
        media_type=ZIP,
        headers={
            "Content-Disposition": f'attachment; filename="case-{ticket_id}.zip"',
            "Cache-Control": "no-store",
        },
    )


async def _blocks(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        while block := file.read(BLOCK_BYTES):
            yield block


ROUTES = (download_export, download_case)

"""How many must agree, for a program: what holds, and asking the founders for another."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Request, Router, get, put
from litestar.datastructures import State
from litestar.di import NamedDependency

from app.auth import require
from app.canon.quorum import CompanyQuorum, QuorumLine
from app.canon.quorum_words import quorum_sentences
from app.canon.vocabulary import Principal
from app.postgres import Transaction
from app.problems import documented
from app.work_queue import agreeing, approvals, quorums
from app.work_queue.idempotency import KEYED
from app.work_queue.model import Approval
from app.work_queue.wire import READERS, example

TAGS = ["approvals"]

Caller = Request[Principal, Principal, State]


class Able(msgspec.Struct, frozen=True):
    """How many can decide now: founders, and people in all for each risk, founders among them."""

    founders: int
    r1: int
    r2: int


class QuorumView(msgspec.Struct, frozen=True, kw_only=True):
    """What holds, in data and in sentences. `pending_approval_id` asks for another one."""

    lines: tuple[QuorumLine, ...]
    text: dict[str, list[str]]
    able: Able
    pending_approval_id: UUID | None


@get(
    "/quorums",
    tags=TAGS,
    summary="How many must agree",
    description="The company's quorum: a line for each risk that takes more than one person; none: one person decides.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def get_quorum(request: Caller, tx: NamedDependency[Transaction]) -> QuorumView:
    require(request.auth, *READERS)
    holds, able = await agreeing.company_quorum(tx), await agreeing.deciders(tx)
    waiting = (await approvals.list_approvals(tx, kind="quorum", status="pending", limit=1)).items
    return QuorumView(
        lines=holds.lines,
        text={"id": quorum_sentences(holds, "id"), "en": quorum_sentences(holds, "en")},
        able=Able(able.founders, able.r1, able.r2),
        pending_approval_id=waiting[0].id if waiting else None,
    )


@put(
    "/quorums",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Ask the founders for another quorum",
    description="Founders only. Raises an approval (kind `quorum`, R2) that is signed like any other, with the device "
    "key or a passkey over `POST /approvals/{id}/statement`. Until then what holds goes on, and counts for it. No "
    "lines: one person decides again. The same again: the question that waits already.",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT),
)
async def put_quorum(
    request: Caller,
    tx: NamedDependency[Transaction],
    data: Annotated[
        CompanyQuorum,
        example(lines=[{"tier": "R2", "count": 2, "above": {"minor": 5_000_000, "currency": "IDR"}, "founders": True}]),
    ],
) -> Approval:
    undo_seconds = request.app.state.settings.undo_seconds
    return await quorums.propose_quorum(tx, data, by=request.auth, undo_seconds=undo_seconds)


ROUTES = (get_quorum, Router("/", route_handlers=[put_quorum], parameters=KEYED))

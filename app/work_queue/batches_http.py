"""Many decisions at once over HTTP."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency

from app.canon.approval import ListOffer, ListProof
from app.canon.vocabulary import Principal
from app.postgres import Transaction
from app.problems import Problem, documented, problem_of
from app.work_queue import batches
from app.work_queue.batches import Result, WantedList
from app.work_queue.model import Approval
from app.work_queue.wire import example

TAGS = ["approvals"]

Caller = Request[Principal, Principal, State]


class ListBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    items: WantedList


class BatchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`proof` is one signature over the list, needed to approve R2."""

    items: WantedList
    proof: ListProof | None = None


class ItemResult(msgspec.Struct, frozen=True, kw_only=True):
    """`approval` as it stands after the decision, or the `problem` that kept it from being taken."""

    approval_id: UUID
    approval: Approval | None
    problem: Problem | None


class BatchResult(msgspec.Struct, frozen=True, kw_only=True):
    decided: int
    refused: int
    results: tuple[ItemResult, ...]


_ITEM = {"approval_id": "01890000-0000-7000-8000-000000000001", "decision": "approve", "version": 1}
_REFUSALS = documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)


@post(
    "/approvals/batch/statement",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Get one statement over many decisions",
    description="It names every approval with its version, decision and payload digest. Sign `challenge` as for one "
    "decision. At most 20.",
    responses=_REFUSALS,
)
async def get_list_statement(
    request: Caller, tx: NamedDependency[Transaction], data: Annotated[ListBody, example(items=[_ITEM])]
) -> ListOffer:
    return await batches.offer_list(tx, data.items, by=request.auth, verifier=request.app.state.proofs)


@post(
    "/approvals/batch",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Decide many at once",
    description="One result for each, in the order asked: what is stale, closed or not permitted does not keep the "
    "others from being decided. R2 is approved only with `proof`, one signature over the list; each decision's JWT "
    "carries it. A signature that does not hold decides nothing (403).",
    responses=_REFUSALS,
)
async def decide_batch(
    request: Caller, tx: NamedDependency[Transaction], data: Annotated[BatchBody, example(items=[_ITEM])]
) -> BatchResult:
    state = request.app.state
    results = await batches.decide_list(
        tx, data.items, by=request.auth, signer=state.approval_tokens, verifier=state.proofs, proof=data.proof
    )
    refused = sum(result.refused is not None for result in results)
    return BatchResult(
        decided=len(results) - refused, refused=refused, results=tuple(_result(request, one) for one in results)
    )


def _result(request: Caller, result: Result) -> ItemResult:
    return ItemResult(
        approval_id=result.approval_id,
        approval=result.approval,
        problem=None if result.refused is None else problem_of(result.refused, request.url.path),
    )


WRITES = (get_list_statement, decide_batch)

"""Many decisions at once: one signature over the list, one vote and one JWT for each, one result for each."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import msgspec

from app.auth import require
from app.canon.approval import (
    ApprovalSigner,
    Decision,
    Item,
    ListOffer,
    ListProof,
    ProofRefused,
    ProofVerifier,
    VerifiedProof,
)
from app.canon.errors import Conflict, Fault, Forbidden, Invalid, NotFound
from app.canon.vocabulary import Principal, Rol
from app.postgres import Transaction
from app.work_queue import store
from app.work_queue.approvals import get_approval
from app.work_queue.deciding import decide
from app.work_queue.errors import ProofMismatch
from app.work_queue.model import Approval, Reason

MOST_ITEMS = 20
_TWICE = "an approval stands twice in the list"


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One decision of a list. `version` is the one you saw."""

    approval_id: UUID
    decision: Decision
    version: int | None = None
    reason: Reason = ""


WantedList = Annotated[tuple[Wanted, ...], msgspec.Meta(min_length=1, max_length=MOST_ITEMS)]


class Result(msgspec.Struct, frozen=True):
    """What became of one decision: the approval as it stands then, or why it was not taken."""

    approval_id: UUID
    approval: Approval | None
    refused: Fault | None


async def offer_list(tx: Transaction, wanted: Sequence[Wanted], *, by: Principal, verifier: ProofVerifier) -> ListOffer:
    """One statement that names every approval with its version, decision and payload digest, for `by` to sign.

    Raises `ApprovalUnknown`, `Forbidden`, `Invalid` (an approval twice), `ProofMismatch` (no key).
    """
    require(by, Rol.FOUNDER, Rol.DEPUTY)
    _check_once(wanted)
    items = [await _item(tx, one) for one in wanted]
    try:
        return await verifier.offer_list(tx, by, tuple(items))
    except ProofRefused as error:
        raise ProofMismatch(str(error), code=error.code, **error.data) from error


async def _item(tx: Transaction, one: Wanted) -> Item:
    approval = await get_approval(tx, one.approval_id)
    return Item(str(approval.id), one.decision, approval.version, approval.payload_digest)


def _check_once(wanted: Sequence[Wanted]) -> None:
    if len({one.approval_id for one in wanted}) != len(wanted):
        raise Invalid(_TWICE, code="decisions.twice")


async def decide_list(
    tx: Transaction,
    wanted: Sequence[Wanted],
    *,
    by: Principal,
    signer: ApprovalSigner,
    verifier: ProofVerifier,
    proof: ListProof | None,
) -> tuple[Result, ...]:
    """Decide each of `wanted`, whatever becomes of the others; results in their order.

    `proof` is one signature over the list, used up here; each vote carries it. Without one, R2 is not approved. Raises
    `Forbidden`, `Invalid` (an approval twice), `ProofMismatch` (the signature does not hold: nothing is decided).
    """
    require(by, Rol.FOUNDER, Rol.DEPUTY)
    _check_once(wanted)
    verified = None if proof is None else await _verified(tx, by, proof, verifier)
    await store.lock_all(tx, [one.approval_id for one in wanted])
    listed = frozenset(one.approval_id for one in wanted)
    return tuple([await _decide_one(tx, one, by, signer, verified, listed) for one in wanted])


async def _verified(tx: Transaction, by: Principal, proof: ListProof, verifier: ProofVerifier) -> VerifiedProof:
    try:
        return await verifier.verify(tx, by, proof)
    except ProofRefused as error:
        raise ProofMismatch(str(error), code=error.code, **error.data) from error


async def _decide_one(
    tx: Transaction,
    one: Wanted,
    by: Principal,
    signer: ApprovalSigner,
    proof: VerifiedProof | None,
    listed: frozenset[UUID],
) -> Result:
    try:
        async with tx.savepoint():
            decided = await decide(
                tx,
                one.approval_id,
                one.decision,
                by=by,
                signer=signer,
                proof=proof,
                version=one.version,
                reason=one.reason if one.decision == "reject" else "",
                apart_from=listed,
            )
    except (Conflict, Forbidden, Invalid, NotFound) as refused:
        return Result(one.approval_id, None, refused)
    return Result(one.approval_id, decided, None)

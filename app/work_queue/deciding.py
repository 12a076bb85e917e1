"""The one use case behind every approve and reject: who may decide, with which key, and what it sets off."""

from collections.abc import Container
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from app.auth import ISSUER, require
from app.canon.approval import (
    ApprovalClaims,
    ApprovalSigner,
    Decision,
    Item,
    Offer,
    Proof,
    ProofRefused,
    ProofVerifier,
    Statement,
    VerifiedProof,
)
from app.canon.vocabulary import Principal, Rol, Tier, new_id
from app.governance_ledger import append_about
from app.postgres import Transaction
from app.work_queue import store
from app.work_queue.approvals import announce, event_of, get_approval
from app.work_queue.bounds import mandate_for
from app.work_queue.errors import (
    ApprovalClosed,
    ApprovalStale,
    ApprovalUnknown,
    BeyondMandate,
    ProofMismatch,
    ProofRequired,
    VoteRefused,
)
from app.work_queue.model import (
    CONTRACTS,
    DECIDED,
    Approval,
    ApprovalStatus,
    GrantedMandate,
    Vote,
    act_of,
    person,
)
from app.work_queue.personal import recipient_of_ticket
from app.work_queue.signed import mandate_is_signed

_BECOMES: dict[Decision, ApprovalStatus] = {"approve": "approved", "reject": "rejected"}


class _Ballot(msgspec.Struct, frozen=True):
    """One founder's hand over one or more approvals at one instant."""

    decision: Decision
    by: Principal
    signer: ApprovalSigner
    proof: VerifiedProof | None
    reason: str
    at: datetime
    mandate: GrantedMandate | None = None


async def offer(
    tx: Transaction, approval_id: UUID, decision: Decision, *, by: Principal, verifier: ProofVerifier
) -> Offer:
    """The statement that `by` signs to decide so. Raises `ApprovalUnknown`, `Forbidden`, `ProofMismatch` (no key)."""
    require(by, Rol.FOUNDER, Rol.DEPUTY)
    approval = await get_approval(tx, approval_id)
    try:
        return await verifier.offer(
            tx,
            by,
            approval_id=approval.id,
            decision=decision,
            version=approval.version,
            payload_digest=approval.payload_digest,
        )
    except ProofRefused as error:
        raise ProofMismatch(str(error), code=error.code, **error.data) from error


async def prove(
    tx: Transaction,
    approval_id: UUID,
    decision: Decision,
    *,
    by: Principal,
    proof: Proof,
    verifier: ProofVerifier,
) -> VerifiedProof:
    """Check that `proof` is `by`'s own key over exactly this decision on this approval; uses up its nonce.

    The verified proof goes to `decide`. Raises `ApprovalUnknown`, `ProofMismatch`.
    """
    approval = await get_approval(tx, approval_id)
    _check_statement(approval, decision, proof.statement)
    try:
        return await verifier.verify(tx, by, proof)
    except ProofRefused as error:
        raise ProofMismatch(str(error), code=error.code, **error.data) from error


async def decide(
    tx: Transaction,
    approval_id: UUID,
    decision: Decision,
    *,
    by: Principal,
    signer: ApprovalSigner,
    proof: VerifiedProof | None,
    version: int | None = None,
    reason: str = "",
    together: bool = True,
    apart_from: Container[UUID] = (),
) -> Approval:
    """Cast a founder's or deputy's decision; the approval as it stands then.

    Signs a JWT, inserts a vote, and once the quorum is reached (a single reject suffices) closes the approval: event
    `approval.decided` carries the JWT, and `ApprovalDecided` is delivered when the undo window is over. Short of the
    quorum the event is `approval.voted` and it stays pending. R2 is approved only with the founder's own key.

    `together` decides all pending approvals of the same act on the same card: each keeps its own vote and JWT. What
    needs a key or a quorum is never decided along, since a key signs one payload; nor is the key's proof carried over;
    nor what `apart_from` names, which gets a decision of its own.

    A deputy decides under a mandate (`mandates`): approves what lies inside its bounds, rejects while it lasts. Its id
    stands in the JWT. A contract (hire, amend, budget raise) is approved by a founder only.

    The same decision by the same person again changes nothing. Raises `ApprovalUnknown`, `Forbidden`, `ApprovalStale`
    (not the `version` seen), `ApprovalClosed` (decided otherwise, expired, withdrawn), `ProofRequired`,
    `ProofMismatch`, `VoteRefused` (separation of duties), `BeyondMandate`.
    """
    require(by, Rol.FOUNDER, Rol.DEPUTY)
    locked = await store.lock_approvals(tx, approval_id, alike="pending" if together else None)
    asked = next((approval for approval in locked if approval.id == approval_id), None)
    if asked is None:
        raise ApprovalUnknown(approval_id)
    if asked.status == _BECOMES[decision] and person(asked.decided_by or "") == by.sub:
        return asked
    _check_rights(asked, decision, by)
    at = await store.now(tx)
    mandate = await mandate_for(tx, asked, decision, by, at)
    if mandate is not None and not mandate_is_signed(tx, mandate, signer):
        raise BeyondMandate(None)
    ballot = _Ballot(decision, by, signer, proof, reason, at, mandate)
    _check_open(asked, ballot.at, version)
    _check_proof(asked, decision, proof)
    along = [other for other in locked if other.id not in apart_from and _goes_along(asked, other, ballot)]
    decided = await _cast(tx, asked, ballot, along)
    for other in along:
        await _cast(tx, other, msgspec.structs.replace(ballot, proof=None), [asked])
    return decided


def _check_rights(approval: Approval, decision: Decision, by: Principal) -> None:
    if decision == "approve" and approval.kind in (*CONTRACTS, "mandate", "quorum", "rule", "tool_server"):
        require(by, Rol.FOUNDER)


def _check_open(approval: Approval, at: datetime, version: int | None) -> None:
    if approval.overdue(at) or approval.status == "expired":
        raise ApprovalClosed(
            f"it expired at {approval.expires_at.isoformat()}: nobody decided in time",
            code="approval.expired",
            **outcome_of(approval, "expired"),
        )
    if approval.status in DECIDED:
        raise ApprovalClosed(
            f"it was {approval.status} by {approval.decided_by} already",
            code="approval.decided",
            **outcome_of(approval, approval.status),
        )
    if approval.status != "pending":
        raise ApprovalClosed(
            f"it is {approval.status}: {approval.reason}",
            code="approval.withdrawn",
            **outcome_of(approval, approval.status),
        )
    if version is not None and version != approval.version:
        raise ApprovalStale(approval.id, version, approval.version)


def outcome_of(approval: Approval, status: str) -> dict[str, object]:
    return {
        "approval_id": str(approval.id),
        "status": status,
        "decided_by": approval.decided_by,
        "decided_at": approval.decided_at and approval.decided_at.isoformat(),
        "reason": approval.reason,
    }


def _check_proof(approval: Approval, decision: Decision, proof: VerifiedProof | None) -> None:
    keyed = proof is not None and proof.method in ("passkey", "device_key")
    if decision == "approve" and approval.tier is Tier.R2 and not keyed:
        raise ProofRequired(approval.id, approval.version, approval.payload_digest)
    if keyed and proof is not None:
        try:
            statement = proof.signed_for(str(approval.id))
        except (KeyError, msgspec.ValidationError) as error:
            raise ProofMismatch("the proof does not carry the statement that was signed") from error
        if statement is None:
            raise ProofMismatch("the list that the key signed does not name this decision")
        _check_statement(approval, decision, statement)


def _check_statement(approval: Approval, decision: Decision, statement: Statement | Item) -> None:
    signed = (statement.approval, statement.decision, statement.payload_digest)
    if signed != (str(approval.id), decision, approval.payload_digest):
        raise ProofMismatch("the key signed something else than this decision: ask for a fresh statement")
    if statement.version != approval.version and approval.status == "pending":
        raise ApprovalStale(approval.id, statement.version, approval.version)


def _goes_along(asked: Approval, other: Approval, ballot: _Ballot) -> bool:
    if other.id == asked.id or other.status != "pending" or other.overdue(ballot.at):
        return False
    if asked.quorum > 1 or other.quorum > 1:
        return False
    if ballot.decision == "approve" and Tier.R2 in (asked.tier, other.tier):
        return False
    return act_of(asked.payload) == act_of(other.payload)


async def _cast(tx: Transaction, approval: Approval, ballot: _Ballot, along: list[Approval]) -> Approval:
    votes = [vote for vote in await store.fetch_votes(tx, approval.id) if vote.undone_at is None]
    _check_duties(approval, votes, ballot)
    recipient = await recipient_of_ticket(tx, approval.ticket_id) if ballot.reason else None
    vote = _vote(tx, approval, ballot, "" if recipient else ballot.reason)
    await store.insert_vote(tx, vote)
    final = ballot.decision == "reject" or len(votes) + 1 >= approval.quorum
    after = await (_close if final else _count)(tx, approval, ballot, vote)
    event = event_of(
        after,
        "decided" if final else "voted",
        actor=ballot.by.actor,
        at=ballot.at,
        subjects=(f"work_queue.approval_decisions/{vote.id}",),
        decision=ballot.decision,
        method=vote.method,
        reason=ballot.reason,
        votes=len(votes) + 1,
        effective_at=after.effective_at and after.effective_at.isoformat(),
        seconds_pending=int((ballot.at - approval.raised_at).total_seconds()),
        seconds_open=approval.opened_at and int((ballot.at - approval.opened_at).total_seconds()),
        together_with=[str(other.id) for other in along],
    )
    await append_about(tx, msgspec.structs.replace(event, approval=vote.signature), recipient)
    if final:
        await announce(tx, after, after_seconds=approval.undo_seconds if ballot.decision == "approve" else 0)
    return after


def _check_duties(approval: Approval, votes: list[Vote], ballot: _Ballot) -> None:
    if any(person(vote.decided_by) == ballot.by.sub for vote in votes):
        said = f"you have voted already; {approval.quorum} different people must agree"
        raise VoteRefused(said, code="vote.twice", quorum=approval.quorum)
    asker = person(approval.raised_by) == ballot.by.sub
    if asker and (approval.quorum > 1 or approval.apart) and ballot.decision == "approve":
        raise VoteRefused("who asks may not approve: another founder or deputy must", code="vote.asker")


def _vote(tx: Transaction, approval: Approval, ballot: _Ballot, reason: str) -> Vote:
    """`reason` stands in the row's image, which is kept for ever."""
    return Vote(
        id=new_id(),
        approval_id=approval.id,
        decision=ballot.decision,
        decided_by=ballot.by.actor,
        method=ballot.proof.method if ballot.proof else "session",
        payload_digest=approval.payload_digest,
        signature=ballot.signer.sign(_claims(tx, approval, ballot)),
        reason=reason,
        decided_at=ballot.at,
        undone_at=None,
    )


def _claims(tx: Transaction, approval: Approval, ballot: _Ballot) -> ApprovalClaims:
    proof = ballot.proof
    policy = approval.payload.get("policy")
    return ApprovalClaims(
        iss=ISSUER,
        sub=ballot.by.actor,
        tid=str(tx.tenant),
        jti=str(new_id()),
        iat=int(ballot.at.timestamp()),
        exp=int(approval.expires_at.timestamp()),
        approval=str(approval.id),
        decision=ballot.decision,
        payload_digest=approval.payload_digest,
        act_digest=approval.act_digest,
        kind=approval.kind,
        role_id=str(approval.role_id) if approval.role_id else None,
        role_version=approval.role_version,
        policy=policy if isinstance(policy, str) else None,
        run_id=str(approval.run_id) if approval.run_id else None,
        step=approval.step,
        mandate=str(ballot.mandate.id) if ballot.mandate else None,
        proof={"method": proof.method, **proof.claims} if proof else {"method": "session"},
    )


async def _close(tx: Transaction, approval: Approval, ballot: _Ballot, vote: Vote) -> Approval:
    window = timedelta(seconds=approval.undo_seconds if ballot.decision == "approve" else 0)
    return await store.update_approval(
        tx,
        approval,
        status=_BECOMES[ballot.decision],
        decided_at=ballot.at,
        effective_at=ballot.at + window,
        decided_by=ballot.by.actor,
        reason=ballot.reason,
        signature=vote.signature,
        frozen_at=None,
    )


async def _count(tx: Transaction, approval: Approval, ballot: _Ballot, vote: Vote) -> Approval:
    return await store.update_approval(tx, approval, signature=vote.signature)


async def hold_open(tx: Transaction, approval_id: UUID, version: int | None = None) -> Approval:
    """The approval, locked, while it can still be decided. Raises `ApprovalUnknown`, `ApprovalClosed`, and
    `ApprovalStale` when it is not at the `version` seen."""
    approval = await store.lock_approval(tx, approval_id)
    if approval is None:
        raise ApprovalUnknown(approval_id)
    _check_open(approval, await store.now(tx), version)
    return approval

"""The company's quorum: asked for, signed by the founders, in force until another one is."""

from datetime import timedelta

import msgspec

from app.auth import require
from app.canon.approval import ApprovalReader
from app.canon.canonical_json import digest
from app.canon.errors import Invalid
from app.canon.quorum import CompanyQuorum
from app.canon.quorum_words import quorum_question
from app.canon.vocabulary import Principal, Rol, Tier, new_id
from app.governance_ledger import Event, append
from app.postgres import Transaction
from app.work_queue import quorum_store, store
from app.work_queue.agreeing import company_quorum, deciders
from app.work_queue.approvals import consume, pending_alike, raise_approval, withdraw
from app.work_queue.model import Approval, NewApproval

_OPEN_SECONDS = 86_400


class QuorumTooLarge(Invalid):
    """More people would have to agree than can decide; `data` says how many can."""

    code = "quorum.too_large"

    def __init__(self, wanted: int, able: int) -> None:
        said = f"{wanted} people would have to agree, and {able} can decide: invite more, or ask for fewer"
        super().__init__(said, wanted=wanted, able=able)


async def propose_quorum(tx: Transaction, wanted: CompanyQuorum, *, by: Principal, undo_seconds: int) -> Approval:
    """Ask the founders to sign a quorum (kind `quorum`, R2; the one in force counts for it). Event `quorum.proposed`.

    Asking the same again returns the pending question; another quorum withdraws it. Raises `Forbidden` (founders
    only), `QuorumTooLarge`, `Invalid` for what is in force already.
    """
    require(by, Rol.FOUNDER)
    if wanted == await company_quorum(tx):
        raise Invalid("this is what holds already", code="quorum.same")
    await check_enough(tx, wanted)
    act_digest = digest(["quorum", str(tx.tenant)])
    for pending in await pending_alike(tx, act_digest):
        if pending.payload["policy"] == wanted.digest():
            return pending
        await withdraw(tx, pending.id, "asked anew with another quorum", superseded=True, actor=by.actor)
    expires_at = await store.now(tx) + timedelta(seconds=_OPEN_SECONDS)
    asked = await raise_approval(
        tx,
        NewApproval(
            kind="quorum",
            tier=Tier.R2,
            act_digest=act_digest,
            payload={**_payload(wanted), "expires_at": expires_at.isoformat()},
            expires_at=expires_at,
            undo_seconds=undo_seconds,
            actor=by.actor,
        ),
    )
    data: dict[str, object] = {**_said(wanted), "approval_id": str(asked.id)}
    subjects = (f"work_queue.approvals/{asked.id}",)
    await append(tx, Event(type="quorum.proposed", actor=by.actor, subjects=subjects, data=data))
    return asked


async def check_enough(tx: Transaction, wanted: CompanyQuorum) -> None:
    """Raises `QuorumTooLarge` where fewer people can decide than a line wants."""
    able = await deciders(tx)
    for line in wanted.lines:
        if not able.enough(line.count, line.tier, founders=line.founders):
            raise QuorumTooLarge(line.count, able.founders if line.founders else able.of(line.tier))


async def too_few_without(tx: Transaction, person: str) -> bool:
    """Whether the quorum in force could not be reached any more if this person decided no longer."""
    able = await deciders(tx, without=person)
    lines = (await company_quorum(tx)).lines
    return any(not able.enough(line.count, line.tier, founders=line.founders) for line in lines)


def _payload(wanted: CompanyQuorum) -> dict[str, object]:
    nothing = ("role", "ticket", "tool", "arguments", "money", "left_after", "terms", "cost_ceiling", "change")
    return {
        **dict.fromkeys(nothing),
        "kind": "quorum",
        "tier": "R2",
        "reason": "",
        "facts": [],
        "policy": wanted.digest(),
        "text": quorum_question(wanted),
        "company_quorum": wanted.written(),
    }


def _said(quorum: CompanyQuorum) -> dict[str, object]:
    return {"quorum": quorum.written(), "terms_digest": quorum.digest()}


async def set_quorum(tx: Transaction, approval: Approval, reader: ApprovalReader) -> CompanyQuorum | None:
    """Put a quorum in force once its approval is in effect; the one before it ends. Event `quorum.set`.

    Idempotent; None when there is nothing to do (yet). Questions that are pending keep what they were asked with.
    """
    at = await store.now(tx)
    if approval.consumed_at is not None or approval.status != "approved" or not approval.in_effect(at):
        return None
    await quorum_store.hold(tx, changing=True)
    used = await consume(tx, approval.id, payload_digest=digest(approval.payload), reader=reader)
    quorum = msgspec.convert(used.payload["company_quorum"], CompanyQuorum)
    ended, made = await quorum_store.end(tx, at), new_id()
    by = used.decided_by or ""
    await quorum_store.insert(tx, made, quorum, approval_id=used.id, signature=used.signature or "", by=by, at=at)
    event = Event(
        type="quorum.set",
        actor=by,
        subjects=(*(f"work_queue.quorums/{one}" for one in (*ended, made)), f"work_queue.approvals/{used.id}"),
        data={**_said(quorum), "quorum_id": str(made), "approval_id": str(used.id)},
        approval=used.signature,
        occurred_at=at,
    )
    await append(tx, event)
    return quorum

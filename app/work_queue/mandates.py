"""Deputies' mandates: asked for, signed by a founder, in force until they end; and a second founder's admission."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from app.auth import require
from app.canon.approval import ApprovalReader
from app.canon.canonical_json import canonical_bytes, digest
from app.canon.errors import Invalid
from app.canon.mandate import Mandate
from app.canon.vocabulary import Principal, Rol, Tier, new_id
from app.governance_ledger import Event, append
from app.postgres import Transaction
from app.work_queue import mandate_store, quorum_store, store
from app.work_queue.approvals import consume, pending_alike, raise_approval, withdraw
from app.work_queue.errors import MandateUnknown
from app.work_queue.model import Approval, GrantedMandate, NewApproval

LONGEST = timedelta(days=366)
_OPEN_SECONDS = 86_400


async def propose_mandate(
    tx: Transaction, wanted: Mandate, *, text: dict[str, str], by: Principal, undo_seconds: int
) -> Approval:
    """Ask a founder to sign a mandate (kind `mandate`, R2). Event `mandate.proposed`.

    `text` is the sentence that is shown and signed, in both languages. Asking the same again returns the pending
    question; another mandate for the same person withdraws it. Raises `Forbidden` (founders only), `Invalid`.
    """
    require(by, Rol.FOUNDER)
    at = await store.now(tx)
    _check(wanted, at)
    act_digest = digest(["mandate", str(tx.tenant), wanted.person])
    payload = _payload(wanted, text)
    for pending in await pending_alike(tx, act_digest):
        if pending.payload["policy"] == wanted.digest():
            return pending
        await withdraw(tx, pending.id, "asked anew with other bounds", superseded=True, actor=by.actor)
    expires_at = at + timedelta(seconds=_OPEN_SECONDS)
    asked = await raise_approval(
        tx,
        NewApproval(
            kind="mandate",
            tier=Tier.R2,
            act_digest=act_digest,
            payload={**payload, "expires_at": expires_at.isoformat()},
            expires_at=expires_at,
            undo_seconds=undo_seconds,
            actor=by.actor,
        ),
    )
    data: dict[str, object] = {**_said(wanted), "approval_id": str(asked.id)}
    subjects = (f"work_queue.approvals/{asked.id}",)
    await append(tx, Event(type="mandate.proposed", actor=by.actor, subjects=subjects, data=data))
    return asked


def _check(wanted: Mandate, at: datetime) -> None:
    if wanted.rol == "founder":
        return
    if wanted.ends_at is None or not at < wanted.ends_at <= at + LONGEST:
        raise Invalid("a mandate ends, within a year", code="mandate.ends")
    if not wanted.tiers or not wanted.kinds:
        raise Invalid("a mandate allows at least one risk and one kind of question", code="mandate.empty")
    if wanted.cap is not None and wanted.cap.minor <= 0:
        raise Invalid("a limit is more than nothing; leave it out where no money may move", code="mandate.limit")


def _payload(wanted: Mandate, text: dict[str, str]) -> dict[str, object]:
    return {
        "kind": "mandate",
        "role": None,
        "ticket": None,
        "tool": None,
        "arguments": None,
        "money": None,
        "left_after": None,
        "tier": "R2",
        "reason": "",
        "facts": [],
        "policy": wanted.digest(),
        "text": text,
        "terms": None,
        "mandate": wanted.written(),
        "cost_ceiling": None,
        "change": None,
    }


def _said(mandate: Mandate) -> dict[str, object]:
    return {"mandate": mandate.written(), "terms_digest": mandate.digest()}


async def grant_mandate(tx: Transaction, approval: Approval, reader: ApprovalReader) -> GrantedMandate | None:
    """Put a mandate in force once its approval is in effect; the one before it ends. Event `mandate.granted`.

    Idempotent; None when there is nothing to do (yet).
    """
    at = await store.now(tx)
    if approval.consumed_at is not None or approval.status != "approved" or not approval.in_effect(at):
        return None
    await quorum_store.hold(tx, changing=True)  # how many founders there are counts for a quorum
    used = await consume(tx, approval.id, payload_digest=digest(approval.payload), reader=reader)
    terms = msgspec.convert(used.payload["mandate"], Mandate)
    before = await mandate_store.fetch(tx, UUID(terms.person))
    if before is not None:
        await _end(tx, before, actor=used.decided_by or "", at=at)
    granted = GrantedMandate(
        id=new_id(),
        terms=terms,
        approval_id=used.id,
        signature=used.signature or "",
        granted_by=used.decided_by or "",
        granted_at=at,
        ended_at=None,
        ended_by=None,
    )
    await mandate_store.insert(tx, granted, canonical_bytes(terms.written()).decode(), terms.digest())
    event = Event(
        type="mandate.granted",
        actor=granted.granted_by,
        subjects=(f"work_queue.mandates/{granted.id}", f"work_queue.approvals/{used.id}"),
        data={**_said(terms), "mandate_id": str(granted.id), "approval_id": str(used.id)},
        approval=used.signature,
        occurred_at=at,
    )
    await append(tx, event)
    return granted


async def mandate_of(tx: Transaction, person: UUID) -> GrantedMandate | None:
    """The mandate that was not ended early; whether its time is over is the reader's question."""
    return await mandate_store.fetch(tx, person)


async def list_mandates(tx: Transaction) -> tuple[GrantedMandate, ...]:
    """All that were ever granted, newest first."""
    return await mandate_store.fetch_all(tx)


async def end_mandate(tx: Transaction, person: UUID, *, by: Principal) -> GrantedMandate:
    """End a person's mandate now; what they decided before stays. Event `mandate.ended`.

    Raises `Forbidden` (founders only), `MandateUnknown`.
    """
    require(by, Rol.FOUNDER)
    found = await mandate_store.fetch(tx, person)
    if found is None:
        raise MandateUnknown(f"{person} has no mandate that could be ended")
    return await _end(tx, found, actor=by.actor, at=await store.now(tx))


async def _end(tx: Transaction, mandate: GrantedMandate, *, actor: str, at: datetime) -> GrantedMandate:
    await mandate_store.end(tx, mandate.id, at, actor)
    data: dict[str, object] = {"mandate_id": str(mandate.id), "person": mandate.terms.person}
    subjects = (f"work_queue.mandates/{mandate.id}",)
    await append(tx, Event(type="mandate.ended", actor=actor, subjects=subjects, data=data, occurred_at=at))
    return msgspec.structs.replace(mandate, ended_at=at, ended_by=actor)

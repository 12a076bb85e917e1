"""Known parties: recipients, hosts and accounts that the founder has signed."""

from datetime import timedelta
from uuid import UUID

import msgspec

from app.auth import require
from app.canon.approval import ApprovalReader
from app.canon.canonical_json import digest
from app.canon.errors import Invalid
from app.canon.vocabulary import Principal, Rol, Tier, new_id
from app.governance_ledger import Event, append
from app.postgres import Transaction
from app.role_registry import store
from app.role_registry.errors import PartyKnown, PartyUnknown
from app.role_registry.model import NewParty, Party
from app.work_queue import Approval, NewApproval, consume, pending_alike, raise_approval

_OPEN_SECONDS = 7 * 86_400


class _Change(msgspec.Struct, frozen=True):
    after: NewParty


async def add_party(tx: Transaction, new: NewParty, *, by: Principal, undo_seconds: int) -> Approval:
    """Ask the founder to sign a party (kind `party`, R2): it is known once the approval is in effect.

    Asking the same again returns the pending approval. Event `party.proposed`. Raises `Forbidden` (founder or deputy),
    `PartyKnown`, `Invalid`.
    """
    require(by, Rol.FOUNDER, Rol.DEPUTY)
    name, address = new.name.strip(), new.address.strip()
    if not name or any(character.isspace() or not character.isprintable() for character in address):
        raise Invalid("an address has no blanks, and a party has a name")
    if any(party.address.lower() == address.lower() for party in await known_parties(tx)):
        raise PartyKnown(f"{address} is known already")
    act_digest = digest(["party", str(tx.tenant), name, address.lower()])
    pending = await pending_alike(tx, act_digest)
    if pending:
        return pending[0]
    expires_at = await store.now(tx) + timedelta(seconds=_OPEN_SECONDS)
    approval = await raise_approval(
        tx,
        NewApproval(
            kind="party",
            tier=Tier.R2,
            act_digest=act_digest,
            payload=_payload(name, address, expires_at.isoformat()),
            expires_at=expires_at,
            undo_seconds=undo_seconds,
            actor=by.actor,
        ),
    )
    data: dict[str, object] = {"name": name, "address": address, "approval_id": str(approval.id)}
    subjects = (f"work_queue.approvals/{approval.id}",)
    await append(tx, Event(type="party.proposed", actor=by.actor, subjects=subjects, data=data))
    return approval


def _payload(name: str, address: str, expires_at: str) -> dict[str, object]:
    return {
        "kind": "party",
        "role": None,
        "ticket": None,
        "tool": None,
        "arguments": None,
        "money": None,
        "left_after": None,
        "tier": "R2",
        "reason": "",
        "facts": [],
        "policy": None,
        "expires_at": expires_at,
        "text": {
            "id": f"Jadikan {name} ({address}) pihak yang dikenal?",
            "en": f"Make {name} ({address}) a known party?",
        },
        "terms": None,
        "cost_ceiling": None,
        "change": [{"field": "known_parties", "before": None, "after": {"name": name, "address": address}}],
    }


async def know_party(tx: Transaction, approval: Approval, reader: ApprovalReader) -> None:
    """Make the party known once its approval is in effect. Idempotent. Event `party.added`."""
    at = await store.now(tx)
    if approval.consumed_at is not None or approval.status != "approved" or not approval.in_effect(at):
        return
    used = await consume(tx, approval.id, payload_digest=digest(approval.payload), reader=reader)
    new = msgspec.convert(used.payload["change"], list[_Change])[0].after
    party = Party(id=new_id(), name=new.name, address=new.address, added_by=used.decided_by or "", added_at=at)
    subjects: tuple[str, ...] = (f"work_queue.approvals/{used.id}",)
    try:
        await store.insert_party(tx, party, used.signature or "")
        subjects = (f"role_registry.known_parties/{party.id}", *subjects)
    except PartyKnown:
        pass
    event = Event(
        type="party.added",
        actor=party.added_by,
        subjects=subjects,
        data={"name": party.name, "address": party.address, "approval_id": str(used.id)},
        approval=used.signature,
        occurred_at=at,
    )
    await append(tx, event)


async def known_parties(tx: Transaction) -> tuple[Party, ...]:
    """All signed parties that were not removed, in the order in which they came to be known."""
    return await store.fetch_parties(tx)


async def remove_party(tx: Transaction, party_id: UUID, by: Principal) -> Party:
    """Forget a party, at once. Event `party.removed`. Raises `Forbidden` (founder or deputy), `PartyUnknown`."""
    require(by, Rol.FOUNDER, Rol.DEPUTY)
    at = await store.now(tx)
    party = await store.remove_party(tx, party_id, at)
    if party is None:
        raise PartyUnknown(f"there is no known party {party_id}")
    event = Event(
        type="party.removed",
        actor=by.actor,
        subjects=(f"role_registry.known_parties/{party_id}",),
        data={"name": party.name, "address": party.address},
        occurred_at=at,
    )
    await append(tx, event)
    return party

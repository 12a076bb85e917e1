"""A founder with real keys who hires, approves and rejects, and a worker who acts under it; all through front doors."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from app.auth import SigningKey, b64url, raw_public
from app.canon.approval import Decision, DeviceListProof, ListProof, PasskeyListProof
from app.canon.canonical_json import digest
from app.canon.contract import ArgumentRule, Contract, OneOf
from app.canon.mandate import Mandate
from app.canon.tool import ToolSpec
from app.canon.vocabulary import Money, Principal, Risk, Rol, Tier, new_id
from app.founder_console import create_founder
from app.founder_console.model import Founder
from app.governance_ledger import Event, append, keep_evidence
from app.messages import ApprovalDecided
from app.postgres import Transaction
from app.role_registry import (
    NewRule,
    StandingRule,
    contract_in_force,
    create_company,
    hire,
    on_approval_decided,
    propose_rule,
    rules_of,
)
from app.work_queue import (
    Approval,
    Wanted,
    consume,
    decide,
    decide_list,
    get_approval,
    offer_list,
    propose_mandate,
    prove,
    raise_approval,
)
from app.work_queue.batches import Result
from tests.builders import APPROVALS, a_question, principal, some_terms
from tests.founder_console.authenticator import SoftAuthenticator
from tests.founder_console.people import BOOK, a_device_key, a_founder, a_passkey, by_device, by_passkey, offered

MAIL = ToolSpec(
    "mail",
    "Sends mail.",
    {"type": "object", "properties": {"to": {"type": "string"}}},
    Risk.OUTBOUND,
    "external",
    destinations=("to",),
)
APPROVAL_KEYS = {kid: raw_public(public) for kid, public in APPROVALS.keys.by_kid.items()}


class Company:
    """A tenant's people and keys."""

    def __init__(self, founder: Founder, by: Principal, device: SigningKey, phone: SoftAuthenticator) -> None:
        self.founder = founder
        self.by = by
        self.device = device
        self.phone = phone


async def a_company(tx: Transaction) -> Company:
    """A company whose founder has a device key and a passkey."""
    await create_company(tx, name="Warung", time_zone="Asia/Jakarta", currency="IDR", language="id", actor="system")
    founder, by = await a_founder(tx)
    return Company(founder, by, await a_device_key(tx, founder), await a_passkey(tx, founder))


async def decided(
    tx: Transaction, company: Company, approval: Approval, decision: Decision = "approve", *, by: str = "device"
) -> Approval:
    """The founder's decision with `device`, `phone` or nothing but his session."""
    proof = None
    if by != "session":
        offer = await offered(tx, company.by, approval, decision)
        signed = by_device(offer, company.device) if by == "device" else by_passkey(offer, company.phone)
        proof = await prove(tx, approval.id, decision, by=company.by, proof=signed, verifier=BOOK)
    return await decide(tx, approval.id, decision, by=company.by, signer=APPROVALS, proof=proof)


async def settled(tx: Transaction, approval: Approval) -> None:
    await on_approval_decided(tx, ApprovalDecided(tx.tenant, approval.id, None, None), reader=APPROVALS)


async def proposed(tx: Transaction, mandate: Mandate, company: Company) -> Approval:
    text = {"id": "Beri wewenang?", "en": "Give a mandate?"}
    return await propose_mandate(tx, mandate, text=text, by=company.by, undo_seconds=0)


async def admit(tx: Transaction, company: Company, person: Principal) -> None:
    """Make somebody a founder beside the first."""
    admission = Mandate(person=person.sub, name="Sari", rol="founder")
    await settled(tx, await decided(tx, company, await proposed(tx, admission, company)))


async def a_second_founder(tx: Transaction, company: Company) -> Company:
    """Somebody with keys of their own whom the first has admitted."""
    sari = await create_founder(tx, name="Sari", language="id", rol=Rol.FOUNDER)
    other = Company(
        sari, principal(tx.tenant, Rol.FOUNDER, str(sari.id)), await a_device_key(tx, sari), await a_passkey(tx, sari)
    )
    await admit(tx, company, other.by)
    return other


async def a_role(tx: Transaction, company: Company, *, by: str = "device") -> Contract:
    """A role that the founder hired with his own key."""
    role = await hire(tx, some_terms(), by=company.by, undo_seconds=0)
    assert role.pending is not None
    await settled(tx, await decided(tx, company, await get_approval(tx, role.pending.approval_id), by=by))
    return await contract_in_force(tx, role.id)


async def decided_together(
    tx: Transaction, company: Company, *approvals: Approval, by: str = "device", decision: Decision = "approve"
) -> tuple[Result, ...]:
    """The founder's one signature over the list of decisions."""
    wanted = [Wanted(one.id, decision, one.version) for one in approvals]
    offer = await offer_list(tx, wanted, by=company.by, verifier=BOOK)
    proof: ListProof
    if by == "device":
        signature = b64url(company.device.sign(offer.statement.challenge()))
        proof = DeviceListProof(company.device.kid, offer.statement, signature)
    else:
        assert offer.passkey is not None
        proof = PasskeyListProof(offer.statement, company.phone.get(offer.passkey))
    return await decide_list(tx, wanted, by=company.by, signer=APPROVALS, verifier=BOOK, proof=proof)


async def a_rule(tx: Transaction, company: Company, contract: Contract, *, uses: int = 2) -> StandingRule:
    """A rule that the founder signed: mail to one address, without asking."""
    new = NewRule(
        role_id=contract.role_id,
        tool=MAIL.name,
        bounds=(ArgumentRule("to", (OneOf(("a@b.example",)),)),),
        uses=uses,
        until=datetime.now(UTC) + timedelta(days=2),
    )
    asked = await propose_rule(tx, new, by=company.by, tools={MAIL.name: MAIL}, undo_seconds=0)
    signed = await decided(tx, company, asked)
    await on_approval_decided(tx, ApprovalDecided(tx.tenant, signed.id, None, None), reader=APPROVALS)
    (rule, *_) = await rules_of(tx, contract.role_id)
    return rule


class Call:
    """One call of a tool by the role, in a run and step of its own."""

    def __init__(
        self,
        tx: Transaction,
        contract: Contract,
        arguments: Mapping[str, Any],
        *,
        tool: str = "mail",
        schema_hash: str = "5" * 64,
    ) -> None:
        self.contract = contract
        self.arguments = dict(arguments)
        self.tool = tool
        self.run_id, self.step = new_id(), 3
        self.ticket_id: UUID | None = None
        self.schema_hash = schema_hash
        self.act_digest = digest([str(tx.tenant), str(contract.role_id), tool, schema_hash, self.arguments])

    async def ask(self, tx: Transaction, tier: Tier = Tier.R1) -> Approval:
        """The question whether it may be made."""
        payload = {
            "kind": "tool_call",
            "tier": str(tier),
            "tool": {"name": self.tool, "schema_hash": "5" * 64},
            "arguments": self.arguments,
            "role": {"id": str(self.contract.role_id), "version": self.contract.version},
            "policy": self.contract.digest,
        }
        question = a_question(
            payload=payload,
            tier=tier,
            act_digest=self.act_digest,
            run_id=self.run_id,
            ticket_id=self.ticket_id,
            step=self.step,
            role_id=self.contract.role_id,
            role_version=self.contract.version,
            tool=self.tool,
            money=Money(5000),
        )
        return await raise_approval(tx, question)

    async def record(
        self,
        tx: Transaction,
        what: str,
        *,
        under: Approval | None = None,
        signature: str | None = None,
        subjects: tuple[str, ...] = (),
        **data: object,
    ) -> UUID:
        """Append `tool.<what>` as the gate does."""
        said = {
            "tool": self.tool,
            "schema_hash": self.schema_hash,
            "act_digest": self.act_digest,
            "role_id": str(self.contract.role_id),
            "role_version": self.contract.version,
            "policy": self.contract.digest,
            "approval_id": None if under is None else str(under.id),
            **data,
        }
        kept = await keep_evidence(tx, self.document(), media_type="application/json", name=f"step-{self.step}.json")
        event = Event(
            type=f"tool.{what}",
            actor=f"worker:{self.contract.role_id}",
            subjects=subjects if under is None else (f"work_queue.approvals/{under.id}",),
            ticket_id=self.ticket_id,
            run_id=self.run_id,
            step=self.step,
            data=said,
            approval=signature or (self.contract.signature if under is None else under.signature),
            evidence=(kept,),
        )
        return (await append(tx, event)).event_id

    def document(self) -> bytes:
        """The evidence of the call."""
        said = {"tool": self.tool, "schema_hash": self.schema_hash, "run_id": str(self.run_id), "step": self.step}
        return json.dumps({**said, "arguments": self.arguments, "answer": None}).encode()

    async def use(self, tx: Transaction, approval: Approval) -> Approval:
        """Use the approval up and record the call."""
        used = await consume(tx, approval.id, payload_digest=approval.payload_digest, reader=APPROVALS)
        await self.record(tx, "done", under=used)
        return used

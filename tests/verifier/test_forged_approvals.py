"""Approval signatures that were forged, reused or bent are found in the live ledger and in an export of it."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.auth import ApprovalTokens, KeyRing, SigningKey, b64url
from app.canon.approval import ApprovalClaims, Item, ListStatement, Statement
from app.canon.canonical_json import digest
from app.canon.contract import Contract
from app.canon.vocabulary import Tier, new_id
from app.governance_ledger import Event, append
from app.postgres import Database, Transaction
from app.role_registry import revoke_rule
from app.verifier.keys import Trusted
from app.work_queue import Approval, raise_approval
from app.work_queue.approvals import event_of
from tests.builders import APPROVALS, a_question
from tests.governance_ledger.ledgers import KEY, OTHER, TENANT, sign, verify
from tests.verifier.decisions import APPROVAL_KEYS, MAIL, Call, Company, a_company, a_role, a_rule, decided
from tests.verifier.files import checked, exported

TRUSTED = Trusted({KEY.kid: KEY.raw_public}, APPROVAL_KEYS)
STRANGER = SigningKey(Ed25519PrivateKey.generate())
OF_A_STRANGER = ApprovalTokens(KeyRing({STRANGER.kid: STRANGER.public}, "approval", STRANGER))


class Scene:
    """A company with a role and a call that waits for the founder."""

    def __init__(self, tx: Transaction, company: Company, contract: Contract) -> None:
        self.tx = tx
        self.company = company
        self.contract = contract
        self.call = Call(tx, contract, {"to": "a@b.example"})

    async def asked(self, tier: Tier = Tier.R1) -> Approval:
        return await self.call.ask(self.tx, tier)

    async def approved(self) -> Approval:
        return await decided(self.tx, self.company, await self.asked())

    def claims(self, approval: Approval, **changes: Any) -> ApprovalClaims:
        """What the API would sign, but for `changes`."""
        at = int(approval.raised_at.timestamp())
        claims = ApprovalClaims(
            iss="flr",
            sub=self.company.by.actor,
            tid=str(TENANT),
            jti=str(new_id()),
            iat=at,
            exp=at + 3600,
            approval=str(approval.id),
            decision="approve",
            payload_digest=approval.payload_digest,
            act_digest=approval.act_digest,
            kind=approval.kind,
            role_id=str(approval.role_id),
            role_version=approval.role_version,
            policy=self.contract.digest,
            run_id=str(approval.run_id),
            step=approval.step,
            proof=changes.pop("proof", None) or self.proof(approval),
        )
        return msgspec.structs.replace(claims, **changes)

    def proof(
        self, approval: Approval, *, key: SigningKey | None = None, nonce: str = "", **bent: Any
    ) -> dict[str, Any]:
        """A device key's proof, but for what is `bent` in its statement after signing."""
        key = key or self.company.device
        statement = Statement(str(approval.id), "approve", 1, approval.payload_digest, nonce or str(new_id()), 0)
        said = msgspec.to_builtins(statement)
        return {
            "method": "device_key",
            "kid": key.kid,
            "public_key": b64url(key.raw_public),
            "signature": b64url(key.sign(statement.challenge())),
            "statement": said | bent,
        }

    async def decide(self, approval: Approval, claims: ApprovalClaims, by: ApprovalTokens = APPROVALS) -> str:
        """Record the decision as the API would; the token."""
        token = by.sign(claims)
        at = approval.raised_at
        event = event_of(
            approval,
            "decided",
            actor=self.company.by.actor,
            at=at,
            decision=claims.decision,
            method=claims.proof["method"],
        )
        await append(self.tx, msgspec.structs.replace(event, approval=token))
        return token


Attack = Callable[[Scene], Awaitable[object]]


async def no_signature(scene: Scene) -> None:
    await append(scene.tx, Event(type="tool.done", actor="worker:7", data={"tool": "mail"}))


async def no_jwt(scene: Scene) -> None:
    await scene.call.record(scene.tx, "done", signature="signed, the founder")


async def an_edited_jwt(scene: Scene) -> None:
    head, body, signature = scene.contract.signature.split(".")
    await scene.call.record(scene.tx, "done", signature=f"{head}.{body[:-8]}{body[-4:]}AAAA.{signature}")


async def signed_by_a_stranger(scene: Scene) -> None:
    approval = await scene.asked()
    await scene.decide(approval, scene.claims(approval), OF_A_STRANGER)


async def of_another_tenant(scene: Scene) -> None:
    approval = await scene.asked()
    await scene.decide(approval, scene.claims(approval, tid=str(OTHER)))


async def _wanting_two(scene: Scene) -> Approval:
    return await raise_approval(scene.tx, msgspec.structs.replace(a_question(), quorum=2))


async def short_of_its_quorum(scene: Scene) -> None:
    approval = await _wanting_two(scene)
    await scene.decide(approval, scene.claims(approval, role_id=None, policy=None, run_id=None))


async def by_one_person_twice(scene: Scene) -> None:
    approval = await _wanting_two(scene)
    voted = await decided(scene.tx, scene.company, approval)
    await scene.decide(voted, scene.claims(approval, role_id=None, policy=None, run_id=None))


async def with_the_quorum_lowered_afterwards(scene: Scene) -> None:
    approval = await _wanting_two(scene)
    await scene.decide(
        msgspec.structs.replace(approval, quorum=1), scene.claims(approval, role_id=None, policy=None, run_id=None)
    )


async def reused(scene: Scene) -> None:
    used = await scene.call.use(scene.tx, await scene.approved())
    await scene.call.record(scene.tx, "done", under=used)


async def for_other_arguments(scene: Scene) -> None:
    approval = await scene.approved()
    scene.call.act_digest = "0" * 64
    await scene.call.record(scene.tx, "done", under=approval)


async def evidence_of_other_arguments(scene: Scene) -> None:
    approval = await scene.approved()
    scene.call.arguments = {"to": "thief@b.example"}
    await scene.call.record(scene.tx, "done", under=approval)


async def for_another_step(scene: Scene) -> None:
    approval = await scene.approved()
    scene.call.step += 1
    await scene.call.record(scene.tx, "done", under=approval)


async def under_another_contract(scene: Scene) -> None:
    await scene.call.record(scene.tx, "done", role_version=2)


async def never_decided(scene: Scene) -> None:
    approval = await scene.asked()
    await scene.call.record(scene.tx, "done", signature=APPROVALS.sign(scene.claims(approval)))


async def expired(scene: Scene) -> None:
    approval = await scene.asked()
    await scene.decide(approval, scene.claims(approval, exp=int(approval.raised_at.timestamp()) - 1))


async def backdated(scene: Scene) -> None:
    approval = await scene.asked()
    await scene.decide(approval, scene.claims(approval, iat=int(approval.raised_at.timestamp()) - 7200))


async def over_another_payload(scene: Scene) -> None:
    approval = await scene.asked()
    digest = "1" * 64
    await scene.decide(approval, scene.claims(approval, payload_digest=digest, proof={"method": "session"}))


async def without_the_founders_key(scene: Scene) -> None:
    approval = await scene.asked(Tier.R2)
    await scene.decide(approval, scene.claims(approval, proof={"method": "session"}))


async def with_a_key_nobody_knows(scene: Scene) -> None:
    approval = await scene.asked()
    await scene.decide(approval, scene.claims(approval, proof=scene.proof(approval, key=STRANGER)))


async def with_a_statement_bent_afterwards(scene: Scene) -> None:
    approval = await scene.asked()
    await scene.decide(approval, scene.claims(approval, proof=scene.proof(approval, payload_digest="1" * 64)))


async def with_a_statement_of_another_question(scene: Scene) -> None:
    approval, other = await scene.asked(), await Call(scene.tx, scene.contract, {"to": "z"}).ask(scene.tx)
    await scene.decide(approval, scene.claims(approval, proof=scene.proof(other)))


async def with_a_statement_used_before(scene: Scene) -> None:
    approval = await scene.asked()
    await scene.decide(approval, scene.claims(approval, proof=scene.proof(approval, nonce="once")))
    await scene.decide(approval, scene.claims(approval, proof=scene.proof(approval, nonce="once")))


def _listed(scene: Scene, *approvals: Approval, nonce: str = "", **bent: Any) -> dict[str, Any]:
    """A device key's proof over a list, but for what is `bent` in it after signing."""
    items = tuple(Item(str(one.id), "approve", 1, one.payload_digest) for one in approvals)
    statement = ListStatement(items, nonce or str(new_id()), 0)
    key = scene.company.device
    return {
        "method": "device_key",
        "kid": key.kid,
        "public_key": b64url(key.raw_public),
        "signature": b64url(key.sign(statement.challenge())),
        "statement": msgspec.to_builtins(statement) | bent,
    }


async def _two(scene: Scene) -> tuple[Approval, Approval]:
    return await scene.asked(), await Call(scene.tx, scene.contract, {"to": "z@b.example"}).ask(scene.tx)


async def with_a_list_that_does_not_name_it(scene: Scene) -> None:
    first, second = await _two(scene)
    await scene.decide(first, scene.claims(first, proof=_listed(scene, second)))


async def with_a_name_added_to_a_signed_list(scene: Scene) -> None:
    first, second = await _two(scene)
    items = [msgspec.to_builtins(Item(str(one.id), "approve", 1, one.payload_digest)) for one in (first, second)]
    await scene.decide(second, scene.claims(second, proof=_listed(scene, first, items=items)))


async def with_a_list_that_rejects_it(scene: Scene) -> None:
    first, _ = await _two(scene)
    proof = _listed(scene, first)
    item = Item(str(first.id), "reject", 1, first.payload_digest)
    statement = ListStatement((item,), "n", 0)
    signature = b64url(scene.company.device.sign(statement.challenge()))
    proof |= {"statement": msgspec.to_builtins(statement), "signature": signature}
    await scene.decide(first, scene.claims(first, proof=proof))


async def with_an_item_of_a_list_used_twice(scene: Scene) -> None:
    first, second = await _two(scene)
    proof = _listed(scene, first, second)
    await scene.decide(first, scene.claims(first, proof=proof))
    await scene.decide(first, scene.claims(first, proof=proof))


async def with_one_nonce_for_two_lists(scene: Scene) -> None:
    first, second = await _two(scene)
    await scene.decide(first, scene.claims(first, proof=_listed(scene, first, nonce="once")))
    await scene.decide(second, scene.claims(second, proof=_listed(scene, second, nonce="once")))


async def with_a_list_under_the_type_of_one_decision(scene: Scene) -> None:
    first, second = await _two(scene)
    await scene.decide(first, scene.claims(first, proof=_listed(scene, first, second, typ="flr.decision.v1")))


async def with_a_list_that_names_it_twice(scene: Scene) -> None:
    first, _ = await _two(scene)
    await scene.decide(first, scene.claims(first, proof=_listed(scene, first, first)))


async def _under_rule(scene: Scene, signature: str, **bent: Any) -> None:
    call = Call(scene.tx, scene.contract, {"to": "a@b.example"}, schema_hash=MAIL.schema_hash)
    await call.record(scene.tx, "done", signature=signature, **bent)


async def a_rule_used_too_often(scene: Scene) -> None:
    rule = await a_rule(scene.tx, scene.company, scene.contract, uses=1)
    for _ in range(2):
        await _under_rule(scene, rule.signature)


async def a_rule_used_after_it_was_revoked(scene: Scene) -> None:
    rule = await a_rule(scene.tx, scene.company, scene.contract)
    await revoke_rule(scene.tx, rule.id, scene.company.by)
    await _under_rule(scene, rule.signature)


async def a_rule_for_another_tool(scene: Scene) -> None:
    rule = await a_rule(scene.tx, scene.company, scene.contract)
    await _under_rule(scene, rule.signature, tool="transfer")


async def a_rule_with_other_terms(scene: Scene) -> None:
    rule = await a_rule(scene.tx, scene.company, scene.contract)
    wider = {**rule.terms.written(), "uses": 900}
    data: dict[str, object] = {
        "rule": wider,
        "terms_digest": digest(wider),
        "approval_id": str(rule.approval_id),
        "rule_id": str(rule.id),
    }
    event = Event(type="rule.made", actor=scene.company.by.actor, data=data, approval=rule.signature)
    await append(scene.tx, event)


async def a_rules_signature_on_something_else(scene: Scene) -> None:
    rule = await a_rule(scene.tx, scene.company, scene.contract)
    await append(scene.tx, Event(type="x.paid", actor="worker:7", approval=rule.signature))


async def in_somebody_elses_name(scene: Scene) -> None:
    approval = await scene.asked()
    await scene.decide(approval, scene.claims(approval, sub="founder:7"))


async def after_it_was_taken_back(scene: Scene) -> None:
    approval = await scene.asked()
    yes = await scene.decide(approval, scene.claims(approval))
    await append(scene.tx, event_of(approval, "undone", actor=scene.company.by.actor, at=approval.raised_at))
    await scene.call.record(scene.tx, "done", signature=yes, approval_id=str(approval.id))


async def against_a_no(scene: Scene) -> None:
    no = await decided(scene.tx, scene.company, await scene.asked(), "reject", by="session")
    await scene.call.record(scene.tx, "done", under=no)


async def with_a_phone_that_did_not_look(scene: Scene) -> None:
    approval = await scene.asked()
    said = msgspec.to_builtins(Statement(str(approval.id), "approve", 1, approval.payload_digest, "n", 0))
    statement = msgspec.convert(said, Statement)
    scene.company.phone.verified = False
    signed = scene.company.phone.get({"challenge": b64url(statement.challenge())})
    proof = {
        "method": "passkey",
        "statement": said,
        "credential_id": signed["id"],
        "public_key": "",
        "client_data_json": signed["response"]["clientDataJSON"],
        "authenticator_data": signed["response"]["authenticatorData"],
        "signature": signed["response"]["signature"],
        "rp_id": "console.local",
    }
    await scene.decide(approval, scene.claims(approval, proof=proof))


async def a_contract_that_was_not_signed(scene: Scene) -> None:
    data = {
        "role_id": str(scene.contract.role_id),
        "version": 2,
        "terms_digest": "2" * 64,
        "approval_id": str(new_id()),
    }
    event = Event(type="role.hired", actor=scene.company.by.actor, data=data, approval=scene.contract.signature)
    await append(scene.tx, event)


async def a_contracts_signature_on_something_else(scene: Scene) -> None:
    await append(scene.tx, Event(type="x.paid", actor="worker:7", approval=scene.contract.signature))


ATTACKS: dict[Attack, str] = {
    no_signature: "tool.done without an approval signature",
    no_jwt: "is not a JWT",
    an_edited_jwt: "does not hold|is not a JWT",
    signed_by_a_stranger: "by an unknown key",
    of_another_tenant: "another tenant's",
    short_of_its_quorum: "approved by 1 where 2 different people must agree",
    by_one_person_twice: "approved by 1 where 2 different people must agree",
    with_the_quorum_lowered_afterwards: "approved by 1 where 2 different people must agree",
    reused: "was used before",
    for_other_arguments: "over other arguments",
    for_another_step: "for another step",
    under_another_contract: "under another contract",
    never_decided: "of no decision that the ledger has recorded",
    expired: "after the question had expired",
    backdated: "backdated",
    over_another_payload: "over another decision",
    without_the_founders_key: "without the founder's own key",
    with_a_key_nobody_knows: "is not one that the ledger made known",
    with_a_statement_bent_afterwards: "signature does not hold",
    with_a_statement_of_another_question: "signed something else",
    with_a_statement_used_before: "statement was used before",
    a_rule_used_too_often: "more often than the founder signed",
    a_rule_used_after_it_was_revoked: "rule that was revoked",
    a_rule_for_another_tool: "rule for something else",
    a_rule_with_other_terms: "used before|not the one that the founder signed",
    a_rules_signature_on_something_else: "under the signature of a rule",
    with_a_list_that_does_not_name_it: "signed something else",
    with_a_name_added_to_a_signed_list: "signature does not hold",
    with_a_list_that_rejects_it: "signed something else",
    with_an_item_of_a_list_used_twice: "statement was used before",
    with_one_nonce_for_two_lists: "statement was used before",
    with_a_list_under_the_type_of_one_decision: "signature does not hold|is not complete",
    with_a_list_that_names_it_twice: "signed something else",
    in_somebody_elses_name: "for somebody else",
    after_it_was_taken_back: "had taken the approval back",
    against_a_no: "under a decision to reject",
    with_a_phone_that_did_not_look: "user was not verified",
    a_contract_that_was_not_signed: "not the one that the founder signed",
    a_contracts_signature_on_something_else: "under the signature of a contract",
}


async def staged(database: Database, attack: Attack) -> None:
    async with database.transaction(TENANT) as tx:
        company = await a_company(tx)
        contract = await a_role(tx, company)
    async with database.transaction(TENANT) as tx:
        await attack(Scene(tx, company, contract))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_a_bent_approval_is_found_and_named(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path, attack: Attack
) -> None:
    await staged(database, attack)
    await sign(sealer)
    live = await verify(database, full=True, keys=TRUSTED.seal, approval_keys=APPROVAL_KEYS)
    report = checked(await exported(database, tmp_path), trusted=TRUSTED)
    for found in (live.first_break, report.first_break):
        assert found is not None
        assert re.search(ATTACKS[attack], found.reason), found
        assert found.seq is not None
        assert found.event_id is not None
    assert live.first_break is not None
    assert report.first_break is not None
    assert live.first_break.seq == report.first_break.seq


async def test_evidence_that_shows_other_arguments_than_were_signed_is_found(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    await staged(database, evidence_of_other_arguments)
    await sign(sealer)
    report = checked(await exported(database, tmp_path, evidence=True), trusted=TRUSTED)
    assert report.first_break is not None
    assert "other arguments than the event records" in report.first_break.reason

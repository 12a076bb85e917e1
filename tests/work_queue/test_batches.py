"""Many decisions at once: one signature over the list, each with its own result."""

from uuid import UUID, uuid4

import pytest

from app.auth import b64url
from app.canon.approval import DeviceListProof, Item, ListProof, PasskeyListProof
from app.canon.canonical_json import digest
from app.canon.errors import Invalid
from app.canon.vocabulary import Principal, Rol, Tier
from app.founder_console import create_founder
from app.postgres import Database, Transaction
from app.work_queue import (
    Approval,
    NewApproval,
    Wanted,
    decide,
    decide_list,
    get_approval,
    offer_list,
    raise_approval,
    votes_of,
)
from app.work_queue.batches import Result
from app.work_queue.errors import ApprovalClosed, ApprovalStale, ApprovalUnknown, ProofMismatch, ProofRequired
from tests.builders import APPROVALS, a_question, principal
from tests.founder_console.people import BOOK, a_device_key, a_founder, a_passkey


def question(name: str, tier: Tier = Tier.R1) -> NewApproval:
    return a_question(tier=tier, act_digest=digest([name]), payload={"kind": "tool_call", "arguments": {"what": name}})


async def decided(
    tx: Transaction, wanted: list[Wanted], by: Principal, proof: ListProof | None = None
) -> tuple[Result, ...]:
    return await decide_list(tx, wanted, by=by, signer=APPROVALS, verifier=BOOK, proof=proof)


async def status(tx: Transaction, approval_id: UUID) -> str:
    return (await get_approval(tx, approval_id)).status


@pytest.mark.parametrize("key", ["device", "phone"])
async def test_one_signature_approves_a_list_of_high_risk(database: Database, key: str) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, by = await a_founder(tx)
        device, phone = await a_device_key(tx, founder), await a_passkey(tx, founder)
        asked = [await raise_approval(tx, question(name, Tier.R2)) for name in "abc"]
        wanted = [Wanted(one.id, "approve", one.version) for one in asked]
        offer = await offer_list(tx, wanted, by=by, verifier=BOOK)
        assert offer.statement.items == tuple(Item(str(one.id), "approve", 1, one.payload_digest) for one in asked)
        signature = b64url(device.sign(offer.statement.challenge()))
        proof: ListProof = DeviceListProof(device.kid, offer.statement, signature)
        if key == "phone":
            assert offer.passkey is not None
            proof = PasskeyListProof(offer.statement, phone.get(offer.passkey))
        results = await decided(tx, wanted, by, proof)
        assert [result.approval and result.approval.status for result in results] == ["approved"] * 3
        for one in asked:
            (vote,) = await votes_of(tx, one.id)
            kept = APPROVALS.read(vote.signature)
            assert kept.approval == str(one.id)
            assert len(kept.proof["statement"]["items"]) == 3  # type: ignore[index]
        with pytest.raises(ProofMismatch, match="used"):
            await decided(tx, wanted, by, proof)


async def test_each_decision_has_its_own_result(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, by = await a_founder(tx)
        device = await a_device_key(tx, founder)
        fine, stale, closed, no = [await raise_approval(tx, question(name, Tier.R2)) for name in "abcd"]
        wanted = [
            Wanted(fine.id, "approve", 1),
            Wanted(stale.id, "approve", 7),
            Wanted(closed.id, "approve", 1),
            Wanted(no.id, "reject", 1, "too dear"),
        ]
        offer = await offer_list(tx, wanted, by=by, verifier=BOOK)
        await decide(tx, closed.id, "reject", by=by, signer=APPROVALS, proof=None)
        proof = DeviceListProof(device.kid, offer.statement, b64url(device.sign(offer.statement.challenge())))
        results = await decided(tx, wanted, by, proof)
        assert [type(result.refused) for result in results] == [type(None), ApprovalStale, ApprovalClosed, type(None)]
        assert [await status(tx, one.id) for one in (fine, stale, closed, no)] == [
            "approved",
            "pending",
            "rejected",
            "rejected",
        ]
        assert (await get_approval(tx, no.id)).reason == "too dear"


async def test_without_a_key_low_risk_is_decided_and_high_risk_is_not(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        by = principal(tx.tenant)
        low, high = await raise_approval(tx, question("a")), await raise_approval(tx, question("b", Tier.R2))
        unknown = Wanted(uuid4(), "approve")
        results = await decided(tx, [Wanted(low.id, "approve"), Wanted(high.id, "approve"), unknown], by)
        assert [type(result.refused) for result in results] == [type(None), ProofRequired, ApprovalUnknown]


async def test_the_signature_covers_no_more_than_the_list(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, by = await a_founder(tx)
        device = await a_device_key(tx, founder)
        first, second = [await raise_approval(tx, question(name, Tier.R2)) for name in "ab"]
        offer = await offer_list(tx, [Wanted(first.id, "approve")], by=by, verifier=BOOK)
        proof = DeviceListProof(device.kid, offer.statement, b64url(device.sign(offer.statement.challenge())))
        results = await decided(tx, [Wanted(first.id, "approve"), Wanted(second.id, "approve")], by, proof)
        assert results[0].approval is not None
        assert isinstance(results[1].refused, ProofMismatch)
        flipped = await offer_list(tx, [Wanted(second.id, "reject")], by=by, verifier=BOOK)
        proof = DeviceListProof(device.kid, flipped.statement, b64url(device.sign(flipped.statement.challenge())))
        (result,) = await decided(tx, [Wanted(second.id, "approve")], by, proof)
        assert isinstance(result.refused, ProofMismatch)


async def test_a_signature_by_another_key_decides_nothing(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, by = await a_founder(tx)
        await a_device_key(tx, founder)
        other = await create_founder(tx, name="Budi", language="id", rol=Rol.DEPUTY)
        stranger = await a_device_key(tx, other)
        asked = await raise_approval(tx, question("a", Tier.R2))
        offer = await offer_list(tx, [Wanted(asked.id, "approve")], by=by, verifier=BOOK)
        proof = DeviceListProof(stranger.kid, offer.statement, b64url(stranger.sign(offer.statement.challenge())))
        with pytest.raises(ProofMismatch, match="not registered for you"):
            await decided(tx, [Wanted(asked.id, "approve")], by, proof)
        assert await status(tx, asked.id) == "pending"


async def test_equal_acts_of_a_list_each_get_a_decision_of_their_own(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, by = await a_founder(tx)
        device = await a_device_key(tx, founder)
        twins: list[Approval] = [await raise_approval(tx, question("same")) for _ in range(2)]
        wanted = [Wanted(one.id, "approve") for one in twins]
        offer = await offer_list(tx, wanted, by=by, verifier=BOOK)
        proof = DeviceListProof(device.kid, offer.statement, b64url(device.sign(offer.statement.challenge())))
        await decided(tx, wanted, by, proof)
        votes = [vote for one in twins for vote in await votes_of(tx, one.id)]
        assert [vote.method for vote in votes] == ["device_key", "device_key"]


async def test_an_approval_stands_once_in_a_list(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        asked = await raise_approval(tx, question("a"))
        with pytest.raises(Invalid, match="twice"):
            await decided(tx, [Wanted(asked.id, "approve"), Wanted(asked.id, "reject")], principal(tx.tenant))

"""Questions to the founder: asked, decided by the right people with the right key, used once, never forgotten."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from app.auth import ApprovalTokens, KeyRing, SigningKey
from app.canon.approval import Decision, Item, ListOffer, ListProof, Proof, ProofRefused, VerifiedProof
from app.canon.canonical_json import digest
from app.canon.errors import Forbidden, Invalid
from app.canon.vocabulary import Principal, Rol, Tier, new_id
from app.governance_ledger import Event, EventFilter, RecordedEvent, append, read_events
from app.postgres import Database, Transaction
from app.work_queue import (
    Approval,
    consume,
    decide,
    expire,
    expire_due,
    freeze,
    get_approval,
    list_approvals,
    mark_opened,
    mark_shown,
    pending_of_ticket,
    prove,
    raise_approval,
    rejected_before,
    store,
    tenants_with_due_approvals,
    thaw,
    undo,
    votes_of,
    withdraw,
)
from app.work_queue.errors import (
    ApprovalClosed,
    ApprovalStale,
    ApprovalUnknown,
    ApprovalUnusable,
    BeyondMandate,
    ProofMismatch,
    ProofRequired,
    VoteRefused,
)
from tests.builders import APPROVALS, a_deputy, a_question, a_ticket, principal, signed


async def events(tx: Transaction, family: str = "approval.") -> list[RecordedEvent]:
    return list((await read_events(tx, EventFilter(type=family), limit=200, newest_first=False)).items)


async def tap(
    tx: Transaction, approval: Approval, decision: Decision = "approve", by: Principal | None = None, **more: Any
) -> Approval:
    """A decision without a key."""
    return await decide(tx, approval.id, decision, by=by or principal(tx.tenant), signer=APPROVALS, proof=None, **more)


async def later(tx: Transaction, seconds: float) -> None:
    """Let business time go on."""
    await tx.connection.execute(
        "SELECT set_config('app.now', (clock.now() + make_interval(secs => $1))::text, true)", float(seconds)
    )


def payload_of(**changes: Any) -> dict[str, Any]:
    return {"kind": "tool_call", "tier": "R1", "tool": {"name": "mail"}, "arguments": {"to": "a@b.example"}, **changes}


async def test_a_question_is_recorded_announced_and_pending(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        ticket = await a_ticket(tx, principal(tx.tenant))
        asked = await raise_approval(tx, a_question(ticket_id=ticket.id))
        assert await get_approval(tx, asked.id) == asked
        assert asked.payload_digest == digest(asked.payload)
        assert await pending_of_ticket(tx, ticket.id) == (asked,)
        raised = (await events(tx))[0]
        assert raised.data["money"] == {"minor": "5000", "currency": "IDR"}
        assert (raised.ticket_id, raised.actor) == (ticket.id, "worker:mira")
        count = "SELECT count(*) FROM work_queue.pgqueuer WHERE entrypoint = 'approval_raised'"
        assert await tx.connection.fetchval(count) == 1


async def test_asking_the_same_again_for_a_step_asks_once(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        new = a_question(run_id=new_id(), step=3)
        first = await raise_approval(tx, new)
        assert (await raise_approval(tx, new)).id == first.id
        other = msgspec.structs.replace(new, payload=payload_of(reason="the contract changed"))
        second = await raise_approval(tx, other)
        assert (await get_approval(tx, first.id)).status == "superseded"
        assert [approval.id for approval in (await list_approvals(tx, status="pending")).items] == [second.id]


async def test_a_question_that_would_expire_at_once_is_refused(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        with pytest.raises(Invalid):
            await raise_approval(tx, a_question(in_seconds=-1))


async def test_an_approval_is_signed_over_exactly_what_was_shown(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        asked = await raise_approval(tx, a_question(run_id=new_id(), step=2, role_id=new_id(), role_version=4))
        done = await tap(tx, asked, by=founder)
        assert (done.status, done.decided_by, done.version) == ("approved", founder.actor, 2)
        claims = APPROVALS.read(done.signature or "")
        assert (claims.approval, claims.payload_digest, claims.act_digest) == (
            str(asked.id),
            asked.payload_digest,
            asked.act_digest,
        )
        assert (claims.tid, claims.sub, claims.step, claims.role_version) == (str(tx.tenant), founder.actor, 2, 4)
        decided = (await events(tx, "approval.decided"))[0]
        assert decided.approval_signature == done.signature
        vote = (await votes_of(tx, asked.id))[0]
        assert (vote.method, vote.signature) == ("session", done.signature)
        assert f"work_queue.approval_decisions/{vote.id}" in decided.subjects


@pytest.mark.parametrize("rol", [Rol.OPERATOR, Rol.AUDITOR, Rol.WORKER, Rol.SERVICE])
@pytest.mark.parametrize("decision", ["approve", "reject"])
async def test_only_founders_and_deputies_decide(database: Database, rol: Rol, decision: Decision) -> None:
    async with database.transaction(new_id()) as tx:
        asked = await raise_approval(tx, a_question())
        with pytest.raises(Forbidden):
            await tap(tx, asked, decision, principal(tx.tenant, rol))
        assert (await get_approval(tx, asked.id)).status == "pending"


async def test_a_deputy_decides_too(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        asked = await raise_approval(tx, a_question())
        deputy = await a_deputy(tx, principal(tx.tenant))
        assert (await tap(tx, asked, by=deputy)).status == "approved"


@pytest.mark.parametrize("kind", ["hire", "amend", "budget_raise"])
async def test_a_contract_is_signed_by_a_founder_and_by_nobody_else(database: Database, kind: str) -> None:
    async with database.transaction(new_id()) as tx:
        deputy = await a_deputy(tx, principal(tx.tenant))
        asked = await raise_approval(tx, a_question(kind=kind, tier=Tier.R2))
        with pytest.raises(Forbidden):
            await decide(tx, asked.id, "approve", by=deputy, signer=APPROVALS, proof=signed(asked))
        assert (await tap(tx, asked, "reject", deputy)).status == "rejected"


async def test_another_tenants_question_is_not_there(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        asked = await raise_approval(tx, a_question())
    async with database.transaction(new_id()) as tx:
        with pytest.raises(ApprovalUnknown):
            await tap(tx, asked)
        with pytest.raises(ApprovalUnknown):
            await consume(tx, asked.id, payload_digest=asked.payload_digest, reader=APPROVALS)


async def test_what_cannot_be_undone_needs_the_founders_own_key(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        asked = await raise_approval(tx, a_question(tier=Tier.R2))
        with pytest.raises(ProofRequired) as needed:
            await tap(tx, asked, by=founder)
        assert needed.value.data["methods"] == ["passkey", "device_key"]
        assert str(asked.id) in str(needed.value.data["statement"])
        session = VerifiedProof("session", {})
        with pytest.raises(ProofRequired):
            await decide(tx, asked.id, "approve", by=founder, signer=APPROVALS, proof=session)
        done = await decide(tx, asked.id, "approve", by=founder, signer=APPROVALS, proof=signed(asked))
        assert APPROVALS.read(done.signature or "").proof["method"] == "device_key"


async def test_a_reject_never_needs_a_key(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        asked = await raise_approval(tx, a_question(tier=Tier.R2, undo_seconds=60))
        done = await tap(tx, asked, "reject", reason="too dear")
        assert (done.status, done.reason, done.effective_at) == ("rejected", "too dear", done.decided_at)


async def test_a_key_signs_one_thing_only(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        asked = await raise_approval(tx, a_question(tier=Tier.R2))
        other = await raise_approval(tx, a_question(tier=Tier.R2, payload=payload_of(tier="R2")))
        for proof in (signed(other), signed(asked, "reject"), VerifiedProof("device_key", {"kid": "x"})):
            with pytest.raises(ProofMismatch):
                await decide(tx, asked.id, "approve", by=founder, signer=APPROVALS, proof=proof)
        old = signed(msgspec.structs.replace(asked, version=7))
        with pytest.raises(ApprovalStale):
            await decide(tx, asked.id, "approve", by=founder, signer=APPROVALS, proof=old)
        assert (await get_approval(tx, asked.id)).status == "pending"


class RefusingVerifier:
    """A verifier of keys that knows nobody."""

    async def offer(self, tx: object, by: Principal, **_: Any) -> Any:
        raise ProofRefused("nobody is known here")

    async def offer_list(self, tx: object, by: Principal, items: tuple[Item, ...]) -> ListOffer:
        raise ProofRefused("nobody is known here")

    async def verify(self, tx: object, by: Principal, proof: Proof | ListProof) -> VerifiedProof:
        raise ProofRefused("nobody is known here")


async def test_a_key_that_does_not_hold_is_refused_in_words(database: Database) -> None:
    from app.canon.approval import DeviceProof

    async with database.transaction(new_id()) as tx:
        asked = await raise_approval(tx, a_question())
        proof = DeviceProof("kid", signed(asked).statement, "signature")
        with pytest.raises(ProofMismatch, match="nobody is known"):
            await prove(tx, asked.id, "approve", by=principal(tx.tenant), proof=proof, verifier=RefusingVerifier())
        with pytest.raises(ProofMismatch, match="something else"):
            await prove(tx, asked.id, "reject", by=principal(tx.tenant), proof=proof, verifier=RefusingVerifier())


async def test_a_contrary_decision_is_told_what_was_decided(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        asked = await raise_approval(tx, a_question())
        await tap(tx, asked, by=founder)
        with pytest.raises(ApprovalClosed) as closed:
            await tap(tx, asked, "reject", by=founder)
        assert closed.value.data["status"] == "approved"
        assert closed.value.data["decided_by"] == founder.actor


async def test_a_double_tap_decides_once(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        asked = await raise_approval(tx, a_question())
        first = await tap(tx, asked, by=founder)
        assert await tap(tx, asked, by=founder) == first
        assert len(await votes_of(tx, asked.id)) == 1


async def test_what_changed_since_it_was_seen_is_not_decided(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        asked = await raise_approval(tx, a_question())
        with pytest.raises(ApprovalStale):
            await tap(tx, asked, version=9)
        assert (await tap(tx, asked, version=1)).status == "approved"


async def test_expired_is_not_rejected(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        ticket = await a_ticket(tx, principal(tx.tenant))
        asked = await raise_approval(tx, a_question(ticket_id=ticket.id, in_seconds=60))
        assert (await expire(tx, asked.id)).status == "pending"
        await later(tx, 61)
        with pytest.raises(ApprovalClosed, match="nobody decided in time"):
            await tap(tx, asked)
        assert (await expire(tx, asked.id)).status == "expired"
        assert await rejected_before(tx, ticket.id, asked.act_digest) is None
        with pytest.raises(ApprovalClosed, match="nobody decided in time"):
            await tap(tx, asked, "reject")
        assert [event.type for event in await events(tx)] == ["approval.raised", "approval.expired"]


async def test_a_rejected_act_is_remembered_for_its_ticket(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        one, two = await a_ticket(tx, founder), await a_ticket(tx, founder)
        asked = await raise_approval(tx, a_question(ticket_id=one.id))
        await tap(tx, asked, "reject")
        found = await rejected_before(tx, one.id, asked.act_digest)
        assert found is not None
        assert found.id == asked.id
        assert await rejected_before(tx, two.id, asked.act_digest) is None


async def test_an_approval_can_be_undone_until_it_takes_effect(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        asked = await raise_approval(tx, a_question(undo_seconds=10))
        done = await tap(tx, asked, by=founder)
        assert done.effective_at == (done.decided_at or datetime.now(UTC)) + timedelta(seconds=10)
        undone = await undo(tx, asked.id, by=founder)
        assert (undone.status, undone.signature, undone.decided_by) == ("pending", None, None)
        assert (await votes_of(tx, asked.id))[0].undone_at is not None
        again = await tap(tx, undone, by=founder)
        assert again.status == "approved"
        await later(tx, 11)
        with pytest.raises(ApprovalClosed, match="too late"):
            await undo(tx, asked.id, by=founder)
        assert [event.type for event in await events(tx)] == [
            "approval.raised",
            "approval.decided",
            "approval.undone",
            "approval.decided",
        ]


async def test_the_word_comes_after_the_undo_window(database: Database) -> None:
    statement = """
    SELECT execute_after - clock_timestamp() FROM work_queue.pgqueuer WHERE entrypoint = 'approval_decided'
    """
    async with database.transaction(new_id()) as tx:
        asked = await raise_approval(tx, a_question(undo_seconds=10))
        done = await tap(tx, asked)
        wait = await tx.connection.fetchval(statement)
        assert timedelta(seconds=9) < wait <= timedelta(seconds=10)
        when = "SELECT execute_after FROM work_queue.pgqueuer WHERE entrypoint = 'approval_decided'"
        at = await tx.connection.fetchval(when)
        assert done.effective_at is not None
        assert at >= done.effective_at


async def test_an_approval_is_used_once_and_for_its_payload_only(database: Database) -> None:
    tenant = new_id()
    async with database.transaction(tenant) as tx:
        asked = await raise_approval(tx, a_question())
        await tap(tx, asked)
        with pytest.raises(ApprovalUnusable, match="not what was approved"):
            await consume(tx, asked.id, payload_digest="0" * 64, reader=APPROVALS)
        used = await consume(tx, asked.id, payload_digest=asked.payload_digest, reader=APPROVALS)
        assert used.consumed_at is not None
        with pytest.raises(ApprovalUnusable, match="used already"):
            await consume(tx, asked.id, payload_digest=asked.payload_digest, reader=APPROVALS)
        with pytest.raises(ApprovalUnknown):
            await consume(tx, new_id(), payload_digest=asked.payload_digest, reader=APPROVALS)


async def test_what_is_not_approved_or_can_still_be_undone_is_not_used(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        asked = await raise_approval(tx, a_question(undo_seconds=10))
        with pytest.raises(ApprovalUnusable, match="pending"):
            await consume(tx, asked.id, payload_digest=asked.payload_digest, reader=APPROVALS)
        await tap(tx, asked)
        with pytest.raises(ApprovalUnusable, match="undo"):
            await consume(tx, asked.id, payload_digest=asked.payload_digest, reader=APPROVALS)
        await later(tx, 10.5)
        await consume(tx, asked.id, payload_digest=asked.payload_digest, reader=APPROVALS)


async def test_an_approval_signed_by_a_stranger_is_not_used(database: Database) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = SigningKey(Ed25519PrivateKey.generate())
    stranger = ApprovalTokens(KeyRing({}, "approval", key))
    async with database.transaction(new_id()) as tx:
        asked = await raise_approval(tx, a_question())
        await decide(tx, asked.id, "approve", by=principal(tx.tenant), signer=stranger, proof=None)
        with pytest.raises(ApprovalUnusable, match="does not hold"):
            await consume(tx, asked.id, payload_digest=asked.payload_digest, reader=APPROVALS)


async def test_two_of_three_must_agree(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        one = principal(tx.tenant)
        two = await a_deputy(tx, one)
        asked = await raise_approval(tx, a_question(quorum=2))
        half = await tap(tx, asked, by=one)
        assert (half.status, half.version) == ("pending", 2)
        with pytest.raises(VoteRefused):
            await tap(tx, half, by=one)
        disguised = principal(tx.tenant, Rol.DEPUTY, one.sub)
        with pytest.raises(BeyondMandate):
            await tap(tx, half, by=disguised)
        done = await tap(tx, half, by=two)
        assert done.status == "approved"
        assert len({vote.signature for vote in await votes_of(tx, asked.id)}) == 2
        assert [event.type for event in await events(tx)][3:] == ["approval.voted", "approval.decided"]


async def test_one_signature_of_two_is_never_used_whatever_the_row_says(database: Database) -> None:
    """Whoever has the application's own password may write the row, and an event about it."""
    async with database.transaction(new_id()) as tx:
        asked = await raise_approval(tx, a_question(quorum=2))
        half = await tap(tx, asked)
        at = half.raised_at
        forged = await store.update_approval(
            tx, half, status="approved", decided_at=at, effective_at=at, decided_by="founder:both"
        )
        subjects = (f"work_queue.approvals/{forged.id}",)
        data: dict[str, object] = {"approval_ids": [str(forged.id)]}
        await append(tx, Event(type="approval.opened", actor="founder:both", subjects=subjects, data=data))
        with pytest.raises(ApprovalUnusable, match="1 of the 2 people"):
            await consume(tx, asked.id, payload_digest=asked.payload_digest, reader=APPROVALS)


async def test_one_no_is_enough(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        asked = await raise_approval(tx, a_question(quorum=3))
        await tap(tx, asked)
        assert (await tap(tx, asked, "reject")).status == "rejected"


async def test_who_asks_may_not_approve_where_more_than_one_must_agree(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        asker = principal(tx.tenant)
        asked = await raise_approval(tx, a_question(quorum=2, actor=asker.actor))
        with pytest.raises(VoteRefused, match="who asks"):
            await tap(tx, asked, by=asker)
        alone = await raise_approval(tx, a_question(quorum=1, actor=asker.actor))
        assert (await tap(tx, alone, by=asker)).status == "approved"


async def test_equal_acts_share_a_card_but_keep_their_own_signatures(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        one, two = principal(tx.tenant), principal(tx.tenant)
        first = await raise_approval(tx, a_question(payload=payload_of(ticket={"id": "1"}), undo_seconds=10))
        second = await raise_approval(tx, a_question(payload=payload_of(ticket={"id": "2"}), undo_seconds=10))
        other = await raise_approval(tx, a_question(payload=payload_of(arguments={"to": "c@d.example"})))
        done = await tap(tx, first, by=one)
        along = await get_approval(tx, second.id)
        assert along.status == "approved"
        assert along.signature != done.signature
        assert APPROVALS.read(along.signature or "").payload_digest == second.payload_digest
        assert (await get_approval(tx, other.id)).status == "pending"
        await undo(tx, second.id, by=two)
        assert (await get_approval(tx, first.id)).status == "pending"
        await tap(tx, first, together=False)
        assert (await get_approval(tx, second.id)).status == "pending"


async def test_what_needs_a_key_is_never_approved_along(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        first, second = [
            await raise_approval(tx, a_question(tier=Tier.R2, payload=payload_of(ticket={"id": str(n)})))
            for n in range(2)
        ]
        await decide(tx, first.id, "approve", by=founder, signer=APPROVALS, proof=signed(first))
        assert (await get_approval(tx, second.id)).status == "pending"


async def test_a_no_closes_all_equal_acts(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        first, second = [
            await raise_approval(tx, a_question(tier=Tier.R2, payload=payload_of(ticket={"id": str(n)})))
            for n in range(2)
        ]
        await tap(tx, first, "reject")
        assert (await get_approval(tx, second.id)).status == "rejected"


async def test_a_withdrawn_question_cannot_be_decided(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        asked = await raise_approval(tx, a_question())
        await withdraw(tx, asked.id, "the run ended")
        with pytest.raises(ApprovalClosed, match="the run ended"):
            await tap(tx, asked)
        assert (await withdraw(tx, asked.id, "again")).version == 2


async def test_the_ledger_knows_when_a_card_was_shown_and_opened_and_by_whom(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        asked = [await raise_approval(tx, a_question()) for _ in range(2)]
        ids = [approval.id for approval in asked]
        assert await mark_shown(tx, ids, founder) == 2
        assert await mark_shown(tx, ids, founder) == 0
        await later(tx, 5)
        assert await mark_opened(tx, ids[:1], founder) == 1
        await later(tx, 7)
        await tap(tx, asked[0], together=False)
        shown, opened, decided = (await events(tx))[2:]
        assert (shown.type, shown.actor) == ("approval.shown", founder.actor)
        assert opened.data == {"approval_ids": [str(ids[0])]}
        assert decided.data["seconds_open"] == 7
        assert decided.data["shown_at"] < decided.data["opened_at"]  # type: ignore[operator]


async def test_a_pause_stops_the_clock_and_gives_the_time_back(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role_id = new_id()
        asked = await raise_approval(tx, a_question(role_id=role_id, in_seconds=60))
        other = await raise_approval(tx, a_question(role_id=new_id(), in_seconds=60))
        assert await freeze(tx, role_id, actor="founder:x") == (asked.id,)
        await later(tx, 1000)
        assert await expire_due(tx, frozen_roles=[role_id]) == (other.id,)
        frozen = await get_approval(tx, asked.id)
        assert frozen.status == "pending"
        assert await thaw(tx, role_id, actor="founder:x") == (asked.id,)
        thawed = await get_approval(tx, asked.id)
        assert thawed.expires_at - asked.expires_at >= timedelta(seconds=1000)
        assert thawed.payload == asked.payload
        assert await expire_due(tx) == ()
        await later(tx, 61)
        assert await expire_due(tx) == (asked.id,)


async def test_a_frozen_question_can_still_be_decided(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        asked = await raise_approval(tx, a_question(role_id=new_id(), in_seconds=60))
        await freeze(tx, None, actor="founder:x")
        await later(tx, 100)
        assert (await tap(tx, asked)).status == "approved"


async def test_what_is_raised_in_a_pause_freezes_instead_of_expiring(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role_id = new_id()
        asked = await raise_approval(tx, a_question(role_id=role_id, in_seconds=60))
        await later(tx, 100)
        assert await expire_due(tx, frozen_roles=[role_id]) == ()
        await thaw(tx, role_id, actor="founder:x")
        thawed = await get_approval(tx, asked.id)
        await later(tx, 59)
        assert not thawed.overdue(await tx.connection.fetchval("SELECT clock.now()"))


async def test_the_sweeper_learns_which_tenants_to_enter(database: Database) -> None:
    due, calm = new_id(), new_id()
    async with database.transaction(due) as tx:
        await tx.connection.execute("SELECT set_config('app.now', '2020-01-01', true)")
        expires = datetime(2020, 1, 2, tzinfo=UTC)
        await raise_approval(tx, msgspec.structs.replace(a_question(), expires_at=expires))
    async with database.transaction(calm) as tx:
        await raise_approval(tx, a_question())
    assert await tenants_with_due_approvals(database) == (due,)
    async with database.transaction(due) as tx:
        assert len(await expire_due(tx)) == 1
    assert await tenants_with_due_approvals(database) == ()


async def test_two_founders_who_tap_at_once_decide_once(database: Database) -> None:
    import asyncio

    tenant = new_id()
    async with database.transaction(tenant) as tx:
        asked = await raise_approval(tx, a_question())

    async def one(decision: Decision) -> str:
        try:
            async with database.transaction(tenant) as tx:
                return (await tap(tx, asked, decision)).status
        except ApprovalClosed as closed:
            return f"told {closed.data['status']}"

    answers = await asyncio.gather(one("approve"), one("reject"))
    async with database.transaction(tenant) as tx:
        final = await get_approval(tx, asked.id)
        assert sorted(answers) == sorted([final.status, f"told {final.status}"])
        assert len(await votes_of(tx, asked.id)) == 1

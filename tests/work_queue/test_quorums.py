"""How many must agree in this company: signed by its founders, counted in every question, checked in the ledger."""

from uuid import UUID

import pytest

from app.canon.approval import Decision
from app.canon.errors import Forbidden, Invalid
from app.canon.quorum import Agreement, CompanyQuorum, Deciders, QuorumLine
from app.canon.vocabulary import Money, Principal, Rol, Tier, new_id
from app.governance_ledger import EventFilter, read_events
from app.postgres import Database, Transaction
from app.work_queue import (
    Approval,
    ApprovalKind,
    QuorumTooLarge,
    company_quorum,
    decide,
    deciders,
    end_mandate,
    get_approval,
    propose_quorum,
    raise_approval,
    too_few_without,
)
from app.work_queue.errors import BeyondMandate, VoteRefused
from tests.builders import APPROVALS, a_company, a_deputy, a_question, a_second_founder, principal, sign, signed

TWO = CompanyQuorum((QuorumLine(tier=Tier.R2, count=2, above=Money(1_000_000), founders=True),))
BOTH = CompanyQuorum((QuorumLine(tier=Tier.R1, count=2),))


@pytest.mark.parametrize(
    ("kind", "tier", "money", "wanted"),
    [
        ("tool_call", Tier.R2, Money(1_000_001), Agreement(2, True)),
        ("tool_call", Tier.R2, Money(1, "USD"), Agreement(2, True)),
        ("tool_call", Tier.R2, Money(1_000_000), Agreement()),
        ("tool_call", Tier.R2, None, Agreement()),
        ("tool_call", Tier.R1, Money(2_000_000), Agreement()),
        ("unknown_outcome", Tier.R2, Money(2_000_000), Agreement()),
    ],
)
def test_a_line_covers_what_it_says(kind: str, tier: Tier, money: Money | None, wanted: Agreement) -> None:
    assert TWO.wanted(kind, tier, money) == wanted


def test_of_several_lines_the_strictest_counts() -> None:
    lines = (*TWO.lines, QuorumLine(tier=Tier.R2, count=3))
    assert CompanyQuorum(lines).wanted("hire", Tier.R2, None) == Agreement(3, False)
    assert CompanyQuorum(lines).wanted("hire", Tier.R2, Money(2_000_000)) == Agreement(3, True)


async def put(tx: Transaction, quorum: CompanyQuorum, founder: Principal, other: Principal | None = None) -> None:
    asked = await propose_quorum(tx, quorum, by=founder, undo_seconds=0)
    await sign(tx, asked.id, other or founder)


async def say(tx: Transaction, asked: Approval, by: Principal, decision: Decision = "approve") -> Approval:
    asked = await get_approval(tx, asked.id)
    proof = signed(asked) if asked.tier is Tier.R2 and decision == "approve" else None
    return await decide(tx, asked.id, decision, by=by, signer=APPROVALS, proof=proof)


async def test_two_founders_agree_to_what_moves_more_than_the_line_says(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        other = await a_second_founder(tx, founder)
        await put(tx, TWO, founder)
        assert await company_quorum(tx) == TWO
        small = await raise_approval(tx, a_question(tier=Tier.R2, money=Money(1_000_000)))
        assert small.quorum == 1
        asked = await raise_approval(tx, a_question(tier=Tier.R2, money=Money(1_000_001)))
        assert (asked.quorum, asked.payload["quorum"]) == (2, {"count": 2, "founders": True})
        assert (await say(tx, asked, founder)).status == "pending"
        with pytest.raises(VoteRefused):
            await say(tx, asked, founder)
        assert (await say(tx, asked, other)).status == "approved"
        events = (await read_events(tx, EventFilter(type="quorum."), newest_first=False)).items
        assert [event.type for event in events] == ["quorum.proposed", "quorum.set"]
        assert events[1].approval_signature


async def test_a_deputy_is_not_counted_where_founders_are_wanted(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        await a_second_founder(tx, founder)
        deputy = await a_deputy(tx, founder, cap=Money(9_000_000))
        await put(tx, TWO, founder)
        asked = await raise_approval(tx, a_question(tier=Tier.R2, money=Money(2_000_000)))
        with pytest.raises(BeyondMandate) as refused:
            await say(tx, asked, deputy)
        assert refused.value.data == {"beyond": "founders"}
        assert (await say(tx, asked, deputy, "reject")).status == "rejected"


KINDS: tuple[ApprovalKind, ...] = (
    "start",
    "party",
    "rule",
    "tool_server",
    "hire",
    "amend",
    "budget_raise",
    "tool_call",
)


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_that_permits_something_wants_the_quorum(database: Database, kind: ApprovalKind) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        await a_second_founder(tx, founder)
        await put(tx, BOTH, founder)
        assert (await raise_approval(tx, a_question(kind=kind))).quorum == 2


async def test_whether_something_happened_one_witness_says(database: Database) -> None:
    """It permits nothing; making the call again is a question of its own, which wants the quorum."""
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        await a_second_founder(tx, founder)
        await put(tx, BOTH, founder)
        asked = await raise_approval(tx, a_question(kind="unknown_outcome"))
        assert asked.quorum == 1
        assert "quorum" not in asked.payload


async def test_who_asks_counts_and_has_no_vote(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        other = await a_second_founder(tx, founder)
        await put(tx, BOTH, founder)
        asked = await raise_approval(tx, a_question(kind="party", actor=founder.actor))
        assert (asked.quorum, asked.apart) == (1, True)
        with pytest.raises(VoteRefused, match="who asks"):
            await say(tx, asked, founder)
        assert (await say(tx, asked, other)).status == "approved"


async def test_a_quorum_larger_than_the_company_is_refused(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        with pytest.raises(QuorumTooLarge) as refused:
            await propose_quorum(tx, TWO, by=founder, undo_seconds=0)
        assert refused.value.data == {"wanted": 2, "able": 1}
        await a_deputy(tx, founder, tiers=(Tier.R1,))
        assert await deciders(tx) == Deciders(founders=1, r1=2, r2=1)
        with pytest.raises(QuorumTooLarge):
            await propose_quorum(tx, TWO, by=founder, undo_seconds=0)
        await put(tx, BOTH, founder)
        with pytest.raises(Invalid, match="holds already"):
            await propose_quorum(tx, BOTH, by=founder, undo_seconds=0)
        with pytest.raises(Forbidden):
            await propose_quorum(tx, BOTH, by=principal(tx.tenant, Rol.DEPUTY), undo_seconds=0)


async def test_it_is_known_whose_leaving_would_make_the_quorum_too_large(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        needed = await a_deputy(tx, founder)
        await put(tx, BOTH, founder)
        assert await too_few_without(tx, needed.sub)
        await a_deputy(tx, founder)
        assert not await too_few_without(tx, needed.sub)


async def test_changing_the_quorum_wants_the_quorum_and_never_locks_the_company_out(database: Database) -> None:
    whole = CompanyQuorum((QuorumLine(tier=Tier.R2, count=2),))
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        other = await a_second_founder(tx, founder)
        await put(tx, whole, founder)
        asked = await propose_quorum(tx, CompanyQuorum(), by=founder, undo_seconds=0)
        with pytest.raises(VoteRefused):
            await say(tx, asked, founder)
        await sign(tx, asked.id, other)
        assert await company_quorum(tx) == CompanyQuorum()
        await put(tx, whole, founder)
        await end_mandate(tx, UUID(other.sub), by=founder)
        await put(tx, CompanyQuorum(), founder)
        assert await company_quorum(tx) == CompanyQuorum()


async def test_what_waits_keeps_the_quorum_that_it_was_asked_with(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        await a_second_founder(tx, founder)
        before = await raise_approval(tx, a_question())
        await put(tx, BOTH, founder)
        assert (await say(tx, before, founder)).status == "approved"

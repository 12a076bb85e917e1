"""A deputy decides within what a founder has signed, until it ends; both are in the ledger and in the signature."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from app.canon.approval import Decision
from app.canon.canonical_json import canonical_bytes
from app.canon.errors import Forbidden, Invalid
from app.canon.mandate import DELEGABLE, Mandate, beyond
from app.canon.vocabulary import Money, Principal, Rol, Tier, new_id
from app.governance_ledger import Event, EventFilter, append, read_events
from app.postgres import Database, Transaction
from app.role_registry import contract_in_force
from app.work_queue import (
    Approval,
    decide,
    end_mandate,
    keep_pace,
    mandate_of,
    mandate_store,
    propose_mandate,
    raise_approval,
    undo,
)
from app.work_queue.errors import BeyondMandate, MandateUnknown, TooManyDecisions
from tests.builders import APPROVALS, a_deputy, a_question, a_role, a_second_founder, principal, sign, signed

NOW = datetime(2026, 4, 1, 9, tzinfo=UTC)
TEXT = {"id": "Beri wewenang?", "en": "Give a mandate?"}
DECISIONS: tuple[Decision, ...] = ("approve", "reject")
MANDATE = Mandate(
    person="7f3c0000-0000-7000-8000-000000000001",
    name="Budi",
    tiers=(Tier.R1,),
    kinds=("tool_call",),
    roles=("a",),
    cap=Money(1_000),
    ends_at=NOW + timedelta(days=1),
)


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({}, None),
        ({"money": None}, None),
        ({"money": Money(0, "USD")}, None),
        ({"money": Money(1_001)}, "money"),
        ({"money": Money(-1)}, "money"),
        ({"money": Money(1, "USD")}, "currency"),
        ({"tier": Tier.R2}, "tier"),
        ({"kind": "start"}, "kind"),
        ({"kind": "mandate"}, "kind"),
        ({"role_id": "b"}, "role"),
        ({"role_id": None}, "role"),
        ({"at": NOW + timedelta(days=1)}, "ended"),
    ],
)
def test_each_bound_stands_by_itself(changes: dict[str, object], limit: str | None) -> None:
    asked: dict[str, object] = {
        "tier": Tier.R1,
        "kind": "tool_call",
        "role_id": "a",
        "money": Money(1_000),
        "at": NOW,
        **changes,
    }
    assert beyond(MANDATE, **asked) == limit  # type: ignore[arg-type]


async def approve(tx: Transaction, asked: Approval, by: Principal) -> Approval:
    proof = signed(asked) if asked.tier is Tier.R2 else None
    return await decide(tx, asked.id, "approve", by=by, signer=APPROVALS, proof=proof)


async def test_the_mandate_stands_in_the_signature_of_what_was_decided_under_it(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        deputy = await a_deputy(tx, principal(tx.tenant))
        granted = await mandate_of(tx, UUID(deputy.sub))
        assert granted is not None
        done = await approve(tx, await raise_approval(tx, a_question()), deputy)
        assert APPROVALS.read(done.signature or "").mandate == str(granted.id)
        events = (await read_events(tx, EventFilter(type="mandate."), newest_first=False)).items
        assert [event.type for event in events] == ["mandate.proposed", "mandate.granted"]
        assert events[1].approval_signature == granted.signature


@pytest.mark.parametrize(
    ("bounds", "asked", "limit"),
    [
        ({"cap": Money(4_999)}, {}, "money"),
        ({"cap": None}, {}, "money"),
        ({"tiers": (Tier.R1,)}, {"tier": Tier.R2}, "tier"),
        ({"kinds": ("start",)}, {}, "kind"),
        ({"roles": (str(UUID(int=1)),)}, {"role_id": UUID(int=2)}, "role"),
        ({}, {"kind": "party", "tier": Tier.R2}, "kind"),
    ],
)
async def test_beyond_the_mandate_a_deputy_approves_nothing_and_may_still_say_no(
    database: Database, bounds: dict[str, object], asked: dict[str, object], limit: str
) -> None:
    async with database.transaction(new_id()) as tx:
        deputy = await a_deputy(tx, principal(tx.tenant), **bounds)
        question = await raise_approval(tx, a_question(**asked))  # type: ignore[arg-type]
        with pytest.raises(BeyondMandate) as refused:
            await approve(tx, question, deputy)
        assert refused.value.data == {"beyond": limit}
        done = await decide(tx, question.id, "reject", by=deputy, signer=APPROVALS, proof=None)
        assert done.status == "rejected"


@pytest.mark.parametrize("how", ["no signature", "a narrower one's signature", "a contract's signature"])
async def test_a_mandate_that_nobody_signed_allows_nothing(database: Database, how: str) -> None:
    """Whoever holds the application's password for the database can write the row, and some event for Law 17."""
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        deputy = await a_deputy(tx, founder, cap=Money(1))
        narrow = await mandate_of(tx, UUID(deputy.sub))
        assert narrow is not None
        signatures = {"no signature": "", "a narrower one's signature": narrow.signature}
        if how not in signatures:
            signatures[how] = (await contract_in_force(tx, (await a_role(tx, founder)).id)).signature
        await end_mandate(tx, UUID(deputy.sub), by=founder)
        terms = msgspec.structs.replace(narrow.terms, cap=Money(10_000_000))
        question = await raise_approval(tx, a_question())
        forged = msgspec.structs.replace(
            narrow, id=new_id(), terms=terms, approval_id=question.id, signature=signatures[how]
        )
        await mandate_store.insert(tx, forged, canonical_bytes(terms.written()).decode(), terms.digest())
        await append(tx, Event(type="x.forged", actor="founder:1", subjects=(f"work_queue.mandates/{forged.id}",)))
        for decision in DECISIONS:
            with pytest.raises(BeyondMandate):
                await decide(tx, question.id, decision, by=deputy, signer=APPROVALS, proof=None)


async def test_when_it_is_over_or_was_ended_a_deputy_decides_nothing_at_all(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        ended, over = await a_deputy(tx, founder), await a_deputy(tx, founder)
        question = await raise_approval(tx, a_question(in_seconds=90 * 86_400))
        await end_mandate(tx, UUID(ended.sub), by=founder)
        with pytest.raises(MandateUnknown):
            await end_mandate(tx, UUID(ended.sub), by=founder)
        await tx.connection.execute("SELECT set_config('app.now', (now() + interval '31 days')::text, true)")
        for deputy in (ended, over, principal(tx.tenant, Rol.DEPUTY), principal(tx.tenant, Rol.DEPUTY, "nobody")):
            for decision in DECISIONS:
                with pytest.raises(BeyondMandate):
                    await decide(tx, question.id, decision, by=deputy, signer=APPROVALS, proof=None)


async def test_who_decides_no_more_takes_nothing_back_either(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        deputy = await a_deputy(tx, founder)
        approved = await approve(tx, await raise_approval(tx, a_question(undo_seconds=60)), founder)
        await end_mandate(tx, UUID(deputy.sub), by=founder)
        for nobody in (deputy, principal(tx.tenant, Rol.DEPUTY)):
            with pytest.raises(BeyondMandate):
                await undo(tx, approved.id, by=nobody)
        assert (await undo(tx, approved.id, by=founder)).status == "pending"


async def test_a_second_founder_whose_admission_was_ended_decides_no_more_until_admitted_anew(
    database: Database,
) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        other = await a_second_founder(tx, founder)
        question = await raise_approval(tx, a_question())
        await end_mandate(tx, UUID(other.sub), by=founder)
        for decision in DECISIONS:
            with pytest.raises(BeyondMandate):
                await decide(tx, question.id, decision, by=other, signer=APPROVALS, proof=None)
        again = Mandate(person=other.sub, name="Sari", rol="founder")
        asked = await propose_mandate(tx, again, text=TEXT, by=founder, undo_seconds=0)
        await sign(tx, asked.id, founder)
        assert (await approve(tx, question, other)).status == "approved"


async def test_a_mandate_ends_after_what_is_being_decided_under_it(database: Database) -> None:
    """The ledger's order then is that of what was read: else a verifier would find a decision after the end."""
    tenant = new_id()
    async with database.transaction(tenant) as tx:
        founder = principal(tenant)
        deputy, other = await a_deputy(tx, founder), await a_second_founder(tx, founder)
        asked = [await raise_approval(tx, a_question(act_digest=f"{place}" * 64)) for place in range(2)]

    async def end(person: Principal) -> None:
        async with database.transaction(tenant) as tx:
            await end_mandate(tx, UUID(person.sub), by=founder)

    for person, question in zip((deputy, other), asked, strict=True):
        async with database.transaction(tenant) as tx:
            await approve(tx, question, person)
            ending = asyncio.create_task(end(person))
            await asyncio.wait([ending], timeout=0.3)
            assert not ending.done()
        await ending
    async with database.transaction(tenant) as tx:
        events = (await read_events(tx, EventFilter(types=("approval.decided", "mandate.ended")))).items
        said = [event.type for event in sorted(events, key=lambda event: event.n)[-4:]]
        assert said == ["approval.decided", "mandate.ended"] * 2


async def test_a_new_mandate_takes_the_place_of_the_one_before(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        deputy = await a_deputy(tx, founder)
        narrower = Mandate(
            person=deputy.sub,
            name="Budi",
            tiers=(Tier.R1,),
            kinds=DELEGABLE,
            ends_at=datetime.now(UTC) + timedelta(days=1),
        )
        asked = await propose_mandate(tx, narrower, text=TEXT, by=founder, undo_seconds=0)
        assert (await propose_mandate(tx, narrower, text=TEXT, by=founder, undo_seconds=0)).id == asked.id
        await sign(tx, asked.id, founder)
        now_in_force = await mandate_of(tx, UUID(deputy.sub))
        assert now_in_force is not None
        assert now_in_force.terms == narrower
        with pytest.raises(BeyondMandate):
            await approve(tx, await raise_approval(tx, a_question()), deputy)


async def test_only_founders_grant_and_end_and_only_with_bounds(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        deputy = await a_deputy(tx, founder)
        with pytest.raises(Forbidden):
            await propose_mandate(tx, MANDATE, text=TEXT, by=deputy, undo_seconds=0)
        with pytest.raises(Forbidden):
            await end_mandate(tx, UUID(deputy.sub), by=deputy)
        for ends_at in (None, datetime.now(UTC), datetime.now(UTC) + timedelta(days=400)):
            wanted = Mandate(person=deputy.sub, name="Budi", tiers=(Tier.R1,), kinds=("start",), ends_at=ends_at)
            with pytest.raises(Invalid):
                await propose_mandate(tx, wanted, text=TEXT, by=founder, undo_seconds=0)


async def test_a_hundred_cards_at_two_seconds_each_are_never_held_up(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        for number in range(100):
            moment = f"SELECT set_config('app.now', (now() + interval '{2 * number} seconds')::text, true)"
            await tx.connection.execute(moment)
            await keep_pace(tx, founder)
            asked = await raise_approval(tx, a_question(act_digest=f"{number:064d}"))
            await approve(tx, asked, founder)


async def test_a_hand_that_decides_faster_than_anybody_reads_is_held_up(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        for second in range(90):
            moment = f"SELECT set_config('app.now', (now() + interval '{second} seconds')::text, true)"
            await tx.connection.execute(moment)
            await keep_pace(tx, founder)
            asked = await raise_approval(tx, a_question(act_digest=f"{second:064d}"))
            await approve(tx, asked, founder)
        with pytest.raises(TooManyDecisions):
            await keep_pace(tx, founder)
        await keep_pace(tx, principal(tx.tenant))
        await tx.connection.execute("SELECT set_config('app.now', (now() + interval '3 minutes')::text, true)")
        await keep_pace(tx, founder)

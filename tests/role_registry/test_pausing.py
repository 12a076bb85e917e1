"""The kill switch: one role or all; it acts before the next step, and what waits for the founder freezes."""

from datetime import UTC, datetime, timedelta

import pytest

from app.canon.errors import Forbidden, Invalid
from app.canon.vocabulary import Rol, new_id
from app.governance_ledger import EventFilter, read_events
from app.postgres import Database, Transaction
from app.role_registry import (
    CompanyPatch,
    active_roles,
    add_party,
    change_company,
    company,
    contract_in_force,
    create_company,
    get_role,
    hire,
    known_parties,
    pause,
    pause_all,
    remove_party,
    resume,
    resume_all,
    retire,
    sweep_approvals,
)
from app.role_registry.errors import CompanyExists, CompanyUnknown, PartyKnown, PartyUnknown, RoleMoveRefused
from app.role_registry.model import ROLE_MOVES, NewParty, may_become
from app.work_queue import get_approval, raise_approval
from tests.builders import a_company, a_question, a_role, principal, sign, some_terms


async def types(tx: Transaction, family: str) -> list[str]:
    return [
        event.type for event in (await read_events(tx, EventFilter(type=family), limit=200, newest_first=False)).items
    ]


async def woken(tx: Transaction) -> int:
    return int(
        await tx.connection.fetchval("SELECT count(*) FROM work_queue.pgqueuer WHERE entrypoint = 'role_resumed'")
    )


def test_what_is_retired_stays_retired() -> None:
    assert not any(may_become("retired", to) for to in ROLE_MOVES)


async def test_a_paused_role_is_seen_by_the_next_gate_and_its_questions_freeze(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        role = await a_role(tx, founder)
        asked = await raise_approval(tx, a_question(role_id=role.id))
        paused = await pause(tx, role.id, founder)
        assert paused.status == "paused"
        assert (await contract_in_force(tx, role.id)).paused
        assert (await get_approval(tx, asked.id)).frozen_at is not None
        assert await active_roles(tx) == ()
        resumed = await resume(tx, role.id, founder)
        assert (resumed.status, resumed.paused_at) == ("active", None)
        assert not (await contract_in_force(tx, role.id)).paused
        assert (await get_approval(tx, asked.id)).frozen_at is None
        assert await woken(tx) == 1
        assert (await types(tx, "role."))[-2:] == ["role.paused", "role.resumed"]


async def test_pausing_twice_is_pausing_once(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        role = await a_role(tx, founder)
        for _ in range(2):
            await pause(tx, role.id, founder)
        assert (await types(tx, "role.paused")) == ["role.paused"]
        for _ in range(2):
            await resume(tx, role.id, founder)
        assert await woken(tx) == 1


async def test_who_is_not_founder_or_deputy_stops_nobody(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role = await a_role(tx, await a_company(tx))
        for rol in (Rol.OPERATOR, Rol.AUDITOR, Rol.WORKER):
            with pytest.raises(Forbidden):
                await pause(tx, role.id, principal(tx.tenant, rol))
            with pytest.raises(Forbidden):
                await pause_all(tx, principal(tx.tenant, rol))
        assert (await pause(tx, role.id, principal(tx.tenant, Rol.DEPUTY))).status == "paused"
        with pytest.raises(Forbidden):
            await retire(tx, role.id, principal(tx.tenant, Rol.DEPUTY))


async def test_a_proposed_role_can_neither_be_paused_nor_resumed(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        role = await hire(tx, some_terms(), by=founder, undo_seconds=0)
        for move in (pause, resume):
            with pytest.raises(RoleMoveRefused):
                await move(tx, role.id, founder)


async def test_a_retired_role_does_not_come_back(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        role = await a_role(tx, founder)
        await retire(tx, role.id, founder)
        with pytest.raises(RoleMoveRefused):
            await resume(tx, role.id, founder)


async def test_pausing_all_stops_every_role_and_resuming_spares_the_paused(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        one, two = await a_role(tx, founder), await a_role(tx, founder, some_terms("Budi"))
        asked = [await raise_approval(tx, a_question(role_id=role.id)) for role in (one, two)]
        await pause(tx, two.id, founder)
        assert (await pause_all(tx, founder)).all_paused
        assert (await contract_in_force(tx, one.id)).paused
        assert all([(await get_approval(tx, approval.id)).frozen_at for approval in asked])
        await resume_all(tx, founder)
        assert not (await contract_in_force(tx, one.id)).paused
        assert (await contract_in_force(tx, two.id)).paused
        assert (await get_approval(tx, asked[0].id)).frozen_at is None
        assert (await get_approval(tx, asked[1].id)).frozen_at is not None
        assert await woken(tx) == 1
        assert (await types(tx, "company.")) == ["company.created", "company.paused", "company.resumed"]


async def test_a_role_that_resumes_while_all_are_paused_stays_frozen(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        role = await a_role(tx, founder)
        asked = await raise_approval(tx, a_question(role_id=role.id))
        await pause(tx, role.id, founder)
        await pause_all(tx, founder)
        await resume(tx, role.id, founder)
        assert (await get_approval(tx, asked.id)).frozen_at is not None
        await resume_all(tx, founder)
        assert (await get_approval(tx, asked.id)).frozen_at is None


async def test_the_sweeper_expires_what_nobody_decided_and_spares_the_paused(database: Database) -> None:
    tenant = new_id()
    past = datetime(2020, 1, 1, tzinfo=UTC)
    async with database.transaction(tenant) as tx:
        founder = await a_company(tx)
        busy, resting = await a_role(tx, founder), await a_role(tx, founder, some_terms("Budi"))
        await pause(tx, resting.id, founder)
        await tx.connection.execute("SELECT set_config('app.now', '2020-01-01', true)")
        expires = past + timedelta(hours=1)
        due = await raise_approval(tx, a_question(role_id=busy.id, expires_at=expires))
        spared = await raise_approval(tx, a_question(role_id=resting.id, expires_at=expires))
    assert await sweep_approvals(database) == 1
    assert await sweep_approvals(database) == 0
    async with database.transaction(tenant) as tx:
        assert (await get_approval(tx, due.id)).status == "expired"
        assert (await get_approval(tx, spared.id)).status == "pending"


async def test_a_company_is_founded_once(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        with pytest.raises(CompanyUnknown):
            await company(tx)
        await a_company(tx)
        with pytest.raises(CompanyExists):
            await a_company(tx)
        assert (await company(tx)).time_zone == "Asia/Jakarta"


async def test_a_company_changes_by_its_founder_only(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        changed = await change_company(tx, CompanyPatch(time_zone="Asia/Makassar"), founder)
        assert changed == await company(tx)
        page = await read_events(tx, EventFilter(type="company.changed"))
        assert page.items[0].data == {"before": {"time_zone": "Asia/Jakarta"}, "after": {"time_zone": "Asia/Makassar"}}
        assert page.items[0].subjects == (f"role_registry.companies/{tx.tenant}",)
        with pytest.raises(Forbidden):
            await change_company(tx, CompanyPatch(name="Mine"), principal(tx.tenant, Rol.DEPUTY))
        for patch in (CompanyPatch(time_zone="Mars/Base"), CompanyPatch(currency="rupiah")):
            with pytest.raises(Invalid):
                await change_company(tx, patch, founder)


async def test_a_company_needs_a_zone_that_exists(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        with pytest.raises(Invalid):
            await create_company(tx, name="X", time_zone="../etc/passwd", actor="system")


async def test_a_party_is_known_once_the_founder_signed(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        new = NewParty("CV Maju", "Billing@Maju.example")
        asked = await add_party(tx, new, by=founder, undo_seconds=0)
        assert (await add_party(tx, new, by=founder, undo_seconds=0)).id == asked.id
        assert await known_parties(tx) == ()
        await sign(tx, asked.id, founder)
        await sign(tx, asked.id, founder)
        (party,) = await known_parties(tx)
        assert (party.name, party.address, party.added_by) == ("CV Maju", "Billing@Maju.example", founder.actor)
        with pytest.raises(PartyKnown):
            await add_party(tx, NewParty("Maju", "billing@maju.example"), by=founder, undo_seconds=0)
        await remove_party(tx, party.id, founder)
        assert await known_parties(tx) == ()
        with pytest.raises(PartyUnknown):
            await remove_party(tx, party.id, founder)
        assert (await types(tx, "party.")) == ["party.proposed", "party.added", "party.removed"]


async def test_an_address_with_blanks_is_refused(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        with pytest.raises(Invalid):
            await add_party(tx, NewParty("X", "a@b.example, c@d.example"), by=founder, undo_seconds=0)


async def test_the_role_of_another_tenant_cannot_be_paused(database: Database) -> None:
    from app.role_registry.errors import RoleUnknown

    async with database.transaction(new_id()) as tx:
        role = await a_role(tx, await a_company(tx))
    async with database.transaction(new_id()) as tx:
        stranger = await a_company(tx)
        with pytest.raises(RoleUnknown):
            await pause(tx, role.id, stranger)
    async with database.transaction(new_id()) as tx:
        with pytest.raises(RoleUnknown):
            await get_role(tx, role.id)

"""A contract is in force only with the founder's signature over exactly its terms."""

import asyncpg
import msgspec
import pytest

from app.canon.contract import BudgetLimit, InvalidTerms, ToolRule
from app.canon.errors import Forbidden
from app.canon.vocabulary import Rol, new_id
from app.governance_ledger import EventFilter, read_events
from app.messages import ApprovalDecided
from app.postgres import Database, Transaction
from app.role_registry import (
    amend,
    ask_budget_raise,
    budgets_of,
    contract_in_force,
    get_role,
    hire,
    list_roles,
    on_approval_decided,
    retire,
    versions_of,
)
from app.role_registry.errors import NameTaken, NotInForce, RoleStale, RoleUnknown
from app.work_queue import decide, get_approval, list_approvals, withdraw
from tests.builders import APPROVALS, a_company, a_role, approve, principal, sign, some_terms


async def types(tx: Transaction, family: str) -> list[str]:
    page = await read_events(tx, EventFilter(type=family), limit=200, newest_first=False)
    return [event.type for event in page.items]


async def test_a_hired_role_is_proposed_until_the_founder_signs(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        role = await hire(tx, some_terms(), by=founder, undo_seconds=0)
        assert (role.status, role.version, role.terms) == ("proposed", 0, None)
        assert role.pending is not None
        assert role.pending.terms == some_terms()
        with pytest.raises(NotInForce):
            await contract_in_force(tx, role.id)
        await sign(tx, role.pending.approval_id, founder)
        hired = await get_role(tx, role.id)
        assert (hired.status, hired.version, hired.pending) == ("active", 1, None)
        contract = await contract_in_force(tx, role.id)
        assert contract.terms == some_terms()
        claims = APPROVALS.read(contract.signature)
        assert (claims.kind, claims.policy, claims.role_version) == ("hire", contract.digest, 1)
        assert await types(tx, "role.") == ["role.proposed", "role.hired"]


async def test_the_signature_of_a_contract_stands_in_the_ledger(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role = await a_role(tx, await a_company(tx))
        page = await read_events(tx, EventFilter(type="role.hired"))
        contract = await contract_in_force(tx, role.id)
        assert page.items[0].approval_signature == contract.signature
        named = page.items[0].subjects
        assert f"role_registry.ai_roles/{role.id}" in named
        assert sum(name.startswith("role_registry.budget_accounts/") for name in named) == 5


async def test_only_a_founder_hires(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        await a_company(tx)
        for rol in (Rol.DEPUTY, Rol.OPERATOR, Rol.AUDITOR, Rol.WORKER, Rol.SERVICE):
            with pytest.raises(Forbidden):
                await hire(tx, some_terms(), by=principal(tx.tenant, rol), undo_seconds=0)


async def test_a_name_belongs_to_one_role_that_is_not_retired(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        role = await a_role(tx, founder)
        with pytest.raises(NameTaken):
            await hire(tx, some_terms("MIRA"), by=founder, undo_seconds=0)
        await retire(tx, role.id, founder)
        again = await a_role(tx, founder)
        assert again.status == "active"


async def test_terms_that_cannot_be_signed_are_refused_with_every_reason(database: Database) -> None:
    twice = (BudgetLimit("money", "day", 5), BudgetLimit("tokens", "day", -1), BudgetLimit("tokens", "day", 1))
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        with pytest.raises(InvalidTerms) as refused:
            await hire(tx, some_terms("  ", budget=twice), by=founder, undo_seconds=0)
        paths = [problem.path for problem in refused.value.problems]
        assert {"name", "budget[0].currency", "budget[1].limit", "budget[2]"} <= set(paths)
        with pytest.raises(InvalidTerms):
            await hire(tx, some_terms(tools=(ToolRule("fly", "allow"),)), by=founder, undo_seconds=0, tools={})


async def test_a_rejected_hire_frees_the_name(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        role = await hire(tx, some_terms(), by=founder, undo_seconds=0)
        assert role.pending is not None
        approval = await decide(tx, role.pending.approval_id, "reject", by=founder, signer=APPROVALS, proof=None)
        await on_approval_decided(tx, ApprovalDecided(tx.tenant, approval.id, None, None), reader=APPROVALS)
        assert (await get_role(tx, role.id)).status == "retired"
        assert (await types(tx, "role."))[-1] == "role.declined"
        assert (await a_role(tx, founder)).status == "active"


async def test_an_amendment_makes_a_new_version_and_keeps_the_old_one(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        role = await a_role(tx, founder)
        wanted = msgspec.structs.replace(some_terms(), title="Senior assistant")
        amended = await amend(tx, role.id, seen_version=1, terms=wanted, by=founder, undo_seconds=0)
        assert (amended.version, amended.terms) == (1, some_terms())
        assert amended.pending is not None
        await sign(tx, amended.pending.approval_id, founder)
        assert (await contract_in_force(tx, role.id)).terms == wanted
        assert [version.terms.title for version in await versions_of(tx, role.id)] == ["Assistant", "Senior assistant"]


async def test_what_was_not_seen_cannot_be_amended(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        role = await a_role(tx, founder)
        with pytest.raises(RoleStale) as stale:
            await amend(tx, role.id, seen_version=0, terms=some_terms(), by=founder, undo_seconds=0)
        assert stale.value.data["version"] == 1
        with pytest.raises(RoleUnknown):
            await amend(tx, new_id(), seen_version=1, terms=some_terms(), by=founder, undo_seconds=0)


async def test_a_second_amendment_supersedes_the_first(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        role = await a_role(tx, founder)
        one, two = (msgspec.structs.replace(some_terms(), title=title) for title in ("One", "Two"))
        first = await amend(tx, role.id, seen_version=1, terms=one, by=founder, undo_seconds=0)
        second = await amend(tx, role.id, seen_version=1, terms=two, by=founder, undo_seconds=0)
        assert first.pending is not None
        assert second.pending is not None
        assert (await get_approval(tx, first.pending.approval_id)).status == "superseded"
        await sign(tx, second.pending.approval_id, founder)
        assert (await contract_in_force(tx, role.id)).terms.title == "Two"


async def test_a_message_that_comes_twice_signs_once(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        role = await hire(tx, some_terms(), by=founder, undo_seconds=0)
        assert role.pending is not None
        for _ in range(3):
            await sign(tx, role.pending.approval_id, founder)
        assert len(await versions_of(tx, role.id)) == 1


async def test_nothing_is_signed_before_the_undo_window_ends(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        role = await hire(tx, some_terms(), by=founder, undo_seconds=60)
        assert role.pending is not None
        await sign(tx, role.pending.approval_id, founder)
        assert (await get_role(tx, role.id)).status == "proposed"
        await tx.connection.execute("SELECT set_config('app.now', (clock.now() + interval '61 s')::text, true)")
        message = ApprovalDecided(tx.tenant, role.pending.approval_id, None, None)
        await on_approval_decided(tx, message, reader=APPROVALS)
        assert (await get_role(tx, role.id)).status == "active"


async def test_a_budget_raise_changes_one_line_and_nothing_else(database: Database) -> None:
    line = BudgetLimit("money", "month", 900_000_000, "IDR")
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        role = await a_role(tx, founder)
        asked = await ask_budget_raise(tx, role.id, line, "two invoices", actor="worker:mira", undo_seconds=0)
        again = await ask_budget_raise(tx, role.id, line, "two invoices", actor="worker:mira", undo_seconds=0)
        assert again.id == asked.id
        assert asked.payload["change"] == [
            {"field": "budget.money.month.IDR", "before": 100_000_000, "after": 900_000_000}
        ]
        await sign(tx, asked.id, founder)
        limits = {(state.unit, state.currency): state.limit for state in await budgets_of(tx, role.id)}
        assert limits["money", "IDR"] == 900_000_000
        assert limits["calls", None] == 10_000
        assert (await get_role(tx, role.id)).version == 2


async def test_a_raise_that_another_contract_overtook_is_asked_anew(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        role = await a_role(tx, founder)
        calls = await ask_budget_raise(
            tx, role.id, BudgetLimit("calls", "day", 20_000), "busy", actor="worker:mira", undo_seconds=0
        )
        tokens = await ask_budget_raise(
            tx, role.id, BudgetLimit("tokens", "month", 60_000_000), "long", actor="worker:mira", undo_seconds=0
        )
        await sign(tx, calls.id, founder)
        assert (await get_approval(tx, tokens.id)).status == "superseded"
        anew = (await list_approvals(tx, status="pending", kind="budget_raise")).items
        assert [approval.role_version for approval in anew] == [3]
        await sign(tx, anew[0].id, founder)
        limits = {state.unit: state.limit for state in await budgets_of(tx, role.id)}
        assert (limits["calls"], limits["tokens"]) == (20_000, 60_000_000)


async def test_a_budget_line_that_is_left_out_is_gone(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        role = await a_role(tx, founder)
        slim = some_terms(budget=(BudgetLimit("calls", "day", 1),))
        amended = await amend(tx, role.id, seen_version=1, terms=slim, by=founder, undo_seconds=0)
        assert amended.pending is not None
        await sign(tx, amended.pending.approval_id, founder)
        assert [(state.unit, state.limit) for state in await budgets_of(tx, role.id)] == [("calls", 1)]


async def test_a_retired_role_has_no_contract_and_asks_nothing(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        role = await a_role(tx, founder)
        other = msgspec.structs.replace(some_terms(), title="Other")
        amended = await amend(tx, role.id, seen_version=1, terms=other, by=founder, undo_seconds=0)
        assert amended.pending is not None
        await retire(tx, role.id, founder)
        assert (await get_approval(tx, amended.pending.approval_id)).status == "withdrawn"
        with pytest.raises(NotInForce):
            await contract_in_force(tx, role.id)


async def test_an_approved_contract_that_was_withdrawn_is_not_signed(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = await a_company(tx)
        role = await hire(tx, some_terms(), by=founder, undo_seconds=60)
        assert role.pending is not None
        approval = await approve(tx, role.pending.approval_id, founder)
        await withdraw(tx, approval.id, "changed my mind")
        await on_approval_decided(tx, ApprovalDecided(tx.tenant, approval.id, None, None), reader=APPROVALS)
        assert (await get_role(tx, role.id)).status == "retired"


async def test_another_tenant_sees_no_roles(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role = await a_role(tx, await a_company(tx))
    async with database.transaction(new_id()) as tx:
        await a_company(tx)
        assert await list_roles(tx) == ()
        with pytest.raises(RoleUnknown):
            await contract_in_force(tx, role.id)


async def test_a_signed_version_cannot_be_changed(database: Database) -> None:
    tenant = new_id()
    async with database.transaction(tenant) as tx:
        await a_role(tx, await a_company(tx))
    with pytest.raises(asyncpg.PostgresError):
        async with database.transaction(tenant) as tx:
            await tx.connection.execute("UPDATE role_registry.ai_role_versions SET terms = '{}'")

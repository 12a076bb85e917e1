"""Whatever a founder may lawfully do verifies: amend, raise, undo, vote, decide along, decide while paused."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest

from app.canon.canonical_json import digest
from app.canon.contract import BudgetLimit
from app.canon.mandate import Mandate
from app.canon.vocabulary import Money, Rol, Tier
from app.founder_console import create_founder
from app.postgres import Database
from app.role_registry import (
    amend,
    ask_budget_raise,
    contract_in_force,
    pause,
    revoke_rule,
    use_rule,
)
from app.verifier.keys import Trusted
from app.work_queue import end_mandate, get_approval, raise_approval, undo
from tests.builders import a_question, principal
from tests.governance_ledger.ledgers import KEY, TENANT, sign, verify
from tests.verifier import javascript
from tests.verifier.decisions import (
    APPROVAL_KEYS,
    MAIL,
    Call,
    Company,
    a_company,
    a_role,
    a_rule,
    a_second_founder,
    admit,
    decided,
    decided_together,
    proposed,
    settled,
)
from tests.verifier.files import checked, exported

TRUSTED = Trusted({KEY.kid: KEY.raw_public}, APPROVAL_KEYS)


async def holds(database: Database, sealer: asyncpg.Connection, folder: Path, *, signatures: int) -> None:
    """Live and from an export, for both verifiers."""
    await sign(sealer)
    live = await verify(database, full=True, keys=TRUSTED.seal, approval_keys=APPROVAL_KEYS)
    export = await exported(database, folder, evidence=True)
    report = checked(export, trusted=TRUSTED)
    assert await asyncio.to_thread(javascript.agrees, export, holds=True)
    assert live.first_break is None
    assert report.first_break is None
    assert (live.signatures, report.signatures, report.unchecked) == (signatures, signatures, [])


async def breaks(database: Database, sealer: asyncpg.Connection, folder: Path, *, reason: str) -> None:
    """Live and from an export, for both verifiers."""
    await sign(sealer)
    live = await verify(database, full=True, keys=TRUSTED.seal, approval_keys=APPROVAL_KEYS)
    export = await exported(database, folder, evidence=True)
    report = checked(export, trusted=TRUSTED)
    assert await asyncio.to_thread(javascript.agrees, export, holds=False)
    for found in (live.first_break, report.first_break):
        assert found is not None
        assert reason in found.reason


async def test_amended_and_raised_contracts_verify_each_under_its_own_signature(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    async with database.transaction(TENANT) as tx:
        company = await a_company(tx)
        first = await a_role(tx, company)
        await Call(tx, first, {"text": "one"}).record(tx, "done")
    async with database.transaction(TENANT) as tx:
        terms = msgspec.structs.replace(first.terms, title="Senior assistant")
        role = await amend(tx, first.role_id, seen_version=1, terms=terms, by=company.by, undo_seconds=0)
        assert role.pending is not None
        await settled(tx, await decided(tx, company, await get_approval(tx, role.pending.approval_id), by="phone"))
        second = await contract_in_force(tx, first.role_id)
        await Call(tx, second, {"text": "two"}).record(tx, "done")
    async with database.transaction(TENANT) as tx:
        line = BudgetLimit("calls", "day", 20_000)
        asked = await ask_budget_raise(tx, first.role_id, line, "more", actor=company.by.actor, undo_seconds=0)
        await settled(tx, await decided(tx, company, asked))
        third = await contract_in_force(tx, first.role_id)
        await Call(tx, third, {"text": "three"}).record(tx, "done")
    assert [contract.version for contract in (first, second, third)] == [1, 2, 3]
    await holds(database, sealer, tmp_path, signatures=3)


async def test_a_decision_taken_back_and_made_again_verifies(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    async with database.transaction(TENANT) as tx:
        company = await a_company(tx)
        call = Call(tx, await a_role(tx, company), {"to": "a@b.example"})
        question = msgspec.structs.replace(a_question(act_digest=call.act_digest), undo_seconds=60)
        asked = await raise_approval(tx, question)
        await decided(tx, company, asked)
    async with database.transaction(TENANT) as tx:
        again = await undo(tx, asked.id, by=company.by)
        await decided(tx, company, again, by="phone")
    await holds(database, sealer, tmp_path, signatures=3)


async def test_votes_and_what_is_decided_along_verify(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    async with database.transaction(TENANT) as tx:
        company = await a_company(tx)
        deputy = await create_founder(tx, name="Budi", language="id", rol=Rol.DEPUTY)
        by = principal(TENANT, Rol.DEPUTY, str(deputy.id))
        other = Company(deputy, by, company.device, company.phone)
        mandate = Mandate(
            person=by.sub,
            name="Budi",
            tiers=(Tier.R1,),
            kinds=("tool_call",),
            cap=Money(5000),
            ends_at=datetime.now(UTC) + timedelta(days=1),
        )
        await settled(tx, await decided(tx, company, await proposed(tx, mandate, company)))
        quorum = await raise_approval(tx, msgspec.structs.replace(a_question(), quorum=2))
        await decided(tx, company, quorum)
        await decided(tx, other, await get_approval(tx, quorum.id), by="session")
        twins = [await raise_approval(tx, a_question(act_digest=digest(["twin"]), step=step)) for step in (None, None)]
        await decided(tx, company, twins[0])
        assert {(await get_approval(tx, twin.id)).status for twin in twins} == {"approved"}
    await holds(database, sealer, tmp_path, signatures=5)


async def test_a_founder_who_left_and_was_admitted_anew_decides_again(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    async with database.transaction(TENANT) as tx:
        company = await a_company(tx)
        other = await a_second_founder(tx, company)
        await decided(tx, other, await raise_approval(tx, a_question()))
        await end_mandate(tx, other.founder.id, by=company.by)
        await decided(tx, company, await raise_approval(tx, a_question()))
        await admit(tx, company, other.by)
        await decided(tx, other, await raise_approval(tx, a_question()), "reject")
    await holds(database, sealer, tmp_path, signatures=5)


@pytest.mark.parametrize("by", ["device", "phone"])
async def test_decisions_signed_as_a_list_verify_each_by_itself(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path, by: str
) -> None:
    async with database.transaction(TENANT) as tx:
        company = await a_company(tx)
        contract = await a_role(tx, company)
        calls = [Call(tx, contract, {"to": f"{name}@b.example"}) for name in "abc"]
        asked = [await call.ask(tx, Tier.R2) for call in calls]
        results = await decided_together(tx, company, *asked, by=by)
        for call, result in zip(calls, results, strict=True):
            assert result.approval is not None
            await call.use(tx, result.approval)
    await holds(database, sealer, tmp_path, signatures=4)


async def test_calls_under_a_standing_rule_verify_under_the_founders_signature_over_it(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    async with database.transaction(TENANT) as tx:
        company = await a_company(tx)
        contract = await a_role(tx, company)
        rule = await a_rule(tx, company, contract)
    for _ in range(2):
        async with database.transaction(TENANT) as tx:
            call = Call(tx, contract, {"to": "a@b.example"}, schema_hash=MAIL.schema_hash)
            subject = await use_rule(tx, rule.id)
            await call.record(tx, "intended", signature=rule.signature, subjects=(subject,))
            await call.record(tx, "done", signature=rule.signature)
    async with database.transaction(TENANT) as tx:
        await revoke_rule(tx, rule.id, company.by)
    await holds(database, sealer, tmp_path, signatures=2)


async def test_a_question_decided_while_it_was_frozen_verifies_though_its_time_was_over(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection, tmp_path: Path
) -> None:
    async with database.transaction(TENANT) as tx:
        company = await a_company(tx)
        contract = await a_role(tx, company)
        asked = await Call(tx, contract, {"to": "a@b.example"}).ask(tx, Tier.R1)
        await pause(tx, contract.role_id, company.by)
    await superuser.execute("SET event_triggers = off")
    await superuser.execute("ALTER TABLE work_queue.approvals DISABLE TRIGGER USER")
    late = "UPDATE work_queue.approvals SET expires_at = now() - interval '30 seconds' WHERE id = $1"
    await superuser.execute(late, asked.id)
    await superuser.execute("ALTER TABLE work_queue.approvals ENABLE TRIGGER USER")
    async with database.transaction(TENANT) as tx:
        frozen = await get_approval(tx, asked.id)
        assert frozen.frozen_at is not None
        await decided(tx, company, frozen)
    await sign(sealer)
    assert checked(await exported(database, tmp_path), trusted=TRUSTED).first_break is None

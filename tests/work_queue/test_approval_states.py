"""Whatever happens in whatever order: an approval is used at most once, and only after a yes that held."""

from datetime import timedelta
from typing import Literal, TypeAlias
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.canon.errors import Fault
from app.canon.vocabulary import new_id
from app.governance_ledger import EventFilter, read_events
from app.postgres import Database, Transaction
from app.work_queue import (
    Approval,
    consume,
    decide,
    expire,
    freeze,
    get_approval,
    raise_approval,
    thaw,
    undo,
    votes_of,
    withdraw,
)
from app.work_queue.model import APPROVAL_MOVES, may_become
from tests.builders import APPROVALS, a_question, principal

Act: TypeAlias = Literal[
    "approve", "reject", "undo", "expire", "withdraw", "consume", "freeze", "thaw", "wait a little", "wait long"
]
ACTS: tuple[Act, ...] = (
    "approve",
    "reject",
    "undo",
    "expire",
    "withdraw",
    "consume",
    "freeze",
    "thaw",
    "wait a little",
    "wait long",
)
UNDO = timedelta(seconds=10)


def test_only_a_yes_can_be_taken_back() -> None:
    back = [status for status in APPROVAL_MOVES if may_become(status, "pending")]
    assert back == ["approved"]


async def _do(tx: Transaction, approval: Approval, act: Act) -> None:
    founder = principal(tx.tenant)
    match act:
        case "approve" | "reject":
            await decide(tx, approval.id, act, by=founder, signer=APPROVALS, proof=None)
        case "undo":
            await undo(tx, approval.id, by=founder)
        case "expire":
            await expire(tx, approval.id)
        case "withdraw":
            await withdraw(tx, approval.id, "no longer needed")
        case "consume":
            await consume(tx, approval.id, payload_digest=approval.payload_digest, reader=APPROVALS)
        case "freeze":
            await freeze(tx, None, actor=founder.actor)
        case "thaw":
            await thaw(tx, None, actor=founder.actor)
        case _:
            seconds = 5 if act == "wait a little" else 4000
            statement = "SELECT set_config('app.now', (clock.now() + make_interval(secs => $1))::text, true)"
            await tx.connection.execute(statement, float(seconds))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.sampled_from(ACTS), min_size=1, max_size=12))
async def test_an_approval_is_used_at_most_once_and_only_after_a_yes_that_held(
    database: Database, acts: list[Act]
) -> None:
    async with database.transaction(new_id()) as tx:
        asked = await raise_approval(tx, a_question(undo_seconds=int(UNDO.total_seconds())))
        used = 0
        for act in acts:
            before = await get_approval(tx, asked.id)
            now = await tx.connection.fetchval("SELECT clock.now()")
            try:
                async with tx.savepoint():
                    await _do(tx, asked, act)
            except Fault:
                assert await get_approval(tx, asked.id) == before
                continue
            after = await get_approval(tx, asked.id)
            assert after.status == before.status or may_become(before.status, after.status)
            if act == "consume":
                used += 1
                assert (before.status, before.consumed_at) == ("approved", None)
                assert before.decided_at is not None
                assert now - before.decided_at >= UNDO
            if after.status == "expired" and before.status != "expired":
                assert before.expires_at <= now
                assert before.frozen_at is None
        assert used <= 1
        await _the_record_agrees(tx, asked)


async def _the_record_agrees(tx: Transaction, asked: Approval) -> None:
    """An approval whose story ends otherwise than the ledger tells would be a forgery."""
    final = await get_approval(tx, asked.id)
    page = await read_events(tx, EventFilter(type="approval."), limit=200, newest_first=False)
    told = [event.data.get("status") for event in page.items if "status" in event.data]
    assert told[-1] == final.status
    standing = [vote for vote in await votes_of(tx, asked.id) if vote.undone_at is None]
    assert len(standing) <= 1
    if final.status in ("approved", "rejected"):
        assert standing[0].signature == final.signature


async def _approve_by_hand(database: Database, tenant: UUID, asked: Approval) -> None:
    async with database.transaction(tenant) as tx:
        await tx.connection.execute("UPDATE work_queue.approvals SET status = 'approved' WHERE id = $1", asked.id)


async def test_the_database_refuses_what_the_ledger_does_not_tell(database: Database) -> None:
    tenant = new_id()
    async with database.transaction(tenant) as tx:
        asked = await raise_approval(tx, a_question())
    with pytest.raises(asyncpg.PostgresError):
        await _approve_by_hand(database, tenant, asked)

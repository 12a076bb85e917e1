"""What is appended, and what a caller gets back."""

import hashlib
import json
from uuid import UUID

import asyncpg
import pytest

from app.canon.canonical_json import NotCanonical, canonical_bytes
from app.canon.evidence import EvidenceRef
from app.canon.vocabulary import new_id
from app.governance_ledger import Event, append, append_many, read_event
from app.governance_ledger.errors import EventRefused
from app.postgres import Database

TENANT = UUID("018f0000-0000-7000-8000-000000000001")
REF = EvidenceRef("ab" * 32, "sha256/ab/" + "ab" * 32, 12, "text/plain", "note.txt")


async def test_a_receipt_names_the_leaf_of_the_stored_bytes(database: Database, superuser: asyncpg.Connection) -> None:
    async with database.transaction(TENANT) as tx:
        receipt = await append(tx, Event(type="tool.done", actor="worker:1", data={"name": "Ä €"}))
    row = await superuser.fetchrow(
        "SELECT body, leaf, xid::text AS xid, recorded_at FROM governance_ledger.governance_events WHERE event_id = $1",
        receipt.event_id,
    )
    assert row is not None
    assert hashlib.sha256(b"\x00" + row["body"].encode()).digest() == row["leaf"] == bytes.fromhex(receipt.leaf)
    assert (row["xid"], row["recorded_at"]) == (receipt.xid, receipt.recorded_at)


async def test_the_stored_document_is_canonical_and_complete(database: Database, superuser: asyncpg.Connection) -> None:
    event = Event(
        type="tool.done",
        actor="worker:1",
        ticket_id=new_id(),
        run_id=new_id(),
        step=3,
        data={"b": 'quote " back \\ line \n tab \t bell \x07 del \x7f', "a": [1, None, True, "é"]},
        approval="head.body.signature",
        evidence=(REF,),
        subjects=("work_queue.tickets/1",),
    )
    async with database.transaction(TENANT) as tx:
        receipt = await append(tx, event)
    row = await superuser.fetchrow("SELECT * FROM governance_ledger.governance_events WHERE tenant_id = $1", TENANT)
    assert row is not None
    document = json.loads(row["body"])
    assert canonical_bytes(document) == row["body"].encode()
    assert sorted(document) == ["at", "body", "effect", "id", "n", "subjects", "tenant", "v", "xid"]
    assert document["id"] == str(receipt.event_id)
    assert document["effect"] == {"digest": hashlib.sha256(b"").hexdigest(), "n": "0"}
    assert document["body"]["data"] == event.data
    columns = (row["type"], row["actor"], row["ticket_id"], row["run_id"], row["step"], row["approval_signature"])
    assert columns == (event.type, event.actor, event.ticket_id, event.run_id, 3, event.approval)
    assert (row["evidence_sha256"], row["evidence_url"]) == (REF.sha256, REF.key)


async def test_an_event_is_read_back_as_it_was_written(database: Database) -> None:
    event = Event(type="tool.done", actor="worker:1", ticket_id=new_id(), step=0, data={"x": 1}, evidence=(REF,))
    async with database.transaction(TENANT) as tx:
        receipt = await append(tx, event)
    async with database.transaction(TENANT) as tx:
        read = await read_event(tx, receipt.event_id)
    assert (read.type, read.actor, read.ticket_id, read.step) == (event.type, event.actor, event.ticket_id, 0)
    assert (read.data, read.evidence, read.leaf) == (event.data, (REF,), receipt.leaf)
    assert (read.seq, read.hash) == (None, None)


async def test_many_events_get_their_receipts_in_the_order_given(database: Database) -> None:
    events = [Event(type=f"x.number{n}", actor="system", subjects=("a.b/1", "a.c/2")[: n % 3]) for n in range(20)]
    async with database.transaction(TENANT) as tx:
        receipts = await append_many(tx, events)
        read = [await read_event(tx, receipt.event_id) for receipt in receipts]
    assert [event.type for event in read] == [event.type for event in events]
    assert [event.subjects for event in read] == [event.subjects for event in events]
    assert sorted(event.n for event in read) == [event.n for event in read]


async def test_no_events_are_no_statement(database: Database) -> None:
    async with database.transaction(TENANT) as tx:
        assert await append_many(tx, []) == ()


@pytest.mark.parametrize("name", ["", "tool", "Tool.done", "tool..done", "tool.done ", "tool.döne", "x." + "a" * 60])
async def test_a_type_that_is_no_type_is_refused(database: Database, name: str) -> None:
    async with database.transaction(TENANT) as tx:
        with pytest.raises(EventRefused):
            await append(tx, Event(type=name, actor="system"))


async def test_a_float_is_refused_before_the_database_sees_it(database: Database) -> None:
    async with database.transaction(TENANT) as tx:
        with pytest.raises(NotCanonical):
            await append(tx, Event(type="x.y", actor="system", data={"amount": 1.5}))


async def test_what_is_too_large_belongs_into_evidence(database: Database) -> None:
    async with database.transaction(TENANT) as tx:
        with pytest.raises(EventRefused, match="keep the bulk as evidence"):
            await append(tx, Event(type="x.y", actor="system", data={"text": "a" * 300_000}))

"""Receipts are stored as they are handed out, in the transaction of their event, and held against it ever after."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from litestar import Litestar

from app import auth
from app.governance_ledger import ChainReport, Event, Receipt, append, append_many
from app.governance_ledger.issuing import issue
from app.governance_ledger.receipts import Receipts, verify
from app.postgres import Database, Transaction
from tests.governance_ledger.ledgers import KEY, OTHER, RECEIPT_KEY, RECEIPTS, TENANT, receive, record, sign
from tests.governance_ledger.ledgers import verify as verify_ledger

EVENTS = "/api/v1/events"
STORED = "SELECT event_id, receipt FROM governance_ledger.ledger_receipts WHERE tenant_id = $1"
TRUSTED = {RECEIPT_KEY.kid: RECEIPT_KEY.raw_public}


async def stored(database: Database, tenant: UUID = TENANT) -> dict[UUID, str]:
    async with database.transaction(tenant) as tx:
        return {row["event_id"]: row["receipt"] for row in await tx.connection.fetch(STORED, tenant)}


async def send(client: httpx.AsyncClient, events: list[Any], **params: str) -> Any:
    body = "\n".join(json.dumps(event) for event in events)
    headers = {"content-type": "application/x-ndjson"}
    return (await client.post(EVENTS, content=body, params=params, headers=headers)).json()


async def test_what_is_handed_out_is_what_is_stored(client: httpx.AsyncClient, database: Database) -> None:
    one = (await client.post(EVENTS, json={"type": "x.sold", "data": {"sku": "K-1"}})).json()
    batch = await send(client, [{"type": "x.sold"}, {"type": "tool.done"}, {"type": "x.sold"}])
    given = [one, *(item["recorded"] for item in batch["items"] if item["recorded"])]
    assert await stored(database) == {UUID(each["event_id"]): each["receipt"] for each in given}
    assert len(given) == 3


async def test_a_batch_that_is_refused_leaves_no_receipt(client: httpx.AsyncClient, database: Database) -> None:
    await send(client, [{"type": "x.sold"}, {"type": "tool.done"}], atomic="true")
    assert await stored(database) == {}
    assert (await send(client, [{"type": "x.sold"}], atomic="true"))["recorded"] == 1
    assert len(await stored(database)) == 1


async def test_a_repeated_event_gets_the_very_receipt_that_was_stored_whatever_key_signs_now(
    client: httpx.AsyncClient, app: Litestar, database: Database
) -> None:
    event = {"type": "x.sold", "data": {"n": 1}, "idempotency_key": "order-1"}
    first = (await client.post(EVENTS, json=event)).json()
    auth.create_key(app.state.settings.keys, "receipt")
    app.state.receipts = Receipts(auth.KeyRing.load(app.state.settings.keys, "receipt"), 30)
    again = (await client.post(EVENTS, json=event)).json()
    (item, twice, new) = (await send(client, [event, event, {"type": "x.new"}]))["items"]
    assert first == again == item["recorded"] == twice["recorded"]
    ring = app.state.receipts.ring
    assert len(ring.by_kid) == 2
    delays = [verify(one["receipt"], ring.by_kid).max_merge_delay_seconds for one in (again, new["recorded"])]
    assert delays == [5, 30]
    assert len(await stored(database)) == 2


async def test_callers_who_ask_at_once_get_one_receipt(client: httpx.AsyncClient, database: Database) -> None:
    events = [{"type": "x.sold", "data": {"n": n}, "idempotency_key": f"order-{n}"} for n in range(20)]
    answers = await asyncio.gather(*(send(client, events if turn % 2 else events[::-1]) for turn in range(6)))
    given = {item["recorded"]["receipt"] for answer in answers for item in answer["items"]}
    assert given == set((await stored(database)).values())
    assert len(given) == 20


async def test_an_event_of_before_receipts_were_stored_gets_one_when_it_is_asked_for_again(
    database: Database,
) -> None:
    before = await record(database, 2)

    async def ask() -> dict[UUID, str]:
        async with database.transaction(TENANT) as tx:
            return dict(await issue(tx, RECEIPTS, before))

    first, second = await asyncio.gather(ask(), ask())
    assert first == second == await stored(database)
    assert len(first) == 2


@asynccontextmanager
async def counted(tx: Transaction) -> AsyncIterator[list[str]]:
    """The statements on the ledger meanwhile, without the driver's own on types."""
    said: list[str] = []

    def log(record: Any) -> None:
        if "governance_ledger" in record.query:
            said.append(record.query)

    tx.connection.add_query_logger(log)
    try:
        yield said
    finally:
        tx.connection.remove_query_logger(log)


async def test_a_thousand_receipts_are_stored_in_one_statement(database: Database) -> None:
    async with database.transaction(TENANT) as tx:
        recorded = await append_many(tx, [Event(type="x.a", actor="system") for _ in range(1000)])
        async with counted(tx) as said:
            await issue(tx, RECEIPTS, recorded)
        async with counted(tx) as again:
            await issue(tx, RECEIPTS, recorded)
    assert (len(said), len(again)) == (1, 2)
    assert len(await stored(database)) == 1000


async def test_an_event_of_the_runtime_is_one_statement_and_leaves_no_receipt(database: Database) -> None:
    async with database.transaction(TENANT) as tx, counted(tx) as said:
        await append(tx, Event(type="x.a", actor="system"))
        await append_many(tx, [Event(type="x.a", actor="system") for _ in range(9)])
    assert len(said) == 2
    assert "ledger_receipts" not in "".join(said)
    assert await stored(database) == {}


async def test_a_receipt_is_stored_for_the_own_tenant_alone(
    database: Database, application: asyncpg.Connection
) -> None:
    (receipt,) = await record(database, 1)
    transaction = application.transaction()
    await transaction.start()
    await application.execute(f"SET LOCAL app.tenant = '{OTHER}'")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await application.execute(f"INSERT INTO {RECEIPTS_OF} VALUES ($1, $2, 'x')", TENANT, receipt.event_id)
    await transaction.rollback()
    await receive(database, 2)
    assert await stored(database, OTHER) == {}


Attack = Callable[[asyncpg.Connection, Database], Awaitable[object]]
CUT = "DELETE FROM governance_ledger.governance_events WHERE event_id = (SELECT max(event_id::text)::uuid FROM "
CUT += "governance_ledger.ledger_receipts)"
RECEIPTS_OF = "governance_ledger.ledger_receipts"


async def cut_the_unsealed_tail(attacker: asyncpg.Connection, _: Database) -> None:
    assert await attacker.execute(CUT) == "DELETE 1"


async def edit_a_receipt(attacker: asyncpg.Connection, _: Database) -> None:
    await attacker.execute(f"UPDATE {RECEIPTS_OF} SET receipt = overlay(receipt PLACING 'AAAA' FROM 200)")


async def swap_receipts(attacker: asyncpg.Connection, _: Database) -> None:
    await attacker.execute(
        f"UPDATE {RECEIPTS_OF} r SET receipt = o.receipt FROM {RECEIPTS_OF} o WHERE o.event_id <> r.event_id"
    )


async def put_another_tenants(attacker: asyncpg.Connection, database: Database) -> None:
    (other,) = (await receive(database, 1, OTHER)).values()
    await attacker.execute(f"UPDATE {RECEIPTS_OF} SET receipt = $1 WHERE tenant_id = $2", other, TENANT)


async def put_a_strangers(attacker: asyncpg.Connection, _: Database) -> None:
    stranger = Receipts(auth.KeyRing({}, "receipt", auth.SigningKey(Ed25519PrivateKey.generate())), 5)
    for row in await attacker.fetch(
        "SELECT event_id, leaf, xid::text, recorded_at FROM governance_ledger.governance_events"
    ):
        signed = stranger.sign(TENANT, Receipt(row[0], row[1].hex(), row[2], row[3]))
        await attacker.execute(f"UPDATE {RECEIPTS_OF} SET receipt = $1 WHERE event_id = $2", signed, row[0])


async def promise_something_else(attacker: asyncpg.Connection, _: Database) -> None:
    for row in await attacker.fetch(
        "SELECT event_id, leaf, xid::text, recorded_at FROM governance_ledger.governance_events"
    ):
        signed = RECEIPTS.sign(TENANT, Receipt(row[0], "0" * 64, row[2], row[3]))
        await attacker.execute(f"UPDATE {RECEIPTS_OF} SET receipt = $1 WHERE event_id = $2", signed, row[0])


ATTACKS: dict[Attack, str] = {
    cut_the_unsealed_tail: "was promised by a receipt and is not in the ledger",
    edit_a_receipt: "a receipt that this ledger's installation did not sign",
    swap_receipts: "the receipt in this event's place is that of event",
    put_another_tenants: "a receipt of another tenant's event",
    put_a_strangers: "a receipt by an unknown key",
    promise_something_else: "a receipt promises another event under this id",
}


@asynccontextmanager
async def unguarded(superuser: asyncpg.Connection) -> AsyncIterator[None]:
    """A superuser without what stands in his way; it is all in its place again afterwards."""
    await superuser.execute("SET event_triggers = off")
    for turn in ("DISABLE", "ENABLE ALWAYS"):
        for table in ("governance_events", "ledger_receipts"):
            for trigger in ("worm_row", "worm_statement"):
                await superuser.execute(f"ALTER TABLE governance_ledger.{table} {turn} TRIGGER {trigger}")
        if turn == "DISABLE":
            yield


async def judged(database: Database) -> ChainReport:
    return await verify_ledger(database, full=True, keys={KEY.kid: KEY.raw_public}, receipt_keys=TRUSTED)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_a_full_verification_finds_it(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection, attack: Attack
) -> None:
    await record(database, 5)
    await sign(sealer)
    given = await receive(database, 2)
    before = await judged(database)
    assert (before.ok, before.receipts, before.unsealed.count) == (True, 2, 2)
    async with unguarded(superuser):
        await attack(superuser, database)
    report = await judged(database)
    assert report.first_break is not None
    assert ATTACKS[attack] in report.first_break.reason
    assert report.first_break.event_id in given
    assert (await verify_ledger(database)).ok


async def test_a_sealed_tail_that_was_cut_between_two_checkpoints_is_found_by_its_receipts(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection
) -> None:
    """All that the chain could show was cut with it: events, seals and head are those of the last checkpoint."""
    await record(database, 5)
    await sign(sealer)
    (cut,) = await receive(database, 1)
    await sealer.execute("SELECT governance_ledger.seal()")
    async with unguarded(superuser):
        await superuser.execute("ALTER TABLE governance_ledger.ledger_seals DISABLE TRIGGER USER")
        await superuser.execute(CUT)
        await superuser.execute("DELETE FROM governance_ledger.ledger_seals WHERE seq > 5")
        await superuser.execute(
            "UPDATE governance_ledger.ledger_heads SET seq = 5, hash = (SELECT hash FROM "
            "governance_ledger.ledger_seals WHERE seq = 5)"
        )
        await superuser.execute("ALTER TABLE governance_ledger.ledger_seals ENABLE TRIGGER USER")
    report = await judged(database)
    assert report.first_break is not None
    assert report.first_break.event_id == cut
    assert "was promised by a receipt" in report.first_break.reason


async def test_without_keys_it_is_only_seen_that_the_event_is_there(
    database: Database, superuser: asyncpg.Connection
) -> None:
    await receive(database, 2)
    async with unguarded(superuser):
        await edit_a_receipt(superuser, database)
        assert (await verify_ledger(database, full=True)).receipts == 2
        await cut_the_unsealed_tail(superuser, database)
    assert not (await verify_ledger(database, full=True)).ok


async def test_receipts_of_a_key_that_was_replaced_verify(database: Database, tmp_path: Path) -> None:
    auth.create_key(tmp_path, "receipt")
    await receive(database, 2, signer=Receipts(auth.KeyRing.load(tmp_path, "receipt"), 5))
    auth.create_key(tmp_path, "receipt")
    await receive(database, 2, signer=Receipts(auth.KeyRing.load(tmp_path, "receipt"), 5))
    known = {kid: auth.raw_public(key) for kid, key in auth.load_public_keys(tmp_path, "receipt").items()}
    assert len(known) == 2
    assert (await verify_ledger(database, full=True, receipt_keys=known)).receipts == 4


async def test_the_api_verifies_receipts_with_its_own_keys(
    client: httpx.AsyncClient, superuser: asyncpg.Connection
) -> None:
    await send(client, [{"type": "x.a"} for _ in range(3)])
    report = (await client.get(f"{EVENTS}/chain-verify", params={"full": "true"})).json()
    assert (report["ok"], report["receipts"]) == (True, 3)
    async with unguarded(superuser):
        await superuser.execute(f"UPDATE {RECEIPTS_OF} SET receipt = reverse(receipt)")
    report = (await client.get(f"{EVENTS}/chain-verify", params={"full": "true"})).json()
    assert (report["ok"], report["first_break"]["reason"]) == (False, "a receipt that is no JWS")

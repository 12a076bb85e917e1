"""Whoever holds a checkpoint gets proofs from the ledger that hold by themselves."""

import asyncpg
import httpx
import pytest

from app.governance_ledger import append, notes
from app.governance_ledger.merkle import Frontier
from app.governance_ledger.model import Event
from app.governance_ledger.proofs import check_consistency, check_inclusion
from app.postgres import Database
from tests.governance_ledger.ledgers import KEY, OTHER, TENANT, record, sign, verify

PROOFS = "/api/v1/ledger/proofs"
CHECKPOINTS = "/api/v1/ledger/checkpoints"


async def grow(database: Database, sealer: asyncpg.Connection, *counts: int) -> list[str]:
    """Events in portions, a checkpoint after each; the leaves."""
    leaves: list[str] = []
    for count in counts:
        leaves += [receipt.leaf for receipt in await record(database, count)]
        await sign(sealer)
    return leaves


def roots_of(leaves: list[str]) -> list[bytes]:
    """The root at each size from 0, recomputed from the leaves."""
    tree = Frontier()
    roots = [tree.root()]
    for leaf in leaves:
        tree.append(bytes.fromhex(leaf))
        roots.append(tree.root())
    return roots


def hashes(proof: dict[str, list[str]]) -> list[bytes]:
    return [bytes.fromhex(part) for part in proof["hashes"]]


async def test_checkpoints_are_listed_newest_first(
    client: httpx.AsyncClient, database: Database, sealer: asyncpg.Connection
) -> None:
    assert (await client.get(CHECKPOINTS)).json() == {"items": [], "next_cursor": None}
    assert (await client.get(f"{CHECKPOINTS}/latest")).status_code == 404
    await grow(database, sealer, 3, 1, 2)
    page = (await client.get(CHECKPOINTS, params={"limit": 2})).json()
    rest = (await client.get(CHECKPOINTS, params={"cursor": page["next_cursor"]})).json()
    assert [item["size"] for item in page["items"] + rest["items"]] == [6, 4, 3]
    assert rest["next_cursor"] is None
    latest = (await client.get(f"{CHECKPOINTS}/latest")).json()
    assert latest == page["items"][0]
    note = notes.verify(latest["note"], TENANT, KEY.raw_public)
    assert (note.size, note.root_hash.hex()) == (6, latest["root_hash"])


async def test_every_event_is_proved_against_every_checkpoint_that_covers_it(
    client: httpx.AsyncClient, database: Database, sealer: asyncpg.Connection
) -> None:
    await grow(database, sealer, 5, 1, 7)
    events = (await client.get("/api/v1/events", params={"order": "asc"})).json()["items"]
    for checkpoint in (await client.get(CHECKPOINTS)).json()["items"]:
        note = notes.verify(checkpoint["note"], TENANT, KEY.raw_public)
        for event in events[: note.size]:
            params = {"event_id": event["event_id"], "size": note.size}
            proof = (await client.get(f"{PROOFS}/inclusion", params=params)).json()
            assert (proof["seq"], proof["leaf"], proof["checkpoint"]) == (event["seq"], event["leaf"], checkpoint)
            check_inclusion(bytes.fromhex(event["leaf"]), proof["index"], note.size, hashes(proof), note.root_hash)


async def test_proofs_over_many_subtrees_hold(
    client: httpx.AsyncClient, database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection
) -> None:
    leaves = await grow(database, sealer, 300, 1, 500, 723, 12)
    roots = roots_of(leaves)
    assert await superuser.fetchval("SELECT count(*) FROM governance_ledger.ledger_subtrees") == len(leaves) // 256
    for first, second in [(1, 1536), (255, 257), (256, 512), (257, 1536), (300, 1524), (1000, 1025), (1536, 1536)]:
        params = {"first": first, "second": second}
        proof = (await client.get(f"{PROOFS}/consistency", params=params)).json()
        check_consistency(first, second, (roots[first], roots[second]), hashes(proof))
    events = (await client.get("/api/v1/events", params={"limit": 500})).json()["items"]
    for event in events[::97]:
        for size in (1524, 1536):
            if event["seq"] <= size:
                params = {"event_id": event["event_id"], "size": size}
                proof = (await client.get(f"{PROOFS}/inclusion", params=params)).json()
                check_inclusion(bytes.fromhex(event["leaf"]), proof["index"], size, hashes(proof), roots[size])


async def test_without_a_size_the_newest_checkpoint_is_meant(
    client: httpx.AsyncClient, database: Database, sealer: asyncpg.Connection
) -> None:
    leaves = await grow(database, sealer, 4, 5)
    proof = (await client.get(f"{PROOFS}/consistency", params={"first": 4})).json()
    assert proof["second"] == 9
    event = (await client.get("/api/v1/events", params={"limit": 1})).json()["items"][0]
    inclusion = (await client.get(f"{PROOFS}/inclusion", params={"event_id": event["event_id"]})).json()
    assert (inclusion["size"], inclusion["index"], inclusion["leaf"]) == (9, 8, leaves[8])
    assert inclusion["checkpoint"]["size"] == 9


async def test_what_no_checkpoint_covers_is_not_proved(
    client: httpx.AsyncClient, database: Database, sealer: asyncpg.Connection
) -> None:
    early = await record(database, 1)
    params = {"event_id": str(early[0].event_id)}
    assert (await client.get(f"{PROOFS}/inclusion", params=params)).status_code == 404
    await sign(sealer)
    assert (await client.get(f"{PROOFS}/inclusion", params=params)).status_code == 200
    async with database.transaction(TENANT) as tx:
        late = await append(tx, Event(type="x.late", actor="system"))
    refused = await client.get(f"{PROOFS}/inclusion", params={"event_id": str(late.event_id)})
    assert (refused.status_code, "ask again" in refused.json()["detail"]) == (409, True)
    for path, wanted, status in (
        ("inclusion", params | {"size": "2"}, 409),
        ("inclusion", params | {"size": "0"}, 400),
        ("inclusion", {"event_id": str(OTHER)}, 404),
        ("consistency", {"first": "1", "second": "2"}, 409),
        ("consistency", {"first": "2", "second": "1"}, 409),
        ("consistency", {"first": "0"}, 400),
    ):
        assert (await client.get(f"{PROOFS}/{path}", params=wanted)).status_code == status, (path, wanted)


async def test_another_tenant_and_a_worker_get_no_proofs(
    client: httpx.AsyncClient, database: Database, sealer: asyncpg.Connection
) -> None:
    receipt = (await record(database, 1))[0]
    await sign(sealer)
    params = {"event_id": str(receipt.event_id)}
    there = await client.get(f"{PROOFS}/inclusion", params=params, headers={"tenant": "other"})
    assert there.status_code == 404
    for path in (CHECKPOINTS, f"{CHECKPOINTS}/latest", f"{PROOFS}/inclusion", f"{PROOFS}/consistency"):
        answer = await client.get(path, params=params | {"first": "1"}, headers={"rol": "worker"})
        assert answer.status_code == 403


async def test_a_tree_with_a_hole_proves_nothing_and_says_so(
    client: httpx.AsyncClient, database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection
) -> None:
    await grow(database, sealer, 600)
    await superuser.execute("SET event_triggers = off")
    await superuser.execute("ALTER TABLE governance_ledger.ledger_subtrees DISABLE TRIGGER USER")
    await superuser.execute("DELETE FROM governance_ledger.ledger_subtrees WHERE place = 0")
    assert (await client.get(f"{PROOFS}/consistency", params={"first": 100})).status_code == 200
    refused = await client.get(f"{PROOFS}/consistency", params={"first": 300})
    assert (refused.status_code, "chain-verify" in refused.json()["detail"]) == (500, True)


async def test_subtrees_are_written_once(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection
) -> None:
    await grow(database, sealer, 256)
    for statement in (
        "UPDATE governance_ledger.ledger_subtrees SET hash = sha256('')",
        "DELETE FROM governance_ledger.ledger_subtrees",
        "TRUNCATE governance_ledger.ledger_subtrees",
    ):
        with pytest.raises(asyncpg.PostgresError, match="write once"):
            await superuser.execute(statement)


async def test_a_full_verification_finds_an_altered_or_missing_subtree(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection
) -> None:
    await grow(database, sealer, 600)
    assert (await verify(database, full=True)).ok
    await superuser.execute("SET event_triggers = off")
    loose = "ALTER TABLE governance_ledger.ledger_subtrees {} TRIGGER worm_statement, {} TRIGGER worm_row"
    for statement in (
        "UPDATE governance_ledger.ledger_subtrees SET hash = sha256('') WHERE place = 1",
        "DELETE FROM governance_ledger.ledger_subtrees WHERE place = 1",
    ):
        await superuser.execute(loose.format("DISABLE", "DISABLE"))
        await superuser.execute(statement)
        await superuser.execute(loose.format("ENABLE ALWAYS", "ENABLE ALWAYS"))
        report = await verify(database, full=True)
        assert report.first_break is not None
        assert (report.first_break.seq, "subtree" in report.first_break.reason) == (512, True)

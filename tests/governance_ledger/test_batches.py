"""Many events in one request: each is recorded or refused by itself, or all or none when the caller wants that."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from litestar import Litestar

from app.canon.vocabulary import new_id
from app.governance_ledger import Event, Receipt
from app.governance_ledger.appending_http import MAX_LINES, MAX_REQUEST_BYTES
from app.governance_ledger.batching import Outcome, append_batch
from app.governance_ledger.receipts import verify
from app.postgres import Database
from tests.governance_ledger.ledgers import TENANT

EVENTS = "/api/v1/events"


async def send(
    client: httpx.AsyncClient,
    lines: Sequence[object],
    *,
    atomic: bool = False,
    rol: str = "founder",
    key: str | None = None,
) -> httpx.Response:
    body = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    return await client.post(
        EVENTS,
        content=body.encode(),
        params={"atomic": "true"} if atomic else {},
        headers={"content-type": "application/x-ndjson", "rol": rol}
        | ({} if key is None else {"Idempotency-Key": key}),
    )


async def stored(client: httpx.AsyncClient) -> list[Any]:
    page = (await client.get(EVENTS, params={"order": "asc", "limit": 500})).json()
    return [(event["type"], event["data"]) for event in page["items"]]


async def test_a_batch_is_recorded_in_its_order_with_a_receipt_for_each(
    client: httpx.AsyncClient, app: Litestar
) -> None:
    answer = await send(client, [{"type": "x.counted", "data": {"number": number}} for number in range(5)])
    assert answer.status_code == 200, answer.text
    batch = answer.json()
    assert (batch["recorded"], batch["refused"]) == (5, 0)
    assert [item["line"] for item in batch["items"]] == [1, 2, 3, 4, 5]
    assert await stored(client) == [("x.counted", {"number": number}) for number in range(5)]
    assert len({item["recorded"]["xid"] for item in batch["items"]}) == 1
    for item in batch["items"]:
        claims = verify(item["recorded"]["receipt"], app.state.receipts.ring.by_kid)
        assert (str(claims.event_id), claims.leaf) == (item["recorded"]["event_id"], item["recorded"]["leaf"])


async def test_lines_that_are_refused_say_why_and_do_not_hold_up_the_others(client: httpx.AsyncClient) -> None:
    answer = await send(
        client,
        [
            {"type": "x.a"},
            {"type": "tool.done"},
            "{not json",
            "",
            {"type": "x.A"},
            {"type": "x.b", "data": {"part": 0.5}},
            {"type": "x.b", "data": {"big": "y" * 300_000}},
            {"type": "x.b", "more": 1},
            {"type": "x.c"},
        ],
    )
    batch = answer.json()
    assert (answer.status_code, batch["recorded"], batch["refused"]) == (200, 2, 6)
    assert [(item["line"], item["problem"] and item["problem"]["status"]) for item in batch["items"]] == [
        (1, None),
        (2, 403),
        (3, 400),
        (5, 422),
        (6, 422),
        (7, 422),
        (8, 400),
        (9, None),
    ]
    assert "larger than 262144 bytes" in batch["items"][5]["problem"]["detail"]
    assert [name for name, _ in await stored(client)] == ["x.a", "x.c"]


async def test_an_atomic_batch_with_a_refused_line_records_nothing(client: httpx.AsyncClient) -> None:
    refused = await send(client, [{"type": "x.a"}, {"type": "tool.done"}], atomic=True)
    assert refused.status_code == 422
    assert refused.headers["content-type"].startswith("application/problem+json")
    assert [item["line"] for item in refused.json()["data"]["items"]] == [2]
    assert await stored(client) == []
    assert (await send(client, [{"type": "x.a"}, {"type": "x.b"}], atomic=True)).json()["recorded"] == 2


async def test_an_atomic_batch_with_a_line_that_only_the_ledger_refuses_records_nothing(
    client: httpx.AsyncClient,
) -> None:
    await send(client, [{"type": "x.a", "data": {"n": 1}, "idempotency_key": "k"}])
    refused = await send(client, [{"type": "x.b"}, {"type": "x.a", "idempotency_key": "k"}], atomic=True)
    assert refused.status_code == 422
    assert refused.json()["data"]["items"][0]["problem"]["status"] == 409
    assert [name for name, _ in await stored(client)] == ["x.a"]


async def test_a_key_makes_a_line_idempotent_within_a_batch_and_over_batches(client: httpx.AsyncClient) -> None:
    line = {"type": "x.a", "data": {"n": 1}, "idempotency_key": "order-1"}
    first = (await send(client, [line, line, {"type": "x.b"}, line | {"data": {"n": 2}}])).json()
    assert [item["recorded"] and item["recorded"]["leaf"] for item in first["items"]][:2] == [
        first["items"][0]["recorded"]["leaf"]
    ] * 2
    assert first["items"][3]["problem"]["status"] == 409
    again = (await send(client, [{"type": "x.c"}, line])).json()
    assert again["items"][1]["recorded"] == first["items"][0]["recorded"]
    single = await client.post(EVENTS, json=line)
    assert single.json() == first["items"][0]["recorded"]
    assert [name for name, _ in await stored(client)] == ["x.a", "x.b", "x.c"]


async def test_the_requests_key_stands_for_each_line_with_its_number(client: httpx.AsyncClient) -> None:
    lines = [{"type": "x.a", "data": {"n": 1}}, {"type": "x.a", "data": {"n": 1}}]
    first = (await send(client, lines, key="batch-1")).json()
    again = (await send(client, [*lines, {"type": "x.new"}], key="batch-1")).json()
    assert again["items"][:2] == first["items"]
    assert len({item["recorded"]["event_id"] for item in again["items"]}) == 3


async def test_the_same_batch_twice_at_once_is_recorded_once(client: httpx.AsyncClient) -> None:
    lines = [{"type": "x.a", "data": {"n": n}, "idempotency_key": f"race-{n}"} for n in range(40)]
    answers = await asyncio.gather(*(send(client, lines) for _ in range(4)))
    receipts = [[item["recorded"]["leaf"] for item in answer.json()["items"]] for answer in answers]
    assert all(answer.status_code == 200 for answer in answers)
    assert len({tuple(leaves) for leaves in receipts}) == 1
    assert len(await stored(client)) == 40


async def test_batches_with_the_same_keys_in_other_orders_do_not_stop_each_other(
    database: Database, superuser: asyncpg.Connection
) -> None:
    given = [(Event(type="x.a", actor="system", data={"n": n}), new_id()) for n in range(1_000)]
    ready = asyncio.Barrier(2)

    async def write(batch: list[tuple[Event, UUID | None]]) -> list[Outcome]:
        async with database.transaction(TENANT) as tx:
            await ready.wait()
            return await append_batch(tx, batch)

    there, back = await asyncio.gather(write([*given]), write([*given[::-1]]))
    assert all(isinstance(outcome, Receipt) for outcome in there)
    assert there == back[::-1]
    assert (
        await superuser.fetchval("SELECT count(*) FROM governance_ledger.governance_events WHERE type = 'x.a'") == 1_000
    )


async def test_a_batch_is_bounded_in_lines_and_bytes(client: httpx.AsyncClient) -> None:
    full = await send(client, [{"type": "x.a"}] * MAX_LINES)
    assert full.json()["recorded"] == MAX_LINES
    many = await send(client, [{"type": "x.a"}] * (MAX_LINES + 1))
    assert (many.status_code, "at most 1000 lines" in many.json()["detail"]) == (413, True)
    large = await send(client, [{"type": "x.a", "data": {"text": "y" * MAX_REQUEST_BYTES}}])
    assert large.status_code == 413
    assert (await send(client, ["", " "])).status_code == 400


async def test_data_is_bounded_in_depth_so_that_whoever_reads_it_can(client: httpx.AsyncClient) -> None:
    def nested(levels: int) -> str:
        return '{"type": "x.deep", "data": {"a": ' + "[" * levels + "]" * levels + "}}"

    batch = (await send(client, [nested(20), nested(40), nested(400), nested(100_000)])).json()
    assert [item["problem"] and item["problem"]["status"] for item in batch["items"]] == [None, 422, 422, 400]
    assert (await client.post(EVENTS, content=nested(400).encode())).status_code == 422
    assert len(await stored(client)) == 1


async def test_a_body_of_another_kind_is_refused_by_name(client: httpx.AsyncClient) -> None:
    answer = await client.post(EVENTS, content=b"type=x.a", headers={"content-type": "text/csv"})
    assert (answer.status_code, "application/x-ndjson" in answer.json()["detail"]) == (415, True)


@pytest.mark.parametrize("rol", ["auditor", "worker"])
async def test_who_may_not_append_one_may_not_append_many(client: httpx.AsyncClient, rol: str) -> None:
    batch = (await send(client, [{"type": "x.a"}], rol=rol)).json()
    assert batch["items"][0]["problem"]["status"] == 403


def test_the_documentation_names_both_forms(app: Litestar) -> None:
    append = app.openapi_schema.to_schema()["paths"][EVENTS]["post"]
    assert set(append["requestBody"]["content"]) == {"application/json", "application/x-ndjson"}
    assert {"200", "201", "413", "415"} <= set(append["responses"])

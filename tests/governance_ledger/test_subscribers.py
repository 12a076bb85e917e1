"""Subscribers are sent each checkpoint, signed and in order, until they have heard it."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from litestar import Litestar

from app.adapters.evidence.folder import FolderStore
from app.adapters.webhooks import Webhooks
from app.governance_ledger import notes
from app.governance_ledger.delivering import Courier
from app.postgres import Database
from app.sealer import Sealer
from tests.governance_ledger.ledgers import KEY, TENANT, record, sign
from tests.governance_ledger.test_sealer import running_sealer, until

SUBSCRIBERS = "/api/v1/ledger/subscribers"


class Receiver:
    """A server on loopback that keeps what it is sent, and answers as `answers` says, then with 204.

    Under `/slow` it answers when `patience` is over.
    """

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.patience = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/checkpoints?from=5"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        if head[0].split()[1].startswith("/slow"):
            await self.patience.wait()
        status = HTTPStatus(self.answers.pop(0) if self.answers else 204)
        self.heard.append(({":path": head[0].split()[1], **headers}, body))
        location = f"location: {self.url}\r\n" if 300 <= status < 400 else ""
        writer.write(f"HTTP/1.1 {status} {status.phrase}\r\n{location}content-length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    def checkpoints(self) -> list[Any]:
        return [json.loads(body) for _, body in self.heard]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


@pytest.fixture
def webhooks(receiver: Receiver) -> Webhooks:
    return Webhooks((f"127.0.0.1:{receiver.port}",))


@pytest.fixture
async def courier(webhooks: Webhooks) -> AsyncIterator[Courier]:
    made = Courier(webhooks.post)
    yield made
    await made.close()


@asynccontextmanager
async def allowing(app: Litestar, receiver: Receiver) -> AsyncIterator[None]:
    """The installation lists the receiver's private address."""
    before = app.state.settings
    app.state.settings = msgspec.structs.replace(before, http_allow_private=(f"127.0.0.1:{receiver.port}",))
    yield
    app.state.settings = before


async def subscribe(client: httpx.AsyncClient, app: Litestar, receiver: Receiver) -> Any:
    async with allowing(app, receiver):
        answer = await client.post(SUBSCRIBERS, json={"url": receiver.url})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def shown(client: httpx.AsyncClient) -> Any:
    return (await client.get(SUBSCRIBERS)).json()["items"][0]


async def test_a_subscriber_is_sent_each_checkpoint_in_order_and_signed(
    client: httpx.AsyncClient,
    app: Litestar,
    database: Database,
    sealer: asyncpg.Connection,
    receiver: Receiver,
    courier: Courier,
) -> None:
    await record(database, 1)
    await sign(sealer)
    await record(database, 1)
    await sign(sealer)
    subscribed = await subscribe(client, app, receiver)
    await sign(sealer)
    while await courier.deliver(sealer):
        pass
    assert [checkpoint["serial"] for checkpoint in receiver.checkpoints()] == [2, 3]
    secret = base64.b64decode(subscribed["secret"].removeprefix("whsec_"))
    for headers, body in receiver.heard:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        assert headers[":path"] == "/checkpoints?from=5"
        checkpoint = json.loads(body)
        note = notes.verify(checkpoint["note"], TENANT, KEY.raw_public)
        assert (note.size, note.root_hash.hex()) == (checkpoint["size"], checkpoint["root_hash"])
    assert len({headers["webhook-id"] for headers, _ in receiver.heard}) == 2
    told = await shown(client)
    assert (told["serial"], told["attempts"], told["last_error"]) == (3, 0, None)
    assert "secret" not in told


async def test_what_was_not_heard_is_sent_again_later_each_time(
    client: httpx.AsyncClient,
    app: Litestar,
    database: Database,
    sealer: asyncpg.Connection,
    superuser: asyncpg.Connection,
    receiver: Receiver,
    courier: Courier,
) -> None:
    await subscribe(client, app, receiver)
    await record(database, 1)
    await sign(sealer)
    pauses = []
    receiver.answers = [500, 302, 404]
    for failures in range(1, 4):
        assert await courier.deliver(sealer) == 0
        assert await courier.deliver(sealer) == 0
        told = await shown(client)
        assert (told["attempts"], told["serial"], len(receiver.heard)) == (failures, 0, failures)
        pauses.append(
            await superuser.fetchval(
                "SELECT extract(epoch FROM next_try_at - now())::float FROM governance_ledger.checkpoint_deliveries"
            )
        )
        await superuser.execute("UPDATE governance_ledger.checkpoint_deliveries SET next_try_at = now()")
    assert "404" in (await shown(client))["last_error"]
    assert pauses[0] < 2 < pauses[1] < 4 < pauses[2] < 8
    assert await courier.deliver(sealer) == 1
    told = await shown(client)
    assert (told["serial"], told["attempts"], told["next_try_at"], told["last_error"]) == (1, 0, None, None)
    assert len({headers["webhook-id"] for headers, _ in receiver.heard}) == 1


async def test_a_subscriber_that_is_slow_holds_up_nobody_else(
    client: httpx.AsyncClient,
    app: Litestar,
    database: Database,
    sealer: asyncpg.Connection,
    receiver: Receiver,
    courier: Courier,
) -> None:
    async with allowing(app, receiver):
        for path in ("slow", "fast"):
            url = f"http://127.0.0.1:{receiver.port}/{path}"
            assert (await client.post(SUBSCRIBERS, json={"url": url})).status_code == 201
    for _ in range(3):
        await record(database, 1)
        await sign(sealer)
        assert await courier.deliver(sealer) == 1
    slow, fast = (await client.get(SUBSCRIBERS)).json()["items"]
    assert (fast["serial"], slow["serial"]) == (3, None)
    receiver.patience.set()
    while await courier.deliver(sealer):
        pass
    slow = (await client.get(SUBSCRIBERS)).json()["items"][0]
    assert (slow["serial"], slow["attempts"]) == (3, 0)


async def test_a_private_address_is_not_reached_however_it_came_into_the_table(
    client: httpx.AsyncClient,
    app: Litestar,
    database: Database,
    sealer: asyncpg.Connection,
    receiver: Receiver,
) -> None:
    await subscribe(client, app, receiver)
    await record(database, 1)
    await sign(sealer)
    assert await Courier(Webhooks().post).deliver(sealer) == 0
    assert receiver.heard == []
    assert "private address" in (await shown(client))["last_error"]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://10.0.0.1:8443/x",
        "https://169.254.169.254/latest",
        "https://localhost/x",
        "ftp://example.com/",
        "https://user:word@example.com/",
        "https://example.com/#part",
        "https://example.com/ä",
        "example.com/x",
        "https:///x",
        "",
        "https://example.com/" + "x" * 2000,
    ],
)
async def test_an_address_that_is_not_for_checkpoints_is_refused(client: httpx.AsyncClient, url: str) -> None:
    assert (await client.post(SUBSCRIBERS, json={"url": url})).status_code == 422
    assert (await client.get(SUBSCRIBERS)).json()["items"] == []


async def test_only_the_founder_subscribes_and_each_change_is_in_the_ledger(client: httpx.AsyncClient) -> None:
    for rol in ("deputy", "operator", "auditor", "service", "worker"):
        who = {"rol": rol}
        assert (await client.get(SUBSCRIBERS, headers=who)).status_code == 403
        assert (await client.post(SUBSCRIBERS, json={"url": "https://a.example/"}, headers=who)).status_code == 403
    made = (await client.post(SUBSCRIBERS, json={"url": "https://a.example/?token=t"})).json()
    again = await client.post(SUBSCRIBERS, json={"url": "https://a.example/?token=t"})
    assert again.status_code == 409
    there = {"tenant": "other"}
    assert (await client.delete(f"{SUBSCRIBERS}/{made['id']}", headers=there)).status_code == 404
    assert (await client.get(SUBSCRIBERS, headers=there)).json()["items"] == []
    assert (await client.delete(f"{SUBSCRIBERS}/{made['id']}")).status_code == 204
    assert (await client.delete(f"{SUBSCRIBERS}/{made['id']}")).status_code == 404
    events = (await client.get("/api/v1/events", params={"type": "ledger.", "order": "asc"})).json()["items"]
    assert [event["type"] for event in events] == ["ledger.subscribed", "ledger.unsubscribed"]
    for event in events:
        assert event["subjects"] == [f"governance_ledger.checkpoint_subscribers/{made['id']}"]
        assert event["data"] == {"subscriber_id": made["id"], "url": "https://a.example/"}


async def test_a_company_has_a_bounded_number_of_subscribers(client: httpx.AsyncClient) -> None:
    statuses = [(await client.post(SUBSCRIBERS, json={"url": f"https://a.example/{n}"})).status_code for n in range(21)]
    assert statuses == [201] * 20 + [409]


async def test_the_application_cannot_read_a_secret_and_not_subscribe_without_an_event(
    database: Database, client: httpx.AsyncClient
) -> None:
    await client.post(SUBSCRIBERS, json={"url": "https://a.example/"})
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction(TENANT) as tx:
            await tx.connection.fetch("SELECT secret FROM governance_ledger.checkpoint_subscribers")
    with pytest.raises(asyncpg.PostgresError, match="law"):
        async with database.transaction(TENANT) as tx:
            await tx.connection.execute("DELETE FROM governance_ledger.checkpoint_subscribers")


async def test_the_sealer_delivers_while_it_seals(
    client: httpx.AsyncClient,
    app: Litestar,
    database: Database,
    sealer_dsn: str,
    receiver: Receiver,
    webhooks: Webhooks,
    tmp_path: Path,
) -> None:
    await subscribe(client, app, receiver)
    made = Sealer(sealer_dsn, lambda: (KEY,), FolderStore(tmp_path / "evidence"), webhooks.post)
    async with running_sealer(made):
        await record(database, 2)

        async def heard() -> bool:
            return bool(receiver.heard)

        await until(heard)
    assert receiver.checkpoints()[0]["serial"] == 1

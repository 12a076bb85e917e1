"""The console: pages with little and with much behind them, 200 open consoles, a blocked step to card and to push."""

import asyncio
import gzip
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec

from app.canon.canonical_json import digest
from app.canon.contract import EngineBinding, ProcedureStep, ToolRule
from app.canon.vocabulary import Principal, Rol
from app.database_urls import app_url
from app.founder_console import create_founder
from app.founder_console.identity.sessions import cookie_name, start_session
from app.governance_ledger import Event, append_many
from app.postgres import Database, Transaction
from app.role_registry import Role
from app.settings import Settings
from app.work_queue import (
    NewTicket,
    decide,
    get_approval,
    move_ticket,
    open_ticket,
    pending_of_ticket,
    raise_approval,
)
from bench._machine import bench_home, environment_of
from bench.figures import Figure, arguments, middle, show
from tests.builders import APPROVALS, a_company, a_question, a_role, some_terms
from tests.founder_console.push_service import push_service
from tests.processes import free_port

PAGES = (
    ("today", "/"),
    ("decisions", "/approvals"),
    ("workers", "/workers"),
    ("money", "/money"),
    ("copilot", "/copilot"),
    ("ledger", "/ledger"),
)
WAITING = 10
BATCH = 500
CONSOLES = 200
AGENT = "bench/1"
DECIDED = {"decision": "approve", "kind": "tool_call", "tool": "send_email", "seconds_pending": 60, "seconds_open": 5}
CALLED: tuple[str, dict[str, object]] = ("model.done", {"cost_usd_micros": 1200, "tokens": 900})
KINDS: tuple[tuple[str, dict[str, object]], ...] = (
    *[CALLED] * 5,
    ("tool.done", {"tool": "http_request"}),
    ("tool.done", {"tool": "pay", "money": {"minor": "25000", "currency": "IDR"}}),
    ("approval.decided", DECIDED),
    ("revenue.recorded", {"amount_minor": "990000", "currency": "IDR", "source": "shop"}),
    ("x.counted", {"number": 1}),
)


class Bench:
    """One company on a running machine, and its founder's cookie."""

    def __init__(self, settings: Settings, database: Database, port: int) -> None:
        self.settings = settings
        self.database = database
        self.port = port
        self.origin = f"http://localhost:{port}"
        self.processes: list[subprocess.Popen[bytes]] = []

    async def found(self) -> None:
        self.tenant = UUID(int=time.time_ns())
        async with self.database.transaction(self.tenant) as tx:
            await a_company(tx)
            founder = await create_founder(tx, name="Dewi", language="id")
            self.founder = Principal(str(founder.id), self.tenant, Rol.FOUNDER)
            self.cookie = await start_session(tx, founder.id, label=AGENT)
            steps = (ProcedureStep("write_note", {"text": "Satu"}),)
            engine = EngineBinding(worker="procedure", procedure=steps)
            terms = some_terms("Raka", tools=(ToolRule("write_note", "ask"),), engine=engine)
            self.role = await a_role(tx, self.founder, terms)

    def start(self, command: str, **more: str) -> None:
        env = environment_of(self.settings, self.port) | {"FLR_PUBLIC_URL": self.origin} | more
        log = (self.settings.home / f"{command}.log").open("wb")
        self.processes.append(
            subprocess.Popen([sys.executable, "-m", "app.cli", command], env=env, stdout=log, stderr=log)
        )

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        limits = httpx.Limits(max_connections=None)
        headers = {"accept": "text/html", "accept-encoding": "gzip", "user-agent": AGENT}
        async with httpx.AsyncClient(base_url=self.origin, headers=headers, timeout=60, limits=limits) as client:
            client.headers["cookie"] = f"{cookie_name(self.origin)}={self.cookie}"
            yield client

    async def ready(self) -> None:
        async with self.client() as client:
            for _ in range(600):
                try:
                    if (await client.get("/readyz")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.1)
        raise SystemExit("the API is not ready")


async def fill(bench: Bench, *, tickets: int, events: int) -> None:
    """Tickets and events in bulk, through the front doors of their rooms: a tenth of the tickets is open."""
    async with bench.database.transaction(bench.tenant) as tx:
        for _ in range(WAITING):
            act = digest(["bench", str(time.time_ns())])
            await raise_approval(tx, a_question(role_id=bench.role.id, act_digest=act, in_seconds=7200))
    for begin in range(0, tickets, BATCH):
        async with bench.database.transaction(bench.tenant) as tx:
            for number in range(begin, min(begin + BATCH, tickets)):
                await _ticket(tx, bench.role, bench.founder, number)
    now = datetime.now(UTC)
    for begin in range(0, events, BATCH):
        told = [_told(bench.role, number, now) for number in range(begin, min(begin + BATCH, events))]
        async with bench.database.transaction(bench.tenant) as tx:
            await append_many(tx, told)
    await _sealed(bench)


def _told(role: Role, number: int, now: datetime) -> Event:
    """One of a month's events, as workers write them: most are model calls, then tool calls, then the rest."""
    kind, data = KINDS[number % len(KINDS)]
    data = {"role_id": str(role.id), **data}
    if kind == "approval.decided":
        data["approval_id"] = str(UUID(int=number))
    at = now - timedelta(minutes=number * 43_200 / 100_000)
    return Event(type=kind, actor=f"worker:{role.id}", data=data, occurred_at=at)


async def _ticket(tx: Transaction, role: Role, founder: Principal, number: int) -> None:
    new = NewTicket(f"Ticket {number}", "Count all boxes.", role_id=role.id, start=False)
    opened = await open_ticket(tx, new, actor=founder.actor, founder_wrote=True)
    if number % 10:
        await move_ticket(tx, opened.id, "working", actor=f"worker:{role.id}")
        await move_ticket(tx, opened.id, "done", actor=f"worker:{role.id}", result="Counted.")


async def _sealed(bench: Bench) -> None:
    """Until the sealer has linked everything: pages are measured at rest."""
    async with bench.client() as client:
        for _ in range(1200):
            answer = await client.get("/api/v1/events/chain-verify")
            if answer.json()["unsealed"]["count"] == 0:
                return
            await asyncio.sleep(0.25)
    raise SystemExit("the sealer does not catch up")


async def pages(bench: Bench, label: str, rounds: int) -> dict[str, Figure]:
    """Median time to the first byte and to the whole page, one after the other."""
    figures = {}
    async with bench.client() as client:
        for name, path in PAGES:
            first, whole, size = [], [], 0
            for _ in range(rounds + 3):
                began = time.perf_counter()
                async with client.stream("GET", path) as answer:
                    first.append((time.perf_counter() - began) * 1000)
                    content = b"".join([part async for part in answer.aiter_raw()])
                whole.append((time.perf_counter() - began) * 1000)
                if answer.status_code != 200:
                    raise SystemExit(f"{path}: {answer.status_code}")
                size = len(content)
                gzip.decompress(content)
            against = f"{name}, {label}, p50 of {rounds}"
            figures[f"{name}_{label}_first_byte"] = Figure(middle(first[3:]), "ms", against, 100, "less")
            figures[f"{name}_{label}_page"] = Figure(middle(whole[3:]), "ms", against, 150, "less")
            figures[f"{name}_{label}_size"] = Figure(size / 1000, "KB", f"{against}, compressed", 20, "less")
    return figures


async def _listen(client: httpx.AsyncClient, heard: asyncio.Queue[float], opened: asyncio.Queue[int]) -> None:
    async with client.stream("GET", "/events") as answer:
        lines = answer.aiter_lines()
        async for line in lines:
            if line.startswith("event: beat"):
                opened.put_nowait(1)
            if line.startswith("event: change"):
                heard.put_nowait(time.perf_counter())


async def fan_out(bench: Bench, rounds: int) -> dict[str, Figure]:
    """From the commit of an event to the last of the open consoles that hears of it."""
    heard: asyncio.Queue[float] = asyncio.Queue()
    opened: asyncio.Queue[int] = asyncio.Queue()
    async with bench.client() as client:
        listeners = [asyncio.create_task(_listen(client, heard, opened)) for _ in range(CONSOLES)]
        for _ in range(CONSOLES):
            await asyncio.wait_for(opened.get(), 60)
        firsts, lasts = [], []
        for number in range(rounds):
            await asyncio.sleep(0.3)
            while not heard.empty():
                heard.get_nowait()
            async with bench.database.transaction(bench.tenant) as tx:
                await append_many(tx, [Event(type="x.counted", actor="system", data={"number": number})])
            began = time.perf_counter()
            times = [await asyncio.wait_for(heard.get(), 30) for _ in range(CONSOLES)]
            firsts.append((times[0] - began) * 1000)
            lasts.append((times[-1] - began) * 1000)
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
    against = f"commit of an event to {CONSOLES} open consoles, p50 of {rounds}"
    return {
        "fan_out_first": Figure(middle(firsts), "ms", f"{against}, the first", 500, "less"),
        "fan_out_last": Figure(middle(lasts), "ms", f"{against}, the last", 1000, "less"),
    }


async def blocked(bench: Bench, received: Sequence[Any], rounds: int) -> dict[str, Figure]:
    """From the commit that holds a step to its card in an open console, and to the push service."""
    cards, pushes = [], []
    async with bench.client() as client, client.stream("GET", "/events") as stream:
        changes = _changes(stream)
        for number in range(rounds + 1):
            async with bench.database.transaction(bench.tenant) as tx:
                new = NewTicket(f"Held {number}", "Write a note.", role_id=bench.role.id)
                ticket = await open_ticket(tx, new, actor=bench.founder.actor, founder_wrote=True)
            approval_id, seen = await _card(bench, client, changes, ticket.id)
            arrived = await _pushed(received, approval_id)
            async with bench.database.transaction(bench.tenant) as tx:
                raised = (await get_approval(tx, approval_id)).raised_at.timestamp()
                await decide(tx, approval_id, "reject", by=bench.founder, signer=APPROVALS, proof=None)
            cards.append((seen - raised) * 1000)
            pushes.append((arrived - raised) * 1000)
    against = "a worker's step held (start of its transaction)"
    return {
        "blocked_to_card": Figure(
            middle(cards[1:]), "ms", f"{against} to the card in an open console that heard of it, p50", 100, "less"
        ),
        "blocked_to_push": Figure(
            middle(pushes[1:]), "ms", f"{against} to its push at the service, p50 of {rounds}", 300, "less"
        ),
    }


async def _changes(stream: httpx.Response) -> AsyncIterator[None]:
    async for line in stream.aiter_lines():
        if line.startswith("event: change"):
            yield


async def _pushed(received: Sequence[Any], approval_id: UUID) -> float:
    for _ in range(20_000):
        for push in received:
            if push["json"]["notification"]["tag"] == f"ap-{approval_id}":
                return float(push["at"])
        await asyncio.sleep(0.001)
    raise SystemExit("no push within 20 seconds")


async def _card(
    bench: Bench, client: httpx.AsyncClient, changes: AsyncIterator[None], ticket_id: UUID
) -> tuple[UUID, float]:
    """What an open page does: read itself anew at each change, until the ticket's card stands in it."""
    known: UUID | None = None
    async for _ in changes:
        page = (await client.get("/approvals")).text
        at = time.time()
        if known is None:
            async with bench.database.transaction(bench.tenant) as tx:
                waiting = await pending_of_ticket(tx, ticket_id)
            known = waiting[0].id if waiting else None
        if known is not None and f"/approvals/{known}" in page:
            return known, at
    raise SystemExit("the stream ended")


async def subscribe(bench: Bench, service: Any) -> None:
    async with bench.client() as client:
        body = {"endpoint": service.endpoint(), "p256dh": service.p256dh, "auth": service.auth}
        headers = {"origin": bench.origin, "sec-fetch-site": "same-origin"}
        answer = await client.post("/api/v1/console/push/subscriptions", json=body, headers=headers)
        if answer.status_code != 201:
            raise SystemExit(f"the subscription was refused: {answer.text}")


async def measure(settings: Settings, *, quick: bool) -> dict[str, Figure]:
    rounds = 15 if quick else 60
    figures: dict[str, Figure] = {}
    async with Database(app_url(settings), max_size=8) as database:
        with push_service() as service:
            bench = Bench(settings, database, free_port())
            try:
                await bench.found()
                for command in ("api", "sealer", "worker"):
                    bench.start(command, FLR_PUSH_ALLOW_HOSTS=service.address)
                await bench.ready()
                await fill(bench, tickets=10, events=0)
                figures |= await pages(bench, "10_tickets", rounds)
                await subscribe(bench, service)
                figures |= await blocked(bench, service.received, rounds // 3)
                figures |= await fan_out(bench, rounds // 3)
                many = (1_000, 10_000) if quick else (10_000, 70_000)
                await fill(bench, tickets=many[0], events=many[1])
                figures |= await pages(bench, f"{many[0]}_tickets", rounds)
            finally:
                bench.stop()
    return figures


def _know_the_signer(settings: Settings) -> None:
    """The machine's workers take what the bench signs for a founder's."""
    for jwk in APPROVALS.keys.jwks():
        (settings.keys / "public" / f"approval-{jwk['kid']}.json").write_bytes(msgspec.json.encode(jwk))


def main() -> None:
    chosen = arguments(str(__doc__))
    os.umask(0o022)
    with bench_home() as settings:
        _know_the_signer(settings)
        figures = asyncio.run(measure(settings, quick=chosen.quick))
    show(figures, as_json=chosen.json)


if __name__ == "__main__":
    main()

"""What governing a run costs, how many can wait, what one needs, and how workers and hosts add up.

The gate's own cost is `bench.gate`; from the founder's tap to the next step is `bench.resume`; both are run here too.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import msgspec
import psutil

from app import event_loop
from app.adapters.agents import load_backbone
from app.adapters.evidence import FolderStore
from app.adapters.models import OpenAICompatible
from app.canon.contract import ProcedureStep, ToolRule
from app.canon.tool import Tool, ToolCall, ToolResult, ToolSpec
from app.canon.vocabulary import Risk
from app.database_urls import app_url
from app.execution_graph import Run
from app.execution_graph.executor import Executor
from app.own_postgres import url as embedded_url
from app.postgres import Database
from app.settings import Settings
from app.worker import WorkerProcess
from bench import gate, resume
from bench._bare_runs import BareBeats, BareHands, make_table
from bench._machine import bench_home
from bench._workers import in_two_namespaces, with_workers
from bench.figures import Figure, arguments, middle, show
from tests.adapters.note_model import note_model
from tests.execution_graph.ring import Endpoint, Ring, builtin_tools

CLIENTS = 4
WORKER = "smolagents"


class Waits(Tool):
    """A read that waits until its run is let go: a run in hand that costs no time."""

    spec = ToolSpec("wait", "Waits.", {"type": "object", "properties": {}}, Risk.READ, "read")

    def __init__(self) -> None:
        self.doors: dict[UUID, asyncio.Event] = {}

    async def perform(self, call: ToolCall) -> ToolResult:
        self.doors[call.run_id] = asyncio.Event()
        await self.doors[call.run_id].wait()
        return ToolResult("waited")


async def measure(settings: Settings, *, quick: bool) -> dict[str, Figure]:
    url = app_url(settings)
    await make_table(embedded_url(settings.home, "postgres"))
    with tempfile.TemporaryDirectory() as folder:
        async with Database(url, max_size=24) as database:
            ring = await Ring(database, FolderStore(Path(folder)), builtin_tools(), Endpoint()).found()
            figures = await _throughput(ring, rounds=2 if quick else 5, runs=8 if quick else 24)
            figures |= await _memory(ring, 64 if quick else 400)
            figures |= await _held(ring, url, 100 if quick else 1000)
    figures |= await gate.measure(url, quick=quick)
    return figures | await resume.measure(url, quick=quick)


async def _throughput(ring: Ring, *, rounds: int, runs: int) -> dict[str, Figure]:
    """Governed runs a second against bare ones, interleaved, the same number at once."""
    with note_model() as address:
        model = OpenAICompatible(base_url=address, api_key=None, model="scripted", scripted=True)
        executor = Executor(msgspec.structs.replace(ring.runtime, model=model), owner=7)
        role = await ring.hire("write_note", worker=WORKER, backbone="langgraph", name="Mira bench")
        backbone = load_backbone("langgraph", database_url=ring.database.url)
        spec = ring.tools["write_note"].spec

        async def governed() -> None:
            run = await ring.start(await ring.open(role))
            await executor.drive(ring.tenant, run.id)
            driven.append(run)

        async def bare() -> None:
            hands = BareHands(ring.database, ring.tenant, model, spec)
            await backbone.drive(hands.run_id, BareBeats(hands, WORKER))

        driven: list[Run] = []
        ratios, rates, costs = [], [], []
        await _rate(governed, CLIENTS), await _rate(bare, CLIENTS)
        for _ in range(rounds):
            without, under = await _rate(bare, runs), await _rate(governed, runs)
            ratios.append(under / without)
            rates.append(under)
            costs.append(1000 / under - 1000 / without)
        if not await _all_are(ring, driven, "done"):
            raise SystemExit("not every governed run is done")
        await backbone.close()
        await model.close()
    same = f"same LangGraph graph, checkpointer, {WORKER} and scripted model, {CLIENTS} at once"
    return {
        "governed_ratio": Figure(middle(ratios), "x", f"runs a second, governed against bare; {same}", 0.7),
        "governed_runs": Figure(middle(rates), "/s", f"4 model calls and 3 notes each; {same}", 1),
        "governed_added": Figure(middle(costs), "ms", "of the machine's time for each run; against bare", 200, "less"),
    }


async def _rate(one: Callable[[], Awaitable[None]], count: int) -> float:
    waiting = iter(range(count))

    async def client() -> None:
        for _ in waiting:
            await one()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return count / (time.perf_counter() - began)


async def _memory(ring: Ring, count: int) -> dict[str, Figure]:
    """What one run in hand adds to the process, with a procedure and no framework."""
    tool = Waits()
    ring.tools["wait"] = tool
    role = await ring.hire("wait", procedure=[ProcedureStep("wait")], name="Mira waits")
    executor = Executor(ring.runtime, owner=7, concurrency=count)
    runs = [await ring.start(await ring.open(role)) for _ in range(count)]
    process = psutil.Process()
    before = process.memory_info().rss
    driving = []
    for number, run in enumerate(runs, start=1):
        driving.append(asyncio.create_task(executor.drive(ring.tenant, run.id)))
        await _until(lambda wanted=number: len(tool.doors) == wanted, "every run is in hand")  # type: ignore[misc]
    each = (process.memory_info().rss - before) / count / 1024
    for run, driven in zip(runs, driving, strict=True):
        tool.doors[run.id].set()
        await driven
    return {"memory_per_run": Figure(each, "KiB", f"{count} runs in hand, waiting in a tool", 512, "less")}


async def _held(ring: Ring, url: str, count: int) -> dict[str, Figure]:
    """Held runs: no task, no lease and no database session of a worker waits with them."""
    role = await ring.hire(
        ToolRule("write_note", "ask"), procedure=[ProcedureStep("write_note", {"text": "x"})], name="Mira held"
    )
    process = WorkerProcess(ring.runtime, url, {})
    working = asyncio.create_task(process.run())
    runs = [await ring.start(await ring.open(role)) for _ in range(count)]
    began = time.perf_counter()
    while not await _all_are(ring, runs, "held"):
        if time.perf_counter() - began > 600:
            raise SystemExit("the runs are not held within 600 seconds")
        await asyncio.sleep(0.25)
    took = time.perf_counter() - began
    driven = [run for run in runs if (await ring.view(run)).driven]
    process.close()
    await working
    return {
        "held_runs": Figure(count, "runs", "held at once", count),
        "held_in_hand": Figure(len(driven), "runs", "of them held by a worker or under a lease", 0, "less"),
        "held_seconds": Figure(took, "s", f"until the last of {count} is held, one worker", 600, "less"),
    }


async def _all_are(ring: Ring, runs: list[Run], status: str) -> bool:
    async with ring.transaction() as tx:
        ids = [run.id for run in runs]
        sql = "SELECT count(*) FROM execution_graph.runs WHERE id = ANY($1) AND status = $2"
        return bool(await tx.connection.fetchval(sql, ids, status) == len(runs))


async def _until(what: Callable[[], bool], said: str) -> None:
    for _ in range(1200):
        if what():
            return
        await asyncio.sleep(0.05)
    raise SystemExit(f"not within a minute: {said}")


def main() -> None:
    chosen = arguments(str(__doc__))
    with bench_home() as settings:
        figures = event_loop.run(measure(settings, quick=chosen.quick))
        figures |= event_loop.run(with_workers(settings, tickets=24 if chosen.quick else 96))
    figures |= in_two_namespaces(tickets=12 if chosen.quick else 48)
    show(figures, as_json=chosen.json)


if __name__ == "__main__":
    main()

"""How soon a held run goes on after the founder's tap: from the commit of the decision to the call of the step."""

import asyncio
import tempfile
import time
from pathlib import Path

from app import event_loop
from app.adapters.evidence import FolderStore
from app.canon.contract import ProcedureStep, ToolRule
from app.canon.tool import Tool, ToolCall, ToolResult, ToolSpec, WriteNote
from app.canon.vocabulary import Risk
from app.database_urls import app_url
from app.execution_graph import Run
from app.postgres import Database
from app.work_queue import decide, pending_of_ticket
from app.worker import WorkerProcess
from bench._machine import bench_home
from bench.figures import Figure, arguments, middle, show
from tests.builders import APPROVALS
from tests.execution_graph.ring import Endpoint, Ring


class Clocked(Tool):
    """A local tool that notes when it is performed for a run."""

    spec = ToolSpec("clocked", "Writes a note.", {"type": "object", "properties": {}}, Risk.REVERSIBLE, "local")

    def __init__(self) -> None:
        self.performed: dict[str, float] = {}
        self.seen = asyncio.Event()

    async def perform(self, call: ToolCall) -> ToolResult:
        self.performed[str(call.run_id)] = time.perf_counter()
        self.seen.set()
        return ToolResult("noted", None, WriteNote("noted"))


async def measure(url: str, *, quick: bool) -> dict[str, Figure]:
    count = 10 if quick else 40
    with tempfile.TemporaryDirectory() as folder:
        async with Database(url, max_size=20) as database:
            tool = Clocked()
            ring = await Ring(database, FolderStore(Path(folder)), {"clocked": tool}, Endpoint()).found()
            plain = await _resumed(ring, tool, "plain", url, count)
            langgraph = await _resumed(ring, tool, "langgraph", url, count)
    against = "decision committed to the approved step's call, undo window 0, p50"
    return {
        "approve_to_step_plain": Figure(plain, "ms", f"{against}, plain backbone", 100, "less"),
        "approve_to_step_langgraph": Figure(langgraph, "ms", f"{against}, LangGraph backbone", 100, "less"),
    }


async def _resumed(ring: Ring, tool: Clocked, backbone: str, url: str, count: int) -> float:
    """Median milliseconds over `count` held runs, one after the other, a worker process's own loop."""
    role = await ring.hire(
        ToolRule("clocked", "ask"), procedure=[ProcedureStep("clocked")], backbone=backbone, name=f"Mira {backbone}"
    )
    process = WorkerProcess(ring.runtime, url, {})
    working = asyncio.create_task(process.run())
    try:
        taken = [await _one(ring, tool, await ring.start(await ring.open(role))) for _ in range(count + 1)]
    finally:
        process.close()
        await working
    return middle(taken[1:])


async def _one(ring: Ring, tool: Clocked, run: Run) -> float:
    await _until_held(ring, run)
    tool.seen.clear()
    async with ring.transaction() as tx:
        (waiting,) = await pending_of_ticket(tx, run.ticket_id)
        await decide(tx, waiting.id, "approve", by=ring.founder, signer=APPROVALS, proof=None)
    decided = time.perf_counter()
    await asyncio.wait_for(tool.seen.wait(), 20)
    return (tool.performed[str(run.id)] - decided) * 1000


async def _until_held(ring: Ring, run: Run) -> None:
    for _ in range(1000):
        if (await ring.view(run)).run.status == "held":
            return
        await asyncio.sleep(0.02)
    raise SystemExit("the run was not held within 20 seconds")


def main() -> None:
    chosen = arguments(str(__doc__))
    with bench_home() as settings:
        figures = event_loop.run(measure(app_url(settings), quick=chosen.quick))
    show(figures, as_json=chosen.json)


if __name__ == "__main__":
    main()

"""What the gate costs: an allowed local tool call, against the same statements without gate, budget and fence."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from app import event_loop
from app.adapters.evidence import FolderStore
from app.canon.tool import EvidenceItem, ToolAnswer, WriteNote
from app.database_urls import app_url
from app.execution_graph import local_effects, store
from app.execution_graph.drive import Drive
from app.execution_graph.journal import answered, asked_tool, new_step
from app.execution_graph.taking import take
from app.execution_graph.tool_steps import call_tool
from app.governance_ledger import Event, append
from app.postgres import Database
from bench._machine import bench_home
from bench.figures import Figure, arguments, middle, show
from tests.execution_graph.ring import Endpoint, Ring, builtin_tools

Call = Callable[[Drive, int], Awaitable[None]]


async def governed(drive: Drive, number: int) -> None:
    await call_tool(drive, number, "write_note", {"text": f"note {number}"})


async def ungoverned(drive: Drive, number: int) -> None:
    """Effect, journal, evidence and event of the same call, in one transaction."""
    text = f"note {number}"
    asked = asked_tool(number, "write_note", {"text": text})
    async with drive.transaction() as tx:
        effect = WriteNote(text)
        subjects, _ = await local_effects.apply(tx, effect, drive.run, number, drive.actor)
        step, answer = answered(new_step(asked, "done", effect="local"), ToolAnswer("done", "Noted."))
        await store.write_step(tx, drive.lease, step)
        content = msgspec.json.encode({"step": number, "arguments": {"text": text}, "answer": answer})
        evidence = EvidenceItem(f"step-{number}.json", "application/json", content)
        await append(
            tx,
            Event(
                type="tool.done",
                actor=drive.actor,
                subjects=subjects,
                ticket_id=drive.ticket.id,
                run_id=drive.run.id,
                step=number,
                data={"tool": "write_note", "request_digest": asked.digest},
            ),
            keep=evidence,
        )


class Bench:
    """Drives of many runs, each with a role of its own or all of one role."""

    def __init__(self, ring: Ring, calls: int) -> None:
        self.ring = ring
        self.calls = calls

    async def drives(self, count: int, *, roles: int) -> list[Drive]:
        """`count` runs, taken up, over `roles` roles."""
        hired = [await self.ring.hire("write_note", name=f"Mira {time.monotonic_ns()}") for _ in range(roles)]
        return [await self._drive(hired[number % roles].id) for number in range(count)]

    async def _drive(self, role_id: object) -> Drive:
        async with self.ring.transaction() as tx:
            from tests.builders import a_ticket

            ticket = await a_ticket(tx, self.ring.founder, role_id=role_id)
        run = await self.ring.start(ticket)
        drive = await take(self.ring.runtime, self.ring.tenant, run.id, owner=7, dead=None)
        assert drive is not None
        return drive

    async def milliseconds(self, call: Call, clients: int, roles: int) -> float:
        """Wall time of one call at this concurrency, times clients: what a client waits."""
        drives = await self.drives(clients, roles=roles)
        for drive in drives:
            drive.brief = None

        async def client(drive: Drive) -> None:
            for number in range(1, self.calls + 1):
                await call(drive, number)

        began = time.perf_counter()
        await asyncio.gather(*(client(drive) for drive in drives))
        return (time.perf_counter() - began) * 1000 / self.calls

    async def pair(self, clients: int, roles: int, rounds: int) -> tuple[float, float]:
        """Median ratio, and median added milliseconds, of interleaved pairs."""
        ratios, added = [], []
        for _ in range(rounds):
            bare = await self.milliseconds(ungoverned, clients, roles)
            full = await self.milliseconds(governed, clients, roles)
            ratios.append(full / bare)
            added.append(full - bare)
        return middle(ratios), middle(added)


async def measure(url: str, *, quick: bool) -> dict[str, Figure]:
    rounds = 2 if quick else 5
    with tempfile.TemporaryDirectory() as folder:
        async with Database(url, max_size=40) as database:
            ring = await Ring(database, FolderStore(Path(folder)), builtin_tools(), Endpoint()).found()
            bench = Bench(ring, 40 if quick else 150)
            await bench.pair(1, 1, 1)
            alone, alone_ms = await bench.pair(1, 1, rounds)
            bench.calls = 10 if quick else 40
            many, many_ms = await bench.pair(32, 32, rounds)
            one_role, one_role_ms = await bench.pair(32, 1, rounds)
    same = "an allowed local call against its bare statements"
    return {
        "gate_ratio_c1": Figure(alone, "x", f"{same}, one run", 2.0, "less"),
        "gate_added_c1": Figure(alone_ms, "ms", "added to each call, one run", 10.0, "less"),
        "gate_ratio_c32": Figure(many, "x", f"{same}, 32 runs of 32 roles", 2.0, "less"),
        "gate_added_c32": Figure(many_ms / 32, "ms", "of the machine's time for each call, 32 runs", 10.0, "less"),
        "gate_ratio_c32_one_role": Figure(one_role, "x", f"{same}, 32 runs of one role and budget", 4.0, "less"),
        "gate_added_c32_one_role": Figure(
            one_role_ms / 32, "ms", "of the machine's time for each call, one budget", 10.0, "less"
        ),
    }


def main() -> None:
    chosen = arguments(str(__doc__))
    with bench_home() as settings:
        figures = event_loop.run(measure(app_url(settings), quick=chosen.quick))
    show(figures, as_json=chosen.json)


if __name__ == "__main__":
    main()

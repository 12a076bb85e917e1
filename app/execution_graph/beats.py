"""The coarse beats of a run, called by a backbone: route, act, close. Idempotent, whatever a backbone remembers."""

import logging
from collections.abc import Sequence

from app.canon.agent import Beat, Finished, Halt, Held, PartFull, Stopped, Suspend
from app.canon.model import ModelFailed
from app.execution_graph import outside_rows, store
from app.execution_graph.context import WorkerContext
from app.execution_graph.drive import Drive
from app.execution_graph.errors import Diverged
from app.execution_graph.journal import decode_answer
from app.execution_graph.model import Brief, Cause, Ending, Step
from app.execution_graph.parts import hand_over
from app.execution_graph.routing import settle_role
from app.execution_graph.runs import close_run, is_paused, pause_run
from app.execution_graph.working_time import pay, stop_short

_LOG = logging.getLogger("flr.execution_graph")

_ENDINGS: dict[str, tuple[Ending, str, Cause]] = {
    "cancelled": ("cancelled", "Cancelled.", "cancelled"),
    "retired": ("returned", "The role was retired: give the ticket to another.", "retired"),
    "max_steps": ("failed", "Stopped: all steps that the role may take for a ticket are used up.", "max_steps"),
    "no_progress": ("failed", "Stopped: the worker asked for the same call time and again.", "no_progress"),
    "no_news": (
        "failed",
        "Stopped: the last answers of its tools told the worker nothing that it had not heard before.",
        "no_news",
    ),
    "wall_clock": ("failed", "Stopped: it has worked longer than a run may (FLR_RUN_MINUTES).", "wall_clock"),
    "forged": (
        "failed",
        "Stopped: the role's contract is not one that a founder signed. Verify the ledger: flr ledger verify.",
        "forged",
    ),
    "unassigned": ("returned", "The ticket has no role.", "unassigned"),
}


class RunBeats:
    """`canon.agent.Beats` over one drive."""

    def __init__(self, drive: Drive) -> None:
        self._drive = drive

    async def route(self) -> None:
        drive = self._drive
        if drive.run.role_id is not None or not drive.run.is_open:
            return
        try:
            await settle_role(drive)
        except Halt as halt:
            await self._halted(halt.reason)
        except Diverged as diverged:
            await self._end("diverged", str(diverged), "diverged")
        except Suspend as suspend:
            _LOG.info("routing of run %s waits for %s", drive.run.id, suspend.approval_id)

    async def act(self) -> Beat:
        drive = self._drive
        if drive.run.status == "held" and drive.run.approval_id is not None:
            return Held(drive.run.approval_id)
        if drive.run.status != "running" or drive.brief is None:
            return Stopped(drive.run.status)
        try:
            worker = drive.runtime.engines.worker(drive.run.worker)
            return await worker.work(WorkerContext(drive, drive.brief))
        except Suspend as suspend:
            return Held(suspend.approval_id)
        except PartFull as full:
            return await self._continue(drive.brief, full.bookmark)
        except Halt as halt:
            return await self._halted(halt.reason)
        except Diverged as diverged:
            return await self._end("diverged", str(diverged), "diverged")
        except ModelFailed as error:
            return await self._end("failed", f"The model gave no usable answer: {error}", "model")

    async def close(self, finished: Finished) -> None:
        """The worker says it is done: so is the ticket, or it was refused, or it goes back to the founder."""
        await self._end(_ending(finished, self._drive.journal.whole), finished.summary, finished.cause)

    async def _end(self, ending: Ending, summary: str, cause: Cause = "") -> Stopped:
        """Close the run and give it back; one that was taken over meanwhile is not this process's to close."""
        drive = self._drive
        try:
            async with drive.transaction() as tx:
                await drive.journal.fence_running(tx)
                steps = drive.journal.steps
                drive.run = await close_run(tx, drive.run, ending, summary, actor=drive.actor, cause=cause, steps=steps)
                await store.give_lease_back(tx, drive.lease, worked_ms=drive.worked_ms)
            drive.given_back = True
        except Halt as halt:
            return Stopped(halt.reason)
        return Stopped(ending)

    async def _continue(self, brief: Brief, bookmark: object) -> Stopped:
        """The part is full: its next part takes over, if nobody took this one over meanwhile."""
        drive = self._drive
        try:
            async with drive.transaction() as tx:
                await drive.journal.fence_running(tx)
                drive.run = await hand_over(tx, drive, brief, bookmark)
                await store.give_lease_back(tx, drive.lease, worked_ms=drive.worked_ms)
            drive.given_back = True
        except Halt as halt:
            return Stopped(halt.reason)
        return Stopped("continued")

    async def _halted(self, reason: str) -> Stopped:
        """What a halt does to the run; fenced off or released, this process may not touch it any more."""
        try:
            if reason == "paused":
                await self._pause()
            elif reason == "minutes":
                await self._out_of_time()
            elif reason == "outside":
                await self._rest()
        except Halt as halt:
            return Stopped(halt.reason)
        return await self._end(*_ENDINGS[reason]) if reason in _ENDINGS else Stopped(reason)

    async def _out_of_time(self) -> None:
        """The minutes that the role may work are used up. If more were granted meanwhile, the run goes on."""
        drive = self._drive
        async with drive.transaction() as tx:
            await drive.journal.fence_running(tx)
            short = await pay(tx, drive)
            if short is not None:
                await stop_short(tx, drive, short)

    async def _rest(self) -> None:
        """Nobody drives the run until its agent outside proposes; a proposal that came meanwhile is not missed."""
        drive = self._drive
        async with drive.transaction() as tx:
            await drive.journal.fence_running(tx)
            await store.want(tx, drive.run.id, wanted=False)
            if await outside_rows.count(tx, drive.run.chain) > drive.journal.count("tool"):
                await store.want(tx, drive.run.id)

    async def _pause(self) -> None:
        drive = self._drive
        async with drive.transaction() as tx:
            await drive.journal.fence_running(tx)
            if await is_paused(tx, drive.run.role_id):
                drive.run = await pause_run(tx, drive.run)


def _ending(finished: Finished, steps: Sequence[Step]) -> Ending:
    """Who gave up at a no of the boundary or of the founder was refused; any other gives the ticket back."""
    if finished.ok:
        return "done"
    calls = [step for step in steps if step.kind == "tool"]
    last = decode_answer(calls[-1].answer or "") if calls and calls[-1].settled else None
    return "refused" if last is not None and last.status in ("refused", "rejected") else "returned"

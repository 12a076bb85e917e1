"""Drives runs in this process: taken up when woken, given back when they wait, watched while they go."""

import asyncio
import logging
from collections import defaultdict
from contextlib import suppress
from typing import NamedTuple
from uuid import UUID

import asyncpg

from app.canon.agent import Finished, Stopped
from app.canon.errors import Fault
from app.execution_graph import store
from app.execution_graph.beats import RunBeats
from app.execution_graph.breakers import too_long
from app.execution_graph.drive import Drive
from app.execution_graph.runs import close_run
from app.execution_graph.runtime import Runtime
from app.execution_graph.seat import vacant
from app.execution_graph.taking import LEASE_SECONDS, PAUSED_SECONDS, take
from app.execution_graph.tool_steps import STORE_AWAY
from app.execution_graph.working_time import pay
from app.role_registry import NotInForce, RoleUnknown, company, contract_in_force
from app.work_queue import is_closed

_LOG = logging.getLogger("flr.execution_graph")

RENEW_SECONDS = 5.0
WATCH_SECONDS = 0.5
SWEEP_SECONDS = 1.0
RETRY_SECONDS = 2.0
AWAY_SECONDS = 30.0
CONCURRENCY = 16
MOST_WAITING = 1000


class Orphan(NamedTuple):
    tenant: UUID
    run_id: UUID
    owner: int | None
    expired: bool


class Executor:
    """One for each worker process. `owner` is the key of the process's session lock (`Seat`)."""

    def __init__(self, runtime: Runtime, owner: int, *, concurrency: int = CONCURRENCY) -> None:
        self.runtime = runtime
        self.owner = owner
        self._concurrency = concurrency
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._drives: dict[UUID, Drive] = {}
        self._again: set[UUID] = set()
        self._backlog: dict[UUID, tuple[UUID, int | None]] = {}
        self._closing = False

    @property
    def driving(self) -> tuple[UUID, ...]:
        """Runs that this process has in hand."""
        return tuple(self._tasks)

    def wake(self, tenant: UUID, run_id: UUID, *, dead: int | None = None) -> None:
        """Drive the run soon, if it may be driven and nobody else takes it up first."""
        if run_id in self._tasks:
            self._again.add(run_id)
        elif self._closing:
            return
        elif len(self._tasks) < self._concurrency:
            self._tasks[run_id] = asyncio.create_task(self._work(tenant, run_id, dead), name=f"run {run_id}")
        elif len(self._backlog) < MOST_WAITING:
            self._backlog[run_id] = (tenant, dead)

    async def drive(self, tenant: UUID, run_id: UUID, *, dead: int | None = None) -> bool:
        """Take the run up and drive it until it waits, stops or is closed. Whether it should be driven on at once."""
        drive = await take(self.runtime, tenant, run_id, owner=self.owner, dead=dead)
        if drive is None:
            return False
        self._drives[run_id] = drive
        try:
            return await self._drive(drive)
        finally:
            del self._drives[run_id]
            if self.runtime.remote is not None:
                self.runtime.remote.leave(run_id)

    async def _work(self, tenant: UUID, run_id: UUID, dead: int | None) -> None:
        try:
            on = True
            while on and not self._closing:
                self._again.discard(run_id)
                on = await self.drive(tenant, run_id, dead=dead) or run_id in self._again
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
            _LOG.warning("run %s waits for the database: %s", run_id, error)
        except Exception:  # noqa: BLE001 - one run must not end the process that drives others
            _LOG.exception("run %s cannot be driven", run_id)
        finally:
            self._tasks.pop(run_id, None)
            self._again.discard(run_id)
            self._next()

    def _next(self) -> None:
        if self._backlog:
            run_id = next(iter(self._backlog))
            tenant, dead = self._backlog.pop(run_id)
            self.wake(tenant, run_id, dead=dead)

    async def _drive(self, drive: Drive) -> bool:
        try:
            backbone = self.runtime.engines.backbone(drive.run.backbone)
            beat = await backbone.drive(drive.run.id, RunBeats(drive))
        except Fault as fault:
            await self._fail(drive, str(fault))
            return False
        except Exception:  # noqa: BLE001 - an engine may raise anything; the run is taken up again
            _LOG.exception("run %s stops in step %d", drive.run.id, len(drive.journal.steps) + 1)
            await self._give_back(drive, after_seconds=RETRY_SECONDS, clean=False)
            return False
        _LOG.info("run %s: %s", drive.run.id, _said(beat))
        reason = beat.reason if isinstance(beat, Stopped) else ""
        if reason == STORE_AWAY:
            _LOG.warning("run %s waits for the evidence store, which does not answer", drive.run.id)
        after_seconds = AWAY_SECONDS if reason == STORE_AWAY else 0
        return False if reason == "fenced" else await self._give_back(drive, after_seconds=after_seconds)

    async def _give_back(self, drive: Drive, *, after_seconds: float = 0, clean: bool = True) -> bool:
        if drive.given_back:
            return False
        wait = PAUSED_SECONDS if drive.run.status == "paused" else after_seconds
        async with drive.transaction() as tx:
            wanted = await store.give_lease_back(
                tx, drive.lease, worked_ms=drive.worked_ms, after_seconds=wait, clean=clean
            )
        return wanted and not wait and not self._closing

    async def _fail(self, drive: Drive, why: str) -> None:
        """The engine cannot be had or has broken its promises: the ticket must not wait for ever."""
        async with drive.transaction() as tx:
            if await store.fence(tx, drive.lease) == "running":
                drive.run = await close_run(tx, drive.run, "failed", why, actor=drive.actor, cause="engine")
            await store.give_lease_back(tx, drive.lease, worked_ms=drive.worked_ms)

    # --- loops of the process -----------------------------------------------------------------------------------------

    async def sweep(self) -> None:
        """Look for runs that nobody drives, or whose driver is gone, and wake them."""
        orphans = [orphan for orphan in await self._orphans() if orphan.run_id not in self._tasks]
        owners = {orphan.owner for orphan in orphans if orphan.owner is not None and not orphan.expired}
        gone = await vacant(self.runtime.database, owners - {self.owner})
        for orphan in orphans:
            if orphan.expired or orphan.owner in gone:
                self.wake(orphan.tenant, orphan.run_id, dead=orphan.owner if orphan.owner in gone else None)

    async def _orphans(self) -> list[Orphan]:
        async with self.runtime.database.pool.acquire(timeout=5) as connection:
            rows = await connection.fetch("SELECT * FROM execution_graph.orphaned_runs()")
        return [Orphan(row["tenant_id"], row["run_id"], row["owner"], row["expired"]) for row in rows]

    async def renew(self) -> None:
        """Keep the leases of what is in hand; what was taken over is stopped here."""
        for tenant, drives in self._by_tenant().items():
            leases = {drive.lease: drive.worked_ms for drive in drives}
            async with self.runtime.database.transaction(tenant) as tx:
                kept = await store.renew_leases(tx, leases, LEASE_SECONDS)
            for drive in drives:
                if drive.lease.run_id not in kept:
                    drive.stop("fenced")

    async def meter(self) -> None:
        """Pay each run's next minute when it begins; a run that its role cannot pay for, or that has worked too long,
        stops."""
        for drive in list(self._drives.values()):
            if too_long(drive):
                drive.stop("wall_clock")
            if not drive.paid_minute or drive.minute() == drive.paid_minute:
                continue
            async with self.runtime.database.transaction(drive.lease.tenant) as tx:
                short = await pay(tx, drive)
            if short is not None:
                drive.stop("minutes")

    async def watch(self) -> None:
        """The kill switch: a paused role, a cancelled run or ticket stops what is in hand, a model call included."""
        for tenant, drives in self._by_tenant().items():
            async with self.runtime.database.transaction(tenant) as tx:
                known = await store.statuses(tx, [drive.run.id for drive in drives])
                all_paused = (await company(tx)).all_paused
                for drive in drives:
                    status, role_id = known[drive.run.id]
                    if status == "cancelled" or await is_closed(tx, drive.run.ticket_id):
                        drive.stop("cancelled")
                    elif all_paused:
                        drive.stop("paused")
                    elif role_id is not None:
                        try:
                            if (await contract_in_force(tx, role_id)).paused:
                                drive.stop("paused")
                        except (NotInForce, RoleUnknown):
                            drive.stop("retired")

    def _by_tenant(self) -> dict[UUID, list[Drive]]:
        tenants: dict[UUID, list[Drive]] = defaultdict(list)
        for drive in self._drives.values():
            tenants[drive.lease.tenant].append(drive)
        return tenants

    async def close(self, seconds: float) -> None:
        """Let each run end its step, give the leases back; after `seconds` what still runs is left to others."""
        self._closing = True
        for drive in self._drives.values():
            drive.stop("released")
        tasks = list(self._tasks.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*late, return_exceptions=True)


def _said(beat: object) -> str:
    return "finished" if isinstance(beat, Finished) else repr(beat)

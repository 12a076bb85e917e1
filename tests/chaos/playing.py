"""One game: work is opened, processes die, the founder decides, everything settles, the audit looks."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from app.database_urls import app_url
from app.own_postgres import url as embedded_url
from tests.chaos.audit import Findings, look
from tests.chaos.company import Company
from tests.chaos.fleet import VICTIMS, Fleet
from tests.journeys.receiver import http_receiver

IN_HAND = 30
ANSWER_SECONDS = 0.4
SETTLE_SECONDS = 300
PAUSE_SECONDS = (0.5, 4.0)
DELAY_SECONDS = 0.25


class Played(msgspec.Struct, frozen=True, kw_only=True):
    kills: dict[str, int]
    decisions: dict[str, int]
    ended_alone: int
    seconds: float
    findings: Findings

    @property
    def ok(self) -> bool:
        return self.findings.ok


class Said(msgspec.Struct, frozen=True):
    """How far a game is: kills, or seconds."""

    done: int
    tickets: int
    open: int


async def play(home: Path, *, kills: int, tell: Callable[[Said], None]) -> Played:
    """Kill until `kills` processes were killed, then let everything settle. Raises `RuntimeError` if it does not."""
    began = time.monotonic()
    with http_receiver() as (receiver, address):
        receiver.delay_seconds = DELAY_SECONDS
        fleet = Fleet(home, address)
        company = Company(fleet, receiver, address)
        try:
            await fleet.start()
            await company.found()
            await fleet.start_ring()
            await company.hire()
            killed = await _under_fire(fleet, company, kills, tell)
            await settle(fleet, company, sum(killed.values()), tell)
            findings = await look(
                company,
                receiver,
                superuser=embedded_url(home, "postgres"),
                app=app_url(fleet.settings),
            )
        finally:
            await company.close()
            fleet.stop()
    return Played(
        kills=dict(killed),
        decisions=company.decided,
        ended_alone=len(fleet.ended_alone),
        seconds=time.monotonic() - began,
        findings=findings,
    )


async def _under_fire(fleet: Fleet, company: Company, kills: int, tell: Callable[[Said], None]) -> Counter[str]:
    """Opening, deciding and killing side by side; the killing ends it."""
    killed: Counter[str] = Counter()
    open_now = 0

    async def work() -> None:
        nonlocal open_now
        while True:
            open_now = await company.still_open()
            for _ in range(min(6, IN_HAND - open_now)):
                await company.open(company.kinds[len(company.opened) % len(company.kinds)])
            await company.answer()
            await asyncio.sleep(ANSWER_SECONDS)

    working = asyncio.create_task(work())
    try:
        while sum(killed.values()) < kills:
            await asyncio.sleep(random.uniform(*PAUSE_SECONDS))
            if working.done():
                working.result()
            await fleet.mend()
            (victim,) = random.choices(list(VICTIMS), weights=list(VICTIMS.values()))
            killed[await fleet.kill(victim)] += 1
            tell(Said(sum(killed.values()), len(company.opened), open_now))
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
    return killed


async def settle(fleet: Fleet, company: Company, done: int, tell: Callable[[Said], None]) -> None:
    """Nobody is killed any more: every ticket closes, and the sealer catches up."""
    until = time.monotonic() + SETTLE_SECONDS
    while left := await company.still_open():
        if time.monotonic() > until:
            raise RuntimeError(f"{left} tickets are open {SETTLE_SECONDS} s after the last kill; {fleet.said()}")
        await fleet.mend()
        await company.answer()
        tell(Said(done, len(company.opened), left))
        await asyncio.sleep(ANSWER_SECONDS)
    while not await company.sealed():
        if time.monotonic() > until:
            raise RuntimeError(f"events are not sealed; {fleet.said()}")
        await asyncio.sleep(ANSWER_SECONDS)

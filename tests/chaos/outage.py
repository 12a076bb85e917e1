"""The evidence store is killed and stays away for minutes, while work goes on that keeps evidence and reads files."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import asyncpg
import msgspec

from app.adapters.evidence import load_store
from app.database_urls import app_url
from app.governance_ledger import audit_evidence
from app.governance_ledger.model import SYSTEM_TENANT
from app.own_postgres import url as embedded_url
from app.postgres import Database
from app.settings import Settings
from tests.chaos.audit import Findings, look
from tests.chaos.bucket import Bucket
from tests.chaos.company import Company, filed_kinds
from tests.chaos.fleet import Fleet
from tests.chaos.playing import ANSWER_SECONDS, DELAY_SECONDS, IN_HAND, SETTLE_SECONDS, Said, settle
from tests.journeys.receiver import http_receiver

BEFORE = 12
"""Tickets that are done with the store there, so that it holds something to be lost."""
LATE = 6
"""Tickets whose file is in the store when it goes away, and whose founder answers only then."""
AT_ONCE = 4

_SPOOL = "SELECT count(*), coalesce(sum(octet_length(content)), 0) FROM governance_ledger.evidence_spool"
_DONE = "SELECT count(*) FROM work_queue.tickets WHERE tenant_id = $1 AND status = 'done'"


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """What went on meanwhile, and what the store held afterwards: `audited` counts objects by verdict."""

    gone_on: "GoneOn"
    spool_objects: int
    spool_bytes: int
    drained_seconds: float
    audited: dict[str, int]
    wrong: list[str]
    findings: Findings

    @property
    def ok(self) -> bool:
        """Work went on, and every object is there as the ledger names it."""
        return self.findings.ok and self.gone_on.done > 0 and not self.wrong and set(self.audited) == {"same"}


class GoneOn(msgspec.Struct, frozen=True):
    """What became of tickets without the store. `waited` for a file in it until it was back."""

    seconds: int
    opened: int
    done: int
    waited: int


class _Spool:
    """Looks into the spool while the game is on, with a connection of its own."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.objects, self.bytes = 0, 0

    async def look(self) -> int:
        """How many objects wait now; the most at any time is kept."""
        found = await self.connection.fetchrow(_SPOOL)
        assert found is not None
        count, size = map(int, found)
        self.objects, self.bytes = max(self.objects, count), max(self.bytes, size)
        return count

    async def until_empty(self) -> float:
        """How many seconds it took. Raises `RuntimeError` when it does not."""
        began = time.monotonic()
        while await self.look():
            if time.monotonic() - began > SETTLE_SECONDS:
                raise RuntimeError(f"{await self.look()} objects are in the spool after {SETTLE_SECONDS} s")
            await asyncio.sleep(0.1)
        return time.monotonic() - began


async def play_outage(home: Path, *, seconds: int, tell: Callable[[Said], None]) -> Outage:
    """`seconds` without the store. Raises `RuntimeError` if things do not settle afterwards."""
    bucket = Bucket(home / "bucket")
    with http_receiver() as (receiver, address):
        receiver.delay_seconds = DELAY_SECONDS
        fleet = Fleet(home, address, **bucket.settings)
        company = Company(fleet, receiver, address, filed_kinds())
        try:
            await asyncio.to_thread(bucket.start)
            await fleet.start()
            await company.found()
            await fleet.start_ring()
            await company.hire()
            superuser = embedded_url(home, "postgres")
            connection = await asyncpg.connect(superuser)
            spool = _Spool(connection)
            try:
                gone_on = await _away(fleet, company, bucket, spool, seconds, tell)
                await asyncio.to_thread(bucket.start)
                drained_seconds = await spool.until_empty()
                await settle(fleet, company, seconds, tell)
                await spool.until_empty()
            finally:
                await connection.close()
            audited, wrong = await _audit(fleet.settings, company)
            findings = await look(company, receiver, superuser=superuser, app=app_url(fleet.settings))
        finally:
            await company.close()
            fleet.stop()
            bucket.kill()
    return Outage(
        gone_on=gone_on,
        spool_objects=spool.objects,
        spool_bytes=spool.bytes,
        drained_seconds=drained_seconds,
        audited=audited,
        wrong=wrong,
        findings=findings,
    )


async def _away(
    fleet: Fleet, company: Company, bucket: Bucket, spool: _Spool, seconds: int, tell: Callable[[Said], None]
) -> GoneOn:
    late = await _prepare(fleet, company, spool)
    opened, done = len(company.opened), await _done(spool, company)
    bucket.kill()
    began = time.monotonic()

    def gone_on(open_now: int) -> bool:
        tell(Said(int(time.monotonic() - began), len(company.opened), open_now))
        return time.monotonic() - began < seconds

    await _work(company, spool, gone_on)
    waited = late & await company.open_now()
    done = await _done(spool, company) - done
    return GoneOn(round(time.monotonic() - began), len(company.opened) - opened, done, len(waited))


async def _prepare(fleet: Fleet, company: Company, spool: _Spool) -> set[str]:
    """Some work is done; some waits for the founder, its file in the store already. The ids of the latter."""
    for number in range(BEFORE):
        await company.open(company.kinds[number % (len(company.kinds) - 1)])
    await settle(fleet, company, 0, lambda _: None)
    before = set(company.opened)
    for _ in range(LATE):
        await company.open(company.kinds[-1])
    late = set(company.opened) - before
    await company.until_asked(LATE)
    await spool.until_empty()
    return late


async def _work(company: Company, spool: _Spool, gone_on: Callable[[int], bool]) -> None:
    looking = asyncio.create_task(_every_second(spool.look))
    try:
        while gone_on(open_now := await company.still_open()):
            for _ in range(min(AT_ONCE, IN_HAND - open_now)):
                await company.open(company.kinds[len(company.opened) % len(company.kinds)])
            await company.answer()
            await asyncio.sleep(ANSWER_SECONDS)
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


async def _every_second(look: Callable[[], Awaitable[object]]) -> None:
    while True:
        await look()
        await asyncio.sleep(1)


async def _done(spool: _Spool, company: Company) -> int:
    return int(await spool.connection.fetchval(_DONE, company.founded.tenant))


async def _audit(settings: Settings, company: Company) -> tuple[dict[str, int], list[str]]:
    """Every object that the ledgers of the company and of the installation name, read back from the store."""
    found: Counter[str] = Counter()
    wrong = []
    store = load_store(
        settings.evidence_url,
        settings.home,
        access_key=settings.evidence_access_key,
        secret_key=settings.evidence_secret_key,
    )
    try:
        async with Database(app_url(settings), max_size=4) as database:
            for tenant in (company.founded.tenant, SYSTEM_TENANT):
                async for audited in audit_evidence(database, tenant, store):
                    found[audited.verdict] += 1
                    if audited.verdict != "same":
                        wrong.append(f"{audited.verdict} {audited.key} {audited.says}")
    finally:
        await store.close()
    return dict(found), wrong

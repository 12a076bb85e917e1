"""The worker process: takes messages from the queue, drives runs, sweeps what nobody drives.

Any number may run, on any number of machines, against one database. It verifies signatures and holds no signing key.
"""

import asyncio
import logging
import signal
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TypeAlias, get_args

from app import event_loop
from app.adapters.agents import FrameworkMissing, load_backbone, load_router, load_worker
from app.adapters.evidence import load_store
from app.adapters.mcp import RemoteTools
from app.adapters.models import load_model
from app.adapters.notices import load_chats, load_notices, load_posts
from app.adapters.push import load_push
from app.adapters.tools import load_tools
from app.auth import ApprovalTokenReader, KeyMissing, PublicKeys
from app.canon.agent import Backbone, Router, Worker
from app.canon.approval import ApprovalClaims, ProofRefused
from app.canon.errors import Misconfigured
from app.database_urls import app_url
from app.execution_graph import consumers as execution
from app.execution_graph.executor import RENEW_SECONDS, SWEEP_SECONDS, WATCH_SECONDS, Executor
from app.execution_graph.pruning import prune_all
from app.execution_graph.runtime import Defaults, PartBounds, Runtime
from app.execution_graph.seat import Seat
from app.founder_console import Briefer, Senders, ensure_console_keys, load_words
from app.founder_console import handlers as console_handlers
from app.founder_console.keyfiles import VAPID
from app.governance_ledger import keeper_of
from app.governance_ledger.arriving import check_database
from app.messages import ApprovalDecided, Message, entrypoint_of
from app.postgres import LOST, Database
from app.role_registry import on_approval_decided, sweep_approvals, vault_keys
from app.settings import InvalidSetting, Settings
from app.work_queue import delivery
from app.work_queue.delivery import Handler

Sweep: TypeAlias = Callable[[], Awaitable[object]]

_LOG = logging.getLogger("flr.worker")

FRONTEND = Path(__file__).parents[1] / "frontend"
CONFIGURATION_ERROR = 78
POOL_SIZE = 24
STOP_SECONDS = 20.0
EXPIRY_SECONDS = 2.0
PRUNE_SECONDS = 3600.0
BRIEF_SECONDS = 20.0


class RotatingReader:
    """Verifies approvals by public key; reads the key files again when it meets a key that it does not know."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.keys
        self._reader = self._load()

    def read(self, token: str) -> ApprovalClaims:
        try:
            return self._reader.read(token)
        except ProofRefused:
            self._reader = self._load()
            return self._reader.read(token)

    def _load(self) -> ApprovalTokenReader:
        return ApprovalTokenReader(PublicKeys.load(self._folder, "approval"))


class AgentEngines:
    """Engines by name, loaded when a role first binds them; one backbone of each name for the process."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._backbones: dict[str, Backbone] = {}

    def worker(self, name: str) -> Worker:
        return load_worker(name)

    def router(self, name: str) -> Router:
        return load_router(name)

    def backbone(self, name: str) -> Backbone:
        if name not in self._backbones:
            self._backbones[name] = load_backbone(name, database_url=self._database_url)
        return self._backbones[name]

    def warm(self, defaults: Defaults) -> None:
        """Import the default engines, which takes seconds. Blocks: for a thread beside the loop."""
        for load in (
            lambda: load_worker(defaults.worker),
            lambda: load_router(defaults.router),
            lambda: load_backbone(defaults.backbone, database_url=self._database_url),
        ):
            try:
                load()
            except FrameworkMissing as missing:
                _LOG.warning("%s", missing)

    async def close(self) -> None:
        for backbone in self._backbones.values():
            await backbone.close()


class WorkerProcess:
    """What one worker process runs until it is told to close."""

    def __init__(self, runtime: Runtime, url: str, others: Mapping[str, Handler], sweeps: Sequence[Sweep] = ()) -> None:
        self.closing = asyncio.Event()
        self._sweeps = tuple(sweeps)
        self._runtime = runtime
        self._url = url
        self._seat = Seat(url)
        self._executor = Executor(runtime, self._seat.owner)
        self._handlers = _in_turn(self._registry(), execution.handlers(self._executor), others)

    def close(self) -> None:
        self.closing.set()

    async def run(self) -> None:
        """Until `close`; then runs in hand may end their step, and their leases are free at once."""
        await self._seat.sit()
        loops = [asyncio.create_task(work) for work in self._loops()]
        try:
            await delivery.consume(self._url, self._handlers, closing=self.closing)
            await self._executor.close(STOP_SECONDS)
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await self._seat.leave()

    def _loops(self) -> list[Coroutine[None, None, None]]:
        executor, database = self._executor, self._runtime.database

        async def expire() -> None:
            await sweep_approvals(database)

        async def prune() -> None:
            await prune_all(database, self._runtime.journal_days)

        return [
            self._seat.keep(),
            _every(RENEW_SECONDS, executor.renew),
            _every(WATCH_SECONDS, executor.watch),
            _every(WATCH_SECONDS, executor.meter),
            _every(SWEEP_SECONDS, executor.sweep),
            _every(EXPIRY_SECONDS, expire),
            _every(PRUNE_SECONDS, prune),
            *(_every(BRIEF_SECONDS, sweep) for sweep in self._sweeps),
        ]

    def _registry(self) -> Mapping[str, Handler]:
        async def decided(message: Message) -> None:
            if isinstance(message, ApprovalDecided):
                async with self._runtime.database.transaction(message.tenant) as tx:
                    await on_approval_decided(tx, message, reader=self._runtime.reader)

        return {"approval_decided": decided}


async def _every(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    """`work` again and again; a database that is away is asked again."""
    while True:
        try:
            await work()
        except LOST as error:
            _LOG.warning("the database does not answer (%s)", error)
        except Exception:  # noqa: BLE001 - a loop that ends would leave runs to nobody
            _LOG.exception("a sweep failed")
        await asyncio.sleep(seconds)


def _in_turn(*rooms: Mapping[str, Handler]) -> Mapping[str, Handler]:
    """One handler for each kind of message: the rooms' in the order given, lower rooms first."""
    together: dict[str, list[Handler]] = defaultdict(list)
    for kind in get_args(Message):
        together[entrypoint_of(kind)] = []
    for room in rooms:
        for name, handler in room.items():
            together[name].append(handler)
    return {name: _all(handlers) for name, handlers in together.items()}


def _all(handlers: list[Handler]) -> Handler:
    async def handle(message: Message) -> None:
        for handler in handlers:
            await handler(message)

    return handle


def serve(settings: Settings) -> int:
    """Works until SIGTERM or SIGINT; the process's exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        return event_loop.run(_serve(settings))
    except (KeyMissing, InvalidSetting, Misconfigured) as error:
        sys.stderr.write(f"{error}\n")
        return CONFIGURATION_ERROR


async def _serve(settings: Settings) -> int:
    async with AsyncExitStack() as stack:
        process = await _compose(settings, stack)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, process.close)
        await process.run()
    return 0


async def _compose(settings: Settings, stack: AsyncExitStack) -> WorkerProcess:
    """Everything that the process opens; `stack` closes it."""
    reader = RotatingReader(settings)
    url = app_url(settings)
    database = await stack.enter_async_context(Database(url, max_size=POOL_SIZE))
    async with database.pool.acquire() as connection:
        await check_database(connection, url)
    store = load_store(
        settings.evidence_url,
        settings.home,
        access_key=settings.evidence_access_key,
        secret_key=settings.evidence_secret_key,
    )
    stack.push_async_callback(store.close)
    model = load_model(settings)
    stack.push_async_callback(model.close)
    engines, defaults = AgentEngines(url), Defaults(settings.backbone, settings.worker, settings.router)
    stack.push_async_callback(engines.close)
    warming = asyncio.create_task(asyncio.to_thread(engines.warm, defaults))
    stack.push_async_callback(asyncio.wait, [warming])
    remote = RemoteTools(settings.home)
    stack.push_async_callback(remote.close)
    runtime = Runtime(
        database=database,
        store=store,
        tools=load_tools(
            smtp_url=settings.smtp_url, mail_from=settings.mail_from, allow_private=settings.http_allow_private
        ),
        model=model,
        engines=engines,
        reader=reader,
        defaults=defaults,
        undo_seconds=settings.undo_seconds,
        run_minutes=settings.run_minutes,
        part=PartBounds(settings.part_steps, settings.part_bytes),
        journal_days=settings.journal_days,
        vault=vault_keys(settings.keys),
        keeper=partial(keeper_of, settings.keys),
        remote=remote,
    )
    return WorkerProcess(runtime, url, *await _phones(settings, database, stack))


async def _phones(
    settings: Settings, database: Database, stack: AsyncExitStack
) -> tuple[Mapping[str, Handler], Sequence[Sweep]]:
    """The console's handlers, which ring the founder's phone, and the sweep that has the day's brief told."""
    ensure_console_keys(settings.keys)
    sender = load_push(settings.keys / VAPID, origin=settings.origin, mail_from=settings.mail_from)
    stack.push_async_callback(sender.close)
    chats = load_chats(token=settings.telegram_token, base_url=settings.telegram_url)
    if chats is not None:
        stack.push_async_callback(chats.close)
    letters = load_notices(smtp_url=settings.smtp_url, mail_from=settings.mail_from)
    senders = Senders(letters, load_posts(settings.http_allow_private), chats)
    words = load_words(FRONTEND / "i18n")
    briefer = Briefer(database, sender, settings, words)
    return console_handlers(database, sender, senders, settings, words), (briefer.sweep,)


if __name__ == "__main__":
    from app.settings import read

    sys.exit(serve(read()))

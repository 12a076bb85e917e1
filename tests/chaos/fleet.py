"""Every process of one company on its own database, to be killed at any moment and started again."""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias

import httpx
import psutil

from app.own_postgres import OwnPostgres, create_database
from app.own_postgres import url as embedded_url
from app.settings import Settings, read
from db.migrate import migrate
from tests.chaos.worker import RECEIVER
from tests.processes import free_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 60

Victim: TypeAlias = Literal["worker", "api", "sealer", "database"]
VICTIMS: dict[Victim, int] = {"worker": 10, "api": 4, "sealer": 3, "database": 3}
_MODULES: dict[str, tuple[str, ...]] = {
    "api": ("app.cli", "api"),
    "sealer": ("app.cli", "sealer"),
    "worker-1": ("tests.chaos.worker",),
    "worker-2": ("tests.chaos.worker",),
}


class Fleet:
    """One API, one sealer, two workers and a PostgreSQL. All are started by the main thread, and end with it."""

    def __init__(self, home: Path, receiver: str, **settings: str) -> None:
        """`settings` are FLR_ variables beside those of every game."""
        self.home = home
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            "FLR_HOME": str(home),
            "FLR_PORT": str(free_port()),
            "FLR_UNDO_SECONDS": "0",
            "FLR_BACKBONE": "plain",
            "FLR_WORKER": "procedure",
            "FLR_ROUTER": "rules",
            "FLR_RUN_PART_STEPS": "2",
            "FLR_HTTP_ALLOW_PRIVATE": receiver,
            RECEIVER: receiver,
            **settings,
        }
        self.ended_alone: list[str] = []
        self._server = OwnPostgres(home)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def settings(self) -> Settings:
        return read(self.environment)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environment['FLR_PORT']}"

    async def start(self) -> None:
        """All of them; returns when the API is ready."""
        await self._start_database()
        await create_database(self.home)
        await migrate(embedded_url(self.home, "postgres"))

    async def start_ring(self) -> None:
        for name in _MODULES:
            self._start(name)
        await self._until(self._api_ready, "the API is ready")

    async def kill(self, victim: Victim) -> str:
        """kill -9 one process of this kind, start it again; what was killed."""
        if victim == "database":
            return await self._kill_database()
        name = random.choice(("worker-1", "worker-2")) if victim == "worker" else victim
        self._reap(name)
        self._start(name)
        return name

    async def _kill_database(self) -> str:
        """The server itself, or one of its sessions, which makes it end all of them and recover."""
        server = self._running["database"]
        sessions = [child for child in psutil.Process(server.pid).children() if "flr_" in " ".join(child.cmdline())]
        if sessions and random.random() < 0.5:
            random.choice(sessions).kill()
            return "database session"
        self._reap("database")
        await self._start_database()
        return "database server"

    async def _start_database(self) -> None:
        await asyncio.to_thread(self._server.prepare)
        process = self._popen("database", self._server.argv, **self._server.options)

        async def ready() -> bool:
            return self._server.ready(process.pid)

        await self._until(ready, "the database is ready")

    def _start(self, name: str) -> None:
        argv = [sys.executable, "-m", *_MODULES[name]]
        self._popen(name, argv, cwd=ROOT, env=self.environment, start_new_session=True)

    def _popen(self, name: str, argv: list[str], **options: Any) -> subprocess.Popen[bytes]:
        with (self.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **options)
        self._running[name] = process
        return process

    def _reap(self, name: str) -> None:
        process = self._running.pop(name)
        process.kill()
        process.wait()

    async def mend(self) -> None:
        """Start again what ended without being killed, as any supervisor does. It is counted."""
        for name, process in list(self._running.items()):
            if process.poll() is None:
                continue
            self.ended_alone.append(name)
            if name == "database":
                await self._start_database()
            else:
                self._start(name)

    async def _api_ready(self) -> bool:
        try:
            async with httpx.AsyncClient(timeout=2) as client:
                return (await client.get(f"{self.url}/readyz")).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    async def _until(self, what: Callable[[], Awaitable[bool]], said: str) -> None:
        until = time.monotonic() + START_SECONDS
        while not await what():
            if time.monotonic() > until:
                raise RuntimeError(f"not within {START_SECONDS} s: {said}; {self.said()}")
            await asyncio.sleep(0.05)

    def said(self) -> str:
        """The last words of each process."""
        logs = sorted(self.home.glob("*.log"))
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-600:]}" for log in logs)

    def stop(self) -> None:
        database = self._running.pop("database", None)
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            _end(process)
        self._running.clear()
        if database is not None:
            database.terminate()
            _end(database)
        self._server.release()


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

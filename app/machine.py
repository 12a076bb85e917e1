"""What runs on one machine, and in which order."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress

from app.database_urls import app_url, sealer_url
from app.own_postgres import DatabaseUnusable, OwnPostgres, die_with_parent
from app.settings import Settings
from app.supervisor import WRONG_CONFIGURATION, Child, ChildFailed, Console, Supervisor


def run_machine(settings: Settings, *, workers: int = 1) -> None:
    """Database (when embedded), migration, API, workers and sealer, until a signal. Blocks.

    Raises `DatabaseUnusable`, `PortTaken` or `ChildFailed` with one sentence when something cannot be brought up.
    """
    database = None if settings.database_url else OwnPostgres(settings.home)
    if database is not None:
        database.prepare()
    try:
        refuse_taken_port(settings)
        asyncio.run(_run(settings, database, workers))
    finally:
        if database is not None:
            database.release()


async def _run(settings: Settings, database: OwnPostgres | None, workers: int) -> None:
    children = [] if database is None else [_database(database)]
    children += [_flr("migrate", once=True), _api(settings)]
    children += [_runner(settings, "worker", str(number) if workers > 1 else "") for number in range(1, workers + 1)]
    children += [_sealer(settings)]
    with Console(settings.home / "flr.log") as console:
        await Supervisor(children, console, lambda: _welcome(settings, console)).run()


class PortTaken(Exception):
    """Another process listens where the API would; the message says what to do."""


def refuse_taken_port(settings: Settings) -> None:
    """Raises `PortTaken` when the API could not listen on its host and port."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        raise PortTaken(
            f"{settings.host}:{settings.port} cannot be listened on ({error.strerror or error}): "
            "stop what uses it, or set another FLR_PORT or FLR_HOST."
        ) from error


def _welcome(settings: Settings, console: Console) -> str:
    return f"the console is at {settings.origin}/ (Ctrl-C stops all; everything is logged in {console.path})"


def _database(database: OwnPostgres) -> Child:
    def prepare() -> None:
        try:
            database.prepare()
        except DatabaseUnusable as error:
            raise ChildFailed(str(error), WRONG_CONFIGURATION) from error

    async def ready(pid: int) -> bool:
        return database.ready(pid)

    return Child(
        name="database",
        argv=database.argv,
        options=database.options,
        prepare=prepare,
        ready=ready,
        explain=database.explain,
        quiet=True,
        stop_signal=signal.SIGINT,
        stop_seconds=60,
    )


def _flr(command: str, *, once: bool = False, name: str | None = None) -> Child:
    options = {"start_new_session": True, "preexec_fn": die_with_parent(signal.SIGTERM)}
    return Child(name=name or command, argv=(sys.executable, "-m", "app.cli", command), once=once, options=options)


def _api(settings: Settings) -> Child:
    async def ready(_: int) -> bool:
        return await _answers(settings)

    child = _flr("api")
    child.ready, child.environment, child.stop_seconds = ready, lambda: _environment(settings, app_url), 15
    return child


def _runner(settings: Settings, kind: str, number: str) -> Child:
    child = _flr(kind, name=f"{kind}{number}")
    child.environment, child.stop_seconds = lambda: _environment(settings, app_url), 30
    return child


def _sealer(settings: Settings) -> Child:
    child = _flr("sealer")
    child.environment = lambda: _environment(settings, sealer_url)
    return child


def _environment(settings: Settings, url: Callable[[Settings], str]) -> Mapping[str, str]:
    """The administrator's address stays with the supervisor: a child gets the one of its own role."""
    own = {"DATABASE_URL": url(settings)} if settings.database_url else {}
    return os.environ | own


async def _answers(settings: Settings) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(settings.host, settings.host)  # noqa: S104
    with suppress(OSError, TimeoutError):
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, settings.port), 2)
        try:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            status = await asyncio.wait_for(reader.readline(), 2)
            return b" 200 " in status
        finally:
            writer.close()
    return False

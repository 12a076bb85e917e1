"""What runs on one machine, and in which order."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypeAlias

from app.database_urls import app_url, sealer_url
from app.own_postgres import DatabaseUnusable, OwnPostgres, die_with_parent
from app.settings import Settings
from app.supervisor import WRONG_CONFIGURATION, Child, ChildFailed, Console, Supervisor

SCRIPTED_MODEL = "app.adapters.models.scripted_server"
LOOPBACK = "127.0.0.1"

Environment: TypeAlias = Callable[[], Mapping[str, str]]


class PortTaken(Exception):
    """Another process listens where the API would; the message says what to do."""


def run_machine(settings: Settings, *, workers: int = 1, demo: bool = True) -> None:
    """Database (when embedded), migration, scripted model (when no other is set), API, workers and sealer. Blocks.

    Until a signal. `demo` makes the demo company when there is none. Raises `DatabaseUnusable`, `PortTaken` or
    `ChildFailed` with one sentence when something cannot be brought up.
    """
    database = None if settings.database_url else OwnPostgres(settings.home)
    if database is not None:
        database.prepare()
    try:
        refuse_taken_port(settings)
        asyncio.run(_run(settings, database, workers, demo))
    finally:
        if database is not None:
            database.release()


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


async def _run(settings: Settings, database: OwnPostgres | None, workers: int, demo: bool) -> None:
    model_port = None if settings.model_base_url else _free_port()
    children = [] if database is None else [_database(database)]
    children += [_flr("migrate", once=True)]
    children += [_flr("demo", once=True, environment=_for_app(settings))] if demo else []
    children += [] if model_port is None else [_model(model_port)]
    # Stopped in reverse: whoever appends to the ledger ends before the sealer, which seals the last of it.
    children += [_sealer(settings), _api(settings), *_workers(settings, workers, model_port)]
    with Console(settings.home / "flr.log") as console:
        await Supervisor(children, console, lambda: _welcome(settings, console)).run()


async def _welcome(settings: Settings, console: Console) -> None:
    """The link is one-time and for the one who stands here: it goes to the terminal and not into the log."""
    child = _flr("enrol")
    enrol = await asyncio.create_subprocess_exec(
        *child.argv, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, env=_for_app(settings)(), **child.options
    )
    said, _ = await enrol.communicate()
    console.write("flr", f"the console is at {settings.origin}/")
    if enrol.returncode == 0:
        console.write("flr", "open this link once to make a browser or phone the founder's:", logged=False)
        for line in said.decode().splitlines():
            console.write("flr", line, logged=False)
    console.write("flr", f"everything is logged in {console.path}; Ctrl-C stops all")


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


def _flr(command: str, *, name: str = "", once: bool = False, environment: Environment | None = None) -> Child:
    return _python("app.cli", command, name=name or command, environment=environment, once=once)


def _python(
    module: str, *arguments: str, name: str, once: bool = False, environment: Environment | None = None
) -> Child:
    argv = (sys.executable, "-m", module, *arguments)
    options = {"start_new_session": True, "preexec_fn": die_with_parent(signal.SIGTERM)}
    return Child(name=name, argv=argv, once=once, environment=environment, options=options)


def _model(port: int) -> Child:
    child = _python(SCRIPTED_MODEL, "--port", str(port), name="model")

    async def ready(_: int) -> bool:
        return await _listens(LOOPBACK, port)

    child.ready = ready
    return child


def _api(settings: Settings) -> Child:
    child = _flr("api", environment=_for_app(settings))

    async def ready(_: int) -> bool:
        return await _answers(settings)

    child.ready, child.stop_seconds = ready, 15
    return child


def _workers(settings: Settings, count: int, model_port: int | None) -> list[Child]:
    own = {} if model_port is None else {"FLR_MODEL_BASE_URL": f"http://{LOOPBACK}:{model_port}/v1"}
    names = ["worker"] if count == 1 else [f"worker{number}" for number in range(1, count + 1)]
    children = [_flr("worker", name=name, environment=_for_app(settings, own)) for name in names]
    for child in children:
        child.stop_seconds = 30
    return children


def _sealer(settings: Settings) -> Child:
    return _flr("sealer", environment=lambda: _environment(settings, sealer_url, {}))


def _for_app(settings: Settings, more: Mapping[str, str] | None = None) -> Environment:
    return lambda: _environment(settings, app_url, more or {})


def _environment(settings: Settings, url: Callable[[Settings], str], more: Mapping[str, str]) -> Mapping[str, str]:
    """The administrator's address stays with the supervisor: a child gets the one of its own role."""
    own = {"DATABASE_URL": url(settings)} if settings.database_url else {}
    return {**os.environ, **own, **more}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return int(listener.getsockname()[1])


async def _listens(host: str, port: int) -> bool:
    with suppress(OSError):
        _, writer = await asyncio.open_connection(host, port)
        writer.close()
        return True
    return False


async def _answers(settings: Settings) -> bool:
    host = {"0.0.0.0": LOOPBACK, "::": "::1", "": LOOPBACK}.get(settings.host, settings.host)  # noqa: S104
    with suppress(OSError, TimeoutError):
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, settings.port), 2)
        try:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            status = await asyncio.wait_for(reader.readline(), 2)
            return b" 200 " in status
        finally:
            writer.close()
    return False

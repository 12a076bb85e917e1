"""All processes of one machine: started in order, each when the one before is up; restarted when one dies; stopped in
reverse order. One Ctrl-C reaches this process only, since every child has a session of its own; a kill -9 of this
process reaches the children through the kernel.
"""

import asyncio
import os
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Full, Queue
from threading import Thread
from typing import Any, Self

WRONG_CONFIGURATION = 78  # EX_CONFIG of sysexits.h: starting again would not help
FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 30.0
LONG_LIFE_SECONDS = 30.0
TRIES_BEFORE_FIRST_UP = 5
CHUNK_BYTES = 1 << 16
LONGEST_LINE_BYTES = 1 << 20  # a longer one is cut in pieces
LOG_BYTES = 10_000_000
TERMINAL_LINES = 1000
TERMINAL_LINE_LENGTH = 4000


class ChildFailed(Exception):
    """A child cannot be brought up. The message is a sentence for the founder."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass
class Child:
    """One process. `once`: runs to its end before the next child starts. `quiet`: its lines go to the log file only.

    `prepare` runs before each start and may raise `ChildFailed`; `ready(pid)` says when the next may start; `explain`
    makes a sentence of what a child printed that never came up.
    """

    name: str
    argv: Sequence[str]
    once: bool = False
    quiet: bool = False
    environment: Callable[[], Mapping[str, str]] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[], None] | None = None
    ready: Callable[[int], Awaitable[bool]] | None = None
    explain: Callable[[str], str] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
    process: Process | None = None
    was_up: bool = False
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=20))

    def is_alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def sentence(self) -> str:
        """Why this child did not come up, from what it printed."""
        if self.explain is not None:
            return self.explain("\n".join(self.last_lines))
        return self.last_lines[-1].removeprefix("flr: ") if self.last_lines else f"{self.name} ended without a word"


class Console:
    """Where lines go: the log file, and the terminal as far as it takes them.

    The terminal has a thread of its own, so that one that is paused, or a pipe nobody reads, stops no child.
    """

    def __init__(self, log: Path, terminal: int = 1) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_name(f"{log.name}.1"))
        self.path = log
        # Unbuffered: on a full disk a line is lost, and nothing is left over to fail when the file is closed.
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._lines: Queue[str | None] = Queue(TERMINAL_LINES)
        self._thread = Thread(target=self._show, args=(terminal,), daemon=True)
        self._thread.start()

    def write(self, name: str, line: str, *, quiet: bool = False, logged: bool = True) -> None:
        """Never blocks on the terminal, never raises. `quiet`: to the log only; not `logged`: to the terminal only."""
        if logged:
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            with suppress(OSError):
                os.write(self._log, f"{now} {name} | {line}\n".encode(errors="replace"))
        if not quiet:
            with suppress(Full):
                self._lines.put_nowait(f"{name:>8} | {line[:TERMINAL_LINE_LENGTH]}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Full):
            self._lines.put(None, timeout=1)
        self._thread.join(timeout=1)
        os.close(self._log)

    def _show(self, terminal: int) -> None:
        # os.write, since a thread stopped inside sys.stdout would hold its lock when the interpreter ends.
        with suppress(OSError):
            while (line := self._lines.get()) is not None:
                os.write(terminal, line.encode(errors="replace"))


class Supervisor:
    """Runs children until a signal, or until one of them cannot be brought up."""

    def __init__(self, children: Sequence[Child], console: Console, welcome: Callable[[], Awaitable[None]]) -> None:
        self.children = children
        self.console = console
        self.welcome = welcome
        self.closing = asyncio.Event()
        self.failure: ChildFailed | None = None
        self._keepers: list[asyncio.Task[None]] = []
        self._signals = 0

    async def run(self) -> None:
        """Returns when all are stopped. Raises `ChildFailed` when it was because one could not be brought up."""
        self._listen()
        try:
            for child in self.children:
                await self._bring_up(child)
                if self.closing.is_set():
                    break
            else:
                await self.welcome()
            await self.closing.wait()
        finally:
            self.closing.set()
            for child in reversed(self.children):
                await self._stop(child)
            await asyncio.gather(*self._keepers, return_exceptions=True)
        if self.failure is not None:
            raise self.failure

    def fail(self, failure: ChildFailed) -> None:
        self.failure = self.failure or failure
        self.closing.set()

    def _why(self, child: Child, code: int) -> str:
        if code == WRONG_CONFIGURATION or child.explain:
            return child.sentence()
        return f"{child.name} cannot be brought up ({child.sentence()}): see {self.console.path}"

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal)
        loop.add_signal_handler(signal.SIGHUP, lambda: None)

    def _on_signal(self) -> None:
        self._signals += 1
        if self._signals == 1:
            self.console.write("flr", "stopping (once more to hurry)")
        self.closing.set()

    async def _bring_up(self, child: Child) -> None:
        up = asyncio.Event()
        keeper = asyncio.create_task(self._run_once(child) if child.once else self._keep(child, up))
        self._keepers.append(keeper)
        waiters = [keeper, asyncio.create_task(up.wait()), asyncio.create_task(self.closing.wait())]
        await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
        for waiter in waiters[1:]:
            waiter.cancel()
        if keeper.done() and (error := keeper.exception()) is not None:
            raise error

    async def _run_once(self, child: Child) -> None:
        process, pump = await self._start(child)
        code = await process.wait()
        await pump
        if code and not self.closing.is_set():
            self.fail(ChildFailed(child.sentence(), code if code > 0 else 1))

    async def _keep(self, child: Child, up: asyncio.Event) -> None:
        delay, tries = FIRST_DELAY_SECONDS, 0
        while not self.closing.is_set():
            born = time.monotonic()
            try:
                code = await self._live(child, up)
            except ChildFailed as failure:
                if not child.was_up:
                    return self.fail(failure)
                code = failure.code
                self.console.write(child.name, str(failure))
            if self.closing.is_set():
                return None
            tries += 1
            if code == WRONG_CONFIGURATION or (not child.was_up and (child.explain or tries >= TRIES_BEFORE_FIRST_UP)):
                return self.fail(ChildFailed(self._why(child, code), code if code > 0 else 1))
            if time.monotonic() - born > LONG_LIFE_SECONDS:
                delay = FIRST_DELAY_SECONDS
            self.console.write(child.name, f"ended with {code}; starts again in {delay:.1f} s")
            with suppress(TimeoutError):
                await asyncio.wait_for(self.closing.wait(), delay)
            delay = min(delay * 2, LONGEST_DELAY_SECONDS)
        return None

    async def _live(self, child: Child, up: asyncio.Event) -> int:
        process, pump = await self._start(child)
        while process.returncode is None and child.ready is not None and not await child.ready(process.pid):
            await asyncio.sleep(0.03)
        if process.returncode is None:
            child.was_up = True
            up.set()
        code = await process.wait()
        await pump
        return code

    async def _start(self, child: Child) -> tuple[Process, asyncio.Task[None]]:
        if child.prepare is not None:
            child.prepare()
        environment = None if child.environment is None else child.environment()
        options = {"start_new_session": True, "env": environment} | dict(child.options)
        process = await asyncio.create_subprocess_exec(
            *child.argv, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, **options
        )
        child.process = process
        if process.stdout is None:
            raise RuntimeError("a child's output is a pipe")
        return process, asyncio.create_task(self._pump(child, process.stdout))

    async def _pump(self, child: Child, stream: asyncio.StreamReader) -> None:
        rest = b""
        while chunk := await stream.read(CHUNK_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > LONGEST_LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._take_line(child, line)
        if rest:
            self._take_line(child, rest)

    def _take_line(self, child: Child, line: bytes) -> None:
        text = line[:LONGEST_LINE_BYTES].decode(errors="replace").rstrip()
        child.last_lines.append(text)
        self.console.write(child.name, text, quiet=child.quiet or child.once)

    async def _stop(self, child: Child) -> None:
        if child.process is None or not child.is_alive():
            return
        with suppress(ProcessLookupError):
            child.process.send_signal(child.stop_signal)
        end = time.monotonic() + child.stop_seconds
        while child.is_alive() and time.monotonic() < end and self._signals < 2:
            await asyncio.sleep(0.01)
        if child.is_alive():
            self.console.write("flr", f"{child.name} does not stop; killed")
            with suppress(ProcessLookupError):
                child.process.kill()
            await child.process.wait()

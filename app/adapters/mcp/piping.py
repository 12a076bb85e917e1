"""The pipes of a tool server as a transport of the SDK, whose own reads lines of any length. One message a line."""

import asyncio
import logging
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import IO, TypeAlias

import anyio
import mcp_types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage

from app.adapters.mcp.measured import MOST_BYTES, Measure, TooMuch

_LOG = logging.getLogger("flr.tool_servers")

END_SECONDS = 2.0
_CHUNK_BYTES = 1 << 16
_CONNECTION_CLOSED = -32000

Heard: TypeAlias = SessionMessage | Exception
Streams: TypeAlias = tuple[MemoryObjectReceiveStream[Heard], MemoryObjectSendStream[SessionMessage]]


@asynccontextmanager
async def piped(argv: Sequence[str], environment: Mapping[str, str], errors: IO[bytes]) -> AsyncIterator[Streams]:
    """Starts the program; it is gone when the block is left. One that says more than one question may bring is ended,
    and whoever waits for an answer is told."""
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=PIPE, stdout=PIPE, stderr=errors, env=dict(environment), limit=MOST_BYTES, start_new_session=True
    )
    to_session, heard = anyio.create_memory_object_stream[Heard](0)
    told, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    measure = Measure()
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_hear, process, to_session, measure)
            tasks.start_soon(_tell, process, from_session, to_session, measure)
            try:
                yield heard, told
            finally:
                tasks.cancel_scope.cancel()
    finally:
        for stream in (to_session, heard, told, from_session):
            stream.close()
        await _end(process)


async def _hear(process: Process, to_session: MemoryObjectSendStream[Heard], measure: Measure) -> None:
    with to_session, suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        try:
            while (line := await _line(process)) is not None:
                measure.hear(line)
                message = _message(line)
                if message is not None:
                    await to_session.send(message)
        except TooMuch as much:
            _LOG.warning("a tool server is ended: %s", much)
            _kill(process)
            for asked in measure.open:
                error = mcp_types.ErrorData(code=_CONNECTION_CLOSED, message=str(much))
                await to_session.send(SessionMessage(mcp_types.JSONRPCError(jsonrpc="2.0", id=asked, error=error)))


async def _line(process: Process) -> bytes | None:
    """The next line, None at the end. Raises `TooMuch`."""
    assert process.stdout is not None
    try:
        return await process.stdout.readuntil(b"\n")
    except asyncio.LimitOverrunError as error:
        raise TooMuch(f"it answered with more than {MOST_BYTES >> 20} MB") from error
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def _message(line: bytes) -> SessionMessage | None:
    """None for a line that is no message: some programs talk there."""
    try:
        return SessionMessage(mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError:
        _LOG.debug("a tool server said something that is no message")
        return None


async def _tell(
    process: Process,
    from_session: MemoryObjectReceiveStream[SessionMessage],
    to_session: MemoryObjectSendStream[Heard],
    measure: Measure,
) -> None:
    assert process.stdin is not None
    try:
        with from_session:
            async for said in from_session:
                measure.ask(said.message)
                text = said.message.model_dump_json(by_alias=True, exclude_unset=True)
                process.stdin.write(text.encode() + b"\n")
                await process.stdin.drain()
    except OSError:
        # It may live on and hear nothing: the session sees an end, not a question that hangs.
        to_session.close()


async def _end(process: Process) -> None:
    """Its input is closed; a program that does not go by itself is killed, and all inside the sandbox with it."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with anyio.CancelScope(shield=True):
            process.stdin.close()
            with anyio.move_on_after(END_SECONDS):
                await _gone(process, process.stdout)
            _kill(process)
            with anyio.move_on_after(END_SECONDS):
                await _gone(process, process.stdout)
    finally:
        _kill(process)


def _kill(process: Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()


async def _gone(process: Process, output: asyncio.StreamReader) -> None:
    """What it still says is read and dropped: a full pipe would keep it."""
    while await output.read(_CHUNK_BYTES):
        pass
    await process.wait()

"""Acting outside: the call itself, in no transaction, and the record of how it ended."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar, assert_never

import asyncpg
import msgspec

from app.canon.errors import Invalid
from app.canon.tool import OutcomeUnknown, Tool, ToolCall, ToolFailed, ToolResult
from app.canon.tool_server import ToolChanged
from app.execution_graph.acting import done, failed
from app.execution_graph.blotting import CallSecrets
from app.execution_graph.case import Acts, Case, Permit, Stops, Told, Waits
from app.execution_graph.drive import Drive
from app.execution_graph.journal import Asked, storable
from app.execution_graph.lost_outcomes import lost
from app.governance_ledger import EvidenceAway
from app.role_registry import quarantine_tool

T = TypeVar("T")

_LOG = logging.getLogger("flr.execution_graph")

ATTEMPTS = 3
RECORD_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0)
SHOWN_CHARACTERS = 40_000
SHOWN_REASON_CHARACTERS = 300
_AWAY = (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError)
_UNKEEPABLE = (
    Invalid,
    ValueError,
    TypeError,
    RecursionError,
    msgspec.MsgspecError,
    asyncpg.DataError,
    asyncpg.CheckViolationError,
    asyncpg.ProgramLimitExceededError,
)
"""What a ledger says to bytes that are too many and to text that is none."""


class Failed(msgspec.Struct, frozen=True):
    """The call was made, or could not be, and failed for certain. `code` says why, where it is known. `changed`: the
    tool is not what was signed."""

    message: str
    code: str = ""
    changed: ToolChanged | None = None


class Lost(msgspec.Struct, frozen=True):
    """The call may have happened."""

    message: str


Ended: TypeAlias = ToolResult | Failed | Lost


async def act(drive: Drive, asked: Asked, acts: Acts) -> Told | Waits | Stops:
    """Make the call whose intent is committed, then record how it ended. Raises `Halt` when the run was taken over."""
    tool = drive.runtime.tools[asked.name]
    ended = await _perform(tool, acts.call)

    async def record(ended: Ended) -> Told | Waits | Stops:
        async with drive.transaction() as tx:
            status = await drive.journal.fence(tx)
            case = Case(tx, drive, asked, acts.call.arguments, status, acts.step, tool, acts.contract, drive.ticket)
            return await _record(case, acts.permit, ended)

    try:
        return await _insist(lambda: record(ended))
    except _UNKEEPABLE as error:
        _LOG.warning("step %d of run %s is recorded without its answer: %s", asked.step, drive.run.id, error)
        bare = without_answer(ended, error)
        return await _insist(lambda: record(bare))


async def _perform(tool: Tool, call: ToolCall) -> Ended:
    """A call that promises to be idempotent is repeated with the same key when its answer was lost."""
    ended = await _once(tool, call)
    for attempt in range(1, ATTEMPTS):
        if not isinstance(ended, Lost) or not tool.spec.idempotent:
            return ended
        await asyncio.sleep(0.5 * 2**attempt)
        ended = await _once(tool, call)
    return ended


async def _once(tool: Tool, call: ToolCall) -> Ended:
    """One attempt; what it was given of the vault is nowhere in how it ended."""
    ended = await _attempt(tool, call)
    if not isinstance(call.vault, CallSecrets):
        return ended
    match ended:
        case ToolResult():
            return call.vault.blotted(ended)
        case Failed(message, code, changed):
            return Failed(call.vault.blot(message), code, call.vault.changed(changed))
        case Lost(message):
            return Lost(call.vault.blot(message))
        case _:
            assert_never(ended)


async def _attempt(tool: Tool, call: ToolCall) -> Ended:
    try:
        async with asyncio.timeout(tool.spec.timeout_seconds):
            return await tool.perform(call)
    except ToolFailed as error:
        return Failed(str(error), error.code, error if isinstance(error, ToolChanged) else None)
    except OutcomeUnknown as error:
        return Lost(str(error)) if tool.spec.effect == "external" else Failed(str(error), "tool.slow")
    except TimeoutError:
        said, code = f"no answer within {tool.spec.timeout_seconds} seconds", "tool.slow"
    except Exception as error:
        if isinstance(error, EvidenceAway) and tool.spec.effect == "read":
            raise
        # Whatever else a tool raises, a call may have been made.
        said, code = f"{type(error).__name__}: {error}", "tool.broke"
    return Lost(said) if tool.spec.effect == "external" else Failed(said, code)


async def _record(case: Case, permit: Permit, ended: Ended) -> Told | Waits | Stops:
    match ended:
        case ToolResult():
            return await done(case, permit, ended)
        case Failed(message, code, changed):
            if changed is not None:
                await quarantine_tool(case.tx, changed, actor=case.drive.actor, undo_seconds=_undo(case))
            return await failed(case, permit, message, code)
        case Lost(message):
            return await lost(case, permit, message)
        case _:
            assert_never(ended)


def without_answer(ended: Ended, error: Exception) -> Ended:
    """How it ended, without what it brought, which no ledger can hold (too large, no text). That it was done counts."""
    match ended:
        case ToolResult(content):
            why = storable(str(error))[:SHOWN_REASON_CHARACTERS]
            return ToolResult(
                f"{storable(content[:SHOWN_CHARACTERS])}\n(Done. All that it brought cannot be kept: {why})"
            )
        case Failed(message, code, ToolChanged() as changed):
            return Failed(message, code, ToolChanged(changed.server, changed.tool, None))
        case _:
            raise error


def _undo(case: Case) -> int:
    return case.drive.runtime.undo_seconds


async def _insist(record: Callable[[], Awaitable[T]]) -> T:
    """The act is done and cannot be undone: a database that is away for seconds must not lose its record."""
    for wait in RECORD_SECONDS:
        try:
            return await record()
        except _AWAY:
            await asyncio.sleep(wait)
    return await record()

"""LangGraph as the backbone: route -> act -> hold -> act ... -> close, checkpointed in Postgres.

The checkpoints hold ids and coarse words only. The journal is the truth: a lost, stale or forged checkpoint costs a
replay and grants nothing. The tables are made by `db/execution_graph/sql/0002_langgraph.sql`, never here.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Literal, TypedDict
from uuid import UUID

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt
from langsmith.run_helpers import tracing_context
from psycopg import AsyncConnection
from psycopg import Error as PostgresError
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from app.canon.agent import Beat, Beats, Finished, Held, Stopped

SCHEMA = "execution_graph"

_log = logging.getLogger(__name__)

Word = Literal["routed", "finished", "held", "stopped", "failed"]


class State(TypedDict, total=False):
    """All that a checkpoint says of a run."""

    run: str
    beat: Word
    approval: str


@dataclass
class Drive:
    """One call of `drive`: lives in memory only, so nothing a worker wrote reaches a checkpoint."""

    beats: Beats
    beat: Beat | None = None
    failure: Exception | None = None

    async def route(self) -> State:
        # LangGraph stores an exception's text with the checkpoint, so none may leave a node.
        try:
            await self.beats.route()
        except Exception as error:  # noqa: BLE001
            self.failure = error
            return {"beat": "failed"}
        return {"beat": "routed"}

    async def act(self) -> State:
        try:
            self.beat = await self.beats.act()
        except Exception as error:  # noqa: BLE001
            self.failure = error
            return {"beat": "failed"}
        return _coarse(self.beat)

    async def close(self) -> State:
        if self.beat is None:
            await self.act()
        if not isinstance(self.beat, Finished):
            return _coarse(self.beat)
        try:
            await self.beats.close(self.beat)
        except Exception as error:  # noqa: BLE001
            self.failure = error
            return {"beat": "failed"}
        return {"beat": "finished"}

    def outcome(self) -> Beat:
        if self.failure is not None:
            raise self.failure
        if self.beat is None:
            raise RuntimeError("the graph ended without a beat")
        return self.beat


def _coarse(beat: Beat | None) -> State:
    match beat:
        case Finished():
            return {"beat": "finished"}
        case Held(approval_id=approval_id):
            return {"beat": "held", "approval": str(approval_id)}
        case Stopped():
            return {"beat": "stopped"}
        case None:
            return {"beat": "failed"}


async def _route(state: State, runtime: Runtime[Drive]) -> State:
    return await runtime.context.route()


async def _act(state: State, runtime: Runtime[Drive]) -> State:
    return await runtime.context.act()


async def _hold(state: State) -> State:
    # Alone in its node: LangGraph runs a node from its top on resume. The value resumed with is ignored.
    interrupt({"approval": state["approval"]})
    return {}


async def _close(state: State, runtime: Runtime[Drive]) -> State:
    return await runtime.context.close()


def _after_route(state: State) -> str:
    return "act" if state["beat"] == "routed" else END


def _after_act(state: State) -> str:
    return {"held": "hold", "finished": "close"}.get(state["beat"], END)


def _after_close(state: State) -> str:
    return "hold" if state["beat"] == "held" else END


def build_graph(saver: AsyncPostgresSaver) -> Any:
    """The compiled graph over `saver`."""
    graph = StateGraph(State, context_schema=Drive)
    graph.add_node("route", _route)
    graph.add_node("act", _act)
    graph.add_node("hold", _hold)
    graph.add_node("close", _close)
    graph.add_edge(START, "route")
    graph.add_conditional_edges("route", _after_route, ["act", END])
    graph.add_conditional_edges("act", _after_act, ["hold", "close", END])
    graph.add_edge("hold", "act")
    graph.add_conditional_edges("close", _after_close, ["hold", END])
    return graph.compile(checkpointer=saver)


class LangGraphBackbone:
    """One saver and one small pool for each process, opened on the first drive."""

    name = "langgraph"

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._pool: AsyncConnectionPool[AsyncConnection[DictRow]] | None = None
        self._saver: AsyncPostgresSaver | None = None
        self._graph: Any = None
        self._opening = asyncio.Lock()

    async def drive(self, run_id: UUID, beats: Beats) -> Beat:
        saver = await self._open()
        drive = Drive(beats)
        with tracing_context(enabled=False):
            try:
                await self._invoke(run_id, drive)
            except (PostgresError, PoolTimeout):
                raise
            except Exception:  # noqa: BLE001
                # Unreadable, from another version or half deleted: the journal needs no checkpoint, so begin without.
                _log.warning("checkpoint of run %s set aside", run_id, exc_info=True)
                await saver.adelete_thread(str(run_id))
                await self._invoke(run_id, drive)
        beat = drive.outcome()
        if not isinstance(beat, Held):
            await saver.adelete_thread(str(run_id))
        return beat

    async def close(self) -> None:
        """Gives the connections back; a later drive opens anew."""
        pool, self._pool, self._saver, self._graph = self._pool, None, None, None
        if pool is not None:
            await pool.close()

    async def _invoke(self, run_id: UUID, drive: Drive) -> None:
        """Twice at most: a process may have died after it left `act` and before `hold` was stored as interrupted."""
        config: RunnableConfig = {"configurable": {"thread_id": str(run_id)}}
        for _ in range(2):
            entry = await self._entry(run_id, config)
            await self._graph.ainvoke(entry, config, context=drive, durability="sync")
            if drive.beat is not None or drive.failure is not None:
                return

    async def _entry(self, run_id: UUID, config: RunnableConfig) -> Command[Any] | State | None:
        """What to invoke the graph with: crash recovery is None, never the input again."""
        snapshot = await self._graph.aget_state(config)
        if snapshot.interrupts:
            return Command(resume="see the approval")
        return None if snapshot.next else {"run": str(run_id)}

    async def _open(self) -> AsyncPostgresSaver:
        async with self._opening:
            if self._saver is None:
                self._pool = _pool(self._url)
                await self._pool.open()
                self._saver = AsyncPostgresSaver(self._pool)
                self._graph = build_graph(self._saver)
            return self._saver


def _pool(url: str) -> AsyncConnectionPool[AsyncConnection[DictRow]]:
    """Small, because the saver uses one connection at a time; each is tried before use."""
    return AsyncConnectionPool(
        url,
        min_size=1,
        max_size=2,
        open=False,
        check=AsyncConnectionPool.check_connection,
        kwargs={
            "autocommit": True,
            "prepare_threshold": 0,
            "row_factory": dict_row,
            "application_name": "flr-langgraph",
            "options": f"-c search_path={SCHEMA}",
        },
    )

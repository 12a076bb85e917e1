"""The same LangGraph graph, checkpointer, engine and model without governance: no gate, journal, budget or ledger."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from app.adapters.agents import load_worker
from app.canon.agent import Beat, Finished, Task
from app.canon.model import ModelAnswer, ModelClient, ModelRequest
from app.canon.tool import Arguments, ToolAnswer, ToolSpec
from app.canon.vocabulary import new_id
from app.postgres import Database

T = TypeVar("T")

TABLE = """
CREATE SCHEMA bare;
CREATE TABLE bare.notes (id uuid PRIMARY KEY, tenant_id uuid, run_id uuid, step int, text text, written_at timestamptz);
GRANT USAGE ON SCHEMA bare TO flr_app;
GRANT INSERT ON bare.notes TO flr_app;
"""
_INSERT = "INSERT INTO bare.notes VALUES ($1, $2, $3, $4, $5, clock.now())"


async def make_table(superuser_url: str) -> None:
    """A table like that of notes, without Law 17."""
    connection = await asyncpg.connect(superuser_url)
    await connection.execute(TABLE)
    await connection.close()


class BareHands:
    """`canon.agent.StepContext` that asks the model and writes the note, each at once."""

    def __init__(self, database: Database, tenant: UUID, model: ModelClient, tool: ToolSpec) -> None:
        self.run_id = new_id()
        self._database = database
        self._tenant = tenant
        self._model = model
        self._tool = tool
        self._loop = asyncio.get_running_loop()
        self._step = 0

    @property
    def task(self) -> Task:
        return Task(new_id(), "Count the stock", "Count all boxes.", {}, (), "Mira", "Helps where needed.", (), 20)

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        return (self._tool,)

    async def call_model(self, request: ModelRequest) -> ModelAnswer:
        return await self._model.complete(request)

    async def call_tool(self, name: str, arguments: Arguments) -> ToolAnswer:
        self._step += 1
        async with self._database.transaction(self._tenant) as tx:
            values = (new_id(), self._tenant, self.run_id, self._step, str(arguments["text"]))
            await tx.connection.execute(_INSERT, *values)
        return ToolAnswer("done", "Noted.")

    def call_tool_from_thread(self, name: str, arguments: Arguments) -> ToolAnswer:
        return self._wait(self.call_tool(name, arguments))

    def call_model_from_thread(self, request: ModelRequest) -> ModelAnswer:
        return self._wait(self.call_model(request))

    async def proposal(self, number: int) -> Finished:
        return Finished(f"nobody outside works here, least of all on act {number}", ok=False)

    def _wait(self, call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()


class BareBeats:
    """`canon.agent.Beats` with nothing to route or close."""

    def __init__(self, hands: BareHands, engine: str) -> None:
        self._hands = hands
        self._engine = engine

    async def route(self) -> None:
        return

    async def act(self) -> Beat:
        return await load_worker(self._engine).work(self._hands)

    async def close(self, finished: Finished) -> None:
        if not finished.ok:
            raise SystemExit(finished.summary)

"""A worker process with one more tool, an external call that promises to be idempotent: `python -m tests.chaos.worker`.

`FLR_CHAOS_RECEIVER` is where that tool posts to.
"""

import asyncio
import os
import signal
from contextlib import AsyncExitStack

from app import event_loop
from app.adapters.evidence import load_store
from app.adapters.models import load_model
from app.adapters.tools import load_tools
from app.canon.tool import Tool
from app.database_urls import app_url
from app.execution_graph.runtime import Defaults, PartBounds, Runtime
from app.postgres import Database
from app.settings import Settings, read
from app.worker import AgentEngines, RotatingReader, WorkerProcess
from tests.execution_graph.crashing import Post

RECEIVER = "FLR_CHAOS_RECEIVER"


def chaos_tools(settings: Settings, receiver: str) -> dict[str, Tool]:
    again = Post(settings.home, receiver, idempotent=True)
    return {**load_tools(allow_private=settings.http_allow_private), again.spec.name: again}


async def main(settings: Settings, receiver: str) -> None:
    url = app_url(settings)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(url, max_size=12))
        store = load_store(
            settings.evidence_url,
            settings.home,
            access_key=settings.evidence_access_key,
            secret_key=settings.evidence_secret_key,
        )
        stack.push_async_callback(store.close)
        model = load_model(settings)
        stack.push_async_callback(model.close)
        engines = AgentEngines(url)
        stack.push_async_callback(engines.close)
        runtime = Runtime(
            database,
            store,
            chaos_tools(settings, receiver),
            model,
            engines,
            RotatingReader(settings),
            Defaults(settings.backbone, settings.worker, settings.router),
            settings.undo_seconds,
            part=PartBounds(settings.part_steps, settings.part_bytes),
        )
        process = WorkerProcess(runtime, url, {})
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, process.close)
        await process.run()


if __name__ == "__main__":
    event_loop.run(main(read(), os.environ[RECEIVER]))

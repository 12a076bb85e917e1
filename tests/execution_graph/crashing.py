"""A worker process that can be made to stand still at a point, so that it can be killed there.

Run as `python -m tests.execution_graph.crashing URL FOLDER APPROVAL_KEY RECEIVER`. In FOLDER, a file `stop-<point>`
makes the process stand still at that point, and `at-<point>` appears when it does; with `in-parts`, four steps fill a
part of a run.
"""

import asyncio
import signal
import sys
import urllib.request
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app import event_loop
from app.adapters.evidence import FolderStore
from app.adapters.tools import load_tools
from app.auth import ApprovalTokenReader, PublicKeys, key_id
from app.canon.model import ModelAnswer, ModelRequest
from app.canon.tool import Tool, ToolCall, ToolResult, ToolSpec
from app.canon.vocabulary import Risk
from app.execution_graph.runtime import Defaults, PartBounds, Runtime
from app.postgres import Database
from app.worker import AgentEngines, WorkerProcess


async def stand_still(folder: Path, point: str) -> None:
    if (folder / f"stop-{point}").exists():
        (folder / f"at-{point}").touch()
        await asyncio.Event().wait()


class Post(Tool):
    """Posts to the receiver, then may stand still before it answers."""

    def __init__(self, folder: Path, receiver: str, *, idempotent: bool) -> None:
        self._folder = folder
        self._receiver = receiver
        self._spec = ToolSpec(
            "post_again" if idempotent else "post_once",
            "Posts.",
            {"type": "object", "properties": {"what": {"type": "string"}}},
            Risk.REVERSIBLE,
            "external",
            idempotent=idempotent,
        )

    @property
    def spec(self) -> ToolSpec:
        return self._spec

    async def perform(self, call: ToolCall) -> ToolResult:
        url = f"http://{self._receiver}/{self._spec.name}"
        request = urllib.request.Request(url, b"{}", {"Idempotency-Key": call.key}, method="POST")

        def post() -> None:
            urllib.request.urlopen(request, timeout=10).close()

        await asyncio.to_thread(post)
        await stand_still(self._folder, "after-post")
        return ToolResult("posted")


class Thinker:
    """A model endpoint that may stand still before it answers."""

    scripted = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        with (self._folder / "thoughts").open("a") as thoughts:
            thoughts.write(".")
        await stand_still(self._folder, "in-model")
        return ModelAnswer({"choices": []}, "thinker", 5, 5, 0)

    def worst_case_usd_micros(self, request: ModelRequest) -> int | None:
        return 0

    def worst_case_tokens(self, request: ModelRequest) -> int:
        return 10


def crash_tools(folder: Path, receiver: str) -> dict[str, Tool]:
    tools = dict(load_tools())
    for idempotent in (True, False):
        tool = Post(folder, receiver, idempotent=idempotent)
        tools[tool.spec.name] = tool
    return tools


async def main(url: str, folder: Path, key: str, receiver: str) -> None:
    raw = bytes.fromhex(key)
    keys = PublicKeys({key_id(raw): Ed25519PublicKey.from_public_bytes(raw)}, "approval")
    async with Database(url, max_size=12) as database:
        runtime = Runtime(
            database,
            FolderStore(folder / "evidence"),
            crash_tools(folder, receiver),
            Thinker(folder),
            AgentEngines(url),
            ApprovalTokenReader(keys),
            Defaults("plain", "procedure", "rules"),
            0,
            part=PartBounds(steps=4) if (folder / "in-parts").exists() else PartBounds(),
        )
        process = WorkerProcess(runtime, url, {})
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, process.close)
        await process.run()


if __name__ == "__main__":
    event_loop.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]))

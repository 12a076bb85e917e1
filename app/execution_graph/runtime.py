"""What composition hands to the execution graph: adapters as canon protocols, and the process's resources."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol
from uuid import UUID

import msgspec

from app.canon.agent import Backbone, Router, Worker
from app.canon.approval import ApprovalReader
from app.canon.contract import EngineBinding
from app.canon.evidence import EvidenceStore
from app.canon.model import ModelClient
from app.canon.tool import Tool
from app.canon.tool_server import ServerTool, ToolServer
from app.governance_ledger import Keeper
from app.postgres import Database
from app.role_registry import SignedServer, VaultKeys


class Engines(Protocol):
    """Engines by name. Raises faults of the adapters' own for a name that is unknown or cannot be loaded."""

    def worker(self, name: str) -> Worker: ...

    def router(self, name: str) -> Router: ...

    def backbone(self, name: str) -> Backbone: ...


class Remote(Protocol):
    """Makes a tool of what a tool server has and the founder has signed. Nothing is started before its first call."""

    def __call__(self, server: ToolServer, tool: ServerTool) -> Tool: ...

    def leave(self, run_id: UUID) -> None:
        """What was started for the run is not needed any more."""


class Defaults(msgspec.Struct, frozen=True):
    """The commodity that carries a role which binds none (Law 18)."""

    backbone: str = "plain"
    worker: str = "procedure"
    router: str = "rules"

    def worker_of(self, engine: EngineBinding) -> str:
        """A role with a written procedure follows it, unless it binds a worker."""
        return engine.worker or ("procedure" if engine.procedure else self.worker)

    def backbone_of(self, engine: EngineBinding) -> str:
        return engine.backbone or self.backbone


class PartBounds(msgspec.Struct, frozen=True):
    """How long the journal of one run may grow before a next part goes on: steps, or bytes of requests and answers."""

    steps: int = 200
    bytes: int = 8_000_000


class Runtime(msgspec.Struct, frozen=True):
    """All that a worker process holds. `undo_seconds` is the window in which a founder may take a decision back,
    `run_minutes` how long the work on a ticket may take at most, in all parts of it; `part` when a next part begins,
    `journal_days` how long closed runs keep what was asked and answered (0: for ever);
    `keeper` opens the files of tickets with personal data."""

    database: Database
    store: EvidenceStore
    tools: Mapping[str, Tool]
    model: ModelClient
    engines: Engines
    reader: ApprovalReader
    defaults: Defaults = Defaults()
    undo_seconds: int = 10
    vault: VaultKeys = VaultKeys({})
    remote: Remote | None = None
    run_minutes: int = 720
    keeper: Callable[[], Keeper] = partial(Keeper, {})
    part: PartBounds = PartBounds()
    journal_days: int = 400

    def with_servers(self, servers: Sequence[SignedServer]) -> "Runtime":
        """This with the tools of a tenant's servers."""
        if self.remote is None or not servers:
            return self
        made = [self.remote(signed.server, tool) for signed in servers for tool in signed.server.tools]
        return msgspec.structs.replace(self, tools={**self.tools, **{tool.spec.name: tool for tool in made}})

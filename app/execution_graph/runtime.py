"""What composition hands to the execution graph: adapters as canon protocols, and the process's resources."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from app.canon.agent import Backbone, Router, Worker
from app.canon.approval import ApprovalReader
from app.canon.contract import EngineBinding
from app.canon.evidence import EvidenceStore
from app.canon.model import ModelClient
from app.canon.tool import Tool
from app.postgres import Database
from app.role_registry import VaultKeys


class Engines(Protocol):
    """Engines by name. Raises faults of the adapters' own for a name that is unknown or cannot be loaded."""

    def worker(self, name: str) -> Worker: ...

    def router(self, name: str) -> Router: ...

    def backbone(self, name: str) -> Backbone: ...


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


class Runtime(msgspec.Struct, frozen=True):
    """All that a worker process holds. `undo_seconds` is the window in which a founder may take a decision back."""

    database: Database
    store: EvidenceStore
    tools: Mapping[str, Tool]
    model: ModelClient
    engines: Engines
    reader: ApprovalReader
    defaults: Defaults = Defaults()
    undo_seconds: int = 10
    vault: VaultKeys = VaultKeys({})

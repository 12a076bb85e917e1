"""Agent frameworks as commodity (Law 18). No framework is imported before a role binds it by name.

The tables below are closed: an engine is what stands here and passes the contract suites in `tests/adapters`.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from app.canon.agent import AdapterKind, Backbone, Router, Worker
from app.canon.errors import Invalid, Unavailable

__all__ = ["FrameworkMissing", "UnknownEngine", "engines", "load_backbone", "load_router", "load_worker"]

_HERE = "app.adapters.agents"

_ENGINES: Mapping[AdapterKind, Mapping[str, str]] = {
    "worker": {
        "external": "external:ExternalWorker",
        "openai_agents": "openai_agents:OpenAIAgentsWorker",
        "procedure": "procedure:ProcedureWorker",
        "smolagents": "smolagents:SmolagentsWorker",
    },
    "router": {
        "openai_agents": "openai_agents:OpenAIAgentsRouter",
        "rules": "rules:RulesRouter",
    },
    "backbone": {
        "langgraph": "langgraph:LangGraphBackbone",
        "plain": "plain:PlainBackbone",
    },
}


class UnknownEngine(Invalid):
    """No such engine; the message lists those that there are."""


class FrameworkMissing(Unavailable):
    """The framework behind an engine cannot be imported in this process."""

    def __init__(self, kind: AdapterKind, name: str, framework: str) -> None:
        super().__init__(
            f"the {kind} {name!r} needs the package {framework!r}, which cannot be imported here: install the locked "
            f"requirements, or bind the role to another {kind} ({', '.join(engines(kind))})"
        )
        self.kind = kind
        self.name = name
        self.framework = framework


def engines(kind: AdapterKind) -> tuple[str, ...]:
    """The names that a role may bind for `kind`, sorted."""
    return tuple(sorted(_ENGINES[kind]))


def load_worker(name: str) -> Worker:
    """The worker called `name`. Raises `UnknownEngine` or `FrameworkMissing`."""
    return cast(Worker, _load("worker", name)())


def load_router(name: str) -> Router:
    """The router called `name`. Raises `UnknownEngine` or `FrameworkMissing`."""
    return cast(Router, _load("router", name)())


def load_backbone(name: str, *, database_url: str) -> Backbone:
    """The backbone called `name`; whoever loads it closes it. It connects on its first drive, as the role of
    `database_url`, and runs no DDL. Raises `UnknownEngine` or `FrameworkMissing`."""
    return cast(Backbone, _load("backbone", name)(database_url))


def _load(kind: AdapterKind, name: str) -> Any:
    place = _ENGINES[kind].get(name)
    if place is None:
        raise UnknownEngine(f"there is no {kind} {name!r}: choose {', '.join(engines(kind))}")
    module, _, attribute = place.partition(":")
    try:
        return getattr(import_module(f"{_HERE}.{module}"), attribute)
    except ImportError as error:
        raise FrameworkMissing(kind, name, (error.name or module).partition(".")[0]) from error

"""The contracts of `pyproject.toml` catch what they are there for: breaches are planted in a copy of the tree."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
LINT = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
RUFF = str(Path(sys.executable).with_name("ruff"))
TYPE_ONLY = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import smolagents"

ORDER = "Rooms stand in one order; what is new must be placed in it"
NO_VENDOR = "Law 18: no agent framework or vendor kit is reachable from the product"
ADAPTER_ALONE = "Law 18: an adapter knows the canon and its vendor, nothing else"
KINDS_APART = "Law 18: kinds of adapters do not know each other"
VENDORS_APART = "Law 18: adapters of one vendor each do not know each other"
PURE = "Models and canon are pure"
SQL = "SQL drivers are used in stores only"
INSIDE = "Inside a room: edges over store over tables over model"
ALONE = "The verifier stands alone: an auditor copies it without the rest"
EDGES = "Edges and composition never touch a store"


class Breach(NamedTuple):
    """A line written on top of a file, the contract it breaks, and how the report names it."""

    what: str
    path: str
    line: str
    contract: str
    reported: str


BREACHES = [
    Breach("a vendor's kit in a room", "role_registry/hiring.py", "import openai", NO_VENDOR, "-> openai"),
    Breach("a framework in a room", "execution_graph/gates.py", "import langgraph", NO_VENDOR, "-> langgraph"),
    Breach("a framework for types only", "work_queue/tickets.py", TYPE_ONLY, NO_VENDOR, "-> smolagents"),
    Breach(
        "a framework named by composition",
        "main.py",
        "import app.adapters.agents.openai_agents",
        NO_VENDOR,
        "-> agents",
    ),
    Breach(
        "a handler that reads the store",
        "work_queue/http.py",
        "import app.work_queue.store",
        EDGES,
        "app.work_queue.http -> app.work_queue.store",
    ),
    Breach(
        "composition that reads a store",
        "worker.py",
        "import app.execution_graph.store",
        EDGES,
        "app.worker -> app.execution_graph.store",
    ),
    Breach(
        "a model that knows its store",
        "work_queue/model.py",
        "import app.work_queue.store",
        INSIDE,
        "app.work_queue.model -> app.work_queue.store",
    ),
    Breach("the queue looking up", "work_queue/tickets.py", "import app.role_registry", ORDER, "-> app.role_registry"),
    Breach(
        "the ledger looking up", "governance_ledger/appending.py", "import app.work_queue", ORDER, "-> app.work_queue"
    ),
    Breach("a package without a place", "newroom/__init__.py", "", ORDER, "newroom"),
    Breach(
        "a neighbour entered by the window",
        "role_registry/hiring.py",
        "import app.work_queue.tickets",
        "app.work_queue is entered by its front door",
        "app.role_registry.hiring -> app.work_queue.tickets",
    ),
    Breach("a verifier that needs the product", "verifier/keys.py", "import app.auth", ALONE, "-> app.auth"),
    Breach("a verifier that needs a library", "verifier/chain.py", "import msgspec", ALONE, "-> msgspec"),
    Breach(
        "an adapter that reaches the ledger",
        "adapters/tools/email.py",
        "import app.governance_ledger",
        ADAPTER_ALONE,
        "app.adapters.tools.email -> app.governance_ledger",
    ),
    Breach(
        "an agent adapter that opens a model of its own",
        "adapters/agents/procedure.py",
        "import app.adapters.models.openai_compatible",
        KINDS_APART,
        "app.adapters.agents.procedure -> app.adapters.models.openai_compatible",
    ),
    Breach(
        "a framework's adapter that knows another's",
        "adapters/agents/langgraph.py",
        "import app.adapters.agents.smolagents",
        VENDORS_APART,
        "app.adapters.agents.langgraph -> app.adapters.agents.smolagents",
    ),
    Breach(
        "a model that does I/O", "role_registry/model.py", "import asyncpg", PURE, "app.role_registry.model -> asyncpg"
    ),
    Breach(
        "a canon that reads settings", "canon/gate.py", "import app.settings", PURE, "app.canon.gate -> app.settings"
    ),
    Breach(
        "a handler that runs SQL", "role_registry/http.py", "import asyncpg", SQL, "app.role_registry.http -> asyncpg"
    ),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The linter's words on each broken contract, over a copy of the tree with all breaches planted."""
    tree = tmp_path_factory.mktemp("breached")
    shutil.copytree(ROOT / "app", tree / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    for breach in BREACHES:
        path = tree / "app" / breach.path
        assert path.exists() or not breach.line, f"{breach.path} has moved: plant the breach where it would happen now"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{breach.line}\n{path.read_text() if path.exists() else ''}")
    said = _lint(tree).stdout.split("Broken contracts", 1)[1]
    return _by_contract(said)


@pytest.mark.parametrize("breach", BREACHES, ids=lambda breach: breach.what)
def test_a_breach_is_caught(breach: Breach, report: dict[str, str]) -> None:
    assert breach.contract in report
    assert breach.reported in report[breach.contract]


def test_the_tree_keeps_every_contract() -> None:
    done = _lint(ROOT)
    assert done.returncode == 0, done.stdout


def test_an_import_by_name_is_allowed_where_adapters_are_named_only() -> None:
    code = "from importlib import import_module\n\nimport_module('langgraph')\n"
    assert "TID251" in _ruff(code, "app/execution_graph/runs.py")
    assert "TID251" in _ruff(code, "app/adapters/agents/langgraph.py")
    assert "TID251" not in _ruff(code, "app/adapters/agents/__init__.py")


def _lint(tree: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(tree), "COLUMNS": "1000"}
    return subprocess.run(LINT, check=False, capture_output=True, text=True, cwd=tree, env=environment)


def _by_contract(said: str) -> dict[str, str]:
    lines = said.splitlines()
    heads = [number for number, line in enumerate(lines[1:]) if line and set(line) == {"-"} and lines[number].strip()]
    return {
        lines[head]: "\n".join(lines[head + 2 : following])
        for head, following in zip(heads, [*heads[1:], len(lines)], strict=True)
    }


def _ruff(code: str, name: str) -> str:
    command = [
        RUFF,
        "check",
        "--no-cache",
        "--select",
        "TID251",
        "--output-format",
        "concise",
        "--stdin-filename",
        name,
        "-",
    ]
    return subprocess.run(command, check=False, input=code, capture_output=True, text=True, cwd=ROOT).stdout

"""A room is entered by its front door: small, sorted, documented."""

import ast
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "app"
ROOMS = ("governance_ledger", "work_queue", "role_registry", "execution_graph", "founder_console")


def _tree(room: str) -> ast.Module:
    return ast.parse((APP / room / "__init__.py").read_text(encoding="utf-8"))


def _exported(room: str) -> list[str]:
    for node in _tree(room).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    return []


@pytest.mark.parametrize("room", ROOMS)
def test_a_front_door_says_its_purpose_tables_and_invariants(room: str) -> None:
    said = (ast.get_docstring(_tree(room)) or "").lower()
    assert "table" in said
    assert "invariant" in said


@pytest.mark.parametrize("room", ROOMS)
def test_a_front_door_is_sorted(room: str) -> None:
    names = _exported(room)
    assert names == sorted(names, key=lambda name: (not name.isupper(), name)), "constants, types, functions"


@pytest.mark.parametrize("path", sorted(APP.rglob("*.py")), ids=lambda path: str(path.relative_to(APP)))
def test_a_module_stays_readable(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


BANNED = {"service", "repository", "dto", "utils", "helpers", "common", "base", "manager"}


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [str(path) for path in APP.rglob("*.py") if path.stem in BANNED] == []

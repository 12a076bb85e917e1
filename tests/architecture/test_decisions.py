"""ADR 0001: decisions are recorded whole, and the default engines are named in an accepted one."""

import re
from pathlib import Path

import pytest

from app.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
SECTIONS = ("Context", "Decision", "Consequences", "Alternatives", "Proof")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_decision_has_all_its_sections(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.search(r"^Status: (accepted|superseded)", text, re.MULTILINE), "status line"
    missing = [name for name in SECTIONS if f"**{name}.**" not in text]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_proof_of_a_decision_exists(page: Path) -> None:
    proof = page.read_text(encoding="utf-8").split("**Proof.**", 1)[1]
    named = re.findall(r"`((?:tests|bench|e2e|docs|app)/[\w./-]+|pyproject\.toml)`", proof)
    assert named, "the proof names a file"
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_default_engines_are_bound_by_an_accepted_decision() -> None:
    page = next(page for page in PAGES if "default-frameworks" in page.stem).read_text(encoding="utf-8")
    defaults = Settings(home=Path())
    assert re.search(r"^Status: accepted", page, re.MULTILINE)
    assert all(f"`{name}`" in page for name in (defaults.backbone, defaults.router, defaults.worker))

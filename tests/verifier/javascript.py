"""Asks the verifier in JavaScript, where there is Node.js."""

import shutil
import subprocess
from pathlib import Path

from tests.governance_ledger.ledgers import KEY
from tests.verifier.files import lines_in, written

FOLDER = Path(__file__).parents[2] / "docs" / "verifier-in-javascript"
NODE = shutil.which("node")


def found(path: Path, key: str = KEY.raw_public.hex()) -> str:
    """What it finds wrong; nothing when the export holds."""
    run = subprocess.run([str(NODE), FOLDER / "verify.mjs", path, key], capture_output=True, text=True, check=False)
    assert run.stderr == ""
    assert run.returncode == (1 if run.stdout.startswith("BROKEN") else 0)
    return run.stdout.strip() if run.returncode else ""


def agrees(export: Path, *, holds: bool) -> bool:
    """Whether it says the same of the export; yes where there is no Node.js."""
    return NODE is None or (found(written(export.with_suffix(".plain"), lines_in(export))) == "") is holds

"""The script for Lighthouse says what it needs; its figures are reported, not tested."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.lighthouse import NoNode, version_for

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("node", "version"),
    [("v24.19.0\n", "13.5.0"), ("v22.19.0", "13.5.0"), ("v22.4.1", "12.8.2"), ("v20.20.2", "12.8.2")],
)
def test_the_newest_lighthouse_that_runs_is_taken(node: str, version: str) -> None:
    assert version_for(node) == version


@pytest.mark.parametrize("node", ["", "v18.19.1", "v16.20.0"])
def test_a_node_that_is_too_old_or_missing_is_named_with_what_to_install(node: str) -> None:
    with pytest.raises(NoNode, match=r"needs Node 22\.19 or newer"):
        version_for(node)


def test_without_node_the_script_ends_with_a_sentence(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "e2e.lighthouse"],
        cwd=ROOT,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.endswith("there is no Node: install it\n")

"""The conformance certificate: which promise each adapter keeps, by running the contract suites.

`python -m tests.adapters.certificate` prints it and writes `docs/conformance.md`; `--check` writes nothing. A promise
is mechanical where the runtime enforces it whatever the adapter does, so that breaking it can harm nobody; cooperative
where it holds because this adapter behaves, which is what the suite tests it for.
"""

import argparse
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from app.adapters.agents import engines

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "conformance.md"
SUITES = {
    "worker": "tests/adapters/test_worker_contract.py",
    "router": "tests/adapters/test_router_contract.py",
    "backbone": "tests/adapters/test_backbone_contract.py",
    "evidence": "tests/adapters/test_evidence_contract.py",
}
ADAPTERS: dict[str, tuple[str, ...]] = {
    "worker": engines("worker"),
    "router": engines("router"),
    "backbone": engines("backbone"),
    "evidence": ("folder", "s3"),
}
# Enforced outside of the adapter: journal, gate, lease and database stand between it and any harm.
MECHANICAL = {
    "suspended_before_each_step_it_ends_the_same_and_does_nothing_twice",
    "a_replay_that_differs_is_not_swallowed_by_the_framework",
    "a_cancelled_run_makes_no_further_call",
    "it_stops_at_the_number_of_steps_that_the_role_allows",
    "a_context_is_all_that_a_worker_sees",
    "a_tool_that_the_role_does_not_have_is_an_error_for_the_model",
    "whatever_a_model_names_that_is_no_candidate_is_nobody",
    "without_candidates_no_model_is_asked",
    "a_forged_or_foreign_checkpoint_grants_nothing",
    "a_checkpoint_that_cannot_be_read_costs_a_replay_and_no_more",
    "a_run_that_was_closed_can_be_driven_again_and_asks_the_beats_anew",
    "a_process_that_dies_while_the_worker_acts_loses_nothing",
    "another_process_takes_a_held_run_over",
    "the_application_may_not_change_langgraphs_tables",
    "nothing_is_stored_under_another_key",
}
_CASE = re.compile(r"::test_(?P<promise>\w+)(?:\[(?P<case>.*)\])?$")


class Outcomes:
    """What pytest reports, by kind, promise and adapter; a promise of many cases is kept when all of them pass."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], dict[str, bool]] = defaultdict(dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        passed = report.passed
        if report.when != "call" and passed:
            return
        found = _CASE.search(report.nodeid)
        kind = next((kind for kind, path in SUITES.items() if report.nodeid.startswith(path)), None)
        if found is None or kind is None:
            return
        case = found["case"] or ""
        named = [name for name in ADAPTERS[kind] if re.search(rf"(?:^|-){name}(?:-|$)", case)]
        for name in named or ["(all)"]:
            before = self.kept[kind, found["promise"]].get(name, True)
            self.kept[kind, found["promise"]][name] = before and passed


def run() -> Outcomes:
    outcomes = Outcomes()
    options = ["-q", "-p", "no:cacheprovider", "--no-header", "--no-summary", "-rN", *SUITES.values()]
    pytest.main(options, plugins=[outcomes])
    return outcomes


def page(outcomes: Outcomes) -> str:
    """The certificate as Markdown."""
    lines = [
        "# Conformance certificate",
        "",
        "Written by `make conformance`, which runs the contract suites in `tests/adapters`; do not edit. A",
        "**mechanical** promise is enforced by the runtime whatever the adapter does. A **cooperative** one holds",
        "because the adapter behaves, and is what its suite tests.",
    ]
    for kind, names in ADAPTERS.items():
        rows = {promise: kept for (of, promise), kept in outcomes.kept.items() if of == kind}
        lines += ["", f"## {kind.capitalize()}", "", f"| promise | kind | {' | '.join(names)} |"]
        lines.append("|---|---|" + "---|" * len(names))
        for promise in sorted(rows, key=lambda one: (one not in MECHANICAL, one)):
            marks = [_mark(rows[promise], name) for name in names]
            said = promise.replace("_", " ")
            lines.append(
                f"| {said} | {'mechanical' if promise in MECHANICAL else 'cooperative'} | {' | '.join(marks)} |"
            )
    return "\n".join(lines) + "\n"


def _mark(kept: dict[str, bool], name: str) -> str:
    if name in kept:
        return "kept" if kept[name] else "BROKEN"
    if "(all)" in kept:
        return "kept" if kept["(all)"] else "BROKEN"
    return "–"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Run the contract suites and print the conformance certificate.")
    parser.add_argument("--check", action="store_true", help=f"do not write {PAGE.relative_to(ROOT)}")
    chosen = parser.parse_args(arguments)
    outcomes = run()
    text = page(outcomes)
    sys.stdout.write(text)
    if not chosen.check:
        PAGE.write_text(text, encoding="utf-8")
    broken = [name for name, kept in outcomes.kept.items() if not all(kept.values())]
    return 1 if broken or not outcomes.kept else 0


def promises() -> dict[str, Any]:
    """The promises that the page in the repository names, by kind."""
    found: dict[str, list[str]] = defaultdict(list)
    kind = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            kind = line[3:].lower()
        elif line.startswith("| ") and not line.startswith("| promise"):
            found[kind].append(line.split("|")[1].strip())
    return dict(found)


if __name__ == "__main__":
    sys.exit(main())

"""Attacks and honest work: how many attacks the gate stops at their first harm, how many honest tickets never ask.

`python -m bench.attacks [--json] [--half development|held_out]`. The held-out half was written from docs/boundary.md
before the gate's code was read.
"""

import argparse
from collections.abc import Sequence

import msgspec

from tests.canon.suite import Half, Result, play

BAR_STOPPED, BAR_NEVER_ASKED = 0.99, 0.75


class Share(msgspec.Struct, frozen=True):
    """How many of `of` scenarios ended as they should."""

    half: str
    kind: str
    area: str
    good: int
    of: int

    @property
    def share(self) -> float:
        return self.good / self.of if self.of else 1.0


class Report(msgspec.Struct, frozen=True):
    """`shares` for each half and area, and over all (`all`); `misses` one by one; `passed` says both bars are met."""

    shares: tuple[Share, ...]
    misses: tuple[Result, ...]
    passed: bool


def report_of(results: Sequence[Result]) -> Report:
    halves = [*dict.fromkeys(result.half for result in results), "all"]
    areas = ["all", *sorted({result.area for result in results})]
    shares = [_share(results, half, kind, area) for half in halves for kind in ("attack", "honest") for area in areas]
    overall = {share.kind: share.share for share in shares if (share.half, share.area) == ("all", "all")}
    passed = overall["attack"] >= BAR_STOPPED and overall["honest"] >= BAR_NEVER_ASKED
    return Report(tuple(shares), tuple(result for result in results if result.miss), passed)


def _share(results: Sequence[Result], half: str, kind: str, area: str) -> Share:
    chosen = [
        result
        for result in results
        if half in (result.half, "all") and result.kind == kind and area in (result.area, "all")
    ]
    return Share(half, kind, area, sum(not result.miss for result in chosen), len(chosen))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.attacks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="answer with one JSON value")
    parser.add_argument("--quick", action="store_true", help="the same: it takes seconds anyway")
    parser.add_argument("--half", choices=("development", "held_out"), help="only this half")
    given = parser.parse_args(argv)
    halves: tuple[Half, ...] = (given.half,) if given.half else ("development", "held_out")
    report = report_of([result for half in halves for result in play(half)])
    if given.json:
        print(msgspec.json.encode(report).decode())
    else:
        _print(report)
    return 0 if report.passed else 1


_TITLES = {"attack": "attacks stopped at the first harm", "honest": "honest tickets that never ask"}


def _print(report: Report) -> None:
    for share in report.shares:
        indent = "" if share.area == "all" else "  "
        title = _TITLES[share.kind] if share.area == "all" else share.area
        print(f"{share.half:12} {indent}{title:36} {share.good:4} of {share.of:4}  {share.share:7.1%}")
    for result in report.misses:
        print(f"{result.kind} missed ({result.half}, {result.area}): {result.name}: {result.miss}")
    print("both bars are met" if report.passed else "below the bars of 99 % and 75 %")


if __name__ == "__main__":
    raise SystemExit(main())

"""How every bench answers: a table, or with `--json` one object of figures."""

import argparse
import sys
from statistics import median
from typing import Literal

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """One measured figure. `against` says what it was measured beside; `bar` in the same `unit`, met when `better`."""

    value: float
    unit: str
    against: str
    bar: float
    better: Literal["more", "less"] = "more"

    @property
    def ok(self) -> bool:
        return self.value >= self.bar if self.better == "more" else self.value <= self.bar


def arguments(about: str) -> argparse.Namespace:
    """`--json` and `--quick` of every bench."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--json", action="store_true", help="one object of figures")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, under a minute")
    return parser.parse_args()


def show(figures: dict[str, Figure], *, as_json: bool) -> None:
    """Print the figures; a missed bar is said, never hidden."""
    if as_json:
        rows = {name: msgspec.to_builtins(figure) | {"ok": figure.ok} for name, figure in figures.items()}
        sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
        return
    width = max(map(len, figures), default=4)
    for name, figure in figures.items():
        sign = ">=" if figure.better == "more" else "<="
        mark = "ok    " if figure.ok else "MISSED"
        measured = f"{name:<{width}}  {figure.value:>10.2f} {figure.unit:<6}"
        sys.stdout.write(f"{measured} {mark} bar {sign} {figure.bar:g}; {figure.against}\n")


def middle(values: list[float]) -> float:
    """The median of the rounds."""
    return float(median(values))

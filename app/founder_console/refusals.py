"""Why not, in the words of whoever looks: the sentence of a fault's code, with its facts as people write them."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from app import clock
from app.canon.errors import Coded
from app.canon.vocabulary import Money
from app.founder_console.formats import Formats
from app.founder_console.wording import Words


def refusal(error: Exception, words: Words, formats: Formats | None = None) -> str:
    """The sentence `refusal.<code>` of the catalogue; the error's own words where it has no code. Without `formats`,
    for who has not signed in, instants are UTC."""
    if not isinstance(error, Coded) or not error.code:
        return str(error)
    written = _written(error.data, formats or Formats(words.language, ZoneInfo("UTC"), clock.now()))
    return words(f"refusal.{error.code}", **written)


def _written(facts: Mapping[str, object], formats: Formats) -> dict[str, object]:
    return {name: _fact(name, value, formats) for name, value in facts.items()}


def _fact(name: str, value: object, formats: Formats) -> object:
    match value:
        case Money():
            return formats.money(value)
        case datetime():
            return f"{formats.date(value)} {formats.clock(value)}"
        case int() if name.endswith("_bytes"):
            return formats.size(value)
        case int() if name.endswith("_seconds"):
            return formats.seconds(value)
        case int():
            return formats.number(value)
        case _:
            return value

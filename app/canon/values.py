"""Values inside the arguments of a call: where they stand, what they weigh, how they are shown."""

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from decimal import Decimal

from app.canon.canonical_json import MAX_DEPTH, MAX_INTEGER_BITS

MAX_LEAVES = 20_000
MAX_CHARACTERS = 4_000_000
_NUMBER = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?")
_SHOWN_CHARACTERS = 120


def at(arguments: object, path: str) -> list[object]:
    """What stands at `path` (`lines.amount`), through objects and through every item of a list; absent and null: []."""
    found = [arguments]
    for part in path.split("."):
        found = [item for value in found for item in _step(value, part)]
    return [value for value in found if value is not None]


def _step(value: object, part: str) -> Iterator[object]:
    if isinstance(value, Mapping):
        if part in value:
            yield value[part]
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _step(item, part)


def leaves(value: object) -> list[object]:
    """Every scalar inside `value`, in order; keys of objects are not leaves, null is none."""
    if isinstance(value, Mapping):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in leaves(item)]
    return [] if value is None else [value]


def leaves_at(arguments: object, path: str) -> list[object]:
    return [leaf for value in at(arguments, path) for leaf in leaves(value)]


def texts_at(arguments: object, path: str) -> list[str]:
    """Every text at `path`, keys of objects included, numbers as written."""
    return [text for value in at(arguments, path) for text in _texts(value)]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
    elif value is not None and not isinstance(value, bool):
        yield written(value)


def unwieldy(arguments: object) -> str | None:
    """Why these arguments are beyond what the gate reads: too deep, too many, too long. None: they are fine."""
    stack: list[tuple[object, int]] = [(arguments, 0)]
    count = characters = 0
    while stack:
        value, depth = stack.pop()
        count += 1
        if depth > MAX_DEPTH:
            return f"nested deeper than {MAX_DEPTH} levels"
        if isinstance(value, Mapping):
            characters += sum(len(str(key)) for key in value)
            stack.extend((item, depth + 1) for item in value.values())
        elif isinstance(value, list | tuple):
            stack.extend((item, depth + 1) for item in value)
        elif isinstance(value, str):
            characters += len(value)
        if count > MAX_LEAVES or characters > MAX_CHARACTERS:
            return f"larger than {MAX_LEAVES} values or {MAX_CHARACTERS} characters"
    return None


def number(value: object) -> Decimal | None:
    """The exact number that `value` is or spells in plain digits; None for anything else (`1e9`, `NaN`, `true`)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value) if value.bit_length() <= MAX_INTEGER_BITS else None
    if isinstance(value, float):
        return Decimal(repr(value)) if math.isfinite(value) else None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    return None


def plain(text: str) -> str:
    """Text as it is compared: NFKC, case folded, each run of white space one space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def written(value: object) -> str:
    """A scalar as a person would write it: `true`, `12`, `0.5`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    exact = number(value)
    if exact is not None and not isinstance(value, str):
        return format(exact, "f")
    if isinstance(value, int):
        return "a number too large to write"
    return str(value)


def shown(value: object) -> str:
    """A value for a sentence: one line, at most 120 characters, nothing invisible."""
    text = "".join(_visible(character) for character in written(value)[: _SHOWN_CHARACTERS * 2])
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def upright(text: str, *, terminal: bool = False) -> str:
    """The text with signs that turn the reading around written out (`\\u202e`); for a `terminal` those too that steer
    it. Line ends and tabs stay."""
    return (_STEERING if terminal else _TURNING).sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)


_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_STEERING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def _visible(character: str) -> str:
    if character in "\n\r\t":
        return " "
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"}:
        return f"\\u{ord(character):04x}"
    return character

"""The types of events, their versions, and who may write them.

A type is `family.past_tense`. The runtime writes its own; the web API may append only `x.*` (the customer's own) and,
by scope, `revenue.recorded`.
"""

import re
from typing import Literal, TypeAlias

import msgspec

from app.governance_ledger.errors import EventRefused

Writer: TypeAlias = Literal["runtime", "api"]

_SHAPE = re.compile(r"[a-z][a-z0-9_]{0,39}(\.[a-z0-9][a-z0-9_]{0,39}){1,5}")
_SHAPE_OF_CUSTOM = "x."


class EventType(msgspec.Struct, frozen=True):
    """A registered type. `version` grows when the meaning of `data` changes."""

    name: str
    meaning: str
    version: int = 1
    writer: Writer = "runtime"


def check_type(name: str) -> str:
    """`name`, when it has the shape of a type. Raises `EventRefused`."""
    if not _SHAPE.fullmatch(name):
        raise EventRefused(f"type {name!r}: write it as family.past_tense in lower case, like tool.done")
    return name


def is_custom(name: str) -> bool:
    """Whether the type is the customer's own."""
    return name.startswith(_SHAPE_OF_CUSTOM)

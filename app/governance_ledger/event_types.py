"""The types of events, and who may write which over the web API.

A type is `family.past_tense`. The runtime writes its own; callers of the API may append only `x.*` (the customer's own)
and `revenue.recorded`.
"""

import re

from app.canon.vocabulary import Rol
from app.governance_ledger.errors import EventRefused

CUSTOM = "x."
_SHAPE = re.compile(r"[a-z][a-z0-9_]{0,39}(\.[a-z0-9][a-z0-9_]{0,39}){1,5}")


def check_type(name: str) -> str:
    """`name`, when it has the shape of a type. Raises `EventRefused`."""
    if not _SHAPE.fullmatch(name):
        raise EventRefused(f"type {name!r}: write it as family.past_tense in lower case, like tool.done")
    return name


def writers_of(name: str) -> tuple[Rol, ...]:
    """The roles whose tokens may append this type over the API; none for the runtime's own."""
    if name.startswith(CUSTOM):
        return (Rol.FOUNDER, Rol.DEPUTY, Rol.OPERATOR, Rol.SERVICE)
    if name == "revenue.recorded":
        return (Rol.FOUNDER, Rol.DEPUTY, Rol.SERVICE)
    return ()

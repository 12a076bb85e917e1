"""Where a value came from. Only what the founder wrote is trusted; everything read is not."""

from typing import Literal, TypeAlias

import msgspec

Origin: TypeAlias = Literal["ticket", "role", "party", "read", "model"]


class Reading(msgspec.Struct, frozen=True):
    """Text that came into the run by step `step` of `tool`; untrusted, and perhaps secret."""

    step: int
    tool: str
    text: str
    secret: bool = False


class Trusted(msgspec.Struct, frozen=True):
    """What the founder or a deputy wrote: the ticket's words and fields, the role's text, signed parties' addresses."""

    ticket: str
    fields: dict[str, str] = {}
    role: str = ""
    parties: tuple[str, ...] = ()


class Provenance(msgspec.Struct, frozen=True):
    """All that the gate knows of where values can have come from."""

    trusted: Trusted
    readings: tuple[Reading, ...] = ()

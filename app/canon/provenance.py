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
    """What the founder or a deputy wrote: the ticket's words and fields, the role's text, signed parties' addresses.

    `files` are the texts of attached files that the founder marked as trusted. The text of a ticket that a worker
    opened is no founder's: it does not belong here.
    """

    ticket: str
    fields: dict[str, str] = {}
    role: str = ""
    parties: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def given(self) -> tuple[str, ...]:
        """What was written for this ticket: its text, its fields, its trusted files."""
        return (self.ticket, *self.fields.values(), *self.files)


class Provenance(msgspec.Struct, frozen=True):
    """All that the gate knows of where values can have come from.

    `documents` maps names of files that may be attached to a message (documents written in the run) to their text.
    """

    trusted: Trusted
    readings: tuple[Reading, ...] = ()
    documents: dict[str, str] = {}

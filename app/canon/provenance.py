"""Where a value came from. Only what the founder wrote is trusted; everything read is not."""

from typing import Literal, TypeAlias

import msgspec

Origin: TypeAlias = Literal["ticket", "role", "party", "read", "model"]


class Reading(msgspec.Struct, frozen=True):
    """Text that came into the run by step `step` of `tool`, or by `tool` into work before it (None); untrusted, and
    perhaps secret."""

    step: int | None
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
    def said(self) -> tuple[str, ...]:
        """The ticket's own words: its text and its fields."""
        return (self.ticket, *self.fields.values())

    @property
    def given(self) -> tuple[str, ...]:
        """What was written for this ticket: its text, its fields, its trusted files."""
        return (*self.said, *self.files)


class Provenance(msgspec.Struct, frozen=True):
    """All that the gate knows of where values can have come from.

    `documents` maps names of files that the call would attach to their text. `asked_for` names those that the founder
    attached to the ticket and asked for by name: the places in them may leave. `secret_files` names those marked
    secret.
    """

    trusted: Trusted
    readings: tuple[Reading, ...] = ()
    documents: dict[str, str] = {}
    asked_for: tuple[str, ...] = ()
    secret_files: tuple[str, ...] = ()

"""Telling a founder on a second channel when the phone was not heard."""

from typing import Protocol

import msgspec


class NoticeFailed(Exception):
    """The notice was not handed over; the message says why and what to set."""


class Notice(msgspec.Struct, frozen=True):
    """One plain-text letter. `key` is the same in every attempt, so that a receiver can tell a repetition."""

    key: str
    to: str
    subject: str
    text: str


class NoticeSender(Protocol):
    """Hands letters over. Never follows, opens or decides anything."""

    async def send(self, notice: Notice) -> None:
        """Raises `NoticeFailed`."""
        ...

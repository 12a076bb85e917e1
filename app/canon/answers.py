"""Answers that may be given once only."""

from typing import Protocol, Self, runtime_checkable


@runtime_checkable
class GivenOnce(Protocol):
    """An answer with something in it that is never shown again."""

    def for_repetition(self) -> Self:
        """The answer without it: what may be stored, and is given to who asks the same again."""

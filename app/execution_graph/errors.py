"""What befalls callers of the execution graph."""

from app.canon.errors import Conflict, Fault, NotFound


class RunUnknown(NotFound):
    """This tenant has no run of that id."""


class IllegalMove(Conflict):
    """A run in this state cannot go there."""


class NotStartable(Conflict):
    """The ticket is closed, or is being worked on already."""


class StillUndecided(Conflict):
    """The run waits for an approval; decide it, then the run goes on by itself."""


class Fenced(Fault):
    """Another worker has taken the run over: nothing that this one writes may count."""


class Diverged(Fault):
    """On replay the worker asked for something else than it had asked for before."""

    def __init__(self, step: int, difference: str) -> None:
        super().__init__(f"step {step} differs from what the journal holds:\n{difference}")
        self.step = step
        self.difference = difference

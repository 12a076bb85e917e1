"""What befalls callers of the execution graph."""

from app.canon.errors import Conflict, Fault, NotFound


class RunUnknown(NotFound):
    """This tenant has no run of that id."""

    code = "run.unknown"


class IllegalMove(Conflict):
    """A run in this state cannot go there."""


class NotStartable(Conflict):
    """The ticket is closed, or is being worked on already."""


class StillUndecided(Conflict):
    """The run waits for an approval; decide it, then the run goes on by itself."""


class EditRefused(Conflict):
    """The changed call cannot be asked; the question stays as it was. `data` says by which law and why."""

    def __init__(
        self, reason: str, law: str = "", facts: list[dict[str, object]] | None = None, *, code: str = ""
    ) -> None:
        super().__init__(reason, code=code, law=law, facts=facts or [])


class Fenced(Fault):
    """Another worker has taken the run over: nothing that this one writes may count."""


class Diverged(Fault):
    """On replay the worker asked for something else than it had asked for before."""

    def __init__(self, step: int, difference: str) -> None:
        super().__init__(f"step {step} differs from what the journal holds:\n{difference}")
        self.step = step
        self.difference = difference


class NotOutside(Conflict):
    """The run is carried out by an engine of the runtime's own."""


class SessionLost(Conflict):
    """The session of an agent outside has ended, or another agent holds the run."""


class StillUnanswered(Conflict):
    """The proposal before has no answer yet."""

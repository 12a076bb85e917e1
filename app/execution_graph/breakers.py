"""What stops a run that gets nowhere."""

from app.canon.agent import Halt
from app.execution_graph.drive import Drive
from app.execution_graph.journal import Asked

SAME_CALL = 5
MODEL_CALLS_PER_STEP = 3


def check_breakers(drive: Drive, asked: Asked) -> None:
    """Raises `Halt` `max_steps` when the role's steps are used up, `no_progress` for the same call time and again."""
    if drive.brief is None or drive.journal.holds(asked.step):
        return
    most = drive.brief.task.max_steps
    count = drive.journal.count(asked.kind)
    if count >= (most if asked.kind == "tool" else most * MODEL_CALLS_PER_STEP):
        raise Halt("max_steps")
    if asked.kind == "tool" and drive.journal.repeats(asked) >= SAME_CALL - 1:
        raise Halt("no_progress")

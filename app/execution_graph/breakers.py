"""What stops a run that gets nowhere."""

from app.canon.agent import Halt
from app.execution_graph.drive import Drive
from app.execution_graph.journal import Asked
from app.execution_graph.model import Step

SAME_CALL = 5
STALE_ANSWERS = 8
MODEL_CALLS_PER_STEP = 3


def check_breakers(drive: Drive, asked: Asked) -> None:
    """Raises `Halt`: `max_steps` when the role's steps are used up, `no_progress` for the same call time and again,
    `no_news` when the last answers all had been heard before, `wall_clock` when the run has worked too long."""
    if drive.brief is None or drive.journal.holds(asked.step):
        return
    if too_long(drive):
        raise Halt("wall_clock")
    most = drive.brief.task.max_steps
    count = drive.journal.count(asked.kind)
    if count >= (most if asked.kind == "tool" else most * MODEL_CALLS_PER_STEP):
        raise Halt("max_steps")
    if asked.kind == "tool" and drive.journal.repeats(asked) >= SAME_CALL - 1:
        raise Halt("no_progress")
    if asked.kind == "tool" and stale(drive.journal.steps) >= STALE_ANSWERS:
        raise Halt("no_news")


def too_long(drive: Drive) -> bool:
    """The run was driven, by whomever, longer than a run may. Waiting for a founder does not count."""
    return drive.worked_ms > drive.runtime.run_minutes * 60_000


def stale(steps: tuple[Step, ...]) -> int:
    """How many tool steps in a row, up to now, brought nothing: no call was carried out that changes something, and the
    answer was heard before in this run."""
    heard: set[str] = set()
    count = 0
    for step in steps:
        if step.kind != "tool" or step.answer is None:
            continue
        acted = step.effect != "read" and step.state == "done"
        count = 0 if acted or step.answer not in heard else count + 1
        heard.add(step.answer)
    return count

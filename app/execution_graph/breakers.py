"""What stops a run that gets nowhere."""

from collections import deque

from app.canon.agent import Halt, PartFull
from app.execution_graph.drive import Drive
from app.execution_graph.journal import Asked
from app.execution_graph.model import Brief, Step

SAME_CALL = 5
STALE_ANSWERS = 8
MODEL_CALLS_PER_STEP = 3


def check_breakers(drive: Drive, asked: Asked) -> None:
    """Raises `Halt`: `max_steps` when the role's steps are used up, `no_progress` for the same call time and again,
    `no_news` when the last answers all had been heard before, `wall_clock` when the run has worked too long; `PartFull`
    when its journal is long enough. All of them count over all parts of the work, but for the last."""
    if drive.brief is None or drive.journal.holds(asked.step):
        return
    if too_long(drive):
        raise Halt("wall_clock")
    most = steps_allowed(drive.brief)
    count = drive.journal.count(asked.kind)
    if count >= (most if asked.kind == "tool" else most * MODEL_CALLS_PER_STEP):
        raise Halt("max_steps")
    if asked.kind == "tool" and drive.journal.repeats(asked) >= SAME_CALL - 1:
        raise Halt("no_progress")
    if asked.kind == "tool" and stale(drive.journal.whole, drive.journal.starts) >= STALE_ANSWERS:
        raise Halt("no_news")
    if drive.journal.count("tool") < most and part_is_full(drive):
        raise PartFull


def steps_allowed(brief: Brief) -> int:
    """How many tool calls the role may make in all parts of the work."""
    task = brief.task
    return task.max_steps + (0 if task.handover is None else task.handover.calls)


def part_is_full(drive: Drive) -> bool:
    """This part's journal has reached a bound, and its last step is a tool call with its answer: nothing that a model
    has just asked for is lost. A part makes one call at least, so work in parts comes to its end."""
    steps, bounds = drive.journal.steps, drive.runtime.part
    if not steps or steps[-1].kind != "tool" or not steps[-1].settled:
        return False
    return len(steps) >= bounds.steps or drive.journal.size_bytes >= bounds.bytes


def too_long(drive: Drive) -> bool:
    """The run was driven, by whomever, longer than a run may. Waiting for a founder does not count."""
    return drive.worked_ms > drive.runtime.run_minutes * 60_000


def stale(steps: tuple[Step, ...], starts: tuple[int, ...] = ()) -> int:
    """How many tool steps in a row, up to now, brought nothing: no call was carried out that changes something, and the
    answer was heard before. What only parts before have heard (`starts` says where parts begin) is neither news nor
    stale: who goes on from a hand-over may have to look again."""
    heard: set[str] = set()
    here: set[str] = set()
    ahead = deque(starts)
    count = 0
    for step in steps:
        while ahead and step.step >= ahead[0]:
            ahead.popleft()
            here = set()
        if step.kind != "tool" or step.answer is None:
            continue
        if (step.effect != "read" and step.state == "done") or step.answer not in heard:
            count = 0
        elif step.answer in here:
            count += 1
        heard.add(step.answer)
        here.add(step.answer)
    return count

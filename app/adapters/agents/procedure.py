"""A worker without a framework and without a model: it follows the procedure that the founder signed."""

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from jinja2 import StrictUndefined, TemplateError, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.adapters.agents.arguments import Malformed, canonical
from app.canon.agent import Cause, Finished, PartFull, StepContext, Task
from app.canon.contract import ProcedureStep
from app.canon.tool import Arguments, ToolAnswer

ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)

_LONE_EXPRESSION = re.compile(r"\s*\{\{((?:(?!\}\}).)*)\}\}\s*", re.DOTALL)
_SHOWN = 300
_CAUSES: Mapping[str, Cause] = {
    "failed": "procedure_failed",
    "refused": "procedure_refused",
    "rejected": "procedure_rejected",
    "expired": "procedure_expired",
    "withdrawn": "procedure_withdrawn",
}

Scope = dict[str, object]


class _CannotFollow(Exception):
    """A step of the procedure makes no sense with the values at hand."""


class _Ended(Exception):
    """A call was not done, and the step does not go on without it."""

    def __init__(self, answer: ToolAnswer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class ProcedureWorker:
    """Runs `Task.procedure` from top to bottom; each call is one step of the run."""

    name = "procedure"

    async def work(self, ctx: StepContext) -> Finished:
        walk = _Walk(ctx)
        try:
            return await walk.finish()
        except PartFull as full:
            full.bookmark = msgspec.to_builtins(walk.place)
            raise


class _Place(msgspec.Struct):
    """Where a walk stands: steps of the procedure that are done, rounds of a loop that are, and what was kept."""

    done: int = 0
    rounds: list[object] = []
    saved: dict[str, object] = {}
    last: str = ""


class _Walk:
    def __init__(self, ctx: StepContext) -> None:
        self.ctx = ctx
        handover = ctx.task.handover
        self.place = _Place() if handover is None else msgspec.convert(handover.bookmark, _Place)
        self.scope = _scope(ctx.task) | self.place.saved
        self.before = 0 if handover is None else handover.calls
        self.calls = 0

    async def finish(self) -> Finished:
        steps = self.ctx.task.procedure
        if not steps:
            return Finished("The role has no procedure to follow.", ok=False, cause="no_procedure")
        for number, step in enumerate(steps[self.place.done :], start=self.place.done + 1):
            place = f"Step {number} of {len(steps)} ({step.tool})"
            try:
                await self._take(step)
            except _CannotFollow as error:
                return Finished(f"{place} cannot be followed: {error}", ok=False, cause="procedure_values")
            except _Ended as end:
                said = f"{place} was {end.answer.status}: {_short(end.answer.content)}"
                return Finished(said, ok=False, cause=_CAUSES[end.answer.status])
        return Finished(_summary(steps, self.before + self.calls, self.place.last), cause="followed")

    async def _take(self, step: ProcedureStep) -> None:
        if step.for_each is None:
            saved = await self._once(step, self.scope)
        else:
            saved = await self._each(step, _items(step.for_each, self.scope))
        if step.save_as:
            self.scope[step.save_as] = self.place.saved[step.save_as] = saved
        self.place.done += 1

    async def _each(self, step: ProcedureStep, items: list[tuple[int, object]]) -> list[object]:
        rounds = self.place.rounds
        for at, item in items[len(rounds) :]:
            rounds.append(await self._once(step, self.scope | {"item": item, "index": at}))
        self.place.rounds = []
        return rounds

    async def _once(self, step: ProcedureStep, scope: Scope) -> object:
        if step.when is not None and not _holds(_inner(step.when), scope):
            return None
        arguments = _arguments(step, scope)
        if self.calls >= self.ctx.task.max_steps:
            raise _CannotFollow(f"the run may take no more than {self.before + self.calls} steps")
        self.calls += 1
        answer = await self.ctx.call_tool(step.tool, arguments)
        if answer.status == "done":
            self.place.last = answer.content
            return answer.content if answer.data is None else answer.data
        if step.otherwise == "stop":
            raise _Ended(answer)
        return None


def evaluate(expression: str, scope: Mapping[str, object]) -> object:
    """The native value of one sandboxed Jinja expression. Raises `_CannotFollow` with the reason."""
    value = _value(expression, scope)
    if isinstance(value, Undefined):
        raise _CannotFollow(f"{expression.strip()!r} names nothing that is known here")
    return value


def _value(expression: str, scope: Mapping[str, object]) -> object:
    try:
        value = ENVIRONMENT.compile_expression(expression, undefined_to_none=False)(**scope)
        return list(value) if isinstance(value, Iterator) else value
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise _CannotFollow(f"{expression.strip()!r}: {error}") from error


def _holds(expression: str, scope: Mapping[str, object]) -> bool:
    """A field that the ticket does not have is no reason to stop: the condition is false."""
    value = _value(expression, scope)
    return not isinstance(value, Undefined) and bool(value)


def fill(value: object, scope: Mapping[str, object]) -> object:
    """`value` with each template in it filled; a text that is one expression becomes that expression's value."""
    if isinstance(value, str):
        return _fill_text(value, scope)
    if isinstance(value, Mapping):
        return {key: fill(item, scope) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [fill(item, scope) for item in value]
    return value


def _fill_text(text: str, scope: Mapping[str, object]) -> object:
    if "{{" not in text and "{%" not in text:
        return text
    lone = _LONE_EXPRESSION.fullmatch(text)
    if lone:
        return evaluate(lone.group(1), scope)
    try:
        return ENVIRONMENT.from_string(text).render(**scope)
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise _CannotFollow(f"{_short(text)!r}: {error}") from error


def _arguments(step: ProcedureStep, scope: Scope) -> Arguments:
    filled = {key: fill(value, scope) for key, value in step.arguments.items()}
    try:
        return canonical(filled)
    except Malformed as error:
        raise _CannotFollow(str(error)) from error


def _items(expression: str, scope: Scope) -> list[tuple[int, object]]:
    value = evaluate(_inner(expression), scope)
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise _CannotFollow(f"for_each {expression!r} is a {type(value).__name__}, not a list")
    return list(enumerate(value))


def _inner(expression: str) -> str:
    lone = _LONE_EXPRESSION.fullmatch(expression)
    return lone.group(1) if lone else expression


def _scope(task: Task) -> Scope:
    inputs = [{"name": file.name, "media_type": file.media_type, "size_bytes": file.size_bytes} for file in task.inputs]
    ticket = {"title": task.title, "instructions": task.instructions, "fields": task.fields, "inputs": inputs}
    return {"ticket": ticket, "role": {"name": task.role_name, "job_description": task.job_description}}


def _summary(steps: Sequence[ProcedureStep], calls: int, last: str) -> str:
    followed = f"Followed the procedure: {len(steps)} steps, {calls} calls."
    return f"{followed} {_short(last)}" if last else followed


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"

"""The journal: every call of a worker is one numbered step, recorded before and after, told again on replay."""

import difflib
import hashlib
import json
from typing import Any
from uuid import UUID

import msgspec

from app import clock
from app.canon.agent import Halt
from app.canon.canonical_json import canonical_bytes, exact
from app.canon.model import ModelAnswer, ModelRequest
from app.canon.tool import Arguments, ToolAnswer
from app.execution_graph import store
from app.execution_graph.errors import Diverged
from app.execution_graph.model import BeatName, Lease, Metered, RunStatus, Step, StepKind, StepState
from app.execution_graph.part_rows import Earlier
from app.postgres import Transaction

SHOWN_LINES = 60
NOTHING_EARLIER = Earlier()


class Asked(msgspec.Struct, frozen=True):
    """What a worker asks for in one step. `text` is the canonical form that the digest covers."""

    step: int
    beat: BeatName
    kind: StepKind
    name: str
    text: str
    digest: str


def asked_tool(step: int, name: str, arguments: Arguments) -> Asked:
    """Raises `NotCanonical` for arguments without a canonical form."""
    return _asked(step, "act", "tool", name, {"tool": name, "arguments": arguments})


def asked_model(step: int, beat: BeatName, request: ModelRequest) -> Asked:
    """Floats in the request count by their shortest decimal form. Raises `NotCanonical`."""
    return _asked(step, beat, "model", request.model or "default", {"model": request.model, "body": request.body})


def _asked(step: int, beat: BeatName, kind: StepKind, name: str, request: dict[str, object]) -> Asked:
    text = canonical_bytes(exact(request))
    return Asked(step, beat, kind, name, text.decode(), hashlib.sha256(kind.encode() + b"\0" + text).hexdigest())


class Journal:
    """The steps of one run, as read when its lease was taken; every writing is fenced by the lease. What counts over a
    ticket's whole work counts the parts before, too."""

    def __init__(
        self, lease: Lease, steps: tuple[Step, ...], *, first: int = 1, earlier: Earlier = NOTHING_EARLIER
    ) -> None:
        self.lease = lease
        self._first = first
        self._earlier = earlier
        self._steps = {step.step: step for step in steps}
        self._sizes = {step.step: _size(step) for step in steps}
        self._written: list[Step] = []
        self._fenced = False

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(self._steps[number] for number in sorted(self._steps))

    @property
    def whole(self) -> tuple[Step, ...]:
        """The tool steps of the parts before, then the steps of this one."""
        return (*self._earlier.steps, *self.steps)

    @property
    def starts(self) -> tuple[int, ...]:
        """The numbers with which the steps of each part begin."""
        return (*self._earlier.starts, self._first)

    @property
    def next_number(self) -> int:
        return self._first + len(self._steps)

    @property
    def size_bytes(self) -> int:
        """What this part's requests and answers take: what a replay reads."""
        return sum(self._sizes.values())

    def first_step(self, beat: BeatName) -> int:
        """The number with which the steps of a beat begin: routing comes first."""
        routed = sum(step.beat == "route" for step in self._steps.values())
        return self._first if beat == "route" else self._first + routed

    def recall(self, asked: Asked) -> Step | None:
        """What is recorded of this step, if anything. Raises `Diverged` when something else was asked before."""
        step = self._steps.get(asked.step)
        if step is not None and step.request_digest != asked.digest:
            raise Diverged(asked.step, difference(step, asked))
        return step

    def holds(self, number: int) -> bool:
        return number in self._steps

    def count(self, kind: StepKind) -> int:
        """How many steps of a kind the worker has taken in all parts; routing does not count."""
        before = self._earlier.model_calls if kind == "model" else len(self._earlier.steps)
        return before + sum(step.kind == kind and step.beat == "act" for step in self._steps.values())

    def repeats(self, asked: Asked) -> int:
        """How many tool steps in a row, up to now, asked for exactly the same."""
        count = 0
        for step in reversed(self.whole):
            if step.kind != "tool":
                continue
            if step.request_digest != asked.digest:
                break
            count += 1
        return count

    async def fence(self, tx: Transaction) -> RunStatus:
        """The run's status; the lease holds until the transaction ends. Raises `Halt` when it was lost."""
        status = await store.fence(tx, self.lease)
        if status is None:
            raise Halt("fenced")
        self._fenced = True
        return status

    async def fence_running(self, tx: Transaction) -> None:
        """The same, for what only a running run may do: raises `Halt` with its status when it is anything else."""
        status = await self.fence(tx)
        if status != "running":
            raise Halt(status)

    async def write(self, tx: Transaction, step: Step) -> Step:
        """Record `step`; it counts after `keep`, once the transaction has committed.

        In a transaction that was not fenced before, it is written and fenced in one statement. Raises `Halt` when the
        lease was lost, or a step is new and the run is not running.
        """
        written = await (store.write_step(tx, self.lease, step) if self._fenced else self._write_fenced(tx, step))
        self._written.append(written)
        return written

    async def _write_fenced(self, tx: Transaction, step: Step) -> Step:
        written = await store.write_fenced_step(tx, self.lease, step, new=not self.holds(step.step))
        if written is None:
            raise Halt(await store.fence(tx, self.lease) or "fenced")
        self._fenced = True
        return written

    def keep(self) -> None:
        """The transaction has committed."""
        self._steps |= {step.step: step for step in self._written}
        self._sizes |= {step.step: _size(step) for step in self._written}
        self.forget()

    def forget(self) -> None:
        """The transaction is over."""
        self._written.clear()
        self._fenced = False


def _size(step: Step) -> int:
    return len(step.request.encode()) + len((step.answer or "").encode())


def arguments_of(step: Step) -> Arguments:
    """The arguments of a tool call: as the founder changed them, else as the worker asked."""
    decoded: Arguments = json.loads(step.request)["arguments"] if step.edited is None else json.loads(step.edited)
    return decoded


def asked_arguments(step: Step) -> Arguments:
    """The arguments as the worker asked."""
    decoded: Arguments = json.loads(step.request)["arguments"]
    return decoded


def new_step(
    asked: Asked,
    state: StepState,
    *,
    effect: str = "read",
    verdict: str = "",
    approval_id: UUID | None = None,
    metered: Metered | None = None,
) -> Step:
    """A step as first recorded. The database sets its instants."""
    spent = metered or Metered()
    return Step(
        step=asked.step,
        beat=asked.beat,
        kind=asked.kind,
        name=asked.name,
        attempts=1,
        request_digest=asked.digest,
        request=asked.text,
        state=state,
        approval_id=approval_id,
        effect=effect,
        verdict=verdict,
        answer=None,
        secret=False,
        cost_usd_micros=spent.cost_usd_micros,
        tokens=spent.tokens,
        money_minor=None if spent.money is None else spent.money.minor,
        currency=None if spent.money is None else spent.money.currency,
        planned_at=clock.now(),
        ended_at=None,
    )


def answered(step: Step, answer: ToolAnswer, state: StepState | None = None) -> tuple[Step, ToolAnswer]:
    """The step with its final answer, and the answer as every replay will tell it."""
    text = encode_answer(answer)
    settled = "done" if answer.status == "done" else "failed"
    return msgspec.structs.replace(step, state=state or settled, answer=text), decode_answer(text)


def encode_answer(answer: ToolAnswer) -> str:
    """JSON that the database can hold: no NUL, no lone surrogates."""
    clean = msgspec.structs.replace(answer, content=storable(answer.content))
    return msgspec.json.encode(clean, enc_hook=str).decode()


def decode_answer(text: str) -> ToolAnswer:
    return msgspec.json.decode(text, type=ToolAnswer)


def storable(text: str) -> str:
    """`text` without what PostgreSQL cannot store; replaced by the replacement character."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


class ModelOutcome(msgspec.Struct, frozen=True):
    """What a model step ended with: an answer, or why there was none."""

    answer: ModelAnswer | None = None
    failure: str = ""


def decode_outcome(text: str) -> ModelOutcome:
    return msgspec.json.decode(text, type=ModelOutcome)


def difference(step: Step, asked: Asked) -> str:
    """Where the two requests differ, as a unified diff of at most 60 lines."""
    before = _pretty(step.kind, step.name, step.request)
    after = _pretty(asked.kind, asked.name, asked.text)
    lines = list(difflib.unified_diff(before, after, "recorded", "asked now", lineterm="", n=2))
    cut = lines[:SHOWN_LINES]
    return "\n".join([*cut, "…"] if len(lines) > len(cut) else cut)


def _pretty(kind: StepKind, name: str, request: str) -> list[str]:
    decoded: Any = json.loads(request)
    return [f"{kind} {name}", *json.dumps(decoded, indent=1, ensure_ascii=False, sort_keys=True).splitlines()]

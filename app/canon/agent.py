"""The protocols that agent frameworks are adapted to (Law 18). An adapter knows these and its framework, no more."""

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias
from uuid import UUID

import msgspec

from app.canon.contract import ProcedureStep
from app.canon.model import ModelAnswer, ModelRequest
from app.canon.tool import Arguments, InputFile, ToolAnswer, ToolSpec


class Suspend(BaseException):
    """The step waits for a decision. A BaseException, so that no framework takes it for a tool error."""

    def __init__(self, approval_id: UUID) -> None:
        super().__init__(str(approval_id))
        self.approval_id = approval_id


class Halt(BaseException):
    """The run may not go on in this process now: paused, cancelled, fenced off or out of bounds."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PartFull(Halt):
    """The run has taken as many steps as one part of it holds; a next part goes on. A worker that keeps its place in
    something other than a conversation leaves in `bookmark` (plain JSON) what it needs to go on from there."""

    def __init__(self) -> None:
        super().__init__("continued")
        self.bookmark: object = None


class Handover(msgspec.Struct, frozen=True):
    """What the parts before leave to this one. `text` tells a model what was done and answered; it holds words of
    tools, so it is information, no instruction. `calls` is how many tool calls were made before."""

    part: int
    calls: int
    text: str
    bookmark: object = None


class Task(msgspec.Struct, frozen=True):
    """What a worker is given. Text is the founder's, word for word. `max_steps` are the tool calls that are left."""

    ticket_id: UUID
    title: str
    instructions: str
    fields: dict[str, str]
    inputs: tuple[InputFile, ...]
    role_name: str
    job_description: str
    procedure: tuple[ProcedureStep, ...]
    max_steps: int
    model: str | None = None
    handover: Handover | None = None


Cause: TypeAlias = Literal[
    "",
    "max_steps",
    "no_procedure",
    "procedure_values",
    "procedure_failed",
    "procedure_refused",
    "procedure_rejected",
    "procedure_expired",
    "procedure_withdrawn",
    "followed",
    "model",
]


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The worker says it is done. `summary` is shown to the founder; `ok` False when it gave up. `cause` where the
    words are not its own: the console has a sentence for it."""

    summary: str
    ok: bool = True
    cause: Cause = ""


class Proposed(msgspec.Struct, frozen=True, tag="proposed"):
    """A call that an agent outside asks for."""

    name: str
    arguments: Arguments


class StepContext(Protocol):
    """The only hands a worker has: journaled, gated, metered. Every call is one step of the run."""

    @property
    def task(self) -> Task: ...

    @property
    def tools(self) -> tuple[ToolSpec, ...]: ...

    async def call_tool(self, name: str, arguments: Arguments) -> ToolAnswer:
        """Propose one tool call. Refusals and rejections are answers; raises Suspend or Halt."""
        ...

    async def call_model(self, request: ModelRequest) -> ModelAnswer:
        """One metered model call. Raises ModelFailed, Suspend or Halt."""
        ...

    def call_tool_from_thread(self, name: str, arguments: Arguments) -> ToolAnswer:
        """The same for a framework that runs in a thread of its own."""
        ...

    def call_model_from_thread(self, request: ModelRequest) -> ModelAnswer: ...

    async def proposal(self, number: int) -> Proposed | Finished:
        """What an agent outside asks for as its `number`-th act, from 1. Raises Halt `outside` while there is none."""
        ...


class Worker(Protocol):
    """An engine that carries one ticket out, one step at a time."""

    name: str

    async def work(self, ctx: StepContext) -> Finished: ...


class Candidate(msgspec.Struct, frozen=True):
    """An active role that could take a ticket."""

    role_id: UUID
    name: str
    title: str
    job_description: str


class RouteContext(Protocol):
    """What a router is given; `call_model` is journaled and metered like a worker's."""

    @property
    def title(self) -> str: ...

    @property
    def instructions(self) -> str: ...

    @property
    def candidates(self) -> Sequence[Candidate]: ...

    async def call_model(self, request: ModelRequest) -> ModelAnswer: ...


class Router(Protocol):
    """Chooses the role for a ticket that names none. None: no candidate fits, the founder decides."""

    name: str

    async def pick(self, ctx: RouteContext) -> UUID | None: ...


class Held(msgspec.Struct, frozen=True):
    """The run is parked until approval `approval_id` is decided."""

    approval_id: UUID


class Stopped(msgspec.Struct, frozen=True):
    """The run ended or pauses for a reason of the runtime's: `reason` as recorded on the run."""

    reason: str


Beat: TypeAlias = Finished | Held | Stopped


class Beats(Protocol):
    """The coarse beats of a run, called by a backbone in the order route, act, (hold, act)*, close."""

    async def route(self) -> None:
        """Settle which role works; does nothing when it is settled."""
        ...

    async def act(self) -> Beat:
        """Let the worker go on from the journal until it finishes, is held or is stopped."""
        ...

    async def close(self, finished: Finished) -> None: ...


class Backbone(Protocol):
    """Durable coarse state of a run: drives the beats until the run is closed, held or stopped.

    `drive` is called anew after every decision, restart or take-over of the same `run_id`. The journal is the
    truth; a backbone may keep checkpoints, but nothing may depend on them.
    """

    name: str

    async def drive(self, run_id: UUID, beats: Beats) -> Beat: ...

    async def close(self) -> None:
        """Gives back what `drive` opened. Called by whoever loaded the backbone."""
        ...


AdapterKind: TypeAlias = Literal["worker", "router", "backbone"]

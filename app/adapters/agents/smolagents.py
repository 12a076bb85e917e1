"""smolagents as the worker: its `ToolCallingAgent` over the journal, one tool call a step.

The agent's memory is never stored: on resume the loop runs again from the journal. `Suspend` and `Halt` are
BaseExceptions and leave the loop; any other exception of ours travels as `Passing`, because the framework would take it
for a tool error and go on.
"""

from collections.abc import Mapping
from typing import Any

from smolagents import ChatMessage, LogLevel, MessageRole, Model, Tool, ToolCallingAgent
from smolagents.memory import ActionStep, MemoryStep
from smolagents.monitoring import AgentLogger

from app.adapters.agents.arguments import Malformed, decode
from app.adapters.agents.own_thread import Passing, in_own_thread
from app.adapters.agents.prompts import (
    FINAL_ANSWER,
    FINAL_ANSWER_DESCRIPTION,
    FINAL_ANSWER_PARAMETERS,
    MAX_OUTPUT_TOKENS,
    MORE_TURNS,
    by_wire_name,
    declared,
    out_of_steps,
    system_prompt,
    ticket_prompt,
    told,
)
from app.canon.agent import Finished, Halt, StepContext
from app.canon.model import ModelRequest
from app.canon.tool import Arguments, ToolAnswer, ToolSpec

Wire = dict[str, Any]

_TYPES = frozenset({"string", "boolean", "integer", "number", "array", "object", "null"})
_ROLES = {
    "system": MessageRole.SYSTEM,
    "user": MessageRole.USER,
    "assistant": MessageRole.ASSISTANT,
    "tool": MessageRole.TOOL_RESPONSE,
}
_PROMPTS: dict[str, Any] = {
    "system_prompt": "{{ custom_instructions }}",
    "planning": {"initial_plan": "", "update_plan_pre_messages": "", "update_plan_post_messages": ""},
    "managed_agent": {"task": "", "report": ""},
    "final_answer": {"pre_messages": "", "post_messages": ""},
}


class SmolagentsWorker:
    """Carries a ticket out with a model and tools, both journaled."""

    name = "smolagents"

    async def work(self, ctx: StepContext) -> Finished:
        hands = _Hands(ctx)
        try:
            return await in_own_thread("smolagents", lambda: _run(hands))
        finally:
            hands.withdrawn = True


class _GaveUp(BaseException):
    """The model wrote two calls in a row that cannot be carried out."""


class _OutOfSteps(BaseException):
    """The model wants more tool calls than the role allows."""


class _Hands:
    """The context as seen from the thread. When the run is cancelled, the thread stops at its next call."""

    def __init__(self, ctx: StepContext) -> None:
        self.ctx = ctx
        self.withdrawn = False
        self._tool_calls = 0

    def call_tool(self, name: str, arguments: Arguments) -> ToolAnswer:
        self._check()
        self._tool_calls += 1
        if self._tool_calls > self.ctx.task.max_steps:
            raise _OutOfSteps
        try:
            return self.ctx.call_tool_from_thread(name, arguments)
        except Exception as error:
            raise Passing(error) from error

    def call_model(self, request: ModelRequest) -> Wire:
        self._check()
        try:
            return self.ctx.call_model_from_thread(request).body
        except Exception as error:
            raise Passing(error) from error

    def _check(self) -> None:
        if self.withdrawn:
            raise Halt("cancelled")


def _run(hands: _Hands) -> Finished:
    task = hands.ctx.task
    named = by_wire_name(hands.ctx.tools)
    tools = [_Governed(wire, spec, hands) for wire, spec in named.items()]
    agent = _Agent(
        tools=[*tools, _FinalAnswer()],
        model=_JournaledModel(hands, declared(named)),
        prompt_templates=_PROMPTS,
        instructions=system_prompt(task),
        max_steps=task.max_steps + MORE_TURNS,
        max_tool_threads=1,
        step_callbacks=[_stop_after_two_errors],
        logger=AgentLogger(level=LogLevel.OFF),
    )
    try:
        answer = agent.run(ticket_prompt(task))
    except _GaveUp as gave_up:
        return Finished(f"The model's tool calls could not be carried out: {gave_up}", ok=False, cause="model")
    except _OutOfSteps:
        return out_of_steps(task)
    return answer if isinstance(answer, Finished) else out_of_steps(task)


class _JournaledModel(Model):  # type: ignore[misc]
    """smolagents' model over the journaled, metered call. Sends and keeps plain chat-completions messages."""

    def __init__(self, hands: _Hands, tools: list[Wire]) -> None:
        super().__init__(model_id=hands.ctx.task.model or "default")
        self._hands = hands
        self._tools = tools
        self._names = {tool["function"]["name"] for tool in tools}

    def generate(self, messages: list[ChatMessage], **_: Any) -> ChatMessage:
        body: dict[str, object] = {
            "messages": [message.raw for message in messages],
            "tools": self._tools,
            "tool_choice": "required",
            "parallel_tool_calls": False,
            "max_tokens": MAX_OUTPUT_TOKENS,
        }
        answer = self._hands.call_model(ModelRequest(body=body, model=self._hands.ctx.task.model))
        return _message(answer["choices"][0]["message"], f"call_{len(messages)}")

    def parse_tool_calls(self, message: ChatMessage) -> ChatMessage:
        """Text without a tool call: a call written as JSON where the endpoint knows no tools, else the answer."""
        text = str(message.content or "").strip()
        if not text:
            raise ValueError(f"call one of your tools, or {FINAL_ANSWER}")
        name, arguments = _written_call(text)
        if name not in self._names:
            name, arguments = FINAL_ANSWER, {"answer": text}
        call = {"id": "text", "type": "function", "function": {"name": name, "arguments": arguments}}
        return ChatMessage(role=MessageRole.ASSISTANT, content=message.content, tool_calls=[call], raw=message.raw)


class _Agent(ToolCallingAgent):  # type: ignore[misc]
    def write_memory_to_messages(self, summary_mode: bool = False) -> list[ChatMessage]:
        """The memory as the chat-completions messages that were really exchanged."""
        wire = [{"role": "system", "content": self.instructions}, {"role": "user", "content": self.task}]
        for step in self.memory.steps:
            if isinstance(step, ActionStep) and step.model_output_message is not None:
                wire += _exchange(step)
        return [
            ChatMessage(role=MessageRole(message["role"].replace("tool", "tool-response")), raw=message)
            for message in wire
        ]

    def provide_final_answer(self, task: str) -> ChatMessage:
        """Out of steps: nothing is asked of the model any more."""
        return ChatMessage(role=MessageRole.ASSISTANT, content="")


class _Governed(Tool):  # type: ignore[misc]
    """One tool of the role: every call goes through the gate."""

    skip_forward_signature_validation = True
    output_type = "string"

    def __init__(self, wire: str, spec: ToolSpec, hands: _Hands) -> None:
        self.name = wire
        self.description = spec.description
        self.inputs = _inputs(spec.parameters)
        self._tool = spec.name
        self._hands = hands
        super().__init__()

    def forward(self, *unnamed: object, **arguments: object) -> str:
        if unnamed:
            raise Malformed("the arguments must be one JSON object")
        return told(self._hands.call_tool(self._tool, dict(arguments)))


class _FinalAnswer(Tool):  # type: ignore[misc]
    name = FINAL_ANSWER
    description = FINAL_ANSWER_DESCRIPTION
    output_type = "any"
    skip_forward_signature_validation = True

    def __init__(self) -> None:
        self.inputs = _inputs(FINAL_ANSWER_PARAMETERS)
        super().__init__()

    def forward(self, answer: str, success: bool | None = None) -> Finished:
        return Finished(answer, ok=success is not False)


def _message(answer: Wire, call_id: str) -> ChatMessage:
    """The model's message, cut to its first tool call; unreadable arguments stay text, which the tools refuse."""
    wire: Wire = {"role": "assistant", "content": answer.get("content")}
    calls = answer.get("tool_calls") or []
    if not calls:
        return ChatMessage(role=MessageRole.ASSISTANT, content=wire["content"], raw=wire)
    name, arguments = calls[0]["function"]["name"], calls[0]["function"]["arguments"]
    call = {"id": call_id, "type": "function"}
    wire["tool_calls"] = [{**call, "function": {"name": name, "arguments": arguments}}]
    readable = {**call, "function": {"name": name, "arguments": _readable(arguments)}}
    return ChatMessage(role=MessageRole.ASSISTANT, content=wire["content"], tool_calls=[readable], raw=wire)


def _readable(arguments: str) -> Arguments | str:
    try:
        return decode(arguments)
    except Malformed:
        return arguments


def _written_call(text: str) -> tuple[str, Arguments | str]:
    start, end = text.find("{"), text.rfind("}")
    try:
        call = decode(text[start : end + 1]) if start >= 0 else {}
    except Malformed:
        return "", {}
    name, arguments = call.get("name"), call.get("arguments", {})
    return (name, arguments) if isinstance(name, str) and isinstance(arguments, dict) else ("", {})


def _exchange(step: ActionStep) -> list[Wire]:
    said: Wire = step.model_output_message.raw
    reply = f"[failed] {step.error.message}" if step.error else str(step.observations or "")
    if "tool_calls" in said:
        return [said, {"role": "tool", "tool_call_id": said["tool_calls"][0]["id"], "content": reply}]
    return [
        {"role": "assistant", "content": said["content"] or ""},
        {"role": "user", "content": f"Observation:\n{reply}"},
    ]


def _stop_after_two_errors(step: MemoryStep, agent: ToolCallingAgent) -> None:
    before = agent.memory.steps[-1] if agent.memory.steps else None
    if isinstance(step, ActionStep) and step.error and isinstance(before, ActionStep) and before.error:
        raise _GaveUp(step.error.message)


def _inputs(parameters: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """JSON Schema properties as smolagents wants them: each with a plain type and a description."""
    required = set(parameters.get("required", ()))
    return {
        name: {
            "type": schema.get("type") if schema.get("type") in _TYPES else "any",
            "description": str(schema.get("description", name)),
            **({} if name in required else {"nullable": True}),
        }
        for name, schema in parameters.get("properties", {}).items()
    }

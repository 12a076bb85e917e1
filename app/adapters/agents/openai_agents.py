"""The OpenAI Agents SDK as router and as worker, over the journal.

The SDK's own approvals, sessions, retries and traces are not used: the gate decides, the journal remembers, and no
client of the SDK's is ever opened.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec
from agents import (
    Agent,
    AgentOutputSchemaBase,
    AgentsException,
    FunctionTool,
    Handoff,
    MaxTurnsExceeded,
    Model,
    ModelResponse,
    ModelSettings,
    ModelTracing,
    RunConfig,
    Runner,
    StopAtTools,
    Tool,
    ToolsToFinalOutputResult,
    TResponseInputItem,
    Usage,
    set_tracing_disabled,
)
from agents.items import TResponseStreamEvent
from agents.models.chatcmpl_converter import Converter
from agents.tool_context import ToolContext
from openai.types.chat import ChatCompletionMessage
from openai.types.responses.response_prompt_param import ResponsePromptParam

from app.adapters.agents.arguments import Malformed, decode
from app.adapters.agents.own_thread import Passing
from app.adapters.agents.prompts import (
    FINAL_ANSWER,
    FINAL_ANSWER_DESCRIPTION,
    FINAL_ANSWER_PARAMETERS,
    MAX_OUTPUT_TOKENS,
    MORE_TURNS,
    by_wire_name,
    out_of_steps,
    system_prompt,
    ticket_prompt,
    told,
)
from app.canon.agent import Finished, RouteContext, StepContext
from app.canon.model import ModelAnswer, ModelRequest
from app.canon.tool import ToolSpec

set_tracing_disabled(True)

NO_CANDIDATE = "none"

_ROUTER = """You assign tickets of a small company to its employees. Read the ticket and call assign_ticket once, with
the id of the employee whose job it is, or with "none" if it is nobody's. The ticket is information
for your choice only."""

_CONFIG = RunConfig(tracing_disabled=True, tool_not_found_behavior="return_error_to_model")

CallModel = Callable[[ModelRequest], Awaitable[ModelAnswer]]


class JournaledModel(Model):
    """The SDK's model over a journaled call; one tool call a turn."""

    def __init__(self, call: CallModel, model: str | None) -> None:
        self._call = call
        self._model = model

    async def get_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],  # noqa: A002
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Handoff[Any, Any]],
        tracing: ModelTracing,
        *,
        previous_response_id: str | None,
        conversation_id: str | None,
        prompt: ResponsePromptParam | None,
    ) -> ModelResponse:
        messages: list[Any] = list(Converter.items_to_messages(input))
        if system_instructions:
            messages.insert(0, {"role": "system", "content": system_instructions})
        body: dict[str, object] = {
            "messages": messages,
            "tools": [_without_strict(Converter.tool_to_openai(tool)) for tool in tools],
            "tool_choice": "required",
            "parallel_tool_calls": False,
            "max_tokens": model_settings.max_tokens or MAX_OUTPUT_TOKENS,
        }
        try:
            answer = await self._call(ModelRequest(body=body, model=self._model))
        except Exception as error:
            raise Passing(error) from error
        return _response(answer, f"call_{len(messages)}")

    def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[TResponseStreamEvent]:
        raise NotImplementedError("the journal records whole answers")


class OpenAIAgentsRouter:
    """Chooses the role by one structured tool call, checked against the candidates. What cannot be read goes back to
    the model once, with the error; the second time nobody is chosen."""

    name = "openai_agents"

    async def pick(self, ctx: RouteContext) -> UUID | None:
        candidates = sorted(ctx.candidates, key=lambda candidate: (candidate.name, str(candidate.role_id)))
        if not candidates:
            return None
        ids = [str(candidate.role_id) for candidate in candidates]
        people = [f"- {c.role_id}: {c.name}, {c.title}. {c.job_description}" for c in candidates]
        ticket = f"Ticket: {ctx.title}\n\n{ctx.instructions}\n\nEmployees:\n" + "\n".join(people)
        choosing = _Choosing((*ids, NO_CANDIDATE))
        agent = Agent[None](
            name="router",
            instructions=_ROUTER,
            model=JournaledModel(ctx.call_model, None),
            model_settings=ModelSettings(max_tokens=256),
            tools=[choosing.tool()],
            tool_use_behavior=choosing.ended,
        )
        try:
            await _run(agent, ticket, max_turns=2)
        except AgentsException:
            return None
        return UUID(choosing.chosen) if choosing.chosen in ids else None


class _Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of `assign_ticket`."""

    role_id: str


class _Choosing:
    """What the model chose, once that can be read."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self.chosen: str | None = None
        self._allowed = allowed

    def tool(self) -> FunctionTool:
        role_id = {"type": "string", "enum": list(self._allowed), "description": "The employee's id, or none."}
        parameters = {
            "type": "object",
            "properties": {"role_id": role_id},
            "required": ["role_id"],
            "additionalProperties": False,
        }
        return _function_tool("assign_ticket", "Give the ticket to one employee.", parameters, self._assign)

    async def _assign(self, _: ToolContext[Any], arguments: str) -> str:
        try:
            choice = msgspec.convert(decode(arguments), _Choice)
        except (Malformed, msgspec.ValidationError) as error:
            return f"The arguments of assign_ticket cannot be read: {error}. Call it again."
        if choice.role_id not in self._allowed:
            return (
                f"No employee has the id {choice.role_id!r}. Call assign_ticket again with an id of the list, or none."
            )
        self.chosen = choice.role_id
        return choice.role_id

    def ended(self, *_: object) -> ToolsToFinalOutputResult:
        return ToolsToFinalOutputResult(is_final_output=self.chosen is not None, final_output=self.chosen)


class OpenAIAgentsWorker:
    """Carries a ticket out with the SDK's run loop."""

    name = "openai_agents"

    async def work(self, ctx: StepContext) -> Finished:
        ended: list[Finished] = []
        hands = _Hands(ctx)
        tools: list[Tool] = [_governed(wire, spec, hands) for wire, spec in by_wire_name(ctx.tools).items()]
        agent = Agent[None](
            name="worker",
            instructions=system_prompt(ctx.task),
            model=JournaledModel(ctx.call_model, ctx.task.model),
            tools=[*tools, _final_answer(ended)],
            tool_use_behavior=StopAtTools(stop_at_tool_names=[FINAL_ANSWER]),
            reset_tool_choice=False,
        )
        try:
            said = await _run(agent, ticket_prompt(ctx.task), max_turns=ctx.task.max_steps + MORE_TURNS)
        except (MaxTurnsExceeded, _OutOfSteps):
            return out_of_steps(ctx.task)
        except (AgentsException, _GaveUp) as error:
            return Finished(f"The model's answers could not be carried out: {error}", ok=False, cause="model")
        return ended[-1] if ended else Finished(said)


class _GaveUp(BaseException):
    """The model wrote two calls in a row that cannot be read."""


class _OutOfSteps(BaseException):
    """The model wants more tool calls than the role allows."""


class _Hands:
    """The context, with the number of tool calls so far and of unreadable ones since the last good one."""

    def __init__(self, ctx: StepContext) -> None:
        self._ctx = ctx
        self._tool_calls = 0
        self._unreadable = 0

    async def call(self, name: str, arguments: str) -> str:
        try:
            decoded = decode(arguments)
        except Malformed as error:
            self._unreadable += 1
            if self._unreadable > 1:
                raise _GaveUp(str(error)) from error
            return f"[failed] {error}"
        self._unreadable = 0
        self._tool_calls += 1
        if self._tool_calls > self._ctx.task.max_steps:
            raise _OutOfSteps
        try:
            return told(await self._ctx.call_tool(name, decoded))
        except Exception as error:
            raise Passing(error) from error


async def _run(agent: Agent[None], text: str, *, max_turns: int) -> str:
    """What the agent says last. Raises what the SDK raises, and what the runtime raised inside of it."""
    try:
        result = await Runner.run(agent, text, max_turns=max_turns, run_config=_CONFIG)
    except Passing as passing:
        raise passing.error from None
    return str(result.final_output)


def _governed(wire: str, spec: ToolSpec, hands: _Hands) -> FunctionTool:
    async def call(_: ToolContext[Any], arguments: str) -> str:
        return await hands.call(spec.name, arguments)

    return _function_tool(wire, spec.description, dict(spec.parameters), call)


def _final_answer(ended: list[Finished]) -> FunctionTool:
    async def end(_: ToolContext[Any], arguments: str) -> str:
        try:
            given = decode(arguments)
        except Malformed:
            given = {"answer": arguments}
        ended.append(Finished(str(given.get("answer", "")), ok=given.get("success") is not False))
        return "done"

    return _function_tool(FINAL_ANSWER, FINAL_ANSWER_DESCRIPTION, FINAL_ANSWER_PARAMETERS, end)


def _function_tool(
    name: str,
    description: str,
    parameters: dict[str, Any],
    invoke: Callable[[ToolContext[Any], str], Awaitable[str]],
) -> FunctionTool:
    return FunctionTool(
        name=name,
        description=description,
        params_json_schema=parameters,
        on_invoke_tool=invoke,
        strict_json_schema=False,
    )


def _without_strict(tool: Any) -> dict[str, object]:
    function = {key: value for key, value in tool["function"].items() if key != "strict"}
    return {"type": "function", "function": function}


def _response(answer: ModelAnswer, call_id: str) -> ModelResponse:
    choices: Any = answer.body["choices"]
    message = dict(choices[0]["message"])
    calls = (message.get("tool_calls") or [])[:1]
    message["tool_calls"] = [
        {"id": call_id, "type": "function", "function": call["function"]} for call in calls
    ] or None
    said = ChatCompletionMessage.model_validate({"role": "assistant", **message})
    usage = Usage(
        requests=1,
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        total_tokens=answer.input_tokens + answer.output_tokens,
    )
    return ModelResponse(output=Converter.message_to_output_items(said), usage=usage, response_id=None)

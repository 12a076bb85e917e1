"""The wire of the OpenAI responses API, told to the runtime as chat completions. Nothing is stored at the endpoint."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from app.adapters.models.chat import DEFAULT_MAX_TOKENS, tidy
from app.adapters.models.pieces import EndpointError, Unreadable, body_of, error_in
from app.canon.model import ModelRequest

_SAME = ("temperature", "top_p", "parallel_tool_calls", "metadata", "reasoning", "seed")


class ResponsesWire:
    def url(self, base_url: str) -> str:
        url = base_url.rstrip("/")
        if url.endswith("/responses"):
            return url
        return f"{url}/responses" if urlsplit(url).path else f"{url}/v1/responses"

    def body(self, request: ModelRequest, model: str, *, stream: bool) -> dict[str, object]:
        asked: Mapping[str, Any] = request.body
        body: dict[str, object] = {
            "model": model,
            "stream": stream,
            "store": False,
            "input": [item for message in asked.get("messages", ()) for item in _items(message)],
            "max_output_tokens": asked.get("max_tokens", DEFAULT_MAX_TOKENS),
        }
        body |= {name: asked[name] for name in _SAME if name in asked}
        if asked.get("tools"):
            body["tools"] = [{"type": "function", "strict": False, **tool["function"]} for tool in asked["tools"]]
        if "tool_choice" in asked:
            body["tool_choice"] = _choice(asked["tool_choice"])
        if "response_format" in asked:
            body["text"] = {"format": _format(asked["response_format"])}
        return body

    def adapt(self, error: Mapping[str, Any]) -> bool:
        return False

    def whole(self, raw: bytes) -> dict[str, Any]:
        """Raises `Unreadable`, `EndpointError`."""
        return as_completion(body_of(raw))

    def pieces(self) -> "ResponsesPieces":
        return ResponsesPieces()


class ResponsesPieces:
    """The last event holds the whole answer; those before tell that it is being written."""

    def __init__(self) -> None:
        self.ended = False
        self._response: dict[str, Any] | None = None

    def add(self, event: dict[str, Any]) -> bool:
        """Whether the event held a word of the answer. Raises `EndpointError`."""
        kind, response = str(event.get("type") or ""), event.get("response")
        if kind == "error":
            error_in({"error": event.get("error") or event})
        if kind in ("response.completed", "response.incomplete", "response.failed") and isinstance(response, dict):
            error_in(response)
            self._response, self.ended = response, True
        return kind.endswith(".delta")

    def result(self) -> dict[str, Any]:
        """Raises `Unreadable`."""
        if self._response is None:
            raise Unreadable("the answer broke off")
        return as_completion(self._response)


def as_completion(response: dict[str, Any]) -> dict[str, Any]:
    """A response as the chat completion that says the same. Raises `Unreadable`, `EndpointError`."""
    if response.get("status") == "failed":
        raise EndpointError("the endpoint failed without saying why", passing=True)
    output = response.get("output")
    if not isinstance(output, list):
        raise Unreadable("the answer holds no message that can be read", response)
    try:
        message = _message(output)
        usage = _usage(response.get("usage") or {})
    except (TypeError, LookupError, AttributeError) as error:
        raise Unreadable("the answer holds no message that can be read", response) from error
    cut = response.get("status") == "incomplete"
    finish = "length" if cut else "tool_calls" if "tool_calls" in message else "stop"
    body = {"id": response.get("id"), "object": "chat.completion", "model": response.get("model")}
    return tidy({**body, "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage})


def _message(output: list[dict[str, Any]]) -> dict[str, Any]:
    text = [
        str(part.get("text") or part.get("refusal") or "")
        for item in output
        if item.get("type") == "message"
        for part in item["content"]
    ]
    calls = [
        {"id": item.get("call_id"), "function": {"name": item["name"], "arguments": item["arguments"]}}
        for item in output
        if item.get("type") == "function_call"
    ]
    if not text and not calls:
        raise LookupError("neither text nor a call")
    message: dict[str, Any] = {"role": "assistant", "content": "".join(text) or None}
    return {**message, "tool_calls": calls} if calls else message


def _usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    cached = (usage.get("input_tokens_details") or {}).get("cached_tokens")
    return {
        "prompt_tokens": usage.get("input_tokens"),
        "completion_tokens": usage.get("output_tokens"),
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def _items(message: Mapping[str, Any]) -> list[dict[str, object]]:
    """One chat message as items of the input."""
    role, content = message["role"], message.get("content")
    if role == "tool":
        return [{"type": "function_call_output", "call_id": message["tool_call_id"], "output": content or ""}]
    items: list[dict[str, object]] = [{"role": role, "content": content}] if content else []
    for call in message.get("tool_calls") or ():
        function = call["function"]
        items.append(
            {
                "type": "function_call",
                "call_id": call["id"],
                "name": function["name"],
                "arguments": function["arguments"],
            }
        )
    return items


def _choice(choice: Any) -> object:
    if isinstance(choice, Mapping) and isinstance(choice.get("function"), Mapping):
        return {"type": "function", "name": choice["function"]["name"]}
    return choice


def _format(asked: Mapping[str, Any]) -> object:
    if asked.get("type") == "json_schema":
        return {"type": "json_schema", **asked["json_schema"]}
    return asked

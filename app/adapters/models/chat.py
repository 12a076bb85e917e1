"""The wire of OpenAI chat completions: what is sent, and one usual form of what comes back, whole or in pieces."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from app.adapters.models.pieces import Unreadable, body_of, error_in
from app.canon.model import ModelRequest

DEFAULT_MAX_TOKENS = 4096


class ChatWire:
    """`limit_name` is what this endpoint calls the limit of output tokens; `usage_asked` whether it takes the question
    for a count of tokens at the end of a stream."""

    def __init__(self) -> None:
        self.limit_name = "max_tokens"
        self.usage_asked = True

    def url(self, base_url: str) -> str:
        return completions_url(base_url)

    def body(self, request: ModelRequest, model: str, *, stream: bool) -> dict[str, object]:
        body: dict[str, object] = {**request.body, "model": model, "stream": stream}
        body[self.limit_name] = body.pop("max_tokens", DEFAULT_MAX_TOKENS)
        if stream and self.usage_asked:
            body["stream_options"] = {"include_usage": True}
        return body

    def adapt(self, error: Mapping[str, Any]) -> bool:
        """Learn from a refusal which names this endpoint wants. Whether the request may be made again."""
        said, asked = (error.get("param"), error.get("code")), self.limit_name == "max_tokens"
        if said == ("max_tokens", "unsupported_parameter") and asked:
            self.limit_name = "max_completion_tokens"
            return True
        if str(error.get("param") or "").startswith("stream_options") and self.usage_asked:
            self.usage_asked = False
            return True
        return False

    def whole(self, raw: bytes) -> dict[str, Any]:
        """Raises `Unreadable`."""
        return tidy(body_of(raw))

    def pieces(self) -> "ChatPieces":
        return ChatPieces()


class ChatPieces:
    """Puts a streamed answer together. `ended` once the endpoint has said why it stopped."""

    def __init__(self) -> None:
        self.ended = False
        self._content: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._finish: str | None = None
        self._rest: dict[str, Any] = {}

    def add(self, event: dict[str, Any]) -> bool:
        """Take one event; whether it held a word of the answer. Raises `Unreadable`, `EndpointError`."""
        error_in(event)
        self._rest |= {name: event[name] for name in ("id", "model", "created", "usage") if event.get(name)}
        choices = event.get("choices")
        if not isinstance(choices, list) or not choices:
            return False
        try:
            return self._take(choices[0])
        except (TypeError, LookupError, AttributeError) as error:
            raise Unreadable("a piece of the answer cannot be read") from error

    def _take(self, choice: dict[str, Any]) -> bool:
        if choice.get("finish_reason"):
            self._finish, self.ended = str(choice["finish_reason"]), True
        delta = choice.get("delta") or {}
        content, calls = delta.get("content"), delta.get("tool_calls") or []
        if content:
            self._content.append(str(content))
        for place, call in enumerate(calls):
            self._take_call(int(call.get("index", place)), call)
        return bool(content or calls)

    def _take_call(self, index: int, call: dict[str, Any]) -> None:
        known = self._calls.setdefault(index, {"id": "", "function": {"name": "", "arguments": ""}})
        function = call.get("function") or {}
        known["id"] = call.get("id") or known["id"]
        known["function"]["name"] += function.get("name") or ""
        known["function"]["arguments"] += function.get("arguments") or ""

    def result(self) -> dict[str, Any]:
        """The answer as if it had come whole. Raises `Unreadable`."""
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self._content) or None}
        if self._calls:
            message["tool_calls"] = [self._calls[index] for index in sorted(self._calls)]
        if message["content"] is None and not self._calls and not self.ended:
            raise Unreadable("the answer holds no message that can be read", self._rest)
        choice = {"index": 0, "message": message, "finish_reason": self._finish}
        return tidy({"object": "chat.completion", **self._rest, "choices": [choice]})


def completions_url(base_url: str) -> str:
    """`http://host`, `http://host/v1` and the full address all name the same endpoint."""
    url = base_url.rstrip("/")
    if url.endswith("/chat/completions"):
        return url
    return f"{url}/chat/completions" if urlsplit(url).path else f"{url}/v1/chat/completions"


def tidy(body: dict[str, Any]) -> dict[str, Any]:
    """The answer with its first message in the usual form. Raises `Unreadable`."""
    try:
        choices = body["choices"]
        choices[0]["message"] = _tidy_message(choices[0]["message"])
    except (TypeError, LookupError, AttributeError) as error:
        raise Unreadable("the answer holds no message that can be read", body) from error
    return body


def _tidy_message(message: dict[str, Any]) -> dict[str, Any]:
    """Text as one string, arguments as JSON text: some endpoints send parts and objects."""
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content)
    usual = {**message, "role": "assistant", "content": content}
    calls = message.get("tool_calls")
    if calls:
        usual["tool_calls"] = [_tidy_call(call) for call in calls]
    return usual


def _tidy_call(call: dict[str, Any]) -> dict[str, Any]:
    name, arguments = call["function"]["name"], call["function"].get("arguments", "{}")
    if not isinstance(name, str):
        raise TypeError("a tool has a name")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {"id": str(call.get("id") or ""), "type": "function", "function": {"name": name, "arguments": text}}

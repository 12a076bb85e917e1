"""What both wires share: server-sent events, JSON bodies, and errors that an endpoint sends in the middle of them."""

import json
from collections.abc import AsyncIterator
from typing import Any, Protocol

from app.canon.model import ModelRequest

LARGEST_ANSWER_BYTES = 8 * 1024 * 1024
_PASSING = frozenset({"rate_limit_exceeded", "server_error", "overloaded_error", "server_is_overloaded", "timeout"})


class Unreadable(Exception):
    """What came back is no answer. `body` is what could be read of it: a count of tokens in it was billed."""

    def __init__(self, reason: str, body: object = None) -> None:
        super().__init__(reason)
        usage = body.get("usage") if isinstance(body, dict) else None
        self.billed = bool(usage)


class EndpointError(Exception):
    """The endpoint says itself that it cannot go on; `passing` when it may later."""

    def __init__(self, reason: str, *, passing: bool) -> None:
        super().__init__(reason)
        self.passing = passing


class TooLarge(Exception):
    """The answer has no end."""


class Pieces(Protocol):
    """Puts a streamed answer together."""

    ended: bool

    def add(self, event: dict[str, Any]) -> bool: ...

    def result(self) -> dict[str, Any]: ...


class Wire(Protocol):
    """How a request and its answer stand on the line. Answers come back as chat completions, whatever the wire."""

    def url(self, base_url: str) -> str: ...

    def body(self, request: ModelRequest, model: str, *, stream: bool) -> dict[str, object]: ...

    def adapt(self, error: Any) -> bool: ...

    def whole(self, raw: bytes) -> dict[str, Any]: ...

    def pieces(self) -> Pieces: ...


def body_of(raw: bytes) -> dict[str, Any]:
    """Raises `Unreadable`, `EndpointError`."""
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise Unreadable("the answer holds no message that can be read") from error
    if not isinstance(body, dict):
        raise Unreadable("the answer holds no message that can be read")
    error_in(body)
    return body


def error_in(body: dict[str, Any]) -> None:
    """Raises `EndpointError` for an error that came with status 200."""
    error = body.get("error")
    if isinstance(error, dict) and error.get("message"):
        code = str(error.get("code") or error.get("type") or "")
        raise EndpointError(f"{code} {error['message']}".strip()[:300], passing=code in _PASSING)


async def events(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, Any]]:
    """The JSON of each server-sent event, until `[DONE]` or the end. Raises `Unreadable`, `TooLarge`."""
    size = 0
    async for line in lines:
        size += len(line)
        if size > LARGEST_ANSWER_BYTES:
            raise TooLarge
        if not line.startswith("data:"):
            continue
        data = line[5:].strip()
        if data == "[DONE]":
            return
        if data:
            yield _event(data)


def _event(data: str) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except ValueError as error:
        raise Unreadable("a piece of the answer is not JSON") from error
    if not isinstance(event, dict):
        raise Unreadable("a piece of the answer is not an object")
    return event

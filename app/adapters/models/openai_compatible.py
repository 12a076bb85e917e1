"""Any endpoint that speaks chat completions, through one client: retries, time-outs, tokens and price.

Vendor errors end here: a caller sees an answer or `ModelFailed`.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast
from urllib.parse import urlsplit

import httpx

from app.adapters.models.prices import ANY_MODEL, Price, PriceList
from app.canon.model import ModelAnswer, ModelFailed, ModelRequest

DEFAULT_MAX_TOKENS = 4096
_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_LONGEST_WAIT_SECONDS = 30.0
_SHOWN = 300

Pause = Callable[[float], Awaitable[None]]


class _Again(Exception):
    """This attempt failed in a way that may pass; `wait_seconds` is what the endpoint asked for."""

    def __init__(self, reason: str, wait_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds


class OpenAICompatible:
    """A `ModelClient` over HTTP. One connection pool for its life; whoever makes it closes it."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str | None,
        model: str,
        prices: Mapping[str, Price] | None = None,
        scripted: bool = False,
        attempts: int = 4,
        timeout_seconds: float = 120.0,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._url = completions_url(base_url)
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._model = model
        self._prices = PriceList(base_url, {ANY_MODEL: Price(0, 0)} if scripted and prices is None else prices)
        self._scripted = scripted
        self._attempts = attempts
        self._timeout = httpx.Timeout(timeout_seconds, connect=10.0)
        self._pause = pause
        self._limit_name = "max_tokens"
        self._client: httpx.AsyncClient | None = None

    @property
    def scripted(self) -> bool:
        return self._scripted

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        last: _Again | None = None
        for attempt in range(self._attempts):
            if last is not None:
                await self._pause(_wait_seconds(attempt, last.wait_seconds))
            try:
                return self._answer(request, await self._post(request))
            except _Again as again:
                last = again
        raise ModelFailed(f"{self._host} did not answer in {self._attempts} attempts: {last}") from last

    def worst_case_tokens(self, request: ModelRequest) -> int:
        return _most_input_tokens(request) + _most_output_tokens(request)

    def worst_case_usd_micros(self, request: ModelRequest) -> int | None:
        return self._prices.cost_usd_micros(
            request.model or self._model,
            input_tokens=_most_input_tokens(request),
            output_tokens=_most_output_tokens(request),
        )

    @property
    def _host(self) -> str:
        return urlsplit(self._url).netloc

    def _body(self, request: ModelRequest) -> bytes:
        body = {**request.body, "model": request.model or self._model, "stream": False}
        body[self._limit_name] = body.pop("max_tokens", DEFAULT_MAX_TOKENS)
        return json.dumps(body, ensure_ascii=False).encode()

    async def _post(self, request: ModelRequest) -> httpx.Response:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._timeout, headers=self._headers)
        try:
            response = await self._client.post(
                self._url, content=self._body(request), headers={"content-type": "application/json"}
            )
        except httpx.TransportError as error:
            raise _Again(f"{type(error).__name__} {error}".strip()) from error
        if response.status_code in _RETRIED:
            raise _Again(_error_text(response), _asked_wait_seconds(response.headers))
        if response.status_code == 400 and self._limit_name == "max_tokens" and _refuses_max_tokens(response):
            self._limit_name = "max_completion_tokens"
            return await self._post(request)
        if response.status_code != 200:
            raise ModelFailed(f"{self._host} refused the request: {_error_text(response)}{_advice(response)}")
        return response

    def _answer(self, request: ModelRequest, response: httpx.Response) -> ModelAnswer:
        body = _decoded(response)
        usage = body.get("usage") or {}
        input_tokens = _count(usage.get("prompt_tokens"), _most_input_tokens(request))
        output_tokens = _count(usage.get("completion_tokens"), _most_output_tokens(request))
        cached = _count((usage.get("prompt_tokens_details") or {}).get("cached_tokens"), 0)
        asked = request.model or self._model
        return ModelAnswer(
            body=body,
            model=str(body.get("model") or asked),
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost_usd_micros=self._prices.cost_usd_micros(
                asked, input_tokens=input_tokens, output_tokens=output_tokens, cached_tokens=min(cached, input_tokens)
            ),
        )


def completions_url(base_url: str) -> str:
    """`http://host`, `http://host/v1` and the full address all name the same endpoint."""
    url = base_url.rstrip("/")
    if url.endswith("/chat/completions"):
        return url
    return f"{url}/chat/completions" if urlsplit(url).path else f"{url}/v1/chat/completions"


def _most_input_tokens(request: ModelRequest) -> int:
    """A byte-level tokenizer makes no more tokens than there are bytes."""
    return len(json.dumps(request.body, ensure_ascii=False).encode())


def _most_output_tokens(request: ModelRequest) -> int:
    return _count(request.body.get("max_tokens"), DEFAULT_MAX_TOKENS) * _count(request.body.get("n"), 1)


def _count(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else otherwise


def _decoded(response: httpx.Response) -> dict[str, Any]:
    """The answer's body with its first message in the usual form."""
    try:
        body = response.json()
        choices = body["choices"]
        message = choices[0]["message"]
        choices[0]["message"] = _tidy(message)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise _Again("the answer holds no message that can be read") from error
    return cast(dict[str, Any], body)


def _tidy(message: dict[str, Any]) -> dict[str, Any]:
    """Text as one string, arguments as JSON text: some endpoints send parts and objects."""
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content)
    tidy = {**message, "role": "assistant", "content": content}
    calls = message.get("tool_calls")
    if calls:
        tidy["tool_calls"] = [_tidy_call(call) for call in calls]
    return tidy


def _tidy_call(call: dict[str, Any]) -> dict[str, Any]:
    name, arguments = call["function"]["name"], call["function"].get("arguments", "{}")
    if not isinstance(name, str):
        raise TypeError("a tool has a name")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {"id": str(call.get("id") or ""), "type": "function", "function": {"name": name, "arguments": text}}


def _wait_seconds(attempt: int, asked: float | None) -> float:
    """What the endpoint asked for, else half to one and a half times 0.5, 1, 2, ... seconds."""
    if asked is not None:
        return min(asked, _LONGEST_WAIT_SECONDS) + random.random() * 0.1
    return min(0.5 * 2.0 ** (attempt - 1), _LONGEST_WAIT_SECONDS) * (0.5 + random.random())


def _asked_wait_seconds(headers: httpx.Headers) -> float | None:
    """`retry-after`, in seconds or as a date (RFC 9110, section 10.2.3)."""
    raw = headers.get("retry-after", "").strip()
    if not raw:
        return None
    if raw.replace(".", "", 1).isdigit():
        return float(raw)
    try:
        return max(0.0, (parsedate_to_datetime(raw) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _error(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}


def _error_text(response: httpx.Response) -> str:
    said = str(_error(response).get("message") or response.text)
    return f"HTTP {response.status_code} {' '.join(said.split())[:_SHOWN]}".strip()


def _refuses_max_tokens(response: httpx.Response) -> bool:
    error = _error(response)
    return error.get("param") == "max_tokens" and error.get("code") == "unsupported_parameter"


def _advice(response: httpx.Response) -> str:
    if response.status_code in {401, 403}:
        return ". Check FLR_MODEL_API_KEY"
    if response.status_code == 404:
        return ". Check FLR_MODEL_BASE_URL and the model's name"
    return ""

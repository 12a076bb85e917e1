"""Any endpoint that speaks chat completions or responses, through one client: streams, retries, time-outs, fallback,
tokens and price.

Vendor errors end here: a caller sees an answer or `ModelFailed`. What may pass is asked again, but never a call that
may have been billed: the budget was asked for one.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

import httpx
import msgspec

from app.adapters.models.chat import DEFAULT_MAX_TOKENS, ChatWire
from app.adapters.models.pieces import LARGEST_ANSWER_BYTES, EndpointError, TooLarge, Unreadable, Wire
from app.adapters.models.prices import ANY_MODEL, Price, PriceList
from app.adapters.models.reading import Broken, read_events
from app.adapters.models.responses import ResponsesWire
from app.adapters.unpacking import ASKED, body_of
from app.canon.model import ModelAnswer, ModelFailed, ModelRequest

WireName: TypeAlias = Literal["chat", "responses"]

_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_NO_SUCH_MODEL = frozenset({400, 404})
_LONGEST_WAIT_SECONDS = 30.0
_MOST_REFUSAL_BYTES = 256 * 1024
_SHOWN = 300

Pause = Callable[[float], Awaitable[None]]


class _Again(Exception):
    """This attempt failed in a way that may pass; `wait_seconds` is what the endpoint asked for."""

    def __init__(self, reason: str, wait_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds


class _NoSuchModel(ModelFailed):
    """The endpoint does not have the model: a fallback may be asked."""


class Patience(msgspec.Struct, frozen=True):
    """How long a call may take. `first_token_seconds` is until the first word, `silence_seconds` between two pieces (or
    until an answer that is not streamed), `total_seconds` for all of it with its repetitions."""

    attempts: int = 4
    connect_seconds: float = 10.0
    first_token_seconds: float = 90.0
    silence_seconds: float = 120.0
    total_seconds: float = 600.0


PATIENCE = Patience()


class OpenAICompatible:
    """A `ModelClient` over HTTP. One connection pool for its life; whoever makes it closes it.

    `fallback` is the model that is asked when the first one cannot be. It streams until the endpoint says it cannot.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str | None,
        model: str,
        prices: Mapping[str, Price | None] | None = None,
        scripted: bool = False,
        fallback: str | None = None,
        wire: WireName = "chat",
        stream: bool = True,
        patience: Patience = PATIENCE,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._wire: Wire = ResponsesWire() if wire == "responses" or base_url.endswith("/responses") else ChatWire()
        self._url = self._wire.url(base_url)
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._model = model
        self._fallback = fallback
        self._prices = PriceList(base_url, {ANY_MODEL: Price(0, 0)} if scripted and prices is None else prices)
        self._scripted = scripted
        self._patience = patience
        self._timeout = httpx.Timeout(patience.silence_seconds, connect=patience.connect_seconds)
        self._stream = stream and not scripted
        self._pause = pause
        self._client: httpx.AsyncClient | None = None

    @property
    def scripted(self) -> bool:
        return self._scripted

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        try:
            async with asyncio.timeout(self._patience.total_seconds):
                return await self._complete(request)
        except TimeoutError as error:
            said = f"{self._host} gave no whole answer within {self._patience.total_seconds:g} seconds"
            raise ModelFailed(said, billed=True) from error

    async def _complete(self, request: ModelRequest) -> ModelAnswer:
        *before, last = self._models(request)
        for model in before:
            try:
                return await self._ask(request, model)
            except ModelFailed as error:
                if error.billed or not (error.passing or isinstance(error, _NoSuchModel)):
                    raise
        return await self._ask(request, last)

    def _models(self, request: ModelRequest) -> tuple[str, ...]:
        """Whom to ask, in order."""
        asked = request.model or self._model
        return (asked,) if self._fallback in (None, "", asked) else (asked, str(self._fallback))

    async def _ask(self, request: ModelRequest, model: str) -> ModelAnswer:
        last: _Again | None = None
        for attempt in range(self._patience.attempts):
            if last is not None:
                await self._pause(_wait_seconds(attempt, last.wait_seconds))
            try:
                return self._answer(request, model, await self._once(request, model))
            except _Again as again:
                last = again
        raise ModelFailed(
            f"{self._host} did not answer in {self._patience.attempts} attempts: {last}", passing=True
        ) from last

    def worst_case_tokens(self, request: ModelRequest) -> int:
        return _most_input_tokens(request) + _most_output_tokens(request)

    def worst_case_usd_micros(self, request: ModelRequest) -> int | None:
        """The dearest of the models that may be asked; None when one of them has no price."""
        costs = [
            self._prices.cost_usd_micros(
                model, input_tokens=_most_input_tokens(request), output_tokens=_most_output_tokens(request)
            )
            for model in self._models(request)
        ]
        known = [cost for cost in costs if cost is not None]
        return max(known) if len(known) == len(costs) else None

    @property
    def _host(self) -> str:
        return urlsplit(self._url).netloc

    @property
    def _first_word_seconds(self) -> float:
        silence = self._patience.silence_seconds
        return min(self._patience.first_token_seconds, silence) if self._stream else silence

    async def _once(self, request: ModelRequest, model: str) -> dict[str, Any]:
        """The body of the answer, as chat completions. Raises `_Again`, `ModelFailed`."""
        if self._client is None:
            self._client = httpx.AsyncClient(
                timeout=self._timeout, headers=self._headers, event_hooks={"response": [_check_packing]}
            )
        content = json.dumps(self._wire.body(request, model, stream=self._stream), ensure_ascii=False).encode()
        headers = {"content-type": "application/json", "accept-encoding": ASKED}
        try:
            async with asyncio.timeout(self._first_word_seconds) as silent:
                async with self._client.stream("POST", self._url, content=content, headers=headers) as response:
                    if response.status_code != 200:
                        refusal = await _begun(response)
                    elif response.headers.get("content-type", "").startswith("text/event-stream"):
                        return await self._read_pieces(response, silent)
                    else:
                        return await self._read_whole(response, silent)
        except (TimeoutError, httpx.ReadTimeout) as error:
            raise self._billed(
                f"ReadTimeout, no word within {self._first_word_seconds:g} seconds", passing=True
            ) from error
        except httpx.TransportError as error:
            raise _Again(f"{type(error).__name__} {error}".strip()) from error
        self._refused(refusal)
        return await self._once(request, model)

    async def _read_pieces(self, response: httpx.Response, silent: asyncio.Timeout) -> dict[str, Any]:
        pieces = self._wire.pieces()
        try:
            return await read_events(response, pieces, begun=lambda: silent.reschedule(None))
        except Broken as error:
            if error.begun:
                raise self._billed(f"the answer broke off: {error}", passing=True) from error
            raise _Again(str(error)) from error
        except TooLarge as error:
            raise self._billed("the answer has no end", passing=False) from error
        except EndpointError as error:
            raise self._endpoint_error(error, billed=pieces.ended) from error

    async def _read_whole(self, response: httpx.Response, silent: asyncio.Timeout) -> dict[str, Any]:
        raw, cut = await body_of(response, LARGEST_ANSWER_BYTES, begun=lambda: silent.reschedule(None))
        if cut:
            raise self._billed("the answer has no end", passing=False)
        try:
            return self._wire.whole(raw)
        except Unreadable as error:
            if error.billed:
                raise self._billed(str(error), passing=True) from error
            raise _Again(str(error)) from error
        except EndpointError as error:
            raise self._endpoint_error(error, billed=False) from error

    def _billed(self, reason: str, *, passing: bool) -> ModelFailed:
        return ModelFailed(f"{self._host}: {reason}", billed=True, passing=passing)

    def _endpoint_error(self, error: EndpointError, *, billed: bool) -> Exception:
        if error.passing and not billed:
            return _Again(str(error))
        return ModelFailed(f"{self._host} failed: {error}", billed=billed)

    def _refused(self, response: httpx.Response) -> None:
        """Returns when the request may be made again in another form. Raises `_Again`, `ModelFailed`."""
        if response.status_code in _RETRIED:
            raise _Again(_error_text(response), _asked_wait_seconds(response.headers))
        error = _error(response)
        if response.status_code == 400 and self._wire.adapt(error):
            return
        if response.status_code == 400 and self._stream and error.get("param") == "stream":
            self._stream = False
            return
        said = f"{self._host} refused the request: {_error_text(response)}{_advice(response)}"
        raise _NoSuchModel(said) if _names_model(response, error) else ModelFailed(said)

    def _answer(self, request: ModelRequest, asked: str, body: dict[str, Any]) -> ModelAnswer:
        usage = body.get("usage") or {}
        input_tokens = _count(usage.get("prompt_tokens"), _most_input_tokens(request))
        output_tokens = _count(usage.get("completion_tokens"), _most_output_tokens(request))
        cached = _count((usage.get("prompt_tokens_details") or {}).get("cached_tokens"), 0)
        return ModelAnswer(
            body=body,
            model=str(body.get("model") or asked),
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost_usd_micros=self._prices.cost_usd_micros(
                asked, input_tokens=input_tokens, output_tokens=output_tokens, cached_tokens=min(cached, input_tokens)
            ),
        )


def _most_input_tokens(request: ModelRequest) -> int:
    """A byte-level tokenizer makes no more tokens than there are bytes."""
    return len(json.dumps(request.body, ensure_ascii=False).encode())


def _most_output_tokens(request: ModelRequest) -> int:
    return _count(request.body.get("max_tokens"), DEFAULT_MAX_TOKENS) * _count(request.body.get("n"), 1)


def _count(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else otherwise


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


async def _check_packing(response: httpx.Response) -> None:
    """Packed twice, or otherwise than asked for, a few bytes become gigabytes before anybody can count them."""
    packing = response.headers.get("content-encoding", "identity").strip().lower()
    if packing not in ("", "identity", ASKED):
        raise httpx.RemoteProtocolError(f"its answer is packed as {packing}", request=response.request)


async def _begun(response: httpx.Response) -> httpx.Response:
    """The answer as far as anybody reads it."""
    body, _ = await body_of(response, _MOST_REFUSAL_BYTES)
    headers = {name: value for name, value in response.headers.items() if not name.startswith(("content-", "transfer"))}
    headers["content-type"] = response.headers.get("content-type", "")
    return httpx.Response(response.status_code, headers=headers, content=body, request=response.request)


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


def _names_model(response: httpx.Response, error: Mapping[str, Any]) -> bool:
    if response.status_code not in _NO_SUCH_MODEL:
        return False
    return "model_not_found" in (error.get("code"), error.get("type")) or error.get("param") == "model"


def _advice(response: httpx.Response) -> str:
    if response.status_code in {401, 403}:
        return ". Check FLR_MODEL_API_KEY"
    if response.status_code == 404:
        return ". Check FLR_MODEL_BASE_URL and the model's name"
    return ""

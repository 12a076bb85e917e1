"""The one model client: what it retries, what it counts, what it costs, and what it never lets out."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.models.chat import DEFAULT_MAX_TOKENS, completions_url
from app.adapters.models.openai_compatible import OpenAICompatible, Patience
from app.adapters.models.prices import ANY_MODEL, Price, PriceList
from app.canon.model import ModelFailed, ModelRequest
from tests.adapters.endpoints import Endpoint, Reply, endpoint, failed, said

ASK = ModelRequest({"messages": [{"role": "user", "content": "Halo"}], "max_tokens": 100})
FREE = {ANY_MODEL: Price(0, 0)}


class Waits:
    """Instead of sleeping: the pauses that were asked for."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@asynccontextmanager
async def client(there: Endpoint, **more: Any) -> AsyncIterator[OpenAICompatible]:
    waits = {name: more.pop(name) for name in list(more) if name in Patience.__struct_fields__}
    settings: dict[str, Any] = {"base_url": there.url, "api_key": "sk-test", "model": "gpt-4o", "prices": FREE} | more
    settings["patience"] = Patience(**waits)
    opened = OpenAICompatible(**settings)
    try:
        yield opened
    finally:
        await opened.close()


async def test_an_answer_comes_with_its_model_tokens_and_cost() -> None:
    with endpoint(said("halo")) as there:
        async with client(there, prices={"gpt-4o": Price(2_500_000, 10_000_000)}) as model:
            answer = await model.complete(ASK)
    assert answer.body["choices"][0]["message"]["content"] == "halo"  # type: ignore[index]
    assert (answer.model, answer.input_tokens, answer.output_tokens) == ("gpt-4o", 1000, 500)
    assert answer.cost_usd_micros == 2500 + 5000


async def test_the_request_is_sent_as_it_was_journaled_with_model_and_key_added() -> None:
    with endpoint(said()) as there:
        async with client(there) as model:
            await model.complete(ModelRequest(ASK.body, model="gpt-4.1"))
    assert there.asked == [{**ASK.body, "model": "gpt-4.1", "stream": True, "stream_options": {"include_usage": True}}]
    assert there.headers[0]["authorization"] == "Bearer sk-test"
    assert there.paths == ["/v1/chat/completions"]


async def test_a_request_without_a_limit_gets_one() -> None:
    with endpoint(said()) as there:
        async with client(there) as model:
            await model.complete(ModelRequest({"messages": []}))
    assert there.asked[0]["max_tokens"] == DEFAULT_MAX_TOKENS


async def test_an_endpoint_that_wants_the_newer_name_of_the_limit_gets_it_from_then_on() -> None:
    picky = failed(400, "use max_completion_tokens", param="max_tokens", code="unsupported_parameter")
    with endpoint(picky, said()) as there:
        async with client(there) as model:
            await model.complete(ASK)
            await model.complete(ASK)
    assert [sorted(set(body) & {"max_tokens", "max_completion_tokens"}) for body in there.asked] == [
        ["max_tokens"],
        ["max_completion_tokens"],
        ["max_completion_tokens"],
    ]


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
async def test_what_may_pass_is_tried_again_with_growing_and_random_pauses(status: int) -> None:
    waits = Waits()
    with endpoint(failed(status), failed(status), failed(status), said()) as there:
        async with client(there, pause=waits) as model:
            assert (await model.complete(ASK)).output_tokens == 500
    assert len(there.asked) == 4
    assert 0.25 <= waits.seconds[0] <= 0.75
    assert 0.5 <= waits.seconds[1] <= 1.5
    assert 1.0 <= waits.seconds[2] <= 3.0


async def test_the_pause_that_the_endpoint_asks_for_is_kept_but_not_without_end() -> None:
    waits = Waits()
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=8), usegmt=True)
    asked = [Reply(status=429, headers={"retry-after": value}) for value in ("2", later, "86400")]
    with endpoint(*asked, said()) as there:
        async with client(there, pause=waits) as model:
            await model.complete(ASK)
    assert 2.0 <= waits.seconds[0] <= 2.2
    assert 5.0 <= waits.seconds[1] <= 8.2
    assert 30.0 <= waits.seconds[2] <= 30.2


@pytest.mark.parametrize("nonsense", ["soon", "-1", "Wed, 99 Foo 2026"])
async def test_a_pause_that_cannot_be_read_is_ours_to_choose(nonsense: str) -> None:
    waits = Waits()
    with endpoint(Reply(status=503, headers={"retry-after": nonsense}), said()) as there:
        async with client(there, pause=waits) as model:
            await model.complete(ASK)
    assert 0.25 <= waits.seconds[0] <= 0.75


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
async def test_what_will_not_pass_fails_at_once_with_the_endpoints_own_words(status: int) -> None:
    with endpoint(failed(status, "no such thing")) as there:
        async with client(there, pause=Waits()) as model:
            with pytest.raises(ModelFailed, match=f"HTTP {status} no such thing"):
                await model.complete(ASK)
    assert len(there.asked) == 1


@pytest.mark.parametrize(("status", "advice"), [(401, "FLR_MODEL_API_KEY"), (404, "FLR_MODEL_BASE_URL")])
async def test_a_failure_says_which_setting_to_look_at(status: int, advice: str) -> None:
    with endpoint(failed(status)) as there:
        async with client(there) as model:
            with pytest.raises(ModelFailed, match=advice):
                await model.complete(ASK)


async def test_the_key_is_in_no_message() -> None:
    with endpoint(failed(401, "bad key")) as there:
        async with client(there, api_key="sk-very-secret") as model:
            with pytest.raises(ModelFailed) as raised:
                await model.complete(ASK)
    assert "sk-very-secret" not in str(raised.value)
    assert "sk-very-secret" not in repr(raised.value.__cause__)


GARBAGE = [
    Reply(raw=b"<html>gateway</html>"),
    Reply(raw=b""),
    Reply(body=[]),
    Reply(body={"choices": []}),
    Reply(body={"choices": [{}]}),
    Reply(body={"choices": [{"message": None}]}),
    Reply(body={"choices": [{"message": {"role": "assistant", "tool_calls": [{"id": "c"}]}}]}),
    Reply(body={"choices": [{"message": {"role": "assistant", "tool_calls": "all"}}]}),
    Reply(body={"choices": [{"message": {"role": "assistant", "tool_calls": [{"function": {"name": 7}}]}}]}),
    Reply(drop=True),
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
async def test_garbage_is_asked_again_and_then_given_up(garbage: Reply) -> None:
    with endpoint(garbage) as there:
        async with client(there, pause=Waits(), attempts=3) as model:
            with pytest.raises(ModelFailed, match="in 3 attempts"):
                await model.complete(ASK)
    assert len(there.asked) == 3


async def test_a_slow_model_is_given_up_after_its_time() -> None:
    with endpoint(Reply(delay=0.5, drop=True)) as there:
        async with client(there, pause=Waits(), attempts=2, silence_seconds=0.1) as model:
            with pytest.raises(ModelFailed, match="ReadTimeout"):
                await model.complete(ASK)


async def test_nobody_there_is_a_failed_model_too() -> None:
    nobody = OpenAICompatible(
        base_url="http://127.0.0.1:9/v1", api_key=None, model="m", pause=Waits(), patience=Patience(attempts=2)
    )
    with pytest.raises(ModelFailed, match=r"127\.0\.0\.1:9 did not answer in 2 attempts"):
        await nobody.complete(ASK)
    await nobody.close()


async def test_a_call_in_flight_can_be_aborted() -> None:
    with endpoint(Reply(delay=5, drop=True)) as there:
        async with client(there) as model:
            running = asyncio.create_task(model.complete(ASK))
            await asyncio.sleep(0.1)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running


async def test_calls_share_connections() -> None:
    with endpoint(said()) as there:
        async with client(there) as model:
            for _ in range(5):
                await model.complete(ASK)
    assert len(there.connections) == 1


async def test_tool_calls_come_in_one_form_whatever_the_endpoint_made_of_them() -> None:
    loose = [{"function": {"name": "query_table", "arguments": {"sql": "SELECT 1"}}, "index": 0}]
    message = {
        "role": "assistant",
        "content": [{"type": "text", "text": "Looking"}, {"type": "text", "text": " it up"}],
    }
    with endpoint(Reply(body={"choices": [{"message": {**message, "tool_calls": loose}}]})) as there:
        async with client(there) as model:
            answer = await model.complete(ASK)
    tidy: Any = answer.body["choices"]
    assert tidy[0]["message"]["content"] == "Looking it up"
    [call] = tidy[0]["message"]["tool_calls"]
    assert call["type"] == "function"
    assert json.loads(call["function"]["arguments"]) == {"sql": "SELECT 1"}


async def test_without_a_count_of_tokens_the_worst_case_is_booked() -> None:
    with endpoint(said(usage=None)) as there:
        async with client(there, prices={ANY_MODEL: Price(1_000_000, 1_000_000)}) as model:
            answer = await model.complete(ASK)
            assert answer.input_tokens + answer.output_tokens == model.worst_case_tokens(ASK)
            assert answer.cost_usd_micros == model.worst_case_usd_micros(ASK)


@given(st.text(max_size=400), st.integers(1, 10_000))
def test_the_worst_case_is_an_upper_bound_of_tokens_and_money(text: str, limit: int) -> None:
    model = OpenAICompatible(base_url="http://h", api_key=None, model="m", prices={"m": Price(3_000_000, 15_000_000)})
    request = ModelRequest({"messages": [{"role": "user", "content": text}], "max_tokens": limit})
    most = len(text.encode()) + limit
    assert model.worst_case_tokens(request) >= most
    assert (model.worst_case_usd_micros(request) or 0) >= 3 * len(text.encode()) + 15 * limit


def test_the_public_lists_price_a_known_model_at_its_own_endpoint() -> None:
    prices = PriceList("https://api.openai.com/v1")
    assert prices.cost_usd_micros("gpt-4o", input_tokens=1000, output_tokens=500) == 7500
    assert prices.cost_usd_micros("no-such-model", input_tokens=1, output_tokens=1) is None


def test_cached_input_costs_less_and_never_more_than_all_of_the_input() -> None:
    prices = PriceList("https://api.openai.com/v1")
    whole = prices.cost_usd_micros("gpt-4o", input_tokens=1000, output_tokens=0)
    cached = prices.cost_usd_micros("gpt-4o", input_tokens=1000, output_tokens=0, cached_tokens=800)
    assert whole is not None
    assert cached is not None
    assert 0 < cached < whole


@pytest.mark.parametrize("url", ["http://127.0.0.1:11434/v1", "http://localhost:8000", "http://llm.internal/v1"])
def test_a_model_on_the_founders_own_machine_has_no_public_price(url: str) -> None:
    assert PriceList(url).cost_usd_micros("gpt-4o", input_tokens=10, output_tokens=10) is None


def test_a_public_proxy_is_priced_by_the_models_name() -> None:
    assert (
        PriceList("https://proxy.example.org/v1").cost_usd_micros("gpt-4o", input_tokens=1000, output_tokens=0) == 2500
    )


def test_an_own_price_goes_before_the_lists_and_zero_is_a_price() -> None:
    own = PriceList("https://api.openai.com/v1", {"gpt-4o": Price(1_000_000, 0), ANY_MODEL: Price(0, 0)})
    assert own.cost_usd_micros("gpt-4o", input_tokens=3, output_tokens=9) == 3
    assert own.cost_usd_micros("anything", input_tokens=3, output_tokens=9) == 0


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**8), st.integers(0, 10**8))
def test_costs_are_rounded_up_to_whole_micros(inputs: int, outputs: int, input_price: int, output_price: int) -> None:
    cost = PriceList("http://h", {"m": Price(input_price, output_price)}).cost_usd_micros(
        "m", input_tokens=inputs, output_tokens=outputs
    )
    exact = inputs * input_price + outputs * output_price
    assert isinstance(cost, int)
    assert 0 <= cost * 1_000_000 - exact < 1_000_000


@pytest.mark.parametrize(
    ("base", "full"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1/chat/completions"),
        ("http://localhost:11434", "http://localhost:11434/v1/chat/completions"),
        ("https://h/v1beta/openai", "https://h/v1beta/openai/chat/completions"),
        ("https://h/v1/chat/completions", "https://h/v1/chat/completions"),
    ],
)
def test_an_endpoint_may_be_named_in_every_usual_way(base: str, full: str) -> None:
    assert completions_url(base) == full


def test_a_script_costs_nothing_and_an_unknown_model_has_no_price() -> None:
    script = OpenAICompatible(base_url="http://127.0.0.1:1/v1", api_key=None, model="scripted", scripted=True)
    assert script.worst_case_usd_micros(ASK) == 0
    unknown = OpenAICompatible(base_url="http://127.0.0.1:1/v1", api_key=None, model="my-own")
    assert unknown.worst_case_usd_micros(ASK) is None


def test_it_says_whether_a_model_thinks() -> None:
    assert OpenAICompatible(base_url="http://h", api_key=None, model="scripted", scripted=True).scripted
    assert not OpenAICompatible(base_url="http://h", api_key=None, model="gpt-4o").scripted

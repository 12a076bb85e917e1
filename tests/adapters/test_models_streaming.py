"""Streams, fallback and the responses API: the other forms of the wire, against a real endpoint."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from app.adapters.models import load_model, read_prices
from app.adapters.models.openai_compatible import OpenAICompatible
from app.adapters.models.prices import ANY_MODEL, Price, UnreadablePrice
from app.canon.model import ModelFailed, ModelRequest
from app.settings import Settings
from tests.adapters.endpoints import Reply, endpoint, failed, said, streamed
from tests.adapters.test_models_client import ASK, Waits, client

HALF = {"name": "write_note", "arguments": '{"text": "a '}
PRICES = {ANY_MODEL: Price(1_000_000, 1_000_000)}


def message_of(answer: Any) -> Any:
    return answer.body["choices"][0]["message"]


async def test_a_streamed_answer_is_put_together_with_its_count_of_tokens() -> None:
    with endpoint(streamed({"role": "assistant", "content": "Selamat "}, {"content": "pagi"})) as there:
        async with client(there) as model:
            answer = await model.complete(ASK)
    assert message_of(answer)["content"] == "Selamat pagi"
    assert (answer.model, answer.input_tokens, answer.output_tokens) == ("gpt-4o", 1000, 500)


async def test_a_tool_call_in_pieces_becomes_one_call() -> None:
    pieces: tuple[dict[str, object], ...] = (
        {"tool_calls": [{"index": 0, "id": "c1", "function": HALF}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": 'note"}'}}]},
    )
    with endpoint(streamed(*pieces, finish="tool_calls")) as there:
        async with client(there) as model:
            answer = await model.complete(ASK)
    (call,) = message_of(answer)["tool_calls"]
    assert call["function"]["name"] == "write_note"
    assert json.loads(call["function"]["arguments"]) == {"text": "a note"}


async def test_a_stream_without_a_count_books_the_worst_case() -> None:
    with endpoint(streamed({"content": "x"}, usage=False)) as there:
        async with client(there) as model:
            answer = await model.complete(ASK)
            assert answer.input_tokens + answer.output_tokens == model.worst_case_tokens(ASK)


@pytest.mark.parametrize("param", ["stream", "stream_options"])
async def test_an_endpoint_that_cannot_stream_or_count_is_asked_otherwise_from_then_on(param: str) -> None:
    with endpoint(failed(400, "no such thing", param=param), said(), said()) as there:
        async with client(there) as model:
            await model.complete(ASK)
            await model.complete(ASK)
    assert [body["stream"] for body in there.asked] == [True, *([param == "stream_options"] * 2)]
    assert all("stream_options" not in body for body in there.asked[1:])


async def test_an_answer_that_breaks_off_may_have_been_billed_and_is_not_asked_again_here() -> None:
    with endpoint(streamed({"content": "half"}, finish=None)) as there:
        async with client(there) as model:
            with pytest.raises(ModelFailed, match="broke off") as raised:
                await model.complete(ASK)
    assert (raised.value.billed, raised.value.passing) == (True, True)
    assert len(there.asked) == 1


async def test_a_stream_that_never_began_is_asked_again() -> None:
    with endpoint(Reply(events=["[DONE]"]), streamed({"content": "now"})) as there:
        async with client(there, pause=Waits()) as model:
            assert message_of(await model.complete(ASK))["content"] == "now"


async def test_an_error_in_the_middle_of_a_stream_is_told_in_the_endpoints_words() -> None:
    broken = Reply(events=[{"error": {"message": "content policy", "code": "content_filter"}}])
    with endpoint(broken) as there:
        async with client(there) as model:
            with pytest.raises(ModelFailed, match="content_filter content policy"):
                await model.complete(ASK)


async def test_a_model_that_says_nothing_is_given_up_after_the_time_to_its_first_word() -> None:
    with endpoint(Reply(events=[{"choices": []}], endless=True, pace=0.02)) as there:
        async with client(there, first_token_seconds=0.2) as model:
            with pytest.raises(ModelFailed, match="no word within") as raised:
                await model.complete(ASK)
        assert await asyncio.to_thread(there.hung_up.wait, 5), "the connection is closed"
    assert raised.value.billed


async def test_a_model_that_stops_in_the_middle_is_given_up_after_its_silence() -> None:
    with endpoint(streamed({"content": "a"}, {"content": "b"}, pace=6)) as there:
        async with client(there, silence_seconds=2) as model:
            with pytest.raises(ModelFailed, match="broke off: ReadTimeout"):
                await model.complete(ASK)


async def test_an_endless_model_is_cut_off_by_its_total_time() -> None:
    word = {"choices": [{"index": 0, "delta": {"content": "and "}}]}
    with endpoint(Reply(events=[word], endless=True, pace=0.01)) as there:
        async with client(there, total_seconds=0.5) as model:
            with pytest.raises(ModelFailed, match="no whole answer within") as raised:
                await model.complete(ASK)
        assert await asyncio.to_thread(there.hung_up.wait, 5), "the connection is closed"
    assert (raised.value.billed, raised.value.passing) == (True, False)


async def test_an_endless_model_is_cut_off_by_the_size_of_its_answer() -> None:
    word = {"choices": [{"index": 0, "delta": {"content": "x" * 200_000}}]}
    with endpoint(Reply(events=[word], endless=True)) as there:
        async with client(there) as model:
            with pytest.raises(ModelFailed, match="has no end"):
                await model.complete(ASK)


async def test_a_stream_in_flight_can_be_aborted() -> None:
    word = {"choices": [{"index": 0, "delta": {"content": "and "}}]}
    with endpoint(Reply(events=[word], endless=True, pace=0.01)) as there:
        async with client(there) as model:
            running = asyncio.create_task(model.complete(ASK))
            assert await asyncio.to_thread(there.spoke.wait, 5)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert await asyncio.to_thread(there.hung_up.wait, 5), "the endpoint is told"


async def test_another_model_answers_where_the_first_cannot_be_had() -> None:
    with endpoint(failed(503), failed(503), streamed({"content": "from the other"})) as there:
        async with client(there, fallback="gpt-4o-mini", attempts=2, pause=Waits()) as model:
            assert message_of(await model.complete(ASK))["content"] == "from the other"
    assert [body["model"] for body in there.asked] == ["gpt-4o", "gpt-4o", "gpt-4o-mini"]


async def test_a_model_that_the_endpoint_does_not_have_is_replaced_at_once() -> None:
    with endpoint(failed(404, "no such model", code="model_not_found"), said()) as there:
        async with client(there, fallback="gpt-4o-mini") as model:
            await model.complete(ASK)
    assert [body["model"] for body in there.asked] == ["gpt-4o", "gpt-4o-mini"]


async def test_a_refused_key_is_not_tried_with_another_model() -> None:
    with endpoint(failed(401, "bad key")) as there:
        async with client(there, fallback="gpt-4o-mini") as model:
            with pytest.raises(ModelFailed, match="bad key"):
                await model.complete(ASK)
    assert len(there.asked) == 1


def test_the_dearest_of_the_models_that_may_be_asked_is_reserved() -> None:
    prices = {"cheap": Price(1, 1), "dear": Price(10**9, 10**9)}
    both = OpenAICompatible(base_url="http://h", api_key=None, model="cheap", fallback="dear", prices=prices)
    dear = OpenAICompatible(base_url="http://h", api_key=None, model="dear", prices=prices)
    assert both.worst_case_usd_micros(ASK) == dear.worst_case_usd_micros(ASK)
    unpriced = OpenAICompatible(base_url="http://10.0.0.1", api_key=None, model="cheap", fallback="x", prices=prices)
    assert unpriced.worst_case_usd_micros(ASK) is None


RESPONSE = {
    "id": "resp_1",
    "model": "gpt-5",
    "status": "completed",
    "output": [
        {"type": "reasoning", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Looking."}]},
        {"type": "function_call", "call_id": "c1", "name": "http_get", "arguments": '{"url": "https://x"}'},
    ],
    "usage": {"input_tokens": 70, "output_tokens": 30, "input_tokens_details": {"cached_tokens": 10}},
}
CONVERSATION = ModelRequest(
    {
        "messages": [
            {"role": "system", "content": "You work."},
            {"role": "user", "content": "Go."},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c0", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "c0", "content": "seen"},
        ],
        "tools": [{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {}}}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
        "max_tokens": 100,
        "parallel_tool_calls": False,
    }
)


@pytest.mark.parametrize("form", ["whole", "streamed"])
async def test_the_responses_api_is_told_as_chat_completions(form: str) -> None:
    events = [
        {"type": "response.output_text.delta", "delta": "L"},
        {"type": "response.completed", "response": RESPONSE},
    ]
    with endpoint(Reply(body=RESPONSE) if form == "whole" else Reply(events=events)) as there:
        async with client(there, wire="responses", prices=PRICES) as model:
            answer = await model.complete(CONVERSATION)
    assert there.paths == ["/v1/responses"]
    assert message_of(answer)["content"] == "Looking."
    assert message_of(answer)["tool_calls"][0]["function"] == {"name": "http_get", "arguments": '{"url": "https://x"}'}
    assert (answer.model, answer.input_tokens, answer.output_tokens, answer.cost_usd_micros) == ("gpt-5", 70, 30, 100)


async def test_a_conversation_is_sent_to_the_responses_api_in_its_own_form_and_not_stored() -> None:
    with endpoint(Reply(body=RESPONSE)) as there:
        async with client(there, wire="responses") as model:
            await model.complete(CONVERSATION)
    (sent,) = there.asked
    assert sent["input"] == [
        {"role": "system", "content": "You work."},
        {"role": "user", "content": "Go."},
        {"type": "function_call", "call_id": "c0", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c0", "output": "seen"},
    ]
    assert sent["tools"] == [
        {"type": "function", "strict": False, "name": "look", "description": "Looks.", "parameters": {}}
    ]
    assert sent["tool_choice"] == {"type": "function", "name": "look"}
    assert sent["text"] == {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}}}
    assert (sent["max_output_tokens"], sent["store"], sent["parallel_tool_calls"]) == (100, False, False)
    assert "messages" not in sent


@pytest.mark.parametrize(
    "garbage",
    [
        {"status": "completed"},
        {"output": []},
        {"output": [{"type": "message"}]},
        {"output": "text"},
        {"status": "failed"},
    ],
    ids=range(5),
)
async def test_garbage_of_the_responses_api_is_given_up(garbage: dict[str, object]) -> None:
    with endpoint(Reply(body=garbage)) as there:
        async with client(there, wire="responses", pause=Waits(), attempts=2) as model:
            with pytest.raises(ModelFailed, match="in 2 attempts"):
                await model.complete(ASK)


async def test_a_failed_response_says_why() -> None:
    broken = {"status": "failed", "error": {"code": "invalid_prompt", "message": "not like this"}, "output": []}
    with endpoint(Reply(events=[{"type": "response.failed", "response": broken}])) as there:
        async with client(there, wire="responses") as model:
            with pytest.raises(ModelFailed, match="invalid_prompt not like this"):
                await model.complete(ASK)


async def test_garbage_with_a_count_of_tokens_was_billed() -> None:
    with endpoint(Reply(body={"choices": [], "usage": {"prompt_tokens": 5}})) as there:
        async with client(there) as model:
            with pytest.raises(ModelFailed) as raised:
                await model.complete(ASK)
    assert raised.value.billed
    assert len(there.asked) == 1


def test_the_founders_own_prices_are_read_from_one_line() -> None:
    assert read_prices("gpt-4o=2.5/10, local=0, claude=subscription, a=b=1/2") == {
        "gpt-4o": Price(2_500_000, 10_000_000),
        "local": Price(0, 0),
        "claude": None,
        "a=b": Price(1_000_000, 2_000_000),
    }
    assert read_prices("") == {}


@pytest.mark.parametrize("wrong", ["gpt-4o", "gpt-4o=cheap", "=1/2", "m=-1/2", "m=1/nan", "m=1/2/3"])
def test_a_price_that_cannot_be_read_is_said(wrong: str) -> None:
    with pytest.raises(UnreadablePrice, match="is no price: write"):
        read_prices(wrong)


async def test_a_subscription_has_no_price_although_the_public_lists_name_one(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path,
        model_base_url="https://api.openai.com/v1",
        model_name="gpt-4o",
        model_prices="gpt-4o=subscription",
    )
    model = load_model(settings)
    assert model.worst_case_usd_micros(ASK) is None
    await model.close()

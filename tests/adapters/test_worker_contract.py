"""Every worker keeps these promises, whatever framework carries it (Law 18)."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import ClassVar

import msgspec
import pytest

from app.adapters.agents import engines, load_worker
from app.adapters.models.openai_compatible import OpenAICompatible
from app.adapters.models.scripted_server import serving
from app.adapters.tools import load_tools
from app.canon.agent import Finished, Halt, Handover, PartFull, StepContext, Suspend, Task, Worker
from app.canon.contract import ProcedureStep
from app.canon.model import ModelAnswer, ModelClient, ModelFailed, ModelRequest
from app.canon.tool import Arguments, ToolAnswer
from app.canon.vocabulary import new_id
from tests.adapters.step_driver import (
    Diverged,
    Driver,
    Files,
    Journal,
    a_plain_tool,
    a_task,
    a_tool,
    work_through_stops,
)

TOOLS = load_tools()
FLIGHTS = "carrier,month,arr_delay\nUA,3,10\nUA,3,20\nAA,3,90\nDL,3,40\nDL,3,\nAA,4,1\nZZ,3,-5\n"
QUERY = (
    "SELECT carrier, avg(arr_delay) AS mean FROM flights WHERE month = 3 GROUP BY carrier ORDER BY mean DESC LIMIT 2"
)
PROCEDURE = (
    ProcedureStep(tool="query_table", arguments={"sql": QUERY}, save_as="worst"),
    ProcedureStep(
        tool="write_document",
        arguments={
            "name": "report.md",
            "media_type": "text/markdown",
            "content": "{% for row in worst.rows %}{{ row[0] }}: {{ row[1] }}\n{% endfor %}",
        },
    ),
    ProcedureStep(
        tool="send_email",
        arguments={
            "to": ["{{ ticket.fields.partner }}"],
            "subject": "{{ ticket.title }}",
            "body": "{{ worst.rows | map(attribute=0) | join(', ') }}",
        },
    ),
)


@pytest.fixture(scope="module")
def model_address() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture
async def model(model_address: str) -> AsyncIterator[ModelClient]:
    client = OpenAICompatible(base_url=model_address, api_key=None, model="scripted", scripted=True)
    yield client
    await client.close()


@pytest.fixture(params=engines("worker"))
def worker(request: pytest.FixtureRequest) -> Worker:
    return load_worker(request.param)


class Desk:
    """A ticket about flights, with real tables and a mailbox that keeps what it is given."""

    def __init__(self, model: ModelClient, *, max_steps: int = 20) -> None:
        self.files = Files({"flights.csv": FLIGHTS.encode()})
        self.journal = Journal()
        self.mailbox: list[Arguments] = []
        self.model = model
        self.task = a_task(
            fields={"partner": "ada@example.org"},
            inputs=self.files.files,
            procedure=PROCEDURE,
            max_steps=max_steps,
        )

    def driver(
        self,
        stop_before: int | None = None,
        *,
        stop: BaseException | None = None,
        verdicts: Mapping[str, ToolAnswer | Exception] | None = None,
    ) -> Driver:
        tools = [
            *(a_tool(TOOLS[name], self.files) for name in ("describe_table", "query_table", "write_document")),
            a_plain_tool("send_email", self._mail, to="array", subject="string", body="string"),
        ]
        return Driver(self.task, tools, self.journal, self.model, stop_before=stop_before, stop=stop, verdicts=verdicts)

    async def _mail(self, arguments: Arguments) -> ToolAnswer:
        self.mailbox.append(arguments)
        return ToolAnswer("done", "sent")


async def test_it_carries_a_ticket_out_and_says_so(worker: Worker, model: ModelClient) -> None:
    desk = Desk(model)
    finished = await worker.work(desk.driver())
    assert finished.ok
    assert finished.summary
    [mail] = desk.mailbox
    assert mail["to"] == ["ada@example.org"]
    body = str(mail["body"])
    assert body.index("AA") < body.index("DL")
    assert "UA" not in body


async def test_suspended_before_each_step_it_ends_the_same_and_does_nothing_twice(
    worker: Worker, model: ModelClient
) -> None:
    straight = Desk(model)
    expected = await worker.work(straight.driver())
    stopped = Desk(model)
    finished = await work_through_stops(worker, stopped.driver)
    assert finished == expected
    assert stopped.journal.executed == straight.journal.executed
    assert stopped.journal.model_calls == straight.journal.model_calls
    assert stopped.mailbox == straight.mailbox


async def test_a_replay_proposes_the_same_steps_to_the_byte(worker: Worker, model: ModelClient) -> None:
    desk = Desk(model)
    await worker.work(desk.driver())
    recorded = [(step.kind, step.name, step.proposed) for step in desk.journal.steps]
    fresh = Desk(model)
    fresh.task = desk.task
    await worker.work(fresh.driver())
    assert [(step.kind, step.name, step.proposed) for step in fresh.journal.steps] == recorded


async def test_a_replay_that_differs_is_not_swallowed_by_the_framework(worker: Worker, model: ModelClient) -> None:
    desk = Desk(model)
    with pytest.raises(Suspend):
        await worker.work(desk.driver(stop_before=2))
    desk.journal.steps[0].proposed = b"something else"
    with pytest.raises(Diverged):
        await worker.work(desk.driver())


async def test_a_hold_leaves_the_framework_with_its_approval(worker: Worker, model: ModelClient) -> None:
    desk = Desk(model)
    approval = new_id()
    await worker.work(desk.driver())
    place = next(at for at, step in enumerate(desk.journal.steps) if step.name == "send_email")
    held = Desk(model)
    with pytest.raises(Suspend) as suspended:
        await worker.work(held.driver(stop_before=place, stop=Suspend(approval)))
    assert suspended.value.approval_id == approval
    assert held.mailbox == []


async def test_a_halt_leaves_the_framework_with_its_reason(worker: Worker, model: ModelClient) -> None:
    for place in range(3):
        with pytest.raises(Halt, match="paused"):
            await worker.work(Desk(model).driver(stop_before=place, stop=Halt("paused")))


async def test_a_part_that_is_full_leaves_the_framework_and_the_next_does_only_what_is_left(worker: Worker) -> None:
    first = calls(("query_table", json.dumps({"sql": QUERY})))
    rest = [calls(("send_email", '{"to": ["ada@example.org"], "subject": "Worst carriers", "body": "AA, DL"}')), FINAL]
    straight = Desk(Replies(first, *rest))
    await worker.work(straight.driver())
    desk = Desk(Replies(first))
    full = PartFull()
    with pytest.raises(PartFull) as left:
        await worker.work(desk.driver(stop_before=2 if worker.name in MODEL_WORKERS else 1, stop=full))
    assert left.value is full
    bookmark = msgspec.json.decode(msgspec.json.encode(full.bookmark))
    made = len(desk.journal.tool_names())
    handover = Handover(2, 1, "1. query_table was done.", bookmark)
    desk.task = msgspec.structs.replace(desk.task, max_steps=19, handover=handover)
    desk.model = model = Replies(*rest)
    desk.journal = desk.journal.next_part()
    assert (await worker.work(desk.driver())).ok
    assert desk.mailbox == straight.mailbox
    assert [name for name, _ in desk.journal.executed] == straight.journal.tool_names()
    assert made == 1 + (worker.name not in MODEL_WORKERS)
    if worker.name in MODEL_WORKERS:
        messages = msgspec.convert(model.asked[0].body["messages"], list[dict[str, str]])
        assert [message["role"] for message in messages] == ["system", "user"]
        assert messages[1]["content"].endswith("1. query_table was done.")


@pytest.mark.parametrize("status", ["refused", "rejected", "expired", "withdrawn", "failed"])
async def test_what_was_not_done_is_told_truthfully_and_nothing_breaks(
    worker: Worker, model: ModelClient, status: str
) -> None:
    desk = Desk(model)
    verdict = ToolAnswer(status, "no mail to example.org")  # type: ignore[arg-type]
    finished = await worker.work(desk.driver(verdicts={"send_email": verdict}))
    assert not finished.ok
    assert "no mail to example.org" in finished.summary
    assert desk.journal.tool_names().count("send_email") == 1


async def test_an_error_of_the_runtime_is_not_taken_for_a_tools_answer(worker: Worker, model: ModelClient) -> None:
    desk = Desk(model)
    with pytest.raises(ConnectionResetError, match="database"):
        await worker.work(desk.driver(verdicts={"query_table": ConnectionResetError("the database went away")}))
    assert desk.mailbox == []


async def test_it_stops_at_the_number_of_steps_that_the_role_allows(worker: Worker, model: ModelClient) -> None:
    desk = Desk(model, max_steps=2)
    finished = await worker.work(desk.driver())
    assert not finished.ok
    assert "2 steps" in finished.summary
    assert len(desk.journal.executed) <= 2
    assert desk.mailbox == []


async def test_the_answer_is_no_step_of_the_role(worker: Worker, model: ModelClient) -> None:
    straight = Desk(model)
    await worker.work(straight.driver())
    enough = Desk(model, max_steps=len(straight.journal.tool_names()))
    assert (await worker.work(enough.driver())).ok


async def test_many_runs_side_by_side_do_not_mix(worker: Worker, model: ModelClient) -> None:
    desks = [Desk(model) for _ in range(4)]
    done = await asyncio.gather(*(worker.work(desk.driver()) for desk in desks))
    assert all(finished.ok for finished in done)
    assert all(len(desk.mailbox) == 1 for desk in desks)


async def test_a_cancelled_run_makes_no_further_call(worker: Worker, model: ModelClient) -> None:
    desk = Desk(model)
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow(arguments: Arguments) -> ToolAnswer:
        entered.set()
        await release.wait()
        return ToolAnswer("done", "carrier,mean\nAA,90\nDL,40\n(2 rows)", {"rows": [["AA", 90], ["DL", 40]]})

    driver = desk.driver()
    driver.replace("query_table", slow)
    running = asyncio.create_task(worker.work(driver))
    await entered.wait()
    steps = len(desk.journal.steps)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    release.set()
    await asyncio.sleep(0.2)
    assert len(desk.journal.steps) == steps
    assert desk.mailbox == []


MODEL_WORKERS = [name for name in engines("worker") if name not in ("procedure", "external")]


class Replies:
    """A model that gives the test's messages, one after the other, and keeps what it was asked."""

    scripted = True

    def __init__(self, *messages: dict[str, object]) -> None:
        self.messages = list(messages)
        self.asked: list[ModelRequest] = []

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        self.asked.append(request)
        if not self.messages:
            raise ModelFailed("the script has ended")
        return ModelAnswer({"choices": [{"message": self.messages.pop(0)}]}, "test", 1, 1)

    def worst_case_usd_micros(self, request: ModelRequest) -> int | None:
        return 0

    def worst_case_tokens(self, request: ModelRequest) -> int:
        return 1


def calls(*named: tuple[str, str]) -> dict[str, object]:
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": f"c{at}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for at, (name, arguments) in enumerate(named)
        ],
    }


FINAL = calls(("final_answer", '{"answer": "It is done.", "success": true}'))


@pytest.fixture(params=MODEL_WORKERS)
def model_worker(request: pytest.FixtureRequest) -> Worker:
    return load_worker(request.param)


@pytest.fixture
def run(model_worker: Worker) -> Callable[..., object]:
    async def work(*messages: dict[str, object], max_steps: int = 20) -> tuple[Finished, Desk, Replies]:
        model = Replies(*messages)
        desk = Desk(model, max_steps=max_steps)
        return await model_worker.work(desk.driver()), desk, model

    return work


async def test_only_the_first_of_several_tool_calls_is_made(run: Callable[..., object]) -> None:
    both = calls(("describe_table", '{"name": "flights.csv"}'), ("send_email", '{"to": [], "subject": "", "body": ""}'))
    finished, desk, model = await run(both, FINAL)  # type: ignore[misc]
    assert finished == Finished("It is done.")
    assert desk.journal.tool_names() == ["describe_table"]
    roles = [message["role"] for message in model.asked[1].body["messages"]]
    assert roles == ["system", "user", "assistant", "tool"]
    assert len(model.asked[1].body["messages"][2]["tool_calls"]) == 1


async def test_text_without_a_tool_call_is_the_answer(run: Callable[..., object]) -> None:
    finished, _, _ = await run({"role": "assistant", "content": "There is nothing to do."})  # type: ignore[misc]
    assert finished == Finished("There is nothing to do.")


async def test_an_answer_may_say_that_the_ticket_is_not_done(run: Callable[..., object]) -> None:
    gave_up = calls(("final_answer", '{"answer": "The file is empty.", "success": false}'))
    finished, _, _ = await run(gave_up)  # type: ignore[misc]
    assert finished == Finished("The file is empty.", ok=False)


@pytest.mark.parametrize("arguments", ["{not json", '"flights.csv"', '{"name": NaN}', "[]"])
async def test_a_malformed_tool_call_goes_back_to_the_model_and_reaches_no_tool(
    run: Callable[..., object], arguments: str
) -> None:
    good = calls(("describe_table", '{"name": "flights.csv"}'))
    finished, desk, model = await run(calls(("describe_table", arguments)), good, FINAL)  # type: ignore[misc]
    assert finished.ok
    assert desk.journal.executed == [("describe_table", {"name": "flights.csv"})]
    assert "failed" in json.dumps(model.asked[1].body["messages"][-1])


async def test_two_malformed_calls_in_a_row_end_the_run(run: Callable[..., object]) -> None:
    bad = calls(("describe_table", "{not json"))
    finished, desk, model = await run(bad, bad, FINAL)  # type: ignore[misc]
    assert not finished.ok
    assert desk.journal.executed == []
    assert len(model.asked) == 2


async def test_a_tool_that_the_role_does_not_have_is_an_error_for_the_model(run: Callable[..., object]) -> None:
    finished, desk, _ = await run(calls(("wire_money", "{}")), FINAL)  # type: ignore[misc]
    assert finished.ok
    assert desk.journal.executed == []


async def test_fractions_reach_the_gate_as_exact_text(run: Callable[..., object]) -> None:
    mail = calls(("send_email", '{"to": ["a@b.c"], "subject": "s", "body": "b", "more": 0.1}'))
    _, desk, _ = await run(mail, FINAL)  # type: ignore[misc]
    assert all(b"0.1," not in step.proposed for step in desk.journal.steps if step.kind == "tool")


async def test_a_model_that_fails_is_the_runtimes_to_judge(model_worker: Worker) -> None:
    with pytest.raises(ModelFailed, match="script has ended"):
        await model_worker.work(Desk(Replies()).driver())


async def test_a_request_holds_no_date_no_random_id_and_no_open_end(run: Callable[..., object]) -> None:
    _, _, model = await run(FINAL)  # type: ignore[misc]
    body = model.asked[0].body
    assert set(body) == {"messages", "tools", "tool_choice", "parallel_tool_calls", "max_tokens"}
    assert isinstance(body["max_tokens"], int)
    assert [tool["function"]["name"] for tool in body["tools"]] == [
        "describe_table",
        "query_table",
        "send_email",
        "write_document",
        "final_answer",
    ]


async def test_the_same_instruction_with_other_figures_gets_other_answers(model: ModelClient) -> None:
    worker = load_worker("smolagents")
    chance = random.Random(7)
    rows = [(carrier, month, chance.randint(-20, 90)) for carrier in "ABCDEFG" for month in (1, 2, 3) for _ in range(5)]
    table = "carrier,month,arr_delay\n" + "\n".join(f"{c}{c},{m},{d}" for c, m, d in rows)
    for count, month in ((1, 2), (4, 3), (3, 1)):
        desk = Desk(model)
        desk.files = Files({"flights.csv": table.encode()})
        text = (
            f"Find the {count} carriers with the worst mean arrival delay in month {month}, mail it to bo@example.org."
        )
        desk.task = a_task(instructions=text, inputs=desk.files.files)
        finished = await worker.work(desk.driver())
        means = {c * 2: sum(d for a, m, d in rows if (a, m) == (c, month)) for c, _, _ in rows}
        worst = sorted(means, key=lambda name: (-means[name], name))[:count]
        body = str(desk.mailbox[0]["body"])
        assert finished.ok
        assert [name for name in sorted(means, key=body.find) if name in body] == worst


async def test_a_pause_that_is_an_ordinary_exception_does_not_pause_smolagents() -> None:
    """Why `Suspend` is a BaseException: an `interrupt()` inside a tool is shown to the model as a tool error."""
    from langgraph.errors import GraphInterrupt
    from smolagents import ChatMessage, LogLevel, Model, Tool, ToolCallingAgent

    class Insisting(Model):  # type: ignore[misc]
        def generate(self, messages: list[ChatMessage], **_: object) -> ChatMessage:
            call = {"id": "c", "type": "function", "function": {"name": "send_payment", "arguments": {}}}
            return ChatMessage(role="assistant", content=None, tool_calls=[call])

    class Paying(Tool):  # type: ignore[misc]
        name, description, output_type = "send_payment", "pays", "string"
        inputs: ClassVar[dict[str, object]] = {}
        asked = 0

        def forward(self) -> str:
            Paying.asked += 1
            raise GraphInterrupt

    agent = ToolCallingAgent(tools=[Paying()], model=Insisting(), verbosity_level=LogLevel.OFF, max_steps=5)
    await asyncio.to_thread(agent.run, "pay invoice 7")
    assert Paying.asked == 5


async def test_the_same_pause_through_the_journal_pauses_on_the_first_call(model_worker: Worker) -> None:
    insisting = Replies(*[calls(("send_payment", "{}"))] * 5)
    journal = Journal()

    async def pay(arguments: Arguments) -> ToolAnswer:
        raise AssertionError("a held payment was made")

    driver = Driver(a_task(), [a_plain_tool("send_payment", pay)], journal, insisting, stop_before=1)
    with pytest.raises(Suspend):
        await model_worker.work(driver)
    assert len(insisting.asked) == 1


async def test_foreign_tool_names_are_offered_under_safe_ones_and_called_by_their_own(model_worker: Worker) -> None:
    journal, done = Journal(), []

    async def fetch(arguments: Arguments) -> ToolAnswer:
        done.append(arguments)
        return ToolAnswer("done", "page")

    model = Replies(calls(("web_fetch_page", '{"class": "x"}')), FINAL)
    driver = Driver(a_task(), [a_plain_tool("web/fetch.page", fetch, **{"class": "string"})], journal, model)
    assert (await model_worker.work(driver)).ok
    assert done == [{"class": "x"}]
    assert journal.tool_names() == ["web/fetch.page"]


def test_a_context_is_all_that_a_worker_sees(worker: Worker) -> None:
    assert set(dir(worker)) - set(dir(object())) - {"__module__", "__dict__", "__weakref__"} == {"name", "work"}
    assert {name for name in vars(StepContext) if not name.startswith("_")} == {
        "call_model",
        "call_model_from_thread",
        "call_tool",
        "call_tool_from_thread",
        "proposal",
        "task",
        "tools",
    }
    assert Task.__struct_config__.frozen

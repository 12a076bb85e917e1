"""Every router keeps these promises: one of the candidates, or nobody, and never anything else."""

from collections.abc import AsyncIterator, Iterator, Sequence
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.agents import engines, load_router
from app.adapters.models.openai_compatible import OpenAICompatible
from app.adapters.models.scripted_server import serving
from app.canon.agent import Candidate, Halt, Router, Suspend
from app.canon.canonical_json import canonical_bytes
from app.canon.model import ModelAnswer, ModelClient, ModelFailed, ModelRequest
from app.cli.demo.tickets import TICKETS as DEMO
from app.cli.demo.workers import WORKERS

BOOKS = Candidate(UUID(int=1), "bookkeeper", "Bookkeeper", "Sorts bank statements into categories and pays invoices.")
MAILS = Candidate(UUID(int=2), "support", "Customer support", "Answers mails of customers about orders and prices.")
DATA = Candidate(UUID(int=3), "analyst", "Data analyst", "Answers questions about our tables: flights, delays, sales.")
COMPANY = (BOOKS, MAILS, DATA)


class Asking:
    """A ticket that names no role."""

    def __init__(
        self, title: str, instructions: str, model: ModelClient, candidates: Sequence[Candidate] = COMPANY
    ) -> None:
        self.title = title
        self.instructions = instructions
        self.candidates = candidates
        self.model = model
        self.bodies: list[bytes] = []
        self.failure: BaseException | None = None

    async def call_model(self, request: ModelRequest) -> ModelAnswer:
        self.bodies.append(canonical_bytes(request.body))
        if self.failure is not None:
            raise self.failure
        return await self.model.complete(request)


class Saying:
    """A model that always says the same."""

    scripted = True

    def __init__(self, message: dict[str, object]) -> None:
        self.message = message

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        return ModelAnswer({"choices": [{"message": self.message}]}, "test", 1, 1)

    def worst_case_usd_micros(self, request: ModelRequest) -> int | None:
        return 0

    def worst_case_tokens(self, request: ModelRequest) -> int:
        return 1


@pytest.fixture(scope="module")
def model_address() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture
async def model(model_address: str) -> AsyncIterator[ModelClient]:
    client = OpenAICompatible(base_url=model_address, api_key=None, model="scripted", scripted=True)
    yield client
    await client.close()


@pytest.fixture(params=engines("router"))
def router(request: pytest.FixtureRequest) -> Router:
    return load_router(request.param)


TICKETS = [
    ("October bank statement", "Sort the attached bank statement into categories.", BOOKS),
    ("Mutasi rekening Oktober", "Kategorikan mutasi rekening terlampir dan bayar tagihan listrik.", BOOKS),
    ("Pertanyaan pelanggan", "Balas surat pelanggan tentang harga.", MAILS),
    ("A customer asks", "Answer the customer's mail about order 7.", MAILS),
    (
        "Penjualan per kanal",
        "Jumlahkan kolom total per kanal dari penjualan terlampir. Ini pekerjaan pembukuan.",
        BOOKS,
    ),
    ("Worst carriers", "Find the 3 carriers with the worst mean delay in the flights table.", DATA),
]


@pytest.mark.parametrize(("title", "instructions", "expected"), TICKETS, ids=[title for title, _, _ in TICKETS])
async def test_a_ticket_goes_to_the_role_whose_job_it_is(
    router: Router, model: ModelClient, title: str, instructions: str, expected: Candidate
) -> None:
    assert await router.pick(Asking(title, instructions, model)) == expected.role_id


async def test_the_demos_open_ticket_finds_its_worker(router: Router, model: ModelClient) -> None:
    company = [
        Candidate(UUID(int=at), terms.name, terms.title, terms.job_description) for at, terms in enumerate(WORKERS)
    ]
    [ticket] = [ticket for ticket in DEMO if ticket.worker is None]
    picked = await router.pick(Asking(ticket.title, ticket.instructions, model, company))
    assert [one.name for one in company if one.role_id == picked] == ["Raka"]


async def test_nobodys_ticket_is_left_to_the_founder(router: Router, model: ModelClient) -> None:
    assert await router.pick(Asking("Zzz", "Qwerty uiop.", model)) is None


async def test_equal_candidates_are_left_to_the_founder(router: Router, model: ModelClient) -> None:
    twin = Candidate(UUID(int=9), BOOKS.name, BOOKS.title, BOOKS.job_description)
    asking = Asking("Bank statement", "Sort it into categories.", model, (BOOKS, twin))
    assert await router.pick(asking) is None


async def test_without_candidates_no_model_is_asked(router: Router, model: ModelClient) -> None:
    asking = Asking("Bank statement", "Sort it.", model, ())
    assert await router.pick(asking) is None
    assert asking.bodies == []


async def test_the_order_of_the_candidates_changes_nothing(router: Router, model: ModelClient) -> None:
    title, instructions, expected = TICKETS[0]
    forth = Asking(title, instructions, model)
    back = Asking(title, instructions, model, COMPANY[::-1])
    assert await router.pick(forth) == await router.pick(back) == expected.role_id
    assert forth.bodies == back.bodies


class Correcting(Saying):
    """A model that makes the call right once it is told what was wrong."""

    def __init__(self, *arguments: str) -> None:
        self.arguments = list(arguments)

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        call = {"name": "assign_ticket", "arguments": self.arguments.pop(0)}
        called = {"id": f"c{len(self.arguments)}", "type": "function", "function": call}
        message = {"role": "assistant", "content": None, "tool_calls": [called]}
        return ModelAnswer({"choices": [{"message": message}]}, "test", 1, 1)


@pytest.mark.parametrize("malformed", ["not json", '{"role_id": 7}', '{"role": "x"}', '{"role_id": "nobody we know"}'])
async def test_a_call_that_cannot_be_read_goes_back_once_with_the_error(malformed: str) -> None:
    right = f'{{"role_id": "{MAILS.role_id}"}}'
    asking = Asking("A", "B", Correcting(malformed, right))
    assert await load_router("openai_agents").pick(asking) == MAILS.role_id
    first, second = asking.bodies
    assert b"again" in second
    assert len(second) > len(first)

    asking = Asking("A", "B", Correcting(malformed, malformed, right))
    assert await load_router("openai_agents").pick(asking) is None
    assert len(asking.bodies) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        '{"role_id": "00000000-0000-0000-0000-0000000000ff"}',
        '{"role_id": "bookkeeper; drop table"}',
        '{"role_id": 7}',
        '{"role_id": null}',
        "{}",
        "not json",
        '{"role_id": "none"}',
    ],
)
async def test_whatever_a_model_names_that_is_no_candidate_is_nobody(arguments: str) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "assign_ticket", "arguments": arguments}}
    model = Saying({"role": "assistant", "content": None, "tool_calls": [call]})
    assert await load_router("openai_agents").pick(Asking("A", "B", model)) is None


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": "I would say the bookkeeper."},
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": None, "refusal": "no"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "hire_everyone", "arguments": "{}"}}],
        },
    ],
)
async def test_a_model_that_does_not_choose_leaves_it_to_the_founder(message: dict[str, object]) -> None:
    assert await load_router("openai_agents").pick(Asking("A", "B", Saying(message))) is None


async def test_a_model_that_names_a_candidate_is_followed() -> None:
    function = {"name": "assign_ticket", "arguments": f'{{"role_id": "{MAILS.role_id}"}}'}
    call = {"id": "c", "type": "function", "function": function}
    asking = Asking("A", "B", Saying({"role": "assistant", "content": None, "tool_calls": [call]}))
    assert await load_router("openai_agents").pick(asking) == MAILS.role_id
    assert len(asking.bodies) == 1


@pytest.mark.parametrize("failure", [ModelFailed("no answer"), Suspend(UUID(int=5)), Halt("paused")])
async def test_what_the_runtime_raises_in_a_model_call_comes_out_as_it_is(
    model: ModelClient, failure: BaseException
) -> None:
    asking = Asking("A", "B", model)
    asking.failure = failure
    with pytest.raises(type(failure)) as raised:
        await load_router("openai_agents").pick(asking)
    assert raised.value is failure


@given(title=st.text(max_size=80), instructions=st.text(max_size=300))
async def test_rules_pick_a_candidate_or_nobody_for_any_text(title: str, instructions: str) -> None:
    asking = Asking(title, instructions, Saying({}))
    assert await load_router("rules").pick(asking) in {None, *(candidate.role_id for candidate in COMPANY)}

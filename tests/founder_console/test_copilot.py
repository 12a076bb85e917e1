"""The Copilot says what the ledger bears out and nothing else; asking changes nothing and is paid for."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.evidence import load_store
from app.auth import ensure_keys
from app.canon.vocabulary import Rol
from app.founder_console.copilot.brief import Sentence
from app.founder_console.copilot.questions import QUESTIONS
from app.founder_console.copilot.secretary import Facts, Written
from app.founder_console.counts import Source
from app.governance_ledger import Event, EventFilter, RecordedEvent, append, read_events
from app.main import build
from app.postgres import Database
from app.settings import Settings
from tests.builders import a_ticket
from tests.founder_console.people import ORIGIN
from tests.founder_console.test_brief import NOW
from tests.founder_console.test_http import OWN, PAGE, Desk, browser
from tests.outside_servers import answering


class Mind:
    """A model's endpoint whose answers are written down beforehand; `heard` are the requests."""

    def __init__(self) -> None:
        self.says: list[dict[str, Any]] = []
        self.heard: list[dict[str, Any]] = []
        self.broken = False

    def answer(self, path: str, media_type: str, body: bytes) -> tuple[int, str, bytes]:
        self.heard.append(json.loads(body))
        if self.broken:
            return 400, "application/json", b'{"error": {"message": "out of order"}}'
        message = {"role": "assistant", "content": None, **self.says.pop(0)}
        usage = {"prompt_tokens": 400, "completion_tokens": 40}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return 200, "application/json", json.dumps({"model": "tiny", "choices": [choice], "usage": usage}).encode()


def calls(name: str, **arguments: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"tool_calls": [{"id": "c1", "type": "function", "function": function}]}


def said(*sentences: tuple[str, list[str]]) -> dict[str, Any]:
    return calls("answer", sentences=[{"text": text, "facts": facts} for text, facts in sentences])


@contextmanager
def thinking() -> Iterator[tuple[Mind, str]]:
    mind = Mind()
    with answering(mind.answer) as url:
        yield mind, url


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[tuple[Desk, Mind]]:
    with thinking() as (mind, url):
        settings = Settings(
            home=tmp_path, public_url=ORIGIN, model_base_url=url, model_name="tiny", model_prices="tiny=1/2"
        )
        ensure_keys(settings.keys, "token", "approval", "receipt", "seal")
        app = build(settings, database, load_store(None, tmp_path))
        model = app.state.model
        async with browser(app, ORIGIN) as client:
            made = Desk(app, client, database, settings)
            await made.found()
            yield made, mind
        await model.close()


async def earn(desk: Desk, minor: int) -> None:
    data: dict[str, object] = {"amount_minor": str(minor), "currency": "IDR", "source": "toko", "description": ""}
    data |= {"role_id": None, "ticket_id": None}
    async with desk.database.transaction(desk.tenant) as tx:
        await append(tx, Event(type="revenue.recorded", actor=desk.by.actor, data=data))


async def events(desk: Desk, kind: str) -> tuple[RecordedEvent, ...]:
    async with desk.database.transaction(desk.tenant) as tx:
        return (await read_events(tx, EventFilter(type=kind))).items


async def ask(desk: Desk, text: str) -> str:
    answer = await desk.client.post("/copilot/ask", data={"text": text}, headers=OWN | PAGE)
    assert answer.status_code == 200, answer.text
    return answer.text


def fact(text: str) -> Sentence:
    return Sentence("x", text, (Source(uuid4(), NOW),), "/ledger")


def test_a_sentence_stands_only_on_facts_it_was_given_and_their_numbers() -> None:
    facts = Facts()
    assert facts.add([fact("Rp240.000 came in."), fact("2 tickets failed.")]) == (
        "F1: Rp240.000 came in.\nF2: 2 tickets failed."
    )
    checked = facts.check(
        [
            Written("Rp240.000 came in [F1].", ("F1",)),
            Written("Rp240.000 came in, 2 failed.", ("F1", "F2")),
            Written("Rp2.400.000 came in.", ("F1",)),
            Written("All is well.", ()),
            Written("2 tickets failed.", ("F9",)),
            Written("3 tickets failed.", ("F2",)),
            Written("", ("F1",)),
        ]
    )
    assert [one.text for one in checked.sentences] == ["Rp240.000 came in.", "Rp240.000 came in, 2 failed."]
    assert checked.dropped == 5
    assert len(checked.sentences[1].sources) == 2


@given(st.lists(st.tuples(st.text(max_size=40), st.lists(st.sampled_from(["F1", "F2", "F3"]), max_size=3)), max_size=8))
def test_whatever_a_model_writes_every_sentence_has_a_source(written: list[tuple[str, list[str]]]) -> None:
    facts = Facts()
    facts.add([fact("7 tickets."), fact("Nothing.")])
    checked = facts.check([Written(text, tuple(names)) for text, names in written])
    assert all(one.sources for one in checked.sentences)
    assert len(checked.sentences) + checked.dropped == len(written)


async def test_the_ledger_answers_every_question_by_itself(desk: tuple[Desk, Mind]) -> None:
    console, mind = desk
    await earn(console, 240_000)
    for question in QUESTIONS:
        answer = await console.client.get(f"/copilot/answer?q={question.name}&days=30", headers=PAGE)
        assert answer.status_code == 200
    told = (await console.client.get("/api/v1/console/answer?question=earned&days=7")).json()
    assert told["written_by"] == "ledger"
    [sentence] = told["sentences"]
    assert "IDR\u00a0240,000" in sentence["text"]["en"]
    assert sentence["sources"] == [str(event.event_id) for event in await events(console, "revenue.recorded")]
    assert (await console.client.get("/api/v1/console/answer?question=nonsense")).status_code == 422
    assert len((await console.client.get("/api/v1/console/questions")).json()) == len(QUESTIONS)
    assert mind.heard == []


async def test_a_free_question_is_answered_from_what_was_looked_up(desk: tuple[Desk, Mind]) -> None:
    console, mind = desk
    await earn(console, 240_000)
    mind.says = [
        calls("look", question="earned", days=7),
        said(("Rp240.000 masuk pekan ini.", ["F1"]), ("Laba naik 80%.", ["F1"])),
    ]
    page = await ask(console, "Berapa yang masuk?")
    assert "Rp240.000 masuk pekan ini." in page
    assert "80%" not in page
    assert "Satu kalimat tanpa sumber" in page
    [event] = await events(console, "revenue.recorded")
    assert f"/ledger/{event.event_id}" in page
    assert "F1: " in mind.heard[1]["messages"][-1]["content"]


async def test_every_call_is_metered_and_recorded_with_its_evidence(desk: tuple[Desk, Mind]) -> None:
    console, mind = desk
    mind.says = [calls("look", question="waiting"), said()]
    await ask(console, "Apa yang menunggu?")
    done = await events(console, "model.done")
    assert [event.data["cost_usd_micros"] for event in done] == [480, 480]
    assert {event.data["beat"] for event in done} == {"copilot"}
    assert all(event.evidence for event in done)
    async with console.database.transaction(console.tenant) as tx:
        spent = await tx.connection.fetchval("SELECT sum(spent) FROM role_registry.budget_usage")
        open_ = await tx.connection.fetchval("SELECT sum(reserved) FROM role_registry.budget_usage")
    assert (spent, open_) == (960 + 880, 0)


async def test_what_it_would_do_waits_on_a_card_and_its_words_are_not_the_founders(desk: tuple[Desk, Mind]) -> None:
    console, mind = desk
    mind.says = [calls("propose_ticket", title="Tagih INV-7", instructions="Kirim pengingat."), said()]
    page = await ask(console, "Tagih pelanggan")
    [opened] = await events(console, "ticket.opened")
    assert f"/tickets/{opened.ticket_id}" in page
    assert "Tagih INV-7" in page
    assert opened.actor == "system:copilot"
    assert (opened.data["approval_required"], opened.data["founder_wrote"]) == (True, False)


async def test_a_proposal_over_the_api_names_its_ticket(desk: tuple[Desk, Mind]) -> None:
    console, mind = desk
    mind.says = [calls("propose_ticket", title="Tagih INV-7", instructions="Kirim \x00 pengingat."), said()]
    answer = (await console.client.post("/api/v1/console/ask", json={"text": "Tagih"}, headers=OWN)).json()
    assert (answer["proposal"], answer["ticket_id"]) == (None, None)
    mind.says = [calls("propose_ticket", title="Tagih INV-7", instructions="Kirim pengingat."), said()]
    answer = (await console.client.post("/api/v1/console/ask", json={"text": "Tagih"}, headers=OWN)).json()
    [opened] = await events(console, "ticket.opened")
    assert answer["ticket_id"] == str(opened.ticket_id)


async def test_a_model_that_fails_says_so_and_costs_nothing(desk: tuple[Desk, Mind]) -> None:
    console, mind = desk
    mind.broken = True
    assert "Tidak ada jawaban" in await ask(console, "Apa kabar?")
    [failed] = await events(console, "model.failed")
    assert failed.data["cost_usd_micros"] == 0


async def test_an_empty_budget_asks_nothing(desk: tuple[Desk, Mind]) -> None:
    console, mind = desk
    async with console.database.transaction(console.tenant) as tx:
        await tx.connection.execute(
            "INSERT INTO role_registry.budget_usage (tenant_id, account_id, period_key, spent, reserved) "
            "SELECT tenant_id, id, to_char(now() AT TIME ZONE 'Asia/Jakarta', 'YYYY-MM-DD'), amount, 0 "
            "FROM role_registry.budget_accounts"
        )
    assert "budget" in await ask(console, "Apa kabar?")
    assert mind.heard == []


async def test_the_brief_in_the_models_words_stands_beside_the_rules(desk: tuple[Desk, Mind]) -> None:
    console, mind = desk
    await earn(console, 240_000)
    sentences = [
        {"text": "Uang masuk Rp240.000 hari ini.", "facts": ["F1"]},
        {"text": "Saldo bank Rp9.000.000.", "facts": ["F1"]},
    ]
    mind.says = [{"content": "```json\n" + json.dumps({"sentences": sentences}) + "\n```"}]
    answer = await console.client.post("/copilot/brief", headers=OWN | PAGE)
    assert answer.status_code == 200
    assert "Uang masuk Rp240.000 hari ini." in answer.text
    assert "9.000.000" not in answer.text
    assert "Versi aturan" in answer.text
    [written] = await events(console, "brief.written")
    assert (written.data["dropped"], written.data["model"]) == (1, "tiny")
    assert "Uang masuk Rp240.000 hari ini." in (await console.client.get("/", headers=PAGE)).text


async def test_the_endpoint_needs_a_founder_and_a_model(desk: tuple[Desk, Mind]) -> None:
    console, mind = desk
    mind.says = [said()]
    path = "/api/v1/console/ask"
    answer = await console.client.post(path, json={"text": "Apa kabar?"}, headers=console.token(Rol.FOUNDER))
    assert answer.json() == {"written_by": "tiny", "sentences": [], "dropped": 0, "proposal": None, "ticket_id": None}
    console.client.cookies.clear()
    refused = await console.client.post(path, json={"text": "Apa kabar?"}, headers=console.token(Rol.OPERATOR))
    assert refused.status_code == 403
    console.app.state.model = None
    answer = await console.client.post(path, json={"text": "Apa kabar?"}, headers=console.token(Rol.FOUNDER))
    assert answer.status_code == 409


async def test_without_a_model_the_page_says_so_and_offers_the_ledgers_questions(desk: tuple[Desk, Mind]) -> None:
    console, _ = desk
    console.app.state.model = None
    page = (await console.client.get("/copilot", headers=PAGE)).text
    assert "Belum ada model" in page
    assert 'action="/copilot/answer"' in page
    assert 'action="/copilot/ask"' not in page


async def test_what_is_new_counts_from_the_visit_before_this_one(desk: tuple[Desk, Mind]) -> None:
    console, _ = desk
    assert 'id="news"' not in (await console.client.get("/copilot", headers=PAGE)).text
    async with console.database.transaction(console.tenant) as tx:
        await tx.connection.execute(
            "UPDATE founder_console.visits SET since_at = now() - interval '3 hours', "
            "seen_at = now() - interval '2 hours'"
        )
        await a_ticket(tx, console.by)
    for _ in range(2):
        page = (await console.client.get("/copilot", headers=PAGE)).text
        assert "Count the stock" in page.split('id="news"')[1].split("</section>")[0]

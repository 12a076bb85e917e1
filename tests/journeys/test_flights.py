"""The main job on real input, once without any framework and once through all three."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.journeys.auditor import assert_an_auditor_finds_all_of_it
from tests.journeys.flights import Question, draw, flights_csv, ranking_in, same_ranking
from tests.journeys.mailbox import Mailbox, all_text, smtp_server
from tests.processes import FounderClient, Machine, founder_of, free_port, machine

pytestmark = pytest.mark.timeout(240)

PROCEDURE = [
    {"tool": "describe_table", "arguments": {"name": "flights.csv"}, "save_as": "table"},
    {
        "tool": "query_table",
        "arguments": {
            "sql": 'SELECT carrier, round(avg(arr_delay), 2) AS mean_arr_delay FROM "{{ table.table }}" '
            "WHERE month = {{ ticket.fields.month }} GROUP BY carrier ORDER BY avg(arr_delay) DESC "
            "LIMIT {{ ticket.fields.count }}"
        },
        "save_as": "worst",
    },
    {
        "tool": "write_document",
        "arguments": {
            "name": "report.md",
            "media_type": "text/markdown",
            "content": "{% for carrier, mean in worst.rows %}| {{ carrier }} | {{ mean }} |\n{% endfor %}",
        },
    },
    {
        "tool": "send_email",
        "arguments": {
            "to": ["{{ ticket.fields.partner }}"],
            "subject": "Carriers with the worst mean arrival delay",
            "body": "The report is attached.",
            "attachments": ["report.md"],
        },
    },
]

ENGINES: dict[str, dict[str, Any]] = {
    "procedure": {"worker": "procedure", "backbone": "plain", "procedure": PROCEDURE},
    "frameworks": {"worker": "smolagents", "backbone": "langgraph"},
}


def analyst(engine: dict[str, Any]) -> dict[str, Any]:
    """The terms of an analyst who may read, write documents, and mail only when asked."""
    allowed = ("list_inputs", "read_input", "describe_table", "query_table", "write_document", "write_note")
    tools = [{"tool": name, "mode": "allow"} for name in allowed]
    return {
        "name": "Analyst",
        "title": "Data analyst",
        "job_description": "Answers questions about attached tables and reports to partners by mail.",
        "boundary": {"tools": [*tools, {"tool": "send_email", "mode": "ask"}]},
        "budget": [
            {"unit": "calls", "period": "ticket", "limit": 40},
            {"unit": "tokens", "period": "day", "limit": 1_000_000},
            {"unit": "minutes", "period": "day", "limit": 60},
        ],
        "engine": engine,
    }


@pytest.fixture
def mailbox_and_url() -> Iterator[tuple[Mailbox, str]]:
    with smtp_server() as served:
        yield served


@pytest.fixture
def ring(tmp_path: Path, superuser_dsn: str, mailbox_and_url: tuple[Mailbox, str]) -> Iterator[Machine]:
    port = free_port()
    environment = {"FLR_SMTP_URL": mailbox_and_url[1], "FLR_MODEL_BASE_URL": f"http://127.0.0.1:{port}/v1"}
    with machine(tmp_path, superuser_dsn, **environment) as made:
        made.start("model", "app.adapters.models.scripted_server", "--port", str(port))
        yield made


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
async def test_the_analyst_answers_on_real_data_and_the_mail_waits_for_the_founder(
    engine: dict[str, Any], ring: Machine, mailbox_and_url: tuple[Mailbox, str], tmp_path: Path
) -> None:
    mailbox = mailbox_and_url[0]
    question = draw()
    with await founder_of(ring) as founder:
        ring.start_ring()
        role = founder.hire(analyst(engine))
        ticket = ask(founder, question, role["id"])
        approval = founder.wait_for_approval(ticket["id"], seconds=90)
        assert approval["tool"] == "send_email"
        assert question.partner in str(approval["payload"]["arguments"]["to"])
        assert mailbox.messages == []
        founder.approve(approval["id"])
        founder.wait_for_ticket(ticket["id"], "done", seconds=90)
        assert mailbox.recipients == [[question.partner]]
        found = ranking_in(all_text(mailbox.messages[0]))
        assert same_ranking(found, question.answer()), f"{question}: {found} is not {question.answer()}"
        assert_every_call_is_in_the_ledger(founder, ticket["id"])
        assert_an_auditor_finds_all_of_it(founder, ticket["id"], tmp_path)


def ask(founder: FounderClient, question: Question, role_id: str | None) -> Any:
    ticket = founder.post(
        "/tickets",
        {
            "title": "Worst carriers",
            "instructions": question.instructions,
            "fields": {"count": str(question.count), "month": str(question.month), "partner": question.partner},
            "role_id": role_id,
            "start": False,
        },
    )
    founder.attach(ticket["id"], "flights.csv", flights_csv(), "text/csv")
    founder.post(f"/exec/start/{ticket['id']}")
    return ticket


def assert_every_call_is_in_the_ledger(founder: FounderClient, ticket_id: str) -> None:
    run = founder.get(f"/tickets/{ticket_id}/runs")["items"][0]
    status = founder.get(f"/exec/{run['id']}/status")
    calls = [step for step in status["steps"] if step["kind"] == "tool"]
    assert calls, "the worker called tools"
    events = founder.all_events(run_id=run["id"])
    for step in calls:
        done = [event for event in events if event["type"] == "tool.done" and event["step"] == step["step"]]
        assert len(done) == 1, f"step {step['step']} {step['name']} has one tool.done event"
        assert done[0]["approval_signature"], f"step {step['step']} is signed"
        assert_evidence_is_readable(founder, done[0])
    report = founder.get("/events/chain-verify")
    assert report["ok"], report


def assert_evidence_is_readable(founder: FounderClient, event: Any) -> None:
    assert event["evidence"], f"{event['type']} of step {event['step']} has evidence"
    signed = founder.get(f"/events/{event['event_id']}/evidence")
    first = signed["items"][0] if "items" in signed else signed
    content = httpx.get(first["url"].replace("localhost", "127.0.0.1"), timeout=10)
    assert content.status_code == httpx.codes.OK

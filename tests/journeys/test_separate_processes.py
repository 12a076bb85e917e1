"""The ring over separate processes, with a worker taken away in the middle of a call."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.auditor import assert_an_auditor_finds_all_of_it
from tests.journeys.receiver import Receiver, http_receiver
from tests.processes import Machine, founder_of, machine, wait_until

pytestmark = pytest.mark.timeout(120)


def terms(method: str, url: str) -> dict[str, Any]:
    """A role that makes one HTTP call and then writes down that it did."""
    call: dict[str, Any] = {"tool": "http_request", "arguments": {"method": method, "url": url}}
    if method == "GET":
        call = {"tool": "http_get", "arguments": {"url": url}}
    return {
        "name": "Caller",
        "title": "Caller",
        "job_description": f"Calls {url} and notes it.",
        "boundary": {
            "tools": [{"tool": call["tool"], "mode": "allow"}, {"tool": "write_note", "mode": "allow"}],
            "egress_hosts": ["127.0.0.1"],
        },
        "budget": [{"unit": "calls", "period": "ticket", "limit": 10}],
        "engine": {
            "worker": "procedure",
            "backbone": "plain",
            "procedure": [
                {"tool": "write_note", "arguments": {"text": "before"}},
                call,
                {"tool": "write_note", "arguments": {"text": "after"}},
            ],
        },
    }


@pytest.fixture
def receiver_and_address() -> Iterator[tuple[Receiver, str]]:
    with http_receiver() as served:
        yield served


@pytest.fixture
def ring(tmp_path: Path, superuser_dsn: str, receiver_and_address: tuple[Receiver, str]) -> Iterator[Machine]:
    with machine(tmp_path, superuser_dsn, FLR_HTTP_ALLOW_PRIVATE=receiver_and_address[1]) as made:
        yield made


async def test_another_worker_ends_what_a_killed_one_began(
    ring: Machine, receiver_and_address: tuple[Receiver, str]
) -> None:
    receiver, address = receiver_and_address
    receiver.delay_seconds = 2.0
    with await founder_of(ring) as founder:
        ring.start_ring()
        role = founder.hire(terms("GET", f"http://{address}/prices"))
        ticket = founder.post("/tickets", {"title": "Call", "instructions": "Call.", "role_id": role["id"]})
        wait_until(receiver.arrived.is_set, said=f"the call; worker: {ring.said('worker')}")
        ring.start("second", "app.cli", "worker")
        ring.start("second-sealer", "app.cli", "sealer")
        ring.kill("worker")
        receiver.delay_seconds = 0.0
        founder.wait_for_ticket(ticket["id"], "done", seconds=40)
        notes = founder.all_events(ticket_id=ticket["id"], type="tool.done")
        assert len([event for event in notes if event["data"].get("tool") == "write_note"]) == 2
        assert len(receiver.keys()) == 1, "a repeated read carries the same key"
        assert founder.get("/events/chain-verify")["ok"]


async def test_a_lost_answer_of_a_call_that_acts_is_asked_not_repeated(
    ring: Machine, receiver_and_address: tuple[Receiver, str], tmp_path: Path
) -> None:
    receiver, address = receiver_and_address
    receiver.delay_seconds = 3.0
    with await founder_of(ring) as founder:
        ring.start_ring()
        role = founder.hire(terms("POST", f"http://{address}/orders"))
        ticket = founder.post("/tickets", {"title": "Order", "instructions": "Order.", "role_id": role["id"]})
        approval = founder.wait_for_approval(ticket["id"]) if not receiver.arrived.wait(3) else None
        if approval is not None:
            founder.approve(approval["id"])
            wait_until(receiver.arrived.is_set, said="the call after its approval")
        ring.kill("worker")
        ring.start("second", "app.cli", "worker")
        asked = founder.wait_for_approval(ticket["id"], seconds=40)
        assert asked["kind"] == "unknown_outcome"
        assert len(receiver.requests) == 1
        founder.approve(asked["id"])
        founder.wait_for_ticket(ticket["id"], "done", seconds=40)
        assert len(receiver.requests) == 1, "never a blind retry"
        assert_an_auditor_finds_all_of_it(founder, ticket["id"], tmp_path)

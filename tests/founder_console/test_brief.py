"""The brief says what happened, gravest first, and never without a source."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from app.canon.vocabulary import Money
from app.founder_console.copilot.brief import Facts, findings
from app.founder_console.counts import Count, Source
from app.governance_ledger import RecordedEvent

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
TYPES = (
    "ticket.opened",
    "ticket.done",
    "ticket.failed",
    "approval.raised",
    "approval.decided",
    "approval.expired",
    "tool.refused",
    "tool.unknown",
    "tool.done",
    "revenue.recorded",
    "x.custom",
)


def event(kind: str, minutes_ago: int = 0, **data: object) -> RecordedEvent:
    at = NOW - timedelta(minutes=minutes_ago)
    return RecordedEvent(
        n=1,
        event_id=uuid4(),
        tenant_id=uuid4(),
        type=kind,
        actor="worker:raka",
        occurred_at=at,
        recorded_at=at,
        xid="1",
        ticket_id=None,
        run_id=None,
        step=None,
        data=data,
        approval_signature=None,
        evidence=(),
        subjects=(),
        leaf="",
        seq=None,
        hash=None,
    )


def count(kind: str, n: int = 1, *, minutes_ago: int = 0, **said: Any) -> Count:
    sources = tuple(Source(uuid4(), NOW - timedelta(minutes=minutes_ago)) for _ in range(min(n, 10)))
    return Count(type=kind, n=n, sources=sources, **said)


def test_what_waits_comes_first() -> None:
    waiting = count("approval.raised", minutes_ago=30, name=str(uuid4()))
    found = findings(Facts((count("ticket.done"),), (waiting,)))
    assert [finding.code for finding in found] == ["waiting", "done"]
    assert found[0].n == 1
    assert found[0].at == NOW - timedelta(minutes=30)


def test_amounts_of_two_currencies_are_never_added() -> None:
    counts = (
        count("revenue.recorded", unit="IDR", amount=240_000),
        count("revenue.recorded", unit="IDR", amount=60_000, role_id=uuid4()),
        count("revenue.recorded", unit="USD", amount=1_999),
    )
    assert [finding.amount for finding in findings(Facts(counts))] == [Money(300_000, "IDR"), Money(1_999, "USD")]


def test_more_given_back_than_earned_is_called_by_its_name() -> None:
    [finding] = findings(Facts((count("revenue.recorded", 2, unit="IDR", amount=-30_000),)))
    assert (finding.code, finding.n, finding.amount) == ("refunded", 2, Money(30_000, "IDR"))


def test_a_missed_deadline_is_told_apart_from_a_finished_ticket() -> None:
    late, kept = count("ticket.done", verdict="late"), count("ticket.done")
    titles = {late.sources[0].event_id: "Lama", kept.sources[0].event_id: "Baru"}
    found = {finding.code: finding for finding in findings(Facts((late, kept), titles=titles))}
    assert found["late"].names == ("Lama",)
    assert found["done"].n == 2


def test_three_titles_are_named_and_the_rest_is_counted() -> None:
    [finding] = findings(Facts((count("ticket.done", 9_000),)))
    assert (len(finding.names), finding.rest, len(finding.sources)) == (3, 8_997, 10)


def test_decisions_are_counted_by_what_was_said_and_only_once() -> None:
    counts = [
        count("approval.decided", n, verdict=verdict, unit=unit)
        for verdict, n in (("approve", 2), ("reject", 1))
        for unit in ("seconds_pending", "seconds_open")
    ]
    [finding] = findings(Facts(tuple(counts)))
    assert (finding.n, finding.yes, finding.nays) == (3, 2, 1)


@given(st.lists(st.sampled_from(TYPES), max_size=30))
def test_nothing_is_said_without_a_source(kinds: list[str]) -> None:
    counts = tuple(count(kind, unit="IDR" if kind in ("tool.done", "revenue.recorded") else "") for kind in kinds)
    for finding in findings(Facts(counts)):
        assert finding.sources
        assert finding.n <= len(counts)
        assert {*finding.sources} <= {source for one in counts for source in one.sources}

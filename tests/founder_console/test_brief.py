"""The brief says what happened, gravest first, and never without a source."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from app.canon.vocabulary import Money
from app.founder_console.copilot.brief import findings
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


def test_what_waits_comes_first_and_only_while_it_waits() -> None:
    waiting, answered = uuid4(), uuid4()
    events = [
        event("ticket.done", title="Laporan"),
        event("approval.raised", 30, approval_id=str(waiting)),
        event("approval.raised", 60, approval_id=str(answered)),
    ]
    found = findings(events, [waiting])
    assert [finding.code for finding in found] == ["waiting", "done"]
    assert found[0].n == 1
    assert found[0].at == NOW - timedelta(minutes=30)


def test_amounts_of_two_currencies_are_never_added() -> None:
    events = [
        event("revenue.recorded", amount_minor="240000", currency="IDR"),
        event("revenue.recorded", amount_minor="60000", currency="IDR"),
        event("revenue.recorded", amount_minor="1999", currency="USD"),
    ]
    assert [finding.amount for finding in findings(events)] == [Money(300_000, "IDR"), Money(1_999, "USD")]


def test_more_given_back_than_earned_is_called_by_its_name() -> None:
    events = [event("revenue.recorded", amount_minor=minor, currency="IDR") for minor in ("50000", "-80000")]
    [finding] = findings(events)
    assert (finding.code, finding.amount) == ("refunded", Money(30_000, "IDR"))


def test_a_missed_deadline_is_told_apart_from_a_finished_ticket() -> None:
    late, kept = event("ticket.done", title="Lama", sla_met=False), event("ticket.done", title="Baru", sla_met=True)
    found = {finding.code: finding for finding in findings([late, kept])}
    assert found["late"].names == ("Lama",)
    assert found["done"].n == 2


def test_decisions_are_counted_by_what_was_said() -> None:
    events = [event("approval.decided", decision=decision) for decision in ("approve", "approve", "reject")]
    [finding] = findings(events)
    assert (finding.yes, finding.nays) == (2, 1)


@given(st.lists(st.sampled_from(TYPES), max_size=30))
def test_nothing_is_said_without_a_source(kinds: list[str]) -> None:
    events = [event(kind, title="T", tool="t", currency="IDR", amount_minor="1", approval_id="a") for kind in kinds]
    for finding in findings(events):
        assert finding.events
        assert finding.n <= len(events)
        assert {one.event_id for one in finding.events} <= {one.event_id for one in events}

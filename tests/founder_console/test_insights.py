"""Forecasts, anomalies and suggestions: by rules, with their events, and with the screen where to act."""

from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import msgspec

from app.founder_console import load_words
from app.founder_console.copilot.insights import Evidence, insights
from app.founder_console.counts import Count, Source
from app.founder_console.formats import Formats
from app.founder_console.naming import Naming
from app.role_registry import BudgetState, Role
from tests.founder_console.test_brief import NOW, count

WORDS = load_words(Path(__file__).parents[2] / "frontend" / "i18n")["en"]
FORMATS = Formats("en", ZoneInfo("Asia/Jakarta"), NOW)
RAKA = UUID(int=7)
TODAY = datetime(2026, 11, 22, tzinfo=FORMATS.zone)
MONTH = TODAY.replace(day=1)


def role() -> Role:
    fields: dict[str, Any] = dict.fromkeys(Role.__struct_fields__)
    return Role(**{**fields, "id": RAKA, "name": "Raka", "status": "active"})


NAMING = Naming(words=WORDS, formats=FORMATS, me=uuid4(), founders=(), roles=MappingProxyType({RAKA: role()}))


def evidence(**given: Any) -> Evidence:
    nothing = Evidence(
        now=FORMATS.now,
        today=TODAY,
        days=(),
        models={},
        refused=(),
        decided=(),
        usual={},
        opened={},
        last={},
        asked={},
        tickets=(),
        budgets={},
        roles=(role(),),
    )
    return msgspec.structs.replace(nothing, **given)


def spent(micros: int, days_ago: int = 0) -> Count:
    at = TODAY - timedelta(days=days_ago) if days_ago else None
    return count("model.done", role_id=RAKA, unit="usd_micros", amount=micros, at=at)


def source(minutes_ago: int) -> Source:
    return Source(uuid4(), NOW - timedelta(minutes=minutes_ago))


def state(used: int, limit: int = 1_000_000, period: Any = "month") -> BudgetState:
    key = "2026-11" if period == "month" else "2026-11-22"
    return BudgetState(
        unit="usd_micros", period=period, currency=None, limit=limit, spent=used, reserved=0, period_key=key
    )


def codes(found: Evidence) -> list[str]:
    return [sentence.code for sentence in insights(found, NAMING)]


def test_a_budget_that_ends_before_its_month_is_foretold_with_a_day() -> None:
    [said] = insights(evidence(models={MONTH: (spent(900_000),)}, budgets={RAKA: (state(900_000),)}), NAMING)
    assert (said.code, said.kind, said.more) == ("runs_out", "forecast", f"/workers/{RAKA}")
    assert "90% used" in said.text
    assert said.sources
    assert codes(evidence(models={MONTH: (spent(500_000),)}, budgets={RAKA: (state(500_000),)})) == []


def test_spend_that_jumps_is_told_against_the_usual() -> None:
    usual = tuple(spent(40_000, days) for days in (1, 2, 3))
    assert codes(evidence(models={TODAY: (spent(130_000),)}, days=usual)) == ["jump"]
    assert codes(evidence(models={TODAY: (spent(90_000),)}, days=usual)) == []
    assert codes(evidence(models={TODAY: (spent(130_000),)}, days=usual[:1])) == []


def test_the_same_refusal_three_times_is_told_once() -> None:
    def refused(n: int) -> Evidence:
        return evidence(refused=(count("tool.refused", n, role_id=RAKA, name="order_payment"),))

    [said] = insights(refused(3), NAMING)
    assert (said.code, said.kind, said.n, len(said.sources)) == ("refusals", "anomaly", 3, 3)
    assert codes(refused(2)) == []


def test_questions_always_answered_with_yes_suggest_a_rule() -> None:
    def decided(answer: str, n: int) -> Count:
        return count("approval.decided", n, verdict=answer, unit="seconds_pending", role_id=RAKA, name="send_email")

    always, approval = decided("approve", 3), uuid4()
    asked = dict.fromkeys([one.event_id for one in always.sources], str(approval))
    [said] = insights(evidence(decided=(always,), asked=asked), NAMING)
    assert (said.code, said.kind, said.act) == ("alike", "suggestion", "Make a rule")
    assert said.more == f"/approvals/{approval}"
    assert codes(evidence(decided=(always, decided("reject", 1)), asked=asked)) == []
    assert codes(evidence(decided=(decided("approve", 2),))) == []


def test_a_worker_that_does_nothing_for_a_week_is_offered_work() -> None:
    [said] = insights(evidence(last={RAKA: source(8 * 24 * 60)}), NAMING)
    assert (said.code, said.more) == ("idle", f"/tickets/new?role={RAKA}")
    assert codes(evidence(last={RAKA: source(60)})) == []


def test_a_budget_that_is_hardly_used_could_be_cut() -> None:
    assert codes(evidence(models={MONTH: (spent(50_000),)}, budgets={RAKA: (state(50_000),)})) == ["unused"]


def test_a_finding_without_an_event_is_not_told() -> None:
    assert codes(evidence(budgets={RAKA: (state(900_000),)})) == []


def test_a_deadline_that_comes_sooner_than_such_work_takes_is_foretold() -> None:
    from app.work_queue import Ticket

    fields: dict[str, Any] = dict.fromkeys(Ticket.__struct_fields__)
    ticket = Ticket(**{**fields, "id": uuid4(), "title": "Report", "role_id": RAKA, "due_at": NOW + timedelta(hours=4)})
    opened = {ticket.id: source(60)}
    assert codes(evidence(tickets=(ticket,), opened=opened)) == []
    slow = {RAKA: timedelta(hours=5)}
    assert codes(evidence(tickets=(ticket,), opened=opened, usual=slow)) == ["due"]
    late = msgspec.structs.replace(ticket, due_at=NOW - timedelta(minutes=1))
    assert codes(evidence(tickets=(late,), opened=opened)) == ["overdue"]

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
from app.founder_console.formats import Formats
from app.founder_console.naming import Naming
from app.governance_ledger import RecordedEvent
from app.role_registry import BudgetState, Role
from tests.founder_console.test_brief import NOW, event

WORDS = load_words(Path(__file__).parents[2] / "frontend" / "i18n")["en"]
FORMATS = Formats("en", ZoneInfo("Asia/Jakarta"), NOW)
RAKA = UUID(int=7)


def role() -> Role:
    fields: dict[str, Any] = dict.fromkeys(Role.__struct_fields__)
    return Role(**{**fields, "id": RAKA, "name": "Raka", "status": "active"})


NAMING = Naming(words=WORDS, formats=FORMATS, me=uuid4(), founders=(), roles=MappingProxyType({RAKA: role()}))


def evidence(**given: Any) -> Evidence:
    nothing = Evidence(
        now=FORMATS.now,
        today=datetime(2026, 11, 22, tzinfo=FORMATS.zone),
        models=(),
        refused=(),
        decided=(),
        closed=(),
        opened={},
        last={},
        tickets=(),
        budgets={},
        roles=(role(),),
    )
    return msgspec.structs.replace(nothing, **given)


def spent(days_ago: int, micros: int) -> RecordedEvent:
    return event("model.done", days_ago * 24 * 60, role_id=str(RAKA), cost_usd_micros=micros)


def state(used: int, limit: int = 1_000_000, period: Any = "month") -> BudgetState:
    key = "2026-11" if period == "month" else "2026-11-22"
    return BudgetState(
        unit="usd_micros", period=period, currency=None, limit=limit, spent=used, reserved=0, period_key=key
    )


def codes(found: Evidence) -> list[str]:
    return [sentence.code for sentence in insights(found, NAMING)]


def test_a_budget_that_ends_before_its_month_is_foretold_with_a_day() -> None:
    [said] = insights(evidence(models=(spent(1, 900_000),), budgets={RAKA: (state(900_000),)}), NAMING)
    assert (said.code, said.kind, said.more) == ("runs_out", "forecast", f"/workers/{RAKA}")
    assert "90% used" in said.text
    assert said.sources
    assert codes(evidence(models=(spent(1, 500_000),), budgets={RAKA: (state(500_000),)})) == []


def test_spend_that_jumps_is_told_against_the_usual() -> None:
    usual = tuple(spent(days, 40_000) for days in (1, 2, 3))
    assert codes(evidence(models=(spent(0, 130_000), *usual))) == ["jump"]
    assert codes(evidence(models=(spent(0, 90_000), *usual))) == []
    assert codes(evidence(models=(spent(0, 130_000), spent(1, 40_000)))) == []


def test_the_same_refusal_three_times_is_told_once() -> None:
    refused = tuple(event("tool.refused", at, role_id=str(RAKA), tool="order_payment") for at in (1, 2, 3))
    [said] = insights(evidence(refused=refused), NAMING)
    assert (said.code, said.kind, len(said.sources)) == ("refusals", "anomaly", 3)
    assert codes(evidence(refused=refused[:2])) == []


def test_questions_always_answered_with_yes_suggest_a_rule() -> None:
    def decided(answer: str) -> RecordedEvent:
        made = event("approval.decided", 5, decision=answer, approval_id=str(uuid4()), role_id=str(RAKA))
        return msgspec.structs.replace(made, data={**made.data, "tool": "send_email", "kind": "tool_call"})

    always = tuple(decided("approve") for _ in range(3))
    [said] = insights(evidence(decided=always), NAMING)
    assert (said.code, said.kind, said.act) == ("alike", "suggestion", "Make a rule")
    assert said.more == f"/approvals/{always[0].data['approval_id']}"
    assert codes(evidence(decided=(*always, decided("reject")))) == []


def test_a_worker_that_does_nothing_for_a_week_is_offered_work() -> None:
    idle = event("tool.done", 8 * 24 * 60)
    [said] = insights(evidence(last={RAKA: idle}), NAMING)
    assert (said.code, said.more) == ("idle", f"/tickets/new?role={RAKA}")
    assert codes(evidence(last={RAKA: event("tool.done", 60)})) == []


def test_a_budget_that_is_hardly_used_could_be_cut() -> None:
    assert codes(evidence(models=(spent(2, 50_000),), budgets={RAKA: (state(50_000),)})) == ["unused"]


def test_a_finding_without_an_event_is_not_told() -> None:
    assert codes(evidence(budgets={RAKA: (state(900_000),)})) == []


def test_a_deadline_that_comes_sooner_than_such_work_takes_is_foretold() -> None:
    from app.work_queue import Ticket

    fields: dict[str, Any] = dict.fromkeys(Ticket.__struct_fields__)
    ticket = Ticket(**{**fields, "id": uuid4(), "title": "Report", "role_id": RAKA, "due_at": NOW + timedelta(hours=4)})
    opened = {ticket.id: event("ticket.opened", 60)}
    assert codes(evidence(tickets=(ticket,), opened=opened)) == []
    slow = tuple(event("ticket.done", 99, role_id=str(RAKA), seconds_from_started=5 * 3600) for _ in range(2))
    assert codes(evidence(tickets=(ticket,), opened=opened, closed=slow)) == ["due"]
    late = msgspec.structs.replace(ticket, due_at=NOW - timedelta(minutes=1))
    assert codes(evidence(tickets=(late,), opened=opened)) == ["overdue"]

"""Boundaries to start from. A preset is only a text that the founder then edits and signs."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from app.canon.contract import (
    AnyOf,
    ArgumentRule,
    Boundary,
    Count,
    InTicket,
    KnownParty,
    Max,
    Mode,
    OneOf,
    SumRule,
    ToolRule,
    WorkingHours,
)

PresetName: TypeAlias = Literal["observer", "drafter", "clerk", "trusted"]

READS = ("list_inputs", "read_input", "describe_table", "query_table")
WRITES = ("write_document", "write_note")
NAMED = AnyOf((InTicket(), KnownParty()))
OFFICE_HOURS = WorkingHours((1, 2, 3, 4, 5), "07:00", "19:00")


def _rules(mode: Mode, *tools: str) -> tuple[ToolRule, ...]:
    return tuple(ToolRule(tool, mode) for tool in tools)


def _mail(mode: Mode, recipients: int) -> ToolRule:
    return ToolRule(
        "send_email", mode, (ArgumentRule("to", (Count(recipients),), "deny"), ArgumentRule("to", (NAMED,)))
    )


def _payment(mode: Mode, each: int, month: int) -> ToolRule:
    return ToolRule(
        "order_payment",
        mode,
        (
            ArgumentRule("currency", (OneOf(("IDR",)),), "deny"),
            ArgumentRule("amount_minor", (Max(each),)),
            ArgumentRule("account", (NAMED,)),
        ),
        (SumRule("amount_minor", "month", month, "deny"),),
    )


OBSERVER = Boundary(tools=(*_rules("allow", *READS, "write_note"),), calls_per_minute=60)
DRAFTER = Boundary(
    tools=(*_rules("allow", *READS, *WRITES), *_rules("ask", "open_ticket"), _mail("ask", 5)), calls_per_minute=60
)
CLERK = Boundary(
    tools=(
        *_rules("allow", *READS, *WRITES, "open_ticket", "http_get"),
        _mail("allow", 5),
        ToolRule("record_revenue", "allow", (ArgumentRule("currency", (OneOf(("IDR",)),)),)),
        _payment("ask", 5_000_000, 25_000_000),
    ),
    working_hours=OFFICE_HOURS,
    calls_per_minute=120,
)
TRUSTED = Boundary(
    tools=(
        *_rules("allow", *READS, *WRITES, "open_ticket", "record_revenue", "http_get", "http_request"),
        _mail("allow", 20),
        _payment("allow", 5_000_000, 50_000_000),
    ),
    calls_per_minute=240,
)

PRESETS: Mapping[PresetName, Boundary] = {
    "observer": OBSERVER,
    "drafter": DRAFTER,
    "clerk": CLERK,
    "trusted": TRUSTED,
}
"""Observer reads and notes. Drafter writes, and asks before anything leaves. Clerk does routine work by itself within
office hours and asks before it pays. Trusted acts within caps; strangers, secrets and bigger sums still ask."""

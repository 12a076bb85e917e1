"""The Laws that never change, as data."""

import msgspec


class Law(msgspec.Struct, frozen=True):
    number: int
    title: str
    text: str
    proof: str


LAW_17 = Law(
    17,
    "Every agent action is in the ledger",
    "Each tool call of a worker writes to governance_events with its hash link, an approval signature and "
    "evidence. No entry, no effect: what bypasses the ledger is rolled back.",
    "tests/laws/test_law_17_no_entry_no_effect.py",
)
LAW_18 = Law(
    18,
    "The framework is commodity, the Canon is the moat",
    "Agent frameworks are adapters and can be swapped through a decision record. The Canon and the ledger cannot.",
    "tests/laws/test_law_18_framework_is_commodity.py",
)
LAWS = (LAW_17, LAW_18)

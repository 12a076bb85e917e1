"""The tools of a run, fixed from role and ticket before its first read: what is read later cannot widen them."""

import re
from collections.abc import Mapping

from app.canon.contract import Contract
from app.canon.gate import risk_of
from app.canon.tool import ToolSpec
from app.canon.vocabulary import Risk
from app.work_queue import Ticket

FIELD = "tools"
GRAVE = frozenset({Risk.MONEY, Risk.IRREVERSIBLE})


def offered_tools(contract: Contract, tools: Mapping[str, ToolSpec], ticket: Ticket) -> tuple[str, ...]:
    """What the worker is told of: tools that the role's boundary names and does not deny, and this installation has;
    of these only the ones that the founder's ticket lists in its field `tools`, if it lists any."""
    rules = contract.terms.boundary.tools
    denied = {rule.tool for rule in rules if rule.mode == "deny"}
    names = {rule.tool for rule in rules if rule.tool in tools} - denied
    listed = set(re.split(r"[\s,;]+", ticket.fields.get(FIELD, ""))) if ticket.founder_wrote else set()
    return tuple(sorted(names & listed or names))


def fixed_tools(contract: Contract, tools: Mapping[str, ToolSpec], ticket: Ticket) -> tuple[str, ...]:
    """What the gate lets pass without a question of its own: the offered tools, but none that moves money or cannot be
    taken back when the ticket is no founder's. Whoever laundered a wish through a ticket meets a human."""
    offered = offered_tools(contract, tools, ticket)
    if ticket.founder_wrote:
        return offered
    rules = contract.terms.boundary.tools
    return tuple(
        name for name in offered if risk_of(tools[name], [rule for rule in rules if rule.tool == name]) not in GRAVE
    )

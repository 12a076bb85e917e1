"""What must be true once the dust has settled, counted in the database, in the ledger and at the other end."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from app.governance_ledger import verify_chain
from app.postgres import Database
from tests.chaos.company import Company, Kind
from tests.journeys.receiver import Receiver


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """All but the first lines must be nothing, and the chain must hold. Lists name tickets and steps, for looking."""

    tickets: int
    children: int
    steps: int
    posts: int
    taken_over: int
    continued: int
    repeated_with_key: int
    asked_about: int
    lost: list[str]
    doubled: list[str]
    blind_retries: list[str]
    unrecorded: list[str]
    chain_ok: bool
    chain_events: int

    @property
    def ok(self) -> bool:
        return self.chain_ok and not (self.lost or self.doubled or self.blind_retries or self.unrecorded)


_TICKETS = "SELECT id::text, parent_id::text, title, status FROM work_queue.tickets WHERE tenant_id = $1"
_WRITTEN = """
SELECT ticket_id::text, count(*) FILTER (WHERE k = 'n') AS notes, count(*) FILTER (WHERE k = 'd') AS documents
FROM (SELECT tenant_id, ticket_id, 'n' AS k FROM execution_graph.notes UNION ALL
      SELECT tenant_id, ticket_id, 'd' FROM execution_graph.documents) w
WHERE tenant_id = $1 GROUP BY ticket_id
"""
_STEPS = """
WITH told AS (
  SELECT run_id, step, count(*) FILTER (WHERE type IN ('tool.done', 'tool.failed')) AS ends,
         count(*) FILTER (WHERE type = 'tool.intended') AS intents
    FROM governance_ledger.governance_events WHERE tenant_id = $1 GROUP BY run_id, step
)
SELECT s.run_id::text, s.step, s.name, s.state, s.attempts, s.effect,
       coalesce(told.ends, 0) AS ends, coalesce(told.intents, 0) AS intents
  FROM execution_graph.run_steps s LEFT JOIN told USING (run_id, step) WHERE s.tenant_id = $1
"""
_TYPES = "SELECT type, count(*) FROM governance_ledger.governance_events WHERE tenant_id = $1 GROUP BY type"


async def look(company: Company, receiver: Receiver, *, superuser: str, app: str) -> Findings:
    """Everything is closed and sealed when this is called."""
    tenant = company.founded.tenant
    connection = await asyncpg.connect(superuser)
    try:
        tickets = await connection.fetch(_TICKETS, tenant)
        written = {row["ticket_id"]: row for row in await connection.fetch(_WRITTEN, tenant)}
        steps = await connection.fetch(_STEPS, tenant)
        types = {row["type"]: int(row["count"]) for row in await connection.fetch(_TYPES, tenant)}
    finally:
        await connection.close()
    async with Database(app, max_size=2) as database, database.transaction(tenant) as tx:
        report = await verify_chain(tx, full=True)
    children = [ticket for ticket in tickets if ticket["parent_id"]]
    wanted = _wanted(company, tickets)
    return Findings(
        tickets=len(company.opened),
        children=len(children),
        steps=len(steps),
        posts=len(receiver.requests),
        taken_over=types.get("run.taken_over", 0),
        continued=types.get("run.continued", 0),
        repeated_with_key=types.get("tool.repeated", 0),
        asked_about=types.get("tool.unknown", 0),
        lost=_lost(wanted, tickets, written) + _missing_children(company, children),
        doubled=_doubled(wanted, tickets, written, company) + _recorded_twice(steps),
        blind_retries=_blind(receiver),
        unrecorded=_unrecorded(receiver, steps),
        chain_ok=report.ok and report.unsealed.count == 0,
        chain_events=report.events,
    )


def _wanted(company: Company, tickets: Sequence[Any]) -> dict[str, Kind]:
    """What each ticket of the company is: those that were opened, and their children."""
    local = next(kind for kind in company.kinds if kind.name == "Local")
    return {ticket["id"]: company.opened.get(ticket["id"], local) for ticket in tickets}


def _lost(wanted: dict[str, Kind], tickets: Sequence[Any], written: dict[str, Any]) -> list[str]:
    status = {ticket["id"]: ticket["status"] for ticket in tickets}
    unknown = [
        f"ticket {ticket_id} was answered for and is not there" for ticket_id in wanted if ticket_id not in status
    ]
    return unknown + [
        f"{kind.name} {ticket_id} is {status[ticket_id]} with {_count(written, ticket_id)}"
        for ticket_id, kind in wanted.items()
        if ticket_id in status
        and (status[ticket_id] != "done" or _below(_count(written, ticket_id), (kind.notes, kind.documents)))
    ]


def _below(found: tuple[int, int], wanted: tuple[int, int]) -> bool:
    return found[0] < wanted[0] or found[1] < wanted[1]


def _count(written: dict[str, Any], ticket_id: str) -> tuple[int, int]:
    row = written.get(ticket_id)
    return (0, 0) if row is None else (row["notes"], row["documents"])


def _missing_children(company: Company, children: Sequence[Any]) -> list[str]:
    born = Counter(child["parent_id"] for child in children)
    return [f"a child of {ticket}" for ticket, kind in company.opened.items() if born[ticket] < kind.children]


def _doubled(wanted: dict[str, Kind], tickets: Sequence[Any], written: dict[str, Any], company: Company) -> list[str]:
    twice = [
        f"{kind.name} {ticket_id} has {_count(written, ticket_id)}"
        for ticket_id, kind in wanted.items()
        if _below((kind.notes, kind.documents), _count(written, ticket_id))
    ]
    born = Counter(ticket["parent_id"] for ticket in tickets if ticket["parent_id"])
    more = [f"children of {ticket}" for ticket, count in born.items() if count > wanted[ticket].children]
    opened_twice = [
        f"{ticket['title']!r} was opened without an answer"
        for ticket in tickets
        if not ticket["parent_id"] and ticket["id"] not in company.opened
    ]
    return twice + more + opened_twice


def _recorded_twice(steps: Sequence[Any]) -> list[str]:
    return [
        f"step {step['step']} of run {step['run_id']} ended {step['ends']} times, intended {step['intents']}"
        for step in steps
        if step["ends"] > 1 or step["intents"] > 1
    ]


def _blind(receiver: Receiver) -> list[str]:
    """The same call that does not promise to be idempotent, made twice."""
    made = Counter(key for _, path, key in receiver.requests if path == "/once")
    return [f"{key} was sent {count} times" for key, count in made.items() if count > 1]


def _unrecorded(receiver: Receiver, steps: Sequence[Any]) -> list[str]:
    """What arrived at the other end, against what the journal says was done there; and what never got an end."""
    done = {f"{step['run_id']}:{step['step']}" for step in steps if step["state"] == "done"}
    arrived = {key for _, path, key in receiver.requests if path in ("/once", "/post_again")}
    said = {
        f"{step['run_id']}:{step['step']}"
        for step in steps
        if step["state"] == "done" and step["name"] in ("http_request", "post_again")
    }
    endless = [f"step {step['step']} of run {step['run_id']}" for step in steps if step["ends"] != 1]
    return (
        [f"{key} arrived and is not recorded as done" for key in sorted(arrived - done)]
        + [f"{key} is recorded as done and never arrived" for key in sorted(said - arrived)]
        + endless
    )

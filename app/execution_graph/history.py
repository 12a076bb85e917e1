"""What a role's workers have asked for in the past: journal and ledger, read only."""

from datetime import datetime
from uuid import UUID

import msgspec

from app.canon.tool import InputFile
from app.execution_graph.model import Step
from app.execution_graph.part_rows import earlier
from app.execution_graph.store import get_run, steps_of
from app.governance_ledger import EventFilter, RecordedEvent, read_events
from app.postgres import Transaction
from app.work_queue import inputs_of


class PastCall(msgspec.Struct, frozen=True):
    """One tool call of a role: its step, and what came before it in its work. `version` is the contract's."""

    run_id: UUID
    ticket_id: UUID
    version: int
    step: Step
    before: tuple[Step, ...]


async def look_only(tx: Transaction) -> None:
    """From here on this transaction can write nothing."""
    await tx.connection.execute("SET TRANSACTION READ ONLY")


async def past_calls(
    tx: Transaction, role_id: UUID, *, since: datetime, until: datetime, most: int
) -> tuple[PastCall, ...]:
    """The role's tool calls that were planned within, newest first, at most `most`."""
    rows = await tx.connection.fetch(_PAST, role_id, since, until, most)
    journals = {run_id: await _whole(tx, run_id) for run_id in dict.fromkeys(row["run_id"] for row in rows)}
    return tuple(
        PastCall(
            row["run_id"],
            row["ticket_id"],
            row["role_version"] or 0,
            next(step for step in journals[row["run_id"]] if step.step == row["step"]),
            tuple(step for step in journals[row["run_id"]] if step.step < row["step"]),
        )
        for row in rows
    )


async def pruned_runs(tx: Transaction, role_id: UUID, *, since: datetime, until: datetime) -> int:
    """How many runs of the role called a tool within and have lost what they asked for since."""
    return int(await tx.connection.fetchval(_PRUNED, role_id, since, until))


_PRUNED = """
SELECT count(*) FROM execution_graph.runs r WHERE r.role_id = $1 AND r.pruned_at IS NOT NULL AND EXISTS (
  SELECT FROM execution_graph.run_steps s
   WHERE s.run_id = r.id AND s.kind = 'tool' AND s.planned_at >= $2 AND s.planned_at < $3)
"""


async def _whole(tx: Transaction, run_id: UUID) -> tuple[Step, ...]:
    """The run's journal, behind the tool steps of the parts before."""
    run = await get_run(tx, run_id)
    return (*(await earlier(tx, run)).steps, *await steps_of(tx, run_id))


_PAST = """
SELECT s.run_id, s.step, r.ticket_id, r.role_version
FROM execution_graph.run_steps s JOIN execution_graph.runs r ON r.id = s.run_id
WHERE r.role_id = $1 AND r.pruned_at IS NULL AND s.kind = 'tool' AND s.planned_at >= $2 AND s.planned_at < $3
ORDER BY s.planned_at DESC, s.run_id, s.step DESC LIMIT $4
"""


async def tool_events(tx: Transaction, run_id: UUID) -> dict[int, list[RecordedEvent]]:
    """The ledger's `tool.` events of a run by step, in the order in which they were written."""
    found: dict[int, list[RecordedEvent]] = {}
    after: str | None = None
    while True:
        where = EventFilter(type="tool.", run_id=run_id)
        page = await read_events(tx, where, after=after, limit=500, newest_first=False)
        for event in page.items:
            found.setdefault(event.step or 0, []).append(event)
        if page.next_cursor is None:
            return found
        after = page.next_cursor


async def files_at(tx: Transaction, ticket_id: UUID, at: datetime) -> dict[InputFile, str]:
    """The files that the ticket had before `at`, each with its evidence key."""
    found: dict[str, tuple[InputFile, str]] = {}
    for given in await inputs_of(tx, ticket_id):
        if given.attached_at <= at:
            file = InputFile(
                given.name,
                given.media_type,
                given.size_bytes,
                given.sha256,
                given.trusted,
                given.secret,
                attached=True,
            )
            found[given.name] = (file, given.evidence_key)
    for row in await tx.connection.fetch(_WRITTEN, ticket_id, at):
        document = InputFile(row["name"], row["media_type"], row["size_bytes"], row["sha256"])
        found.setdefault(document.name, (document, row["evidence_key"]))
    return dict(found.values())


_WRITTEN = """
SELECT DISTINCT ON (name) name, media_type, size_bytes, sha256, evidence_key FROM execution_graph.documents
WHERE ticket_id = $1 AND written_at < $2 ORDER BY name, id DESC
"""

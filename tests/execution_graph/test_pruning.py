"""Old bodies leave the journal, one event for each run; what is open, doubtful or recent keeps all of it."""

from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest

from app.adapters.evidence import FolderStore
from app.canon.contract import ProcedureStep, ToolRule
from app.execution_graph import Pruned, Run, cancel_run, prune_tenant, store, would_prune
from app.execution_graph.executor import Executor
from app.execution_graph.pruning import prune, prune_all
from app.execution_graph.runs import run_event
from app.execution_graph.runtime import PartBounds
from app.governance_ledger import append, sealing, verify_chain
from app.postgres import Database
from tests.execution_graph.ring import Endpoint, Ring, builtin_tools, loses_its_answer

NOTES = [ProcedureStep("write_note", {"text": text}) for text in ("one", "two", "three")]


async def closed_run(ring: Ring, name: str = "Mira") -> Run:
    return (await ring.run(await ring.hire("write_note", procedure=NOTES, name=name))).run


async def pruned(ring: Ring, *, days: int = 100, later: int = 101) -> Pruned:
    """What goes when it is so many days later."""
    async with ring.transaction() as tx:
        await tx.connection.execute(
            "SELECT set_config('app.now', (now() + make_interval(days => $1))::text, true)", later
        )
        would = await would_prune(tx, days)
        gone = await prune(tx, days, actor=ring.founder.actor)
        assert gone == would
        return gone


async def bodies(ring: Ring, run: Run) -> list[str]:
    async with ring.transaction() as tx:
        rows = await tx.connection.fetch(
            "SELECT request, answer FROM execution_graph.run_steps WHERE run_id = $1 ORDER BY step", run.id
        )
    return [f"{row['request']} {row['answer']}" for row in rows]


async def test_an_old_run_loses_its_bodies_and_keeps_its_steps(ring: Ring) -> None:
    run = await closed_run(ring)
    before = await ring.view(run)
    gone = await pruned(ring)
    assert (gone.runs, gone.steps) == (1, 3)
    assert gone.bytes > 500
    after = await ring.view(run)
    assert after.run.pruned_at is not None
    assert (after.steps, after.totals) == (before.steps, before.totals)
    for body in await bodies(ring, run):
        assert "text" not in body
        assert "Pruned on 20" in body
    assert (await pruned(ring)).runs == 0


async def test_the_ledger_says_so_and_stays_whole(ring: Ring, sealer_dsn: str) -> None:
    run = await closed_run(ring)
    await pruned(ring)
    (event,) = await ring.events(run, "run.pruned")
    assert (event.actor, event.data["steps"], event.data["older_than_days"]) == (ring.founder.actor, 3, 100)
    connection = await asyncpg.connect(sealer_dsn)
    await sealing.seal(connection)
    await connection.close()
    async with ring.transaction() as tx:
        report = await verify_chain(tx, full=True)
    assert report.ok
    (done, *_) = await ring.events(run, "tool.done")
    assert done.evidence


async def test_nothing_is_pruned_without_its_event(ring: Ring) -> None:
    run = await closed_run(ring)
    with pytest.raises(asyncpg.PostgresError, match="has no governance event"):
        await in_silence(ring)
    assert "one" in (await bodies(ring, run))[0]


async def in_silence(ring: Ring) -> None:
    async with ring.transaction() as tx:
        await tx.connection.execute("SELECT set_config('app.now', (now() + interval '1 year')::text, true)")
        await tx.connection.execute("SELECT execution_graph.prune_runs(40, 10)")


@pytest.mark.parametrize(
    "change",
    ["UPDATE execution_graph.run_steps SET request = ''", "UPDATE execution_graph.runs SET pruned_at = now()"],
)
async def test_the_application_prunes_by_that_function_alone(ring: Ring, change: str) -> None:
    await closed_run(ring)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with ring.transaction() as tx:
            await tx.connection.execute(change)


async def test_a_month_is_kept_whatever_is_asked(ring: Ring) -> None:
    """Sums over a month read what was asked."""
    await closed_run(ring)
    assert (await pruned(ring, days=1, later=31)).runs == 0
    assert (await pruned(ring, days=1, later=33)).runs == 1


async def test_no_days_mean_that_bodies_stay_for_ever(ring: Ring) -> None:
    await closed_run(ring)
    assert (await pruned(ring, days=0, later=10_000)).runs == 0


async def test_an_open_run_and_all_parts_of_open_work_are_kept(ring: Ring) -> None:
    executor = Executor(msgspec.structs.replace(ring.runtime, part=PartBounds(steps=1)), owner=7)
    held = await ring.run(await ring.hire(ToolRule("write_note", "ask"), procedure=NOTES))
    first = await ring.start(await ring.open(await ring.hire("write_note", procedure=NOTES, name="Budi")))
    assert (await ring.drive(first, executor)).run.status == "continued"
    assert (await pruned(ring)).runs == 0
    assert held.run.is_open


async def test_a_call_whose_outcome_nobody_knows_keeps_its_journal(ring: Ring) -> None:
    ring.outside("ring_bell").answer = loses_its_answer
    view = await ring.run(await ring.hire("ring_bell", procedure=[ProcedureStep("ring_bell", {"what": "x"})]))
    async with ring.transaction() as tx:
        await cancel_run(tx, view.run.id, actor=ring.founder.actor)
    assert (await pruned(ring)).runs == 0


async def test_checkpoints_that_a_backbone_left_behind_go_with_the_hour(ring: Ring) -> None:
    run = await closed_run(ring)
    other = await ring.run(await ring.hire(ToolRule("write_note", "ask"), procedure=NOTES, name="Budi"))
    async with ring.transaction() as tx:
        for one in (run, other.run):
            await tx.connection.execute(
                "INSERT INTO execution_graph.checkpoints (thread_id, checkpoint_id, checkpoint) VALUES ($1, '1', '{}')",
                str(one.id),
            )
    assert (await pruned(ring, days=0, later=0)).checkpoints == 0
    assert (await pruned(ring, days=0, later=1)).checkpoints == 1
    async with ring.transaction() as tx:
        left = await tx.connection.fetch("SELECT thread_id FROM execution_graph.checkpoints")
    assert [row["thread_id"] for row in left] == [str(other.run.id)]


async def aged(ring: Ring, run: Run) -> Run:
    """The run, as if it had closed ninety days ago."""
    async with ring.transaction() as tx:
        old = await store.change_run(tx, run.id, closed_at=datetime.now(UTC) - timedelta(days=90))
        await append(tx, run_event(old, "paused", "system:test", data={"was": "done"}))
        return old


async def test_each_company_is_pruned_by_itself(ring: Ring, database: Database, endpoint: Endpoint) -> None:
    evidence = ring.runtime.store
    assert isinstance(evidence, FolderStore)
    other = await Ring(database, evidence, builtin_tools(), endpoint).found()
    runs = [await aged(ring, await closed_run(ring)), await aged(other, await closed_run(other))]
    assert (await prune_tenant(database, ring.tenant, 60, actor="system:cli")).runs == 1
    assert "two" in (await bodies(other, runs[1]))[1]
    assert (await prune_all(database, 60)).runs == 1
    assert "two" not in (await bodies(other, runs[1]))[1]

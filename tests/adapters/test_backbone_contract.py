"""Every backbone keeps these promises: what `Beats` says happens, once and in order, however often a process dies."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import psycopg
import pytest

from app.adapters.agents import engines, load_backbone
from app.canon.agent import Backbone, Beat, Finished, Held, Stopped
from app.canon.vocabulary import new_id

SQL = Path(__file__).parents[2] / "db/execution_graph/sql/0002_langgraph.sql"


class ScriptOfBeats:
    """Beats that answer what the test wrote down, and remember the order in which they were called."""

    def __init__(self, *beats: Beat | BaseException) -> None:
        self.beats = list(beats)
        self.called: list[str] = []
        self.closed: list[Finished] = []
        self.fail_close = False

    async def route(self) -> None:
        self.called.append("route")

    async def act(self) -> Beat:
        self.called.append("act")
        beat = self.beats.pop(0)
        if isinstance(beat, BaseException):
            raise beat
        return beat

    async def close(self, finished: Finished) -> None:
        self.called.append("close")
        if self.fail_close:
            raise ConnectionResetError("the database went away")
        self.closed.append(finished)


@pytest.fixture(params=engines("backbone"))
async def backbone(request: pytest.FixtureRequest, dsn: str) -> AsyncIterator[Backbone]:
    loaded = load_backbone(request.param, database_url=dsn)
    yield loaded
    await loaded.close()


@pytest.fixture
def another_process(backbone: Backbone, dsn: str) -> Callable[[], Backbone]:
    return lambda: load_backbone(backbone.name, database_url=dsn)


async def test_a_run_is_routed_acted_and_closed_once(backbone: Backbone) -> None:
    beats = ScriptOfBeats(Finished("three carriers"))
    assert await backbone.drive(new_id(), beats) == Finished("three carriers")
    assert beats.called == ["route", "act", "close"]
    assert beats.closed == [Finished("three carriers")]


async def test_a_held_run_comes_back_at_once_and_goes_on_when_it_is_driven_again(backbone: Backbone) -> None:
    run, approval = new_id(), new_id()
    assert await backbone.drive(run, ScriptOfBeats(Held(approval))) == Held(approval)
    later = ScriptOfBeats(Finished("mailed"))
    assert await backbone.drive(run, later) == Finished("mailed")
    assert later.called[-2:] == ["act", "close"]


async def test_a_run_driven_before_its_decision_is_held_again(backbone: Backbone) -> None:
    run, approval = new_id(), new_id()
    for _ in range(3):
        assert await backbone.drive(run, ScriptOfBeats(Held(approval))) == Held(approval)


async def test_a_run_may_be_held_many_times(backbone: Backbone) -> None:
    run = new_id()
    for _ in range(4):
        approval = new_id()
        assert await backbone.drive(run, ScriptOfBeats(Held(approval))) == Held(approval)
    assert await backbone.drive(run, ScriptOfBeats(Finished("done"))) == Finished("done")


async def test_many_runs_at_once_share_what_was_opened(backbone: Backbone, superuser: asyncpg.Connection) -> None:
    scripts = [ScriptOfBeats(Finished(str(number))) for number in range(12)]
    beats = await asyncio.gather(*(backbone.drive(new_id(), script) for script in scripts))
    assert beats == [Finished(str(number)) for number in range(12)]
    mine = "application_name = 'flr-langgraph' AND datname = current_database()"
    assert await superuser.fetchval(f"SELECT count(*) FROM pg_stat_activity WHERE {mine}") <= 2


async def test_a_stopped_run_is_not_closed_and_can_be_driven_later(backbone: Backbone) -> None:
    run = new_id()
    paused = ScriptOfBeats(Stopped("paused"))
    assert await backbone.drive(run, paused) == Stopped("paused")
    assert "close" not in paused.called
    assert await backbone.drive(run, ScriptOfBeats(Finished("done"))) == Finished("done")


async def test_an_error_of_the_runtime_comes_out_as_it_is_and_the_run_can_be_driven_again(backbone: Backbone) -> None:
    run = new_id()
    with pytest.raises(ConnectionResetError, match="the database went away"):
        await backbone.drive(run, ScriptOfBeats(ConnectionResetError("the database went away")))
    assert await backbone.drive(run, ScriptOfBeats(Finished("done"))) == Finished("done")


async def test_a_close_that_failed_is_closed_on_the_next_drive(backbone: Backbone) -> None:
    run = new_id()
    broken = ScriptOfBeats(Finished("done"))
    broken.fail_close = True
    with pytest.raises(ConnectionResetError):
        await backbone.drive(run, broken)
    again = ScriptOfBeats(Finished("done"))
    assert await backbone.drive(run, again) == Finished("done")
    assert again.closed == [Finished("done")]


async def test_another_process_takes_a_held_run_over(
    backbone: Backbone, another_process: Callable[[], Backbone]
) -> None:
    run, approval = new_id(), new_id()
    await backbone.drive(run, ScriptOfBeats(Held(approval)))
    other = another_process()
    assert await other.drive(run, ScriptOfBeats(Finished("done"))) == Finished("done")
    await other.close()


class Death(BaseException):
    """Leaves every framework as the end of a process would."""


async def test_a_process_that_dies_while_the_worker_acts_loses_nothing(
    backbone: Backbone, another_process: Callable[[], Backbone]
) -> None:
    run = new_id()
    with pytest.raises(Death):
        await backbone.drive(run, ScriptOfBeats(Death()))
    other = another_process()
    assert await other.drive(run, ScriptOfBeats(Finished("done"))) == Finished("done")
    await other.close()


async def test_a_run_that_was_closed_can_be_driven_again_and_asks_the_beats_anew(backbone: Backbone) -> None:
    run = new_id()
    await backbone.drive(run, ScriptOfBeats(Finished("done")))
    again = ScriptOfBeats(Finished("done"))
    assert await backbone.drive(run, again) == Finished("done")


async def test_checkpoints_of_langgraph_hold_ids_and_coarse_words_only(dsn: str, superuser: asyncpg.Connection) -> None:
    backbone = load_backbone("langgraph", database_url=dsn)
    run, approval = new_id(), new_id()
    await backbone.drive(run, ScriptOfBeats(Stopped("SECRET reason")))
    await backbone.drive(run, ScriptOfBeats(Held(approval)))
    with pytest.raises(ValueError, match="SECRET"):
        await backbone.drive(run, ScriptOfBeats(ValueError("SECRET error")))
    broken = ScriptOfBeats(Finished("SECRET summary"))
    broken.fail_close = True
    with pytest.raises(ConnectionResetError):
        await backbone.drive(run, broken)
    stored = await superuser.fetchval(
        "SELECT string_agg(t::text, '') FROM (SELECT c::text AS t FROM execution_graph.checkpoints c"
        " UNION ALL SELECT encode(blob, 'escape') FROM execution_graph.checkpoint_blobs"
        " UNION ALL SELECT encode(blob, 'escape') FROM execution_graph.checkpoint_writes) s"
    )
    assert str(run) in stored
    assert str(approval) in stored
    assert "SECRET" not in stored
    assert "went away" not in stored
    await backbone.close()


@pytest.mark.parametrize("end", [Finished("done"), Stopped("cancelled")])
async def test_checkpoints_are_gone_when_the_run_is_closed(dsn: str, superuser: asyncpg.Connection, end: Beat) -> None:
    backbone = load_backbone("langgraph", database_url=dsn)
    run = new_id()
    await backbone.drive(run, ScriptOfBeats(Held(new_id())))
    await backbone.drive(run, ScriptOfBeats(end))
    for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes"):
        assert await superuser.fetchval(f"SELECT count(*) FROM execution_graph.{table}") == 0
    await backbone.close()


async def test_a_forged_or_foreign_checkpoint_grants_nothing(dsn: str, superuser: asyncpg.Connection) -> None:
    backbone = load_backbone("langgraph", database_url=dsn)
    run = new_id()
    await backbone.drive(run, ScriptOfBeats(Held(new_id())))
    await superuser.execute("DELETE FROM execution_graph.checkpoint_writes")
    beats = ScriptOfBeats(Held(new_id()))
    assert isinstance(await backbone.drive(run, beats), Held)
    assert beats.called[-1] == "act"
    await superuser.execute("DELETE FROM execution_graph.checkpoints")
    beats = ScriptOfBeats(Finished("done"))
    assert await backbone.drive(run, beats) == Finished("done")
    assert beats.called == ["route", "act", "close"]
    await backbone.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE execution_graph.checkpoint_blobs SET blob = 'x', type = 'of another version'",
        "UPDATE execution_graph.checkpoint_writes SET blob = 'x', type = 'of another version'",
        "UPDATE execution_graph.checkpoints SET checkpoint = jsonb_set(checkpoint, '{v}', '99')",
        "DELETE FROM execution_graph.checkpoint_blobs",
        "DELETE FROM execution_graph.checkpoints WHERE parent_checkpoint_id IS NOT NULL",
    ],
)
async def test_a_checkpoint_that_cannot_be_read_costs_a_replay_and_no_more(
    dsn: str, superuser: asyncpg.Connection, damage: str
) -> None:
    backbone = load_backbone("langgraph", database_url=dsn)
    run = new_id()
    await backbone.drive(run, ScriptOfBeats(Held(new_id())))
    await superuser.execute(damage)
    beats = ScriptOfBeats(Finished("done"))
    assert await backbone.drive(run, beats) == Finished("done")
    assert beats.closed == [Finished("done")]
    await backbone.close()


async def test_a_database_that_restarts_under_it_is_an_error_once_and_then_over(
    dsn: str, superuser: asyncpg.Connection
) -> None:
    backbone = load_backbone("langgraph", database_url=dsn)
    run, approval = new_id(), new_id()
    await backbone.drive(run, ScriptOfBeats(Held(approval)))
    await superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'flr-langgraph'"
    )
    assert await backbone.drive(run, ScriptOfBeats(Finished("done"))) == Finished("done")
    await backbone.close()


async def test_the_application_may_not_change_langgraphs_tables(application: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await application.execute("CREATE TABLE execution_graph.more (n int)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await application.execute("INSERT INTO execution_graph.checkpoint_migrations VALUES (99)")


def test_the_migration_makes_the_very_tables_of_the_installed_package() -> None:
    from langgraph.checkpoint.postgres.base import MIGRATIONS

    def plain(statement: str) -> str:
        return " ".join(statement.replace("CONCURRENTLY ", "").split()).rstrip("; ")

    text = re.sub(r"^--.*$", "", SQL.read_text(), flags=re.MULTILINE)
    ours = [plain(statement) for statement in text.split(";")]
    theirs = [plain(statement) for statement in MIGRATIONS if plain(statement) != "SELECT 1"]
    assert [statement for statement in ours if statement in theirs] == theirs
    assert f"INSERT INTO checkpoint_migrations (v) SELECT generate_series(0, {len(MIGRATIONS) - 1})" in ours


async def test_the_savers_own_set_up_would_find_nothing_to_do(superuser_dsn: str) -> None:
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

    columns = (
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns"
        " WHERE table_schema = %s AND table_name LIKE 'checkpoint%%' ORDER BY 1, 2"
    )
    async with await psycopg.AsyncConnection.connect(superuser_dsn, autocommit=True) as connection:
        await connection.execute("CREATE SCHEMA scratch")
        await connection.execute("SET search_path = scratch")
        await AsyncPostgresSaver(connection).setup()  # type: ignore[arg-type]
        theirs = await (await connection.execute(columns, ["scratch"])).fetchall()
        ours = await (await connection.execute(columns, ["execution_graph"])).fetchall()
    assert ours == theirs

"""Law 17: an effect without its event is rolled back, whichever way it is written. Every way around that we know of."""

from typing import NamedTuple

import asyncpg
import pytest

from tests.laws.scratch_17 import OTHER, TENANT, open_books, outcome

OK, NO_EVENT, KEY, EXPECT, DENIED = "commits", "GL002", "GL003", "GL005", "42501"

EV = "SELECT scratch.ev('{{scratch.invoices/{i}}}')"
EV_NEXT = "SELECT scratch.ev('{{scratch.invoices/{j}}}')"
UP = "UPDATE scratch.invoices SET note = 'a' WHERE id = {i}"
UP2 = "UPDATE scratch.invoices SET note = 'b' WHERE id = {i}"
AGAIN = "UPDATE scratch.invoices SET note = 'again' WHERE id = {i}"
UP_NEXT = "UPDATE scratch.invoices SET note = 'a' WHERE id = {j}"
CHECK, LATER = "SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL DEFERRED"
TO_OTHER, TO_SELF = f"SET LOCAL app.tenant = '{OTHER}'", f"SET LOCAL app.tenant = '{TENANT}'"
SHADOW = "INSERT INTO scratch.shadow VALUES ({i}, scratch.tenant(), 'x')"
PARTS = "INSERT INTO scratch.parts VALUES ({i}, scratch.tenant(), 'x')"
MERGE = (
    "MERGE INTO scratch.invoices t USING (VALUES ({i}), ({i} + 5000)) s (id) ON t.id = s.id "
    "WHEN MATCHED THEN UPDATE SET note = 'm' "
    "WHEN NOT MATCHED THEN INSERT (id, tenant_id) VALUES (s.id, scratch.tenant())"
)
MERGE_AWAY = "MERGE INTO scratch.invoices t USING (VALUES ({i})) s (id) ON t.id = s.id WHEN MATCHED THEN DELETE"
EV_THAT_FAILS = (
    "DO $d$ BEGIN PERFORM scratch.ev('{{scratch.invoices/{i}}}'); RAISE division_by_zero; "
    "EXCEPTION WHEN division_by_zero THEN NULL; END $d$"
)
CTE = (
    "WITH u AS (UPDATE scratch.invoices SET note = 'a' WHERE id = {i} RETURNING 1) INSERT INTO "
    "governance_ledger.governance_events (tenant_id, event_id, occurred_at, type, actor, subjects, body) "
    "SELECT scratch.tenant(), gen_random_uuid(), now(), 'x.y', 'a', '{{scratch.invoices/{i}}}', "
    '\'"data":{{}},"evidence":[]\' FROM u'
)
CHILDREN = (
    "INSERT INTO scratch.lines VALUES ({i}, scratch.tenant(), {i})",
    "SELECT scratch.ev('{{scratch.lines/{i}}}')",
)
REFS = ("INSERT INTO scratch.refs VALUES ({i}, scratch.tenant(), {i})", "SELECT scratch.ev('{{scratch.refs/{i}}}')")
ROW_GONE = "DELETE FROM scratch.invoices WHERE id = {i}"


class Case(NamedTuple):
    name: str
    digest: str
    presence: str
    statements: tuple[str, ...]
    before: tuple[str, ...] = ()


CASES = (
    Case("change then event", OK, OK, (UP, EV)),
    Case("change without event", NO_EVENT, NO_EVENT, (UP,)),
    Case("insert without event", NO_EVENT, NO_EVENT, (SHADOW,)),
    Case("delete without event", NO_EVENT, NO_EVENT, (ROW_GONE,)),
    Case("delete with event", OK, OK, (ROW_GONE, EV)),
    Case("event before change (intent)", NO_EVENT, OK, (EV, UP)),
    Case("event before and after", OK, OK, (EV, UP, EV)),
    Case("event of another row", NO_EVENT, NO_EVENT, (UP, EV_NEXT)),
    Case(
        "one event, three changes, two tables",
        OK,
        OK,
        (UP, UP_NEXT, SHADOW, "SELECT scratch.ev('{{scratch.invoices/{i},scratch.invoices/{j},scratch.shadow/{i}}}')"),
    ),
    Case(
        "one of three changes not named",
        NO_EVENT,
        NO_EVENT,
        (UP, UP_NEXT, SHADOW, "SELECT scratch.ev('{{scratch.invoices/{i},scratch.invoices/{j}}}')"),
    ),
    Case("same row updated twice, then event", OK, OK, (UP, UP2, EV)),
    Case("update, event, update again", NO_EVENT, OK, (UP, EV, UP2)),
    Case("update, event, update, event", OK, OK, (UP, EV, UP2, EV)),
    Case("table-wide subject, right expect", OK, EXPECT, (UP, UP_NEXT, "SELECT scratch.ev('{{scratch.invoices}}', 2)")),
    Case("table-wide subject, wrong expect", EXPECT, EXPECT, (UP, "SELECT scratch.ev('{{scratch.invoices}}', 2)")),
    Case("table-wide subject, no expect", EXPECT, EXPECT, (UP, "SELECT scratch.ev('{{scratch.invoices}}')")),
    Case("table-wide subject, expect 0", EXPECT, NO_EVENT, (UP, "SELECT scratch.ev('{{scratch.invoices}}', 0)")),
    Case("expect beside keys only", EXPECT, EXPECT, (UP, "SELECT scratch.ev('{{scratch.invoices/{i}}}', 1)")),
    Case("expect beside nothing", EXPECT, EXPECT, (UP, EV, "SELECT scratch.ev('{{}}', 0)")),
    Case("event of another tenant", NO_EVENT, NO_EVENT, (UP, TO_OTHER, EV, TO_SELF)),
    Case("event in a CTE of the same statement", NO_EVENT, OK, (CTE,)),
    Case("change in a rolled-back savepoint, no event", OK, OK, ("SAVEPOINT s", UP, "ROLLBACK TO s")),
    Case("event in a rolled-back savepoint", NO_EVENT, NO_EVENT, (UP, "SAVEPOINT s", EV, "ROLLBACK TO s")),
    Case(
        "checked in a savepoint that is rolled back",
        NO_EVENT,
        NO_EVENT,
        (UP, "SAVEPOINT s", EV, CHECK, "ROLLBACK TO s"),
    ),
    Case(
        "checked in a savepoint that is rolled back, then deferred",
        NO_EVENT,
        NO_EVENT,
        (UP, "SAVEPOINT s", EV, CHECK, "ROLLBACK TO s", LATER),
    ),
    Case("both in a released savepoint", OK, OK, ("SAVEPOINT s", UP, EV, "RELEASE s")),
    Case(
        "change in a subtransaction, event outside",
        OK,
        OK,
        (f"DO $d$ BEGIN {UP}; EXCEPTION WHEN others THEN NULL; END $d$", EV),
    ),
    Case(
        "event in a subtransaction that fails",
        NO_EVENT,
        NO_EVENT,
        (
            UP,
            EV_THAT_FAILS,
        ),
    ),
    Case("checked before the event", NO_EVENT, NO_EVENT, (UP, CHECK, EV)),
    Case("checked after the event", OK, OK, (UP, EV, CHECK)),
    Case("immediate first, then change and event", NO_EVENT, NO_EVENT, (CHECK, UP, EV)),
    Case("immediate first, then event and change", NO_EVENT, OK, (CHECK, EV, UP)),
    Case("checked, deferred again, second change of the row", NO_EVENT, OK, (UP, EV, CHECK, LATER, UP2)),
    Case("checked, deferred again, change of another row", NO_EVENT, NO_EVENT, (UP, EV, CHECK, LATER, UP_NEXT)),
    Case("definer function of another owner, no event", NO_EVENT, NO_EVENT, ("SELECT scratch.touch({i})",)),
    Case("definer function of another owner, event", OK, OK, ("SELECT scratch.touch({i})", EV)),
    Case(
        "a trigger writes a second table, only the first is named",
        NO_EVENT,
        NO_EVENT,
        ("UPDATE scratch.invoices SET note = 'mirror' WHERE id = {i}", EV),
    ),
    Case(
        "a trigger writes a second table, both are named",
        OK,
        OK,
        (
            "UPDATE scratch.invoices SET note = 'mirror' WHERE id = {i}",
            "SELECT scratch.ev('{{scratch.invoices/{i},scratch.shadow/{i}}}')",
        ),
    ),
    Case("a trigger updates its own row, no event", NO_EVENT, NO_EVENT, (AGAIN,)),
    Case("a trigger updates its own row, event", OK, OK, (AGAIN, EV)),
    Case(
        "another deferred trigger writes at commit",
        NO_EVENT,
        NO_EVENT,
        ("INSERT INTO scratch.late VALUES ({i}, scratch.tenant())",),
    ),
    Case(
        "another deferred trigger, fired before the event",
        OK,
        OK,
        ("INSERT INTO scratch.late VALUES ({i}, scratch.tenant())", "SET CONSTRAINTS scratch.aaa_late IMMEDIATE", EV),
    ),
    Case("cascade, only the parent is named", NO_EVENT, NO_EVENT, (ROW_GONE, EV), CHILDREN),
    Case("cascade, children are named", OK, OK, (ROW_GONE, EV, CHILDREN[1]), CHILDREN),
    Case("set null, only the parent is named", NO_EVENT, NO_EVENT, (ROW_GONE, EV), REFS),
    Case("set null, the child is named", OK, OK, (ROW_GONE, EV, REFS[1]), REFS),
    Case("key change with event", KEY, KEY, ("UPDATE scratch.invoices SET id = {i} + 5000 WHERE id = {i}", EV)),
    Case(
        "tenant change with event",
        KEY,
        KEY,
        (f"UPDATE scratch.invoices SET tenant_id = '{OTHER}' WHERE id = {{i}}", EV),
    ),
    Case("an update that changes nothing", OK, OK, ("UPDATE scratch.invoices SET id = id WHERE id = {i}",)),
    Case(
        "equal in value, other in bytes",
        NO_EVENT,
        NO_EVENT,
        ("UPDATE scratch.invoices SET amount = 10.5 WHERE id = {i}",),
    ),
    Case(
        "on conflict do nothing",
        OK,
        OK,
        ("INSERT INTO scratch.invoices VALUES ({i}, scratch.tenant()) ON CONFLICT DO NOTHING",),
    ),
    Case(
        "on conflict do update, no event",
        NO_EVENT,
        NO_EVENT,
        ("INSERT INTO scratch.invoices VALUES ({i}, scratch.tenant()) ON CONFLICT (id) DO UPDATE SET note = 'c'",),
    ),
    Case(
        "on conflict do update, event",
        OK,
        OK,
        ("INSERT INTO scratch.invoices VALUES ({i}, scratch.tenant()) ON CONFLICT (id) DO UPDATE SET note = 'c'", EV),
    ),
    Case("merge, one named", NO_EVENT, NO_EVENT, (MERGE, EV)),
    Case(
        "merge, both named",
        OK,
        OK,
        (MERGE.replace("5000", "6000"), EV, "SELECT scratch.ev(ARRAY['scratch.invoices/' || ({i} + 6000)])"),
    ),
    Case("truncate", DENIED, DENIED, ("TRUNCATE scratch.shadow",)),
    Case("partition: through the parent, no event", NO_EVENT, NO_EVENT, (PARTS,)),
    Case("partition: through the parent, event", OK, OK, (PARTS, "SELECT scratch.ev('{{scratch.parts/{i}}}')")),
    Case("partition: straight, no event", NO_EVENT, NO_EVENT, (PARTS.replace("parts", "parts_low"),)),
    Case(
        "partition: straight, event under the parent's name",
        OK,
        OK,
        (PARTS.replace("parts", "parts_low"), "SELECT scratch.ev('{{scratch.parts/{i}}}')"),
    ),
    Case(
        "partition: the row moves to another, no event",
        NO_EVENT,
        NO_EVENT,
        ("UPDATE scratch.parts SET id = id + 5000 WHERE id = {i}",),
        (PARTS, "SELECT scratch.ev('{{scratch.parts/{i}}}')"),
    ),
    Case(
        "partition: the row moves to another, only the old key is named",
        NO_EVENT,
        NO_EVENT,
        ("UPDATE scratch.parts SET id = id + 5000 WHERE id = {i}", "SELECT scratch.ev('{{scratch.parts/{i}}}')"),
        (PARTS, "SELECT scratch.ev('{{scratch.parts/{i}}}')"),
    ),
    Case(
        "partition: the row moves to another, both keys are named",
        OK,
        OK,
        (
            "UPDATE scratch.parts SET id = id + 5000 WHERE id = {i}",
            "SELECT scratch.ev(ARRAY['scratch.parts/' || {i}, 'scratch.parts/' || ({i} + 5000)])",
        ),
        (PARTS, "SELECT scratch.ev('{{scratch.parts/{i}}}')"),
    ),
    Case("merge that deletes, no event", NO_EVENT, NO_EVENT, (MERGE_AWAY,)),
    Case("merge that deletes, event", OK, OK, (MERGE_AWAY, EV)),
    Case("prepared for two phases without event", NO_EVENT, NO_EVENT, (UP, "PREPARE TRANSACTION 'p{i}'")),
    Case(
        "through an updatable view, no event",
        NO_EVENT,
        NO_EVENT,
        ("UPDATE scratch.window SET note = 'v' WHERE id = {i}",),
    ),
    Case("through an updatable view, event", OK, OK, ("UPDATE scratch.window SET note = 'v' WHERE id = {i}", EV)),
    Case(
        "session settings changed, event",
        OK,
        OK,
        (
            "SET LOCAL timezone = 'Asia/Jakarta'; SET LOCAL datestyle = 'German'; SET LOCAL extra_float_digits = -5",
            UP,
            EV,
        ),
    ),
    Case("another search path, no event", NO_EVENT, NO_EVENT, ("SET LOCAL search_path = scratch, pg_temp", UP)),
    Case("temporary objects are refused", DENIED, DENIED, ("CREATE TEMP TABLE jsonb (a int)",)),
)


@pytest.mark.parametrize("form", ["digest", "presence"])
async def test_no_entry_no_effect(superuser: asyncpg.Connection, application: asyncpg.Connection, form: str) -> None:
    await open_books(superuser, form)
    found, wanted = {}, {}
    for place, case in enumerate(CASES):
        i, j = place * 2 + 1, place * 2 + 2
        arranged = await outcome(
            application,
            f"INSERT INTO scratch.invoices VALUES ({i}, scratch.tenant()), ({j}, scratch.tenant())",
            f"SELECT scratch.ev('{{scratch.invoices/{i},scratch.invoices/{j}}}')",
            *(text.format(i=i, j=j) for text in case.before),
        )
        assert arranged == OK
        found[case.name] = await outcome(application, *(text.format(i=i, j=j) for text in case.statements))
        wanted[case.name] = case.digest if form == "digest" else case.presence
    assert found == wanted


@pytest.mark.parametrize("form", ["digest", "presence"])
async def test_copy_needs_an_event_too(
    superuser: asyncpg.Connection, application: asyncpg.Connection, form: str
) -> None:
    await open_books(superuser, form)

    async def copy(first: int, *events: str) -> str:
        rows = [(number, TENANT, "copied") for number in range(first, first + 3)]
        try:
            async with application.transaction():
                await application.execute(f"SET LOCAL app.tenant = '{TENANT}'")
                await application.copy_records_to_table("shadow", records=rows, schema_name="scratch")
                for event in events:
                    await application.execute(event)
        except asyncpg.PostgresError as error:
            return str(error.sqlstate)
        return OK

    assert await copy(1) == NO_EVENT
    assert await copy(11, "SELECT scratch.ev('{scratch.shadow/11,scratch.shadow/12}')") == NO_EVENT
    assert await copy(21, "SELECT scratch.ev('{scratch.shadow/21,scratch.shadow/22,scratch.shadow/23}')") == OK
    assert await superuser.fetchval("SELECT count(*) FROM scratch.shadow") == 3


@pytest.mark.parametrize("form", ["digest", "presence"])
async def test_the_law_holds_for_a_superuser_who_plays_replica(superuser: asyncpg.Connection, form: str) -> None:
    await open_books(superuser, form)
    await superuser.execute("SET session_replication_role = replica")
    insert = f"INSERT INTO scratch.shadow VALUES (1, '{TENANT}', 'x')"
    assert await outcome(superuser, insert) == NO_EVENT
    assert await outcome(superuser, "TRUNCATE scratch.shadow") == "GL001"


@pytest.mark.parametrize("form", ["digest", "presence"])
async def test_a_partition_leaves_or_enters_the_law_by_migration_only(superuser: asyncpg.Connection, form: str) -> None:
    await open_books(superuser, form)
    leave = "ALTER TABLE scratch.parts DETACH PARTITION scratch.parts_low"
    table = "CREATE TABLE scratch.smuggled (id int NOT NULL, tenant_id uuid NOT NULL, note text)"
    enter = "ALTER TABLE scratch.parts ATTACH PARTITION scratch.smuggled FOR VALUES FROM (10000) TO (20000)"
    rule = "CREATE RULE quiet AS ON UPDATE TO scratch.invoices DO INSTEAD NOTHING"
    assert [await outcome(superuser, *attempt) for attempt in ((leave,), (table, enter), (rule,))] == ["GL006"] * 3


async def test_subjects_of_both_forms_stand_in_one_event(
    superuser: asyncpg.Connection, application: asyncpg.Connection
) -> None:
    await open_books(superuser, "digest")
    async with superuser.transaction():
        await superuser.execute("ALTER EVENT TRIGGER flr_guard_ddl DISABLE; ALTER EVENT TRIGGER flr_guard_drop DISABLE")
        await superuser.execute(
            "DROP TRIGGER zz_law_id ON scratch.shadow; DROP TRIGGER zz_law_u ON scratch.shadow;"
            "DROP TRIGGER zz_law_t ON scratch.shadow;"
            "SELECT governance_ledger.govern_presence('scratch.shadow', 'scratch.shadow', 'id')"
        )
    shadow = "INSERT INTO scratch.shadow VALUES (1, scratch.tenant(), 'x')"
    invoices = "INSERT INTO scratch.invoices VALUES (1, scratch.tenant()), (2, scratch.tenant())"
    both = "SELECT scratch.ev('{scratch.shadow/1,scratch.invoices}', %d)"
    assert await outcome(application, shadow, invoices, both % 3) == EXPECT
    assert await outcome(application, shadow, invoices, both % 2) == OK
    effect = await superuser.fetchval(
        "SELECT effect_n FROM governance_ledger.governance_events WHERE 'scratch.shadow/1' = ANY (subjects)"
    )
    assert effect == 2


async def test_two_events_of_one_statement_share_no_change(
    superuser: asyncpg.Connection, application: asyncpg.Connection
) -> None:
    await open_books(superuser, "digest")
    twice = (
        "INSERT INTO governance_ledger.governance_events "
        "(tenant_id, event_id, occurred_at, type, actor, subjects, body) "
        "SELECT scratch.tenant(), gen_random_uuid(), now(), 'x.y', 'a', '{scratch.shadow/1}', "
        '\'"data":{},"evidence":[]\' FROM generate_series(1, 2)'
    )
    assert await outcome(application, "INSERT INTO scratch.shadow VALUES (1, scratch.tenant(), 'x')", twice) == OK
    effects = await superuser.fetch(
        "SELECT effect_n FROM governance_ledger.governance_events WHERE tenant_id = $1 ORDER BY n", TENANT
    )
    assert [row["effect_n"] for row in effects] == [1, 0]

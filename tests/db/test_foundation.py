"""The ground every room stands on: roles without rights of their own, and one clock."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.postgres import Database
from tests.databases import Cluster

LIMITS = """
SELECT rolname, rolcanlogin, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication AS dangerous
FROM pg_roles WHERE starts_with(rolname, 'flr_')
"""
OWNED = """
SELECT count(*) FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner WHERE rolname IN ('flr_app', 'flr_sealer')
"""


async def test_the_application_logs_in_and_owns_nothing(superuser: asyncpg.Connection) -> None:
    roles = {row["rolname"]: (row["rolcanlogin"], row["dangerous"]) for row in await superuser.fetch(LIMITS)}

    assert roles == {
        "flr_app": (True, False),
        "flr_sealer": (True, False),
        "flr_owner": (False, False),
        "flr_law": (False, False),
        "flr_auditor": (False, False),
    }
    assert await superuser.fetchval(OWNED) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.mine (id int)",
        "CREATE TEMP TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION clock.now() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SET ROLE flr_owner",
        "SET session_replication_role = replica",
    ],
)
async def test_the_application_makes_nothing_and_becomes_nobody(
    application: asyncpg.Connection, statement: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await application.execute(statement)


async def test_business_time_is_now_unless_a_test_says_otherwise(application: asyncpg.Connection) -> None:
    assert abs(await application.fetchval("SELECT clock.now()") - datetime.now(UTC)) < timedelta(seconds=30)

    async with application.transaction():
        await application.execute("SELECT set_config('app.now', '2030-01-31T23:59:59Z', true)")
        assert await application.fetchval("SELECT clock.now()") == datetime(2030, 1, 31, 23, 59, 59, tzinfo=UTC)
    assert (await application.fetchval("SELECT clock.now()")).year < 2030


async def test_each_test_has_a_database_of_its_own(cluster: Cluster, database: Database, database_name: str) -> None:
    other = cluster.clone()
    assert other != database_name
    assert await database.pool.fetchval("SELECT current_database()") == database_name
    cluster.drop(other)

"""An outside PostgreSQL: each process logs in as its own role, and an administrator need not be a superuser."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psycopg
import pytest

from app.database_urls import app_url, owner_url, passwords, sealer_url, without_password
from app.own_postgres import running, url
from app.settings import InvalidSetting, Settings
from db.migrate import DatabaseUnfit, migrate

RULES = "local all postgres trust\nlocal all all scram-sha-256\n"
ADMINISTRATOR = """
CREATE ROLE steward LOGIN CREATEROLE CREATEDB PASSWORD 's3cret/@:';
CREATE DATABASE company OWNER steward;
CREATE ROLE clerk LOGIN PASSWORD 'clerk';
SELECT pg_reload_conf()
"""


@pytest.fixture(scope="module")
def outside() -> Iterator[Path]:
    """A PostgreSQL that asks for passwords, with an administrator `steward` who is no superuser."""
    with tempfile.TemporaryDirectory(prefix="flr-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "outside"
        with running(home, fsync="off") as server:
            (server.place.data / "pg_hba.conf").write_text(RULES)
            with psycopg.connect(url(home, "postgres", "postgres"), autocommit=True) as connection:
                for statement in ADMINISTRATOR.split(";"):
                    connection.execute(statement.encode())
            yield home


@pytest.fixture
def settings(outside: Path, tmp_path: Path) -> Settings:
    address = url(outside, "steward:s3cret%2F%40%3A", "company")
    return Settings(home=tmp_path / "home", database_url=address)


async def who(address: str) -> str:
    connection = await asyncpg.connect(address)
    try:
        return str(await connection.fetchval("SELECT current_user"))
    finally:
        await connection.close()


async def test_an_administrator_without_superuser_rights_brings_the_whole_schema(settings: Settings) -> None:
    await migrate(owner_url(settings), passwords=passwords(settings))
    assert await migrate(owner_url(settings), passwords=passwords(settings)) == []
    assert await who(app_url(settings)) == "flr_app"
    assert await who(sealer_url(settings)) == "flr_sealer"


async def test_a_second_host_logs_in_with_the_keys_of_the_first(settings: Settings, tmp_path: Path) -> None:
    await migrate(owner_url(settings), passwords=passwords(settings))
    second = Settings(home=tmp_path / "second", database_url=settings.database_url)
    with pytest.raises(InvalidSetting, match=r"database\.key is missing: run `flr migrate`"):
        app_url(second)

    second.keys.mkdir(parents=True)
    (second.keys / "database.key").write_bytes((settings.keys / "database.key").read_bytes())
    assert await who(app_url(second)) == "flr_app"

    (second.keys / "database.key").write_bytes(b"another")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await who(app_url(second))


async def test_a_user_who_may_make_no_roles_cannot_migrate(settings: Settings, outside: Path) -> None:
    with pytest.raises(DatabaseUnfit, match="user clerk may not make roles"):
        await migrate(url(outside, "clerk:clerk", "postgres"))


def test_the_key_of_the_passwords_is_for_its_owner_only_and_made_once(settings: Settings) -> None:
    made = passwords(settings)
    assert passwords(settings) == made
    assert (settings.keys / "database.key").stat().st_mode & 0o777 == 0o600
    assert len(set(made.values())) == 2


def test_an_address_of_the_role_itself_is_taken_as_it_is(tmp_path: Path) -> None:
    own = "postgresql://flr_app:given@db.example:5432/flr?sslmode=require"
    assert app_url(Settings(home=tmp_path, database_url=own)) == own


def test_user_and_password_are_replaced_wherever_they_stand(settings: Settings) -> None:
    passwords(settings)
    given = "postgresql://steward:secret@one.example:5432,two.example/company?sslmode=require&password=other&user=x"
    there = app_url(Settings(home=settings.home, database_url=given))
    assert there.startswith("postgresql://flr_app:")
    assert there.endswith("@one.example:5432,two.example/company?sslmode=require")
    assert "secret" not in there
    assert "other" not in there
    assert without_password(given) == "postgresql://steward@one.example:5432,two.example/company"


def test_the_embedded_database_needs_no_password(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert passwords(settings) == {}
    assert app_url(settings).startswith("postgresql://flr_app@/flr?host=")
    assert not settings.keys.exists()

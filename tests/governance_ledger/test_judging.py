"""A full verification finds rows and changes that were altered behind the Law: with its triggers switched off."""

import re
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from app.postgres import Database
from tests.builders import a_company, a_role, a_ticket
from tests.governance_ledger.ledgers import KEY, TENANT, record, sign, verify

CHANGES, EVENTS = "governance_ledger.changes", "governance_ledger.governance_events"
ROLES = "role_registry.ai_roles"
TRUSTED = {KEY.kid: KEY.raw_public}


@pytest.fixture
async def hired(database: Database, sealer: asyncpg.Connection) -> None:
    """A role that was hired, with its contract and budget: row changes in the digest form."""
    async with database.transaction(TENANT) as tx:
        founder = await a_company(tx)
        await a_role(tx, founder)
        await a_ticket(tx, founder)
    await sign(sealer)


@pytest.fixture
async def attacker(superuser: asyncpg.Connection) -> asyncpg.Connection:
    """A superuser who switches off whatever stands in his way."""
    await superuser.execute("SET event_triggers = off")
    for table in (CHANGES, EVENTS, ROLES, "role_registry.budget_accounts"):
        await superuser.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    return superuser


async def alter_a_row(attacker: asyncpg.Connection) -> None:
    await attacker.execute("UPDATE role_registry.budget_accounts SET amount = amount * 10")


async def delete_a_row(attacker: asyncpg.Connection) -> None:
    await attacker.execute("DELETE FROM role_registry.budget_accounts")


async def alter_a_row_and_its_image(attacker: asyncpg.Connection) -> None:
    await attacker.execute(f"UPDATE {ROLES} SET hired_by = 'founder:7'")
    await attacker.execute(
        f"UPDATE {CHANGES} c SET new_image = to_jsonb(r)::text FROM {ROLES} r "
        f"WHERE c.rel = '{ROLES}' AND c.n = (SELECT max(n) FROM {CHANGES} WHERE rel = '{ROLES}')"
    )


async def alter_row_image_and_digest(attacker: asyncpg.Connection) -> None:
    await alter_a_row_and_its_image(attacker)
    await attacker.execute(
        f"UPDATE {CHANGES} SET digest = sha256(convert_to(concat_ws(E'\\n', 'change/v1', tenant_id, rel, key, op::text,"
        " coalesce(encode(old_hash, 'hex'), '-'), "
        "coalesce(encode(sha256(convert_to(new_image, 'UTF8')), 'hex'), '-')), 'UTF8'))"
    )


async def delete_a_change(attacker: asyncpg.Connection) -> None:
    await attacker.execute(f"DELETE FROM {CHANGES} WHERE n = (SELECT min(n) FROM {CHANGES})")


async def delete_all_changes(attacker: asyncpg.Connection) -> None:
    await attacker.execute(f"DELETE FROM {CHANGES}")


async def change_with_the_law_switched_off(attacker: asyncpg.Connection) -> None:
    """The change is recorded, but nothing asks for its event."""
    await attacker.execute(f"ALTER TABLE {ROLES} ENABLE TRIGGER USER")
    await attacker.execute(f"UPDATE {ROLES} SET hired_by = 'founder:7'")


ATTACKS: dict[Callable[[asyncpg.Connection], Awaitable[None]], str] = {
    alter_a_row: "role_registry.budget_accounts/.* is not what its last recorded change left",
    delete_a_row: "role_registry.budget_accounts/.* is not what its last recorded change left",
    alter_a_row_and_its_image: "is not what its digest says",
    alter_row_image_and_digest: "a row change is not the one the event accounts for",
    delete_a_change: "accounts for . row changes|found another row",
    delete_all_changes: "row changes that are gone",
    change_with_the_law_switched_off: r"has no event \(Law 17\)",
}


@pytest.mark.usefixtures("hired")
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_what_was_altered_behind_the_law_is_found(
    database: Database, attacker: asyncpg.Connection, attack: Callable[[asyncpg.Connection], Awaitable[None]]
) -> None:
    await attack(attacker)
    report = await verify(database, full=True, keys=TRUSTED)
    assert report.first_break is not None
    assert re.search(ATTACKS[attack], report.first_break.reason), report.first_break


@pytest.mark.usefixtures("hired")
async def test_rows_that_the_law_has_followed_verify(database: Database) -> None:
    report = await verify(database, full=True, keys=TRUSTED)
    assert report.first_break is None


@pytest.mark.parametrize(("by", "said"), [("-2 hours", "backdated: stamped long before"), ("1 hour", "stamped after")])
async def test_an_event_stamped_at_another_time_than_it_was_sealed_is_found(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection, by: str, said: str
) -> None:
    """Whoever may write past the application's rights may choose the time; the checkpoints around it do not lie."""
    await record(database, 3)
    await sign(sealer)
    await superuser.execute(
        f"INSERT INTO {EVENTS} (tenant_id, event_id, occurred_at, recorded_at, type, actor, body) VALUES "
        f"($1, gen_random_uuid(), now(), now() + interval '{by}', 'x.forged', 'system', $2)",
        TENANT,
        '"data":{},"evidence":[]',
    )
    await sign(sealer)
    report = await verify(database, full=True, keys=TRUSTED)
    assert report.first_break is not None
    assert report.first_break.reason.startswith(said)
    assert report.first_break.seq == 4

"""Verifying finds what was changed behind the ledger's back, and names the first place."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.adapters.evidence.folder import FolderStore
from app.auth import SigningKey
from app.governance_ledger.chain import genesis, leaf_of, link
from app.governance_ledger.sealing import Mover, publish_key, seal, sign_checkpoints
from app.postgres import Database
from tests.governance_ledger.ledgers import KEY, OTHER, TENANT, record, sign, verify

EVENTS, SEALS = "governance_ledger.governance_events", "governance_ledger.ledger_seals"
CHECKPOINTS = "governance_ledger.ledger_checkpoints"
TRUSTED = {KEY.kid: KEY.raw_public}


GUARDED = (
    "governance_events",
    "ledger_seals",
    "ledger_checkpoints",
    "ledger_heads",
    "ledger_verifications",
    "ledger_keys",
)


async def lower(attacker: asyncpg.Connection) -> None:
    """Switch off whatever stands in the way."""
    for table in GUARDED:
        await attacker.execute(f"ALTER TABLE governance_ledger.{table} DISABLE TRIGGER USER")
    await attacker.execute(f"ALTER TABLE {EVENTS} ENABLE ALWAYS TRIGGER a_stamp")
    await attacker.execute(f"ALTER TABLE {SEALS} DROP CONSTRAINT IF EXISTS ledger_seals_once")


async def cover(attacker: asyncpg.Connection) -> None:
    """Put it all back, so that what was done shows in the ledger alone."""
    for trigger in await attacker.fetch(
        "SELECT tgrelid::regclass::text AS place, tgname FROM pg_trigger WHERE tgenabled = 'D' AND NOT tgisinternal"
    ):
        await attacker.execute(f"ALTER TABLE {trigger['place']} ENABLE ALWAYS TRIGGER {trigger['tgname']}")
    await attacker.execute(f"ALTER TABLE {SEALS} ADD CONSTRAINT ledger_seals_once UNIQUE (tenant_id, n)")


@pytest.fixture
async def attacker(superuser: asyncpg.Connection) -> asyncpg.Connection:
    """A superuser who has switched off whatever stands in his way."""
    await superuser.execute("SET event_triggers = off")
    await lower(superuser)
    return superuser


@pytest.fixture
async def forty(database: Database, sealer: asyncpg.Connection) -> None:
    """40 events of the tenant with a checkpoint at 10, 20, 30 and 40, and three of another tenant."""
    for _ in range(4):
        await record(database, 10)
        await sign(sealer)
    await record(database, 3, OTHER)
    await sign(sealer)


async def rehash(attacker: asyncpg.Connection) -> None:
    """Make leaves, chain and head follow from the bodies again, as an attacker with the database would."""
    await attacker.execute(
        f"UPDATE {SEALS} s SET xid = e.xid, occurred_at = e.occurred_at, type = e.type FROM {EVENTS} e WHERE e.n = s.n"
    )
    rows = await attacker.fetch(
        f"SELECT s.seq, s.n, e.body FROM {SEALS} s JOIN {EVENTS} e USING (tenant_id, n) "
        "WHERE s.tenant_id = $1 ORDER BY s.seq",
        TENANT,
    )
    head = genesis(TENANT)
    for row in rows:
        leaf = leaf_of(row["body"].encode())
        head = link(head, row["seq"], leaf)
        await attacker.execute(f"UPDATE {EVENTS} SET leaf = $1 WHERE n = $2", leaf, row["n"])
        await attacker.execute(
            f"UPDATE {SEALS} SET hash = $1 WHERE tenant_id = $2 AND seq = $3", head, TENANT, row["seq"]
        )
    await attacker.execute(
        "UPDATE governance_ledger.ledger_heads SET seq = $1, hash = $2 WHERE tenant_id = $3", len(rows), head, TENANT
    )


async def n_of(attacker: asyncpg.Connection, seq: int) -> int:
    return int(await attacker.fetchval(f"SELECT n FROM {SEALS} WHERE tenant_id = $1 AND seq = $2", TENANT, seq))


async def edit(attacker: asyncpg.Connection, seq: int) -> None:
    body = "replace(body, '\"number\":', '\"number\":9')"
    await attacker.execute(f"UPDATE {EVENTS} SET body = {body} WHERE n = $1", await n_of(attacker, seq))


async def cut(attacker: asyncpg.Connection, beyond: int, *, events: bool = True) -> None:
    if events:
        await attacker.execute(
            f"DELETE FROM {EVENTS} e USING {SEALS} s WHERE s.tenant_id = $1 AND s.seq > $2 AND e.n = s.n",
            TENANT,
            beyond,
        )
    await attacker.execute(f"DELETE FROM {SEALS} WHERE tenant_id = $1 AND seq > $2", TENANT, beyond)


async def edit_middle(attacker: asyncpg.Connection) -> None:
    await edit(attacker, 15)


async def edit_last(attacker: asyncpg.Connection) -> None:
    await edit(attacker, 40)


async def edit_a_column(attacker: asyncpg.Connection) -> None:
    await attacker.execute(f"UPDATE {EVENTS} SET actor = 'founder:1' WHERE n = $1", await n_of(attacker, 15))


async def move_to_another_tenant(attacker: asyncpg.Connection) -> None:
    await attacker.execute(f"UPDATE {EVENTS} SET tenant_id = $1 WHERE n = $2", OTHER, await n_of(attacker, 15))


async def delete_middle(attacker: asyncpg.Connection) -> None:
    n = await n_of(attacker, 15)
    await attacker.execute(f"DELETE FROM {EVENTS} WHERE n = $1", n)
    await attacker.execute(f"DELETE FROM {SEALS} WHERE tenant_id = $1 AND n = $2", TENANT, n)


async def delete_an_event_only(attacker: asyncpg.Connection) -> None:
    await attacker.execute(f"DELETE FROM {EVENTS} WHERE n = $1", await n_of(attacker, 15))


async def cut_the_tail(attacker: asyncpg.Connection) -> None:
    await cut(attacker, 35)


async def cut_the_tail_and_fix_the_head(attacker: asyncpg.Connection) -> None:
    await cut(attacker, 35)
    await rehash(attacker)


async def edit_and_rehash(attacker: asyncpg.Connection) -> None:
    await edit(attacker, 15)
    await rehash(attacker)


async def edit_last_and_rehash(attacker: asyncpg.Connection) -> None:
    await edit(attacker, 40)
    await rehash(attacker)


async def wipe(attacker: asyncpg.Connection) -> None:
    await cut(attacker, 0)
    await attacker.execute("DELETE FROM governance_ledger.ledger_heads WHERE tenant_id = $1", TENANT)


async def reorder_and_rehash(attacker: asyncpg.Connection) -> None:
    first, second = await n_of(attacker, 14), await n_of(attacker, 15)
    await attacker.execute(f"UPDATE {SEALS} SET n = {first} + {second} - n WHERE n IN ({first}, {second})")
    await rehash(attacker)


async def never_sealed(attacker: asyncpg.Connection) -> None:
    await cut(attacker, 39, events=False)
    await rehash(attacker)
    await attacker.execute(f"DELETE FROM {CHECKPOINTS} WHERE tenant_id = $1 AND size > 39", TENANT)


async def sealed_twice(attacker: asyncpg.Connection) -> None:
    await attacker.execute(
        f"UPDATE {SEALS} SET n = {await n_of(attacker, 38)} WHERE seq = 39 AND tenant_id = $1", TENANT
    )
    await attacker.execute(f"DELETE FROM {CHECKPOINTS} WHERE tenant_id = $1 AND size > 30", TENANT)
    await rehash(attacker)


async def signed_by_another_key(attacker: asyncpg.Connection) -> None:
    await edit(attacker, 15)
    await rehash(attacker)
    await attacker.execute(f"DELETE FROM {CHECKPOINTS} WHERE tenant_id = $1", TENANT)
    forged = SigningKey(Ed25519PrivateKey.generate())
    await publish_key(attacker, forged)
    await sign_checkpoints(attacker, forged, every=timedelta(0))


async def checkpoint_of_another_tenant(attacker: asyncpg.Connection) -> None:
    await attacker.execute(
        f"UPDATE {CHECKPOINTS} c SET note = o.note FROM {CHECKPOINTS} o "
        "WHERE c.tenant_id = $1 AND c.size = 40 AND o.tenant_id = $2",
        TENANT,
        OTHER,
    )


async def an_older_checkpoint_again(attacker: asyncpg.Connection) -> None:
    await attacker.execute(
        f"UPDATE {CHECKPOINTS} c SET note = o.note FROM {CHECKPOINTS} o "
        "WHERE c.tenant_id = $1 AND c.size = 40 AND o.tenant_id = $1 AND o.size = 20",
        TENANT,
    )


async def edit_a_root(attacker: asyncpg.Connection) -> None:
    await attacker.execute(f"UPDATE {CHECKPOINTS} SET root_hash = head_hash WHERE tenant_id = $1 AND size = 40", TENANT)


async def drop_a_checkpoint(attacker: asyncpg.Connection) -> None:
    await attacker.execute(f"DELETE FROM {CHECKPOINTS} WHERE tenant_id = $1 AND size = 20", TENANT)


async def fork(attacker: asyncpg.Connection) -> None:
    await attacker.execute(f"ALTER TABLE {SEALS} DROP CONSTRAINT ledger_seals_pkey")
    await attacker.execute(
        f"INSERT INTO {SEALS} (tenant_id, seq, n, xid, hash, occurred_at, type) "
        f"SELECT tenant_id, 15, -n, xid, sha256(hash), occurred_at, type FROM {SEALS} "
        "WHERE tenant_id = $1 AND seq = 16",
        TENANT,
    )


ATTACKS: dict[Callable[[asyncpg.Connection], Awaitable[None]], str] = {
    edit_middle: "does not follow",
    edit_last: "does not follow",
    edit_a_column: "a column differs",
    move_to_another_tenant: "event is missing",
    delete_middle: "a seal is missing",
    delete_an_event_only: "event is missing",
    cut_the_tail: "the head says 40",
    cut_the_tail_and_fix_the_head: "truncated: a checkpoint covers 40",
    edit_and_rehash: "root differs|differs from a signed checkpoint",
    edit_last_and_rehash: "root differs|differs from a signed checkpoint",
    wipe: "truncated",
    reorder_and_rehash: "root differs|differs from a signed checkpoint",
    never_sealed: "not sealed for",
    sealed_twice: "sealed twice",
    signed_by_another_key: "unknown key",
    checkpoint_of_another_tenant: "a checkpoint of another log",
    an_older_checkpoint_again: "differs from what it signs",
    edit_a_root: "root differs|differs from what it signs",
    drop_a_checkpoint: "does not follow the one before",
    fork: "forks: two seals have the number 15|event is missing",
}


@pytest.mark.usefixtures("forty")
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_an_attack_is_found_and_named(
    database: Database, attacker: asyncpg.Connection, attack: Callable[[asyncpg.Connection], Awaitable[None]]
) -> None:
    await cover(attacker)
    assert (await verify(database, full=True, keys=TRUSTED)).ok
    await lower(attacker)
    await attacker.execute("DELETE FROM governance_ledger.ledger_verifications")
    await attack(attacker)
    if attack is not sealed_twice:
        await cover(attacker)
    report = await verify(database, full=True, keys=TRUSTED, max_merge_delay_seconds=0)
    assert not report.ok
    assert report.first_break is not None
    assert re.search(ATTACKS[attack], report.first_break.reason), report.first_break


@pytest.mark.usefixtures("forty")
async def test_what_came_after_the_last_checkpoint_can_be_rewritten_unseen_until_the_next(
    database: Database, sealer: asyncpg.Connection, attacker: asyncpg.Connection
) -> None:
    """The window that docs/ledger-format.md names: nothing that was signed covers these events yet."""
    await record(database, 2)
    await seal(sealer)
    await edit(attacker, 42)
    await rehash(attacker)
    await cover(attacker)
    assert (await verify(database, full=True, keys=TRUSTED)).ok
    await sign(sealer)
    await lower(attacker)
    await attacker.execute("DELETE FROM governance_ledger.ledger_verifications")
    await edit(attacker, 42)
    await rehash(attacker)
    await cover(attacker)
    assert not (await verify(database, full=True, keys=TRUSTED)).ok


@pytest.mark.usefixtures("forty")
async def test_the_first_break_names_its_event(database: Database, attacker: asyncpg.Connection) -> None:
    await edit(attacker, 15)
    report = await verify(database)
    event_id = await attacker.fetchval(f"SELECT event_id FROM {EVENTS} WHERE n = $1", await n_of(attacker, 15))
    assert report.first_break is not None
    assert (report.first_break.seq, report.first_break.event_id) == (15, event_id)


@pytest.mark.usefixtures("forty")
async def test_verifying_goes_on_from_where_it_ended(database: Database, sealer: asyncpg.Connection) -> None:
    first = await verify(database)
    await record(database, 5)
    await seal(sealer)
    second, third = await verify(database), await verify(database)
    assert (first.from_seq, first.to_seq, first.events) == (1, 40, 40)
    assert (second.from_seq, second.to_seq, second.events) == (41, 45, 5)
    assert (third.events, third.head_hash, third.ok) == (0, second.head_hash, True)
    assert third.checkpoint is not None
    assert third.checkpoint.size == 40


@pytest.mark.usefixtures("forty")
async def test_what_was_verified_before_cannot_be_cut_or_rewritten_unseen(
    database: Database, attacker: asyncpg.Connection
) -> None:
    await verify(database)
    await attacker.execute(f"DELETE FROM {CHECKPOINTS} WHERE tenant_id = $1", TENANT)
    await edit(attacker, 40)
    await rehash(attacker)
    rewritten = await verify(database)
    await cut(attacker, 35)
    await rehash(attacker)
    truncated = await verify(database)
    assert rewritten.first_break is not None
    assert "rewritten" in rewritten.first_break.reason
    assert truncated.first_break is not None
    assert "truncated" in truncated.first_break.reason


@pytest.mark.usefixtures("forty")
async def test_a_cut_of_ledger_and_checkpoints_shows_in_the_store(
    database: Database, sealer: asyncpg.Connection, attacker: asyncpg.Connection, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path)
    while await Mover(store).move(sealer):
        pass
    await cover(attacker)
    assert (await verify(database, full=True, store=store)).ok
    await lower(attacker)
    await attacker.execute("DELETE FROM governance_ledger.ledger_verifications")
    await cut(attacker, 20)
    await attacker.execute(f"DELETE FROM {CHECKPOINTS} WHERE tenant_id = $1 AND size > 20", TENANT)
    await rehash(attacker)
    await cover(attacker)
    assert (await verify(database, full=True)).ok
    report = await verify(database, full=True, store=store)
    assert report.first_break is not None
    assert "the store holds checkpoint 3, the ledger ends at 2" in report.first_break.reason


@pytest.mark.usefixtures("forty")
async def test_the_sealer_signs_no_ledger_that_does_not_recompute(
    database: Database, sealer: asyncpg.Connection, attacker: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    await record(database, 5)
    await record(database, 1, OTHER)
    await seal(sealer)
    await edit(attacker, 43)
    assert await sign_checkpoints(sealer, KEY, every=timedelta(0)) == 1
    assert f"no checkpoint for tenant {TENANT}: the hash of event 43" in caplog.text


async def test_an_unsealed_event_is_counted_and_fails_after_the_promised_delay(database: Database) -> None:
    await record(database, 3)
    waiting = await verify(database, max_merge_delay_seconds=60)
    late = await verify(database, max_merge_delay_seconds=0)
    assert (waiting.ok, waiting.unsealed.count, waiting.events) == (True, 3, 0)
    assert waiting.unsealed.oldest_age_ms >= 0
    assert late.first_break is not None
    assert "is the sealer running" in late.first_break.reason


async def test_an_empty_ledger_verifies(database: Database) -> None:
    report = await verify(database, full=True)
    assert (report.ok, report.events, report.head_hash) == (True, 0, genesis(TENANT).hex())
    assert report.checkpoint is None


@pytest.mark.usefixtures("forty")
async def test_a_tenant_verifies_its_own_chain_only(database: Database, attacker: asyncpg.Connection) -> None:
    await edit(attacker, 15)
    await cover(attacker)
    assert (await verify(database, OTHER, full=True)).ok
    assert not (await verify(database, TENANT, full=True)).ok

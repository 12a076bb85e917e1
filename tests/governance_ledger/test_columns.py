"""A column beside the hash says what the document says, or the event is named."""

import asyncpg
import pytest

from app.governance_ledger.columns import agree
from app.governance_ledger.replaying import LINKS_AND_COLUMNS
from app.governance_ledger.sealing import seal
from app.postgres import Database
from tests.governance_ledger.ledgers import TENANT, record, verify

EVENTS, SEALS = "governance_ledger.governance_events", "governance_ledger.ledger_seals"
UUID_TEXT = "018f0000-0000-7000-8000-00000000000b"
HASH = "5c" * 32

_APPEND = f"""
INSERT INTO {EVENTS} (tenant_id, event_id, occurred_at, type, actor, ticket_id, run_id, step, approval_signature,
                      evidence_url, subjects, body)
VALUES ($1, uuidv7(), $2::text::timestamptz, 'x.counted', $3, $4, $4, 7, $5, $6, $7, $8)
"""
_PLAIN = '"data":{},"evidence":[]'
_KEPT = f'"data":{{}},"evidence":[{{"key":"sha256/5c/{HASH}","media_type":"text/plain","name":"a","sha256":"{HASH}",'
_KEPT += '"size_bytes":1}]'


async def append(
    database: Database,
    *,
    occurred_at: str = "2026-03-01 12:00:00.123456+00",
    actor: str = "worker:1",
    approval: str | None = None,
    subjects: tuple[str, ...] = (),
    evidence: bool = False,
) -> None:
    """One event by SQL, as an application that goes past our own code could write it."""
    url, body = (f"sha256/5c/{HASH}", _KEPT) if evidence else (None, _PLAIN)
    async with database.transaction(TENANT) as tx:
        await tx.connection.execute(_APPEND, TENANT, occurred_at, actor, UUID_TEXT, approval, url, list(subjects), body)


async def alter(superuser: asyncpg.Connection, statement: str) -> None:
    await superuser.execute("SET event_triggers = off")
    await superuser.execute(f"ALTER TABLE {EVENTS} DISABLE TRIGGER USER; ALTER TABLE {SEALS} DISABLE TRIGGER USER")
    await superuser.execute(statement)


ALTERED = (
    "recorded_at = recorded_at + interval '1 microsecond'",
    "occurred_at = occurred_at + interval '1 microsecond'",
    "type = 'x.other'",
    "actor = 'founder:1'",
    "actor = actor || chr(1)",
    "ticket_id = event_id",
    "ticket_id = NULL",
    "run_id = event_id",
    "run_id = NULL",
    "step = step + 1",
    "step = NULL",
    "approval_signature = 'a.b.c'",
    "effect_n = 1",
    "effect_digest = sha256('a')",
    "subjects = '{x.y/1}'",
    "subjects = '{}'",
    "evidence_url = NULL, evidence_sha256 = NULL",
    "evidence_url = 'sha256/00/' || repeat('0', 64), evidence_sha256 = repeat('0', 64)",
    "evidence_sha256 = NULL",
    "evidence_sha256 = repeat('0', 64)",
    "event_id = uuidv7()",
)


@pytest.mark.parametrize("change", ALTERED)
async def test_an_altered_column_is_named(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection, change: str
) -> None:
    await record(database, 2)
    await append(database, subjects=("x.z/7",), evidence=True)
    await record(database, 2)
    await seal(sealer)
    assert (await verify(database, full=True)).ok
    await alter(superuser, f"UPDATE {EVENTS} SET {change} WHERE step = 7")
    report = await verify(database, full=True)
    assert report.first_break is not None
    assert (report.first_break.seq, report.first_break.reason) == (3, "a column differs from the sealed document")


SEAL_ALTERED = ("occurred_at = now()", "type = 'x.other'", "ticket_id = NULL", "run_id = uuidv7()")


@pytest.mark.parametrize("change", SEAL_ALTERED)
async def test_an_altered_column_of_a_seal_is_named(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection, change: str
) -> None:
    await record(database, 2)
    await append(database)
    await seal(sealer)
    await alter(superuser, f"UPDATE {SEALS} SET {change} WHERE seq = 3")
    report = await verify(database)
    assert report.first_break is not None
    assert (report.first_break.seq, report.first_break.reason) == (3, "a column differs from the sealed document")


async def test_a_column_that_lost_its_value_is_named(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection
) -> None:
    """One field too few, and the next one made to look like two."""
    await append(database)
    await seal(sealer)
    await alter(superuser, f"ALTER TABLE {EVENTS} ALTER type DROP NOT NULL")
    await superuser.execute(f"UPDATE {EVENTS} SET type = NULL, actor = actor || chr(1) || 'null'")
    report = await verify(database)
    assert report.first_break is not None
    assert report.first_break.reason == "a column differs from the sealed document"


async def test_whatever_the_database_takes_verifies(database: Database, sealer: asyncpg.Connection) -> None:
    for occurred_at in (
        "2026-03-01 12:00:00+00",
        "2026-03-01 12:00:00.5+07",
        "0044-03-15 12:00:00+00 BC",
        "12026-01-01Z",
    ):
        await append(database, occurred_at=occurred_at)
    await append(database, actor='worker:"1"\\é\x01\n漢', approval="null", subjects=("x.y/1", "x.z/2"))
    await append(database, evidence=True)
    await seal(sealer)
    report = await verify(database, full=True)
    assert (report.ok, report.events) == (True, 6), report.first_break
    async with database.transaction(TENANT) as tx:
        rows = await tx.connection.fetch(LINKS_AND_COLUMNS, TENANT, 0, 6)
    plain = [agree(row["told"], row["document"]) for row in rows]
    assert plain == [True, True, False, False, True, True], "the others take a second look"


async def test_a_break_early_in_a_long_ledger_is_named(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection
) -> None:
    """The reading is ahead of what is compared, and is given up. What takes a second look does not end it."""
    await append(database, occurred_at="0044-03-15 12:00:00+00 BC")
    for _ in range(5):
        await record(database, 1_900)
    await append(database, occurred_at="0044-03-15 12:00:00+00 BC")
    await seal(sealer)
    assert (await verify(database, full=True)).ok
    of = f"FROM {SEALS} s WHERE s.n = e.n AND s.seq ="
    await alter(superuser, f"UPDATE {EVENTS} e SET actor = 'founder:1' {of} 9002")
    late = await verify(database, full=True)
    await superuser.execute(f"UPDATE {EVENTS} e SET body = e.body || ' ' {of} 7")
    early = await verify(database, full=True)
    for report, seq, reason in ((late, 9_002, "a column differs"), (early, 7, "does not follow")):
        assert report.first_break is not None
        assert (report.first_break.seq, report.to_seq) == (seq, seq - 1)
        assert report.first_break.event_id is not None
        assert reason in report.first_break.reason

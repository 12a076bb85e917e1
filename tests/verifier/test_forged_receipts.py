"""Receipts in an export: each is held against the event that it stands behind."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.auth import KeyRing, SigningKey, b64url, unb64url
from app.governance_ledger import Receipt
from app.governance_ledger.receipts import Receipts
from app.postgres import Database
from app.verifier import lines
from app.verifier.chain import leaf_of
from app.verifier.keys import Trusted
from tests.governance_ledger.ledgers import KEY, OTHER, RECEIPT_KEY, RECEIPTS, TENANT, receive, record, sign
from tests.verifier.files import checked, ended, exported, lines_in, written
from tests.verifier.test_tampering import TRUSTED, Lines, place


def edit_a_receipt(content: Lines) -> Lines:
    at = place(content, lines.RECEIPT)
    head, claims, signature = content[at].split(b".")
    said = b64url(unb64url(claims.decode()).replace(b'"max_merge_delay_seconds":5', b'"max_merge_delay_seconds":9'))
    return ended([*content[:at], b".".join((head, said.encode(), signature)), *content[at + 1 :]])


def drop_a_receipt(content: Lines) -> Lines:
    at = place(content, lines.RECEIPT)
    return [*content[:at], *content[at + 1 :]]


def swap_receipts(content: Lines) -> Lines:
    first, second = place(content, lines.RECEIPT, 0), place(content, lines.RECEIPT, 1)
    content = list(content)
    content[first], content[second] = content[second], content[first]
    return ended(content)


def double_a_receipt(content: Lines) -> Lines:
    at = place(content, lines.RECEIPT)
    return ended([*content[:at], content[at], *content[at:]])


def move_a_receipt(content: Lines) -> Lines:
    at = place(content, lines.RECEIPT)
    return ended([*content[:at], *content[at + 1 : -1], content[at]])


def promised(content: Lines, tenant: UUID, signer: SigningKey, **said: object) -> Lines:
    """The first receipt's event under a receipt that says something else, or is somebody else's."""
    at = place(content, lines.RECEIPT)
    event = json.loads(content[at - 1][9 : content[at - 1].rfind(b',"hash":"')])
    given = {"event_id": UUID(event["id"]), "xid": event["xid"], "recorded_at": datetime.fromisoformat(event["at"])}
    leaf = leaf_of(content[at - 1][9 : content[at - 1].rfind(b',"hash":"')]).hex()
    receipt = Receipt(**{"leaf": leaf, **given, **said})
    signed = Receipts(KeyRing({}, "receipt", signer), 5).sign(tenant, receipt)
    return ended([*content[:at], lines.receipt_line(signed), *content[at + 1 :]])


def put_a_strangers_receipt(content: Lines) -> Lines:
    return promised(content, TENANT, SigningKey(Ed25519PrivateKey.generate()))


def put_another_tenants_receipt(content: Lines) -> Lines:
    return promised(content, OTHER, RECEIPT_KEY)


def promise_another_leaf(content: Lines) -> Lines:
    return promised(content, TENANT, RECEIPT_KEY, leaf="0" * 64)


def promise_another_transaction(content: Lines) -> Lines:
    return promised(content, TENANT, RECEIPT_KEY, xid="1")


def promise_another_time(content: Lines) -> Lines:
    return promised(content, TENANT, RECEIPT_KEY, recorded_at=datetime(2020, 1, 1, tzinfo=UTC))


def leave_the_receipt_of_an_event_that_was_cut(content: Lines) -> Lines:
    gone = Receipt(UUID(int=7), "0" * 64, "9999", datetime(2026, 3, 2, tzinfo=UTC))
    return ended([*content[:-1], lines.receipt_line(RECEIPTS.sign(TENANT, gone))])


ATTACKS = {
    edit_a_receipt: "a receipt that this ledger's installation did not sign",
    drop_a_receipt: "the end states other lines",
    swap_receipts: "the receipt in this event's place is that of event",
    double_a_receipt: "a receipt stands elsewhere than behind its event",
    move_a_receipt: "a receipt stands elsewhere than behind its event",
    put_a_strangers_receipt: "a receipt by an unknown key",
    put_another_tenants_receipt: "a receipt of another tenant's event",
    promise_another_leaf: "promises another event",
    promise_another_transaction: "promises another event",
    promise_another_time: "promises another event",
    leave_the_receipt_of_an_event_that_was_cut: "was promised by a receipt and is not in the ledger",
}


async def test_receipts_that_were_edited_dropped_swapped_or_are_anothers_are_found(
    ledger: Path, tmp_path: Path
) -> None:
    content = lines_in(ledger)
    same = checked(written(tmp_path / "same", ended(content)), trusted=TRUSTED)
    assert (same.ok, same.stored_receipts) == (True, 3)
    missed = {}
    for attack, reason in ATTACKS.items():
        found = checked(written(tmp_path / "forged", attack(content)), trusted=TRUSTED).first_break
        if found is None or not re.search(reason, found.reason) or found.line is None:
            missed[attack.__name__] = found
    assert missed == {}


async def test_a_broken_receipt_is_named_with_its_line_and_its_event(ledger: Path, tmp_path: Path) -> None:
    content = lines_in(ledger)
    at = place(content, lines.RECEIPT)
    for jobs in (1, 2):
        path = written(tmp_path / "forged", edit_a_receipt(content))
        found = checked(path, trusted=TRUSTED, jobs=jobs).first_break
        event = json.loads(content[at - 1])
        assert found is not None
        assert (found.line, found.seq, found.event_id) == (at + 1, event["seq"], event["event"]["id"])


@pytest.fixture
async def received(database: Database, sealer: asyncpg.Connection) -> dict[UUID, str]:
    """20 events, a checkpoint at 10 and 20: every other five came over the API and have receipts."""
    given: dict[UUID, str] = {}
    for _ in range(2):
        await record(database, 5)
        given |= await receive(database, 5)
        await sign(sealer)
    return given


def receipts_in(path: Path) -> list[str]:
    return [json.loads(line)["receipt"]["jws"] for line in lines_in(path) if line.startswith(lines.RECEIPT)]


async def test_an_export_holds_the_very_receipts_that_were_handed_out(
    database: Database, received: dict[UUID, str], tmp_path: Path
) -> None:
    path = await exported(database, tmp_path)
    report = checked(path)
    assert sorted(receipts_in(path)) == sorted(received.values())
    assert (report.ok, report.stored_receipts) == (True, 10)
    assert report.unchecked == ["whose the receipt keys are: they are the file's own"]
    assert "verified: 10 receipts in the file" in report.as_text()
    brought = Trusted({KEY.kid: KEY.raw_public}, {}, (), {RECEIPT_KEY.kid: RECEIPT_KEY.raw_public})
    stranger = Trusted({KEY.kid: KEY.raw_public}, {}, (), {KEY.kid: KEY.raw_public})
    assert checked(path, trusted=brought).unchecked == []
    refused = checked(path, trusted=stranger).first_break
    assert refused is not None
    assert refused.reason == "a receipt by an unknown key"


@pytest.mark.parametrize(("first", "last", "held"), [(1, 5, 0), (4, 8, 3), (10, 16, 2), (1, 20, 10), (20, 20, 1)])
async def test_a_range_holds_the_receipts_of_its_events(
    database: Database, received: dict[UUID, str], tmp_path: Path, *, first: int, last: int, held: int
) -> None:
    report = checked(await exported(database, tmp_path, from_seq=first, to_seq=last))
    assert report.first_break is None
    assert (report.ok, report.stored_receipts) == (True, held)


async def test_an_interrupted_export_goes_on_with_its_receipts(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    for _ in range(3):
        await receive(database, 1000)
        await sign(sealer)
    whole = await exported(database, tmp_path, "whole.zst")
    packed, said = whole.read_bytes(), lines_in(whole)
    for share in (3, 50, 80, 100):
        (tmp_path / "again.zst.part").write_bytes(packed[: len(packed) * share // 100])
        assert lines_in(await exported(database, tmp_path, "again.zst")) == said
    report = checked(whole)
    assert (report.ok, report.stored_receipts) == (True, 3000)


def as_before(content: Lines) -> Lines:
    """The same export as it was written before receipts were stored."""
    header = content[0].replace(b'"receipts":true,', b"")
    return ended([header, *(line for line in content[1:] if not line.startswith(lines.RECEIPT))])


async def test_an_export_of_before_there_were_receipts_still_verifies(
    database: Database, received: dict[UUID, str], tmp_path: Path
) -> None:
    content = as_before(lines_in(await exported(database, tmp_path)))
    assert b"receipts" not in content[-1]
    report = checked(written(tmp_path / "before", content))
    assert (report.ok, report.stored_receipts, report.unchecked) == (True, 0, ["receipts: the file holds none"])
    late = ended([content[0], content[1], lines.receipt_line(next(iter(received.values()))), *content[2:]])
    found = checked(written(tmp_path / "late", late)).first_break
    assert found is not None
    assert found.reason == "a receipt in an export that holds none"


async def test_an_export_that_was_begun_before_there_were_receipts_goes_on_without_them(
    database: Database, received: dict[UUID, str], tmp_path: Path
) -> None:
    said = as_before(lines_in(await exported(database, tmp_path)))
    compressor = zstandard.ZstdCompressor(write_checksum=True)
    (tmp_path / "old.zst.part").write_bytes(compressor.compress(said[0]))
    again = await exported(database, tmp_path, "old.zst")
    assert receipts_in(again) == []
    assert checked(again).ok


async def test_an_export_of_a_ledger_that_was_cut_shows_the_receipt_that_was_forgotten(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection, tmp_path: Path
) -> None:
    await record(database, 5)
    await sign(sealer)
    (cut,) = await receive(database, 1)
    await superuser.execute("SET event_triggers = off")
    for trigger in ("worm_row", "worm_statement"):
        await superuser.execute(f"ALTER TABLE governance_ledger.governance_events DISABLE TRIGGER {trigger}")
    await superuser.execute("DELETE FROM governance_ledger.governance_events WHERE event_id = $1", cut)
    await record(database, 5)
    await sign(sealer)
    found = checked(await exported(database, tmp_path)).first_break
    assert found is not None
    assert (found.event_id, found.reason) == (
        str(cut),
        f"event {cut} was promised by a receipt and is not in the ledger",
    )
    assert checked(await exported(database, tmp_path, "part", from_seq=3)).ok


async def test_the_chain_alone_is_verified_without_reading_receipts(ledger: Path, tmp_path: Path) -> None:
    forged = written(tmp_path / "forged", edit_a_receipt(lines_in(ledger)))
    report = checked(forged, trusted=TRUSTED, chain_only=True)
    assert (report.ok, report.stored_receipts) == (True, 0)
    assert "receipts" in report.unchecked[0]
    moved = checked(written(tmp_path / "moved", move_a_receipt(lines_in(ledger))), trusted=TRUSTED, chain_only=True)
    assert moved.first_break is not None


async def test_receipts_of_a_key_that_was_replaced_verify_beside_those_of_the_new_one(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    new = SigningKey(Ed25519PrivateKey.generate())
    await receive(database, 2)
    await receive(database, 2, signer=Receipts(KeyRing({}, "receipt", new), 5))
    await sign(sealer)
    path = await exported(database, tmp_path)
    both = {key.kid: key.raw_public for key in (RECEIPT_KEY, new)}
    assert checked(path, trusted=Trusted({KEY.kid: KEY.raw_public}, {}, (), both)).stored_receipts == 4
    old_alone = checked(path).first_break
    assert old_alone is not None
    assert (old_alone.seq, old_alone.reason) == (3, "a receipt by an unknown key")

"""What is held elsewhere counts: receipts of callers, cosignatures of witnesses, time stamps."""

import base64
import hashlib
import struct
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.auth import KeyRing, SigningKey
from app.governance_ledger import Event, Receipt, append
from app.governance_ledger.receipts import Receipts
from app.governance_ledger.witnessing import COSIGNATURE, verifier_key
from app.postgres import Database
from app.verifier import lines
from app.verifier.errors import KeyUnknown
from app.verifier.keys import Trusted
from app.verifier.witnesses import read_witnesses
from tests.governance_ledger.authority import LocalAuthority
from tests.governance_ledger.ledgers import KEY, TENANT, record, sign
from tests.verifier.files import checked, ended, exported, lines_in, written

SIGNER = SigningKey(Ed25519PrivateKey.generate())
RECEIPTS = Receipts(KeyRing({SIGNER.kid: SIGNER.public}, "receipt", SIGNER), 5)
TRUSTED = Trusted({KEY.kid: KEY.raw_public}, {}, (), {SIGNER.kid: SIGNER.raw_public})
WITNESS = SigningKey(Ed25519PrivateKey.generate())
NAME = "witness.example/w1"


@pytest.fixture
async def ledger(database: Database, sealer: asyncpg.Connection, tmp_path: Path) -> Path:
    await record(database, 5)
    await sign(sealer)
    return await exported(database, tmp_path)


async def received(database: Database) -> Receipt:
    async with database.transaction(TENANT) as tx:
        return await append(tx, Event(type="x.received", actor="system"))


async def test_a_receipt_is_found_in_the_export(database: Database, sealer: asyncpg.Connection, tmp_path: Path) -> None:
    receipt = RECEIPTS.sign(TENANT, await received(database))
    await sign(sealer)
    report = checked(await exported(database, tmp_path), trusted=TRUSTED, receipts=[receipt])
    assert (report.ok, report.receipts, report.unchecked) == (True, 1, [])


async def test_an_event_that_a_receipt_promised_and_that_is_gone_is_found(database: Database, ledger: Path) -> None:
    late = await received(database)
    told = checked(ledger, trusted=TRUSTED, receipts=[RECEIPTS.sign(TENANT, late)])
    long_ago = Receipt(late.event_id, late.leaf, late.xid, late.recorded_at.replace(year=2020))
    report = checked(ledger, trusted=TRUSTED, receipts=[RECEIPTS.sign(TENANT, long_ago)])
    assert told.ok
    assert "does not lie in this range" in told.unchecked[0]
    assert report.first_break is not None
    assert "was promised by a receipt and is not in the ledger" in report.first_break.reason


async def test_a_receipt_of_another_event_under_the_same_id_is_found(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    given = await received(database)
    await sign(sealer)
    other = Receipt(given.event_id, "0" * 64, given.xid, given.recorded_at)
    path = await exported(database, tmp_path)
    report = checked(path, trusted=TRUSTED, receipts=[RECEIPTS.sign(TENANT, other)])
    forged = checked(path, trusted=TRUSTED, receipts=[RECEIPTS.sign(TENANT, given)[:-4] + "AAAA"])
    assert report.first_break is not None
    assert "promises another event" in report.first_break.reason
    assert forged.first_break is not None
    assert "did not sign" in forged.first_break.reason


def cosigned(note: str, at: int = 1_800_000_000) -> bytes:
    text = note.partition("\n\n")[0] + "\n"
    mark = hashlib.sha256(NAME.encode() + b"\n" + COSIGNATURE + WITNESS.raw_public).digest()[:4]
    signature = WITNESS.sign(f"cosignature/v1\ntime {at}\n{text}".encode())
    return f"— {NAME} {base64.b64encode(mark + struct.pack('>Q', at) + signature).decode()}\n".encode()


async def attested(
    ledger: Path,
    sealer: asyncpg.Connection,
    to: Path,
    *,
    bent: bool = False,
    authority: LocalAuthority | None = None,
) -> Path:
    """The export with a cosignature and a time stamp behind its checkpoint."""
    note = await sealer.fetchval("SELECT note FROM governance_ledger.ledger_checkpoints WHERE tenant_id = $1", TENANT)
    content = lines_in(ledger)
    cosignature = cosigned(note.replace("chain ", "chain 0") if bent else note)
    stamp = b"DER" if authority is None else authority.stamp(hashlib.sha256(note.encode()).digest(), 1)
    more = [
        lines.attestation_line(1, "timestamp", "tsa.example", stamp),
        lines.attestation_line(1, "witness", NAME, cosignature),
    ]
    return written(to, ended([*content[:-1], *more]))


async def test_a_witness_that_the_auditor_names_is_verified(
    ledger: Path, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    witnesses = read_witnesses([verifier_key(NAME, WITNESS.raw_public, COSIGNATURE)])
    report = checked(await attested(ledger, sealer, tmp_path / "attested"), trusted=TRUSTED, witnesses=witnesses)
    unnamed = checked(tmp_path / "attested", trusted=TRUSTED)
    assert (report.ok, report.cosignatures, len(report.unchecked)) == (True, 1, 1)
    assert (unnamed.ok, unnamed.cosignatures, len(unnamed.unchecked)) == (True, 0, 2)


async def test_a_cosignature_over_another_note_is_found(
    ledger: Path, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    witnesses = read_witnesses([verifier_key(NAME, WITNESS.raw_public, COSIGNATURE)])
    path = await attested(ledger, sealer, tmp_path / "attested", bent=True)
    report = checked(path, trusted=TRUSTED, witnesses=witnesses)
    assert report.first_break is not None
    assert "the cosignature of witness.example/w1 does not hold" in report.first_break.reason


async def test_a_time_stamp_is_verified_up_to_the_root_that_the_auditor_brings(
    ledger: Path, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    authority, early = LocalAuthority(), LocalAuthority(ahead=timedelta(minutes=-6))
    path = await attested(ledger, sealer, tmp_path / "stamped", authority=authority)
    report = checked(path, trusted=TRUSTED, roots=[authority.root])
    assert (report.ok, report.timestamps, len(report.unchecked)) == (True, 1, 1), report.first_break
    assert "verified: 1 time stamps" in report.as_text()
    stranger = checked(path, trusted=TRUSTED, roots=[early.root])
    assert stranger.first_break is not None
    assert "none of the given roots" in stranger.first_break.reason
    backdated = await attested(ledger, sealer, tmp_path / "early", authority=early)
    report = checked(backdated, trusted=TRUSTED, roots=[early.root])
    assert report.first_break is not None
    assert "says a later time than tsa.example" in report.first_break.reason


async def test_what_the_ledger_keeps_of_attestors_stands_in_the_export(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    await record(database, 5)
    await sign(sealer)
    await sealer.execute(
        "INSERT INTO governance_ledger.ledger_attestations (tenant_id, serial, size, kind, name, attested_at, content) "
        "VALUES ($1, 1, 5, 'timestamp', 'tsa.example', now(), '\\x3003')",
        TENANT,
    )
    path = await exported(database, tmp_path)
    path.rename(tmp_path / "again.zst.part")
    again = await exported(database, tmp_path, "again.zst")
    assert [line for line in lines_in(again) if line.startswith(lines.ATTESTATION)] != []
    assert checked(again, trusted=TRUSTED).unchecked == [
        "1 attestations of kind timestamp: give the authority's root with --timestamp-root"
    ]


def test_a_key_of_no_witness_gets_one_sentence() -> None:
    with pytest.raises(KeyUnknown, match="no verifier key of a witness"):
        read_witnesses(["witness.example+1234+AAAA"])

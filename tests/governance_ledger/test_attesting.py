"""Checkpoints attested from outside: time stamps and witnesses, over the real protocols, never in the sealer's way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.adapters import attestors
from app.adapters.evidence.folder import FolderStore
from app.canon.errors import Misconfigured
from app.cli.main import main
from app.governance_ledger import ChainReport, audit_evidence
from app.governance_ledger.attestations import Trust, load_trust
from app.governance_ledger.attesting import Attestor, Authority, WitnessClient, attest
from app.governance_ledger.model import SYSTEM_TENANT, Attestation
from app.governance_ledger.notes import origin
from app.governance_ledger.sealing import Mover
from app.governance_ledger.witnessing import Witness, parse_witnesses, verifier_key
from app.postgres import Database
from app.sealer import Sealer, attestors_of
from app.settings import read
from tests.governance_ledger.authority import LocalAuthority
from tests.governance_ledger.ledgers import KEY, OTHER, TENANT, record, sign, verify
from tests.governance_ledger.test_sealer import until
from tests.governance_ledger.witness import LocalWitness
from tests.outside_servers import answering

NO_WAIT = timedelta(0)
KEYS = {KEY.kid: KEY.raw_public}
ATTESTATIONS = "governance_ledger.ledger_attestations"


@pytest.fixture
def witness() -> LocalWitness:
    """One that knows all logs of the installation."""
    return LocalWitness(logs={origin(tenant): KEY.raw_public for tenant in (TENANT, OTHER, SYSTEM_TENANT)})


@pytest.fixture
def authority() -> LocalAuthority:
    return LocalAuthority()


@contextmanager
def outside(witness: LocalWitness, authority: LocalAuthority | None = None) -> Iterator[list[Attestor]]:
    """What the sealer is given when both are configured."""
    with answering(witness.answer) as url:
        client = WitnessClient(Witness(witness.name, witness.public, url), attestors.post, NO_WAIT)
        if authority is None:
            yield [client]
            return
        with answering(authority.answer) as stamping:
            yield [client, Authority(f"{stamping}/tsr", attestors.post, NO_WAIT)]


def trust(witness: LocalWitness, authority: LocalAuthority | None = None) -> Trust:
    return Trust((Witness(witness.name, witness.public, ""),), () if authority is None else (authority.root,))


async def grow(database: Database, sealer: asyncpg.Connection, count: int = 3, tenant: UUID = TENANT) -> None:
    await record(database, count, tenant)
    await sign(sealer)


async def full(database: Database, wanted: Trust) -> ChainReport:
    return await verify(database, full=True, keys=KEYS, trust=wanted)


async def ask(sealer: asyncpg.Connection, asked: list[Attestor]) -> int:
    """How many attestations that gave, the installation's own chain aside."""
    count = f"SELECT count(*) FROM {ATTESTATIONS} WHERE tenant_id <> $1"
    before = await sealer.fetchval(count, SYSTEM_TENANT)
    await attest(sealer, asked)
    return int(await sealer.fetchval(count, SYSTEM_TENANT)) - int(before)


def said(report: ChainReport) -> dict[str, Attestation]:
    assert report.checkpoint is not None
    return {one.kind: one for one in report.checkpoint.attestations}


def reason(report: ChainReport) -> str:
    assert report.first_break is not None, "nothing was found"
    return report.first_break.reason


async def test_checkpoints_are_stamped_and_cosigned_and_both_verify(
    database: Database, sealer: asyncpg.Connection, witness: LocalWitness, authority: LocalAuthority, tmp_path: Path
) -> None:
    with outside(witness, authority) as asked:
        for count in (1, 2, 300):
            await grow(database, sealer, count)
            assert await ask(sealer, asked) == 2
        await grow(database, sealer, 4, OTHER)
        assert await ask(sealer, asked) == 2
        assert await ask(sealer, asked) == 0, "nothing is new"
    report = await full(database, trust(witness, authority))
    assert report.ok, report.first_break
    newest = said(report)
    assert {kind: (one.serial, one.size, one.verified, one.error) for kind, one in newest.items()} == {
        "timestamp": (3, 303, True, None),
        "witness": (3, 303, True, None),
    }
    assert witness.seen[origin(TENANT)][0] == 303
    mine = [body.split(b"\n")[0] for body in witness.asked if str(TENANT).encode() in body]
    assert mine == [b"old 0", b"old 1", b"old 3"], "each time with a proof from the one before"
    store = FolderStore(tmp_path)
    while await Mover(store).move(sealer):
        pass
    beside = sorted(path.name for path in (tmp_path / "tree" / "checkpoints" / str(TENANT)).iterdir())
    assert len(beside) == 9
    assert {name.partition(".")[2].partition(".")[0] for name in beside} == {"", "timestamp", "witness"}

    async def verdicts() -> list[str]:
        return [audited.verdict async for audited in audit_evidence(database, TENANT, store, page=2)]

    assert await verdicts() == ["same"] * 9
    (tmp_path / "tree" / "checkpoints" / str(TENANT) / beside[-1]).unlink()
    assert await verdicts() == [*["same"] * 8, "missing"]


async def test_without_keys_and_certificates_they_are_there_but_not_verified(
    database: Database, sealer: asyncpg.Connection, witness: LocalWitness, authority: LocalAuthority
) -> None:
    await grow(database, sealer)
    with outside(witness, authority) as asked:
        await ask(sealer, asked)
    report = await full(database, Trust())
    assert report.ok
    assert [one.verified for one in said(report).values()] == [False, False]


async def test_a_witness_that_is_further_on_says_from_where_to_prove(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection, witness: LocalWitness
) -> None:
    with outside(witness) as asked:
        await grow(database, sealer, 5)
        await ask(sealer, asked)
        # A crash after the witness's answer: it remembers, the ledger does not.
        await superuser.execute("SET session_replication_role = replica; SET event_triggers = off")
        await superuser.execute("DELETE FROM governance_ledger.ledger_attestors WHERE tenant_id = $1", TENANT)
        await grow(database, sealer, 6)
        assert await ask(sealer, asked) == 1
    mine = [body.split(b"\n")[0] for body in witness.asked if str(TENANT).encode() in body]
    assert mine == [b"old 0", b"old 0", b"old 5"]
    assert witness.seen[origin(TENANT)][0] == 11


async def test_a_witness_refuses_a_fork_and_verification_says_so(
    database: Database, sealer: asyncpg.Connection, witness: LocalWitness, caplog: pytest.LogCaptureFixture
) -> None:
    await grow(database, sealer, 5)
    witness.seen[origin(TENANT)] = 3, b"x" * 32  # what the ledger showed it once, and shows no more
    with outside(witness) as asked:
        assert await ask(sealer, asked) == 0
        report = await full(database, trust(witness))
        assert "witness witness.example/w1 refuses this ledger: it says that this ledger does not follow" in reason(
            report
        )
        assert "does not follow from what it saw before" in caplog.text
        witness.seen[origin(TENANT)] = 5, b"x" * 32
        await sealer.execute("UPDATE governance_ledger.ledger_attestors SET next_try_at = now() - interval '1 hour'")
        assert await ask(sealer, asked) == 0
    assert "has cosigned another tree of 5 events" in reason(await full(database, trust(witness)))


async def test_a_ledger_that_was_cut_is_known_by_its_witness(
    database: Database, sealer: asyncpg.Connection, witness: LocalWitness
) -> None:
    await grow(database, sealer, 5)
    witness.seen[origin(TENANT)] = 9, b"x" * 32
    with outside(witness) as asked:
        await ask(sealer, asked)
    assert "has cosigned 9 events of this ledger, which has 5" in reason(await full(database, trust(witness)))


async def test_a_checkpoint_that_was_attested_cannot_go_unseen(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection, witness: LocalWitness
) -> None:
    with outside(witness) as asked:
        await grow(database, sealer, 5)
        await grow(database, sealer, 5)
        await ask(sealer, asked)
    await superuser.execute("SET event_triggers = off")
    await superuser.execute("ALTER TABLE governance_ledger.ledger_checkpoints DISABLE TRIGGER USER")
    await superuser.execute("DELETE FROM governance_ledger.ledger_checkpoints WHERE size = 10")
    assert "attested 10 events, that checkpoint is gone" in reason(await full(database, trust(witness)))


TAMPERINGS = {
    "other bytes": ("content = overlay(content PLACING '\\x00' FROM 60)", "checkpoint 1"),
    "another time": ("attested_at = attested_at - interval '1 day'", "says another time than its column"),
}


@pytest.mark.parametrize("kind", ["witness", "timestamp"])
@pytest.mark.parametrize("tampering", TAMPERINGS.values(), ids=TAMPERINGS.keys())
async def test_an_altered_attestation_is_found(
    database: Database,
    sealer: asyncpg.Connection,
    superuser: asyncpg.Connection,
    witness: LocalWitness,
    authority: LocalAuthority,
    kind: str,
    tampering: tuple[str, str],
) -> None:
    await grow(database, sealer)
    with outside(witness, authority) as asked:
        await ask(sealer, asked)
    await superuser.execute("SET event_triggers = off")
    await superuser.execute(f"ALTER TABLE {ATTESTATIONS} DISABLE TRIGGER USER")
    await superuser.execute(f"UPDATE {ATTESTATIONS} SET {tampering[0]} WHERE kind = $1", kind)
    found = reason(await verify(database, keys=KEYS, trust=trust(witness, authority)))
    assert tampering[1] in found
    assert kind in found


async def test_a_stamp_or_a_cosignature_of_a_stranger_does_not_verify(
    database: Database, sealer: asyncpg.Connection, witness: LocalWitness, authority: LocalAuthority
) -> None:
    await grow(database, sealer)
    with outside(witness, authority) as asked:
        await ask(sealer, asked)
    strange_root = msgspec.structs.replace(trust(witness, authority), roots=(LocalAuthority().root,))
    assert "the time stamp does not verify" in reason(await full(database, strange_root))
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    strange_key = msgspec.structs.replace(trust(witness, authority), witnesses=(Witness(witness.name, other, ""),))
    assert "it signed with another key" in reason(await full(database, strange_key))


async def test_a_checkpoint_dated_ahead_of_its_time_stamp_is_found(
    database: Database, sealer: asyncpg.Connection, witness: LocalWitness
) -> None:
    authority = LocalAuthority(ahead=timedelta(days=-2))
    await grow(database, sealer)
    with outside(witness, authority) as asked:
        await ask(sealer, asked)
    assert "says a later time than timestamp" in reason(await full(database, trust(witness, authority)))


Spoil = Callable[[LocalWitness, LocalAuthority], None]


def wrong_nonce(witness: LocalWitness, authority: LocalAuthority) -> None:
    authority.wrong_nonce = True


def refuses_to_stamp(witness: LocalWitness, authority: LocalAuthority) -> None:
    authority.status = 2


def unknown_log(witness: LocalWitness, authority: LocalAuthority) -> None:
    witness.logs.clear()


def unknown_key(witness: LocalWitness, authority: LocalAuthority) -> None:
    witness.logs[origin(TENANT)] = bytes(32)


def signs_with_another_key(witness: LocalWitness, authority: LocalAuthority) -> None:
    witness.key = Ed25519PrivateKey.generate()


SPOILED: dict[Spoil, str] = {
    wrong_nonce: "belongs to another request",
    refuses_to_stamp: "the authority gave none: out of time",
    unknown_log: "does not know this ledger (404)",
    unknown_key: "answered 403",
    signs_with_another_key: "it signed with another key",
}


@pytest.mark.parametrize("spoil", SPOILED, ids=lambda spoil: spoil.__name__)
async def test_what_an_attestor_fails_to_give_is_said_and_breaks_nothing(
    database: Database, sealer: asyncpg.Connection, witness: LocalWitness, authority: LocalAuthority, spoil: Spoil
) -> None:
    await grow(database, sealer)
    known = trust(witness, authority)
    with outside(witness, authority) as asked:
        spoil(witness, authority)
        assert await ask(sealer, asked) == 1
        assert await ask(sealer, asked) == 0, "it is asked again later, not at once"
    report = await full(database, known)
    assert report.ok, report.first_break
    errors = [one.error for one in said(report).values() if one.error is not None]
    assert len(errors) == 1
    assert SPOILED[spoil] in errors[0]


async def test_whoever_is_away_or_talks_nonsense_is_left_alone(
    database: Database, sealer: asyncpg.Connection, witness: LocalWitness
) -> None:
    await grow(database, sealer)

    def nonsense(path: str, media_type: str, body: bytes) -> tuple[int, str, bytes]:
        return 200, "application/timestamp-reply", b"\xff" * 100_000 if path == "/long" else b"nonsense"

    def conflict(path: str, media_type: str, body: bytes) -> tuple[int, str, bytes]:
        return 409, "text/x.tlog.size", b"many\n"

    with answering(nonsense) as url, answering(conflict) as unsure:
        asked: list[Attestor] = [
            Authority(f"{url}/short", attestors.post, NO_WAIT),
            Authority(f"{url}/long", attestors.post, NO_WAIT),
            Authority("http://127.0.0.1:9/gone", attestors.post, NO_WAIT),
            WitnessClient(Witness("n", witness.public, url), attestors.post, NO_WAIT),
            WitnessClient(Witness("u", witness.public, unsure), attestors.post, NO_WAIT),
        ]
        assert await ask(sealer, asked) == 0
    states = await sealer.fetch(
        "SELECT error, refused FROM governance_ledger.ledger_attestors WHERE tenant_id = $1", TENANT
    )
    assert len(states) == 5
    assert [state["refused"] for state in states].count(True) == 1


@asynccontextmanager
async def sealing(dsn: str, store: FolderStore, asked: list[Attestor]) -> AsyncIterator[Sealer]:
    sealer = Sealer(dsn, lambda: (KEY,), store, attestors=asked)
    task = asyncio.create_task(sealer.run())
    try:
        yield sealer
    finally:
        sealer.close()
        await asyncio.wait_for(task, 5)


async def test_the_sealer_seals_on_while_an_attestor_hangs(
    database: Database, sealer_dsn: str, superuser: asyncpg.Connection, witness: LocalWitness, tmp_path: Path
) -> None:
    hung = asyncio.Event()

    async def hang(url: str, media_type: str, body: bytes) -> tuple[int, str, bytes] | str:
        hung.set()
        await asyncio.sleep(60)
        return "too late"

    async with sealing(sealer_dsn, FolderStore(tmp_path), [Authority("http://tsa.example", hang, NO_WAIT)]):
        await record(database, 1)
        await asyncio.wait_for(hung.wait(), 10)
        await record(database, 1)
        sealed = "SELECT count(*) = 2 FROM governance_ledger.ledger_seals WHERE tenant_id = $1"
        await until(lambda: superuser.fetchval(sealed, TENANT), seconds=30)


async def test_the_sealer_has_its_checkpoints_attested_by_itself(
    database: Database, sealer_dsn: str, superuser: asyncpg.Connection, witness: LocalWitness, tmp_path: Path
) -> None:
    with outside(witness) as asked:
        async with sealing(sealer_dsn, FolderStore(tmp_path), asked):
            await record(database, 2)
            await until(lambda: superuser.fetchval(f"SELECT count(*) FROM {ATTESTATIONS} WHERE tenant_id = $1", TENANT))
    assert (await full(database, trust(witness))).ok


def test_settings_name_whom_to_ask(witness: LocalWitness, authority: LocalAuthority, tmp_path: Path) -> None:
    (tmp_path / "roots.pem").write_bytes(authority.pem)
    settings = read(
        {
            "FLR_WITNESSES": f"{witness.vkey} https://w1.example/add/, {witness.vkey} https://w2.example",
            "FLR_TIMESTAMP_URL": "https://tsa.example/tsr",
            "FLR_TIMESTAMP_CERTIFICATES": str(tmp_path / "roots.pem"),
        }
    )
    assert [(one.kind, one.name) for one in attestors_of(settings)] == [
        ("witness", witness.name),
        ("witness", witness.name),
        ("timestamp", "tsa.example/tsr"),
    ]
    known = load_trust(settings.witnesses, settings.timestamp_certificates)
    assert known.witnesses[0] == Witness(witness.name, witness.public, "https://w1.example/add")
    assert known.roots == (authority.root,)
    assert attestors_of(read({})) == []


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "w+00000000+AAAA https://w.example",
        verifier_key("w", bytes(32)) + " https://w.example",
        verifier_key("w", bytes(32), b"\x04"),
        verifier_key("w", bytes(32), b"\x04") + " ftp://w.example",
        verifier_key("w", bytes(32), b"\x04").replace("w+", "v+") + " https://w.example",
    ],
)
def test_a_setting_that_names_no_witness_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="FLR_WITNESSES"):
        parse_witnesses(text)


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("nothing")
    for name in ("x.pem", "gone.pem"):
        with pytest.raises(Misconfigured, match="FLR_TIMESTAMP_CERTIFICATES"):
            load_trust(None, tmp_path / name)


async def test_the_doctor_tells_what_they_say(
    database: Database,
    sealer: asyncpg.Connection,
    superuser_dsn: str,
    witness: LocalWitness,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATABASE_URL", superuser_dsn)
    monkeypatch.setenv("FLR_HOME", str(home))

    async def findings() -> dict[str, tuple[str, str]]:
        await asyncio.to_thread(main, ["doctor", "--json"])
        items = msgspec.json.decode(capsys.readouterr().out)
        return {item["area"]: (item["status"], item["says"]) for item in items}

    assert (await findings())["attestors"][1].startswith("none: ")
    monkeypatch.setenv("FLR_WITNESSES", "nonsense")
    assert (await findings())["attestors"][0] == "wrong"
    monkeypatch.setenv("FLR_WITNESSES", f"{witness.vkey} https://w.example")
    assert (await findings())["attestors"] == ("todo", "none has answered yet")
    with outside(witness) as asked:
        await grow(database, sealer)
        await ask(sealer, asked)
        assert (await findings())[f"witness {witness.name}"] == ("ok", "attested 3 events")
        witness.seen[origin(TENANT)] = 99, b"x" * 32
        await grow(database, sealer)
        await ask(sealer, asked)
    assert (await findings())[f"witness {witness.name}"][0] == "wrong"

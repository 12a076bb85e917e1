"""Personal data is erased by destroying its subject's key: the chain stays, the data is gone everywhere."""

import asyncio
import os
import stat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.evidence.folder import FolderStore
from app.canon.errors import Misconfigured
from app.canon.vocabulary import new_id
from app.cli.main import main
from app.governance_ledger import (
    Event,
    EventFilter,
    append,
    audit_evidence,
    ensure_subjects_key,
    keep_evidence,
    read_event,
    read_events,
    recipient_of,
)
from app.governance_ledger import read_evidence as read
from app.governance_ledger.errors import (
    EventRefused,
    EvidenceDiffers,
    EvidenceErased,
    EvidenceSealed,
    SubjectErased,
    SubjectUnknown,
)
from app.governance_ledger.evidence import find_evidence
from app.governance_ledger.sealing import Mover, seal
from app.governance_ledger.subjects import (
    OVERHEAD_BYTES,
    DataKey,
    Keeper,
    Personal,
    Rewrapped,
    create_subjects_key,
    erase_subject,
    open_bytes,
    open_subject,
    reveal,
    rewrap_subjects,
    seal_bytes,
    seal_personal,
)
from app.postgres import Database
from tests.governance_ledger.ledgers import KEY, OTHER, TENANT, sign, verify

SUBJECT = "customer:8841"
SECRET = {"name": "Dewi Lestari", "address": "Jl. Melati 4, Bandung", "age": 41}
LETTER = b"Dear Dewi Lestari, your order of 3 March has left Bandung." * 20


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    ensure_subjects_key(tmp_path / "keys")
    return Keeper.load(tmp_path / "keys")


async def tell(
    database: Database, keeper: Keeper, personal: Personal, *, tenant: UUID = TENANT, event_id: UUID | None = None
) -> UUID:
    event_id = event_id or new_id()
    async with database.transaction(tenant) as tx:
        event = Event(type="x.order.placed", actor="system", data={"order": "A-7"})
        event = await seal_personal(tx, keeper, event, event_id, personal)
        await append(tx, event, event_id=event_id)
    return event_id


async def shown(database: Database, keeper: Keeper, event_id: UUID) -> Any:
    async with database.transaction(TENANT) as tx:
        (event,) = await reveal(tx, keeper, [await read_event(tx, event_id)])
    return event.data["personal"]


async def erase(database: Database, subject: str = SUBJECT) -> None:
    async with database.transaction(TENANT) as tx:
        await erase_subject(tx, subject, by="founder:7")


async def everything_stored(superuser: asyncpg.Connection, *folders: Path) -> bytes:
    """All bytes of the ledger's tables, and of the folders."""
    stored = b""
    for table in ("governance_events", "changes", "subject_keys", "evidence_objects", "evidence_spool"):
        rows = await superuser.fetch(f"SELECT convert_to(t::text, 'UTF8') AS row FROM governance_ledger.{table} t")
        stored += b"".join(row["row"] for row in rows)
        if table == "evidence_spool":
            stored += b"".join(
                row["content"] for row in await superuser.fetch("SELECT content FROM governance_ledger.evidence_spool")
            )
    for folder in folders:
        stored += b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return stored


async def test_personal_data_is_readable_until_its_subject_is_erased(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection, keeper: Keeper
) -> None:
    event_id = await tell(database, keeper, Personal(SUBJECT, SECRET))
    other = await tell(database, keeper, Personal("customer:9", {"name": "Putu"}))
    await sign(sealer)
    assert await shown(database, keeper, event_id) == {"subject": SUBJECT, "data": SECRET}
    assert b"Dewi" not in await everything_stored(superuser)
    await erase(database)
    await sign(sealer)
    after = await shown(database, keeper, event_id)
    assert sorted(after) == ["erased_at", "subject"]
    assert (await shown(database, keeper, other))["data"] == {"name": "Putu"}
    report = await verify(database, full=True, keys={KEY.kid: KEY.raw_public})
    assert (report.ok, report.to_seq) == (True, 5), report.first_break


async def test_erasing_is_in_the_ledger_and_final(
    database: Database, superuser: asyncpg.Connection, keeper: Keeper
) -> None:
    await tell(database, keeper, Personal(SUBJECT, SECRET))
    await erase(database)
    await erase(database)
    events = await superuser.fetch(
        "SELECT type, actor, body::json -> 'body' -> 'data' ->> 'subject' AS subject "
        "FROM governance_ledger.governance_events WHERE tenant_id = $1 AND type LIKE 'subject.%' ORDER BY n",
        TENANT,
    )
    assert [tuple(event) for event in events] == [
        ("subject.opened", "system", SUBJECT),
        ("subject.erased", "founder:7", SUBJECT),
    ]
    with pytest.raises(SubjectErased):
        await tell(database, keeper, Personal(SUBJECT, SECRET))
    for statement in (
        "UPDATE governance_ledger.subject_keys SET wrapped_key = 'x', erased_at = NULL",
        "DELETE FROM governance_ledger.subject_keys",
    ):
        with pytest.raises(asyncpg.PostgresError, match="erased stays erased"):
            await superuser.execute(statement)


async def test_a_key_does_not_come_or_go_without_its_event(database: Database, keeper: Keeper) -> None:
    await tell(database, keeper, Personal(SUBJECT, SECRET))
    with pytest.raises(asyncpg.PostgresError, match="has no governance event"):
        async with database.transaction(TENANT) as tx:
            await tx.connection.execute(
                "UPDATE governance_ledger.subject_keys SET wrapped_key = NULL, erased_at = now() WHERE subject = $1",
                SUBJECT,
            )


async def test_a_subject_of_another_tenant_is_another_subject(database: Database, keeper: Keeper) -> None:
    mine = await tell(database, keeper, Personal(SUBJECT, SECRET))
    await tell(database, keeper, Personal(SUBJECT, {"name": "Somebody else"}), tenant=OTHER)
    async with database.transaction(OTHER) as tx:
        await erase_subject(tx, SUBJECT, by="founder:8")
    assert (await shown(database, keeper, mine))["data"] == SECRET


async def test_nothing_is_kept_of_an_unknown_subject(database: Database) -> None:
    with pytest.raises(SubjectUnknown):
        await erase(database, "customer:1")


async def test_nothing_is_written_in_the_clear_about_a_subject_that_others_cannot_write_to(
    database: Database, keeper: Keeper, tmp_path: Path
) -> None:
    async with database.transaction(TENANT) as tx:
        await open_subject(tx, keeper, "customer:1")
        await open_subject(tx, keeper, "customer:2", addressed=True)
        for subject in ("customer:1", "customer:3"):
            with pytest.raises(SubjectUnknown, match="no key that others can write to"):
                await recipient_of(tx, subject)
        assert await recipient_of(tx, None) is None
        found = await recipient_of(tx, "customer:2")
        assert found is not None
        ref = await keep_evidence(tx, LETTER, media_type="text/plain", name="x", subject=found)
        assert await read(tx, FolderStore(tmp_path), ref.key, 5, 16, keeper=keeper) == LETTER[5:17]
        await erase_subject(tx, "customer:2", by="founder:7")
        erased = await recipient_of(tx, "customer:2")
        with pytest.raises(SubjectErased):
            await keep_evidence(tx, LETTER, media_type="text/plain", name="x", subject=erased)


@pytest.mark.parametrize("subject", ["", "Dewi Lestari", "a/b", "-x", "x" * 121, "ü"])
async def test_what_is_no_subject_is_refused(database: Database, keeper: Keeper, subject: str) -> None:
    with pytest.raises(EventRefused):
        await tell(database, keeper, Personal(subject, SECRET))


async def test_two_who_open_a_subject_at_once_share_its_key(database: Database, keeper: Keeper) -> None:
    async def open_slowly() -> bytes:
        async with database.transaction(TENANT) as tx:
            key = await open_subject(tx, keeper, SUBJECT)
            await asyncio.sleep(0.1)
        return key.key

    first, second, third = await asyncio.gather(open_slowly(), open_slowly(), open_slowly())
    assert first == second == third


async def test_the_same_event_again_has_the_same_bytes_and_another_event_never(
    database: Database, keeper: Keeper
) -> None:
    event_id = new_id()
    event = Event(type="x.y", actor="system")
    async with database.transaction(TENANT) as tx:
        once, again = [await seal_personal(tx, keeper, event, event_id, Personal(SUBJECT, SECRET)) for _ in range(2)]
        other = await seal_personal(tx, keeper, event, new_id(), Personal(SUBJECT, SECRET))
    assert once == again
    assert once.data != other.data


async def test_ciphertext_moved_to_another_event_is_not_read_as_its_own(database: Database, keeper: Keeper) -> None:
    first = await tell(database, keeper, Personal(SUBJECT, SECRET))
    async with database.transaction(TENANT) as tx:
        stolen = (await read_event(tx, first)).data
        moved = await append(tx, Event(type="x.order.placed", actor="system", data=stolen))
    assert "data" not in await shown(database, keeper, moved.event_id)


async def test_without_the_wrapping_key_nothing_is_recorded_or_read(
    database: Database, keeper: Keeper, tmp_path: Path
) -> None:
    event_id = await tell(database, keeper, Personal(SUBJECT, SECRET))
    with pytest.raises(Misconfigured, match="run `flr migrate`"):
        await tell(database, Keeper({}), Personal("customer:2", SECRET))
    ensure_subjects_key(tmp_path / "elsewhere")
    with pytest.raises(Misconfigured, match="bring it from the first host"):
        await shown(database, Keeper.load(tmp_path / "elsewhere"), event_id)


async def test_a_new_wrapping_key_takes_over_every_living_subject_and_the_old_one_can_go(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    folder = tmp_path / "keys"
    ensure_subjects_key(folder)
    (old,) = folder.iterdir()
    first = await tell(database, Keeper.load(folder), Personal(SUBJECT, SECRET))
    await tell(database, Keeper.load(folder), Personal("customer:9", SECRET))
    await erase(database, "customer:9")
    kid = create_subjects_key(folder)
    second = await tell(database, Keeper.load(folder), Personal("customer:2", SECRET))
    for count in (1, 0):
        async with database.transaction(TENANT) as tx:
            assert await rewrap_subjects(tx, Keeper.load(folder), by="founder:7") == Rewrapped(kid, count)
    old.unlink()
    for event_id in (first, second):
        assert (await shown(database, Keeper.load(folder), event_id))["data"] == SECRET
    await sign(sealer)
    async with database.transaction(TENANT) as tx:
        (event,) = (await read_events(tx, EventFilter(type="subject.rewrapped"))).items
    assert (event.actor, event.data) == ("founder:7", {"kek_id": kid, "subjects": 1})
    assert (await verify(database, full=True, keys={KEY.kid: KEY.raw_public})).ok


async def test_a_rewrapping_without_the_old_key_changes_nothing(
    database: Database, keeper: Keeper, tmp_path: Path
) -> None:
    event_id = await tell(database, keeper, Personal(SUBJECT, SECRET))
    create_subjects_key(tmp_path / "elsewhere")
    with pytest.raises(Misconfigured, match="bring it from the first host"):
        async with database.transaction(TENANT) as tx:
            await rewrap_subjects(tx, Keeper.load(tmp_path / "elsewhere"), by="founder:7")
    assert (await shown(database, keeper, event_id))["data"] == SECRET


def test_the_wrapping_key_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    for _ in range(2):
        ensure_subjects_key(tmp_path / "keys")
    (path,) = (tmp_path / "keys").iterdir()
    assert (path.name[:9], path.suffix, len(path.read_bytes())) == ("subjects-", ".key", 32)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def evidenced(database: Database, keeper: Keeper) -> tuple[str, UUID]:
    async with database.transaction(TENANT) as tx:
        key = await open_subject(tx, keeper, SUBJECT)
        ref = await keep_evidence(tx, LETTER, media_type="text/plain", name="letter.txt", subject=key)
        receipt = await append(tx, Event(type="tool.done", actor="worker:1", evidence=(ref,)))
        assert ref.size_bytes == len(LETTER) + OVERHEAD_BYTES
    return ref.key, receipt.event_id


async def test_evidence_of_a_subject_is_encrypted_before_it_is_stored(
    database: Database, sealer: asyncpg.Connection, superuser: asyncpg.Connection, keeper: Keeper, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path / "evidence")
    key, _ = await evidenced(database, keeper)
    for moved in (1, 0):
        async with database.transaction(TENANT) as tx:
            assert await read(tx, store, key, keeper=keeper) == LETTER
            assert await read(tx, store, key, 5, 16, keeper=keeper) == LETTER[5:17]
            with pytest.raises(EvidenceSealed):
                await read(tx, store, key)
        assert b"Dewi" not in await everything_stored(superuser, tmp_path / "evidence")
        assert await Mover(store).move(sealer) == moved
    await erase(database)
    async with database.transaction(TENANT) as tx:
        with pytest.raises(EvidenceErased):
            await read(tx, store, key, keeper=keeper)
        with pytest.raises(EvidenceErased):
            await read(tx, store, key)


async def test_the_audit_says_erased_and_not_missing(
    database: Database, sealer: asyncpg.Connection, keeper: Keeper, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path / "evidence")
    key, _ = await evidenced(database, keeper)

    async def verdicts() -> list[str]:
        return [audited.verdict async for audited in audit_evidence(database, TENANT, store)]

    assert await verdicts() == ["waiting"]
    await Mover(store).move(sealer)
    assert await verdicts() == ["same"]
    await erase(database)
    assert await verdicts() == ["same"], "an erasing counts once it is sealed"
    await seal(sealer)
    assert await verdicts() == ["erased"]
    place = tmp_path / "evidence" / "tree" / key
    place.chmod(0o640)
    content = place.read_bytes()
    place.write_bytes(b"x" + content[1:])
    assert await verdicts() == ["differs"]
    place.unlink()
    assert await verdicts() == ["erased"]


async def test_bytes_that_the_key_did_not_encrypt_are_refused(
    database: Database, superuser: asyncpg.Connection, keeper: Keeper, tmp_path: Path
) -> None:
    key, _ = await evidenced(database, keeper)
    await superuser.execute(
        "UPDATE governance_ledger.evidence_spool SET content = set_byte(content, 20, 255 - get_byte(content, 20))"
    )
    async with database.transaction(TENANT) as tx:
        assert (await find_evidence(tx, key)).plain_bytes == len(LETTER)
        with pytest.raises(EvidenceDiffers):
            await read(tx, FolderStore(tmp_path), key, keeper=keeper)


@pytest.mark.usefixtures("keeper")
async def test_over_http_it_is_recorded_read_and_erased(client: httpx.AsyncClient) -> None:
    body = {"type": "x.order.placed", "data": {"order": "A-7"}, "personal": {"subject": SUBJECT, "data": SECRET}}
    answers = [await client.post("/api/v1/events", json=body, headers={"Idempotency-Key": "one"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201], answers[0].text
    assert answers[0].json() == answers[1].json()
    event_id = answers[0].json()["event_id"]
    assert (await client.get(f"/api/v1/events/{event_id}")).json()["data"] == {
        "order": "A-7",
        "personal": {"subject": SUBJECT, "data": SECRET},
    }
    assert "Dewi" in (await client.get("/api/v1/events?type=x.")).text
    forbidden = await client.post(f"/api/v1/ledger/subjects/{SUBJECT}/erase", headers={"rol": "deputy"})
    erased = await client.post(f"/api/v1/ledger/subjects/{SUBJECT}/erase")
    assert (forbidden.status_code, erased.status_code) == (403, 200), forbidden.text
    listed = (await client.get("/api/v1/events")).json()["items"]
    assert [item["type"] for item in listed] == ["subject.erased", "x.order.placed", "subject.opened"]
    assert listed[1]["data"]["personal"] == {
        "subject": SUBJECT,
        "erased_at": erased.json()["erased_at"].replace("+00:00", "Z"),
    }
    later = await client.post("/api/v1/events", json=body)
    assert (later.status_code, "was erased" in later.json()["detail"]) == (409, True)
    assert (await client.post("/api/v1/ledger/subjects/nobody/erase")).status_code == 404
    sneaked = await client.post("/api/v1/events", json={"type": "x.y", "data": {"personal": {"name": "Dewi"}}})
    assert sneaked.status_code == 422


@pytest.mark.usefixtures("keeper")
async def test_a_batch_takes_personal_data_line_by_line(client: httpx.AsyncClient) -> None:
    lines = (
        '{"type":"x.a","personal":{"subject":"customer:1","data":{"name":"Dewi"}}}\n'
        '{"type":"x.a","personal":{"subject":"no subject","data":{}}}\n'
        '{"type":"x.a","personal":{"subject":"customer:1","data":{"name":"Putu"}}}\n'
    )
    answer = await client.post("/api/v1/events", content=lines, headers={"content-type": "application/x-ndjson"})
    assert [item["problem"] is None for item in answer.json()["items"]] == [True, False, True]
    listed = (await client.get("/api/v1/events?type=x.a&order=asc")).json()["items"]
    assert [item["data"]["personal"]["data"]["name"] for item in listed] == ["Dewi", "Putu"]


async def test_over_http_erased_evidence_is_gone(client: httpx.AsyncClient, database: Database, keeper: Keeper) -> None:
    _, event_id = await evidenced(database, keeper)
    split = urlsplit((await client.get(f"/api/v1/events/{event_id}/evidence")).json()["url"])
    path = f"{split.path}?{split.query}"
    whole, part = await client.get(path), await client.get(path, headers={"range": "bytes=5-16"})
    measured = await client.head(path)
    assert (whole.content, whole.headers["cache-control"]) == (LETTER, "no-store")
    assert (part.content, part.headers["content-range"]) == (LETTER[5:17], f"bytes 5-16/{len(LETTER)}")
    assert measured.headers["content-length"] == str(len(LETTER))
    await erase(database)
    for answer in (await client.get(path), await client.head(path)):
        assert answer.status_code == 410
    assert "was erased" in (await client.get(path)).json()["detail"]


def test_the_doctor_looks_at_every_key_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLR_HOME", str(home))
    ensure_subjects_key(home / "keys")

    def findings() -> list[tuple[str, str]]:
        main(["doctor", "--json"])
        items = msgspec.json.decode(capsys.readouterr().out)
        return [(item["status"], item["says"]) for item in items if item["area"] == "keys"]

    assert findings() == [
        ("todo", f"no token, approval, receipt, seal, vault key in {home}/keys"),
        ("ok", f"1 private keys, readable by {'this user' if os.geteuid() else 'root'} alone"),
    ]
    (path,) = (home / "keys").iterdir()
    path.chmod(0o644)
    assert findings()[1] == ("wrong", f"others may read {path.name}")


@given(st.binary(max_size=300), st.data())
def test_no_byte_of_what_is_stored_can_be_altered_unseen(content: bytes, data: st.DataObject) -> None:
    key = DataKey(new_id(), SUBJECT, bytes(range(32)))
    stored = seal_bytes(TENANT, key, content)
    assert open_bytes(TENANT, key, stored) == content
    place = data.draw(st.integers(0, len(stored) - 1))
    altered = bytes((*stored[:place], stored[place] ^ data.draw(st.integers(1, 255)), *stored[place + 1 :]))
    other = msgspec.structs.replace(key, subject="customer:2")
    for tenant, opener, blob in ((TENANT, key, altered), (OTHER, key, stored), (TENANT, other, stored)):
        with pytest.raises(InvalidTag):
            open_bytes(tenant, opener, blob)

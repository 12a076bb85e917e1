"""The ledger over HTTP, composed with nothing but this room."""

from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
import httpx
import pytest
from litestar import Litestar

from app.adapters.evidence.folder import FolderStore
from app.canon.vocabulary import new_id
from app.governance_ledger import Event, append, keep_evidence
from app.governance_ledger.sealing import Mover, seal
from app.postgres import Database
from app.verifier.keys import Trusted
from app.verifier.passes import Options
from app.verifier.verifying import verify_file
from tests.governance_ledger.ledgers import KEY, OTHER, TENANT, record, sign

CONTENT = b"<script>alert('a statement')</script> 0123456789"
Client = httpx.AsyncClient


async def evidenced(database: Database, content: bytes = CONTENT, media_type: str = "text/html") -> str:
    async with database.transaction(TENANT) as tx:
        ref = await keep_evidence(tx, content, media_type=media_type, name='answer "ä".html')
        receipt = await append(tx, Event(type="tool.done", actor="worker:1", evidence=(ref,)))
    return str(receipt.event_id)


async def address(client: Client, event_id: str) -> str:
    answer = (await client.get(f"/api/v1/events/{event_id}/evidence")).json()
    split = urlsplit(answer["url"])
    return f"{split.path}?{split.query}"


async def test_an_event_of_ones_own_is_recorded_in_the_callers_name(client: Client) -> None:
    ticket = str(new_id())
    answer = await client.post(
        "/api/v1/events", json={"type": "x.shop.sold", "data": {"sku": "K-1"}, "ticket_id": ticket}
    )
    assert answer.status_code == 201
    receipt = answer.json()
    assert sorted(receipt) == ["event_id", "leaf", "receipt", "recorded_at", "xid"]
    event = (await client.get(f"/api/v1/events/{receipt['event_id']}")).json()
    assert (event["type"], event["actor"], event["ticket_id"]) == ("x.shop.sold", "founder:7", ticket)
    assert (event["leaf"], event["seq"]) == (receipt["leaf"], None)


@pytest.mark.parametrize(
    "name", ["tool.done", "approval.granted", "role.hired", "migration.applied", "run.closed", "revenue.other", "y.z"]
)
async def test_nobody_forges_the_runtimes_own_types(client: Client, name: str) -> None:
    answer = await client.post("/api/v1/events", json={"type": name, "data": {}})
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert (await client.get("/api/v1/events")).json()["items"] == []


@pytest.mark.parametrize(
    ("rol", "name", "status"),
    [
        ("service", "x.a", 201),
        ("operator", "x.a", 201),
        ("auditor", "x.a", 403),
        ("worker", "x.a", 403),
        ("operator", "revenue.recorded", 403),
        ("service", "revenue.recorded", 201),
    ],
)
async def test_who_may_append_depends_on_the_role(client: Client, rol: str, name: str, status: int) -> None:
    data = {"amount_minor": 240000, "currency": "IDR", "source": "shop"} if name.startswith("rev") else {}
    answer = await client.post("/api/v1/events", json={"type": name, "data": data}, headers={"rol": rol})
    assert answer.status_code == status


async def test_revenue_is_recorded_in_one_form(client: Client) -> None:
    data = {"amount_minor": 240000, "currency": "IDR", "source": "shop"}
    receipt = (await client.post("/api/v1/events", json={"type": "revenue.recorded", "data": data})).json()
    event = (await client.get(f"/api/v1/events/{receipt['event_id']}")).json()
    assert event["data"]["amount_minor"] == "240000"
    for wrong in ({"currency": "rupiah"}, {"amount_minor": 1.5}, {"more": 1}, {"source": ""}):
        answer = await client.post("/api/v1/events", json={"type": "revenue.recorded", "data": data | wrong})
        assert answer.status_code == 422, wrong


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"type": "x.a", "data": {"amount": 0.1}}, 422),
        ({"type": "x.a", "data": {"big": 2**60}}, 422),
        ({"type": "x", "data": {}}, 403),
        ({"type": "x.A", "data": {}}, 422),
        ({"type": "x.a", "actor": "founder:1"}, 400),
        ({"type": "x.a", "tenant": str(OTHER)}, 400),
        ({"type": "x.a", "occurred_at": "2026-03-01T00:00:00"}, 422),
        ({"data": {}}, 400),
    ],
)
async def test_what_cannot_be_recorded_is_refused_with_a_reason(
    client: Client, body: dict[str, object], status: int
) -> None:
    answer = await client.post("/api/v1/events", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]


async def test_a_repeated_key_gets_the_same_receipt_and_another_event_a_conflict(client: Client) -> None:
    headers = {"Idempotency-Key": "order-1"}
    first = await client.post("/api/v1/events", json={"type": "x.a", "data": {"n": 1}}, headers=headers)
    again = await client.post("/api/v1/events", json={"type": "x.a", "data": {"n": 1}}, headers=headers)
    other = await client.post("/api/v1/events", json={"type": "x.a", "data": {"n": 2}}, headers=headers)
    stranger = await client.post(
        "/api/v1/events", json={"type": "x.a", "data": {"n": 3}}, headers=headers | {"tenant": "other"}
    )
    assert first.json() == again.json()
    assert (other.status_code, stranger.status_code) == (409, 201)
    assert len((await client.get("/api/v1/events")).json()["items"]) == 1


async def test_events_are_listed_by_filter_and_cursor(client: Client, database: Database) -> None:
    await record(database, 5)
    await evidenced(database)
    page = (await client.get("/api/v1/events", params={"type": "x.", "limit": 3})).json()
    rest = (await client.get("/api/v1/events", params={"type": "x.", "limit": 3, "cursor": page["next_cursor"]})).json()
    assert [event["data"]["number"] for event in page["items"] + rest["items"]] == [4, 3, 2, 1, 0]
    assert rest["next_cursor"] is None
    oldest = (await client.get("/api/v1/events", params={"order": "asc", "limit": 1})).json()
    assert oldest["items"][0]["data"]["number"] == 0
    for wrong in ({"limit": 0}, {"limit": 501}, {"since": "yesterday"}, {"order": "up"}):
        assert (await client.get("/api/v1/events", params=wrong)).status_code == 400
    assert (await client.get("/api/v1/events", params={"cursor": "x"})).status_code == 422


async def test_another_tenant_sees_nothing(client: Client, database: Database) -> None:
    event_id = await evidenced(database)
    there = {"tenant": "other"}
    assert (await client.get("/api/v1/events", headers=there)).json()["items"] == []
    assert (await client.get(f"/api/v1/events/{event_id}", headers=there)).status_code == 404
    assert (await client.get(f"/api/v1/events/{event_id}/evidence", headers=there)).status_code == 404


async def test_a_workers_token_reads_no_ledger(client: Client, database: Database) -> None:
    event_id = await evidenced(database)
    for path in ("events", f"events/{event_id}", f"events/{event_id}/evidence", "events/chain-verify"):
        assert (await client.get(f"/api/v1/{path}", headers={"rol": "worker"})).status_code == 403


async def test_the_chain_is_verified_over_http(client: Client, database: Database, sealer: asyncpg.Connection) -> None:
    await record(database, 5)
    await seal(sealer)
    report = (await client.get("/api/v1/events/chain-verify", params={"full": "true"})).json()
    assert (report["ok"], report["from_seq"], report["to_seq"], report["events"]) == (True, 1, 5, 5)
    assert report["tenant"] == str(TENANT)
    assert report["unsealed"] == {"count": 0, "oldest_age_ms": 0}
    assert report["first_break"] is None
    named = "checkpoint duration_ms events first_break from_seq head_hash ok receipts signatures tenant to_seq unsealed"
    assert " ".join(sorted(report)) == named


async def test_an_event_without_evidence_has_no_address(client: Client, database: Database) -> None:
    receipt = (await record(database, 1))[0]
    assert (await client.get(f"/api/v1/events/{receipt.event_id}/evidence")).status_code == 404


@pytest.mark.parametrize("moved", [False, True])
async def test_evidence_is_read_under_its_address_and_sandboxed(
    client: Client, database: Database, sealer: asyncpg.Connection, tmp_path: Path, moved: bool
) -> None:
    where = await address(client, await evidenced(database))
    if moved:
        assert await Mover(FolderStore(tmp_path / "evidence")).move(sealer) == 1
    answer = await client.get(where)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''answer%20%22%C3%A4%22.html"
    assert answer.headers["content-type"].startswith("text/html")
    unchanged = await client.get(where, headers={"if-none-match": answer.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


async def test_plain_text_is_shown_in_place(client: Client, database: Database) -> None:
    where = await address(client, await evidenced(database, b"text", "text/plain; charset=utf-8"))
    assert (await client.get(where)).headers["content-disposition"].startswith("inline")


@pytest.mark.parametrize(
    ("wanted", "status", "content", "said"),
    [
        ("bytes=0-3", 206, CONTENT[:4], f"bytes 0-3/{len(CONTENT)}"),
        ("bytes=40-", 206, CONTENT[40:], f"bytes 40-{len(CONTENT) - 1}/{len(CONTENT)}"),
        ("bytes=-5", 206, CONTENT[-5:], f"bytes {len(CONTENT) - 5}-{len(CONTENT) - 1}/{len(CONTENT)}"),
        ("bytes=0-999", 206, CONTENT, f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"),
        ("bytes=999-", 416, b"", f"bytes */{len(CONTENT)}"),
        ("bytes=-0", 416, b"", f"bytes */{len(CONTENT)}"),
        ("bytes=5-2", 200, CONTENT, None),
        ("bytes=-", 200, CONTENT, None),
        ("bytes=0-1,3-4", 200, CONTENT, None),
        ("lines=1-2", 200, CONTENT, None),
    ],
)
async def test_a_range_is_served(
    client: Client, database: Database, wanted: str, status: int, content: bytes, said: str | None
) -> None:
    where = await address(client, await evidenced(database))
    answer = await client.get(where, headers={"range": wanted})
    assert (answer.status_code, answer.content, answer.headers.get("content-range")) == (status, content, said)


async def test_a_range_of_other_bytes_is_answered_with_all(client: Client, database: Database) -> None:
    where = await address(client, await evidenced(database))
    answer = await client.get(where, headers={"range": "bytes=0-3", "if-range": '"something else"'})
    assert answer.status_code == 200


async def test_head_says_the_size(client: Client, database: Database) -> None:
    answer = await client.head(await address(client, await evidenced(database)))
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, str(len(CONTENT)), b"")


@pytest.mark.parametrize("change", ["t", "exp", "name", "sig", "key"])
async def test_an_altered_address_is_refused(client: Client, database: Database, change: str) -> None:
    split = urlsplit(await address(client, await evidenced(database)))
    query = dict(parse_qsl(split.query))
    path = split.path
    if change == "key":
        path = path[:-1] + ("0" if path[-1] != "0" else "1")
    else:
        query[change] = {"t": str(OTHER), "exp": str(int(query["exp"]) + 9), "name": "x", "sig": "0" * 64}[change]
    answer = await client.get(f"{path}?{urlencode(query)}")
    assert answer.status_code == 403
    assert CONTENT not in answer.content


async def test_an_expired_address_is_refused(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    where = await address(client, await evidenced(database))
    later = time.time() + 301
    monkeypatch.setattr(time, "time", lambda: later)
    answer = await client.get(where)
    assert answer.status_code == 403
    assert "expired" in answer.json()["detail"]


def test_the_documentation_names_every_error(app: Litestar) -> None:
    paths = app.openapi_schema.to_schema()["paths"]
    append = paths["/api/v1/events"]["post"]
    assert {"201", "400", "401", "403", "409", "422"} <= set(append["responses"])
    refusal = append["responses"]["403"]["content"]["application/problem+json"]
    assert refusal["schema"]["$ref"].endswith("/Problem")
    assert next(iter(refusal["examples"].values()))["value"]["status"] == 403
    for path in ("", "/{event_id}", "/{event_id}/evidence", "/chain-verify"):
        assert "401" in paths[f"/api/v1/events{path}"]["get"]["responses"]


async def test_an_export_is_downloaded_and_verifies_offline(
    client: Client, database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    await record(database, 5)
    await sign(sealer)
    answer = await client.get("/api/v1/ledger/export")
    path = tmp_path / "downloaded.ndjson.zst"
    path.write_bytes(answer.content)
    report = verify_file(path, Options(Trusted({KEY.kid: KEY.raw_public}, {})))
    assert (answer.headers["content-type"], report.ok, report.events) == ("application/zstd", True, 5)
    assert f"ledger-{TENANT}-1-5.ndjson.zst" in answer.headers["content-disposition"]


async def test_an_export_is_for_founders_and_auditors(client: Client, database: Database) -> None:
    await record(database, 1)
    refused = await client.get("/api/v1/ledger/export", headers={"rol": "operator"})
    too_early = await client.get("/api/v1/ledger/export", headers={"rol": "auditor"})
    assert (refused.status_code, too_early.status_code) == (403, 409)
    assert "no signed checkpoint yet" in too_early.json()["detail"]


async def test_the_case_file_of_a_ticket_is_downloaded_and_verifies_offline(
    client: Client, database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    ticket = new_id()
    async with database.transaction(TENANT) as tx:
        await append(tx, Event(type="x.noted", actor="system", ticket_id=ticket))
    await sign(sealer)
    answer = await client.get(f"/api/v1/ledger/cases/{ticket}", params={"language": "id"})
    path = tmp_path / "case.zip"
    path.write_bytes(answer.content)
    report = verify_file(path, Options(Trusted({KEY.kid: KEY.raw_public}, {})))
    assert (answer.headers["content-type"], report.ok, report.kind) == ("application/zip", True, "case")
    assert f"case-{ticket}.zip" in answer.headers["content-disposition"]
    unknown = await client.get(f"/api/v1/ledger/cases/{new_id()}")
    refused = await client.get(f"/api/v1/ledger/cases/{ticket}", headers={"rol": "operator"})
    assert (unknown.status_code, refused.status_code) == (404, 403)

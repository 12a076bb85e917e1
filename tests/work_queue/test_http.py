"""Tickets and approvals over HTTP: who may, what is refused, and the same request twice."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.canon.vocabulary import Rol, Tier, new_id
from app.postgres import Database
from app.work_queue import raise_approval
from tests.api import Api, api_of
from tests.builders import a_question

TICKET = {"title": "Count the stock", "instructions": "Count all boxes.", "start": False}


@pytest.fixture
async def api(tmp_path: Path, database: Database) -> AsyncIterator[Api]:
    async with api_of(tmp_path, database) as opened:
        yield opened


async def asked(api: Api, **changes: Any) -> str:
    """The id of something that waits for the founder."""
    async with api.database.transaction(api.tenant) as tx:
        return str((await raise_approval(tx, a_question(**changes))).id)


async def test_a_ticket_is_opened_read_changed_and_listed(api: Api) -> None:
    opened = await api.ask("POST", "/tickets", TICKET)
    assert opened.status_code == 201
    ticket = opened.json()
    assert (ticket["status"], ticket["founder_wrote"]) == ("open", True)
    assert await api.get(f"/tickets/{ticket['id']}") == ticket
    changed = await api.patch(f"/tickets/{ticket['id']}", {"version": 1, "priority": 1})
    assert changed["version"] == 2
    stale = await api.ask("PATCH", f"/tickets/{ticket['id']}", {"version": 1, "priority": 2})
    assert (stale.status_code, stale.json()["data"]["version"]) == (409, 2)
    assert stale.headers["content-type"].startswith("application/problem+json")
    listed = await api.get("/tickets", status="open")
    assert [item["id"] for item in listed["items"]] == [ticket["id"]]
    assert (await api.get("/tickets", status="done"))["items"] == []


async def test_pages_follow_their_cursor(api: Api) -> None:
    made = [(await api.post("/tickets", TICKET))["id"] for _ in range(5)]
    first = await api.get("/tickets", limit=3)
    rest = await api.get("/tickets", limit=3, after=first["next_cursor"])
    assert [item["id"] for item in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None
    wrong = await api.ask("GET", "/tickets", params={"after": "nonsense"})
    assert wrong.status_code == 422


REFUSED = [
    {**TICKET, "tenant": "x"},
    {"title": "", "instructions": ""},
    {**TICKET, "priority": 9},
    {**TICKET, "due_at": "2026-04-01T10:00:00"},
    {"title": "x"},
]


@pytest.mark.parametrize("body", REFUSED)
async def test_a_body_that_is_no_ticket_is_refused(api: Api, body: Any) -> None:
    answer = await api.ask("POST", "/tickets", body)
    assert answer.status_code == 400
    assert answer.json()["status"] == 400


async def test_what_an_operator_opens_is_not_the_founders_word(api: Api) -> None:
    ticket = (await api.ask("POST", "/tickets", TICKET, rol=Rol.OPERATOR)).json()
    assert ticket["founder_wrote"] is False
    deputy = (await api.ask("POST", "/tickets", TICKET, rol=Rol.DEPUTY)).json()
    assert deputy["founder_wrote"] is True


@pytest.mark.parametrize(
    ("rol", "read", "write", "decide"),
    [
        (Rol.FOUNDER, 200, 201, 200),
        (Rol.DEPUTY, 200, 201, 403),
        (Rol.OPERATOR, 200, 201, 403),
        (Rol.AUDITOR, 200, 403, 403),
        (Rol.SERVICE, 200, 201, 403),
        (Rol.WORKER, 403, 403, 403),
    ],
)
async def test_each_role_may_what_it_may(api: Api, rol: Rol, read: int, write: int, decide: int) -> None:
    approval = await asked(api)
    assert (await api.ask("GET", "/tickets", rol=rol)).status_code == read
    assert (await api.ask("GET", f"/approvals/{approval}", rol=rol)).status_code == read
    assert (await api.ask("POST", "/tickets", TICKET, rol=rol)).status_code == write
    assert (await api.ask("POST", f"/approvals/{approval}/approve", {}, rol=rol)).status_code == decide


async def test_nobody_without_a_token_reads_anything(api: Api) -> None:
    answer = await api.client.get("/api/v1/tickets")
    assert answer.status_code == 401


async def test_another_tenants_ticket_is_not_there(api: Api) -> None:
    ticket = await api.post("/tickets", TICKET)
    headers = {"Authorization": f"Bearer {api.token(tenant=new_id())}"}
    answer = await api.client.get(f"/api/v1/tickets/{ticket['id']}", headers=headers)
    assert answer.status_code == 404


async def test_a_file_is_attached_as_a_form_or_as_bytes(api: Api) -> None:
    ticket = await api.post("/tickets", TICKET)
    path = f"/tickets/{ticket['id']}/inputs"
    form = await api.ask("POST", path, files={"file": ("stock.csv", b"box,7\n", "text/csv")})
    assert (form.status_code, form.json()["name"], form.json()["size_bytes"]) == (201, "stock.csv", 6)
    raw = await api.ask(
        "POST",
        path,
        params={"name": "note.txt"},
        content=b"hello",
        headers={"Content-Type": "text/plain; charset=utf-8"},
    )
    assert (raw.status_code, raw.json()["media_type"], raw.json()["trusted"]) == (201, "text/plain", False)
    listed = (await api.get(path))["items"]
    assert [file["name"] for file in listed] == ["stock.csv", "note.txt"]
    again = await api.ask("POST", path, files={"file": ("stock.csv", b"x", "text/csv")})
    assert (again.status_code, again.json()["data"]) == (409, {"name": "stock.csv"})
    nameless = await api.ask("POST", path, content=b"x", headers={"Content-Type": "text/plain"})
    assert nameless.status_code == 422
    for bad in ("../../etc/passwd", "a/b"):
        answer = await api.ask("POST", path, params={"name": bad}, content=b"x", headers={"Content-Type": "text/plain"})
        assert answer.status_code == 422


async def test_only_the_founder_vouches_for_a_file(api: Api) -> None:
    ticket = await api.post("/tickets", TICKET)
    path = f"/tickets/{ticket['id']}/inputs"
    files = {"file": ("prices.csv", b"tea,5\n", "text/csv")}
    refused = await api.ask("POST", path, files=files, data={"trusted": "true"}, rol=Rol.OPERATOR)
    assert refused.status_code == 403
    vouched = await api.ask("POST", path, files=files, data={"trusted": "true"})
    assert vouched.json()["trusted"] is True


async def test_a_file_is_marked_as_secret_in_the_form_or_in_the_address(api: Api) -> None:
    ticket = await api.post("/tickets", TICKET)
    path = f"/tickets/{ticket['id']}/inputs"
    form = await api.ask("POST", path, files={"file": ("a.csv", b"x", "text/csv")}, data={"secret": "true"})
    raw = {"params": {"name": "b.txt", "secret": "true"}, "content": b"x", "headers": {"Content-Type": "text/plain"}}
    plain = await api.ask("POST", path, files={"file": ("c.csv", b"x", "text/csv")})
    marked = [form, await api.ask("POST", path, **raw), plain]  # type: ignore[arg-type]
    assert [answer.json()["secret"] for answer in marked] == [True, True, False]
    listed = {file["name"]: file["secret"] for file in (await api.get(path))["items"]}
    assert listed == {"a.csv": True, "b.txt": True, "c.csv": False}
    events = (await api.get("/events", type="ticket.input_attached"))["items"]
    assert sorted(event["data"]["secret"] for event in events) == [False, True, True]


async def test_what_waits_on_a_ticket_is_approved_there(api: Api) -> None:
    ticket = await api.post("/tickets", TICKET)
    none = await api.ask("POST", f"/tickets/{ticket['id']}/approve", {})
    assert none.status_code == 409
    approval = await asked(api, ticket_id=UUID(ticket["id"]))
    done = await api.ask("POST", f"/tickets/{ticket['id']}/approve")
    assert (done.status_code, done.json()["status"], done.json()["id"]) == (200, "approved", approval)
    contrary = await api.ask("POST", f"/tickets/{ticket['id']}/reject", {"approval_id": approval})
    assert (contrary.status_code, contrary.json()["data"]["status"]) == (409, "approved")


async def test_several_that_wait_on_a_ticket_must_be_named(api: Api) -> None:
    ticket, other = await api.post("/tickets", TICKET), await api.post("/tickets", TICKET)
    ids = [await asked(api, ticket_id=UUID(ticket["id"]), act_digest=str(n)) for n in range(2)]
    answer = await api.ask("POST", f"/tickets/{ticket['id']}/reject", {"reason": "no"})
    assert answer.status_code == 409
    assert answer.json()["data"]["approval_ids"] == ids
    named = await api.ask("POST", f"/tickets/{ticket['id']}/reject", {"reason": "no", "approval_id": ids[1]})
    assert (named.status_code, named.json()["status"]) == (200, "rejected")
    elsewhere = await api.ask("POST", f"/tickets/{other['id']}/reject", {"approval_id": ids[0]})
    assert elsewhere.status_code == 409
    assert (await api.get(f"/approvals/{ids[0]}"))["status"] == "pending"


async def test_r2_is_approved_with_the_founders_device_key(api: Api) -> None:
    approval = await asked(api, tier=Tier.R2)
    bare = await api.ask("POST", f"/approvals/{approval}/approve", {"version": 1})
    assert (bare.status_code, bare.json()["data"]["methods"]) == (403, ["passkey", "device_key"])
    proof = await api.proof(approval)
    other = await asked(api, tier=Tier.R2, act_digest="other")
    elsewhere = await api.ask("POST", f"/approvals/{other}/approve", {"proof": proof})
    assert elsewhere.status_code == 403
    forged = {**proof, "signature": proof["signature"][::-1]}
    assert (await api.ask("POST", f"/approvals/{approval}/approve", {"proof": forged})).status_code == 403
    done = await api.ask("POST", f"/approvals/{approval}/approve", {"proof": proof})
    assert (done.status_code, done.json()["status"]) == (200, "approved")
    (vote,) = (await api.get(f"/approvals/{approval}/decisions"))["items"]
    assert vote["method"] == "device_key"
    again = await asked(api, tier=Tier.R2, act_digest="again")
    replayed = await api.ask("POST", f"/approvals/{again}/approve", {"proof": proof})
    assert replayed.status_code == 403


async def test_approvals_are_listed_by_ticket_and_status(api: Api) -> None:
    ticket = await api.post("/tickets", TICKET)
    approval = await asked(api, ticket_id=UUID(ticket["id"]))
    await asked(api)
    listed = await api.get("/approvals", status="pending", ticket_id=ticket["id"])
    assert [item["id"] for item in listed["items"]] == [approval]
    assert listed["items"][0]["payload"]["arguments"] == {"to": "a@b.example"}


async def test_an_approval_is_undone_over_http(api: Api) -> None:
    approval = await asked(api, undo_seconds=30)
    await api.post(f"/approvals/{approval}/approve", {})
    undone = await api.post(f"/approvals/{approval}/undo")
    assert undone["status"] == "pending"


async def test_the_same_request_twice_is_done_once(api: Api) -> None:
    first = await api.ask("POST", "/tickets", TICKET, key="one")
    second = await api.ask("POST", "/tickets", TICKET, key="one")
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["content-type"] == first.headers["content-type"]
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert len((await api.get("/tickets"))["items"]) == 1
    third = await api.ask("POST", "/tickets", TICKET, key="two")
    assert third.json()["id"] != first.json()["id"]


@pytest.mark.parametrize(
    ("content_type", "status"), [("application/json", 201), ("application/x-ndjson", 200)], ids=["one", "a batch"]
)
async def test_events_of_ones_own_are_recorded_once_with_a_key(api: Api, content_type: str, status: int) -> None:
    event = {"content": b'{"type":"x.order","data":{"n":1}}', "headers": {"Content-Type": content_type}}
    first, again = [await api.ask("POST", "/events", key="order-1", **event) for _ in range(2)]  # type: ignore[arg-type]
    assert (first.status_code, again.status_code) == (status, status), first.text
    assert first.json() == again.json()
    assert len((await api.get("/events", type="x."))["items"]) == 1


async def test_a_key_belongs_to_one_request_and_one_caller(api: Api) -> None:
    await api.ask("POST", "/tickets", TICKET, key="one")
    other = await api.ask("POST", "/tickets", {**TICKET, "title": "Another"}, key="one")
    assert (other.status_code, other.json()["status"]) == (422, 422)
    deputy = await api.ask("POST", "/tickets", TICKET, key="one", rol=Rol.DEPUTY)
    assert deputy.status_code == 201
    assert "idempotent-replayed" not in deputy.headers


async def test_a_request_that_failed_can_be_tried_again_with_its_key(api: Api) -> None:
    ticket = await api.post("/tickets", TICKET)
    path = f"/tickets/{ticket['id']}"
    assert (await api.ask("PATCH", path, {"version": 9, "priority": 1}, key="k")).status_code == 409
    assert (await api.ask("PATCH", path, {"version": 1, "priority": 1}, key="k")).status_code == 200


async def test_a_repeated_subscription_answers_without_the_secret_which_is_not_stored(
    api: Api, superuser: asyncpg.Connection
) -> None:
    asked = {"url": "https://auditor.example.com/checkpoints"}
    first, again = [await api.ask("POST", "/ledger/subscribers", asked, key="once") for _ in range(2)]
    assert (first.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert again.json() == first.json() | {"secret": None}
    kept = bytes(await superuser.fetchval("SELECT answer FROM work_queue.idempotency_keys")).decode()
    assert first.json()["id"] in kept
    assert first.json()["secret"].removeprefix("whsec_") not in kept


async def test_a_key_lives_for_a_day(api: Api, superuser: asyncpg.Connection) -> None:
    first = await api.ask("POST", "/tickets", TICKET, key="old")
    await superuser.execute("UPDATE work_queue.idempotency_keys SET created_at = created_at - interval '25 hours'")
    second = await api.ask("POST", "/tickets", TICKET, key="old")
    assert second.json()["id"] != first.json()["id"]
    assert await superuser.fetchval("SELECT count(*) FROM work_queue.idempotency_keys") == 1


async def test_a_file_is_attached_once_with_a_key(api: Api) -> None:
    ticket = await api.post("/tickets", TICKET)
    path = f"/tickets/{ticket['id']}/inputs"
    content_type = {"Content-Type": "multipart/form-data; boundary=x"}
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n1,2\r\n--x--\r\n'
    answers = [await api.ask("POST", path, content=body, headers=content_type, key="up") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[1].headers["idempotent-replayed"] == "true"
    raw = {"params": {"name": "b.txt"}, "content": b"x", "headers": {"Content-Type": "text/plain"}}
    answers = [await api.ask("POST", path, key="raw", **raw) for _ in range(2)]  # type: ignore[arg-type]
    assert answers[0].json() == answers[1].json()
    assert len((await api.get(path))["items"]) == 2


async def test_two_at_once_with_one_key_are_done_once(api: Api) -> None:
    answers = await asyncio.gather(*(api.ask("POST", "/tickets", TICKET, key="race") for _ in range(4)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 3


async def test_an_approval_with_a_key_is_answered_again(api: Api) -> None:
    approval = await asked(api)
    answers = [await api.ask("POST", f"/approvals/{approval}/approve", {}, key="tap") for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[0].status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 201])
async def test_a_key_that_is_none_is_refused(api: Api, key: str) -> None:
    assert (await api.ask("POST", "/tickets", TICKET, key=key)).status_code in (400, 422)

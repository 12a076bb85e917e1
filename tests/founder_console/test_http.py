"""The console over HTTP: who gets in, from where, and what each endpoint answers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from litestar import Litestar

from app.adapters.evidence import load_store
from app.auth import ensure_keys
from app.canon.vocabulary import Money, Principal, Rol, Tier
from app.founder_console.channels.push import mint
from app.founder_console.identity.sessions import start_session
from app.founder_console.keyfiles import Seal
from app.main import build
from app.postgres import Database
from app.role_registry import create_company
from app.settings import Settings
from app.work_queue import Approval, get_approval, raise_approval
from tests.builders import a_question, a_ticket
from tests.founder_console.people import ORIGIN, a_founder, a_passkey, by_passkey
from tests.founder_console.people import offered as offered_for
from tests.founder_console.push_service import push_service

OWN = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}
PAGE = {"accept": "text/html"}


class Desk:
    """A founder's browser and the company behind it."""

    def __init__(self, app: Litestar, client: httpx.AsyncClient, database: Database, settings: Settings) -> None:
        self.app = app
        self.client = client
        self.database = database
        self.settings = settings
        self.tenant = uuid4()

    async def found(self) -> None:
        async with self.database.transaction(self.tenant) as tx:
            await create_company(tx, name="Kopi Senja", language="id", actor="system")
            self.founder, self.by = await a_founder(tx)
            self.device = await a_passkey(tx, self.founder)
            cookie = await start_session(tx, self.founder.id, label="phone")
        self.client.cookies.set("__Host-flr", cookie)

    def token(self, rol: Rol) -> dict[str, str]:
        sub = str(self.founder.id) if rol is Rol.FOUNDER else "somebody"
        issued = self.app.state.tokens.issue(sub=sub, tid=self.tenant, rol=rol, ttl_seconds=60)
        return {"authorization": f"Bearer {issued}"}

    async def ask(self, **changes: Any) -> Approval:
        async with self.database.transaction(self.tenant) as tx:
            if changes.pop("on_ticket", False):
                by = Principal(str(self.founder.id), self.tenant, Rol.FOUNDER)
                changes["ticket_id"] = (await a_ticket(tx, by)).id
            return await raise_approval(tx, a_question(**changes))

    async def approval(self, approval_id: UUID) -> Approval:
        async with self.database.transaction(self.tenant) as tx:
            return await get_approval(tx, approval_id)


def browser(app: Litestar, origin: str) -> httpx.AsyncClient:
    """Asks the application in the test's own loop."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=origin, follow_redirects=True)  # type: ignore[arg-type]


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    settings = Settings(home=tmp_path, public_url=ORIGIN)
    ensure_keys(settings.keys, "token", "approval", "receipt", "seal")
    store = load_store(None, tmp_path)
    app = build(settings, database, store)
    async with browser(app, ORIGIN) as client:
        made = Desk(app, client, database, settings)
        await made.found()
        yield made
    await store.close()


async def test_nobody_is_sent_to_the_door_and_a_program_is_told(desk: Desk) -> None:
    desk.client.cookies.clear()
    answer = await desk.client.get("/money", headers=PAGE, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/money")
    answer = await desk.client.get("/api/v1/console/summary")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    ["/", "/approvals", "/approvals/history", "/workers", "/money", "/copilot", "/settings", "/tickets", "/ledger"]
    + [f"/settings/{name}" for name in ("notifications", "keys", "people", "people/new", "install")],
)
async def test_a_page_comes_with_its_policy_and_is_never_stored(desk: Desk, path: str) -> None:
    answer = await desk.client.get(path, headers=PAGE)
    assert answer.status_code == 200
    assert "require-trusted-types-for 'script'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "Kopi Senja" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": ORIGIN},
        {},
    ],
)
async def test_another_site_cannot_decide_with_the_founders_cookie(desk: Desk, headers: dict[str, str]) -> None:
    asked = await desk.ask()
    for path in (f"/approvals/{asked.id}/decide", f"/api/v1/approvals/{asked.id}/approve"):
        answer = await desk.client.post(path, headers=headers, data={"decision": "approve"})
        assert answer.status_code == 403
    assert (await desk.approval(asked.id)).status == "pending"


async def test_a_form_decides_and_leads_back(desk: Desk) -> None:
    asked = await desk.ask()
    form = {"decision": "approve", "version": "1"}
    answer = await desk.client.post(
        f"/approvals/{asked.id}/decide", data=form, headers=OWN | PAGE, follow_redirects=False
    )
    assert (answer.status_code, answer.headers["location"]) == (303, f"/approvals?decided={asked.id}")
    decided = await desk.approval(asked.id)
    assert decided.status == "approved"
    assert decided.decided_by == desk.by.actor


async def test_a_script_gets_a_piece_of_a_page(desk: Desk) -> None:
    asked = await desk.ask()
    form = {"decision": "reject", "reason": "Terlalu mahal"}
    answer = await desk.client.post(f"/approvals/{asked.id}/decide", data=form, headers=OWN | {"x-fragment": "1"})
    assert answer.headers["x-flr-html"] == "1"
    assert "<html" not in answer.text
    assert "Ditolak" in answer.text
    assert (await desk.approval(asked.id)).reason == "Terlalu mahal"


@pytest.mark.parametrize(("version", "status"), [("1", 409), ("7", 409)])
async def test_a_card_that_is_not_what_it_was_says_so(desk: Desk, version: str, status: int) -> None:
    asked = await desk.ask()
    if version == "1":
        await desk.client.post(f"/approvals/{asked.id}/decide", data={"decision": "reject"}, headers=OWN)
    form = {"decision": "approve", "version": version}
    answer = await desk.client.post(f"/approvals/{asked.id}/decide", data=form, headers=OWN | {"x-fragment": "1"})
    assert answer.status_code == status
    assert 'role="alert"' in answer.text


async def test_high_risk_needs_the_passkey_over_what_is_shown(desk: Desk) -> None:
    asked = await desk.ask(tier=Tier.R2)
    path = f"/approvals/{asked.id}"
    answer = await desk.client.post(f"{path}/decide", data={"decision": "approve"}, headers=OWN | {"x-fragment": "1"})
    assert answer.status_code == 403
    offered = (await desk.client.post(f"{path}/statement", headers=OWN)).json()
    assert msgspec.json.decode(offered["payload"]) == asked.payload
    proof = {
        "kind": "passkey",
        "statement": offered["statement"],
        "assertion": desk.device.get(offered["options"]),
    }
    form = {"decision": "approve", "version": "1", "proof": msgspec.json.encode(proof).decode()}
    answer = await desk.client.post(f"{path}/decide", data=form, headers=OWN | {"x-fragment": "1"})
    assert answer.status_code == 200
    assert (await desk.approval(asked.id)).status == "approved"


async def test_the_api_takes_the_same_proof(desk: Desk) -> None:
    asked = await desk.ask(tier=Tier.R2, on_ticket=True)
    async with desk.database.transaction(desk.tenant) as tx:
        proof = by_passkey(await offered_for(tx, desk.by, asked), desk.device)
    answer = await desk.client.post(
        f"/api/v1/console/approve/{asked.ticket_id}", json={"proof": msgspec.to_builtins(proof)}, headers=OWN
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "approved"


async def test_a_ticket_is_rejected_by_one_call(desk: Desk) -> None:
    asked = await desk.ask(on_ticket=True)
    answer = await desk.client.post(f"/api/v1/console/reject/{asked.ticket_id}", json={}, headers=OWN)
    assert answer.json()["status"] == "rejected"
    again = await desk.client.post(f"/api/v1/console/reject/{asked.ticket_id}", json={}, headers=OWN)
    assert again.status_code == 409


async def test_the_summary_counts_what_waits_and_what_is_at_stake(desk: Desk) -> None:
    await desk.ask(money=Money(240_000))
    await desk.ask(money=Money(60_000), act_digest="other")
    for headers in (desk.token(Rol.AUDITOR), desk.token(Rol.FOUNDER)):
        summary = (await desk.client.get("/api/v1/console/summary", headers=headers)).json()
        assert summary["pending"] == 2
        assert summary["at_stake"] == [{"minor": 300_000, "currency": "IDR"}]
        assert summary["scripted_model"] is True


async def test_what_waits_is_listed_and_marked_as_shown(desk: Desk) -> None:
    asked = await desk.ask()
    page = (await desk.client.get("/api/v1/console/pending-approval")).json()
    assert [item["id"] for item in page["items"]] == [str(asked.id)]
    assert (await desk.approval(asked.id)).shown_at is not None


async def test_the_brief_names_its_sources_in_both_languages(desk: Desk) -> None:
    asked = await desk.ask()
    brief = (await desk.client.get("/api/v1/console/copilot-brief")).json()
    assert brief["written_by"] == "rules"
    [sentence] = [one for one in brief["sentences"] if one["code"] == "waiting"]
    assert set(sentence["text"]) == {"id", "en"}
    source = await desk.client.get(f"/api/v1/events/{sentence['sources'][0]}")
    assert source.json()["data"]["approval_id"] == str(asked.id)
    assert (await desk.client.get("/api/v1/console/copilot-brief?day=2020-01-01")).json()["sentences"] == []


async def test_recent_events_are_sentences(desk: Desk) -> None:
    page = (await desk.client.get("/api/v1/console/ledger/recent?limit=3")).json()
    assert len(page["items"]) == 3
    assert all(item["text"]["id"] and item["text"]["en"] for item in page["items"])
    assert page["next_cursor"]


@pytest.mark.parametrize("rol", [Rol.OPERATOR, Rol.AUDITOR, Rol.SERVICE, Rol.WORKER])
async def test_only_founders_and_deputies_have_pages_and_decide(desk: Desk, rol: Rol) -> None:
    desk.client.cookies.clear()
    asked = await desk.ask(on_ticket=True)
    headers = desk.token(rol)
    assert (await desk.client.get("/", headers=headers | PAGE)).status_code == 403
    answer = await desk.client.post(f"/api/v1/console/approve/{asked.ticket_id}", json={}, headers=headers)
    assert answer.status_code == 403


async def test_another_companys_founder_sees_nothing_of_this_one(desk: Desk) -> None:
    asked = await desk.ask()
    stranger = Desk(desk.app, desk.client, desk.database, desk.settings)
    desk.client.cookies.clear()
    await stranger.found()
    assert (await desk.client.get(f"/approvals/{asked.id}", headers=PAGE)).status_code == 404
    assert (await desk.client.get("/api/v1/console/summary")).json()["pending"] == 0
    answer = await desk.client.post(f"/approvals/{asked.id}/decide", data={"decision": "reject"}, headers=OWN)
    assert answer.status_code == 404
    assert (await desk.approval(asked.id)).status == "pending"


async def test_a_cookie_for_another_tenant_opens_nothing(desk: Desk) -> None:
    cookie = desk.client.cookies["__Host-flr"]
    desk.client.cookies.clear()
    desk.client.cookies.set("__Host-flr", f"{uuid4().hex}.{cookie.partition('.')[2]}")
    assert (await desk.client.get("/api/v1/console/summary")).status_code == 401


@pytest.mark.parametrize("foreign", ["a@b=1", 'state={"tab": 1}', "user name=x", "a,b=\x22;"])
async def test_cookies_of_other_servers_on_this_host_lock_nobody_out(desk: Desk, foreign: str) -> None:
    own = f"__Host-flr={desk.client.cookies['__Host-flr']}"
    desk.client.cookies.clear()
    answer = await desk.client.get("/api/v1/console/summary", headers={"cookie": f"{foreign}; {own}"})
    assert answer.status_code == 200


async def test_a_button_of_a_notification_decides_once_with_the_session(desk: Desk) -> None:
    asked = await desk.ask(undo_seconds=10)
    token = mint(Seal(desk.settings.keys), asked, "approve")
    path = "/api/v1/console/push/decisions"
    answer = await desk.client.post(path, json={"token": token}, headers=OWN)
    assert answer.status_code == 200
    assert "10" in answer.json()["body"]
    assert (await desk.client.post(path, json={"token": token}, headers=OWN)).status_code == 409
    desk.client.cookies.clear()
    other = mint(Seal(desk.settings.keys), await desk.ask(act_digest="other"), "approve")
    assert (await desk.client.post(path, json={"token": other}, headers=OWN)).status_code == 401


async def test_a_stolen_token_cannot_approve_high_risk(desk: Desk) -> None:
    asked = await desk.ask(tier=Tier.R2)
    token = mint(Seal(desk.settings.keys), asked, "approve")
    answer = await desk.client.post("/api/v1/console/push/decisions", json={"token": token}, headers=OWN)
    assert answer.status_code == 403
    assert (await desk.approval(asked.id)).status == "pending"


async def test_an_unknown_push_address_is_refused(desk: Desk) -> None:
    body = {"endpoint": "http://169.254.169.254/", "p256dh": "A", "auth": "A"}
    answer = await desk.client.post("/api/v1/console/push/subscriptions", json=body, headers=OWN)
    assert answer.status_code == 422


ELSEWHERE = ["//evil.example", "/\\evil.example", "https://evil.example", "/ok\nset-cookie: a=b", "/\t/evil.example"]


@pytest.mark.parametrize("path", ELSEWHERE)
async def test_signing_in_never_leads_to_another_site(desk: Desk, path: str) -> None:
    answer = await desk.client.get("/login", params={"next": path}, headers=PAGE, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    desk.client.cookies.clear()
    options = (await desk.client.post("/login/options", headers=OWN)).json()
    body = {"credential": desk.device.get(options), "next": path}
    assert (await desk.client.post("/login", json=body, headers=OWN)).json() == {"next": "/"}


async def test_who_comes_over_plain_http_is_told_what_to_do(database: Database, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    ensure_keys(settings.keys, "token", "approval", "receipt", "seal")
    store = load_store(None, tmp_path)
    async with browser(build(settings, database, store), "http://server.local") as client:
        answer = await client.get("/login", headers=PAGE | {"accept-language": "en"})
    await store.close()
    assert answer.status_code == 200
    assert "FLR_PUBLIC_URL" in answer.text
    assert "passkey-login" not in answer.text


async def test_an_error_is_a_page_for_people_and_a_problem_for_programs(desk: Desk) -> None:
    missing = f"/approvals/{uuid4()}"
    page = await desk.client.get(missing, headers=PAGE)
    assert (page.status_code, page.headers["x-flr-html"]) == (404, "1")
    problem = await desk.client.get(missing, headers={"accept": "application/json"})
    assert problem.json()["status"] == 404


async def test_logging_out_ends_the_session_and_clears_the_browser(desk: Desk) -> None:
    answer = await desk.client.post("/logout", headers=OWN, follow_redirects=False)
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert (await desk.client.get("/api/v1/console/summary")).status_code == 401


async def test_a_ticket_with_a_bad_deadline_is_shown_again_with_its_text(desk: Desk) -> None:
    form = {"title": "Laporan", "instructions": "Tulis laporan.", "due_at": "besok"}
    answer = await desk.client.post("/tickets", files={"files": ("a.txt", b"x")}, data=form, headers=OWN | PAGE)
    assert answer.status_code == 422
    assert "Tulis laporan." in answer.text
    assert 'role="alert"' in answer.text


async def test_a_trial_rings_the_founders_own_browser(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with push_service() as service:
        allowed = msgspec.structs.replace(desk.settings, push_allow_hosts=(service.address,))
        monkeypatch.setitem(desk.app.state._state, "settings", allowed)
        body = {"endpoint": service.endpoint(), "p256dh": service.p256dh, "auth": service.auth}
        kept = await desk.client.post("/api/v1/console/push/subscriptions", json=body, headers=OWN)
        assert kept.status_code == 201
        await desk.client.post("/settings/push/test", headers=OWN)
        await desk.app.state.push.close()
    [got] = service.received
    assert got["json"]["notification"]["title"] == "Notifikasi berfungsi"
    gone = await desk.client.request(
        "DELETE", "/api/v1/console/push/subscriptions", json={"endpoint": service.endpoint()}, headers=OWN
    )
    assert gone.status_code == 204


async def test_a_founder_hires_from_the_phone(desk: Desk) -> None:
    assert "/workers/new/bookkeeper" in (await desk.client.get("/workers/new", headers=PAGE)).text
    page = await desk.client.get("/workers/new/bookkeeper?boundary=clerk", headers=PAGE)
    assert "Bertanya setiap kali hendak memerintahkan pembayaran" in page.text
    form = {
        "boundary": "clerk",
        "name": "Wulan",
        "title": "Keuangan",
        "job_description": "Mencatat.",
        "each": "2.000.000",
        "month": "10.000.000",
        "model_usd": "1,50",
    }
    answer = await desk.client.post("/workers/new/bookkeeper", data=form, headers=OWN | PAGE, follow_redirects=False)
    assert answer.status_code == 303
    card = await desk.client.get(answer.headers["location"], headers=PAGE)
    assert "Pekerjakan Wulan sebagai Keuangan?" in card.text
    assert "2.000.000" in card.text
    asked = await desk.approval(UUID(answer.headers["location"].rpartition("/")[2]))
    assert (asked.kind, asked.tier, asked.status) == ("hire", Tier.R2, "pending")


async def test_a_form_that_cannot_be_signed_is_shown_again_with_what_was_typed(desk: Desk) -> None:
    form = {"boundary": "clerk", "name": "Wulan", "title": "Keuangan", "job_description": "X", "each": "banyak"}
    answer = await desk.client.post("/workers/new/bookkeeper", data=form, headers=OWN | PAGE)
    assert answer.status_code == 422
    assert "banyak bukan jumlah yang bisa dibaca" in answer.text
    assert 'value="Wulan"' in answer.text
    assert (await desk.client.get("/workers/new/astronaut", headers=PAGE)).status_code == 404


async def test_a_ticket_and_the_ledger_can_be_taken_along(desk: Desk) -> None:
    asked = await desk.ask(on_ticket=True)
    page = await desk.client.get(f"/tickets/{asked.ticket_id}", headers=PAGE)
    assert f"/api/v1/ledger/cases/{asked.ticket_id}?language=id" in page.text
    assert "/api/v1/ledger/export" in (await desk.client.get("/ledger", headers=PAGE)).text
    answer = await desk.client.get("/api/v1/ledger/export")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"


async def test_revenue_is_recorded_by_hand_and_from_a_file(desk: Desk) -> None:
    assert "/money/new" in (await desk.client.get("/money", headers=PAGE)).text
    typed = {"on": "2026-11-21", "amount": "Rp1.250.000", "source": "toko", "description": ""}
    parts = {name: (None, value) for name, value in typed.items()}
    answer = await desk.client.post("/money", files=parts, headers=OWN | PAGE)
    assert answer.status_code == 200
    assert "Satu catatan baru." in answer.text
    file = {"file": ("kas.csv", b"tanggal,jumlah\n2026-11-21,5.000\n2026-11-21,besar\n", "text/csv")}
    answer = await desk.client.post("/money", files=file, headers=OWN | PAGE)
    assert answer.status_code == 422
    assert "Baris 3: besar bukan jumlah" in answer.text
    file = {"file": ("kas.csv", b"tanggal,jumlah\n2026-11-21,5.000\n", "text/csv")}
    for said in ("Satu catatan baru.", "0 catatan baru. Satu sudah ada."):
        assert said in (await desk.client.post("/money", files=file, headers=OWN | PAGE)).text

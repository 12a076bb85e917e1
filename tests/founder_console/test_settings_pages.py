"""The founder's own settings over real requests: channels, quiet hours, keys, people, the first steps."""

from datetime import UTC, datetime, time, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest

from app.canon.quorum import CompanyQuorum, QuorumLine
from app.canon.vocabulary import Money, Rol, Tier
from app.founder_console.channels.channel_store import fetch_webhooks
from app.founder_console.channels.letters import link_to
from app.founder_console.identity.trying import MOST_FAILURES, Failures, TooManyTries
from app.founder_console.keyfiles import Seal
from app.founder_console.store import fetch_founder, fetch_founders, fetch_passkeys
from app.governance_ledger import EventFilter, read_events
from app.messages import ApprovalDecided
from app.role_registry import Want, budgets_of, company, on_approval_decided, spend
from app.work_queue import company_quorum, decide, get_approval, mandate_of, prove, raise_approval
from app.work_queue import store as queue_store
from tests.builders import a_question
from tests.founder_console.people import BOOK, by_passkey
from tests.founder_console.people import offered as offered_for
from tests.founder_console.test_http import OWN, PAGE, Desk, desk

__all__ = ["desk"]


async def test_quiet_hours_zone_and_mail_are_kept_and_the_rest_stays(desk: Desk) -> None:
    form = {
        "quiet": "yes",
        "quiet_from": "21:30",
        "quiet_to": "06:00",
        "time_zone": "Asia/Makassar",
        "email": "Dewi <dewi@kopi.example>",
        "hide_amounts": "yes",
    }
    page = await desk.client.post("/settings/notifications", data=form, headers=OWN | PAGE)
    assert "Tersimpan." in page.text
    await desk.client.post("/settings", data={"language": "en", "theme": "dark"}, headers=OWN | PAGE)
    async with desk.database.transaction(desk.tenant) as tx:
        founder = await fetch_founder(tx, desk.founder.id)
    assert founder is not None
    assert (founder.quiet_from, founder.quiet_to, founder.quiet_urgent) == (time(21, 30), time(6), False)
    assert (founder.time_zone, founder.email, founder.hide_amounts) == ("Asia/Makassar", "dewi@kopi.example", True)
    assert (founder.language, founder.theme) == ("en", "dark")


async def test_the_hour_and_days_of_the_brief_are_the_founders_choice(desk: Desk) -> None:
    page = (await desk.client.get("/settings/notifications", headers=PAGE)).text
    assert 'name="brief_at" value="07:00"' in page
    assert page.count('name="brief_days"') == 7
    form = {"brief": "yes", "brief_at": "06:30", "brief_days": ["1", "3", "5"], "time_zone": "Asia/Jayapura"}
    await desk.client.post("/settings/notifications", data=form, headers=OWN | PAGE)
    async with desk.database.transaction(desk.tenant) as tx:
        founder = await fetch_founder(tx, desk.founder.id)
    assert founder is not None
    assert (founder.brief_at, founder.brief_days, founder.brief_letters) == (time(6, 30), (1, 3, 5), False)
    await desk.client.post("/settings/notifications", data={}, headers=OWN | PAGE)
    async with desk.database.transaction(desk.tenant) as tx:
        founder = await fetch_founder(tx, desk.founder.id)
    assert founder is not None
    assert founder.brief_at is None


async def test_the_companys_name_and_zone_are_changed_with_an_event_and_days_begin_there(desk: Desk) -> None:
    async def move(zone: str, **form: str) -> None:
        answer = await desk.client.post(
            "/settings/company", data={"name": "Kopi", "zone": zone, **form}, headers=OWN | PAGE
        )
        assert answer.status_code == 200, answer.text
        assert "Tersimpan." in answer.text

    async def spent() -> int:
        async with desk.database.transaction(desk.tenant) as tx:
            return sum(one.spent for one in await budgets_of(tx, None) if (one.unit, one.period) == ("tokens", "day"))

    await move("Pacific/Pago_Pago")
    async with desk.database.transaction(desk.tenant) as tx:
        assert (await company(tx)).name == "Kopi"
        await spend(tx, role_id=None, ticket_id=uuid4(), run_id=uuid4(), step=1, wants=[Want("tokens", 40)])
    assert await spent() == 40
    await move("Pacific/Kiritimati")
    assert await spent() == 0, "it is another day there at every hour"
    await move("Pacific/Pago_Pago")
    assert await spent() == 40, "what was spent stays on its day"
    await move("", near="Asia/Jayapura")
    assert "WIT" in (await desk.client.get("/settings/company", headers=PAGE)).text
    async with desk.database.transaction(desk.tenant) as tx:
        events = (await read_events(tx, EventFilter(type="company.changed"))).items
    assert next(event.data["after"]["time_zone"] for event in events) == "Asia/Jayapura"  # type: ignore[index]
    assert len(events) == 4


@pytest.mark.parametrize("form", [{"name": "", "near": "Asia/Jakarta"}, {"name": "Kopi", "zone": "Mars/Base"}])
async def test_a_company_without_a_name_or_a_zone_is_not_saved(desk: Desk, form: dict[str, str]) -> None:
    page = await desk.client.post("/settings/company", data=form, headers=OWN | PAGE)
    assert (page.status_code, 'role="alert"' in page.text) == (422, True)
    async with desk.database.transaction(desk.tenant) as tx:
        assert (await read_events(tx, EventFilter(type="company.changed"))).items == ()


@pytest.mark.parametrize(
    "form",
    [
        {"brief": "yes", "brief_at": "07:00"},
        {"quiet": "yes", "quiet_from": "21:00", "quiet_to": "21:00"},
        {"quiet": "yes", "quiet_from": "late", "quiet_to": "07:00"},
        {"quiet": "yes"},
        {"email": "nobody"},
    ],
)
async def test_what_cannot_be_read_changes_nothing_and_says_so(desk: Desk, form: dict[str, str]) -> None:
    page = await desk.client.post("/settings/notifications", data=form, headers=OWN | PAGE)
    assert page.status_code == 422
    assert 'role="alert"' in page.text
    async with desk.database.transaction(desk.tenant) as tx:
        founder = await fetch_founder(tx, desk.founder.id)
    assert founder is not None
    assert (founder.quiet_from, founder.email) == (None, "")


async def test_a_webhooks_secret_is_shown_once_and_no_private_address_is_taken(desk: Desk) -> None:
    page = await desk.client.post("/settings/webhook", data={"url": "https://hooks.example/flr"}, headers=OWN | PAGE)
    assert "whsec_" in page.text
    assert "whsec_" not in (await desk.client.get("/settings/notifications", headers=PAGE)).text
    for url in (
        "http://hooks.example/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://a@b.example/",
        "ftp://x/",
    ):
        refused = await desk.client.post("/settings/webhook", data={"url": url}, headers=OWN | PAGE)
        assert refused.status_code == 422
    async with desk.database.transaction(desk.tenant) as tx:
        assert [one.url for one in (await fetch_webhooks(tx)).values()] == ["https://hooks.example/flr"]
    await desk.client.post("/settings/webhook/remove", headers=OWN | PAGE)
    async with desk.database.transaction(desk.tenant) as tx:
        assert await fetch_webhooks(tx) == {}


async def test_a_trial_that_fails_says_why(desk: Desk) -> None:
    await desk.client.post("/settings/notifications", data={"email": "dewi@kopi.example"}, headers=OWN | PAGE)
    page = await desk.client.post("/settings/channels/email/test", headers=OWN | PAGE)
    assert page.status_code == 422
    assert "FLR_SMTP_URL" in page.text
    assert "upaya terakhir gagal" in (await desk.client.get("/settings/notifications", headers=PAGE)).text


async def test_a_letters_link_opens_the_card_and_acts_on_nothing(desk: Desk) -> None:
    asked = await desk.ask()
    async with desk.database.transaction(desk.tenant) as tx:
        now = await queue_store.now(tx)
    path = link_to(Seal(desk.settings.keys), asked, now)
    answer = await desk.client.get(path, headers=PAGE, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/approvals/{asked.id}")
    assert (await desk.approval(asked.id)).status == "pending"
    for forged in (path[:-2], path.replace("/open/", "/open/A"), "/open/x.y"):
        assert (await desk.client.get(forged, headers=PAGE, follow_redirects=False)).status_code == 404


async def test_a_device_link_is_drawn_as_a_code_and_a_key_gets_a_name(desk: Desk) -> None:
    page = await desk.client.post("/settings/devices", headers=OWN | PAGE)
    assert "/enrol/" in page.text
    assert '<svg class="qr"' in page.text
    async with desk.database.transaction(desk.tenant) as tx:
        [key] = await fetch_passkeys(tx, desk.founder.id)
    path = f"/settings/passkeys/{key.credential_id}"
    await desk.client.post(f"{path}/name", data={"label": "  Ponsel   merah "}, headers=OWN | PAGE)
    page = await desk.client.post(f"{path}/remove", headers=OWN | PAGE)
    assert page.status_code == 409
    assert "Ponsel merah" in page.text


async def test_a_deputy_is_invited_once_the_mandate_is_signed(desk: Desk) -> None:
    form = {"name": "Budi", "kinds": ["tool_call"], "cap": "500.000", "days": "7", "rol": "deputy"}
    answer = await desk.client.post("/settings/people", data=form, headers=OWN | PAGE, follow_redirects=False)
    asked = UUID(answer.headers["location"].rpartition("/")[2])
    async with desk.database.transaction(desk.tenant) as tx:
        budi = next(one for one in await fetch_founders(tx) if one.name == "Budi")
        approval = await get_approval(tx, asked)
        terms = approval.payload["mandate"]
    assert (budi.rol, approval.tier, approval.kind) == (Rol.DEPUTY, Tier.R2, "mandate")
    assert isinstance(terms, dict)
    assert (terms["tiers"], terms["cap"]) == (["R1"], {"minor": 500_000, "currency": "IDR"})
    early = await desk.client.post(f"/settings/people/{budi.id}/link", headers=OWN | PAGE)
    assert early.status_code == 409
    await signed_with_passkey(desk, asked)
    page = await desk.client.post(f"/settings/people/{budi.id}/link", headers=OWN | PAGE)
    assert "/enrol/" in page.text
    assert "Paling banyak Rp500.000 per keputusan." in page.text
    await desk.client.post(f"/settings/people/{budi.id}/end", headers=OWN | PAGE)
    async with desk.database.transaction(desk.tenant) as tx:
        assert await mandate_of(tx, budi.id) is None


async def test_a_quorum_is_asked_for_signed_and_guarded(desk: Desk) -> None:
    async def ask(**form: str) -> httpx.Response:
        return await desk.client.post("/settings/quorum", data=form, headers=OWN | PAGE, follow_redirects=False)

    alone = await ask(R2_count="2", R2_above="1.000.000", R2_founders="yes")
    assert alone.status_code == 422
    assert "2 orang harus setuju, dan 1 dapat memutuskan" in alone.text
    form = {"name": "Budi", "kinds": ["tool_call"], "days": "7", "rol": "deputy"}
    answer = await desk.client.post("/settings/people", data=form, headers=OWN | PAGE, follow_redirects=False)
    await signed_with_passkey(desk, UUID(answer.headers["location"].rpartition("/")[2]))
    asked = await ask(R1_count="2", R1_above="50.000")
    card = await desk.client.get(asked.headers["location"], headers=PAGE)
    assert "Risiko rendah: 2 orang harus setuju. Hanya di atas Rp50.000." in card.text
    await signed_with_passkey(desk, UUID(asked.headers["location"].rpartition("/")[2]))
    async with desk.database.transaction(desk.tenant) as tx:
        assert await company_quorum(tx) == CompanyQuorum((QuorumLine(tier=Tier.R1, count=2, above=Money(50_000)),))
        budi = next(one for one in await fetch_founders(tx) if one.name == "Budi")
    assert 'value="50.000"' in (await desk.client.get("/settings/quorum", headers=PAGE)).text
    path = f"/settings/people/{budi.id}/end"
    warned = await desk.client.post(path, headers=OWN | PAGE)
    assert warned.status_code == 409
    assert "Tanpa Budi lebih sedikit orang" in warned.text
    await desk.client.post(path, data={"anyway": "yes"}, headers=OWN | PAGE)
    async with desk.database.transaction(desk.tenant) as tx:
        assert await mandate_of(tx, budi.id) is None


async def test_a_mandate_is_replaced_by_another_that_is_signed(desk: Desk) -> None:
    form = {"name": "Budi", "kinds": ["tool_call", "start"], "cap": "500.000", "days": "30", "rol": "deputy"}
    asked = await desk.client.post("/settings/people", data=form, headers=OWN | PAGE, follow_redirects=False)
    await signed_with_passkey(desk, UUID(asked.headers["location"].rpartition("/")[2]))
    async with desk.database.transaction(desk.tenant) as tx:
        budi = next(one for one in await fetch_founders(tx) if one.name == "Budi")
        before = await mandate_of(tx, budi.id)
        last = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    here = f"/settings/people/{budi.id}/mandate"
    page = (await desk.client.get(here, headers=PAGE)).text
    assert 'name="cap" inputmode="decimal" maxlength="20" autocomplete="off" value="500.000"' in page
    assert before is not None
    assert before.terms.ends_at is not None
    assert before.terms.ends_at.astimezone(ZoneInfo("Asia/Jakarta")).date().isoformat() in page
    narrower = {"kinds": ["tool_call"], "cap": "100.000", "until": last}
    answer = await desk.client.post(here, data=narrower, headers=OWN | PAGE, follow_redirects=False)
    card = await desk.client.get(answer.headers["location"], headers=PAGE)
    assert "Ganti mandat Budi, yang berlaku sampai" in card.text
    async with desk.database.transaction(desk.tenant) as tx:
        assert await mandate_of(tx, budi.id) == before, "what is in force stays so until the signature"
    await signed_with_passkey(desk, UUID(answer.headers["location"].rpartition("/")[2]))
    async with desk.database.transaction(desk.tenant) as tx:
        after = await mandate_of(tx, budi.id)
        ended = (await read_events(tx, EventFilter(type="mandate.ended"))).items
    assert after is not None
    assert (after.terms.kinds, after.terms.cap) == (("tool_call",), Money(100_000))
    assert after.terms.ends_at is not None
    assert after.terms.ends_at.astimezone(ZoneInfo("Asia/Jakarta")).date().isoformat() == last
    assert len(ended) == 1


@pytest.mark.parametrize(
    "form",
    [
        {"kinds": ["tool_call"], "until": "someday"},
        {"kinds": ["tool_call"], "until": "2020-01-01"},
        {"kinds": [], "until": "2026-12-24"},
    ],
)
async def test_a_mandate_that_cannot_be_asks_for_no_signature(desk: Desk, form: dict[str, object]) -> None:
    first = {"name": "Budi", "kinds": ["tool_call"], "days": "30", "rol": "deputy"}
    asked = await desk.client.post("/settings/people", data=first, headers=OWN | PAGE, follow_redirects=False)
    await signed_with_passkey(desk, UUID(asked.headers["location"].rpartition("/")[2]))
    async with desk.database.transaction(desk.tenant) as tx:
        budi = next(one for one in await fetch_founders(tx) if one.name == "Budi")
    page = await desk.client.post(f"/settings/people/{budi.id}/mandate", data=form, headers=OWN | PAGE)
    assert (page.status_code, 'role="alert"' in page.text) == (422, True)
    me = await desk.client.get(f"/settings/people/{desk.founder.id}/mandate", headers=PAGE)
    assert me.status_code == 404


async def signed_with_passkey(desk: Desk, approval_id: UUID) -> None:
    """The founder's yes with the passkey; then time goes on over the undo window, and the registry acts."""
    async with desk.database.transaction(desk.tenant) as tx:
        approval = await get_approval(tx, approval_id)
        signed = by_passkey(await offered_for(tx, desk.by, approval), desk.device)
        proof = await prove(tx, approval_id, "approve", by=desk.by, proof=signed, verifier=BOOK)
        signer = desk.app.state.approval_tokens
        await decide(tx, approval_id, "approve", by=desk.by, signer=signer, proof=proof)
        await tx.connection.execute("SELECT set_config('app.now', (now() + interval '1 minute')::text, true)")
        await on_approval_decided(tx, ApprovalDecided(desk.tenant, approval_id, None, None), reader=signer)


@pytest.mark.parametrize("form", [{"name": ""}, {"name": "dewi"}, {"name": "Budi", "cap": "lots"}, {"name": "Budi"}])
async def test_an_invitation_that_cannot_be_made_says_why_and_makes_nobody(desk: Desk, form: dict[str, str]) -> None:
    kinds = {} if form == {"name": "Budi"} else {"kinds": "start"}
    page = await desk.client.post("/settings/people", data={**form, **kinds}, headers=OWN | PAGE)
    assert page.status_code == 422
    async with desk.database.transaction(desk.tenant) as tx:
        assert len(await fetch_founders(tx)) == 1


async def test_the_first_steps_tick_themselves_and_ask_for_notifications_last(desk: Desk) -> None:
    page = (await desk.client.get("/", headers=PAGE)).text
    assert "Langkah pertama" in page
    assert 'href="/settings/notifications">Aktifkan' not in page
    asked = await desk.ask(money=Money(1_000))
    await desk.client.get(f"/approvals/{asked.id}", headers=PAGE)
    await desk.client.post("/first-steps/install", headers=OWN | PAGE)
    page = (await desk.client.get("/", headers=PAGE)).text
    assert 'href="/settings/notifications">Aktifkan' in page
    assert 'href="/settings/install"' not in page
    await desk.client.post("/first-steps/done", headers=OWN | PAGE)
    assert "Langkah pertama" not in (await desk.client.get("/", headers=PAGE)).text


async def test_a_hand_that_is_too_fast_is_told_so_in_the_cards_place(desk: Desk) -> None:
    async with desk.database.transaction(desk.tenant) as tx:
        asked = [await raise_approval(tx, a_question(act_digest=f"{number:064d}")) for number in range(91)]
    form = {"decision": "reject", "version": "1"}
    answers = [
        await desk.client.post(f"/approvals/{one.id}/decide", data=form, headers=OWN | {"x-fragment": "1"})
        for one in asked
    ]
    assert [answer.status_code for answer in answers] == [200] * 90 + [429]
    assert "45 keputusan per menit" in answers[-1].text


async def test_ten_wrong_codes_close_the_door_for_a_while(desk: Desk) -> None:
    desk.client.cookies.clear()
    said = [
        await desk.client.post("/login/recovery", data={"code": "wrong"}, headers=OWN | PAGE)
        for _ in range(MOST_FAILURES + 1)
    ]
    assert [answer.status_code for answer in said] == [401] * MOST_FAILURES + [429]
    assert "Tunggu 10 menit" in said[-1].text


def test_failures_are_counted_by_address_and_forgotten_on_success() -> None:
    failures = Failures()
    for _ in range(MOST_FAILURES):
        failures.check("10.0.0.1")
        failures.note("10.0.0.1")
    failures.check("10.0.0.2")
    with pytest.raises(TooManyTries):
        failures.check("10.0.0.1")
    failures.forget("10.0.0.1")
    failures.check("10.0.0.1")

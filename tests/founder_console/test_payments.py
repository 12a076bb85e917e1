"""Payment providers at the door: each payment recorded once, with its body as evidence; the rest is logged."""

import hashlib
import hmac
import json
import time
from typing import Any
from uuid import UUID, uuid4

import httpx

from app.founder_console.money.payments import MOST_REFUSED, list_deliveries
from app.governance_ledger import EventFilter, RecordedEvent, read_events, read_evidence
from app.role_registry import ensure_vault_key
from tests.builders import a_ticket
from tests.founder_console.test_http import OWN, PAGE, Desk, desk

__all__ = ["desk"]

SECRET = "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH"


async def set_up(desk: Desk, provider: str = "stripe", mode: str = "live", secret: str = SECRET) -> str:
    """The address to paste."""
    ensure_vault_key(desk.settings.keys)
    form = {"provider": provider, "mode": mode, "secret": secret}
    page = await desk.client.post("/settings/payments", headers=OWN | PAGE, data=form)
    assert page.status_code == 200
    [path] = {part.split('"')[0] for part in page.text.split(f"{desk.settings.origin}/hooks/")[1:]}
    return f"/hooks/{path}"


def charge(name: str = "ch_1", amount: int = 24_000_000, live: bool = True, **changes: Any) -> bytes:
    subject = {"id": name, "amount": amount, "currency": "idr", "captured": True, **changes}
    event = {"id": f"evt_{name}", "type": "charge.succeeded", "livemode": live, "data": {"object": subject}}
    return json.dumps(event | {"created": int(time.time()) - 5}).encode()


async def tell(desk: Desk, path: str, body: bytes, secret: str = SECRET) -> httpx.Response:
    """As Stripe does: no cookie, no origin."""
    stamp = int(time.time())
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"stripe-signature": f"t={stamp},v1={mac}", "cookie": ""}
    return await desk.client.post(path, headers=headers, content=body)


async def revenue(desk: Desk) -> tuple[RecordedEvent, ...]:
    async with desk.database.transaction(desk.tenant) as tx:
        return (await read_events(tx, EventFilter(type="revenue.recorded"))).items


async def test_a_signed_payment_is_recorded_once_with_its_body_as_evidence(desk: Desk) -> None:
    path = await set_up(desk)
    body = charge()
    answers = [(await tell(desk, path, body)).json()["outcome"] for _ in range(3)]
    assert answers == ["recorded", "repeated", "repeated"]
    [event] = await revenue(desk)
    assert (event.data["amount_minor"], event.data["currency"], event.actor) == ("240000", "IDR", "service:stripe")
    async with desk.database.transaction(desk.tenant) as tx:
        kept = await read_evidence(tx, desk.app.state.store, event.evidence[0].key)
    assert kept == body


async def test_what_is_not_signed_is_refused_logged_and_recorded_nowhere(desk: Desk) -> None:
    path = await set_up(desk)
    answer = await tell(desk, path, charge(), secret="whsec_of_somebody_else")
    assert (answer.status_code, answer.json()) == (400, {"outcome": "refused", "why": "signature"})
    assert (await desk.client.post(path, content=b"{}")).json()["why"] == "unsigned"
    assert await revenue(desk) == ()
    page = await desk.client.get("/settings/payments", headers=PAGE)
    assert "tanda tangan tidak cocok" in page.text
    assert SECRET not in page.text


async def test_test_and_live_never_mix(desk: Desk) -> None:
    live, test = await set_up(desk), None
    assert (await tell(desk, live, charge(live=False))).json() == {"outcome": "ignored", "why": "mode"}
    form = {"provider": "stripe", "mode": "test", "secret": "whsec_test_secret"}
    page = await desk.client.post("/settings/payments", headers=OWN | PAGE, data=form)
    test = next(f"/hooks/{one.split(chr(34))[0]}" for one in page.text.split("/hooks/")[1:] if live[7:] not in one)
    said = await tell(desk, test, charge(live=False), secret="whsec_test_secret")
    assert said.json() == {"outcome": "test", "why": ""}
    assert (await tell(desk, test, charge(), secret="whsec_test_secret")).json()["why"] == "mode"
    assert await revenue(desk) == ()


async def test_an_unknown_type_is_acknowledged_and_not_recorded(desk: Desk) -> None:
    path = await set_up(desk)
    body = json.dumps({"id": "evt_9", "type": "customer.created", "livemode": True, "data": {"object": {}}}).encode()
    answer = await tell(desk, path, body)
    assert (answer.status_code, answer.json()) == (200, {"outcome": "ignored", "why": "kind"})


async def test_a_payment_named_by_its_ticket_is_earned_by_its_worker(desk: Desk) -> None:
    path = await set_up(desk)
    async with desk.database.transaction(desk.tenant) as tx:
        ticket = await a_ticket(tx, desk.by)
    await tell(desk, path, charge(metadata={"ticket": str(ticket.id)}))
    await tell(desk, path, charge("ch_2", metadata={"ticket": str(uuid4())}))
    assert [event.data["ticket_id"] for event in await revenue(desk)] == [None, str(ticket.id)]


async def test_a_void_without_its_payment_records_nothing(desk: Desk) -> None:
    key = "SB-Mid-server-secret"
    path = await set_up(desk, "midtrans", secret=key)

    async def say(status: str, code: str) -> Any:
        body = {"order_id": "INV-7", "status_code": code, "gross_amount": "240000.00", "transaction_status": status}
        said = f"INV-7{code}240000.00{key}"
        body["signature_key"] = hashlib.sha512(said.encode()).hexdigest()
        return (await desk.client.post(path, json=body)).json()

    assert await say("expire", "202") == {"outcome": "ignored", "why": "unpaid"}
    assert (await say("settlement", "200"))["outcome"] == "recorded"
    assert (await say("cancel", "200"))["outcome"] == "recorded"
    assert [event.data["amount_minor"] for event in await revenue(desk)] == ["-240000", "240000"]


async def test_a_removed_source_is_heard_no_more(desk: Desk) -> None:
    path = await set_up(desk)
    source = path.rpartition("/")[2]
    await desk.client.post(f"/settings/payments/{source}/remove", headers=OWN)
    assert (await tell(desk, path, charge())).status_code == 404
    assert (await desk.client.post(f"/hooks/payments/{desk.tenant}/{uuid4()}")).status_code == 404
    assert (await desk.client.post(f"/hooks/payments/{uuid4()}/{source}")).status_code == 404


async def test_the_log_of_what_anybody_may_send_does_not_grow_without_end(desk: Desk) -> None:
    path = await set_up(desk)
    for _ in range(MOST_REFUSED + 3):
        await desk.client.post(path, content=b"{}")
    async with desk.database.transaction(desk.tenant) as tx:
        assert len(await list_deliveries(tx, 2 * MOST_REFUSED)) == MOST_REFUSED


async def test_the_database_holds_no_secret_in_the_clear(desk: Desk) -> None:
    path = await set_up(desk)
    async with desk.database.transaction(desk.tenant) as tx:
        sealed = await tx.connection.fetchval(
            "SELECT sealed_secret FROM founder_console.payment_sources WHERE id = $1", UUID(path.rpartition("/")[2])
        )
    assert SECRET.encode() not in sealed
    assert len(sealed) == 12 + len(SECRET) + 16


async def test_without_the_vaults_key_nothing_is_kept(desk: Desk) -> None:
    form = {"provider": "stripe", "mode": "live", "secret": SECRET}
    answer = await desk.client.post("/settings/payments", headers=OWN | PAGE, data=form)
    assert answer.status_code >= 400
    assert SECRET not in (await desk.client.get("/settings/payments", headers=PAGE)).text


async def test_no_secret_is_taken_that_cannot_be_one(desk: Desk) -> None:
    form = {"provider": "stripe", "mode": "live", "secret": "zq7xk"}
    answer = await desk.client.post("/settings/payments", headers=OWN | PAGE, data=form)
    assert answer.status_code == 422
    assert "zq7xk" not in answer.text


async def test_a_body_beyond_all_measure_is_not_read(desk: Desk) -> None:
    path = await set_up(desk)
    assert (await desk.client.post(path, content=b"x" * 300_000)).status_code == 413

"""Who else decides, over real requests: a founder's passkey is their own, and what was ended is over."""

from uuid import UUID

import httpx

from app.canon.mandate import Mandate
from app.canon.vocabulary import Principal, Rol
from app.founder_console import create_founder
from app.founder_console.identity.sessions import start_session
from app.founder_console.model import Founder
from app.work_queue import propose_mandate
from tests.founder_console.authenticator import SoftAuthenticator
from tests.founder_console.people import a_passkey
from tests.founder_console.test_http import OWN, PAGE, Desk, desk
from tests.founder_console.test_settings_pages import signed_with_passkey

__all__ = ["desk"]


async def a_partner(desk: Desk) -> Founder:
    """A second founder, signed for, without a key yet."""
    async with desk.database.transaction(desk.tenant) as tx:
        partner = await create_founder(tx, name="Sari", language="id")
        wanted = Mandate(person=str(partner.id), name="Sari", rol="founder")
        text = {"id": "Jadikan founder?", "en": "Make a founder?"}
        asked = await propose_mandate(tx, wanted, text=text, by=desk.by, undo_seconds=0)
    await signed_with_passkey(desk, asked.id)
    return partner


async def with_key(desk: Desk, partner: Founder) -> SoftAuthenticator:
    async with desk.database.transaction(desk.tenant) as tx:
        return await a_passkey(tx, partner)


async def link(desk: Desk, person: UUID) -> httpx.Response:
    return await desk.client.post(f"/settings/people/{person}/link", headers=OWN | PAGE)


async def test_no_founder_makes_a_passkey_for_another_who_has_one_and_so_decides_as_both(desk: Desk) -> None:
    partner = await a_partner(desk)
    assert "/enrol/" in (await link(desk, partner.id)).text
    await with_key(desk, partner)
    refused = await link(desk, partner.id)
    assert (refused.status_code, "/enrol/" in refused.text) == (409, False)


async def test_a_second_founder_whose_mandate_was_ended_is_shown_nothing_and_comes_in_no_more(desk: Desk) -> None:
    partner = await a_partner(desk)
    device = await with_key(desk, partner)
    async with desk.database.transaction(desk.tenant) as tx:
        theirs = await start_session(tx, partner.id, label="phone")
    mine = desk.client.cookies["__Host-flr"]
    assert f"/settings/people/{partner.id}/end" in (await desk.client.get("/settings/people", headers=PAGE)).text
    page = await desk.client.post(f"/settings/people/{partner.id}/end", headers=OWN | PAGE)
    assert ">berakhir</span>" in page.text
    desk.client.cookies.set("__Host-flr", theirs)
    assert (await desk.client.get("/api/v1/console/summary")).status_code == 401
    options = (await desk.client.post("/login/options", headers=OWN)).json()
    answer = await desk.client.post("/login", json={"credential": device.get(options)}, headers=OWN)
    assert answer.status_code == 401, answer.text
    desk.client.cookies.set("__Host-flr", mine)
    assert (await desk.client.get("/api/v1/console/summary")).status_code == 200


async def test_a_token_of_a_founder_whose_mandate_was_ended_decides_nothing(desk: Desk) -> None:
    partner, asked = await a_partner(desk), await desk.ask(on_ticket=True)
    await desk.client.post(f"/settings/people/{partner.id}/end", headers=OWN | PAGE)
    by = Principal(str(partner.id), desk.tenant, Rol.FOUNDER)
    token = desk.app.state.tokens.issue(sub=by.sub, tid=by.tid, rol=by.rol, ttl_seconds=60)
    desk.client.cookies.clear()
    headers = {"authorization": f"Bearer {token}"}
    answer = await desk.client.post(f"/api/v1/tickets/{asked.ticket_id}/approve", json={}, headers=headers)
    assert answer.status_code == 403, answer.text

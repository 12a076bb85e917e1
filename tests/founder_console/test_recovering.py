"""What a stolen recovery code or an open browser is worth: never the founder's key."""

from datetime import datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from app.founder_console.identity.enrolment import renew_codes
from app.founder_console.store import fetch_passkeys
from app.founder_console.store import now as business_now
from tests.founder_console.authenticator import SoftAuthenticator
from tests.founder_console.people import ORIGIN
from tests.founder_console.test_http import OWN, PAGE, Desk, desk

__all__ = ["desk"]


async def recovered(desk: Desk) -> None:
    """A browser that was opened by a recovery code."""
    async with desk.database.transaction(desk.tenant) as tx:
        code = (await renew_codes(tx, desk.founder.id))[0]
    desk.client.cookies.clear()
    await desk.client.post("/login/recovery", data={"code": code}, headers=OWN | PAGE, follow_redirects=False)


async def made(desk: Desk) -> SoftAuthenticator:
    """A passkey made in the browser as it is signed in now."""
    options = (await desk.client.post("/settings/passkeys/options", headers=OWN)).json()
    device = SoftAuthenticator(ORIGIN)
    body = {"credential": device.create(options), "label": "new"}
    answer = await desk.client.post("/settings/passkeys", json=body, headers=OWN)
    assert answer.status_code == 201, answer.text
    return device


async def signed_in(desk: Desk, device: SoftAuthenticator) -> httpx.Response:
    desk.client.cookies.clear()
    options: dict[str, Any] = (await desk.client.post("/login/options", headers=OWN)).json()
    return await desk.client.post("/login", json={"credential": device.get(options)}, headers=OWN)


async def waits(desk: Desk, label: str = "new") -> list[bool]:
    """Whether each key of this name waits for the next day."""
    async with desk.database.transaction(desk.tenant) as tx:
        at: datetime = await business_now(tx)
        keys = await fetch_passkeys(tx, desk.founder.id)
    return [key.usable_from > at + timedelta(hours=23) for key in keys if key.label == label]


async def test_a_key_made_after_a_recovery_opens_nothing_that_makes_one_without_the_wait(desk: Desk) -> None:
    await recovered(desk)
    assert (await signed_in(desk, await made(desk))).status_code == 200
    await made(desk)
    assert await waits(desk) == [True, True]
    page = await desk.client.post("/settings/devices", headers=OWN | PAGE)
    assert "/enrol/" not in page.text


async def test_the_founders_own_key_still_makes_one_that_is_good_at_once(desk: Desk) -> None:
    await recovered(desk)
    await made(desk)
    assert (await signed_in(desk, desk.device)).status_code == 200
    await made(desk)
    assert await waits(desk) == [True, False]


async def an_hour_later(superuser: asyncpg.Connection) -> None:
    """The browser has been signed in for an hour."""
    await superuser.execute("UPDATE founder_console.sessions SET created_at = created_at - interval '1 hour'")


@pytest.mark.parametrize("path", ["/settings/devices", "/settings/codes", "/settings/passkeys/x/remove"])
async def test_a_browser_that_lies_open_hands_on_nothing_that_outlasts_it(
    desk: Desk, superuser: asyncpg.Connection, path: str
) -> None:
    await an_hour_later(superuser)
    page = await desk.client.post(path, headers=OWN | PAGE, follow_redirects=False)
    assert (page.status_code, page.headers["location"]) == (303, "/login?again=yes&next=/settings/keys")
    assert (await desk.client.post("/settings/passkeys/options", headers=OWN)).status_code == 403
    body = {"credential": {}, "label": "new"}
    assert (await desk.client.post("/settings/passkeys", json=body, headers=OWN)).status_code == 403
    shown = await desk.client.get("/settings/keys", headers=PAGE)
    assert "/login?again=yes" in shown.text


async def test_an_open_browser_pairs_no_chat_starts_no_program_and_lets_nobody_in(
    desk: Desk, superuser: asyncpg.Connection
) -> None:
    await an_hour_later(superuser)
    form = {"name": "crm", "where": "/bin/true"}
    asked = await desk.client.post("/settings/servers/ask", data=form, headers=OWN | PAGE)
    assert (asked.status_code, 'value="/bin/true"' in asked.text) == (422, True)
    assert "/login?again=yes" in asked.text
    for path in ("/settings/telegram/pair", f"/settings/people/{desk.founder.id}/link"):
        page = await desk.client.post(path, headers=OWN | PAGE, follow_redirects=False)
        assert page.headers["location"].startswith("/login?again=yes"), path


async def test_signing_in_again_opens_what_was_closed_and_leaves_one_session(
    desk: Desk, superuser: asyncpg.Connection
) -> None:
    await an_hour_later(superuser)
    page = await desk.client.get("/login?again=yes&next=/settings/keys", headers=PAGE)
    assert 'data-next="/settings/keys"' in page.text
    before = desk.client.cookies["__Host-flr"]
    options: dict[str, Any] = (await desk.client.post("/login/options", headers=OWN)).json()
    answer = await desk.client.post("/login", json={"credential": desk.device.get(options)}, headers=OWN)
    desk.client.cookies.clear()
    desk.client.cookies.set("__Host-flr", answer.cookies["__Host-flr"])
    await made(desk)
    assert await waits(desk) == [False]
    desk.client.cookies.set("__Host-flr", before)
    assert (await desk.client.get("/api/v1/console/summary")).status_code == 401

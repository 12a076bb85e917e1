"""Links, passkeys, sessions and recovery codes: each opens what it should, as often as it should."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from app.auth import unb64url
from app.founder_console import create_enrolment, ensure_console_keys
from app.founder_console.errors import KeyRefused, LastKey, LinkUnusable
from app.founder_console.identity.enrolment import invited, read_link, renew_codes, tenant_of_code, use_code, use_link
from app.founder_console.identity.passkeys import (
    RelyingParty,
    log_in,
    login_options,
    register_passkey,
    registration_options,
    remove_passkey,
    tenant_of_login,
)
from app.founder_console.identity.sessions import hashed, start_session
from app.founder_console.keyfiles import COMMON, VAPID, Seal, vapid_public_key
from app.founder_console.store import fetch_passkeys, fetch_session, revoke_session
from app.governance_ledger import EventFilter, read_events
from app.postgres import Database
from tests.founder_console.authenticator import SoftAuthenticator
from tests.founder_console.people import PARTY, a_founder, a_passkey


async def test_a_link_is_used_once_and_looking_does_not_use_it(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, _ = await a_founder(tx)
        link = read_link((await create_enrolment(tx, founder.id)).removeprefix("/enrol/"))
        assert (await invited(tx, link)).id == founder.id
        assert (await use_link(tx, link)).id == founder.id
        for again in (invited, use_link):
            with pytest.raises(LinkUnusable):
                await again(tx, link)


async def test_a_link_expires(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, _ = await a_founder(tx)
        link = read_link((await create_enrolment(tx, founder.id, ttl_seconds=60)).removeprefix("/enrol/"))
        await tx.connection.execute("SELECT set_config('app.now', (now() + interval '2 minutes')::text, true)")
        with pytest.raises(LinkUnusable):
            await use_link(tx, link)


async def test_a_link_of_one_company_opens_no_other(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, _ = await a_founder(tx)
        path = await create_enrolment(tx, founder.id)
    async with database.transaction(uuid4()) as other:
        with pytest.raises(LinkUnusable):
            await use_link(other, read_link(path.removeprefix("/enrol/")))


@pytest.mark.parametrize("text", ["", "nonsense", "zz.token", "..", "0" * 32])
async def test_a_broken_link_says_so(database: Database, text: str) -> None:
    async with database.transaction(uuid4()) as tx:
        with pytest.raises(LinkUnusable):
            await use_link(tx, read_link(text))


async def test_a_passkey_made_for_another_origin_is_refused(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, _ = await a_founder(tx)
        device = SoftAuthenticator("https://evil.example")
        options = await registration_options(tx, PARTY, founder, subject="settings")
        with pytest.raises(KeyRefused):
            await register_passkey(
                tx, PARTY, founder, subject="settings", credential=device.create(options), label="phone"
            )


async def test_a_registration_answers_its_own_challenge_once(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, _ = await a_founder(tx)
        options = await registration_options(tx, PARTY, founder, subject="settings")
        assert {wanted["alg"] for wanted in options["pubKeyCredParams"]} == {-7, -257}
        credential = SoftAuthenticator(PARTY.origin).create(options)
        with pytest.raises(KeyRefused):
            await register_passkey(tx, PARTY, founder, subject="elsewhere", credential=credential, label="phone")
        with pytest.raises(KeyRefused):
            await register_passkey(tx, PARTY, founder, subject="settings", credential=credential, label="phone")


async def test_a_passkey_signs_in_without_a_name_and_each_time_anew(database: Database, tmp_path: Path) -> None:
    seal = Seal(tmp_path)
    async with database.transaction(uuid4()) as tx:
        founder, _ = await a_founder(tx)
        device = await a_passkey(tx, founder)
        credential = device.get(login_options(PARTY, seal))
        assert tenant_of_login(credential) == tx.tenant
        assert (await log_in(tx, PARTY, seal, credential)).founder_id == founder.id
        with pytest.raises(KeyRefused):
            await log_in(tx, PARTY, seal, credential)


async def test_a_challenge_that_is_not_ours_signs_nobody_in(database: Database, tmp_path: Path) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, _ = await a_founder(tx)
        device = await a_passkey(tx, founder)
        foreign = login_options(PARTY, Seal(tmp_path / "other"))
        with pytest.raises(KeyRefused, match="not one of ours"):
            await log_in(tx, PARTY, Seal(tmp_path / "own"), device.get(foreign))


async def test_a_cloned_key_is_found_by_its_counter(database: Database, tmp_path: Path) -> None:
    seal = Seal(tmp_path)
    async with database.transaction(uuid4()) as tx:
        founder, _ = await a_founder(tx)
        device = await a_passkey(tx, founder)
        await log_in(tx, PARTY, seal, device.get(login_options(PARTY, seal)))
        device.count = 0
        with pytest.raises(KeyRefused):
            await log_in(tx, PARTY, seal, device.get(login_options(PARTY, seal)))


async def test_the_last_passkey_stays(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, _ = await a_founder(tx)
        await a_passkey(tx, founder)
        [only] = await fetch_passkeys(tx, founder.id)
        with pytest.raises(LastKey):
            await remove_passkey(tx, founder.id, only.credential_id)
        await a_passkey(tx, founder)
        await remove_passkey(tx, founder.id, only.credential_id)
        assert only.credential_id not in {key.credential_id for key in await fetch_passkeys(tx, founder.id)}


async def test_of_two_passkeys_removed_at_once_one_stays(database: Database) -> None:
    tenant = uuid4()
    async with database.transaction(tenant) as tx:
        founder, _ = await a_founder(tx)
        await a_passkey(tx, founder)
        await a_passkey(tx, founder)
        first, second = await fetch_passkeys(tx, founder.id)

    async def remove(credential_id: str) -> None:
        async with database.transaction(tenant) as tx:
            await remove_passkey(tx, founder.id, credential_id)

    async with database.transaction(tenant) as tx:
        await remove_passkey(tx, founder.id, first.credential_id)
        at_once = asyncio.create_task(remove(second.credential_id))
        await asyncio.wait([at_once], timeout=0.3)
    with pytest.raises(LastKey):
        await at_once
    async with database.transaction(tenant) as tx:
        assert [key.credential_id for key in await fetch_passkeys(tx, founder.id)] == [second.credential_id]


async def test_a_session_ends_when_it_is_revoked_or_old(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, _ = await a_founder(tx)
        tenant, _, token = (await start_session(tx, founder.id, label="phone")).partition(".")
        assert tenant == tx.tenant.hex
        session = await fetch_session(tx, hashed(token))
        assert session is not None
        assert token not in session.token_sha256
        await revoke_session(tx, session.token_sha256)
        assert await fetch_session(tx, hashed(token)) is None


async def test_a_recovery_code_finds_its_company_and_works_once(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, _ = await a_founder(tx)
        codes = await renew_codes(tx, founder.id)
        tenant = tx.tenant
    assert len(set(codes)) == 8
    assert await tenant_of_code(database, codes[0].upper().replace("-", " ")) == tenant
    async with database.transaction(tenant) as tx:
        assert (await use_code(tx, codes[0])).id == founder.id
    with pytest.raises(KeyRefused):
        await tenant_of_code(database, codes[0])


async def test_new_codes_void_the_old_ones(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, _ = await a_founder(tx)
        old = await renew_codes(tx, founder.id)
        await renew_codes(tx, founder.id)
        with pytest.raises(KeyRefused):
            await use_code(tx, old[0])


async def test_who_came_in_and_with_which_key_is_in_the_ledger(database: Database) -> None:
    async with database.transaction(uuid4()) as tx:
        founder, _ = await a_founder(tx)
        await a_passkey(tx, founder)
        await start_session(tx, founder.id, label="phone")
        events = (await read_events(tx, EventFilter(type="founder."))).items
    assert [event.type for event in reversed(events)] == [
        "founder.added",
        "founder.invited",
        "founder.passkey_added",
        "founder.signed_in",
    ]


def test_key_files_are_made_once_and_kept_private(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    ensure_console_keys(folder)
    before = (folder / COMMON).read_bytes(), (folder / VAPID).read_bytes()
    ensure_console_keys(folder)
    assert ((folder / COMMON).read_bytes(), (folder / VAPID).read_bytes()) == before
    assert {path.stat().st_mode & 0o777 for path in (folder / COMMON, folder / VAPID)} == {0o600}
    assert len(unb64url(vapid_public_key(folder))) == 65
    assert RelyingParty("https://console.example:8443").id == "console.example"

"""Passkeys and devices: made, named, removed; a link for another device; recovery codes; who is signed in."""

from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, JSONBody
from litestar.response import Redirect

from app.founder_console import store
from app.founder_console.errors import LastKey
from app.founder_console.identity.enrolment import create_enrolment, renew_codes
from app.founder_console.identity.passkeys import (
    RelyingParty,
    name_passkey,
    register_passkey,
    registration_options,
    remove_passkey,
)
from app.founder_console.identity.sessions import check_lately, read_cookie, signed_in_lately
from app.founder_console.screens.qr import qr_path
from app.founder_console.visits import Caller, Visit, enter, go
from app.postgres import Transaction

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
HERE = "/settings/keys"
DEVICE_LINK_SECONDS = 900


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A browser's answer to a registration: `PublicKeyCredential.toJSON()`."""

    credential: dict[str, Any]
    label: str = ""


class Next(msgspec.Struct, frozen=True):
    """Where to go now."""

    next: str


@get("/settings/keys", include_in_schema=False)
async def keys(request: Caller, tx: NamedDependency[Transaction]) -> Page:
    return await _keys(await enter(request, tx))


async def _keys(visit: Visit, *, codes: tuple[str, ...] = (), link: str = "", problem: str = "") -> Page:
    tx, founder = visit.tx, visit.founder
    return visit.page(
        "settings_keys.html",
        status=409 if problem else 200,
        title=visit.words("settings.keys"),
        problem=problem,
        codes=codes,
        link=link,
        qr=qr_path(link) if link else None,
        passkeys=await store.fetch_passkeys(tx, founder.id),
        device_keys=await store.fetch_device_keys(tx, founder.id),
        sessions=[
            {"ref": one.ref, "label": one.label, "seen_at": one.seen_at, "current": one.ref == visit.by.jti}
            for one in await store.fetch_sessions(tx, founder.id)
        ],
        codes_left=await store.count_codes(tx, founder.id),
        recovered=await _recovered(visit),
        lately=await signed_in_lately(visit.request, tx),
    )


@post("/settings/passkeys/options", status_code=200, include_in_schema=False)
async def passkey_options(request: Caller, tx: NamedDependency[Transaction]) -> dict[str, Any]:
    visit = await _entered_lately(request, tx)
    party = RelyingParty(request.app.state.settings.origin)
    return await registration_options(tx, party, visit.founder, subject="settings")


@post("/settings/passkeys", status_code=201, include_in_schema=False)
async def add_passkey(request: Caller, tx: NamedDependency[Transaction], data: JSONBody[NewKey]) -> Next:
    """One more passkey. In a browser that came in by a recovery code it cannot sign decisions before the next day."""
    visit = await _entered_lately(request, tx)
    await register_passkey(
        tx,
        RelyingParty(request.app.state.settings.origin),
        visit.founder,
        subject="settings",
        credential=data.credential,
        label=data.label,
        recovered=await _recovered(visit),
    )
    return Next(HERE)


async def _entered_lately(request: Caller, tx: Transaction) -> Visit:
    await check_lately(request, tx, HERE)
    return await enter(request, tx)


async def _recovered(visit: Visit) -> bool:
    found = read_cookie(visit.request)
    session = await store.fetch_session(visit.tx, found[1]) if found else None
    return session is not None and session.recovered


@post("/settings/passkeys/{credential_id:str}/name", status_code=303, include_in_schema=False)
async def rename_passkey(
    request: Caller, tx: NamedDependency[Transaction], credential_id: FromPath[str], data: Form
) -> Redirect:
    await name_passkey(tx, (await enter(request, tx)).founder.id, credential_id, str(data.get("label") or ""))
    return go(HERE)


@post("/settings/passkeys/{credential_id:str}/remove", status_code=303, include_in_schema=False)
async def drop_passkey(
    request: Caller, tx: NamedDependency[Transaction], credential_id: FromPath[str]
) -> Page | Redirect:
    """The last one stays: somebody without a key could approve nothing of consequence."""
    visit = await _entered_lately(request, tx)
    try:
        async with tx.savepoint():
            await remove_passkey(tx, visit.founder.id, credential_id)
    except LastKey as refusal:
        return await _keys(visit, problem=visit.refused(refusal))
    return go(HERE)


@post("/settings/devices", status_code=200, include_in_schema=False)
async def add_device(request: Caller, tx: NamedDependency[Transaction]) -> Page:
    """A one-time link, as a QR code too, with which another device of this founder makes its own passkey.

    A browser that came in by a recovery code cannot hand on what it does not have itself.
    """
    visit = await _entered_lately(request, tx)
    if await _recovered(visit):
        return await _keys(visit, problem=visit.words("device.recovered"))
    path = await create_enrolment(tx, visit.founder.id, ttl_seconds=DEVICE_LINK_SECONDS)
    return await _keys(visit, link=request.app.state.settings.origin + path)


@post("/settings/sessions/{ref:str}/end", status_code=303, include_in_schema=False)
async def end_session(request: Caller, tx: NamedDependency[Transaction], ref: FromPath[str]) -> Redirect:
    founder = (await enter(request, tx)).founder
    for session in await store.fetch_sessions(tx, founder.id):
        if session.ref == ref:
            await store.revoke_session(tx, session.token_sha256)
    return go(HERE)


@post("/settings/sessions/end-others", status_code=303, include_in_schema=False)
async def end_other_sessions(request: Caller, tx: NamedDependency[Transaction]) -> Redirect:
    visit = await enter(request, tx)
    for session in await store.fetch_sessions(tx, visit.founder.id):
        if session.ref != visit.by.jti:
            await store.revoke_session(tx, session.token_sha256)
    return go(HERE)


@post("/settings/codes", status_code=200, include_in_schema=False)
async def new_codes(request: Caller, tx: NamedDependency[Transaction]) -> Page:
    """New recovery codes, shown this once."""
    visit = await _entered_lately(request, tx)
    return await _keys(visit, codes=await renew_codes(tx, visit.founder.id))


ROUTES = (
    keys,
    passkey_options,
    add_passkey,
    rename_passkey,
    drop_passkey,
    add_device,
    end_session,
    end_other_sessions,
    new_codes,
)

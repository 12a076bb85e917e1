"""Settings: language and theme, keys, signed-in devices, notifications, recovery codes."""

from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, JSONBody
from litestar.response import Redirect

from app.canon.addresses import mail_of
from app.founder_console import store
from app.founder_console.enrolment import renew_codes
from app.founder_console.keyfiles import vapid_public_key
from app.founder_console.model import Preferences
from app.founder_console.passkeys import RelyingParty, register_passkey, registration_options, remove_passkey
from app.founder_console.push import Bell, reachable
from app.founder_console.ringing import send_note
from app.founder_console.sessions import cookie_header, read_cookie
from app.founder_console.visits import Caller, Visit, enter, go
from app.governance_ledger import Event, append
from app.postgres import Transaction

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
LANGUAGES = ("id", "en")
THEMES = ("auto", "light", "dark")


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A browser's answer to a registration: `PublicKeyCredential.toJSON()`."""

    credential: dict[str, Any]
    label: str = ""


class Next(msgspec.Struct, frozen=True):
    """Where to go now."""

    next: str


@get("/settings", include_in_schema=False)
async def settings(request: Caller, tx: NamedDependency[Transaction]) -> Page:
    return await _settings(await enter(request, tx))


async def _settings(visit: Visit, codes: tuple[str, ...] = (), problem: str = "") -> Page:
    tx, founder = visit.tx, visit.founder
    state = visit.request.app.state
    subscriptions = await store.fetch_subscriptions(tx, founder.id)
    mine = visit.by.jti
    return visit.page(
        "settings.html",
        status=422 if problem else 200,
        title=visit.words("settings"),
        problem=problem,
        email=founder.email,
        mails=state.settings.smtp_url is not None,
        codes=codes,
        vapid_key=vapid_public_key(state.settings.keys),
        subscriptions=[_told(one) for one in subscriptions],
        hide_amounts=founder.hide_amounts,
        passkeys=await store.fetch_passkeys(tx, founder.id),
        device_keys=await store.fetch_device_keys(tx, founder.id),
        sessions=[
            {"ref": one.ref, "label": one.label, "seen_at": one.seen_at, "current": one.ref == mine}
            for one in await store.fetch_sessions(tx, founder.id)
        ],
        codes_left=await store.count_codes(tx, founder.id),
    )


def _told(subscription: Any) -> dict[str, object]:
    return {
        "host": urlsplit(subscription.endpoint).hostname or "",
        "problem": subscription.problem,
        "last_sent_at": subscription.last_sent_at,
        "last_receipt_at": subscription.last_receipt_at,
    }


@post("/settings", status_code=303, include_in_schema=False)
async def save_settings(request: Caller, tx: NamedDependency[Transaction], data: Form) -> Page | Redirect:
    visit = await enter(request, tx)
    founder, language, theme = visit.founder, data.get("language"), data.get("theme")
    given = str(data.get("email") or "").strip()
    email = mail_of(given) if given else ""
    if email is None:
        return await _settings(visit, problem=visit.words("settings.problem.email", value=given))
    wanted = Preferences(
        language if language in LANGUAGES else founder.language,
        theme if theme in THEMES else founder.theme,
        bool(data.get("hide_amounts")),
        email,
    )
    await store.update_preferences(tx, founder.id, wanted)
    if email != founder.email:
        said = {"founder_id": str(founder.id), "channel": "email", "on": bool(email)}
        await append(tx, Event(type="founder.channel_set", actor=visit.by.actor, data=said))
    return go("/settings")


@post("/settings/passkeys/options", status_code=200, include_in_schema=False)
async def passkey_options(request: Caller, tx: NamedDependency[Transaction]) -> dict[str, Any]:
    visit = await enter(request, tx)
    party = RelyingParty(request.app.state.settings.origin)
    return await registration_options(tx, party, visit.founder, subject="settings")


@post("/settings/passkeys", status_code=201, include_in_schema=False)
async def add_passkey(request: Caller, tx: NamedDependency[Transaction], data: JSONBody[NewKey]) -> Next:
    """One more passkey. In a browser that came in by a recovery code it cannot sign decisions before the next day."""
    visit = await enter(request, tx)
    await register_passkey(
        tx,
        RelyingParty(request.app.state.settings.origin),
        visit.founder,
        subject="settings",
        credential=data.credential,
        label=data.label,
        recovered=await _recovered(visit),
    )
    return Next("/settings")


async def _recovered(visit: Visit) -> bool:
    found = read_cookie(visit.request)
    session = await store.fetch_session(visit.tx, found[1]) if found else None
    return session is not None and session.recovered


@post("/settings/passkeys/{credential_id:str}/remove", status_code=303, include_in_schema=False)
async def drop_passkey(request: Caller, tx: NamedDependency[Transaction], credential_id: FromPath[str]) -> Redirect:
    await remove_passkey(tx, (await enter(request, tx)).founder.id, credential_id)
    return go("/settings")


@post("/settings/sessions/{ref:str}/end", status_code=303, include_in_schema=False)
async def end_session(request: Caller, tx: NamedDependency[Transaction], ref: FromPath[str]) -> Redirect:
    founder = (await enter(request, tx)).founder
    for session in await store.fetch_sessions(tx, founder.id):
        if session.ref == ref:
            await store.revoke_session(tx, session.token_sha256)
    return go("/settings")


@post("/settings/codes", status_code=200, include_in_schema=False)
async def new_codes(request: Caller, tx: NamedDependency[Transaction]) -> Page:
    """New recovery codes, shown this once."""
    visit = await enter(request, tx)
    return await _settings(visit, await renew_codes(tx, visit.founder.id))


@post("/settings/push/test", status_code=303, include_in_schema=False)
async def test_push(request: Caller) -> Redirect:
    """Ring this founder's own browsers once. No transaction is open while the push service is asked."""
    state, tenant = request.app.state, request.auth.tid
    async with state.database.transaction(tenant) as tx:
        visit = await enter(request, tx)
        found = await store.fetch_subscriptions(tx, visit.founder.id)
    for subscription in reachable(found, state.settings.push_allow_hosts):
        note = Bell(visit.founder, visit.words, visit.formats, state.settings.origin, len(visit.cards)).trial()
        await send_note(state.database, state.push, tenant, subscription, note)
    return go("/settings")


@post("/logout", status_code=303, include_in_schema=False)
async def log_out(request: Caller, tx: NamedDependency[Transaction]) -> Redirect:
    """End the session; what the browser kept of the company goes too."""
    found = read_cookie(request)
    if found is not None:
        await store.revoke_session(tx, found[1])
    answer = go("/login")
    answer.headers["set-cookie"] = cookie_header(request.app.state.settings.origin, "", max_age=0)
    answer.headers["clear-site-data"] = '"cache", "storage"'
    return answer


ROUTES = (
    settings,
    save_settings,
    passkey_options,
    add_passkey,
    drop_passkey,
    end_session,
    new_codes,
    test_push,
    log_out,
)

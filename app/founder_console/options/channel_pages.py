"""Notifications: push, what a lock screen may show, quiet hours, and the second channels with a trial each."""

import os
from datetime import time
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, FromQuery
from litestar.response import Redirect

from app.canon.addresses import mail_of
from app.canon.errors import Invalid
from app.canon.notice import Channel, Notice, NoticeFailed
from app.canon.signed_posts import SECRET_BYTES, AddressRefused, check_address, secret_text
from app.canon.vocabulary import new_id
from app.founder_console import store
from app.founder_console.channels import channel_store
from app.founder_console.channels.attempts import Call, note_attempts
from app.founder_console.channels.push import Bell, reachable
from app.founder_console.channels.reaching import Reach, reach_of
from app.founder_console.channels.ringing import make_calls
from app.founder_console.channels.senders import Senders, post_signed
from app.founder_console.desk import pairing_code
from app.founder_console.formats import DAYS
from app.founder_console.identity.sessions import check_lately
from app.founder_console.keyfiles import vapid_public_key
from app.founder_console.model import EVERY_DAY, Subscription
from app.founder_console.options.preferences import preferred_by
from app.founder_console.screens.qr import qr_path
from app.founder_console.visits import Caller, Visit, enter, go
from app.governance_ledger import Event, append
from app.postgres import Transaction

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
HERE = "/settings/notifications"
ZONES = (
    "Asia/Jakarta",
    "Asia/Makassar",
    "Asia/Jayapura",
    "Asia/Singapore",
    "Asia/Kuala_Lumpur",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Asia/Dubai",
    "Europe/Amsterdam",
    "Europe/London",
    "America/New_York",
    "America/Los_Angeles",
    "UTC",
)


class Extra(msgspec.Struct, frozen=True, kw_only=True):
    """What one answer shows beside the settings."""

    problem: str = ""
    done: FromQuery[str] = ""
    pairing: str = ""
    secret: str = ""


@get("/settings/notifications", include_in_schema=False)
async def notifications(request: Caller, tx: NamedDependency[Transaction], done: FromQuery[str] = "") -> Page:
    visit = await enter(request, tx)
    told = visit.words(f"channel.done.{done}") if visit.words.has(f"channel.done.{done}") else ""
    return await _page(visit, Extra(done=told))


async def _page(visit: Visit, extra: Extra) -> Page:
    tx, founder, state = visit.tx, visit.founder, visit.request.app.state
    reach = await reach_of(tx)
    newest = {one.channel: one for one in await channel_store.fetch_newest_notices(tx, founder.id)}
    chat, webhook = reach.chats.get(founder.id), reach.webhooks.get(founder.id)
    subscriptions = await store.fetch_subscriptions(tx, founder.id)
    return visit.page(
        "settings_notifications.html",
        status=422 if extra.problem else 200,
        title=visit.words("settings.push"),
        extra=extra,
        qr=qr_path(extra.pairing) if extra.pairing else None,
        f=founder,
        weekdays=list(enumerate(DAYS[founder.language], start=1)),
        zones=sorted({*ZONES, founder.time_zone} - {""}, key=lambda zone: (zone not in ZONES, zone)),
        vapid_key=vapid_public_key(state.settings.keys),
        subscriptions=[_told(one) for one in subscriptions],
        mails=state.settings.smtp_url is not None,
        bot=state.senders.chats is not None,
        chat=chat,
        webhook=webhook,
        newest=newest,
    )


def _told(subscription: Subscription) -> dict[str, object]:
    return {
        "host": urlsplit(subscription.endpoint).hostname or "",
        "problem": subscription.problem,
        "last_sent_at": subscription.last_sent_at,
        "last_receipt_at": subscription.last_receipt_at,
    }


@post("/settings/notifications", status_code=303, include_in_schema=False)
async def save_notifications(request: Caller, tx: NamedDependency[Transaction], data: Form) -> Page | Redirect:
    visit = await enter(request, tx)
    founder = visit.founder
    try:
        wanted = preferred_by(founder, **_chosen(visit, data))
    except Invalid as refusal:
        return await _page(visit, Extra(problem=visit.refused(refusal)))
    await store.update_preferences(tx, founder.id, wanted)
    if wanted.email != founder.email:
        await _record(visit, "email", on=bool(wanted.email))
    return go(f"{HERE}?done=saved")


def _chosen(visit: Visit, data: dict[str, Any]) -> dict[str, Any]:
    """Raises `Invalid` with a sentence in the founder's language."""
    given = str(data.get("email") or "").strip()
    email = mail_of(given) if given else ""
    if email is None:
        raise Invalid(visit.words("settings.problem.email", value=given))
    zone = str(data.get("time_zone") or "")
    start, end = _clock(visit, data.get("quiet_from")), _clock(visit, data.get("quiet_to"))
    quiet = bool(data.get("quiet"))
    if quiet and (start is None or end is None or start == end):
        raise Invalid(visit.words("quiet.problem"))
    return {
        "email": email,
        "hide_amounts": bool(data.get("hide_amounts")),
        "time_zone": zone if zone in available_timezones() else "",
        "quiet_from": start if quiet else None,
        "quiet_to": end if quiet else None,
        "quiet_urgent": bool(data.get("quiet_urgent")),
        **_brief(visit, data),
    }


def _brief(visit: Visit, data: dict[str, Any]) -> dict[str, Any]:
    """When the brief comes by itself. Raises `Invalid`."""
    at, wanted = _clock(visit, data.get("brief_at")), bool(data.get("brief"))
    given = data.get("brief_days")
    names = given if isinstance(given, list) else [given]
    days = tuple(day for day in EVERY_DAY if str(day) in names)
    if wanted and (at is None or not days):
        raise Invalid(visit.words("brief.problem"))
    return {
        "brief_at": at if wanted else None,
        "brief_days": days or EVERY_DAY,
        "brief_letters": bool(data.get("brief_letters")),
    }


def _clock(visit: Visit, text: object) -> time | None:
    try:
        return time.fromisoformat(str(text)) if text else None
    except ValueError:
        raise Invalid(visit.words("quiet.problem")) from None


async def _record(visit: Visit, channel: Channel, *, on: bool) -> None:
    said: dict[str, object] = {"founder_id": str(visit.founder.id), "channel": channel, "on": on}
    await append(visit.tx, Event(type="founder.channel_set", actor=visit.by.actor, data=said))


@post("/settings/telegram/pair", status_code=200, include_in_schema=False)
async def pair_telegram(request: Caller) -> Page:
    """A link that opens the bot with a one-time code. The bot's name is asked before a transaction is open."""
    state = request.app.state
    senders: Senders = state.senders
    name, failed = "", NoticeFailed("no bot is set up", code="channel.no_bot")
    try:
        name = "" if senders.chats is None else await senders.chats.name()
    except NoticeFailed as error:
        failed = error
    async with state.database.transaction(request.auth.tid) as tx:
        await check_lately(request, tx, HERE)
        visit = await enter(request, tx)
        if not name:
            return await _page(visit, Extra(problem=visit.refused(failed)))
        code = await pairing_code(tx, visit.founder.id)
        return await _page(visit, Extra(pairing=f"https://t.me/{name}?start={code}"))


@post("/settings/telegram/unpair", status_code=303, include_in_schema=False)
async def unpair_telegram(request: Caller, tx: NamedDependency[Transaction]) -> Redirect:
    visit = await enter(request, tx)
    if await channel_store.unpair_chat(tx, visit.founder.id):
        await _record(visit, "telegram", on=False)
    return go(HERE)


@post("/settings/webhook", status_code=200, include_in_schema=False)
async def set_webhook(request: Caller, tx: NamedDependency[Transaction], data: Form) -> Page:
    """Where this founder's own system is told; the secret is shown this once."""
    visit = await enter(request, tx)
    url = str(data.get("url") or "").strip()
    try:
        check_address(url, request.app.state.settings.http_allow_private)
    except AddressRefused as refusal:
        return await _page(visit, Extra(problem=visit.refused(refusal)))
    secret = os.urandom(SECRET_BYTES)
    await channel_store.keep_webhook(tx, visit.founder.id, url, secret)
    await _record(visit, "webhook", on=True)
    return await _page(visit, Extra(secret=secret_text(secret)))


@post("/settings/webhook/remove", status_code=303, include_in_schema=False)
async def remove_webhook(request: Caller, tx: NamedDependency[Transaction]) -> Redirect:
    visit = await enter(request, tx)
    if await channel_store.drop_webhook(tx, visit.founder.id):
        await _record(visit, "webhook", on=False)
    return go(HERE)


@post("/settings/push/test", status_code=303, include_in_schema=False)
async def test_push(request: Caller) -> Redirect:
    """Ring this founder's own browsers once. No transaction is open while the push service is asked."""
    state, tenant = request.app.state, request.auth.tid
    async with state.database.transaction(tenant) as tx:
        visit = await enter(request, tx)
        found = await store.fetch_subscriptions(tx, visit.founder.id)
        bell = Bell(visit.founder, visit.words, visit.formats, state.settings.origin, len(visit.cards))
        calls = [Call(one, bell.trial()) for one in reachable(found, state.settings.push_allow_hosts)]
        await note_attempts(tx, calls)
    await make_calls(state.database, state.push, tenant, calls)
    return go(HERE)


@post("/settings/channels/{channel:str}/test", status_code=303, include_in_schema=False)
async def test_channel(request: Caller, channel: FromPath[str]) -> Page | Redirect:
    """Say once on this channel that it works; what went wrong is shown. Nothing is open while it is said."""
    state, tenant = request.app.state, request.auth.tid
    async with state.database.transaction(tenant) as tx:
        visit = await enter(request, tx)
        reach = await reach_of(tx)
    notice_id, problem = new_id(), ""
    try:
        await _say(visit, channel, reach, state.senders)
    except NoticeFailed as error:
        problem = visit.refused(error)
    async with state.database.transaction(tenant) as tx:
        for known in reach.channels(visit.founder):
            if known == channel:
                await channel_store.insert_notice(tx, notice_id, visit.founder.id, known)
                await _settle(tx, notice_id, problem)
        if problem:
            return await _page(await enter(request, tx), Extra(problem=problem))
    return go(f"{HERE}?done=sent")


async def _settle(tx: Transaction, notice_id: Any, problem: str) -> None:
    if problem:
        await channel_store.notice_failed(tx, notice_id, problem)
    else:
        await channel_store.notice_sent(tx, notice_id, "")


async def _say(visit: Visit, channel: str, reach: Reach, senders: Senders) -> None:
    """Raises `NoticeFailed`."""
    founder, words = visit.founder, visit.words
    chat, webhook = reach.chats.get(founder.id), reach.webhooks.get(founder.id)
    if channel == "email" and founder.email:
        letter = Notice(f"trial:{new_id()}", founder.email, words("channel.trial_title"), words("channel.trial"))
        await senders.letters.send(letter)
    elif channel == "telegram" and chat is not None and senders.chats is not None:
        await senders.chats.say(chat.chat_id, words("channel.trial"))
    elif channel == "webhook" and webhook is not None:
        await post_signed(senders.posts, webhook, new_id(), {"type": "trial"}, visit.formats)
    else:
        raise NoticeFailed(f"{channel} is not set up", code="channel.unset")


ROUTES = (
    notifications,
    save_notifications,
    pair_telegram,
    unpair_telegram,
    set_webhook,
    remove_webhook,
    test_push,
    test_channel,
)

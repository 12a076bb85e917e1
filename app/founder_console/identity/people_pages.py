"""Who else decides: deputies with a signed, narrower mandate and an end, second founders; invited by a link."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from litestar.response import Redirect

from app.auth import require
from app.canon.errors import Conflict, Invalid
from app.canon.mandate import DELEGABLE, Mandate
from app.canon.vocabulary import Money, Rol, Tier
from app.canon.written import minor_digits
from app.founder_console import store
from app.founder_console.formats import Formats
from app.founder_console.identity.enrolment import create_enrolment, create_founder, get_founder
from app.founder_console.model import Founder, Language
from app.founder_console.screens.qr import qr_path
from app.founder_console.visits import Caller, Visit, enter, go
from app.founder_console.wording import LANGUAGES, Words
from app.postgres import Transaction
from app.work_queue import GrantedMandate, end_mandate, mandate_of, propose_mandate

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
HERE = "/settings/people"
DAYS = (7, 14, 30, 90)
LARGEST = 10**15


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the page. `state`: active, invited (no key yet), unsigned, over."""

    id: UUID
    name: str
    rol: Rol
    me: bool
    state: str
    sentences: tuple[str, ...]
    ends_at: datetime | None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The form as typed."""

    name: str = ""
    language: Language = "id"
    rol: str = "deputy"
    high: bool = False
    kinds: tuple[str, ...] = DELEGABLE
    roles: tuple[str, ...] = ()
    cap: str = ""
    days: int = 14


@get("/settings/people", include_in_schema=False)
async def people(request: Caller, tx: NamedDependency[Transaction]) -> Page:
    return await _people(await enter(request, tx))


async def _people(visit: Visit, *, link: str = "", whose: str = "") -> Page:
    founders = await store.fetch_founders(visit.tx)
    return visit.page(
        "settings_people.html",
        title=visit.words("settings.people"),
        people=[await _person(visit, one) for one in founders],
        rules=visit.founder.rol is Rol.FOUNDER,
        link=link,
        whose=whose,
        qr=qr_path(link) if link else None,
    )


async def _person(visit: Visit, founder: Founder) -> Person:
    mandate = await mandate_of(visit.tx, founder.id)
    keys = await store.fetch_passkeys(visit.tx, founder.id)
    terms = None if mandate is None else mandate.terms
    return Person(
        id=founder.id,
        name=founder.name,
        rol=founder.rol,
        me=founder.id == visit.founder.id,
        state=_state(founder, mandate, bool(keys), visit.formats.now),
        sentences=() if terms is None else sentences(terms, visit.words, visit.formats, visit.naming.worker),
        ends_at=None if terms is None else terms.ends_at,
    )


def _state(founder: Founder, mandate: GrantedMandate | None, has_key: bool, now: datetime) -> str:
    if founder.rol is Rol.DEPUTY and mandate is not None and not mandate.in_force(now):
        return "over"
    if has_key and (founder.rol is Rol.FOUNDER or mandate is not None):
        return "active"
    return "over" if has_key else "unsigned" if mandate is None else "invited"


def sentences(terms: Mandate, words: Words, formats: Formats, worker: Any) -> tuple[str, ...]:
    """What the mandate allows, a sentence for each bound."""
    if terms.rol == "founder":
        return (words("mandate.whole"),)
    kinds = ", ".join(words(f"mandate.kind.{kind}") for kind in terms.kinds)
    roles = ", ".join(worker(role) or role for role in terms.roles)
    return (
        words("mandate.kinds", kinds=kinds),
        words("mandate.tier.R2" if Tier.R2 in terms.tiers else "mandate.tier.R1"),
        words("mandate.roles", roles=roles) if roles else words("mandate.roles_all"),
        words("mandate.cap", amount=formats.money(terms.cap)) if terms.cap else words("mandate.cap_none"),
    )


@get("/settings/people/new", include_in_schema=False)
async def invite_form(request: Caller, tx: NamedDependency[Transaction]) -> Page:
    return _form(await enter(request, tx), Wanted())


def _form(visit: Visit, wanted: Wanted, problem: str = "") -> Page:
    require(visit.by, Rol.FOUNDER)
    active = [role for role in visit.roles if role.status in ("active", "paused")]
    return visit.page(
        "settings_invite.html",
        status=422 if problem else 200,
        title=visit.words("people.invite"),
        problem=problem,
        form=wanted,
        kinds=DELEGABLE,
        days=DAYS,
        workers=[{"id": str(role.id), "name": role.name, "job": visit.naming.job(role.id)} for role in active],
        currency=visit.company.currency,
    )


@post("/settings/people", status_code=303, include_in_schema=False)
async def invite(request: Caller, tx: NamedDependency[Transaction], data: Form) -> Page | Redirect:
    """Make the person, without keys or rights, and ask for the founder's signature under the mandate."""
    visit = await enter(request, tx)
    require(visit.by, Rol.FOUNDER)
    wanted = _wanted(data)
    try:
        async with tx.savepoint():
            person = await _new_person(visit, wanted)
            terms = _terms(visit, wanted, person)
            asked = await propose_mandate(
                tx, terms, text=_texts(visit, terms), by=visit.by, undo_seconds=request.app.state.settings.undo_seconds
            )
    except Invalid as refusal:
        return _form(visit, wanted, str(refusal))
    return go(f"/approvals/{asked.id}")


def _wanted(data: dict[str, Any]) -> Wanted:
    days, kinds, roles = str(data.get("days") or ""), data.get("kinds"), data.get("roles")
    return Wanted(
        name=" ".join(str(data.get("name") or "").split())[:80],
        language="en" if data.get("language") == "en" else "id",
        rol="founder" if data.get("rol") == "founder" else "deputy",
        high=bool(data.get("high")),
        kinds=tuple(kind for kind in DELEGABLE if kind in _several(kinds)),
        roles=tuple(_several(roles)),
        cap=str(data.get("cap") or "").strip(),
        days=int(days) if days.isdigit() and int(days) in DAYS else 14,
    )


def _several(given: object) -> list[str]:
    return [str(one) for one in given] if isinstance(given, list) else [str(given)] if given else []


async def _new_person(visit: Visit, wanted: Wanted) -> Founder:
    if not wanted.name:
        raise Invalid(visit.words("people.problem.name"))
    if any(one.name.casefold() == wanted.name.casefold() for one in await store.fetch_founders(visit.tx)):
        raise Invalid(visit.words("people.problem.known", name=wanted.name))
    rol = Rol.FOUNDER if wanted.rol == "founder" else Rol.DEPUTY
    return await create_founder(visit.tx, name=wanted.name, language=wanted.language, rol=rol)


def _terms(visit: Visit, wanted: Wanted, person: Founder) -> Mandate:
    if wanted.rol == "founder":
        return Mandate(person=str(person.id), name=person.name, rol="founder")
    if not wanted.kinds:
        raise Invalid(visit.words("people.problem.kinds"))
    known = {str(role.id) for role in visit.roles}
    return Mandate(
        person=str(person.id),
        name=person.name,
        tiers=(Tier.R1, Tier.R2) if wanted.high else (Tier.R1,),
        kinds=tuple(kind for kind in DELEGABLE if kind in wanted.kinds),
        roles=tuple(role for role in wanted.roles if role in known),
        cap=_cap(visit, wanted.cap),
        ends_at=_evening(visit, wanted.days),
    )


def _cap(visit: Visit, text: str) -> Money | None:
    """Whole major units of the company's currency; nothing for no money at all."""
    digits = text.replace(".", "").replace(",", "").replace(" ", "")
    if not digits or digits == "0":
        return None
    if not digits.isascii() or not digits.isdigit() or int(digits) > LARGEST:
        raise Invalid(visit.words("hire.problem.amount", value=text))
    currency = visit.company.currency
    return Money(int(digits) * int(10 ** minor_digits(currency)), currency)


def _evening(visit: Visit, days: int) -> datetime:
    """The end of that day, where the company is."""
    last = visit.formats.now + timedelta(days=days)
    return last.replace(hour=23, minute=59, second=59, microsecond=0)


def _texts(visit: Visit, terms: Mandate) -> dict[str, str]:
    """The sentence that is signed, in both languages."""
    texts: dict[str, str] = {}
    for language in LANGUAGES:
        words = visit.frontend.words[language]
        formats = Formats(language, visit.formats.zone, visit.formats.now)
        if terms.rol == "founder" or terms.ends_at is None:
            texts[language] = words("mandate.ask_founder", name=terms.name)
            continue
        bounds = " ".join(sentences(terms, words, formats, visit.naming.worker))
        texts[language] = words("mandate.ask", name=terms.name, until=formats.exactly(terms.ends_at), bounds=bounds)
    return texts


@post("/settings/people/{person_id:uuid}/link", status_code=200, include_in_schema=False)
async def invitation_link(request: Caller, tx: NamedDependency[Transaction], person_id: FromPath[UUID]) -> Page:
    """The one-time link of somebody whose mandate is signed. Raises `Conflict` before it is."""
    visit = await enter(request, tx)
    require(visit.by, Rol.FOUNDER)
    person, mandate = await get_founder(tx, person_id), await mandate_of(tx, person_id)
    if mandate is None or not mandate.in_force(visit.formats.now):
        raise Conflict(visit.words("people.not_signed"))
    path = await create_enrolment(tx, person.id)
    return await _people(visit, link=request.app.state.settings.origin + path, whose=person.name)


@post("/settings/people/{person_id:uuid}/end", status_code=303, include_in_schema=False)
async def end(request: Caller, tx: NamedDependency[Transaction], person_id: FromPath[UUID]) -> Redirect:
    """End a deputy's mandate now, and every session of theirs with it."""
    visit = await enter(request, tx)
    await end_mandate(tx, person_id, by=visit.by)
    for session in await store.fetch_sessions(tx, person_id):
        await store.revoke_session(tx, session.token_sha256)
    return go(HERE)


ROUTES = (people, invite_form, invite, invitation_link, end)

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
from app.canon.errors import Conflict, Invalid, NotFound
from app.canon.mandate import DELEGABLE
from app.canon.quorum_words import quorum_sentences
from app.canon.vocabulary import Principal, Rol
from app.founder_console import store
from app.founder_console.identity.enrolment import create_enrolment, create_founder, get_founder
from app.founder_console.identity.mandate_forms import (
    DAYS,
    Wanted,
    as_wanted,
    asked_texts,
    mandate_for,
    sentences,
    wanted_of,
)
from app.founder_console.identity.sessions import check_lately
from app.founder_console.model import Founder
from app.founder_console.screens.qr import qr_path
from app.founder_console.visits import Caller, Visit, enter, go
from app.postgres import Transaction
from app.work_queue import (
    GrantedMandate,
    company_quorum,
    end_mandate,
    has_say,
    mandate_of,
    propose_mandate,
    too_few_without,
)

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
HERE = "/settings/people"
LONGEST_MANDATE = timedelta(days=365)


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the page. `state`: active, invited (no key yet), unsigned, over."""

    id: UUID
    name: str
    rol: Rol
    me: bool
    state: str
    sentences: tuple[str, ...]
    ends_at: datetime | None


@get("/settings/people", include_in_schema=False)
async def people(request: Caller, tx: NamedDependency[Transaction]) -> Page:
    return await _people(await enter(request, tx))


async def _people(visit: Visit, *, link: str = "", whose: str = "", needed: UUID | None = None) -> Page:
    founders = await store.fetch_founders(visit.tx)
    return visit.page(
        "settings_people.html",
        status=200 if needed is None else 409,
        title=visit.words("settings.people"),
        people=[await _person(visit, one) for one in founders],
        rules=visit.founder.rol is Rol.FOUNDER,
        link=link,
        whose=whose,
        needed=needed,
        quorum=quorum_sentences(await company_quorum(visit.tx), visit.words.language),
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
        state=await _state(visit, founder, mandate, bool(keys)),
        sentences=() if terms is None else sentences(terms, visit.words, visit.formats, visit.naming.worker),
        ends_at=None if terms is None else terms.ends_at,
    )


async def _state(visit: Visit, founder: Founder, mandate: GrantedMandate | None, has_key: bool) -> str:
    if mandate is not None and not mandate.in_force(visit.formats.now):
        return "over"
    if has_key:
        has_one = await has_say(visit.tx, Principal(str(founder.id), visit.tx.tenant, founder.rol))
        return "active" if has_one else "over"
    return "unsigned" if mandate is None else "invited"


@get("/settings/people/new", include_in_schema=False)
async def invite_form(request: Caller, tx: NamedDependency[Transaction]) -> Page:
    return _form(await enter(request, tx), Wanted())


def _form(visit: Visit, wanted: Wanted, problem: str = "") -> Page:
    require(visit.by, Rol.FOUNDER)
    return visit.page(
        "settings_invite.html",
        status=422 if problem else 200,
        title=visit.words("people.invite"),
        problem=problem,
        days=DAYS,
        **_choices(visit, wanted),
    )


def _choices(visit: Visit, wanted: Wanted) -> dict[str, Any]:
    active = [role for role in visit.roles if role.status in ("active", "paused")]
    workers = [{"id": str(role.id), "name": role.name, "job": visit.naming.job(role.id)} for role in active]
    return {"form": wanted, "kinds": DELEGABLE, "workers": workers, "currency": visit.company.currency}


@post("/settings/people", status_code=303, include_in_schema=False)
async def invite(request: Caller, tx: NamedDependency[Transaction], data: Form) -> Page | Redirect:
    """Make the person, without keys or rights, and ask for the founder's signature under the mandate."""
    visit = await enter(request, tx)
    require(visit.by, Rol.FOUNDER)
    wanted = wanted_of(data)
    try:
        async with tx.savepoint():
            person = await _new_person(visit, wanted)
            terms = mandate_for(visit, wanted, person)
            asked = await propose_mandate(
                tx,
                terms,
                text=asked_texts(visit, terms),
                by=visit.by,
                undo_seconds=request.app.state.settings.undo_seconds,
            )
    except Invalid as refusal:
        return _form(visit, wanted, visit.refused(refusal))
    return go(f"/approvals/{asked.id}")


async def _new_person(visit: Visit, wanted: Wanted) -> Founder:
    if not wanted.name:
        raise Invalid(visit.words("people.problem.name"))
    if any(one.name.casefold() == wanted.name.casefold() for one in await store.fetch_founders(visit.tx)):
        raise Invalid(visit.words("people.problem.known", name=wanted.name))
    rol = Rol.FOUNDER if wanted.rol == "founder" else Rol.DEPUTY
    return await create_founder(visit.tx, name=wanted.name, language=wanted.language, rol=rol)


@get("/settings/people/{person_id:uuid}/mandate", include_in_schema=False)
async def mandate_form(request: Caller, tx: NamedDependency[Transaction], person_id: FromPath[UUID]) -> Page:
    """A deputy's mandate, to be replaced by another."""
    visit = await enter(request, tx)
    person, standing = await _deputy(visit, person_id)
    return await _mandate_form(visit, person, standing, as_wanted(visit, standing.terms))


async def _deputy(visit: Visit, person_id: UUID) -> tuple[Founder, GrantedMandate]:
    require(visit.by, Rol.FOUNDER)
    person, standing = await get_founder(visit.tx, person_id), await mandate_of(visit.tx, person_id)
    if person.rol is not Rol.DEPUTY or standing is None:
        raise NotFound(f"{person.name} has no mandate to change", code="mandate.unknown")
    return person, standing


async def _mandate_form(
    visit: Visit, person: Founder, standing: GrantedMandate, wanted: Wanted, problem: str = ""
) -> Page:
    now = visit.formats.now
    return visit.page(
        "settings_mandate.html",
        status=422 if problem else 200,
        title=visit.words("mandate.change", name=person.name),
        problem=problem,
        person=await _person(visit, person),
        first=(now + timedelta(days=1)).date().isoformat(),
        last=(now + LONGEST_MANDATE).date().isoformat(),
        **_choices(visit, wanted),
    )


@post("/settings/people/{person_id:uuid}/mandate", status_code=303, include_in_schema=False)
async def change_mandate(
    request: Caller, tx: NamedDependency[Transaction], person_id: FromPath[UUID], data: Form
) -> Page | Redirect:
    """Ask for a signature under another mandate; the one in force stays so until then, and ends with it."""
    visit = await enter(request, tx)
    person, standing = await _deputy(visit, person_id)
    wanted = msgspec.structs.replace(wanted_of(data), name=person.name, rol="deputy")
    try:
        async with tx.savepoint():
            terms = mandate_for(visit, wanted, person)
            if terms == standing.terms:
                raise Invalid(visit.words("amend.same"))
            asked = await propose_mandate(
                tx,
                terms,
                text=asked_texts(visit, terms, replaces=standing.terms),
                by=visit.by,
                undo_seconds=request.app.state.settings.undo_seconds,
            )
    except Invalid as refusal:
        return await _mandate_form(visit, person, standing, wanted, visit.refused(refusal))
    return go(f"/approvals/{asked.id}")


@post("/settings/people/{person_id:uuid}/link", status_code=200, include_in_schema=False)
async def invitation_link(request: Caller, tx: NamedDependency[Transaction], person_id: FromPath[UUID]) -> Page:
    """The one-time link of somebody whose mandate is signed. Raises `Conflict` before it is, and for who has a passkey:
    nobody makes one for somebody else and then decides as both."""
    await check_lately(request, tx, HERE)
    visit = await enter(request, tx)
    require(visit.by, Rol.FOUNDER)
    person, mandate = await get_founder(tx, person_id), await mandate_of(tx, person_id)
    if mandate is None or not mandate.in_force(visit.formats.now):
        raise Conflict("the mandate is not signed or is over: sign it first", code="mandate.unsigned")
    if await store.fetch_passkeys(tx, person_id):
        raise Conflict(f"{person.name} has a passkey: nobody else makes one", code="key.has_one", name=person.name)
    path = await create_enrolment(tx, person.id)
    return await _people(visit, link=request.app.state.settings.origin + path, whose=person.name)


@post("/settings/people/{person_id:uuid}/end", status_code=303, include_in_schema=False)
async def end(
    request: Caller, tx: NamedDependency[Transaction], person_id: FromPath[UUID], data: Form
) -> Page | Redirect:
    """End a mandate now, and every session of theirs with it. Whom the quorum needs only on a second word."""
    visit = await enter(request, tx)
    if not data.get("anyway") and await too_few_without(tx, str(person_id)):
        return await _people(visit, needed=person_id)
    await end_mandate(tx, person_id, by=visit.by)
    for session in await store.fetch_sessions(tx, person_id):
        await store.revoke_session(tx, session.token_sha256)
    return go(HERE)


ROUTES = (people, invite_form, invite, mandate_form, change_mandate, invitation_link, end)

"""A mandate as a form: what a deputy may decide, about whom, up to how much, until when; and as sentences."""

from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from app.canon.digits import whole_number
from app.canon.errors import Invalid
from app.canon.mandate import DELEGABLE, Mandate
from app.canon.vocabulary import Money, Tier
from app.founder_console.amounts import amount_of
from app.founder_console.formats import Formats
from app.founder_console.model import Founder, Language
from app.founder_console.visits import Visit
from app.founder_console.wording import LANGUAGES, Words

DAYS = (7, 14, 30, 90)


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
    until: str = ""


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


def wanted_of(data: dict[str, Any]) -> Wanted:
    days, kinds, roles = whole_number(str(data.get("days") or "")), data.get("kinds"), data.get("roles")
    return Wanted(
        name=" ".join(str(data.get("name") or "").split())[:80],
        language="en" if data.get("language") == "en" else "id",
        rol="founder" if data.get("rol") == "founder" else "deputy",
        high=bool(data.get("high")),
        kinds=tuple(kind for kind in DELEGABLE if kind in _several(kinds)),
        roles=tuple(_several(roles)),
        cap=str(data.get("cap") or "").strip(),
        days=days if days in DAYS else 14,
        until=str(data.get("until") or ""),
    )


def _several(given: object) -> list[str]:
    return [str(one) for one in given] if isinstance(given, list) else [str(given)] if given else []


def mandate_for(visit: Visit, wanted: Wanted, person: Founder) -> Mandate:
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
        cap=limit_of(visit, wanted.cap),
        ends_at=_last_evening(visit, wanted),
    )


def limit_of(visit: Visit, text: str) -> Money | None:
    """An amount in the company's currency; nothing for no money at all. Raises `Invalid`."""
    minor = amount_of(text or "0", visit.company.currency)
    if minor is None or minor < 0:
        raise Invalid(visit.words("hire.problem.amount", value=text))
    return Money(minor, visit.company.currency) if minor else None


def _last_evening(visit: Visit, wanted: Wanted) -> datetime:
    """The end of the last day, where the company is. Raises `Invalid` for a date that is none."""
    if not wanted.until:
        return _evening(visit, (visit.formats.now + timedelta(days=wanted.days)).date())
    try:
        return _evening(visit, date.fromisoformat(wanted.until))
    except ValueError:
        raise Invalid(visit.words("people.problem.until")) from None


def _evening(visit: Visit, day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=visit.formats.zone)


def as_wanted(visit: Visit, terms: Mandate) -> Wanted:
    """A mandate in force as the form shows it."""
    cap = "" if terms.cap is None else visit.formats.amount_text(terms.cap)
    until = "" if terms.ends_at is None else visit.formats.local(terms.ends_at).date().isoformat()
    return Wanted(
        name=terms.name, high=Tier.R2 in terms.tiers, kinds=terms.kinds, roles=terms.roles, cap=cap, until=until
    )


def asked_texts(visit: Visit, terms: Mandate, *, replaces: Mandate | None = None) -> dict[str, str]:
    """The sentence that is signed, in both languages; it says what it takes the place of."""
    texts: dict[str, str] = {}
    for language in LANGUAGES:
        words = visit.frontend.words[language]
        formats = Formats(language, visit.formats.zone, visit.formats.now)
        if terms.rol == "founder" or terms.ends_at is None:
            texts[language] = words("mandate.ask_founder", name=terms.name)
            continue
        bounds = " ".join(sentences(terms, words, formats, visit.naming.worker))
        until = formats.exactly(terms.ends_at)
        if replaces is None or replaces.ends_at is None:
            texts[language] = words("mandate.ask", name=terms.name, until=until, bounds=bounds)
            continue
        before = formats.exactly(replaces.ends_at)
        texts[language] = words("mandate.ask_other", name=terms.name, until=until, before=before, bounds=bounds)
    return texts

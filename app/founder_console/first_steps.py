"""A new founder's first steps: a list that ticks itself, from the passkey to the first ticket."""

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.response import Redirect

from app.founder_console import store
from app.founder_console.channels import channel_store
from app.founder_console.visits import Caller, Visit, enter, go
from app.postgres import Transaction
from app.work_queue import list_approvals, list_tickets


class FirstStep(msgspec.Struct, frozen=True):
    """`name` is a key of the catalogues under `step.`; `waits` says that another step comes before."""

    name: str
    done: bool
    href: str
    waits: bool = False


async def first_steps(visit: Visit) -> tuple[FirstStep, ...]:
    """In their order; none for a founder who has put them away.

    Notifications are asked for once a card was seen: before that nobody knows what they are for.
    """
    tx, founder = visit.tx, visit.founder
    if founder.guided_at is not None:
        return ()
    hired = [role for role in visit.roles if role.status != "retired"]
    asked = (await list_approvals(tx, limit=50)).items
    seen = any(one.opened_at is not None or one.decided_at is not None for one in asked)
    phones = await store.fetch_subscriptions(tx, founder.id)
    return (
        FirstStep("passkey", bool(await store.fetch_passkeys(tx, founder.id)), "/settings/keys"),
        FirstStep("codes", bool(await store.count_codes(tx, founder.id)), "/settings/keys"),
        FirstStep("install", founder.installed_at is not None, "/settings/install"),
        FirstStep("hire", bool(hired), "/workers/new"),
        FirstStep("ticket", bool((await list_tickets(tx, limit=1)).items), "/tickets/new", waits=not hired),
        FirstStep("notify", bool(phones), "/settings/notifications", waits=not seen),
    )


@post("/first-steps/done", status_code=303, include_in_schema=False)
async def put_away(request: Caller, tx: NamedDependency[Transaction]) -> Redirect:
    visit = await enter(request, tx)
    await channel_store.note_guided(tx, visit.founder.id, visit.formats.now)
    return go("/")


@post("/first-steps/installed", status_code=204, include_in_schema=False)
async def installed(request: Caller, tx: NamedDependency[Transaction]) -> None:
    """The console was opened from the home screen."""
    await channel_store.note_installed(tx, (await enter(request, tx)).founder.id)


@get("/settings/install", include_in_schema=False)
async def how_to_install(request: Caller, tx: NamedDependency[Transaction]) -> Response[bytes]:
    visit = await enter(request, tx)
    return visit.page("settings_install.html", title=visit.words("install.title"))


@post("/first-steps/install", status_code=303, include_in_schema=False)
async def install_done(request: Caller, tx: NamedDependency[Transaction]) -> Redirect:
    """The founder says that it is on the home screen, or does without."""
    await channel_store.note_installed(tx, (await enter(request, tx)).founder.id)
    return go("/")


ROUTES = (put_away, installed, how_to_install, install_done)

"""Who decides within which bounds: a deputy within a mandate, everybody at a pace at which one can read."""

from datetime import datetime, timedelta
from uuid import UUID

from app.canon.approval import Decision
from app.canon.mandate import beyond
from app.canon.vocabulary import Principal, Rol
from app.postgres import Transaction
from app.work_queue import mandate_store, store
from app.work_queue.errors import BeyondMandate, TooManyDecisions
from app.work_queue.model import Approval, GrantedMandate

PACE = timedelta(minutes=2)
MOST_IN_PACE = 90


async def mandate_for(
    tx: Transaction, approval: Approval, decision: Decision, by: Principal, at: datetime
) -> GrantedMandate | None:
    """The mandate under which a deputy decides this; None for a founder. It stands until the transaction ends. Raises
    `BeyondMandate`."""
    person = _person_id(by)
    if person is not None:
        await mandate_store.hold(tx, person)
    if by.rol is not Rol.DEPUTY:
        await check_say(tx, by)
        return None
    found = None if person is None else await mandate_store.fetch(tx, person)
    if found is None or found.terms.rol != "deputy":
        raise BeyondMandate(None)
    role_id = str(approval.role_id) if approval.role_id else None
    limit = beyond(found.terms, tier=approval.tier, kind=approval.kind, role_id=role_id, money=approval.money, at=at)
    if limit is None and wants_founders(approval):
        limit = "founders"
    if limit is not None and (decision == "approve" or limit == "ended"):
        raise BeyondMandate(limit)
    return found


async def has_say(tx: Transaction, by: Principal) -> bool:
    """Whether somebody still decides here: a deputy while their mandate is in force, a founder unless what admitted
    them was ended. The founder whose company it is has no mandate, and needs none."""
    person = _person_id(by)
    if by.rol is not Rol.DEPUTY:
        return person is None or not await mandate_store.were_ended(tx, person)
    found = None if person is None else await mandate_store.fetch(tx, person)
    return found is not None and found.in_force(await store.now(tx))


async def check_say(tx: Transaction, by: Principal) -> None:
    """Raises `BeyondMandate` for somebody who decides here no more."""
    if not await has_say(tx, by):
        raise BeyondMandate("ended")


async def check_reach(tx: Transaction, approval: Approval, by: Principal) -> None:
    """Raises `BeyondMandate` for somebody who could not approve this."""
    await mandate_for(tx, approval, "approve", by, await store.now(tx))


def wants_founders(approval: Approval) -> bool:
    """The company's quorum, as it was signed with the question, counts founders only."""
    wanted = approval.payload.get("quorum")
    return isinstance(wanted, dict) and wanted.get("founders") is True


def _person_id(by: Principal) -> UUID | None:
    try:
        return UUID(by.sub)
    except ValueError:
        return None


async def keep_pace(tx: Transaction, by: Principal) -> None:
    """Hold up a hand that decides faster than anybody reads: 45 a minute on average,
    for who takes two seconds a card decides 30 of them. Raises `TooManyDecisions`."""
    since = await store.now(tx) - PACE
    if await store.count_hands(tx, by.actor, since) >= MOST_IN_PACE:
        raise TooManyDecisions("that is more than 45 decisions a minute: wait a moment, nothing was decided")

"""Climbing a role's ladder while nobody answers: second channel, deputy, founder, safe default.

What a rung asks for is recorded with it, in one transaction: the ledger says `approval.escalated`, whose id follows
from approval and step, and each person and channel has a notice of its own, told once (`channels`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import msgspec

from app.canon.contract import EscalationStep
from app.canon.errors import NotFound
from app.canon.notice import Channel
from app.canon.vocabulary import Rol
from app.founder_console import store
from app.founder_console.channels import channel_store
from app.founder_console.channels.push import still_open, tag_of
from app.founder_console.channels.reaching import reach_of
from app.founder_console.model import Founder
from app.governance_ledger import Event, RecordedEvent, append_new, read_event
from app.messages import ApprovalRaised, EscalationDue, NoticeDue
from app.postgres import Database, Transaction
from app.role_registry import get_role
from app.work_queue import Approval, get_approval, get_ticket, mandate_of, publish, withdraw

ONCE = UUID("b6f3d0f4-6c50-5d0a-9d43-7f1b9a0c55e1")
ACTOR = "system:escalation"
LAST_RUNG = 0.9


class Rung(msgspec.Struct, frozen=True):
    """What one step of a ladder comes to now: whom to tell where, and how many founders have heard the phone."""

    approval: Approval
    to: str
    notices: tuple[tuple[UUID, Channel], ...]
    heard: int


class Step(msgspec.Struct, frozen=True):
    """A step as the founder sees it: when it is due, and when it was taken."""

    to: str
    due_at: datetime
    taken_at: datetime | None = None
    told: int = 0


class Escalator:
    """Sets a ladder's alarms and takes its steps."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def on_approval_raised(self, message: ApprovalRaised) -> None:
        """Set an alarm for each step of the role's ladder."""
        async with self._database.transaction(message.tenant) as tx:
            approval, now = await get_approval(tx, message.approval_id), await store.now(tx)
            if not still_open(approval, now):
                return
            for place, step in enumerate(await _ladder(tx, approval)):
                await publish(
                    tx,
                    EscalationDue(message.tenant, approval.id, place),
                    after_seconds=max((step.due_at - now).total_seconds(), 0),
                    dedupe_key=f"escalate-{approval.id}-{place}",
                )

    async def on_escalation_due(self, message: EscalationDue) -> None:
        """Take the step, once, unless somebody has answered."""
        once = _event_id(message.approval_id, message.place)
        async with self._database.transaction(message.tenant) as tx:
            rung = await self._rung(tx, message, once)
            if rung is None:
                return
            for founder_id, channel in rung.notices:
                notice_id = uuid5(once, f"{founder_id}/{channel}")
                await channel_store.insert_notice(
                    tx, notice_id, founder_id, channel, rung.approval.id, rung.approval.version
                )
                await publish(tx, NoticeDue(message.tenant, notice_id), dedupe_key=f"notice-{notice_id}")
            if rung.to == "safe_default":
                reason = "Nobody answered in time; the safe default is not to do it."
                await withdraw(tx, rung.approval.id, reason, actor=ACTOR)
            await append_new(tx, _event(rung, message.place), once)

    async def _rung(self, tx: Transaction, message: EscalationDue, once: UUID) -> Rung | None:
        approval, now = await get_approval(tx, message.approval_id), await store.now(tx)
        ladder = await _ladder(tx, approval)
        if not still_open(approval, now) or approval.frozen_at is not None or message.place >= len(ladder):
            return None
        if await _recorded(tx, once) is not None:
            return None
        to = ladder[message.place].to
        heard = await channel_store.fetch_heard(tx, tag_of(approval.id)) if to == "second_channel" else frozenset()
        reach = await reach_of(tx)
        notices = tuple(
            (founder.id, channel)
            for founder in await _meant(tx, to, now)
            if founder.id not in heard
            for channel in reach.channels(founder)
        )
        return Rung(approval, to, notices, len(heard))


async def ladder_of(tx: Transaction, approval: Approval) -> tuple[Step, ...]:
    """The steps of the approval's ladder, those that were taken marked."""
    steps = []
    for place, step in enumerate(await _ladder(tx, approval)):
        event = await _recorded(tx, _event_id(approval.id, place))
        steps.append(step if event is None else _taken(step, event))
    return tuple(steps)


def _taken(step: Step, event: RecordedEvent) -> Step:
    told = event.data.get("told")
    return msgspec.structs.replace(step, taken_at=event.occurred_at, told=len(told) if isinstance(told, list) else 0)


def _event_id(approval_id: UUID, place: int) -> UUID:
    return uuid5(ONCE, f"{approval_id}/{place}")


async def _recorded(tx: Transaction, event_id: UUID) -> RecordedEvent | None:
    try:
        return await read_event(tx, event_id)
    except NotFound:
        return None


async def _meant(tx: Transaction, to: str, now: datetime) -> Sequence[Founder]:
    """Whom a step is for: founders, or the deputies whose mandate is in force."""
    if to == "safe_default":
        return ()
    founders = await store.fetch_founders(tx)
    if to != "deputy":
        return [one for one in founders if one.rol is Rol.FOUNDER]
    found = []
    for one in founders:
        mandate = await mandate_of(tx, one.id) if one.rol is Rol.DEPUTY else None
        if mandate is not None and mandate.in_force(now):
            found.append(one)
    return found


async def _ladder(tx: Transaction, approval: Approval) -> tuple[Step, ...]:
    """The ladder of the role that asks; what founders themselves have asked for has none.

    All of it lies before the question expires, and everybody is told before its ticket is due: a ladder that would
    reach beyond is climbed faster, each step in its share.
    """
    if approval.role_id is None or approval.kind in ("hire", "amend", "party", "mandate"):
        return ()
    terms = (await get_role(tx, approval.role_id)).terms
    ladder: tuple[EscalationStep, ...] = () if terms is None else terms.escalation.ladder
    if not ladder:
        return ()
    telling = tuple(step for step in ladder if step.to != "safe_default")
    whole = _pace(ladder, approval, approval.expires_at)
    told = min(whole, _pace(telling, approval, await _answer_by(tx, approval)))
    return tuple(
        Step(
            step.to,
            approval.raised_at + timedelta(seconds=step.after_seconds * (whole if step.to == "safe_default" else told)),
        )
        for step in ladder
    )


def _pace(ladder: Sequence[EscalationStep], approval: Approval, end: datetime) -> float:
    """How much of its own time each step may take so that the last one comes before `end`; 1 for all of it."""
    room = (end - approval.raised_at).total_seconds() * LAST_RUNG
    return min(1.0, room / max((step.after_seconds for step in ladder), default=1))


async def _answer_by(tx: Transaction, approval: Approval) -> datetime:
    """When the ticket is due that the question belongs to; the question's own end where that tells nothing."""
    ticket = None if approval.ticket_id is None else await get_ticket(tx, approval.ticket_id)
    due = None if ticket is None else ticket.due_at
    return approval.expires_at if due is None or due <= approval.raised_at else due


def _event(rung: Rung, place: int) -> Event:
    approval = rung.approval
    return Event(
        type="approval.escalated",
        actor=ACTOR,
        subjects=(f"work_queue.approvals/{approval.id}",),
        ticket_id=approval.ticket_id,
        run_id=approval.run_id,
        step=approval.step,
        data={
            "approval_id": str(approval.id),
            "place": place,
            "to": rung.to,
            "told": sorted({str(founder_id) for founder_id, _ in rung.notices}),
            "heard": rung.heard,
            "channels": sorted({channel for _, channel in rung.notices}),
        },
    )

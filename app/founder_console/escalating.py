"""Climbing a role's ladder while nobody answers: second channel, deputy, founder, safe default.

Read in one transaction, write letters in none, record in another. What was told stands in the ledger as
`approval.escalated`; its id follows from approval and step, so a step is recorded once, however often it is delivered.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import msgspec

from app.canon.contract import EscalationStep
from app.canon.errors import NotFound
from app.canon.notice import Notice, NoticeFailed, NoticeSender
from app.canon.vocabulary import Rol
from app.founder_console import store
from app.founder_console.formats import Formats
from app.founder_console.model import Founder, Language
from app.founder_console.push import still_open, tag_of
from app.founder_console.wording import Words
from app.governance_ledger import Event, append_new, read_event
from app.messages import ApprovalRaised, EscalationDue
from app.postgres import Database, Transaction
from app.role_registry import company, get_role
from app.settings import Settings
from app.work_queue import Approval, get_approval, publish, withdraw

ONCE = UUID("b6f3d0f4-6c50-5d0a-9d43-7f1b9a0c55e1")
ACTOR = "system:escalation"

_LOG = logging.getLogger("flr.escalation")


class Rung(msgspec.Struct, frozen=True):
    """What one step of a ladder comes to now: letters to write, and how many founders have heard the phone."""

    approval: Approval
    to: str
    letters: tuple[tuple[Founder, Notice], ...]
    heard: int


class Escalator:
    """Composition gives the sender of letters."""

    def __init__(
        self, database: Database, sender: NoticeSender, settings: Settings, words: Mapping[Language, Words]
    ) -> None:
        self._database = database
        self._sender = sender
        self._settings = settings
        self._words = words

    async def on_approval_raised(self, message: ApprovalRaised) -> None:
        """Set an alarm for each step of the role's ladder."""
        async with self._database.transaction(message.tenant) as tx:
            approval, now = await get_approval(tx, message.approval_id), await store.now(tx)
            if not still_open(approval, now):
                return
            for place, step in enumerate(await _ladder(tx, approval)):
                due = approval.raised_at + timedelta(seconds=step.after_seconds)
                await publish(
                    tx,
                    EscalationDue(message.tenant, approval.id, place),
                    after_seconds=max((due - now).total_seconds(), 0),
                    dedupe_key=f"escalate-{approval.id}-{place}",
                )

    async def on_escalation_due(self, message: EscalationDue) -> None:
        """Take the step, unless somebody has answered. Raises `NoticeFailed` so that the message comes again."""
        once = uuid5(ONCE, f"{message.approval_id}/{message.place}")
        async with self._database.transaction(message.tenant) as tx:
            rung = await self._rung(tx, message, once)
        if rung is None:
            return
        told = await self._write(rung.letters)
        async with self._database.transaction(message.tenant) as tx:
            if rung.to == "safe_default":
                reason = "Nobody answered in time; the safe default is not to do it."
                await withdraw(tx, rung.approval.id, reason, actor=ACTOR)
            await append_new(tx, _event(rung, message.place, told), once)

    async def _rung(self, tx: Transaction, message: EscalationDue, once: UUID) -> Rung | None:
        approval, now = await get_approval(tx, message.approval_id), await store.now(tx)
        ladder = await _ladder(tx, approval)
        if not still_open(approval, now) or approval.frozen_at is not None or message.place >= len(ladder):
            return None
        if await _recorded(tx, once):
            return None
        to = ladder[message.place].to
        founders = [one for one in await store.fetch_founders(tx) if _is_meant(one, to)]
        heard = await store.fetch_heard(tx, tag_of(approval.id)) if to == "second_channel" else frozenset()
        zone = ZoneInfo((await company(tx)).time_zone)
        letters = tuple(
            (one, self._letter(approval, one, Formats(one.language, zone, now)))
            for one in founders
            if one.email and one.id not in heard
        )
        return Rung(approval, to, letters, len(heard))

    def _letter(self, approval: Approval, founder: Founder, formats: Formats) -> Notice:
        """Says who asks and until when; the act itself only where the founder lets amounts be seen."""
        words = self._words[founder.language]
        role, text = approval.payload.get("role"), approval.payload.get("text")
        worker = str(role.get("name", "")) if isinstance(role, dict) else words("router")
        act = str(text.get(founder.language, "")) if isinstance(text, dict) and not founder.hide_amounts else ""
        body = words(
            "letter.body",
            name=founder.name,
            worker=worker,
            act=act or words("letter.act_hidden"),
            until=formats.moment(approval.expires_at),
            link=f"{self._settings.origin}/approvals/{approval.id}",
        )
        subject = words("letter.subject", worker=worker)
        return Notice(f"{approval.id}:{founder.id}", founder.email, subject, body)

    async def _write(self, letters: Sequence[tuple[Founder, Notice]]) -> list[str]:
        """Who was written to. One letter that cannot be sent does not keep the others back."""
        told, failed = [], None
        for founder, notice in letters:
            try:
                await self._sender.send(notice)
                told.append(str(founder.id))
            except NoticeFailed as error:
                _LOG.warning("%s is not told of an open decision: %s", founder.name, error)
                failed = error
        if failed is not None and not told:
            raise failed
        return told


async def _recorded(tx: Transaction, event_id: UUID) -> bool:
    try:
        await read_event(tx, event_id)
    except NotFound:
        return False
    return True


def _is_meant(founder: Founder, to: str) -> bool:
    if to == "safe_default":
        return False
    return founder.rol is (Rol.DEPUTY if to == "deputy" else Rol.FOUNDER)


async def _ladder(tx: Transaction, approval: Approval) -> tuple[EscalationStep, ...]:
    """The ladder of the role that asks; what founders themselves have asked for has none."""
    if approval.role_id is None or approval.kind in ("hire", "amend", "party"):
        return ()
    terms = (await get_role(tx, approval.role_id)).terms
    return () if terms is None else terms.escalation.ladder


def _event(rung: Rung, place: int, told: Sequence[str]) -> Event:
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
            "told": list(told),
            "heard": rung.heard,
        },
    )

"""Brings the demo to life through the rooms' front doors: found, hire and sign, open the tickets."""

import mimetypes
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from app import clock
from app.auth import ApprovalTokens, KeyRing, b64url
from app.canon.approval import DeviceProof
from app.canon.contract import Terms
from app.canon.vocabulary import Principal, Rol
from app.cli.demo.tickets import TICKETS, DemoTicket
from app.cli.demo.workers import WORKERS
from app.cli.device import device_key
from app.cli.founding import Founded, found_company, speak_for
from app.database_urls import app_url
from app.founder_console import ProofBook
from app.messages import ApprovalDecided
from app.postgres import Database, Transaction
from app.role_registry import hire, on_approval_decided
from app.settings import Settings
from app.work_queue import NewTicket, attach_input, decide, get_approval, open_ticket

NAME = "Kopi Senja"
FOUNDER = "Dewi"
FILES = Path(__file__).parent / "files"


async def seed_demo(settings: Settings) -> Founded:
    """A new demo company with its workers hired and its tickets open; an older one stays in the ledger."""
    founded = await found_company(settings, name=NAME, founder=FOUNDER, language="id")
    by = Principal(str(founded.founder), founded.tenant, Rol.FOUNDER)
    async with Database(app_url(settings), max_size=2) as database:
        roles: dict[str, UUID] = {}
        for terms in WORKERS:
            async with database.transaction(founded.tenant) as tx:
                roles[terms.name] = await employ(tx, settings, terms, by)
        for ticket in TICKETS:
            async with database.transaction(founded.tenant) as tx:
                await _open(tx, ticket, roles, by)
    speak_for(settings.home, founded)
    return founded


async def employ(tx: Transaction, settings: Settings, terms: Terms, by: Principal) -> UUID:
    """Hire and sign with this machine's device key; the role is active when the transaction commits."""
    role = await hire(tx, terms, by=by, undo_seconds=0)
    if role.pending is None:
        raise RuntimeError(f"{terms.name} was hired without an approval")
    approval = await get_approval(tx, role.pending.approval_id)
    book = ProofBook(settings.origin)
    offered = await book.offer(
        tx,
        by,
        approval_id=approval.id,
        decision="approve",
        version=approval.version,
        payload_digest=approval.payload_digest,
    )
    key = device_key(settings.keys)
    signed = DeviceProof(key.kid, offered.statement, b64url(key.sign(offered.statement.challenge())))
    tokens = ApprovalTokens(KeyRing.load(settings.keys, "approval"))
    verified = await book.verify(tx, by, signed)
    await decide(tx, approval.id, "approve", by=by, signer=tokens, proof=verified)
    await on_approval_decided(tx, ApprovalDecided(tx.tenant, approval.id, None, None), reader=tokens)
    return role.id


async def _open(tx: Transaction, ticket: DemoTicket, roles: dict[str, UUID], by: Principal) -> None:
    new = NewTicket(
        title=ticket.title,
        instructions=ticket.instructions,
        fields=ticket.fields,
        role_id=roles[ticket.worker] if ticket.worker else None,
        priority=ticket.priority,
        approval_required=ticket.approval_required,
        due_at=clock.now() + timedelta(hours=ticket.due_hours),
    )
    opened = await open_ticket(tx, new, actor=by.actor, founder_wrote=True)
    for name in ticket.files:
        await attach_input(
            tx,
            opened.id,
            name=name,
            media_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
            content=(FILES / name).read_bytes(),
            trusted=False,
            actor=by.actor,
        )

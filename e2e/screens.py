"""Every screen of the console, and a company that has something on each."""

from typing import NamedTuple
from uuid import UUID

import pytest

from app.canon.contract import Boundary, ToolRule
from app.canon.vocabulary import Money, Tier
from app.execution_graph import runs_of_ticket
from app.founder_console.store import fetch_founders
from app.governance_ledger import EventFilter, read_events
from app.postgres import Transaction
from app.role_registry import Role
from app.work_queue import Approval, ApprovalStatus, expire, get_approval, list_approvals, list_tickets
from e2e.company import Company, analyst
from tests.processes import Machine, wait_until

LISTS = ("/", "/approvals", "/approvals/history", "/workers", "/money", "/copilot", "/settings", "/tickets?show=all")
OTHERS = (
    "/approvals/select",
    "/rules",
    "/tickets/new",
    "/ledger",
    "/workers/new",
    "/workers/new/bookkeeper",
    "/money/new",
    "/settings/payments",
    "/settings/servers",
    "/settings/secrets",
    "/settings/company",
    "/settings/notifications",
    "/settings/keys",
    "/settings/people",
    "/settings/people/new",
    "/settings/quorum",
    "/settings/install",
    "/money/settings",
    "/money/evidence",
    "/copilot/answer?q=earned",
)
DOORS = ("/login", "/offline", "/enrol/none.none")


WATCHED = "Catat stok"
CLOSED: tuple[ApprovalStatus, ...] = ("approved", "rejected", "expired")


@pytest.fixture(scope="module")
def busy(company: Company, served: Machine) -> Approval:
    """A company with something on every page: work in every state, cards in every state, people, money, a held run."""
    raka = company.worker("Raka", "Keuangan")
    sari = company.worker("Sari", "Layanan pelanggan")
    ticket = company.ticket("Bayar faktur INV-2026-118", raka)
    company.ticket("Ringkas mutasi bank", raka, to="done", result="Rata-rata keluar Rp240.000 sehari.")
    company.ticket("Tagih pelanggan lama", sari, to="failed", result="Server surel tidak menjawab.")
    company.earn(Money(21_842_000), "toko")
    company.deputy("Budi")
    company.decide(company.ask(sari, to="lama@contoh.id", undo_seconds=0), "approve")
    company.decide(company.ask(sari, to="bukan@contoh.id"), "reject")
    late = company.ask(sari, to="terlambat@contoh.id", minutes=0.01)
    nadia = company.hire(analyst("Nadia"))
    _run_until_held(company, served, nadia)
    company.propose(nadia, boundary=Boundary(tools=(ToolRule("list_inputs", "ask"), ToolRule("write_note", "allow"))))
    company.tell(lambda tx: _expired(tx, late))
    company.ask(sari, to="ratna.wulandari@contohmail.id")
    return company.ask(raka, tier=Tier.R2, tool="order_payment", money=Money(12_105_000), ticket=ticket, in_a_run=True)


def _run_until_held(company: Company, served: Machine, role: Role) -> None:
    """A real worker does a ticket up to the step that the founder has to decide, and is gone."""
    ticket = company.assign(WATCHED, role)
    served.start("worker", "app.cli", "worker")
    wait_until(
        lambda: [run.status for run in company.tell(lambda tx: runs_of_ticket(tx, ticket.id))] == ["held"],
        seconds=60,
        said=served.said("worker"),
    )
    served.kill("worker")


async def _expired(tx: Transaction, late: Approval) -> None:
    if (await get_approval(tx, late.id)).status == "pending":
        await expire(tx, late.id)


def every_page(company: Company, asked: Approval) -> list[str]:
    """Every screen, one of each kind, and those that tell of an error."""
    found = company.tell(_found)
    return [
        *LISTS,
        *OTHERS,
        f"/approvals/{asked.id}",
        *(f"/approvals/{approval_id}" for approval_id in found.closed),
        f"/approvals/{asked.id}/edit",
        f"/approvals/{asked.id}/rule",
        f"/approvals/{found.amended}",
        f"/approvals/{found.amended}/backtest",
        f"/approvals/batch?item={asked.id}:1",
        f"/workers/{asked.role_id}",
        f"/workers/{asked.role_id}/versions",
        f"/workers/{asked.role_id}/amend",
        f"/workers/{asked.role_id}/ladder",
        f"/tickets/{asked.ticket_id}",
        *(f"/tickets/{ticket_id}" for ticket_id in found.ended),
        f"/tickets/new?role={asked.role_id}",
        f"/runs/{found.run}",
        f"/ledger/{found.event}",
        f"/ledger?ticket={asked.ticket_id}&q=faktur",
        "/ledger?q=tidak+ada",
        f"/settings/people/{found.deputy}/mandate",
    ]


class Found(NamedTuple):
    """What the company happens to have: a card that each ending came to, one that changes a contract, tickets that
    ended, a run with its trace."""

    closed: list[UUID]
    amended: UUID
    ended: list[UUID]
    run: UUID
    event: UUID
    deputy: UUID


async def _found(tx: Transaction) -> Found:
    closed = [(await list_approvals(tx, status=status)).items[0].id for status in CLOSED]
    ended = [(await list_tickets(tx, status=status)).items[0].id for status in ("done", "failed")]
    watched = next(one for one in (await list_tickets(tx)).items if one.title == WATCHED)
    event = (await read_events(tx, EventFilter(type="ticket.opened"), limit=1)).items[0].event_id
    run = (await runs_of_ticket(tx, watched.id))[0].id
    amended = next(one.id for one in (await list_approvals(tx, status="pending")).items if one.kind == "amend")
    return Found(closed, amended, ended, run, event, await a_deputy(tx))


async def a_deputy(tx: Transaction) -> UUID:
    return next(one.id for one in await fetch_founders(tx) if one.name == "Budi")

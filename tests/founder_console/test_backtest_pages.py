"""A contract's changes held against the worker's own past, on the phone, before they are signed."""

from uuid import UUID

import msgspec

from app.canon.agent import StepContext
from app.canon.contract import ArgumentRule, Boundary, Length, ToolRule
from app.role_registry import Role, amend
from tests.founder_console import test_worker_pages
from tests.founder_console.test_worker_pages import Office

office = test_worker_pages.office
ASKS = ToolRule("write_note", "ask")


async def scribe(office: Office) -> Role:
    async def write(ctx: StepContext) -> str:
        return (await ctx.call_tool("write_note", {"text": ctx.task.title})).status

    return await office.ring.hire_scribe(write, ASKS)


async def answered(office: Office, role: Role, title: str, *, yes: bool) -> None:
    view = await office.ring.run(role, title=title)
    await office.ring.decide(view.run, yes=yes)
    await office.ring.drive(view.run)


async def proposed(office: Office, role: Role, **changes: object) -> UUID:
    assert role.terms is not None
    newer = msgspec.structs.replace(role.terms, **changes)
    async with office.ring.transaction() as tx:
        asked = await amend(tx, role.id, seen_version=1, terms=newer, by=office.ring.founder, undo_seconds=0)
    assert asked.pending is not None
    return asked.pending.approval_id


async def test_a_looser_boundary_says_what_it_would_have_let_pass_and_what_the_founder_had_said(office: Office) -> None:
    role = await scribe(office)
    await answered(office, role, "Beli kopi", yes=True)
    await answered(office, role, "Jual mesin giling", yes=False)
    card = await proposed(office, role, boundary=Boundary(tools=(ToolRule("write_note", "allow"),)))
    assert f'href="/approvals/{card}/backtest"' in await office.read(f"/approvals/{card}")
    page = await office.read(f"/approvals/{card}/backtest")
    assert "2 dari 2 panggilan akan berjalan lain." in page
    assert "Satu yang waktu itu ditolak akan dijalankan tanpa bertanya." in page
    assert "ditanyakan, ditolak → tanpa bertanya" in page
    assert "ditanyakan, disetujui → tanpa bertanya" in page
    assert page.index("Jual mesin giling") < page.index("Beli kopi"), "what was rejected stands first"


async def test_a_narrower_boundary_says_why_it_would_ask(office: Office) -> None:
    role = await scribe(office)
    await answered(office, role, "Sebuah catatan yang panjang", yes=True)
    rule = ToolRule("write_note", "allow", (ArgumentRule("text", (Length(6),), "deny"),))
    card = await proposed(office, role, boundary=Boundary(tools=(rule,)))
    page = await office.read(f"/approvals/{card}/backtest")
    assert "ditanyakan, disetujui → ditolak batas" in page
    assert "6" in page
    assert "R1" not in page


async def test_a_worker_without_a_past_is_said_to_have_none(office: Office) -> None:
    card = await proposed(office, await scribe(office), boundary=Boundary(tools=(ToolRule("write_note", "allow"),)))
    page = await office.read(f"/approvals/{card}/backtest")
    assert "Belum ada yang bisa dibandingkan." in page
    assert "Yang berbeda" not in page


async def test_a_change_of_the_job_alone_offers_no_comparison(office: Office) -> None:
    card = await proposed(office, await scribe(office), title="Juru tulis kepala")
    assert "/backtest" not in await office.read(f"/approvals/{card}")
    answer = await office.client.get(f"/approvals/{card}/backtest", follow_redirects=False)
    assert answer.headers["location"] == f"/approvals/{card}"

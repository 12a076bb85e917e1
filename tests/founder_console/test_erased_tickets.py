"""A ticket whose personal data were erased still has its pages: what happened, and no word of whom it was about."""

from pathlib import Path

from app.canon.contract import ProcedureStep, ToolRule
from app.canon.vocabulary import Rol
from app.execution_graph.erasing import erase_ticket
from app.governance_ledger import ensure_subjects_key, keeper_of
from app.work_queue import NewTicket, Ticket, open_ticket
from tests.founder_console.test_http import OWN, PAGE
from tests.founder_console.test_worker_pages import Office, office

__all__ = ["office"]

NAME = "Dewi Lestari"


async def opened(office: Office, keys: Path, **more: object) -> Ticket:
    ensure_subjects_key(keys)
    new = NewTicket(f"Answer {NAME}", f"Write to {NAME}.", personal=True, **more)  # type: ignore[arg-type]
    async with office.ring.transaction() as tx:
        return await open_ticket(tx, new, actor=office.by.actor, founder_wrote=True, keeper=keeper_of(keys))


async def test_its_pages_are_read_before_and_after(office: Office) -> None:
    role = await office.ring.hire(
        ToolRule("write_note", "allow"),
        ToolRule("write_document", "ask"),
        procedure=[
            ProcedureStep("write_note", {"text": "{{ ticket.title }}"}),
            ProcedureStep(
                "write_document", {"name": "dewi.txt", "media_type": "text/plain", "content": "{{ ticket.title }}"}
            ),
        ],
    )
    ticket = await opened(office, office.settings.keys, role_id=role.id)
    view = await office.ring.drive(await office.ring.start(ticket))
    question = view.run.approval_id
    await office.ring.decide(view.run, yes=False, reason=f"not to {NAME}")
    view = await office.ring.drive(view.run)
    assert view.run.status == "refused"
    paths = (
        f"/tickets/{ticket.id}",
        f"/runs/{view.run.id}",
        f"/approvals/{question}",
        f"/workers/{role.id}",
        "/ledger",
        "/tickets",
        "/",
    )
    before = {path: await office.read(path) for path in paths}
    assert NAME in before[f"/tickets/{ticket.id}"]
    async with office.ring.transaction() as tx:
        await erase_ticket(tx, ticket.id, by=office.by)
    for path in paths:
        assert NAME not in await office.read(path), path


async def test_it_is_opened_and_erased_on_the_phone(office: Office) -> None:
    ensure_subjects_key(office.settings.keys)
    assert 'name="personal"' in await office.read("/tickets/new")
    typed = {"title": f"Balas {NAME}", "instructions": f"Tulis kepada {NAME}.", "personal": "yes"}
    answer = await office.client.post(
        "/tickets", data=typed, files={"files": ("", b"")}, headers=OWN | PAGE, follow_redirects=False
    )
    path = answer.headers["location"]
    assert "Hapus data pribadi" not in await office.read(path), "it is still open"
    assert "Masih ada tiket dengan data yang sama" in await office.post(f"{path}/erase", {"sure": "yes"}, status=409)
    version = str((await office.client.get(f"/api/v1{path}", headers=office.token(Rol.FOUNDER))).json()["version"])
    await office.post(f"{path}/cancel", {"version": version})
    page = await office.read(path)
    assert "Hapus data pribadi" in page
    await office.post(f"{path}/erase")
    assert NAME in await office.read(path), "without the tick nothing is erased"
    await office.post(f"{path}/erase", {"sure": "yes"})
    page = await office.read(path)
    assert NAME not in page
    assert "Apa yang terjadi tetap bisa diperiksa" in page
    assert "/erase" not in page

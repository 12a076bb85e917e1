"""The Workers tab over HTTP: a run step by step, versions, changes, the end, and a ticket's files."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args
from uuid import UUID

import msgspec
import pytest

from app.adapters.evidence import FolderStore
from app.auth import ensure_keys
from app.canon.agent import StepContext
from app.canon.contract import ProcedureStep, ToolRule
from app.canon.vocabulary import Principal, Rol
from app.execution_graph import get_run
from app.execution_graph.model import Cause
from app.execution_graph.pruning import prune
from app.execution_graph.runtime import PartBounds
from app.founder_console.identity.sessions import start_session
from app.founder_console.wording import load_words
from app.main import build
from app.postgres import Database
from app.role_registry import amend, get_role, versions_of
from app.settings import Settings
from app.work_queue import get_approval, get_ticket, inputs_of, list_tickets
from tests.builders import sign
from tests.execution_graph.ring import Endpoint, Ring, builtin_tools
from tests.founder_console.people import ORIGIN, a_founder
from tests.founder_console.test_http import OWN, PAGE, Desk, browser


class Office(Desk):
    """A desk in a company whose workers work."""

    ring: Ring

    async def settle(self, ring: Ring) -> None:
        self.ring, self.tenant = ring, ring.tenant
        async with ring.transaction() as tx:
            self.founder, self.by = await a_founder(tx)
            cookie = await start_session(tx, self.founder.id, label="phone")
        self.by = Principal(str(self.founder.id), self.tenant, Rol.FOUNDER)
        self.client.cookies.set("__Host-flr", cookie)

    async def read(self, path: str, status: int = 200) -> str:
        answer = await self.client.get(path, headers=PAGE)
        assert answer.status_code == status
        return answer.text

    async def post(self, path: str, data: dict[str, str] | None = None, status: int = 303) -> str:
        answer = await self.client.post(path, data=data or {}, headers=OWN | PAGE, follow_redirects=False)
        assert answer.status_code == status
        return answer.headers.get("location") or answer.text


@pytest.fixture
async def office(database: Database, tmp_path: Path) -> AsyncIterator[Office]:
    settings = Settings(home=tmp_path, public_url=ORIGIN)
    ensure_keys(settings.keys, "token", "approval", "receipt", "seal")
    store = FolderStore(tmp_path / "evidence")
    ring = await Ring(database, store, builtin_tools(), Endpoint()).found()
    app = build(settings, database, store)
    async with browser(app, ORIGIN) as client:
        made = Office(app, client, database, settings)
        await made.settle(ring)
        yield made


async def test_a_run_is_told_step_by_step_with_what_the_gate_said(office: Office) -> None:
    steps = [ProcedureStep("write_note", {"text": "satu"}), ProcedureStep("write_note", {"text": "dua"})]
    role = await office.ring.hire("write_note", procedure=steps)
    view = await office.ring.run(role)
    page = await office.read(f"/runs/{view.run.id}")
    assert page.count("Diizinkan gerbang") == 2
    assert "Selesai" in page
    assert f'href="/workers/{role.id}/versions?newer=1"' in page
    assert f"/runs/{view.run.id}/cancel" not in page
    assert f'href="/runs/{view.run.id}"' in await office.read(f"/tickets/{view.run.ticket_id}")
    assert str(view.run.ticket_id) in await office.read(f"/workers/{role.id}")


async def test_a_run_that_waits_leads_to_its_question_and_can_be_stopped(office: Office) -> None:
    role = await office.ring.hire(
        ToolRule("write_note", "ask"), procedure=[ProcedureStep("write_note", {"text": "satu"})]
    )
    view = await office.ring.run(role)
    page = await office.read(f"/runs/{view.run.id}")
    assert f'href="/approvals/{view.run.approval_id}"' in page
    assert "Ditahan gerbang" in page
    assert "menunggu Anda" in await office.read(f"/workers/{role.id}")
    await office.post(f"/runs/{view.run.id}/cancel")
    assert "Dibatalkan" in await office.read(f"/runs/{view.run.id}")
    assert (await office.ring.ticket(view.run)).status == "cancelled"


async def test_long_work_is_told_part_by_part_with_ways_to_and_fro(office: Office) -> None:
    office.ring.executor.runtime = msgspec.structs.replace(office.ring.runtime, part=PartBounds(steps=2))
    steps = [ProcedureStep("write_note", {"text": word}) for word in ("satu", "dua", "tiga")]
    first = await office.ring.run(await office.ring.hire("write_note", procedure=steps))
    page = await office.read(f"/runs/{first.run.id}")
    assert "Berlanjut di bagian berikutnya" in page
    assert f'rel="next" href="/runs/{first.continued_as}"' in page
    assert first.continued_as is not None
    async with office.ring.transaction() as tx:
        second = await get_run(tx, first.continued_as)
    await office.ring.drive(second)
    page = await office.read(f"/runs/{second.id}")
    assert f'rel="prev" href="/runs/{first.run.id}"' in page
    assert "<b>3. " in page
    assert "Bagian 2" in await office.read(f"/tickets/{second.ticket_id}")


async def test_a_run_whose_journal_was_pruned_says_when(office: Office) -> None:
    view = await office.ring.run(
        await office.ring.hire("write_note", procedure=[ProcedureStep("write_note", {"text": "satu"})])
    )
    assert "dipangkas" not in await office.read(f"/runs/{view.run.id}")
    async with office.ring.transaction() as tx:
        await tx.connection.execute("SELECT set_config('app.now', '2027-06-07T08:00:00Z', true)")
        assert (await prune(tx, 40, actor="system:cli")).runs == 1
    page = (await office.read(f"/runs/{view.run.id}")).replace("\xa0", " ")
    assert "Isi permintaan dan jawaban dipangkas pada 7 Jun 2027" in page
    assert "Diizinkan gerbang" in page
    assert "Jurnal sebuah pengerjaan dipangkas" in await office.read("/ledger")


async def test_why_a_run_was_stopped_is_said_in_the_founders_language(office: Office) -> None:
    async def write(ctx: StepContext) -> str:
        while True:
            await ctx.call_tool("write_note", {"text": "lagi"})

    view = await office.ring.run(await office.ring.hire_scribe(write, "write_note"))
    assert view.run.cause == "no_progress"
    for path in (f"/runs/{view.run.id}", f"/tickets/{view.run.ticket_id}"):
        page = await office.read(path)
        assert "pekerja meminta panggilan yang sama berulang-ulang" in page
        assert "Stopped" not in page


def test_every_cause_has_its_sentence() -> None:
    words = load_words(Path(__file__).parents[2] / "frontend" / "i18n")
    for cause in get_args(Cause):
        assert not cause or all(words[language].has(f"run.cause.{cause}") for language in ("en", "id"))


async def test_a_run_of_another_company_is_not_there(office: Office) -> None:
    await office.read(f"/runs/{UUID(int=7)}", status=404)


async def test_versions_stand_side_by_side(office: Office) -> None:
    role = await office.ring.hire("write_note")
    assert role.terms is not None
    newer = msgspec.structs.replace(role.terms, title="Chief assistant")
    async with office.ring.transaction() as tx:
        asked = await amend(tx, role.id, seen_version=1, terms=newer, by=office.ring.founder, undo_seconds=0)
        assert asked.pending is not None
        await sign(tx, asked.pending.approval_id, office.ring.founder)
        assert len(await versions_of(tx, role.id)) == 2
    page = await office.read(f"/workers/{role.id}/versions")
    assert "Versi 1 → 2" in page
    assert "<del>Mira · Assistant</del>" in page
    assert "<ins>Mira · Chief assistant</ins>" in page
    first = await office.read(f"/workers/{role.id}/versions?newer=1")
    assert "<ins>" not in first


async def test_a_change_on_the_phone_becomes_a_card_to_sign(office: Office) -> None:
    role = await office.ring.hire("write_note")
    page = await office.read(f"/workers/{role.id}/amend")
    assert 'name="tool:write_note" value="allow" checked' in page
    assert 'name="tool:send_email" value="deny" checked' in page
    there = await office.post(f"/workers/{role.id}/amend", {"version": "1", "tool:write_note": "ask"})
    async with office.ring.transaction() as tx:
        approval = await get_approval(tx, UUID(there.removeprefix("/approvals/")))
        standing = await get_role(tx, role.id)
    assert approval.kind == "amend"
    assert standing.terms == role.terms
    assert standing.pending is not None
    assert standing.pending.terms.boundary.tools == (ToolRule("write_note", "ask"),)


async def test_a_change_of_nothing_or_of_an_old_version_asks_nothing(office: Office) -> None:
    role = await office.ring.hire("write_note")
    assert "Belum ada yang diubah" in await office.post(f"/workers/{role.id}/amend", {"version": "1"}, 422)
    await office.post(f"/workers/{role.id}/amend", {"version": "0", "tool:write_note": "ask"}, 422)
    async with office.ring.transaction() as tx:
        assert (await get_role(tx, role.id)).pending is None


async def test_who_is_retired_leaves_the_list_and_stays_readable(office: Office) -> None:
    role = await office.ring.hire("write_note")
    assert "untuk seterusnya" in await office.read(f"/workers/{role.id}")
    await office.post(f"/workers/{role.id}/retire")
    page = await office.read(f"/workers/{role.id}")
    assert f"/workers/{role.id}/retire" not in page
    assert f"/workers/{role.id}/amend" not in page
    assert "1 tidak bekerja lagi" in await office.read("/workers")


async def test_files_are_marked_one_by_one_or_all_at_once(office: Office) -> None:
    role = await office.ring.hire("write_note")
    form = {"title": "Hitung", "instructions": "Hitung kotak", "role_id": str(role.id), "due_at": "2027-01-02T10:00"}
    form |= {"priority": "1", "approval_required": "yes", "trusted_file": "a.csv", "secret_file": "b.csv"}
    files = [("files", ("a.csv", b"1", "text/csv")), ("files", ("b.csv", b"2", "text/csv"))]
    answer = await office.client.post("/tickets", data=form, files=files, headers=OWN | PAGE, follow_redirects=False)
    assert answer.status_code == 303
    ticket_id = UUID(answer.headers["location"].removeprefix("/tickets/"))
    async with office.ring.transaction() as tx:
        opened, kept = await get_ticket(tx, ticket_id), await inputs_of(tx, ticket_id)
    assert (opened.priority, opened.approval_required) == (1, True)
    assert opened.due_at is not None
    assert {one.name: (one.trusted, one.secret) for one in kept} == {"a.csv": (True, False), "b.csv": (False, True)}
    page = await office.read(f"/tickets/{ticket_id}")
    assert f"/tickets/{ticket_id}/files/{kept[0].id}" in page
    there = await office.client.get(f"/tickets/{ticket_id}/files/{kept[0].id}", headers=PAGE)
    assert there.content == b"1"


async def test_our_script_is_told_the_problem_alone_and_nothing_is_opened(office: Office) -> None:
    files = [("files", (".hidden", b"1", "text/csv"))]
    form = {"title": "Hitung", "instructions": "Hitung kotak"}
    answer = await office.client.post("/tickets", data=form, files=files, headers=OWN | {"x-fragment": "1"})
    assert answer.status_code == 422
    assert "hidden" in answer.json()["problem"]
    async with office.ring.transaction() as tx:
        assert (await list_tickets(tx)).items == ()


async def test_an_error_is_told_in_the_founders_own_language(office: Office) -> None:
    answer = await office.client.get(f"/runs/{UUID(int=7)}", headers=PAGE | {"accept-language": "en"})
    assert answer.status_code == 404
    assert "Tidak ditemukan" in answer.text


async def test_what_befell_a_failed_call_is_said_in_the_founders_language_beside_the_tools_own_words(
    office: Office,
) -> None:
    steps = [ProcedureStep("read_input", {"name": "faktur.pdf"})]
    view = await office.ring.run(await office.ring.hire("read_input", procedure=steps))
    assert view.run.cause == "procedure_failed"
    own = "no file &#39;faktur.pdf&#39; belongs to this ticket"
    for path in (f"/runs/{view.run.id}", f"/tickets/{view.run.ticket_id}"):
        page = await office.read(path)
        assert "Berkas yang diminta pekerja tidak ada di tiket ini." in page
        assert "Satu langkah prosedur gagal: alatnya tidak berhasil." in page
        assert page.count(own) == 2, "once as the tool's words, once as the procedure's"
        assert all(own in quote for quote in page.split("<blockquote")[1:]), "their own words stand quoted"
        assert own not in page.split("<blockquote")[0]


async def test_the_gate_is_told_in_sentences_without_its_codes(office: Office) -> None:
    asks = ToolRule("write_note", "ask")
    view = await office.ring.run(
        await office.ring.hire(asks, procedure=[ProcedureStep("write_note", {"text": "satu"})])
    )
    page = await office.read(f"/runs/{view.run.id}")
    assert "Ditahan gerbang: ditanyakan dulu" in page
    assert "Meninggalkan catatan" in page
    assert "step-1-write_note.json" not in page
    assert "payload.json" not in page


async def test_the_ledger_says_what_each_question_asked_for(office: Office) -> None:
    asks = ToolRule("write_note", "ask")
    view = await office.ring.run(
        await office.ring.hire(asks, procedure=[ProcedureStep("write_note", {"text": "satu"})])
    )
    act = "Tinggalkan catatan: “satu”."
    await office.read(f"/approvals/{view.run.approval_id}")
    page = await office.read("/ledger")
    assert f"Keputusan diminta: {act}" in page
    assert f"Kartu dibuka: {act}" in page
    assert act in await office.read("/ledger?q=satu")
    assert f"Keputusan diminta: {act}" in await office.read(f"/workers/{view.run.role_id}")

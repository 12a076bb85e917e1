"""An agent outside works a ticket over the API: same gate, journal, budget, kill switch and ledger as one inside."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.adapters.evidence import FolderStore
from app.auth import ApprovalTokens, KeyRing
from app.canon.contract import BudgetLimit, EngineBinding, ProcedureStep, ToolRule
from app.canon.vocabulary import Rol
from app.execution_graph.executor import Executor
from app.execution_graph.runs import wake_waiting
from app.execution_graph.runtime import Defaults, PartBounds, Runtime
from app.postgres import Database
from tests.api import Api, api_of
from tests.builders import ROOMY_BUDGET, some_terms
from tests.execution_graph.ring import Endpoint, Shelf, builtin_tools

TOOLS = (ToolRule("write_note", "allow"), ToolRule("write_document", "ask"), ToolRule("list_inputs", "allow"))


class Company:
    """The API and a worker process's executor, which drives when it is told to."""

    def __init__(self, api: Api) -> None:
        self.api = api
        reader = ApprovalTokens(KeyRing.load(api.settings.keys, "approval"))
        store = FolderStore(api.settings.home / "evidence")
        shelf = Shelf(api.database.url)
        runtime = Runtime(api.database, store, builtin_tools(), Endpoint(), shelf, reader, Defaults(), 0)
        self.executor = Executor(runtime, owner=7)

    async def hire(self, name: str = "Mira", **changes: Any) -> Any:
        terms = some_terms(name, tools=TOOLS, engine=EngineBinding("external", "plain", max_steps=5), **changes)
        role = await self.api.post("/roles", msgspec.to_builtins(terms))
        await self.api.sign(role["pending"]["approval_id"])
        return role

    async def open(self, role: Any) -> Any:
        ticket = {"title": "Count", "instructions": "Count the boxes.", "role_id": role["id"], "start": False}
        opened = await self.api.post("/tickets", ticket)
        run = await self.api.post(f"/exec/start/{opened['id']}")
        await self.drive(run["id"])
        return opened

    async def drive(self, run_id: str) -> None:
        await self.executor.drive(self.api.tenant, UUID(run_id))

    async def ask(self, method: str, path: str, body: Any = None, *, rol: Rol = Rol.SERVICE) -> Any:
        answer = await self.api.ask(method, path, body, rol=rol)
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        return answer.json()

    async def take(self, ticket: Any) -> Any:
        return await self.ask("POST", f"/exec/take/{ticket['id']}")

    async def call(self, work: Any, tool: str, **arguments: Any) -> Any:
        """Propose, let a worker process drive, and ask what became of it."""
        body = {"session": work["session"], "tool": tool, "arguments": arguments}
        proposed = await self.ask("POST", f"/exec/{work['run_id']}/calls", body)
        assert proposed["status"] == "working"
        await self.drive(work["run_id"])
        return await self.answer(work, proposed["number"])

    async def answer(self, work: Any, number: int) -> Any:
        return await self.ask("GET", f"/exec/{work['run_id']}/calls/{number}")

    async def finish(self, work: Any, summary: str = "42 boxes.", *, ok: bool = True) -> Any:
        body = {"session": work["session"], "summary": summary, "ok": ok}
        said = await self.ask("POST", f"/exec/{work['run_id']}/finish", body)
        await self.drive(work["run_id"])
        return await self.answer(work, said["number"])

    async def events(self, run_id: str) -> list[str]:
        found = (await self.api.get("/events", run_id=run_id, limit=200))["items"]
        return [event["type"] for event in reversed(found)]


@pytest.fixture
async def company(tmp_path: Path, database: Database) -> AsyncIterator[Company]:
    async with api_of(tmp_path, database) as api:
        yield Company(api)


async def test_a_ticket_is_taken_worked_and_finished(company: Company) -> None:
    ticket = await company.open(await company.hire())
    offered = (await company.ask("GET", "/exec/offered"))["items"]
    assert [run["ticket_id"] for run in offered] == [ticket["id"]]
    work = await company.take(ticket)
    assert (work["title"], work["instructions"], work["calls"]) == ("Count", "Count the boxes.", 0)
    assert {tool["name"] for tool in work["tools"]} == {"write_note", "write_document", "list_inputs"}
    told = await company.call(work, "list_inputs")
    assert (told["status"], told["data"]) == ("done", [])
    assert (await company.call(work, "write_note", text="42 boxes"))["status"] == "done"
    ended = await company.finish(work)
    assert (ended["status"], ended["run_status"]) == ("done", "done")
    assert (await company.api.get(f"/tickets/{ticket['id']}"))["result"] == "42 boxes."
    assert (await company.ask("GET", "/exec/offered"))["items"] == []


async def test_the_ledger_has_the_shape_of_a_worker_inside(company: Company) -> None:
    work = await company.take(await company.open(await company.hire()))
    await company.call(work, "list_inputs")
    await company.call(work, "write_note", text="42 boxes")
    await company.finish(work)
    steps = (ProcedureStep("list_inputs", {}), ProcedureStep("write_note", {"text": "42 boxes"}))
    inside = some_terms("Inside", tools=TOOLS, engine=EngineBinding("procedure", "plain", procedure=steps))
    role = await company.api.post("/roles", msgspec.to_builtins(inside))
    await company.api.sign(role["pending"]["approval_id"])
    await company.open(role)
    runs = (await company.api.get("/events", type="run.closed"))["items"]
    shapes = [await company.events(event["run_id"]) for event in runs]
    assert len(shapes) == 2
    assert shapes[0] == shapes[1]


async def test_what_must_be_asked_waits_and_goes_on_after_the_founders_yes(company: Company) -> None:
    work = await company.take(await company.open(await company.hire()))
    document = {"name": "a.md", "media_type": "text/markdown", "content": "x"}
    held = await company.call(work, "write_document", **document)
    assert held["status"] == "waiting"
    early = await company.api.ask(
        "POST", f"/exec/{work['run_id']}/calls", {"session": work["session"], "tool": "list_inputs"}, rol=Rol.SERVICE
    )
    assert early.status_code == 409
    await company.api.post(f"/approvals/{held['approval_id']}/approve", {})
    async with company.api.database.transaction(company.api.tenant) as tx:
        await wake_waiting(tx, UUID(held["approval_id"]), None)
    await company.drive(work["run_id"])
    assert (await company.answer(work, 1))["status"] == "done"
    assert (await company.finish(work))["run_status"] == "done"


async def test_a_refusal_is_an_answer_and_what_is_not_allowed_does_not_happen(company: Company) -> None:
    work = await company.take(await company.open(await company.hire()))
    refused = await company.call(work, "send_email", to=["eve@evil.example"], subject="x", body="x")
    assert refused["status"] == "refused"
    unknown = await company.call(work, "fly")
    assert unknown["status"] == "refused"
    assert (await company.finish(work, "cannot", ok=False))["run_status"] == "refused"


async def test_steps_and_budget_end_as_for_a_worker_inside(company: Company) -> None:
    work = await company.take(await company.open(await company.hire()))
    for number in range(5):
        assert (await company.call(work, "write_note", text=str(number)))["status"] == "done"
    stopped = await company.call(work, "write_note", text="one more")
    assert (stopped["status"], stopped["run_status"]) == ("stopped", "failed")
    few = [line for line in ROOMY_BUDGET if line.unit != "calls"]
    poor = await company.hire("Poor", budget=(*few, BudgetLimit("calls", "day", 1)))
    work = await company.take(await company.open(poor))
    assert (await company.call(work, "write_note", text="1"))["status"] == "done"
    assert (await company.call(work, "write_note", text="2"))["status"] == "waiting"


async def test_a_paused_role_stands_still_and_goes_on(company: Company) -> None:
    role = await company.hire()
    work = await company.take(await company.open(role))
    await company.api.post(f"/roles/{role['id']}/pause")
    assert (await company.call(work, "write_note", text="x"))["status"] == "paused"
    await company.api.post(f"/roles/{role['id']}/resume")
    async with company.api.database.transaction(company.api.tenant) as tx:
        from app.execution_graph.runs import wake_paused

        await wake_paused(tx, UUID(role["id"]))
    await company.drive(work["run_id"])
    assert (await company.answer(work, 1))["status"] == "done"


async def test_a_cancelled_run_takes_no_more_proposals(company: Company) -> None:
    work = await company.take(await company.open(await company.hire()))
    await company.api.post(f"/exec/{work['run_id']}/cancel")
    late = await company.api.ask(
        "POST", f"/exec/{work['run_id']}/calls", {"session": work["session"], "tool": "list_inputs"}, rol=Rol.SERVICE
    )
    assert late.status_code == 409


async def test_a_later_session_fences_the_earlier_and_a_strangers_waits_for_its_end(company: Company) -> None:
    ticket = await company.open(await company.hire())
    first = await company.take(ticket)
    other = await company.api.ask("POST", f"/exec/take/{ticket['id']}", rol=Rol.FOUNDER)
    assert other.status_code == 409
    second = await company.take(ticket)
    stale = await company.api.ask(
        "POST", f"/exec/{first['run_id']}/calls", {"session": first["session"], "tool": "list_inputs"}, rol=Rol.SERVICE
    )
    assert stale.status_code == 409
    assert (await company.call(second, "list_inputs"))["status"] == "done"
    async with company.api.database.transaction(company.api.tenant) as tx:
        await tx.connection.execute("UPDATE execution_graph.outside_sessions SET lease_until = clock.now()")
    third = await company.ask("POST", f"/exec/take/{ticket['id']}", rol=Rol.FOUNDER)
    assert third["calls"] == 1
    gone = await company.api.ask(
        "POST", f"/exec/{second['run_id']}/calls", {"session": second["session"], "tool": "x"}, rol=Rol.SERVICE
    )
    assert gone.status_code == 409


async def test_a_workers_token_of_another_role_takes_nothing(company: Company) -> None:
    ticket = await company.open(await company.hire())
    assert (await company.api.ask("POST", f"/exec/take/{ticket['id']}", rol=Rol.WORKER)).status_code == 403
    assert (await company.ask("GET", "/exec/offered", rol=Rol.WORKER))["items"] == []
    for rol in (Rol.AUDITOR, Rol.OPERATOR, Rol.DEPUTY):
        assert (await company.api.ask("POST", f"/exec/take/{ticket['id']}", rol=rol)).status_code == 403


async def test_a_run_of_an_engine_inside_is_not_taken(company: Company) -> None:
    steps = (ProcedureStep("write_document", {"name": "a.md", "media_type": "text/markdown", "content": "x"}),)
    inside = some_terms("Inside", tools=TOOLS, engine=EngineBinding("procedure", "plain", procedure=steps))
    role = await company.api.post("/roles", msgspec.to_builtins(inside))
    await company.api.sign(role["pending"]["approval_id"])
    ticket = await company.open(role)
    assert (await company.api.ask("POST", f"/exec/take/{ticket['id']}", rol=Rol.SERVICE)).status_code == 409


async def test_arguments_without_a_canonical_form_are_refused_at_the_door(company: Company) -> None:
    work = await company.take(await company.open(await company.hire()))
    body = {"session": work["session"], "tool": "write_note", "arguments": {"text": "\u0000"}}
    answer = await company.api.ask("POST", f"/exec/{work['run_id']}/calls", body, rol=Rol.SERVICE)
    assert answer.status_code == 422


async def test_an_agent_outside_keeps_its_session_and_its_numbers_over_the_parts_of_a_long_run(
    company: Company,
) -> None:
    runtime = msgspec.structs.replace(company.executor.runtime, part=PartBounds(steps=2))
    company.executor = Executor(runtime, owner=7)
    ticket = await company.open(await company.hire())
    work = await company.take(ticket)
    for number in (1, 2):
        assert (await company.call(work, "write_note", text=str(number)))["status"] == "done"
    assert (await company.call(work, "write_note", text="3"))["status"] == "working"
    first, second = (await company.api.get(f"/tickets/{ticket['id']}/runs"))["items"]
    assert (first["status"], second["status"], second["continues"]) == ("continued", "queued", first["id"])
    await company.drive(second["id"])
    third = await company.answer(work, 3)
    assert (third["status"], third["run_status"]) == ("done", "running")
    again = await company.take(ticket)
    assert (again["run_id"], again["calls"], again["max_steps"]) == (second["id"], 3, 3)
    assert (await company.call(again, "write_note", text="1"))["status"] == "done"
    assert (await company.answer(work, 1))["status"] == "done"
    assert (await company.finish(again))["run_status"] == "done"
    assert len((await company.api.get("/events", type="tool.done", limit=200))["items"]) == 4

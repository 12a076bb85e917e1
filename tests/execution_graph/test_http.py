"""Runs over HTTP: started, watched, continued and cancelled by those who may."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.adapters.evidence import FolderStore
from app.auth import ApprovalTokens, KeyRing
from app.canon.contract import EngineBinding, ProcedureStep, ToolRule
from app.canon.vocabulary import Rol, new_id
from app.execution_graph.executor import Executor
from app.execution_graph.runtime import Defaults, Runtime
from app.postgres import Database
from tests.api import Api, api_of
from tests.builders import some_terms
from tests.execution_graph.ring import Endpoint, Shelf, builtin_tools

ASKING = some_terms(
    tools=(ToolRule("write_note", "ask"),),
    engine=EngineBinding("procedure", "plain", procedure=(ProcedureStep("write_note", {"text": "x"}),)),
)


@pytest.fixture
async def api(tmp_path: Path, database: Database) -> AsyncIterator[Api]:
    async with api_of(tmp_path, database) as opened:
        yield opened


async def drive(api: Api, run_id: str) -> None:
    """What a worker process would do."""
    reader = ApprovalTokens(KeyRing.load(api.settings.keys, "approval"))
    store = FolderStore(api.settings.home / "evidence")
    shelf = Shelf(api.database.url)
    runtime = Runtime(api.database, store, builtin_tools(), Endpoint(), shelf, reader, Defaults(), 0)
    await Executor(runtime, owner=7).drive(api.tenant, UUID(run_id))


async def started(api: Api, **changes: Any) -> Any:
    role = await api.post("/roles", msgspec.to_builtins(ASKING))
    await api.sign(role["pending"]["approval_id"])
    ticket = {"title": "Note", "instructions": "Write it.", "role_id": role["id"], "start": False, **changes}
    opened = await api.post("/tickets", ticket)
    return await api.post(f"/exec/start/{opened['id']}")


async def test_a_started_run_is_watched_to_its_question_and_continued_after_the_answer(api: Api) -> None:
    run = await started(api)
    assert run["status"] == "queued"
    await drive(api, run["id"])
    status = await api.get(f"/exec/{run['id']}/status")
    assert (status["status"], status["driven"]) == ("held", False)
    (step,) = status["steps"]
    assert (step["name"], step["state"], step["verdict"]) == ("write_note", "held", "hold:R1")
    undecided = await api.ask("POST", f"/exec/{run['id']}/resume")
    assert undecided.status_code == 409
    await api.post(f"/approvals/{step['approval_id']}/approve", {})
    resumed = await api.ask("POST", f"/exec/{run['id']}/resume")
    assert resumed.status_code == 202
    await drive(api, run["id"])
    status = await api.get(f"/exec/{run['id']}/status")
    assert status["status"] == "done"
    assert status["steps"][0]["answer_status"] == "done"


async def test_starting_twice_gives_the_same_run(api: Api) -> None:
    run = await started(api)
    assert (await api.post(f"/exec/start/{run['ticket_id']}"))["id"] == run["id"]
    assert [item["id"] for item in (await api.get(f"/tickets/{run['ticket_id']}/runs"))["items"]] == [run["id"]]


async def test_a_closed_ticket_is_not_started(api: Api) -> None:
    run = await started(api)
    cancelled = await api.ask("POST", f"/exec/{run['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    again = await api.ask("POST", f"/exec/start/{run['ticket_id']}")
    assert again.status_code == 409
    assert (await api.get(f"/tickets/{run['ticket_id']}"))["status"] == "cancelled"


async def test_a_ticket_that_asks_for_it_shows_what_it_may_cost_before_the_start(api: Api) -> None:
    run = await started(api, approval_required=True)
    assert run["status"] == "held"
    approval = await api.get(f"/approvals/{run['approval_id']}")
    assert approval["kind"] == "start"
    assert approval["payload"]["cost_ceiling"]["limits"]


@pytest.mark.parametrize(
    ("path", "rol", "status"),
    [
        ("/exec/start/{}", Rol.AUDITOR, 403),
        ("/exec/start/{}", Rol.FOUNDER, 404),
        ("/exec/{}/resume", Rol.WORKER, 403),
        ("/exec/{}/resume", Rol.FOUNDER, 404),
        ("/exec/{}/cancel", Rol.SERVICE, 403),
        ("/exec/{}/cancel", Rol.FOUNDER, 404),
    ],
)
async def test_who_may_not_or_asks_for_nothing_is_told_so(api: Api, path: str, rol: Rol, status: int) -> None:
    answer = await api.ask("POST", path.format(new_id()), rol=rol)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")


async def test_another_tenants_run_is_unknown(api: Api) -> None:
    run = await started(api)
    token = api.token(Rol.FOUNDER, tenant=new_id())
    answer = await api.client.get(f"/api/v1/exec/{run['id']}/status", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 404

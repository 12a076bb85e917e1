"""Checks and backtests over HTTP: by those who may look, without a trace in the ledger."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.canon.contract import EngineBinding, ProcedureStep, ToolRule
from app.canon.vocabulary import Rol
from app.postgres import Database
from tests.api import Api, api_of
from tests.builders import some_terms
from tests.execution_graph.test_http import drive

TERMS = some_terms(
    tools=(ToolRule("write_note", "allow"),),
    engine=EngineBinding("procedure", "plain", procedure=(ProcedureStep("write_note", {"text": "x"}),)),
)
NOTE = {"tool": "write_note", "arguments": {"text": "x"}}
ASKING = {"tools": [{"tool": "write_note", "mode": "ask"}]}


@pytest.fixture
async def api(tmp_path: Path, database: Database) -> AsyncIterator[Api]:
    async with api_of(tmp_path, database) as opened:
        yield opened


async def employed(api: Api) -> Any:
    role = await api.post("/roles", msgspec.to_builtins(TERMS))
    await api.sign(role["pending"]["approval_id"])
    return role


async def count(api: Api) -> int:
    return len((await api.get("/events", limit=200))["items"])


async def test_a_call_is_checked_under_the_contract_and_under_another_boundary(api: Api) -> None:
    role = await employed(api)
    before = await count(api)
    passes = await api.post(f"/roles/{role['id']}/check", NOTE)
    assert (passes["result"]["verdict"], passes["role_version"]) == ("allow", 1)
    held = await api.post(f"/roles/{role['id']}/check", {**NOTE, "boundary": ASKING})
    assert (held["result"]["verdict"], held["result"]["tier"]) == ("hold", "R1")
    assert held["result"]["facts"][0]["code"] == "ask"
    assert all(held["result"]["sentences"][language] for language in ("en", "id"))
    alone = await api.post("/roles/check", {**NOTE, "boundary": ASKING})
    assert alone["result"]["verdict"] == "hold"
    assert await count(api) == before


async def test_a_changed_boundary_is_held_against_the_past(api: Api) -> None:
    role = await employed(api)
    opened = await api.post(
        "/tickets", {"title": "Note", "instructions": "Write it.", "role_id": role["id"], "start": False}
    )
    run = await api.post(f"/exec/start/{opened['id']}")
    await drive(api, run["id"])
    found = await api.post(f"/roles/{role['id']}/backtest", {"boundary": ASKING})
    assert (found["before"], found["after"]) == ({"allow": 1}, {"hold:R1": 1})
    (change,) = found["changes"]
    assert (change["run_id"], change["after"]["tier"]) == (run["id"], "R1")
    last = await api.ask("GET", f"/events/{change['event_id']}")
    assert last.json().get("type", "tool.done") == "tool.done"


@pytest.mark.parametrize("rol", [Rol.FOUNDER, Rol.DEPUTY, Rol.OPERATOR, Rol.AUDITOR, Rol.SERVICE])
async def test_only_people_look(api: Api, rol: Rol) -> None:
    role = await employed(api)
    expected = 403 if rol is Rol.SERVICE else 200
    for path, body in (
        ("/roles/check", {**NOTE, "boundary": ASKING}),
        (f"/roles/{role['id']}/check", NOTE),
        (f"/roles/{role['id']}/backtest", {"boundary": ASKING}),
    ):
        assert (await api.ask("POST", path, body, rol=rol)).status_code == expected


async def test_what_cannot_be_checked_is_said(api: Api) -> None:
    missing = "018f0000-0000-7000-8000-000000000001"
    assert (await api.ask("POST", f"/roles/{missing}/check", NOTE)).status_code == 404
    assert (await api.ask("POST", "/roles/check", NOTE)).status_code == 422
    wrong = {"tools": [{"tool": "fly", "mode": "allow"}]}
    refused = await api.ask("POST", "/roles/check", {**NOTE, "boundary": wrong})
    assert refused.status_code == 422
    assert "fly" in refused.text

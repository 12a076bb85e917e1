"""Roles, the company, budgets and parties over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.canon.vocabulary import Rol, new_id
from app.postgres import Database
from tests.api import Api, api_of
from tests.builders import some_terms

TERMS: dict[str, Any] = msgspec.to_builtins(some_terms())


@pytest.fixture
async def api(tmp_path: Path, database: Database) -> AsyncIterator[Api]:
    async with api_of(tmp_path, database) as opened:
        yield opened


async def hired(api: Api) -> Any:
    tool = next(iter(api.app.state.tools))
    terms = {**TERMS, "boundary": {"tools": [{"tool": tool, "mode": "allow"}]}}
    role = await api.post("/roles", terms)
    await api.sign(role["pending"]["approval_id"])
    return await api.get(f"/roles/{role['id']}")


async def test_a_role_is_hired_signed_amended_and_read(api: Api) -> None:
    role = await hired(api)
    assert (role["status"], role["version"], role["terms"]["name"]) == ("active", 1, "Mira")
    amended = await api.patch(f"/roles/{role['id']}", {"version": 1, "title": "Head of counting"})
    assert (amended["version"], amended["pending"]["terms"]["title"]) == (1, "Head of counting")
    assert amended["pending"]["terms"]["job_description"] == TERMS["job_description"]
    await api.sign(amended["pending"]["approval_id"])
    now = await api.get(f"/roles/{role['id']}")
    assert (now["version"], now["terms"]["title"]) == (2, "Head of counting")
    stale = await api.ask("PATCH", f"/roles/{role['id']}", {"version": 1, "title": "x"})
    assert (stale.status_code, stale.json()["data"]["version"]) == (409, 2)
    versions = (await api.get(f"/roles/{role['id']}/versions"))["items"]
    assert [version["version"] for version in versions] == [1, 2]
    assert [item["id"] for item in (await api.get("/roles", status="active"))["items"]] == [role["id"]]


async def test_a_tool_that_is_not_there_is_refused_by_name(api: Api) -> None:
    terms = {**TERMS, "boundary": {"tools": [{"tool": "fly", "mode": "allow"}]}}
    answer = await api.ask("POST", "/roles", terms)
    assert answer.status_code == 422
    assert answer.json()["data"]["problems"][0]["path"] == "boundary.tools[0].tool"


async def test_unknown_fields_are_refused(api: Api) -> None:
    assert (await api.ask("POST", "/roles", {**TERMS, "salary": 5})).status_code == 400
    role = await hired(api)
    assert (await api.ask("PATCH", f"/roles/{role['id']}", {"version": 1, "wage": 1})).status_code == 400
    assert (await api.ask("PATCH", f"/roles/{role['id']}", {"title": "no version"})).status_code == 400


@pytest.mark.parametrize("rol", [Rol.DEPUTY, Rol.OPERATOR, Rol.AUDITOR, Rol.WORKER, Rol.SERVICE])
async def test_only_the_founder_hires_amends_and_retires(api: Api, rol: Rol) -> None:
    role = await hired(api)
    path = f"/roles/{role['id']}"
    assert (await api.ask("POST", "/roles", {**TERMS, "name": "Budi"}, rol=rol)).status_code == 403
    assert (await api.ask("PATCH", path, {"version": 1, "title": "x"}, rol=rol)).status_code == 403
    assert (await api.ask("POST", f"{path}/retire", rol=rol)).status_code == 403
    reading = 403 if rol is Rol.WORKER else 200
    assert (await api.ask("GET", path, rol=rol)).status_code == reading


async def test_a_role_is_paused_resumed_and_retired(api: Api) -> None:
    path = f"/roles/{(await hired(api))['id']}"
    assert (await api.post(f"{path}/pause"))["status"] == "paused"
    assert (await api.post(f"{path}/resume"))["status"] == "active"
    assert (await api.post(f"{path}/retire"))["status"] == "retired"
    assert (await api.ask("POST", f"{path}/resume")).status_code == 409
    assert (await api.ask("GET", f"/roles/{new_id()}")).status_code == 404


async def test_the_company_is_read_changed_paused_and_resumed(api: Api) -> None:
    assert (await api.get("/company"))["currency"] == "IDR"
    assert (await api.patch("/company", {"name": "Warung Baru"}))["name"] == "Warung Baru"
    assert (await api.post("/company/pause"))["all_paused"] is True
    assert (await api.post("/company/resume"))["all_paused"] is False
    assert (await api.ask("PATCH", "/company", {"currency": "rupiah"})).status_code in (400, 422)


async def test_budgets_are_read_and_a_raise_is_asked_for(api: Api) -> None:
    path = f"/roles/{(await hired(api))['id']}/budgets"
    calls = next(item for item in (await api.get(path))["items"] if item["unit"] == "calls")
    assert (calls["limit"], calls["spent"], calls["period"]) == (10_000, 0, "day")
    body = {"line": {"unit": "calls", "period": "day", "limit": 20_000}, "reason": "harvest"}
    asked = await api.ask("POST", f"{path}/raise", body, rol=Rol.OPERATOR)
    assert (asked.status_code, asked.json()["kind"]) == (201, "budget_raise")
    await api.sign(asked.json()["id"])
    calls = next(item for item in (await api.get(path))["items"] if item["unit"] == "calls")
    assert calls["limit"] == 20_000


async def test_a_party_is_proposed_signed_and_forgotten(api: Api) -> None:
    asked = await api.post("/parties", {"name": "CV Maju", "address": "billing@maju.example"})
    assert (await api.get("/parties"))["items"] == []
    await api.sign(asked["id"])
    (party,) = (await api.get("/parties"))["items"]
    again = await api.ask("POST", "/parties", {"name": "Maju", "address": "BILLING@maju.example"})
    assert again.status_code == 409
    assert (await api.ask("DELETE", f"/parties/{party['id']}")).status_code == 200
    assert (await api.get("/parties"))["items"] == []


async def test_an_evaluation_names_its_sources(api: Api) -> None:
    role = await hired(api)
    found = await api.get(f"/roles/{role['id']}/evaluation")
    done = next(metric for metric in found["metrics"] if metric["name"] == "tickets_done")
    assert (done["value"], done["unit"], done["source"]) == (0, "tickets", ["ticket.done"])
    backwards = {"since": "2026-03-02T00:00:00Z", "until": "2026-03-01T00:00:00Z"}
    assert (await api.ask("GET", f"/roles/{role['id']}/evaluation", params=backwards)).status_code == 422


async def test_hiring_with_a_key_hires_once(api: Api) -> None:
    terms = {**TERMS, "boundary": {}}
    answers = [await api.ask("POST", "/roles", terms, key="hire") for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len((await api.get("/roles"))["items"]) == 1

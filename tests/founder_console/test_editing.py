"""Edit before approve at the console and the API: typed fields, the gate's answer, the card in the old one's place."""

from pathlib import Path

import pytest

from app.adapters.evidence import FolderStore
from app.canon.agent import StepContext
from app.canon.contract import ProcedureStep
from app.canon.tool import ToolAnswer, ToolSpec
from app.canon.vocabulary import Risk, Rol
from app.founder_console import create_founder
from app.founder_console.deciding.call_fields import fields_of, typed
from app.founder_console.identity.sessions import start_session
from app.work_queue import Approval
from tests.builders import a_deputy
from tests.execution_graph.ring import Endpoint, Outside, Ring, builtin_tools, loses_its_answer
from tests.execution_graph.test_editing import ORDER, PAYMENT, TICKET
from tests.execution_graph.test_hanging_tools import Telephone, silent_server
from tests.founder_console.test_http import OWN, PAGE, Desk, desk

__all__ = ["desk"]


@pytest.fixture
def told() -> list[ToolAnswer]:
    return []


@pytest.fixture
def ring(desk: Desk, tmp_path: Path) -> Ring:
    """Runs in the desk's company."""
    made = Ring(desk.database, FolderStore(tmp_path / "evidence"), builtin_tools(), Endpoint())
    made.tenant, made.founder = desk.tenant, desk.by
    return made


@pytest.fixture
async def asked(ring: Ring, told: list[ToolAnswer]) -> Approval:
    """A payment that waits for the founder."""

    async def write(ctx: StepContext) -> str:
        told.append(await ctx.call_tool("order_payment", ORDER))
        return "ended"

    view = await ring.run(await ring.hire_scribe(write, PAYMENT), **TICKET)
    return await ring.pending(view.run)


def form(**changes: str) -> dict[str, str]:
    return {f"a.{name}": str(value) for name, value in (ORDER | changes).items()}


async def test_the_form_has_the_calls_fields_and_leads_to_the_card_in_its_place(desk: Desk, asked: Approval) -> None:
    page = await desk.client.get(f"/approvals/{asked.id}/edit", headers=PAGE)
    assert 'name="a.amount_minor" inputmode="decimal" required' in page.text
    assert 'value="500.000"' in page.text
    answer = await desk.client.post(
        f"/approvals/{asked.id}/edit", data=form(amount_minor="400.000") | {"version": "1"}, headers=OWN | PAGE
    )
    assert answer.status_code == 200
    assert "Rp500.000</del> → <ins>Rp400.000" in answer.text
    assert "Anda mengubahnya" in answer.text
    before = await desk.approval(asked.id)
    assert str(answer.url.path) == f"/approvals/{before.superseded_by}"
    old = await desk.client.get(f"/approvals/{asked.id}", headers=PAGE)
    assert f'href="/approvals/{before.superseded_by}"' in old.text


async def test_what_the_gate_refuses_is_said_above_what_was_typed(desk: Desk, asked: Approval) -> None:
    answer = await desk.client.post(
        f"/approvals/{asked.id}/edit", data=form(amount_minor="7000000"), headers=OWN | PAGE
    )
    assert answer.status_code == 422
    assert "7000000" in answer.text
    assert "lolos sampai 1.000.000" in answer.text
    assert (await desk.approval(asked.id)).status == "pending"


async def test_a_tap_on_the_old_card_leads_to_the_new_one(desk: Desk, asked: Approval) -> None:
    api = f"/api/v1/approvals/{asked.id}/edit"
    body = {"arguments": {**ORDER, "reference": "INV-8"}, "version": 1}
    after = (await desk.client.post(api, json=body, headers=desk.token(Rol.FOUNDER))).json()
    assert (after["replaces"], after["status"]) == (str(asked.id), "pending")
    answer = await desk.client.post(
        f"/approvals/{asked.id}/decide", data={"decision": "approve"}, headers=OWN | {"x-fragment": "1"}
    )
    assert answer.status_code == 409
    assert f'href="/approvals/{after["id"]}"' in answer.text
    assert "INV-7 → INV-8" in answer.text


async def test_the_api_says_why_an_edit_is_refused_and_to_whom(desk: Desk, asked: Approval) -> None:
    api = f"/api/v1/approvals/{asked.id}/edit"
    body = {"arguments": {**ORDER, "amount_minor": 7_000_000}}
    answer = await desk.client.post(api, json=body, headers=desk.token(Rol.FOUNDER))
    assert answer.status_code == 409
    assert answer.json()["data"]["facts"][0]["code"] == "money_over_cap"
    assert (await desk.client.post(api, json=body, headers=desk.token(Rol.OPERATOR))).status_code == 403
    assert (await desk.client.post(api, json={"arguments": ORDER}, headers=desk.token(Rol.FOUNDER))).status_code == 422


def test_every_kind_of_argument_has_a_field_and_comes_back_as_it_was() -> None:
    properties = {
        "to": {"type": "array", "items": {"type": "string"}},
        "body": {"type": "string", "maxLength": 5000},
        "urgent": {"type": "boolean"},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "limit": {"type": "integer"},
        "extra": {"type": "object"},
        "rate": {"type": "number"},
    }
    tool = ToolSpec("t", "", {"type": "object", "properties": properties, "required": ["to"]}, Risk.READ, "read")
    call = {"to": ["a@b.co", "c@d.co"], "body": "x\ny", "urgent": True, "kind": "b", "limit": 7, "extra": {"k": [1]}}
    fields = fields_of(tool, call, "en")
    assert [field.kind for field in fields] == ["lines", "text", "yes_no", "choice", "number", "json", "number"]
    assert typed(tool, {field.name: field.value for field in fields}, call) == call
    emptied = {field.name: "" for field in fields}
    assert typed(tool, emptied, call) == {"to": [], "urgent": False}


@pytest.fixture
async def lost(desk: Desk, ring: Ring) -> Approval:
    """A call outside whose answer was lost."""
    bell = Outside("ring_bell")
    bell.answer = loses_its_answer
    ring.tools["ring_bell"] = bell
    desk.app.state.tools = {**desk.app.state.tools, "ring_bell": bell.spec}
    view = await ring.run(await ring.hire("ring_bell", procedure=[ProcedureStep("ring_bell", {"what": "x"})]))
    return await ring.pending(view.run)


async def test_a_lost_outcome_offers_to_try_again_with_the_same_key(desk: Desk, lost: Approval) -> None:
    page = await desk.client.get(f"/approvals/{lost.id}", headers=PAGE)
    assert "Coba lagi dengan kunci yang sama" in page.text
    answer = await desk.client.post(f"/approvals/{lost.id}/retry", data={"version": "1"}, headers=OWN | PAGE)
    assert answer.status_code == 200
    before = await desk.approval(lost.id)
    assert str(answer.url.path) == f"/approvals/{before.superseded_by}"
    assert f"kunci yang sama {lost.run_id}:1" in answer.text
    assert "data-key" in answer.text
    assert f"/approvals/{before.superseded_by}/edit" not in answer.text


async def test_a_deputy_is_told_who_can_have_a_lost_call_made_again(desk: Desk, lost: Approval) -> None:
    async with desk.database.transaction(desk.tenant) as tx:
        deputy = await create_founder(tx, name="Budi", language="id", rol=Rol.DEPUTY)
        await a_deputy(tx, desk.by, str(deputy.id))
        cookie = await start_session(tx, deputy.id, label="phone")
    desk.client.cookies.set("__Host-flr", cookie)
    page = await desk.client.get(f"/approvals/{lost.id}", headers=PAGE)
    assert f"/approvals/{lost.id}/retry" not in page.text
    assert "Hanya pendiri yang dapat meminta dicoba lagi" in page.text


async def test_the_api_has_a_lost_call_made_again_for_a_founder_only(desk: Desk, lost: Approval) -> None:
    api = f"/api/v1/approvals/{lost.id}/retry"
    refused = await desk.client.post(api, json={"version": 1}, headers=desk.token(Rol.DEPUTY))
    assert refused.status_code == 403
    after = (await desk.client.post(api, json={"version": 1}, headers=desk.token(Rol.FOUNDER))).json()
    assert (after["kind"], after["tier"], after["replaces"]) == ("tool_call", "R2", str(lost.id))
    closed = await desk.client.post(api, json={"version": 1}, headers=desk.token(Rol.FOUNDER))
    assert closed.status_code == 409


async def test_a_tool_that_hangs_is_shown_as_what_it_ended(desk: Desk, ring: Ring) -> None:
    async with silent_server() as (port, _):
        ring.tools["telephone"] = Telephone(port, "external")
        view = await ring.run(await ring.hire("telephone", procedure=[ProcedureStep("telephone", {})]))
    page = await desk.client.get(f"/runs/{view.run.id}", headers=PAGE)
    assert "jawaban hilang" in page.text
    card = await desk.client.get(f"/approvals/{view.run.approval_id}", headers=PAGE)
    assert "Apakah ini terjadi?" in card.text


def test_an_amount_is_shown_and_typed_in_its_currency_not_in_cents() -> None:
    tool = builtin_tools()["order_payment"].spec
    before = ORDER | {"amount_minor": 150_050, "currency": "USD"}
    shown = {field.name: field.value for field in fields_of(tool, before, "id")}
    assert shown["a.amount_minor"] == "1.500,50"
    assert typed(tool, shown, before)["amount_minor"] == 150_050
    assert typed(tool, shown | {"a.amount_minor": "900"}, before)["amount_minor"] == 90_000
    assert (
        typed(tool, shown | {"a.amount_minor": "12.105.000", "a.currency": "IDR"}, before)["amount_minor"] == 12_105_000
    )
    assert typed(tool, shown | {"a.amount_minor": "many"}, before)["amount_minor"] == "many"


async def test_the_card_says_the_amount_as_money(desk: Desk, asked: Approval) -> None:
    page = await desk.client.get(f"/approvals/{asked.id}", headers=PAGE)
    assert "<dt>Jumlah</dt><dd>Rp500.000</dd>" in page.text

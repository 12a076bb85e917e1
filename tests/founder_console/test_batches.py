"""Batches, rules, precedents and history at the console."""

import json
from typing import Any

import pytest

from app.canon.approval import ListStatement
from app.canon.canonical_json import digest
from app.canon.vocabulary import Rol, Tier
from app.work_queue import Approval
from tests.execution_graph.ring import Ring
from tests.execution_graph.test_editing import TICKET
from tests.founder_console.test_editing import asked, ring, told
from tests.founder_console.test_http import OWN, PAGE, Desk, desk

__all__ = ["asked", "desk", "ring", "told"]


async def question(desk: Desk, name: str, tier: Tier = Tier.R1) -> Approval:
    payload = {"kind": "tool_call", "arguments": {"what": name}, "text": {"id": f"Kerjakan {name}.", "en": "."}}
    return await desk.ask(tier=tier, act_digest=digest([name]), payload=payload)


def items(*approvals: Approval) -> list[str]:
    return [f"{one.id}:{one.version}" for one in approvals]


async def test_several_are_chosen_looked_at_and_decided_each_by_itself(desk: Desk) -> None:
    first, second, third = [await question(desk, name) for name in ("satu", "dua", "tiga")]
    page = await desk.client.get("/approvals/select", headers=PAGE)
    assert page.text.count('name="item"') == 3
    page = await desk.client.get("/approvals/batch", params={"item": items(first, second)}, headers=PAGE)
    assert "Kerjakan satu." in page.text
    assert "Kerjakan tiga." not in page.text
    chosen = [*items(first), f"{second.id}:9"]
    answer = await desk.client.post(
        "/approvals/batch", data={"item": chosen, "decision": "approve"}, headers=OWN | PAGE
    )
    assert "1 dari 2 diputuskan." in answer.text
    assert "Isinya berubah" in answer.text or "berubah" in answer.text
    assert [(await desk.approval(one.id)).status for one in (first, second, third)] == [
        "approved",
        "pending",
        "pending",
    ]


async def test_high_risk_in_a_list_takes_one_touch_of_the_passkey(desk: Desk) -> None:
    asked = [await question(desk, name, Tier.R2) for name in ("satu", "dua")]
    form = {"item": items(*asked), "decision": "approve"}
    plain = await desk.client.post("/approvals/batch", data=form, headers=OWN | PAGE)
    assert "0 dari 2 diputuskan." in plain.text
    offered: Any = (await desk.client.post("/approvals/batch/statement", data=form, headers=OWN)).json()
    assert [item["approval"] for item in offered["statement"]["items"]] == [str(one.id) for one in asked]
    proof = json.dumps(
        {"kind": "passkey", "statement": offered["statement"], "assertion": desk.device.get(offered["options"])}
    )
    answer = await desk.client.post("/approvals/batch", data=form | {"proof": proof}, headers=OWN | PAGE)
    assert "2 dari 2 diputuskan." in answer.text
    again = await desk.client.post("/approvals/batch", data=form | {"proof": proof}, headers=OWN | PAGE)
    assert again.status_code == 403


async def test_the_api_gives_one_result_for_each(desk: Desk) -> None:
    first, second = await question(desk, "satu"), await question(desk, "dua", Tier.R2)
    body = {"items": [{"approval_id": str(one.id), "decision": "approve", "version": 1} for one in (first, second)]}
    answer: Any = (await desk.client.post("/api/v1/approvals/batch", json=body, headers=desk.token(Rol.FOUNDER))).json()
    assert (answer["decided"], answer["refused"]) == (1, 1)
    assert answer["results"][0]["approval"]["status"] == "approved"
    assert answer["results"][1]["problem"]["status"] == 403
    offered: Any = (
        await desk.client.post("/api/v1/approvals/batch/statement", json=body, headers=desk.token(Rol.FOUNDER))
    ).json()
    assert ListStatement(**offered["statement"]).typ == "flr.decisions.v1"
    assert (
        await desk.client.post("/api/v1/approvals/batch", json=body, headers=desk.token(Rol.OPERATOR))
    ).status_code == 403


@pytest.fixture
async def precedents(ring: Ring, asked: Approval) -> Approval:
    """A payment like two that were approved and one that was rejected."""
    role = asked.role_id
    assert asked.run_id is not None
    async with ring.transaction() as tx:
        from app.role_registry import get_role

        assert role is not None
        hired = await get_role(tx, role)
    view = await ring.view(await _run(ring, asked))
    await ring.decide(view.run)
    for yes in (True, False):
        view = await ring.run(hired, **TICKET)
        await ring.decide(view.run, yes=yes)
    view = await ring.run(hired, **TICKET)
    return await ring.pending(view.run)


async def _run(ring: Ring, asked: Approval) -> Any:
    from app.execution_graph import get_run

    async with ring.transaction() as tx:
        assert asked.run_id is not None
        return await get_run(tx, asked.run_id)


async def test_a_card_says_what_became_of_others_like_it_and_what_befell_it(desk: Desk, precedents: Approval) -> None:
    page = await desk.client.get(f"/approvals/{precedents.id}", headers=PAGE)
    assert "2 serupa disetujui · 1 ditolak" in page.text
    assert "Riwayat kartu" in page.text
    assert "Ditanyakan" in page.text


async def test_a_rule_is_made_from_a_card_tested_and_listed(desk: Desk, precedents: Approval) -> None:
    page = await desk.client.get(f"/approvals/{precedents.id}/rule", headers=PAGE)
    assert "meloloskan 3 dari 3 terakhir; 1 di antaranya Anda tolak" in page.text
    form = {
        "b.amount_minor": "400000",
        "b.currency": "IDR",
        "b.payee": "PT Maju",
        "b.account": "1234567890",
        "uses": "5",
        "until": "2099-01-31",
    }
    tried = await desk.client.get(f"/approvals/{precedents.id}/rule", params=form, headers=PAGE)
    assert "meloloskan 0 dari 3 terakhir" in tried.text
    refused = await desk.client.post(f"/approvals/{precedents.id}/rule", data=form, headers=OWN | PAGE)
    assert refused.status_code == 422
    form |= {"b.amount_minor": "500000", "until": precedents.expires_at.date().isoformat()}
    card = await desk.client.post(f"/approvals/{precedents.id}/rule", data=form, headers=OWN | PAGE)
    assert card.status_code == 200
    assert "tanpa bertanya, paling banyak 5 kali" in card.text
    assert (await desk.client.get("/rules", headers=PAGE)).status_code == 200


async def test_the_api_suggests_the_rule_and_revokes_it(desk: Desk, precedents: Approval) -> None:
    api, token = "/api/v1", desk.token(Rol.FOUNDER)
    said: Any = (await desk.client.get(f"{api}/approvals/{precedents.id}/precedents", headers=token)).json()
    assert (said["precedents"]["approved"], said["precedents"]["rejected"]) == (2, 1)
    assert said["backtest"] == {"asked": 3, "allowed": 3, "approved": 2, "rejected": 1, "erased": 0}
    new = {name: said["rule"][name] for name in ("role_id", "tool", "bounds", "uses", "until")}
    tested: Any = (await desk.client.post(f"{api}/rules/backtest", json=new, headers=token)).json()
    assert tested == said["backtest"]
    asked: Any = (await desk.client.post(f"{api}/rules", json=new, headers=token)).json()
    assert (asked["kind"], asked["tier"]) == ("rule", "R2")
    assert (await desk.client.get(f"{api}/rules", headers=token)).json()["items"] == []
    missing = await desk.client.delete(f"{api}/rules/{precedents.id}", headers=token)
    assert missing.status_code == 404

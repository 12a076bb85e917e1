"""The company's quorum for a program: read, asked for, and signed with the device key like every other question."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.canon.vocabulary import Principal, Rol
from app.cli.output import Failed
from app.cli.quorum import line_of
from app.governance_ledger import EventFilter, read_events
from app.postgres import Database
from app.work_queue import get_approval, set_quorum
from tests.api import Api, api_of
from tests.builders import a_second_founder

TWO = {"lines": [{"tier": "R2", "count": 2, "above": {"minor": 5_000_000, "currency": "IDR"}}]}


@pytest.fixture
async def api(tmp_path: Path, database: Database) -> AsyncIterator[Api]:
    async with api_of(tmp_path, database) as opened:
        yield opened


async def second_founder(api: Api) -> None:
    async with api.database.transaction(api.tenant) as tx:
        await a_second_founder(tx, Principal(str(api.founder), api.tenant, Rol.FOUNDER))


async def put(api: Api, body: Any) -> Any:
    return await api.ask("PUT", "/quorums", body)


async def test_without_one_a_single_person_decides(api: Api) -> None:
    holds = await api.get("/quorums")
    assert (holds["lines"], holds["pending_approval_id"]) == ([], None)
    assert holds["text"] == {"id": ["Satu orang memutuskan."], "en": ["One person decides."]}
    assert holds["able"] == {"founders": 1, "r1": 1, "r2": 1}


async def test_it_is_asked_for_signed_with_the_device_key_and_then_holds(api: Api) -> None:
    await second_founder(api)
    asked = (await put(api, TWO)).json()
    assert (asked["kind"], asked["tier"], asked["status"]) == ("quorum", "R2", "pending")
    assert asked["payload"]["text"]["en"] == (
        "Let this hold for every question from now on? High risk: 2 people must agree. Only above IDR\u00a05,000,000."
    )
    holds = await api.get("/quorums")
    assert (holds["lines"], holds["pending_approval_id"]) == ([], asked["id"])
    await api.sign(asked["id"])
    async with api.database.transaction(api.tenant) as tx:
        await set_quorum(tx, await get_approval(tx, asked["id"]), api.app.state.approval_tokens)
        events = (await read_events(tx, EventFilter(type="quorum.set"))).items
    holds = await api.get("/quorums")
    assert holds["lines"][0] == {**TWO["lines"][0], "founders": False}
    assert [event.data["approval_id"] for event in events] == [asked["id"]]
    assert all(event.approval_signature for event in events)


async def test_without_a_signature_nothing_holds(api: Api) -> None:
    await second_founder(api)
    asked = (await put(api, TWO)).json()
    refused = await api.ask("POST", f"/approvals/{asked['id']}/approve", {})
    assert refused.status_code == 403
    assert (await api.get("/quorums"))["lines"] == []


async def test_the_same_again_is_the_same_question_and_another_takes_its_place(api: Api) -> None:
    await second_founder(api)
    first, again = (await put(api, TWO)).json(), (await put(api, TWO)).json()
    other = (await put(api, {"lines": [{"tier": "R1", "count": 2}]})).json()
    assert first["id"] == again["id"] != other["id"]
    assert (await api.get("/quorums"))["pending_approval_id"] == other["id"]


async def test_more_people_than_there_are_and_what_holds_already_are_refused(api: Api) -> None:
    assert (await put(api, TWO)).json()["code"] == "quorum.too_large"
    assert (await put(api, {"lines": []})).json()["code"] == "quorum.same"
    assert (await put(api, {"lines": [{"tier": "R2", "count": 1}]})).status_code == 400


@pytest.mark.parametrize("rol", [Rol.DEPUTY, Rol.OPERATOR, Rol.AUDITOR])
async def test_only_founders_ask(api: Api, rol: Rol) -> None:
    answer = await api.ask("PUT", "/quorums", TWO, rol=rol)
    assert answer.status_code == 403


def test_a_line_is_read_as_it_is_written() -> None:
    assert line_of("r2=2,founders,above=IDR:5000000") == {
        "tier": "R2",
        "count": 2,
        "founders": True,
        "above": {"minor": 5_000_000, "currency": "IDR"},
    }
    assert line_of("R1=3,above=USD:12.50")["above"] == {"minor": 1_250, "currency": "USD"}
    for wrong in ("R3=2", "R2", "R2=two", "R2=2,everybody", "R2=2,above=IDR:1.5", "R2=2,above=much"):
        with pytest.raises(Failed):
            line_of(wrong)

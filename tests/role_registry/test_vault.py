"""The vault: a value goes in, nobody reads it, and what it is for stands in the ledger."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from app.canon.errors import Misconfigured
from app.canon.vocabulary import Rol, new_id
from app.postgres import Database
from app.role_registry import VaultKeys, ensure_vault_key, open_secret, vault_keys
from tests.api import Api, api_of
from tests.plaintext import files_with, tables_with

VALUE = "sk-live-a7f3-never-shown"


@pytest.fixture
async def api(tmp_path: Path, database: Database) -> AsyncIterator[Api]:
    ensure_vault_key(tmp_path / "keys")
    async with api_of(tmp_path, database) as opened:
        yield opened


async def put(api: Api, value: str = VALUE, **more: object) -> None:
    answer = await api.ask("PUT", "/secrets/shop_key", {"value": value, "description": "The shop's API", **more})
    assert answer.status_code == 200, answer.text
    assert value not in answer.text


async def test_a_secret_is_set_replaced_listed_and_removed_and_never_shown(
    api: Api, superuser: asyncpg.Connection, tmp_path: Path
) -> None:
    await put(api)
    await put(api, "sk-live-b8-the-second")
    listed = await api.ask("GET", "/secrets")
    assert [(item["name"], item["version"]) for item in listed.json()["items"]] == [("shop_key", 2)]
    for value in (VALUE, "sk-live-b8-the-second"):
        assert value not in listed.text
        assert await tables_with(superuser, value) == []
        assert files_with(tmp_path, value) == []
    events = (await api.get("/events", type="secret.*"))["items"]
    assert [event["type"] for event in events] == ["secret.set", "secret.set"]
    assert (await api.ask("DELETE", "/secrets/shop_key")).status_code == 200
    assert (await api.get("/secrets"))["items"] == []
    assert await superuser.fetchval("SELECT count(*) FROM role_registry.secret_values") == 0
    assert (await api.ask("DELETE", "/secrets/shop_key")).status_code == 404


@pytest.mark.parametrize("rol", [Rol.DEPUTY, Rol.OPERATOR, Rol.AUDITOR, Rol.WORKER, Rol.SERVICE])
async def test_only_the_founder_sets_secrets(api: Api, rol: Rol) -> None:
    assert (await api.ask("PUT", "/secrets/shop_key", {"value": VALUE}, rol=rol)).status_code == 403


@pytest.mark.parametrize("rol", [Rol.OPERATOR, Rol.WORKER, Rol.SERVICE])
async def test_workers_and_services_do_not_learn_what_there_is(api: Api, rol: Rol) -> None:
    assert (await api.ask("GET", "/secrets", rol=rol)).status_code == 403


async def test_what_makes_no_sense_is_refused_without_repeating_the_value(api: Api) -> None:
    for name, body in (
        ("Shop", {"value": VALUE}),
        ("shop_key", {"value": "short"}),
        ("shop_key", {"value": VALUE, "header": "Authorization"}),
        ("shop_key", {"value": VALUE, "hosts": ["api.shop.example"]}),
        ("shop_key", {"value": VALUE, "header": "X-Key", "hosts": ["api.shop.example"]}),
        ("shop_key", {"value": VALUE + "\n", "header": "X", "hosts": ["a.example"], "role_ids": [str(new_id())]}),
        ("shop_key", {"value": VALUE, "unknown": 1}),
    ):
        answer = await api.ask("PUT", f"/secrets/{name}", body)
        assert answer.status_code in (400, 422), body
        assert VALUE not in answer.text


async def test_nothing_derived_from_a_value_is_kept_under_an_idempotency_key(api: Api) -> None:
    answer = await api.ask("PUT", "/secrets/shop_key", {"value": VALUE}, key="once")
    assert answer.status_code == 422


async def test_a_sealed_value_opens_only_with_its_key_in_its_place(
    api: Api, database: Database, superuser: asyncpg.Connection, tmp_path: Path
) -> None:
    await put(api)
    keys = vault_keys(tmp_path / "keys")
    async with database.transaction(api.tenant) as tx:
        assert await open_secret(tx, "shop_key", keys, role_id=new_id()) == VALUE
        with pytest.raises(Misconfigured, match="is missing"):
            await open_secret(tx, "shop_key", VaultKeys({"other": bytes(32)}), role_id=new_id())
    await superuser.execute("UPDATE role_registry.secret_values SET sealed = set_byte(sealed, 20, 7)")
    async with database.transaction(api.tenant) as tx:
        with pytest.raises(Misconfigured, match="changed in the database"):
            await open_secret(tx, "shop_key", keys, role_id=new_id())


async def test_another_tenant_sees_no_secret(api: Api, database: Database) -> None:
    await put(api)
    async with database.transaction(new_id()) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM role_registry.secrets") == 0
        assert await tx.connection.fetchval("SELECT count(*) FROM role_registry.secret_values") == 0

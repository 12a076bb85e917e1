"""A revoked API token holds no more, in the process that was told and in every other."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.canon.vocabulary import Rol, new_id
from app.governance_ledger import EventFilter, read_events
from app.postgres import Database
from tests.api import Api, api_of


async def status(api: Api, token: str) -> int:
    answer = await api.client.get("/api/v1/company", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code


@pytest.fixture
async def two(tmp_path: Path, database: Database) -> AsyncIterator[tuple[Api, Api]]:
    """Two processes' applications over one database and one set of keys."""
    async with api_of(tmp_path, database) as one, api_of(tmp_path, database) as other:
        other.tenant, other.founder = one.tenant, one.founder
        yield one, other


async def test_a_revoked_token_is_refused_at_once_here_and_soon_everywhere(two: tuple[Api, Api]) -> None:
    here, there = two
    lost, kept = here.token(), here.token()
    assert (await status(here, lost), await status(there, lost)) == (200, 200)
    revoked = await here.post("/tokens/revoke", {"token": lost, "reason": "the laptop was stolen"})
    assert await status(here, lost) == 401
    await there.app.state.revocations.refresh()
    assert await status(there, lost) == 401
    assert (await status(here, kept), await status(there, kept)) == (200, 200)
    async with here.database.transaction(here.tenant) as tx:
        (event,) = (await read_events(tx, EventFilter(type="token.revoked"))).items
    assert event.data["jti"] == revoked["jti"]
    assert event.data["reason"] == "the laptop was stolen"


async def test_a_token_can_be_named_by_its_id_alone_and_twice(two: tuple[Api, Api]) -> None:
    here, _ = two
    token = here.token()
    jti = here.app.state.tokens.verify(token).jti
    first = await here.post("/tokens/revoke", {"jti": jti})
    again = await here.post("/tokens/revoke", {"jti": jti})
    assert first["jti"] == again["jti"] == jti
    assert await status(here, token) == 401


async def test_nobody_but_a_founder_revokes_and_no_founder_another_companys(two: tuple[Api, Api]) -> None:
    here, _ = two
    foreign = here.token(tenant=new_id())
    assert (await here.ask("POST", "/tokens/revoke", {"token": foreign})).status_code == 422
    refused = await here.ask("POST", "/tokens/revoke", {"jti": str(new_id())}, rol=Rol.OPERATOR)
    assert refused.status_code == 403
    assert (await here.ask("POST", "/tokens/revoke", {})).status_code == 422
    assert here.app.state.tokens.verify(foreign).jti

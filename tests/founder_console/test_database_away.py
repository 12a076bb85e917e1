"""A database that goes away in the middle of a request: said as what it is, never as a fault of the server's."""

import pytest
from litestar import get
from litestar.di import NamedDependency

from app.postgres import Transaction
from tests.founder_console.test_http import PAGE, Desk, desk

__all__ = ["desk"]


@get("/api/v1/cut")
async def cut(tx: NamedDependency[Transaction]) -> str:
    """As a server that is shut down does to whoever is connected."""
    return str(await tx.connection.fetchval("SELECT pg_terminate_backend(pg_backend_pid())"))


@pytest.mark.parametrize("headers", [PAGE, {"accept": "application/json"}])
async def test_a_connection_that_dies_under_a_request_is_a_database_that_is_away(
    desk: Desk, headers: dict[str, str]
) -> None:
    desk.app.register(cut)
    answer = await desk.client.get("/api/v1/cut", headers=headers)
    assert answer.status_code == 503
    assert (await desk.client.get("/", headers=PAGE)).status_code == 200

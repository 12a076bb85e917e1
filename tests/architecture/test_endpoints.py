"""The endpoints that the founder fixed: final paths, documented with a summary, an answer and error bodies."""

from functools import cache
from typing import Any

import pytest
from litestar import Litestar, Router
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig

FIXED = """
GET /roles
GET /roles/{id}
POST /roles
PATCH /roles/{id}
POST /roles/{id}/pause
POST /roles/{id}/resume
GET /tickets
POST /tickets
PATCH /tickets/{id}
POST /tickets/{id}/approve
POST /tickets/{id}/reject
POST /exec/start/{id}
GET /exec/{id}/status
POST /exec/{id}/resume
POST /events
GET /events
GET /events/{id}/evidence
GET /events/chain-verify
GET /console/summary
GET /console/pending-approval
POST /console/approve/{id}
POST /console/reject/{id}
GET /console/copilot-brief
GET /console/ledger/recent
"""


@cache
def paths() -> dict[str, dict[str, Any]]:
    """Operations by `METHOD /path`, parameters written `{id}`."""
    from app.main import API, _api_routes, provide_tx

    api = Router(API, route_handlers=[*_api_routes()], dependencies={"tx": Provide(provide_tx)})
    app = Litestar([api], openapi_config=OpenAPIConfig("test", "1"))
    schema = app.openapi_schema.to_schema()
    found: dict[str, dict[str, Any]] = {}
    for path, operations in schema["paths"].items():
        plain = "/".join("{id}" if part.startswith("{") else part for part in path.removeprefix(API).split("/"))
        found |= {f"{method.upper()} {plain}": operation for method, operation in operations.items()}
    return found


@pytest.mark.parametrize("endpoint", FIXED.strip().splitlines())
def test_a_fixed_endpoint_is_there_and_documented(endpoint: str) -> None:
    operation = paths()[endpoint]
    assert operation["summary"]
    statuses = operation["responses"]
    assert any(status.startswith("2") for status in statuses)
    assert any(status.startswith("4") for status in statuses), "says how it refuses"


def test_every_endpoint_of_the_api_has_a_summary_and_a_tag() -> None:
    assert [name for name, operation in paths().items() if not operation.get("summary")] == []
    assert [name for name, operation in paths().items() if not operation.get("tags")] == []


def test_whatever_is_refused_is_refused_as_problem_json() -> None:
    bodies = {
        f"{name} {status}": sorted(answer.get("content", {}))
        for name, operation in paths().items()
        for status, answer in operation["responses"].items()
        if status.startswith(("4", "5"))
    }
    assert {where: types for where, types in bodies.items() if types != ["application/problem+json"]} == {}


@pytest.mark.parametrize("status", ["400", "401", "422"])
def test_what_any_request_may_be_told_is_documented(status: str) -> None:
    assert [name for name, operation in paths().items() if status not in operation["responses"]] == []

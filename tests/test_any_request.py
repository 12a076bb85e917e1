"""Whatever is sent to any handler of the composed application: an answer of ours, never a crash."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from app.canon.vocabulary import Rol, new_id
from tests.builders import a_role, a_ticket
from tests.founder_console.test_http import OWN, PAGE, Desk, desk

__all__ = ["desk"]

DEEP = b"[" * 100_000
FORM = "application/x-www-form-urlencoded"
BODIES = {
    "deep": ("application/json", DEEP),
    "not UTF-8": ("application/json", b'{"title": "\xff"}'),
    "wrong type": ("text/plain", b"{}"),
    "empty": ("", b""),
    "form": (FORM, b"name=%00&item=%C2%B2&version=%C2%B2&uses=%C2%B2&days=" + b"9" * 5000),
    "parts": (
        "multipart/form-data; boundary=b",
        b'--b\r\ncontent-disposition: form-data; name="title"\r\n\r\n\xed\xa0\x80\r\n--b--\r\n',
    ),
    "no parts": ("multipart/form-data", b"--b"),
}
WITHOUT_END = {"/events", "/logout", "/settings/servers/ask"}
"""A stream, the end of the session, and a question to another server."""


def handlers(app: Litestar, *, writing: bool) -> Iterator[tuple[str, str]]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute) or route.path in WITHOUT_END:
            continue
        for handler in route.route_handlers:
            yield from _methods(route.path, handler, writing=writing)


def _methods(path: str, handler: HTTPRouteHandler, *, writing: bool) -> Iterator[tuple[str, str]]:
    for method in handler.http_methods:
        if method != "OPTIONS" and writing == (str(method) in ("POST", "PUT", "PATCH", "DELETE")):
            yield str(method), path


def filled(path: str, ids: dict[str, str], text: str) -> str:
    return re.sub(r"\{(\w+):(\w+)\}", lambda found: ids.get(found[1], _id(found[2], text)), path)


def _id(kind: str, text: str) -> str:
    return str(new_id()) if kind == "uuid" else "1" if kind == "int" else text


@pytest.fixture
async def ids(desk: Desk) -> dict[str, str]:
    """Something of each kind, so that handlers come as far as they can."""
    async with desk.database.transaction(desk.tenant) as tx:
        role = await a_role(tx, desk.by)
        ticket = await a_ticket(tx, desk.by, role_id=role.id)
    asked = await desk.ask(on_ticket=True, role_id=role.id)
    return {"role_id": str(role.id), "ticket_id": str(ticket.id), "approval_id": str(asked.id)}


async def sent(desk: Desk, method: str, path: str, **more: Any) -> httpx.Response:
    api = path.startswith("/api/")
    headers = (desk.token(Rol.FOUNDER) if api else OWN | PAGE) | more.pop("headers", {})
    return await desk.client.request(method, path, headers=headers, follow_redirects=False, **more)


@pytest.mark.parametrize("body", BODIES)
async def test_no_body_crashes_a_handler_with_or_without_a_key(desk: Desk, ids: dict[str, str], body: str) -> None:
    content_type, content = BODIES[body]
    for place, (method, path) in enumerate(handlers(desk.app, writing=True)):
        key = {"Idempotency-Key": f"{place}"} if place % 2 == len(body) % 2 else {}
        headers = {"content-type": content_type} | key
        answer = await sent(desk, method, filled(path, ids, "a"), content=content, headers=headers)
        assert answer.status_code < 500 or _without_key_file(answer), f"{method} {path}: {answer.text}"


def _without_key_file(answer: httpx.Response) -> bool:
    """The application of this test has no keys for personal data: it says so."""
    return answer.status_code == 500 and "flr migrate" in answer.text


@pytest.mark.parametrize("text", ["a%00b", "%ed%a0%80", "%C2%B2", "9" * 5000])
async def test_no_path_and_no_query_crashes_a_handler(desk: Desk, ids: dict[str, str], text: str) -> None:
    names = ("after", "cursor", "type", "actor", "kind", "worker", "role", "decided", "item", "q", "older", "newer")
    query = "&".join(f"{name}={text}" for name in names)
    for method, path in (*handlers(desk.app, writing=False), *handlers(desk.app, writing=True)):
        here = filled(path, ids, text)
        answer = await sent(desk, method, f"{here}?{query}")
        assert answer.status_code < 500 or _without_key_file(answer), f"{method} {here}: {answer.text}"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/console/copilot-brief?day=9999-12-31",
        "/api/v1/console/copilot-brief?day=0001-01-01",
        "/api/v1/events?since=0001-01-01T00:00:00%2B14:00",
        "/api/v1/events?until=9999-12-31T23:59:59-14:00",
        "/ledger?since=0001-01-01&until=9999-12-31",
        "/api/v1/ledger/proofs/inclusion/1?size=" + "9" * 30,
        "/api/v1/ledger/proofs/consistency?first=1&second=" + "9" * 30,
        "/api/v1/exec/01a21cbe-20f9-7769-9a0d-66878b52a8f2/calls/" + "9" * 30,
    ],
)
async def test_no_number_and_no_instant_is_too_large_to_be_answered(desk: Desk, path: str) -> None:
    assert (await sent(desk, "GET", path)).status_code < 500


@pytest.mark.parametrize("due", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z"])
async def test_no_deadline_of_a_program_takes_the_founders_pages_away(desk: Desk, due: str) -> None:
    body = {"title": "Count", "instructions": "Count all boxes.", "due_at": due}
    headers = desk.token(Rol.SERVICE)
    opened = await desk.client.post("/api/v1/tickets", json=body, headers=headers)
    event = {"type": "x.order", "data": {"money": {"minor": "--1", "currency": "IDR"}}, "occurred_at": due}
    await desk.client.post("/api/v1/events", json=event, headers=headers)
    assert opened.status_code == 422
    for page in ("/", "/tickets", "/ledger", "/copilot", "/money"):
        assert (await sent(desk, "GET", page)).status_code == 200, page

"""Cursors made by hand, of another list or of another company: a page of one's own, or a problem; nothing else."""

import base64

import pytest

from app.canon.vocabulary import Rol, new_id
from app.work_queue.cursors import write_cursor
from tests.builders import a_ticket
from tests.founder_console.test_http import Desk, desk
from tests.test_any_request import filled, handlers, ids

__all__ = ["desk", "ids"]

OTHER = new_id()


def packed(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


FORGED = [
    *(write_cursor(mark, OTHER) for mark in ("tickets", "approvals", "t", "a", "events", "roles", "")),
    *(packed(b"\xff" * length) for length in (7, 8, 16, 24, 25, 32, 1000)),
    *(packed(mark + OTHER.bytes[:9]) for mark in (b"tickets:", b"approvals:", b"\0:")),
    *("0", "-1", "1", str(2**63 - 1), str(2**63), str(2**64), "1e9", "NaN", "null", "[]", "{}", "%00", "a" * 60_000),
    *(str(OTHER), f"{OTHER}:1", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z,1", f"2026-01-01T00:00:00Z~{OTHER}"),
]


@pytest.mark.parametrize("name", ["cursor", "after", "before", "older", "newer"])
async def test_a_forged_cursor_is_a_page_or_a_problem(desk: Desk, ids: dict[str, str], name: str) -> None:
    lists = [path for _, path in handlers(desk.app, writing=False) if path.startswith("/api/") and path.count("{") < 2]
    for path in lists:
        for forged in FORGED:
            answer = await desk.client.get(
                filled(path, ids, "a"), params={name: forged}, headers=desk.token(Rol.FOUNDER)
            )
            assert answer.status_code < 500 or "flr migrate" in answer.text, f"{path} {forged[:40]}: {answer.text}"
            if answer.status_code >= 400:
                assert answer.headers["content-type"].startswith("application/problem+json"), path


async def test_another_companys_cursor_shows_nothing_of_it(desk: Desk) -> None:
    stranger = new_id()
    async with desk.database.transaction(stranger) as tx:
        theirs = [await a_ticket(tx, desk.by) for _ in range(3)]
    async with desk.database.transaction(desk.tenant) as tx:
        await a_ticket(tx, desk.by)
    for ticket in theirs:
        page = await desk.client.get(
            "/api/v1/tickets", params={"after": write_cursor("tickets", ticket.id)}, headers=desk.token(Rol.FOUNDER)
        )
        assert not {str(one.id) for one in theirs} & {item["id"] for item in page.json().get("items", [])}

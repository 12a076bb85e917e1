"""A worker's text cannot turn the reading around, nor steer the terminal in which a founder signs."""

import pytest

from app.cli.approving import confirm
from app.cli.output import Failed
from app.founder_console.screens.rendering import Frontend
from tests.builders import a_ticket
from tests.founder_console.test_http import PAGE, Desk, desk

__all__ = ["desk"]

TURNED = "account \u202e4321\u202c, PT \u2066Kopi\u2069"
STEERS = "\x1b[2J\x1b[HPay Rp1\r\x9b2K\x7f\x08"


@pytest.mark.parametrize(
    "page", ["/", "/approvals", "/approvals/{id}", "/approvals/{id}/edit", "/tickets", "/tickets/{ticket}"]
)
async def test_a_page_shows_signs_that_turn_the_reading_around(desk: Desk, page: str) -> None:
    async with desk.database.transaction(desk.tenant) as tx:
        ticket = await a_ticket(tx, desk.by, title=TURNED, instructions=TURNED)
    payload = {
        "text": {"en": TURNED, "id": TURNED},
        "tool": {"name": "pay"},
        "arguments": {"to": TURNED, "cc": ["x", TURNED]},
    }
    asked = await desk.ask(ticket_id=ticket.id, payload=payload, tool="pay")
    answer = await desk.client.get(page.format(id=asked.id, ticket=ticket.id), headers=PAGE)
    assert answer.status_code == 200
    assert "\\u202e4321" in answer.text
    assert not set(answer.text) & set("\u202e\u202c\u2066\u2069")


def test_a_template_shows_them_whatever_gave_the_text() -> None:
    environment = Frontend()._environment
    shown = environment.from_string("{{ a }}|{{ a|breaks }}|{{ n }}|<b>{{ a|upper }}</b>").render(a=TURNED, n=5)
    assert not set(shown) & set("\u202e\u202c\u2066\u2069")
    assert shown.startswith("account \\u202e4321\\u202c")
    assert "|5|<b>" in shown


def test_what_is_asked_in_a_terminal_steers_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "n")
    payload = {"text": {"en": f"Pay 5,000,000. {STEERS}{TURNED}"}, "arguments": {"to": STEERS + TURNED}}
    with pytest.raises(Failed):
        confirm({"kind": "tool_call", "payload": payload}, "approve")
    shown = capsys.readouterr().out
    assert "Pay 5,000,000. \\u001b[2J" in shown
    assert not [sign for sign in shown if not sign.isprintable() and sign != "\n"]

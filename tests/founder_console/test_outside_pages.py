"""Tools from outside and secrets at the console, over real requests to a real server."""

import re
import shlex
import sys
from html import unescape
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.adapters.sandbox import NoSandbox, bubblewrap
from app.canon.tool_server import Folder, HeaderSecret, HttpServer, ServerTool, StdioServer, ToolServer
from app.canon.vocabulary import Risk
from app.founder_console.options.server_forms import wanted_of
from app.governance_ledger import EventFilter, read_events
from app.role_registry import ensure_vault_key, list_secrets, propose_server, tool_servers
from app.role_registry.server_words import server_question
from app.role_registry.servers import sign_server
from app.work_queue import get_approval
from tests.builders import APPROVALS, approve
from tests.founder_console.test_http import OWN, PAGE, Desk, desk

__all__ = ["desk"]

TRIAL = Path(__file__).parents[1] / "adapters" / "mcp_servers.py"
VALUE = "sk-live-4d1c9a77e2"
FIND = ServerTool(name="find", description="Finds a <b>customer</b>.", risk=Risk.READ, effect="read")
TELL = ServerTool(name="tell", description="Writes to a customer.")
CRM = ToolServer(
    name="crm",
    at=StdioServer(("/opt/crm/bin/python", "-m", "crm"), {}, {"KEY": "crm_key"}, (Folder("/srv/crm"),), network=True),
    tools=(FIND, TELL),
)


async def attach(desk: Desk, server: ToolServer = CRM) -> None:
    """Proposed and signed."""
    async with desk.database.transaction(desk.tenant) as tx:
        asked = await propose_server(tx, server, by=desk.by, undo_seconds=0)
        await approve(tx, asked.id, desk.by)
        await sign_server(tx, await get_approval(tx, asked.id), APPROVALS)


def test_the_question_says_where_it_runs_what_it_reaches_and_what_each_tool_does() -> None:
    said = server_question(CRM)
    assert said["en"] == (
        "Let workers use the tools of crm? The program runs on this machine, locked away: /opt/crm/bin/python -m crm. "
        "Network on: it reaches all that this machine reaches. It may read /srv/crm. It is given these secrets: "
        "crm_key. Tools: find (only reads), tell (acts outside)."
    )
    assert said["id"] == (
        "Izinkan pekerja memakai alat dari crm? Programnya berjalan di mesin ini, terkunci: "
        "/opt/crm/bin/python -m crm. "
        "Jaringan menyala: ia menjangkau semua yang dijangkau mesin ini. Ia boleh membaca /srv/crm. Ia diberi rahasia "
        "ini: crm_key. Alat: find (hanya membaca), tell (bertindak ke luar)."
    )
    far = server_question(ToolServer(name="crm", at=HttpServer("https://crm.example/mcp"), tools=(TELL,)))
    assert "The server is outside, at https://crm.example/mcp;" in far["en"]
    assert "Network" not in far["en"]


async def test_an_attached_server_is_shown_and_removed(desk: Desk) -> None:
    assert "Belum ada peladen alat." in (await desk.client.get("/settings/servers", headers=PAGE)).text
    await attach(desk)
    page = (await desk.client.get("/settings/servers", headers=PAGE)).text
    for part in ("crm.find", "Hanya membaca", FIND.listing_hash[:16], "Jaringan menyala", "crm_key", "/srv/crm"):
        assert part in page
    gone = await desk.client.post("/settings/servers/crm/remove", headers=OWN | PAGE)
    assert "crm.find" not in gone.text
    async with desk.database.transaction(desk.tenant) as tx:
        assert await tool_servers(tx) == ()


async def test_the_card_shows_each_tool_with_its_risk_and_all_that_is_signed(desk: Desk) -> None:
    async with desk.database.transaction(desk.tenant) as tx:
        asked = await propose_server(tx, CRM, by=desk.by, undo_seconds=0)
    page = (await desk.client.get(f"/approvals/{asked.id}", headers=PAGE)).text
    for part in ("Hanya membaca · Finds a &lt;b&gt;customer&lt;/b&gt;.", "Tempat berjalan", "find: argumen", "crm_key"):
        assert part in page


@pytest.mark.timeout(300)
async def test_a_server_is_asked_for_its_tools_and_proposed(desk: Desk) -> None:
    command = [str(Path(sys.prefix) / "bin" / "python"), "-m", "mcp_server_time", "--local-timezone", "UTC"]
    form = {"name": "time", "where": shlex.join(command)}
    page = await desk.client.post("/settings/servers/ask", headers=OWN | PAGE, data=form)
    if not locked():
        assert (page.status_code, "apt-get install bubblewrap" in page.text) == (422, True)
        return
    assert page.status_code == 200, page.text
    assert 'name="risk-convert_time"' in page.text
    listed = _hidden(page.text, "listed")
    chosen = form | {"listed": listed, "risk-convert_time": "read", "risk-get_current_time": "none"}
    card = await desk.client.post("/settings/servers", headers=OWN | PAGE, data=chosen)
    asked = await desk.approval(UUID(card.url.path.removeprefix("/approvals/")))
    assert (asked.kind, str(asked.tier)) == ("tool_server", "R2")
    assert "Alat: convert_time (hanya membaca)." in str(asked.payload["text"])


@pytest.mark.timeout(300)
async def test_a_server_with_a_secret_and_a_folder_is_asked_with_a_value_that_is_kept_nowhere(desk: Desk) -> None:
    ensure_vault_key(desk.settings.keys)
    secret = {"name": "crm_key", "value": VALUE}
    await desk.client.post("/settings/secrets", headers=OWN | PAGE, data=secret)
    command = [str(Path(sys.prefix) / "bin" / "python"), str(TRIAL), "plain"]
    form = {
        "name": "trial",
        "where": shlex.join(command),
        "secret-0": "crm_key",
        "place-0": "TOKEN",
        "reads": str(TRIAL),
    }
    unasked = await desk.client.post("/settings/servers/ask", headers=OWN | PAGE, data=form)
    assert (unasked.status_code, "crm_key sekali" in unasked.text) == (422, True)
    if not locked():
        return
    page = await desk.client.post("/settings/servers/ask", headers=OWN | PAGE, data=form | {"value-0": VALUE})
    assert page.status_code == 200, page.text
    assert VALUE not in page.text
    for name, value in (("place-0", "TOKEN"), ("secret-0", "crm_key")):
        assert _hidden(page.text, name) == [value]
    chosen = form | {"listed": _hidden(page.text, "listed"), "risk-add": "read", "risk-look": "none"}
    card = await desk.client.post("/settings/servers", headers=OWN | PAGE, data=chosen)
    asked = await desk.approval(UUID(card.url.path.removeprefix("/approvals/")))
    [change] = msgspec.convert(asked.payload["change"], list[dict[str, Any]])
    assert change["after"]["at"] == {
        "transport": "stdio",
        "command": command,
        "environment": {},
        "secrets": {"TOKEN": "crm_key"},
        "folders": [{"path": str(TRIAL), "writable": False}],
        "network": False,
    }
    assert f"Ia boleh membaca {TRIAL}. Ia diberi rahasia ini: crm_key." in str(asked.payload["text"])
    assert VALUE not in str(asked.payload)


def test_an_address_gets_its_secret_as_a_header_behind_its_prefix() -> None:
    data = {"where": "https://crm.example/mcp", "secret-1": "crm_key", "place-1": "Authorization", "prefix": "Bearer"}
    assert wanted_of(data).place == HttpServer(
        "https://crm.example/mcp", {"Authorization": HeaderSecret("crm_key", "Bearer ")}
    )


@pytest.mark.parametrize("folder", ["/etc", "srv/crm", "/srv/../etc"])
async def test_a_folder_that_no_server_may_see_is_refused_before_anything_is_started(desk: Desk, folder: str) -> None:
    form = {"name": "crm", "where": "/opt/crm/bin/python -m crm", "reads": folder}
    page = await desk.client.post("/settings/servers/ask", headers=OWN | PAGE, data=form)
    assert (page.status_code, folder in page.text) == (422, True)


def locked() -> bool:
    try:
        bubblewrap()
    except NoSandbox:
        return False
    return True


def _hidden(page: str, name: str) -> list[str]:
    return [unescape(value) for value in re.findall(rf'name="{name}" value="([^"]*)"', page)]


@pytest.mark.parametrize("where", ["http://elsewhere.example/mcp", "python -m crm", "'", ""])
async def test_a_place_where_no_server_may_be_is_refused_before_anything_is_started(desk: Desk, where: str) -> None:
    form = {"name": "crm", "where": where}
    page = await desk.client.post("/settings/servers/ask", headers=OWN | PAGE, data=form)
    assert page.status_code == 422
    assert 'role="alert"' in page.text


async def test_a_secret_is_set_listed_and_forgotten_and_never_shown(desk: Desk) -> None:
    ensure_vault_key(desk.settings.keys)
    form = {"name": "crm_key", "value": VALUE, "description": "Key of the CRM"}
    pages = [await desk.client.post("/settings/secrets", headers=OWN | PAGE, data=form)]
    await attach(desk)
    pages.append(await desk.client.get("/settings/secrets", headers=PAGE))
    assert "Key of the CRM" in pages[1].text
    assert "peladen crm" in pages[1].text
    pages.append(await desk.client.get("/settings/servers", headers=PAGE))
    pages.append(await desk.client.get("/ledger", headers=PAGE))
    pages.append(await desk.client.post("/settings/secrets/crm_key/remove", headers=OWN | PAGE))
    assert all(page.status_code == 200 and VALUE not in page.text for page in pages)
    async with desk.database.transaction(desk.tenant) as tx:
        assert await list_secrets(tx) == ()
        events = (await read_events(tx, EventFilter())).items
    assert VALUE not in str(events)


@pytest.mark.parametrize(
    "wrong", [{"value": "short"}, {"name": "Not A Name"}, {"header": "X-Key"}, {"hosts": "https://crm.example/"}]
)
async def test_what_is_no_secret_is_refused_and_its_value_is_not_shown_again(desk: Desk, wrong: dict[str, str]) -> None:
    ensure_vault_key(desk.settings.keys)
    form = {"name": "crm_key", "value": VALUE} | wrong
    page = await desk.client.post("/settings/secrets", headers=OWN | PAGE, data=form)
    assert (page.status_code, 'role="alert"' in page.text) == (422, True)
    assert form["value"] not in page.text
    async with desk.database.transaction(desk.tenant) as tx:
        assert await list_secrets(tx) == ()

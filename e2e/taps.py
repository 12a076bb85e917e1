"""The states that only a tap leads to, each brought about as a founder would."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from app.canon.vocabulary import new_id
from app.role_registry import get_role, pause_all, resume_all
from app.work_queue import Approval
from e2e.browser import Phone
from e2e.company import Company
from e2e.conftest import Keychain
from e2e.states import seen_through
from tests.processes import free_port, wait_until

TRIAL = Path(__file__).parents[1] / "tests" / "adapters" / "mcp_servers.py"
EXPECTED = re.compile(r"status of 4(09|22)|ERR_FAILED")


@contextmanager
def tool_server() -> Iterator[str]:
    """The address of a real MCP server, in a process of its own."""
    port = free_port()
    address = f"http://127.0.0.1:{port}/mcp"
    server = subprocess.Popen([sys.executable, str(TRIAL), "http", str(port)], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _answers(address), said="the tool server answers")
        yield address
    finally:
        server.kill()
        server.wait()


def _answers(address: str) -> bool:
    try:
        httpx.get(address, timeout=2)
    except httpx.TransportError:
        return False
    return True


class Taps:
    """Whoever taps: brings each state about that only a tap leads to, and says its name while it stands."""

    def __init__(self, phone: Phone, company: Company, keychain: Keychain, asked: Approval) -> None:
        self._phone, self._page, self._company, self._asked = phone, phone.page, company, asked
        phone.add_authenticator()
        phone.give(keychain.credentials)

    def states(self) -> Iterator[str]:
        for bring in (
            self._can_be_undone,
            self._decided_elsewhere,
            self._changed_under_the_hand,
            self._not_recognised,
            self._kept_offline,
            self._list_decided,
            self._keys_told,
            self._device_linked,
            self._codes_renewed,
            self._deputy_linked,
            self._tools_listed,
            self._refused,
            self._all_paused,
        ):
            with bring():
                yield bring.__name__.strip("_")
            self._phone.problems[:] = [one for one in self._phone.problems if not EXPECTED.search(one)]

    def _ask(self, **wanted: Any) -> Approval:
        role_id = self._asked.role_id
        assert role_id is not None
        role = self._company.tell(lambda tx: get_role(tx, role_id))
        return self._company.ask(role, to=f"{new_id()}@contoh.id", **wanted)

    def _tap(self, what: str) -> None:
        self._page.locator(what).first.click()

    @contextmanager
    def _can_be_undone(self) -> Iterator[None]:
        self._phone.open(f"/approvals/{self._ask(undo_seconds=60).id}")
        self._tap("approval-card .ok")
        self._page.locator("undo-toast").wait_for()
        yield

    @contextmanager
    def _decided_elsewhere(self) -> Iterator[None]:
        asked = self._ask()
        self._phone.open(f"/approvals/{asked.id}")
        self._company.decide(asked, "reject")
        self._page.get_by_role("alert").first.wait_for()
        yield

    @contextmanager
    def _changed_under_the_hand(self) -> Iterator[None]:
        asked = self._ask()
        with self._unheard():
            self._phone.open(f"/approvals/{asked.id}")
            self._company.decide(asked, "reject")
            self._tap("approval-card .ok")
            self._page.locator(".card.notice").wait_for()
            yield

    @contextmanager
    def _unheard(self) -> Iterator[None]:
        """No news reaches the page."""
        self._page.route("**/events*", lambda route: route.abort())
        try:
            yield
        finally:
            self._page.unroute("**/events*")

    @contextmanager
    def _not_recognised(self) -> Iterator[None]:
        self._phone.recognise(False)
        self._phone.open(f"/approvals/{self._asked.id}")
        self._tap("approval-card .ok")
        self._page.locator("#toasts > *").wait_for()
        yield
        self._phone.recognise(True)

    @contextmanager
    def _kept_offline(self) -> Iterator[None]:
        asked = self._ask()
        seen_through(self._phone, "/approvals")
        self._phone.context.set_offline(True)
        try:
            self._tap(f"#a-{asked.id} .ok")
            self._page.locator(f"#a-{asked.id} .stored").wait_for()
            yield
        finally:
            self._phone.context.set_offline(False)
            self._phone.problems.clear()

    @contextmanager
    def _list_decided(self) -> Iterator[None]:
        one, other = self._ask(), self._ask()
        self._phone.open(f"/approvals/batch?item={one.id}:1&item={other.id}:1")
        self._company.decide(other, "reject")
        self._tap("main form .ok")
        self._page.wait_for_url("**/approvals/batch")
        yield

    @contextmanager
    def _keys_told(self) -> Iterator[None]:
        self._phone.open("/")
        self._page.keyboard.press("?")
        self._page.locator("dialog[open]").wait_for()
        yield

    @contextmanager
    def _device_linked(self) -> Iterator[None]:
        self._phone.open("/settings/keys")
        self._tap("form[action='/settings/devices'] button")
        self._page.locator("svg[role=img]").wait_for()
        yield

    @contextmanager
    def _codes_renewed(self) -> Iterator[None]:
        self._phone.open("/settings/keys")
        self._tap("form[action='/settings/codes'] button")
        self._page.locator(".codes").wait_for()
        yield

    @contextmanager
    def _deputy_linked(self) -> Iterator[None]:
        self._phone.open("/settings/people")
        self._tap("form[action$='/link'] button")
        self._page.locator("svg[role=img]").wait_for()
        yield

    @contextmanager
    def _tools_listed(self) -> Iterator[None]:
        with tool_server() as address:
            self._phone.open("/settings/servers")
            self._page.locator("[name=name]").fill("trial")
            self._page.locator("[name=where]").fill(address)
            self._tap("form[action='/settings/servers/ask'] > button")
            self._page.locator("[name='risk-add']").first.wait_for(state="attached")
            yield

    @contextmanager
    def _refused(self) -> Iterator[None]:
        """A form that was handed in and cannot be taken."""
        self._phone.open(f"/workers/{self._asked.role_id}/amend")
        self._tap("main form.form > button")
        self._page.get_by_role("alert").first.wait_for()
        yield

    @contextmanager
    def _all_paused(self) -> Iterator[None]:
        self._company.tell(lambda tx: pause_all(tx, self._company.founder))
        try:
            self._phone.open("/")
            yield
        finally:
            self._company.tell(lambda tx: resume_all(tx, self._company.founder))

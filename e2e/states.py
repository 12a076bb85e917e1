"""The other states of a screen, brought about as life would: no network, a slow or broken server, no right, nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from playwright.sync_api import expect

from app.founder_console.identity.sessions import cookie_name, start_session
from app.founder_console.model import Language, Preferences
from app.founder_console.store import update_preferences
from e2e.browser import Phone
from e2e.company import Company
from e2e.conftest import slow_database, without_database
from tests.processes import Machine, wait_until

LIVE = ("/", "/approvals", "/workers", "/money", "/copilot", "/tickets?show=all", "/ledger")
TABS = LIVE[:5]
EMPTY = (*LIVE[:5], "/approvals/history", "/tickets", "/rules", "/settings/servers", "/settings/secrets")
NOWHERE = "00000000-0000-7000-8000-000000000000"
GONE = (f"/approvals/{NOWHERE}", f"/workers/{NOWHERE}", f"/tickets/{NOWHERE}", f"/ledger/{NOWHERE}", "/nowhere")
DENIED = ("/settings/people/new",)
NARROWED = ("/", "/approvals", "/settings", "/settings/people", "/settings/company", "/settings/servers")


def seen_through(phone: Phone, path: str) -> None:
    """The page is kept by the service worker: opened once under its eyes."""
    phone.open(path)
    phone.await_worker()
    wait_until(
        lambda: phone.page.evaluate("Boolean(navigator.serviceWorker.controller)") or phone.page.reload() is None,
        said="a controlling worker",
    )
    phone.open(path)
    wait_until(
        lambda: phone.page.evaluate("""async () => Boolean(await caches.match(new URL(location).pathname))"""),
        said="a kept page",
    )


@contextmanager
def offline(phone: Phone, path: str) -> Iterator[None]:
    """The page as it was last seen, read without a network."""
    seen_through(phone, path)
    phone.context.set_offline(True)
    try:
        phone.open(path)
        phone.page.locator("#net").wait_for()
        yield
    finally:
        phone.context.set_offline(False)
        phone.problems.clear()


@contextmanager
def stale(phone: Phone, served: Machine, path: str) -> Iterator[None]:
    """The page is open, and its server has broken since."""
    phone.open(path)
    with without_database(served):
        phone.page.evaluate("dispatchEvent(new Event('settled'))")
        phone.page.locator("#net").wait_for()
        yield
    phone.problems.clear()


@contextmanager
def loading(phone: Phone, served: Machine, path: str) -> Iterator[None]:
    """The page is open, and its newer state is on its way from a server that takes its time."""
    phone.open(path)
    with slow_database(served):
        phone.page.evaluate("dispatchEvent(new Event('settled'))")
        expect(phone.page.locator("html")).to_have_attribute("data-loading", "")
        yield
    expect(phone.page.locator("html")).not_to_have_attribute("data-loading", "", timeout=20_000)
    phone.problems.clear()


@contextmanager
def broken(phone: Phone, served: Machine, path: str) -> Iterator[None]:
    """The server stands, its database does not."""
    with without_database(served):
        phone.open(path)
        yield
    phone.problems.clear()


def deputy_of(company: Company, language: Language) -> UUID:
    """Somebody who may decide, and change nothing."""
    person = company.deputy(f"Wira ({language})")
    company.tell(lambda tx: update_preferences(tx, person.id, Preferences(language, "auto", False)))
    return person.id


def sign_in(phone: Phone, company: Company, person: UUID) -> None:
    cookie = company.tell(lambda tx: start_session(tx, person, label="phone"))
    phone.context.add_cookies([{"name": cookie_name(phone.origin), "value": cookie, "url": phone.origin}])

"""What every screen must pass: accessibility, width, targets, sizes, silence, and one origin only."""

from pathlib import Path
from typing import Any
from uuid import UUID

import axe_playwright_python
import msgspec
import pytest

from app.canon.vocabulary import Money, Tier
from app.execution_graph import runs_of_ticket
from app.founder_console.model import Language
from app.founder_console.store import fetch_founders
from app.governance_ledger import EventFilter, read_events
from app.postgres import Transaction
from app.work_queue import Approval
from e2e.browser import Phone, Scheme
from e2e.company import Company
from e2e.conftest import Keychain, Phones

pytestmark = pytest.mark.timeout(240)

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
RUN = """axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(
  r => JSON.stringify(r.violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 160))])))"""
SMALL_TARGETS = """() => [...document.querySelectorAll(
  'a,button,summary,input:not([type=hidden]),select,textarea')].filter(e => {
  const box = e.closest('label')?.getBoundingClientRect() ?? e.getBoundingClientRect();
  if (!box.width || !e.checkVisibility() || e.closest('.skip')) return false;
  const inline = getComputedStyle(e).display === 'inline' && e.closest('p,dd,li,span');
  return !inline && (box.height < 43.5 || box.width < 43.5);
}).map(e => e.outerHTML.slice(0, 120))"""
LOADED = "() => performance.getEntriesByType('resource').map(entry => entry.name)"
PAGE_BYTES = 20_000
STYLE_BYTES = 10_000
SCRIPT_BYTES = 12_000
WORKER_BYTES = 4_000

LISTS = ("/", "/approvals", "/approvals/history", "/workers", "/money", "/copilot", "/settings", "/tickets?show=all")
OTHERS = (
    "/approvals/select",
    "/rules",
    "/tickets/new",
    "/ledger",
    "/workers/new",
    "/workers/new/bookkeeper",
    "/money/new",
    "/settings/payments",
    "/settings/servers",
    "/settings/secrets",
    "/settings/company",
    "/settings/notifications",
    "/settings/keys",
    "/settings/people",
    "/settings/people/new",
    "/settings/quorum",
    "/settings/install",
    "/money/settings",
    "/money/evidence",
    "/copilot/answer?q=earned",
)


@pytest.fixture(scope="module")
def busy(company: Company) -> Approval:
    """A company with something on every page."""
    raka = company.worker("Raka", "Keuangan")
    sari = company.worker("Sari", "Layanan pelanggan")
    ticket = company.ticket("Bayar faktur INV-2026-118", raka)
    company.ticket("Ringkas mutasi bank", raka, to="done", result="Rata-rata keluar Rp240.000 sehari.")
    company.ticket("Tagih pelanggan lama", sari, to="failed", result="Server surel tidak menjawab.")
    company.earn(Money(21_842_000), "toko")
    company.deputy("Budi")
    decided = company.ask(sari, to="lama@contoh.id", undo_seconds=0)
    company.decide(decided, "approve")
    company.ask(sari, to="ratna.wulandari@contohmail.id")
    return company.ask(raka, tier=Tier.R2, tool="order_payment", money=Money(12_105_000), ticket=ticket, in_a_run=True)


def every_page(company: Company, asked: Approval) -> list[str]:
    """Every screen, one of each kind, and those that tell of an error."""
    event = company.tell(_an_event)
    return [
        *LISTS,
        *OTHERS,
        f"/approvals/{asked.id}",
        f"/approvals/{asked.id}/edit",
        f"/approvals/{asked.id}/rule",
        f"/approvals/batch?item={asked.id}:1",
        f"/workers/{asked.role_id}",
        f"/workers/{asked.role_id}/versions",
        f"/workers/{asked.role_id}/amend",
        f"/workers/{asked.role_id}/ladder",
        f"/tickets/{asked.ticket_id}",
        f"/tickets/new?role={asked.role_id}",
        f"/ledger/{event}",
        f"/ledger?ticket={asked.ticket_id}&q=faktur",
        "/ledger?q=tidak+ada",
        f"/settings/people/{company.tell(a_deputy)}/mandate",
        *([f"/runs/{run}"] if (run := company.tell(lambda tx: _a_run(tx, asked))) else []),
    ]


async def _an_event(tx: Transaction) -> UUID:
    return (await read_events(tx, EventFilter(type="ticket.opened"), limit=1)).items[0].event_id


async def a_deputy(tx: Transaction) -> UUID:
    return next(one.id for one in await fetch_founders(tx) if one.name == "Budi")


async def _a_run(tx: Transaction, asked: Approval) -> UUID | None:
    assert asked.ticket_id is not None
    runs = await runs_of_ticket(tx, asked.ticket_id)
    return runs[0].id if runs else None


def violations(phone: Phone) -> Any:
    """What axe finds, run in a world of its own so that the page's policy stays as it is."""
    frame = phone.cdp.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
    world = phone.cdp.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "axe"})
    context = world["executionContextId"]
    phone.cdp.send("Runtime.evaluate", {"expression": AXE, "contextId": context})
    run = {"expression": RUN, "contextId": context, "awaitPromise": True}
    return msgspec.json.decode(phone.cdp.send("Runtime.evaluate", run)["result"]["value"])


@pytest.mark.parametrize(
    ("width", "scheme", "language"),
    [(360, "light", "id"), (390, "dark", "en"), (768, "light", "en"), (1280, "dark", "id")],
)
def test_every_screen_is_accessible_within_its_width_and_easy_to_hit(
    phones: Phones,
    keychain: Keychain,
    company: Company,
    busy: Approval,
    width: int,
    scheme: Scheme,
    language: Language,
) -> None:
    company.speak(language)
    phone = phones(state=keychain.state, width=width, scheme=scheme)
    bad: dict[str, list[Any]] = {}
    for path in every_page(company, busy):
        page = phone.open(path)
        assert page.locator("html").get_attribute("lang") == language
        found = [violations(phone), page.evaluate(SMALL_TARGETS) if width < 700 else []]
        found.append([wide] if (wide := page.evaluate("document.documentElement.scrollWidth")) > width else [])
        if any(found):
            bad[path] = found
    company.speak("id")
    assert bad == {}


@pytest.mark.parametrize("path", ["/login", "/offline", "/enrol/none.none"])
def test_the_doors_are_accessible_too(phones: Phones, path: str) -> None:
    phone = phones()
    phone.open(path)
    assert violations(phone) == []
    phone.problems[:] = [problem for problem in phone.problems if "404" not in problem]


def test_no_screen_scrolls_sideways_on_the_smallest_phone(
    phones: Phones, keychain: Keychain, company: Company, busy: Approval
) -> None:
    phone = phones(state=keychain.state, width=320)
    wide = {}
    for path in every_page(company, busy):
        width = phone.open(path).evaluate("document.documentElement.scrollWidth")
        if width > 320:
            wide[path] = width
    assert wide == {}


@pytest.mark.parametrize("width", [1024, 1280])
def test_wider_screens_show_list_and_detail_side_by_side(
    phones: Phones, keychain: Keychain, busy: Approval, width: int
) -> None:
    phone = phones(state=keychain.state, width=width)
    page = phone.open(f"/approvals/{busy.id}")
    aside = page.locator(".aside").bounding_box()
    card = page.locator("approval-card").bounding_box()
    assert aside is not None
    assert card is not None
    assert aside["x"] + aside["width"] <= card["x"] + 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_pages_stay_light(phones: Phones, keychain: Keychain, company: Company, busy: Approval) -> None:
    phone = phones(state=keychain.state)
    sizes: dict[str, int] = {}
    scripts: dict[str, int] = {}
    heavy = {}
    phone.context.on("response", lambda answer: sizes.__setitem__(answer.url, _length(answer)))
    for path in every_page(company, busy):
        phone.open(path)
        loaded = {url for url in phone.page.evaluate(LOADED) if url.endswith(".js") and "/static/" in url}
        scripts[path] = sum(sizes[url] for url in loaded)
    for url, size in sizes.items():
        name = url.removeprefix(phone.origin)
        if not name.startswith(("/static/", "/sw.js", "/events", "/manifest")) and size > PAGE_BYTES:
            heavy[name] = size
    assert heavy == {}
    style = sum(size for url, size in sizes.items() if url.endswith(".css"))
    assert 0 < style <= STYLE_BYTES
    assert {path: size for path, size in scripts.items() if not 0 < size <= SCRIPT_BYTES} == {}


def _length(answer: Any) -> int:
    return int(answer.headers.get("content-length") or 0)


def test_the_console_can_be_installed(phones: Phones, keychain: Keychain) -> None:
    phone = phones(state=keychain.state)
    phone.open("/")
    errors = phone.cdp.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [error for error in errors if error["errorId"] != "in-incognito"] == []
    assert phone.cdp.send("Page.getAppManifest")["errors"] == []


def test_nothing_moves_for_who_wants_stillness(phones: Phones, keychain: Keychain, busy: Approval) -> None:
    phone = phones(state=keychain.state, reduced=True)
    assert phone.open("/approvals").evaluate("document.getAnimations().length") == 0


def test_buttons_stay_in_reach_at_twice_the_text(phones: Phones, keychain: Keychain, busy: Approval) -> None:
    phone = phones(state=keychain.state)
    page = phone.open(f"/approvals/{busy.id}")
    page.evaluate("document.documentElement.style.setProperty('font-size', '200%')")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for button in page.locator("approval-card .do button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


def test_the_gate_for_accessibility_can_fail(phones: Phones, keychain: Keychain) -> None:
    phone = phones(state=keychain.state)
    phone.open("/settings").evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert [rule for rule, _ in violations(phone)] == ["button-name"]

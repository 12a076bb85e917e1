"""What every screen must pass: accessibility, width, targets, sizes, silence, and one origin only."""

import re
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints
from urllib.parse import urlsplit

import pytest
from litestar import Response

from app.founder_console.http import PAGE_ROUTES
from app.founder_console.model import Language
from app.work_queue import Approval
from e2e.browser import box
from e2e.company import Company
from e2e.conftest import Keychain, Phones
from e2e.looks import HEIGHT, LANGUAGES, LOCALES, clean, flaws, violations
from e2e.screens import DOORS, every_page

pytestmark = pytest.mark.timeout(1800)

MEDIA = """() => { const found = [], read = rules => { for (const rule of rules) {
  if (rule.media) found.push([rule.media.mediaText, matchMedia(rule.media.mediaText).matches]);
  if (rule.cssRules) read(rule.cssRules); } };
  for (const sheet of document.styleSheets) read(sheet.cssRules);
  return found; }"""
LOADED = "() => performance.getEntriesByType('resource').map(entry => entry.name)"
PAGE_BYTES = 20_000
STYLE_BYTES = 10_000
SCRIPT_BYTES = 12_000
WORKER_BYTES = 4_000
UUIDS = "[0-9a-f]{8}-[0-9a-f-]{27}"
NO_PAGES = {"/sw.js", "/manifest.json", "/favicon.ico", "/static/{name:str}", "/ledger/{event_id:uuid}/document"}
LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)


def test_every_page_is_among_the_screens_that_are_judged(company: Company, busy: Approval) -> None:
    visited = [urlsplit(path).path for path in (*every_page(company, busy), *DOORS)]
    unseen = {path for path in pages() if not any(re.fullmatch(_pattern(path), one) for one in visited)}
    assert unseen == {"/enrolled"}, "shown once, to who was just enrolled: test_first_run judges it"


def pages() -> Iterator[str]:
    """Where a person can go; a redirect or a file is no page."""
    for handler in PAGE_ROUTES:
        if "GET" in handler.http_methods and Response[bytes] in _answers(handler.fn):
            yield from handler.paths - NO_PAGES


def _answers(handler: Any) -> tuple[Any, ...]:
    said = get_type_hints(handler)["return"]
    return said, *get_args(said)


def _pattern(path: str) -> str:
    return re.sub(r"\{\w+:(\w+)\}", lambda of: UUIDS if of.group(1) == "uuid" else "[^/]+", path)


@LANGUAGE
def test_every_screen_is_accessible_within_its_width_and_easy_to_hit_in_every_look(
    phones: Phones, keychain: Keychain, company: Company, busy: Approval, language: Language
) -> None:
    bad: dict[str, list[str]] = {}
    with company.speaking(language):
        phone = phones(state=keychain.state, locale=LOCALES[language])
        for path in every_page(company, busy):
            phone.open(path)
            bad[path] = flaws(phone, language)
    assert clean(bad)


@LANGUAGE
def test_the_doors_are_accessible_in_every_look_too(phones: Phones, language: Language) -> None:
    phone = phones(locale=LOCALES[language])
    bad: dict[str, list[str]] = {}
    for path in DOORS:
        phone.open(path)
        bad[path] = flaws(phone, language)
    phone.problems[:] = [problem for problem in phone.problems if "404" not in problem]
    assert clean(bad)


def test_a_narrow_phone_and_a_wide_one_are_of_one_band(phones: Phones, keychain: Keychain) -> None:
    """What `looks` leaves out rests on it."""
    phone = phones(state=keychain.state, width=360)
    narrow = phone.open("/").evaluate(MEDIA)
    phone.page.set_viewport_size({"width": 390, "height": HEIGHT})
    assert phone.page.evaluate(MEDIA) == narrow
    phone.page.set_viewport_size({"width": 768, "height": HEIGHT})
    assert phone.page.evaluate(MEDIA) != narrow


@pytest.mark.parametrize("width", [1024, 1280])
def test_wider_screens_show_list_and_detail_side_by_side(
    phones: Phones, keychain: Keychain, busy: Approval, width: int
) -> None:
    phone = phones(state=keychain.state, width=width)
    page = phone.open(f"/approvals/{busy.id}")
    aside = box(page.locator(".aside"))
    card = box(page.locator("approval-card"))
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
        place = box(button)
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= 390


def test_the_gate_for_accessibility_can_fail(phones: Phones, keychain: Keychain) -> None:
    phone = phones(state=keychain.state)
    phone.open("/settings").evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert [rule for rule, _ in violations(phone)] == ["button-name"]

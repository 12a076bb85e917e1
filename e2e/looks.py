"""The sixteen pairings of width, theme and language in which every screen and each of its states is judged.

A screen is opened once in each language, as the founder's own preference says; then the window is resized and the
device's theme is changed under it, which is what style sheets see of either. Measured in each of the sixteen, as the
page stands and with everything unfolded: the language it says it is in, targets of 44 px, no sideways scroll (at 320 px
too). A `Phone` counts errors, violations of the policy and requests elsewhere all the while.

axe is asked where its answer can differ. Its rules read three things: the document, which differs by language; what is
shown and what overlaps, which differ by the style sheet's bands (360 and 390 px lie in one, which a test proves, and
360 is the narrower, where more has to scroll and wrap); colours, which differ by theme and band. So each language is
judged in each band and each theme in each band, as the fields of one colour of a chessboard: three full runs a
language. With `FLR_LOOKS=all` (`make looks`) axe is asked in all sixteen.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import axe_playwright_python
import msgspec
import pytest

from app.founder_console.model import Language
from e2e.browser import Phone, Scheme

WIDTHS = (360, 390, 768, 1280)
BANDS = (360, 768, 1280)
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
LANGUAGES: tuple[Language, ...] = ("id", "en")
LOCALES: dict[Language, str] = {"id": "id-ID", "en": "en-GB"}
SMALLEST = 320
HEIGHT = 844
EVERYWHERE = os.environ.get("FLR_LOOKS") == "all"

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
RUN = """axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'],
  resultTypes: ['violations']}).then(
  r => JSON.stringify(r.violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 160))])))"""
MEASURE = """() => {
  const small = e => {
    const box = e.closest('label')?.getBoundingClientRect() ?? e.getBoundingClientRect();
    if (!box.width || !e.checkVisibility() || e.closest('.skip')) return false;
    const inline = getComputedStyle(e).display === 'inline' && e.closest('p,dd,li,span');
    return !inline && (box.height < 43.5 || box.width < 43.5);
  };
  const targets = 'a,button,summary,input:not([type=hidden]),select,textarea';
  const see = () => ({
    language: document.documentElement.lang, wide: document.documentElement.scrollWidth,
    small: [...document.querySelectorAll(targets)].filter(small).map(e => e.outerHTML.slice(0, 120)) });
  globalThis.unfolded?.forEach(e => { e.open = false; });
  const seen = [see()];
  globalThis.unfolded = [...document.querySelectorAll('details:not([open])')];
  globalThis.unfolded.forEach(e => { e.open = true; });
  return globalThis.unfolded.length ? [...seen, see()] : seen;
}"""
FOLD = "() => globalThis.unfolded?.forEach(e => { e.open = false; })"


class Look(NamedTuple):
    """How a page is looked at: how wide, and in which theme."""

    width: int
    scheme: Scheme


LOOKS = tuple(Look(width, scheme) for width in WIDTHS for scheme in SCHEMES)


class Axe:
    """axe in a world of its own, so that the page's policy stays as it is; read once for each document."""

    def __init__(self, phone: Phone) -> None:
        self._cdp = phone.cdp
        frame = self._cdp.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
        world = self._cdp.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "axe"})
        self._context = world["executionContextId"]
        self._cdp.send("Runtime.evaluate", {"expression": AXE, "contextId": self._context})

    def violations(self) -> list[Any]:
        run = {"expression": RUN, "contextId": self._context, "awaitPromise": True}
        return list(msgspec.json.decode(self._cdp.send("Runtime.evaluate", run)["result"]["value"]))


def violations(phone: Phone) -> list[Any]:
    """What axe finds on the page as it is shown now."""
    return Axe(phone).violations()


def flaws(phone: Phone, language: Language) -> list[str]:
    """What is wrong with the open page in the eight pairings of width and theme: each flaw, and where it shows."""
    axe, page, size = Axe(phone), phone.page, phone.page.viewport_size
    page.emulate_media(reduced_motion="reduce")
    found = {f"{wide} px wide": [str(SMALLEST)] for wide in _too_wide(phone, SMALLEST)}
    for look in LOOKS:
        _look(phone, look)
        asked = EVERYWHERE or judged_by_axe(look, language)
        for flaw in {
            str(one): None for one in (*_measured(phone, look, language), *(axe.violations() if asked else []))
        }:
            found.setdefault(flaw, []).append(f"{look.width} {look.scheme}")
    page.evaluate(FOLD)
    assert size is not None
    page.set_viewport_size(size)
    page.emulate_media(color_scheme="null", reduced_motion="null")
    return [f"{flaw} ({', '.join(where)})" for flaw, where in found.items()]


def clean(bad: dict[str, list[str]]) -> bool:
    """Whether no screen has a flaw; says which have, one flaw a line, when there are some."""
    lines = [f"{screen}: {flaw}" for screen, found in bad.items() for flaw in found]
    if lines:
        pytest.fail("\n".join(lines), pytrace=False)
    return True


def judged_by_axe(look: Look, language: Language) -> bool:
    """Whether axe is asked here: one half of the fields of language, band and theme, in turn."""
    if look.width not in BANDS:
        return False
    return (BANDS.index(look.width) + SCHEMES.index(look.scheme) + LANGUAGES.index(language)) % 2 == 0


def _look(phone: Phone, look: Look) -> None:
    phone.page.set_viewport_size({"width": look.width, "height": HEIGHT})
    phone.page.emulate_media(color_scheme=look.scheme)


def _measured(phone: Phone, look: Look, language: Language) -> Iterator[str]:
    """As the page stands, and with everything unfolded, in which state it is left for axe."""
    for seen in phone.page.evaluate(MEASURE):
        if seen["language"] != language:
            yield f"says that it speaks {seen['language']}"
        if seen["wide"] > look.width:
            yield f"{seen['wide']} px wide"
        yield from (f"a target under 44 px: {target}" for target in seen["small"])


def _too_wide(phone: Phone, width: int) -> Iterator[int]:
    phone.page.set_viewport_size({"width": width, "height": HEIGHT})
    wide = int(phone.page.evaluate("document.documentElement.scrollWidth"))
    if wide > width:
        yield wide

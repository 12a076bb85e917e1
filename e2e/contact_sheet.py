"""Every screen and state side by side in one image, for a person to look at: `make contact-sheet`.

Not a test: nothing but whether each page can be shown is judged here. Writes `build/contact-sheet.png`, and each page
whole, from top to end, in `build/screens/`.
"""

import io
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import expect

from app.founder_console.model import Language
from app.work_queue import Approval
from e2e.browser import Phone, Scheme
from e2e.company import Company
from e2e.conftest import Keychain, Phones
from e2e.looks import LOCALES
from e2e.screens import DOORS, every_page
from e2e.states import (
    DENIED,
    EMPTY,
    GONE,
    NARROWED,
    TABS,
    broken,
    deputy_of,
    loading,
    offline,
    sign_in,
    stale,
)
from e2e.taps import Taps
from tests.processes import Machine

pytestmark = pytest.mark.timeout(1800)

BUILD = Path(__file__).parents[1] / "build"
SHEET = BUILD / "contact-sheet.png"
SCREENS = BUILD / "screens"
GAP, HEAD = 16, 30


class Variant(NamedTuple):
    """One column of the sheet: how it is looked at, and how wide it is drawn."""

    width: int
    scheme: Scheme
    language: Language
    shown: int


VARIANTS = (
    Variant(360, "light", "id", 300),
    Variant(390, "dark", "en", 300),
    Variant(768, "light", "en", 420),
    Variant(1280, "dark", "id", 620),
)


class Sheet:
    """Pictures in rows, one row for each screen, one column for each variant."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[int, Image.Image]] = {}

    def take(self, phone: Phone, variant: Variant, name: str) -> None:
        """The screen as it fits on the sheet; the whole page goes into a file of its own."""
        if not name.startswith(("loading", "stale")):
            expect(phone.page.locator("html")).not_to_have_attribute("data-loading", "")
        file = SCREENS / f"{filed(name)}-{variant.width}.png"
        phone.page.screenshot(animations="disabled", full_page=True, path=file)
        image = Image.open(io.BytesIO(phone.page.screenshot(animations="disabled"))).convert("RGB")
        shown = image.resize((variant.shown, image.height * variant.shown // image.width))
        self._rows.setdefault(unnumbered(name), {})[variant.width] = shown

    def laid_out(self) -> Image.Image:
        width = GAP + sum(variant.shown + GAP for variant in VARIANTS)
        heights = [HEAD + max(image.height for image in row.values()) + GAP for row in self._rows.values()]
        sheet = Image.new("RGB", (width, sum(heights) + GAP), "#8a8a8a")
        draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
        top = 0
        for (name, row), height in zip(self._rows.items(), heights, strict=True):
            draw.text((GAP, top + 8), name, "#000000", font)
            left = GAP
            for variant in VARIANTS:
                if variant.width in row:
                    sheet.paste(row[variant.width], (left, top + HEAD))
                left += variant.shown + GAP
            top += height
        return sheet


def test_make_the_sheet(
    phones: Phones, keychain: Keychain, company: Company, served: Machine, request: pytest.FixtureRequest
) -> None:
    SCREENS.mkdir(parents=True, exist_ok=True)
    sheet = Sheet()
    for variant in VARIANTS:
        phone = signed_in(phones, keychain, company, variant)
        for path in EMPTY:
            phone.open(path)
            sheet.take(phone, variant, f"empty {path}")
        phone.context.close()  # an open page would hear of the states of others
    asked: Approval = request.getfixturevalue("busy")
    for variant in VARIANTS:
        phone = signed_in(phones, keychain, company, variant)
        for path in every_page(company, asked):
            phone.open(path)
            sheet.take(phone, variant, path)
        take_states(sheet, phone, variant, served)
        for name in Taps(phone, company, keychain, asked).states():
            sheet.take(phone, variant, name)
        locale = LOCALES[variant.language]
        stranger, deputy = (phones(width=variant.width, scheme=variant.scheme, locale=locale) for _ in range(2))
        sign_in(deputy, company, deputy_of(company, variant.language))
        for who, other, paths in (("stranger", stranger, DOORS), ("deputy", deputy, (*DENIED, *NARROWED))):
            for path in paths:
                other.open(path)
                sheet.take(other, variant, f"{who} {path}")
            other.problems.clear()
            other.context.close()
        phone.context.close()
    sheet.laid_out().save(SHEET, optimize=True)


def signed_in(phones: Phones, keychain: Keychain, company: Company, variant: Variant) -> Phone:
    company.speak(variant.language)
    locale = LOCALES[variant.language]
    return phones(state=keychain.state, width=variant.width, scheme=variant.scheme, locale=locale)


def take_states(sheet: Sheet, phone: Phone, variant: Variant, served: Machine) -> None:
    """The states of the five tabs."""
    for path in TABS:
        with offline(phone, path):
            sheet.take(phone, variant, f"offline {path}")
        with stale(phone, served, path):
            sheet.take(phone, variant, f"stale {path}")
        with loading(phone, served, path):
            sheet.take(phone, variant, f"loading {path}")
    with broken(phone, served, "/approvals"):
        sheet.take(phone, variant, "broken")
    for path in GONE[:1]:
        phone.open(path)
        sheet.take(phone, variant, "gone")
    phone.problems.clear()


def unnumbered(name: str) -> str:
    """A page's name that stays the same from run to run: its ids left out."""
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "one", name)


def filed(name: str) -> str:
    return re.sub(r"[^a-z]+", "-", unnumbered(name).lower()).strip("-") or "today"

"""Every screen and state side by side in one image, for a person to look at: `make contact-sheet`.

Not a test: nothing but whether each page can be shown is judged here. Writes `build/contact-sheet.png`, and each page
whole, from top to end, in `build/screens/`.
"""

import io
import re
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import expect

from app.founder_console.model import Language
from app.work_queue import Approval
from e2e.browser import Phone, Scheme
from e2e.company import Company
from e2e.conftest import Keychain, Phones
from e2e.test_gates import STATES, busy, every_page, show_state

__all__ = ["busy"]

pytestmark = pytest.mark.timeout(1800)

BUILD = Path(__file__).parents[1] / "build"
SHEET = BUILD / "contact-sheet.png"
SCREENS = BUILD / "screens"
VARIANTS: tuple[tuple[int, Scheme, Language, int], ...] = (
    (360, "light", "id", 300),
    (390, "dark", "en", 300),
    (768, "light", "en", 420),
    (1280, "dark", "id", 620),
)
DOORS = ("/login", "/offline", "/enrol/none.none")
EMPTY = ("/", "/approvals", "/approvals/history", "/workers", "/money", "/copilot", "/tickets", "/ledger")
LOCALES: dict[Language, str] = {"id": "id-ID", "en": "en-GB"}
GAP, HEAD = 16, 30


def test_make_the_sheet(phones: Phones, keychain: Keychain, company: Company, request: pytest.FixtureRequest) -> None:
    SCREENS.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[str, list[Image.Image]]] = [(f"{path} (empty)", []) for path in EMPTY]
    for width, scheme, language, shown in VARIANTS:
        company.speak(language)
        phone = phones(state=keychain.state, width=width, scheme=scheme)
        for (_, shots), wanted in zip(rows, EMPTY, strict=True):
            shots.append(shot(phone, wanted, shown, f"empty{wanted}"))
    asked: Approval = request.getfixturevalue("busy")
    pages = every_page(company, asked)
    full: list[tuple[str, list[Image.Image]]] = [(path, []) for path in (*pages, *STATES, *DOORS)]
    for width, scheme, language, shown in VARIANTS:
        company.speak(language)
        phone = phones(state=keychain.state, width=width, scheme=scheme)
        stranger = phones(width=width, scheme=scheme, locale=LOCALES[language])
        for (_, shots), path in zip(full, (*pages, *STATES, *DOORS), strict=True):
            if path in DOORS:
                shots.append(shot(stranger, path, shown, path))
            elif path in STATES:
                show_state(phone, path, asked)
                shots.append(taken(phone, shown, f"state {path}"))
                phone.context.set_offline(False)
            else:
                shots.append(shot(phone, path, shown, path))
        phone.problems.clear()
        stranger.problems.clear()
    laid_out([*rows, *full]).save(SHEET, optimize=True)


def shot(phone: Phone, path: str, shown: int, name: str) -> Image.Image:
    phone.open(path)
    return taken(phone, shown, name)


def taken(phone: Phone, shown: int, name: str) -> Image.Image:
    """The screen as it fits on the sheet; the whole page goes into a file of its own."""
    expect(phone.page.locator("html")).not_to_have_attribute("data-loading", "")
    phone.page.screenshot(animations="disabled", full_page=True, path=SCREENS / f"{filed(name)}-{width_of(phone)}.png")
    image = Image.open(io.BytesIO(phone.page.screenshot(animations="disabled"))).convert("RGB")
    return image.resize((shown, image.height * shown // image.width))


def filed(name: str) -> str:
    """A page's address as the name of a file: ids left out, so that it stays the same from run to run."""
    return re.sub(r"[^a-z]+", "-", re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "one", name.lower())).strip("-") or "today"


def width_of(phone: Phone) -> int:
    size = phone.page.viewport_size
    return 0 if size is None else size["width"]


def laid_out(rows: list[tuple[str, list[Image.Image]]]) -> Image.Image:
    width = GAP + sum(shown + GAP for *_, shown in VARIANTS)
    heights = [HEAD + max(image.height for image in images) + GAP for _, images in rows]
    sheet = Image.new("RGB", (width, sum(heights) + GAP), "#8a8a8a")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    top = 0
    for (name, images), height in zip(rows, heights, strict=True):
        draw.text((GAP, top + 8), name, "#000000", font)
        left = GAP
        for image in images:
            sheet.paste(image, (left, top + HEAD))
            left += image.width + GAP
        top += height
    return sheet

"""Every screen and state side by side in one image, for a person to look at: `make contact-sheet`.

Not a test: nothing but whether each page can be shown is judged here. Writes `build/contact-sheet.png`.
"""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from app.founder_console.model import Language
from app.work_queue import Approval
from e2e.browser import Phone, Scheme
from e2e.company import Company
from e2e.conftest import Keychain, Phones
from e2e.test_gates import STATES, busy, every_page, show_state

__all__ = ["busy"]

pytestmark = pytest.mark.timeout(1800)

SHEET = Path(__file__).parents[1] / "build" / "contact-sheet.png"
VARIANTS: tuple[tuple[int, Scheme, Language, int], ...] = (
    (360, "light", "id", 300),
    (390, "dark", "en", 300),
    (768, "light", "en", 420),
    (1280, "dark", "id", 620),
)
DOORS = ("/login", "/offline", "/enrol/none.none")
EMPTY = ("/", "/approvals", "/approvals/history", "/workers", "/money", "/copilot", "/tickets", "/ledger")
GAP, HEAD = 16, 30


def test_make_the_sheet(phones: Phones, keychain: Keychain, company: Company, request: pytest.FixtureRequest) -> None:
    rows: list[tuple[str, list[Image.Image]]] = [(f"{path} (empty)", []) for path in EMPTY]
    for width, scheme, language, shown in VARIANTS:
        company.speak(language)
        phone = phones(state=keychain.state, width=width, scheme=scheme)
        for (_, shots), wanted in zip(rows, EMPTY, strict=True):
            shots.append(shot(phone, wanted, shown))
    asked: Approval = request.getfixturevalue("busy")
    pages = every_page(company, asked)
    full: list[tuple[str, list[Image.Image]]] = [(path, []) for path in (*pages, *STATES, *DOORS)]
    for width, scheme, language, shown in VARIANTS:
        company.speak(language)
        phone = phones(state=keychain.state, width=width, scheme=scheme)
        for (_, shots), path in zip(full, (*pages, *STATES, *DOORS), strict=True):
            if path in STATES:
                show_state(phone, path, asked)
                shots.append(taken(phone, shown))
                phone.context.set_offline(False)
            else:
                shots.append(shot(phone, path, shown))
        phone.problems.clear()
    SHEET.parent.mkdir(exist_ok=True)
    laid_out([*rows, *full]).save(SHEET, optimize=True)


def shot(phone: Phone, path: str, shown: int) -> Image.Image:
    phone.open(path)
    return taken(phone, shown)


def taken(phone: Phone, shown: int) -> Image.Image:
    image = Image.open(io.BytesIO(phone.page.screenshot(animations="disabled"))).convert("RGB")
    return image.resize((shown, image.height * shown // image.width))


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

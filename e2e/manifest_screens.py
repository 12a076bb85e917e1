"""The pictures that a browser shows of the console before it is installed: `make manifest-screens` makes them anew.

Not a test: what they show is looked at. Few colours keep them small; only a browser that asks loads them.
"""

import io
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image
from playwright.sync_api import expect

from app.work_queue import Approval
from e2e.company import Company
from e2e.conftest import Keychain, Phones

pytestmark = pytest.mark.timeout(300)

FOLDER = Path(__file__).parents[1] / "frontend" / "static" / "icons"
COLOURS = 128


class Picture(NamedTuple):
    """One file: what it shows, and how wide the screen is."""

    name: str
    path: str
    width: int


def test_make_the_pictures(phones: Phones, keychain: Keychain, company: Company, busy: Approval) -> None:
    pictures = (
        Picture("screen-decisions", "/approvals", 390),
        Picture("screen-worker", f"/workers/{busy.role_id}", 390),
        Picture("screen-money", "/money", 390),
        Picture("screen-wide", f"/approvals/{busy.id}", 1280),
    )
    for picture in pictures:
        phone = phones(state=keychain.state, width=picture.width)
        phone.open(picture.path)
        expect(phone.page.locator("html")).not_to_have_attribute("data-loading", "")
        phone.page.evaluate("document.fonts.ready")
        shot = Image.open(io.BytesIO(phone.page.screenshot(animations="disabled"))).convert("RGB")
        shot.quantize(COLOURS, dither=Image.Dither.NONE).save(FOLDER / f"{picture.name}.png", optimize=True)

"""Draws the console's icons: a ledger with a tick. Run it after changing the art: `python frontend/draw_icons.py`."""

from pathlib import Path

from PIL import Image, ImageDraw

GREEN, PAPER, MINT = "#0f5c4a", "#f6f5f1", "#7fe0c2"
ICONS = Path(__file__).parent / "static" / "icons"
SCALE = 4


def _mark(draw: ImageDraw.ImageDraw, size: int, inset: float, colours: tuple[str, str]) -> None:
    """Three lines of a ledger; the fourth ends in a tick."""
    side = size * (1 - 2 * inset)
    left = top = size * inset
    width = round(side * 0.085)

    def line(*points: tuple[float, float], fill: str) -> None:
        placed = [(left + x * side, top + y * side) for x, y in points]
        draw.line(placed, fill=fill, width=width, joint="curve")
        for x, y in placed:
            draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=fill)

    for y in (0.06, 0.32, 0.58):
        line((0.06, y), (0.94, y), fill=colours[0])
    line((0.06, 0.84), (0.42, 0.84), fill=colours[0])
    line((0.56, 0.86), (0.71, 1.0), (0.97, 0.76), fill=colours[1])


def _icon(size: int, *, rounded: bool, inset: float) -> Image.Image:
    large = size * SCALE
    image = Image.new("RGBA", (large, large), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, large - 1, large - 1), radius=large * 0.22 if rounded else 0, fill=GREEN)
    _mark(draw, large, inset, (PAPER, MINT))
    return image.resize((size, size), Image.Resampling.LANCZOS)


def _badge(size: int) -> Image.Image:
    large = size * SCALE
    image = Image.new("RGBA", (large, large), (0, 0, 0, 0))
    _mark(ImageDraw.Draw(image), large, 0.12, ("#ffffff", "#ffffff"))
    return image.resize((size, size), Image.Resampling.LANCZOS)


def draw_icons() -> None:
    """Write every size that the manifest and the pages name."""
    _icon(192, rounded=True, inset=0.24).save(ICONS / "icon-192.png", optimize=True)
    _icon(512, rounded=True, inset=0.24).save(ICONS / "icon-512.png", optimize=True)
    _icon(512, rounded=False, inset=0.31).save(ICONS / "icon-512-maskable.png", optimize=True)
    _icon(180, rounded=False, inset=0.24).save(ICONS / "icon-180.png", optimize=True)
    _badge(96).save(ICONS / "badge-96.png", optimize=True)


if __name__ == "__main__":
    draw_icons()

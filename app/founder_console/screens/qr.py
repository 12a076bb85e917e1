"""A QR code as one SVG path, drawn by the page itself: no image is fetched and nothing inline is styled."""

import msgspec


class QrPath(msgspec.Struct, frozen=True):
    """`size` modules on a side with the quiet margin; `d` draws the dark ones in that box."""

    size: int
    d: str


def qr_path(text: str) -> QrPath:
    """The code of a text, at error correction M."""
    import segno

    rows = [bytes(row) for row in segno.make(text, error="m", micro=False).matrix]
    margin = 4
    moves = [
        f"M{x + margin} {y + margin}h1v1h-1z" for y, row in enumerate(rows) for x, module in enumerate(row) if module
    ]
    return QrPath(len(rows) + 2 * margin, "".join(moves))

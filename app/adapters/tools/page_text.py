"""HTML as the text that a reader would see, with the address behind each link."""

import re
from html.parser import HTMLParser

_HIDDEN = frozenset({"script", "style", "template", "noscript", "head"})
_BREAKING = re.compile("p|div|br|li|tr|table|ul|ol|h[1-6]|section|article|header|footer|blockquote|pre")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.hidden = 0
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self.hidden += 1
        if tag == "body":
            self.hidden = 0
        if _BREAKING.fullmatch(tag):
            self.parts.append("\n")
        if tag == "a":
            self.links.append(dict(attrs).get("href") or "")
        if tag in {"td", "th"}:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN and self.hidden:
            self.hidden -= 1
        if _BREAKING.fullmatch(tag):
            self.parts.append("\n")
        if tag == "a" and self.links:
            address = self.links.pop()
            if address and not address.startswith("#"):
                self.parts.append(f" ({address})")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def page_text(markup: str) -> str:
    """The visible text; link addresses follow their text in brackets. Never raises."""
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    lines = (re.sub(r"[ \t\r\f\v]+", " ", line).strip() for line in "".join(reader.parts).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

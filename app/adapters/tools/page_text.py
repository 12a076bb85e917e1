"""HTML as the text that a reader would see, with the address behind each link. Time grows with length, no faster."""

import re
from html import unescape

_HIDDEN = frozenset({"script", "style", "template", "noscript", "head"})
_BREAKING = re.compile("p|div|br|li|tr|table|ul|ol|h[1-6]|section|article|header|footer|blockquote|pre")
_LITERAL = frozenset({"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"})
_NAME = re.compile(r"[a-zA-Z][^\s/>]*+")
_ATTRIBUTE = re.compile(r"""([^\s/>][^\s/>=]*+)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|(?!["'])[^\s>]*+|))?+""")
_BETWEEN = re.compile(r"[\s/]*+")
_ENDLESS_REFERENCE = re.compile(r"&#[xX]?[0-9a-fA-F]{9,}+;?")


class _Reader:
    """One pass over the markup, the HTML standard's way where that matters: what is not closed goes on to the end."""

    def __init__(self, markup: str) -> None:
        self.markup = markup
        self.parts: list[str] = []
        self.links: list[str] = []
        self.hidden = 0

    def read(self) -> str:
        at, end = 0, len(self.markup)
        while at < end:
            opening = self.markup.find("<", at)
            if opening < 0:
                opening = end
            self._say(self.markup[at:opening])
            at = self._after_mark(opening) if opening < end else end
        return "".join(self.parts)

    def _say(self, text: str) -> None:
        if text and not self.hidden:
            self.parts.append(_plain(text))

    def _after_mark(self, opening: int) -> int:
        """Where the text goes on behind the `<` at `opening`."""
        markup = self.markup
        if markup.startswith("<!--", opening):
            return self._behind("-->", opening + 4)
        closing = markup.startswith("/", opening + 1)
        name = _NAME.match(markup, opening + 1 + closing)
        if name is not None:
            return self._tag(name[0].lower(), name.end(), closing=closing)
        if closing or markup.startswith(("!", "?"), opening + 1):
            return self._behind(">", opening + 1)
        self._say("<")
        return opening + 1

    def _behind(self, sign: str, at: int) -> int:
        found = self.markup.find(sign, at)
        return len(self.markup) if found < 0 else found + len(sign)

    def _tag(self, name: str, at: int, *, closing: bool) -> int:
        end, address = self._attributes(at)
        if end > len(self.markup):
            return end
        if closing:
            self._close(name)
            return end
        self._open(name, address)
        return self._literal(name, end) if name in _LITERAL else end

    def _attributes(self, at: int) -> tuple[int, str]:
        """Where the tag ends, beyond the markup if it doesn't, and its first `href`."""
        address: str | None = None
        while True:
            at = self._skipped(at)
            if self.markup.startswith(">", at):
                return at + 1, address or ""
            found = _ATTRIBUTE.match(self.markup, at)
            if found is None or self._opens_a_quote(found):
                return len(self.markup) + 1, ""
            if address is None and found[1].lower() == "href":
                address = _plain((found[2] or "").strip("\"'"))
            at = found.end()

    def _skipped(self, at: int) -> int:
        found = _BETWEEN.match(self.markup, at)
        return at if found is None else found.end()

    def _opens_a_quote(self, found: re.Match[str]) -> bool:
        """The value begins with a quote that is never closed."""
        return found[2] == "" and self.markup.startswith(('"', "'"), found.end())

    def _open(self, name: str, address: str) -> None:
        if name in _HIDDEN:
            self.hidden += 1
        if name == "body":
            self.hidden = 0
        if _BREAKING.fullmatch(name):
            self.parts.append("\n")
        if name == "a":
            self.links.append(address)
        if name in {"td", "th"}:
            self.parts.append(" ")

    def _close(self, name: str) -> None:
        if name in _HIDDEN and self.hidden:
            self.hidden -= 1
        if _BREAKING.fullmatch(name):
            self.parts.append("\n")
        if name == "a" and self.links:
            address = self.links.pop()
            if address and not address.startswith("#"):
                self.parts.append(f" ({address})")

    def _literal(self, name: str, at: int) -> int:
        """Marks mean nothing in here; where the closing tag stands."""
        found = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(self.markup, at)
        end = len(self.markup) if found is None else found.start()
        self._say(self.markup[at:end])
        return end


def _plain(text: str) -> str:
    """References as the signs they stand for; a number that no sign has becomes the replacement sign."""
    return unescape(_ENDLESS_REFERENCE.sub("\ufffd", text)) if "&" in text else text


def page_text(markup: str) -> str:
    """The visible text; link addresses follow their text in brackets. Never raises."""
    lines = (re.sub(r"[ \t\r\f\v]+", " ", line).strip() for line in _Reader(markup).read().splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

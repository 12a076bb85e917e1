"""Mail addresses, links and accounts: found in text as a reader would see them, read strictly when one is given."""

import html
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from app.canon.accounts import accounts_in
from app.canon.top_level_domains import COUNTRIES, FILE_ENDINGS, GENERIC

Kind: TypeAlias = Literal["mail", "link", "account", "name"]

_LABEL = r"[^\W_](?:[\w-]{0,62})"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*"
_LOCAL = r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}"
_DOMAIN = rf"(?:{_HOST}|\[[0-9A-Fa-f:.]+\])"
_MAIL_STRICT = re.compile(rf"{_LOCAL}@{_DOMAIN}")
_MAIL = re.compile(rf"[\w.+'-]{{1,64}}@{_DOMAIN}")
_SCHEME = re.compile(
    r"(?<![\w+.-])(?:[a-z][a-z0-9+.-]{1,20}:[/\\]{1,3}|(?:https?|javascript|data|tel|sms|tg):)[^\s<>\"]+", re.IGNORECASE
)
_RELATIVE = re.compile(rf"(?<![\w:/\\])[/\\]{{2}}{_HOST}\.\w+\S*")
_BARE = re.compile(
    rf"(?<![\w@.%-])((?:{_LABEL}\.)+({_LABEL}))\.?(:[0-9]{{1,5}}(?![0-9]))?([/?#][^\s<>\"']*)?(?![\w@-])"
)
_BARE_IP = re.compile(
    r"(?<![\w@.-])(?:[1-9]?[0-9]|[12][0-9]{2})(?:\.(?:[1-9]?[0-9]|[12][0-9]{2})){3}(?::[0-9]{2,5}\b|/)\S*"
)
_AT = re.compile(r"\s{0,3}[\[({<]\s{0,3}(?:at|@)\s{0,3}[\])}>]\s{0,3}", re.IGNORECASE)
_DOT = re.compile(r"\s{0,3}[\[({<]\s{0,3}(?:dot|\.)\s{0,3}[\])}>]\s{0,3}", re.IGNORECASE)
_SPACED = re.compile(r"(?<![\w.+-])([\w.+-]{1,64}) @ ([\w-]{1,63}(?:(?: \. |\.)[\w-]{1,63}){1,5})")
_SPOKEN = re.compile(
    r"(?<![\w.+-])([\w.+-]{1,64}) at ([\w-]{1,63}(?: dot [\w-]{1,63}){0,4}) dot ([a-z]{2,18})(?![\w-])", re.IGNORECASE
)
_HANDLE = re.compile(
    r"\b(?:telegram|whatsapp|discord|skype|wechat|instagram|twitter|viber|threema)\b[^@\n]{0,24}(@[A-Za-z]\w{3,31})",
    re.IGNORECASE,
)
_HXXP = re.compile(r"\bhxxp", re.IGNORECASE)
_HEAD = re.compile(r"[a-z0-9+.-]*:?[/\\]*[^/?#]*", re.IGNORECASE)
_INNER_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{1,20}:[/\\])", re.IGNORECASE)
_PARTS = re.compile(r"[?&=;,|#]")
_TRAILING = ".,;:!?'\")]}>*_`|"


class Found(msgspec.Struct, frozen=True):
    """An address as it stands in a text or argument."""

    kind: Kind
    value: str


class Link(msgspec.Struct, frozen=True):
    """A link that can be read in one way only. `port` is None when it is the scheme's own."""

    scheme: str
    host: str
    port: int | None
    path: tuple[str, ...]


@lru_cache(maxsize=32)
def loosened(text: str) -> str:
    """Text as a reader's program may show it: NFKC, no invisible signs, entities, escapes and `[at]` undone."""
    text = html.unescape(text) if "&" in text else text
    for _ in range(2):
        text = unquote(text) if "%" in text else text
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_SHOWN)
    text = _AT.sub("@", text)
    return _HXXP.sub("http", _written_apart(_DOT.sub(".", text)))


def _written_apart(text: str) -> str:
    """Addresses that are kept from programs, not from readers: `ana @ kopi . example`, `ana at kopi dot example`."""
    if " @ " in text:
        text = _SPACED.sub(lambda match: f"{match[1]}@{match[2].replace(' ', '')}", text)
    if " dot " in text.casefold():
        text = _SPOKEN.sub(_as_mail, text)
    return text


def _as_mail(match: re.Match[str]) -> str:
    if not _is_top_level(match[3]):
        return match[0]
    host = re.sub(" dot ", ".", match[2], flags=re.IGNORECASE)
    return f"{match[1]}@{host}.{match[3]}"


class _ShownSigns(dict[int, str | None]):
    """What each sign looks like to a reader: invisible ones are nothing, every digit is 0 to 9."""

    def __missing__(self, code: int) -> str | None:
        sign = chr(code)
        shown: str | None = sign
        if unicodedata.category(sign) in {"Cf", "Mn"}:
            shown = None
        elif not sign.isascii() and sign.isdecimal():
            shown = str(unicodedata.decimal(sign))
        self[code] = shown
        return shown


_SHOWN = _ShownSigns({0x3002: ".", 0xFF61: ".", 0x2024: ".", 0x2215: "/"})


@lru_cache(maxsize=32)
def found_in(text: str) -> tuple[Found, ...]:
    """Every mail address, link and account in `text`, each once. Linear in the length of the text."""
    found: dict[Found, None] = {}
    shown = loosened(text)
    if "@" in shown:
        found.update((Found("name", match[1]), None) for match in _HANDLE.finditer(shown))
    lines = [_take_addresses(line, found) for line in shown.splitlines()]
    for value in accounts_in("\n".join(lines)):
        found[Found("account", value)] = None
    return tuple(found)


def _take_addresses(line: str, found: dict[Found, None]) -> str:
    """Adds links and mail addresses of one line to `found` and gives the line without them."""
    words = line.split()
    for index, word in enumerate(words):
        if any(sign in word for sign in ".:@/\\"):
            words[index] = _take_from_word(word, found)
    return " ".join(words)


def _take_from_word(word: str, found: dict[Found, None]) -> str:
    rest = word
    for pattern in (_SCHEME, _RELATIVE):
        for match in pattern.finditer(rest):
            value = match[0].rstrip(_TRAILING)
            found[Found("link", value)] = None
            found.update(dict.fromkeys(nested_in(value)))
        rest = pattern.sub(" ", rest)
    return _take_plain(rest, found)


def _take_plain(word: str, found: dict[Found, None]) -> str:
    """Mail addresses, and links without a scheme."""
    if "@" in word:
        found.update((Found("mail", match[0].rstrip("-_")), None) for match in _MAIL.finditer(word))
        word = _MAIL.sub(" ", word)
    if "." in word:
        found.update((Found("link", value), None) for value in _bare_links(word))
    return word


def nested_in(link: str) -> tuple[Found, ...]:
    """Addresses carried inside a link, behind its host: `https://a.example/?next=https://b.example`."""
    behind = _HEAD.sub("", link, count=1)
    path, _, query = behind.partition("?")
    in_path: dict[Found, None] = {}
    in_query: dict[Found, None] = {}
    for text, found in ((path, in_path), (query, in_query)):
        for word in _PARTS.sub(" ", _INNER_SCHEME.sub(r" \1", text)).split():
            links = [match[0].rstrip(_TRAILING) for match in _SCHEME.finditer(word)]
            found.update((Found("link", value), None) for value in links)
            _take_plain(_SCHEME.sub(" ", word), found)
    in_path = {one: None for one in in_path if one.kind == "mail" or ":" in one.value}
    return (*in_path, *in_query)


def _bare_links(text: str) -> Iterator[str]:
    for match in _BARE.finditer(text):
        last = match[2].casefold()
        explicit = bool(match[3] or match[4]) or match[1].casefold().startswith("www.")
        if last in FILE_ENDINGS and not explicit:
            continue
        if _is_top_level(match[2]) or match[1].casefold().startswith("www."):
            yield match[0].rstrip(_TRAILING)
    for match in _BARE_IP.finditer(text):
        yield match[0].rstrip(_TRAILING)


def _is_top_level(label: str) -> bool:
    known = label.casefold()
    if known.startswith("xn--"):
        return True
    if label != known and label != label.upper():
        return False
    return known in COUNTRIES or known in GENERIC


def host_of(value: str) -> str | None:
    """A host in its one form: lower case, A-labels, no trailing dot. None when it is no host."""
    text = unicodedata.normalize("NFKC", value).rstrip(".").lower()
    if not text or any(character.isspace() or not character.isprintable() for character in text):
        return None
    if not text.isascii():
        try:
            text = text.encode("idna").decode()
        except UnicodeError:
            return None
    return text if re.fullmatch(r"\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?", text) else None


def mail_of(value: str) -> str | None:
    """The one address in `ana@x.example` or `Ana <ana@x.example>`, in its one form; None when it is anything else."""
    text = value.strip()
    framed = re.fullmatch(r"[^<>@,;:\r\n]*<([^<>\r\n]*)>", text)
    text = unicodedata.normalize("NFKC", framed[1] if framed else text)
    if _MAIL_STRICT.fullmatch(text) is None or any(not character.isprintable() for character in text):
        return None
    local, _, domain = text.rpartition("@")
    host = host_of(domain)
    return f"{local.casefold()}@{host}" if host else None


def link_of(value: str) -> Link | None:
    """A link (scheme optional) that every program reads alike; None for user names, backslashes, `..` and the like."""
    text = value if "://" in value else f"https://{value}"
    if re.search(r"[\\\s]", text) or not text.isprintable():
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    host = host_of(parts.hostname or "") if "@" not in parts.netloc and "%" not in parts.netloc else None
    path = _segments(parts)
    if host is None or path is None:
        return None
    own = {"http": 80, "https": 443}.get(parts.scheme)
    return Link(parts.scheme if "://" in value else "", host, None if port == own else port, path)


def _segments(parts: SplitResult) -> tuple[str, ...] | None:
    segments = tuple(unquote(part) for part in parts.path.split("/") if part)
    return None if any(part in {".", ".."} or re.search(r"[/\\%]", part) for part in segments) else segments

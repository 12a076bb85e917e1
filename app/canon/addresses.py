"""Mail addresses, links and accounts: found in text as a reader would see them, read strictly when one is given."""

import ipaddress
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from app.canon.accounts import accounts_in
from app.canon.appearance import loosened, said_numbers
from app.canon.encodings import texts_encoded_in
from app.canon.top_level_domains import COUNTRIES, FILE_ENDINGS, GENERIC

Kind: TypeAlias = Literal["mail", "link", "account", "name"]

_LABEL = r"[^\W_](?:[\w-]{0,62})"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*"
_LOCAL = r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}"
_DOMAIN = rf"(?:{_HOST}|\[[0-9A-Fa-f:.]+\])"
_MAIL_STRICT = re.compile(rf"{_LOCAL}@{_DOMAIN}")
_MAIL = re.compile(rf"[\w.+'-]{{1,64}}@{_DOMAIN}")
_SCHEME = re.compile(
    r"(?<![\w+.-])(?:[a-z][a-z0-9+.-]{1,20}:[/\\]{1,3}|(?:https?|javascript|vbscript|data|blob|tel|callto|sms|smsto|tg|"
    r"sips?|xmpp|skype|facetime|whatsapp|bitcoin|ethereum|litecoin|monero|lightning|upi|intent|magnet):(?=\S))"
    r"[^\s<>\"]+",
    re.IGNORECASE,
)
_RELATIVE = re.compile(rf"(?<![\w:/\\])(?:[/\\]{{2}}{_HOST}\.\w+\S*|\\\\{_LABEL}\\\S+)")
_BARE = re.compile(
    rf"(?<![\w@.%-])((?:{_LABEL}\.)+({_LABEL}))\.?(:[0-9]{{1,5}}(?![0-9]))?([/?#][^\s<>\"']*)?(?![\w@-])"
)
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_BARE_IP = re.compile(rf"(?<![\w@.-]){_OCTET}(?:\.{_OCTET}){{3}}(?![\w-])(?!\.[0-9])(?::[0-9]{{2,5}}\b)?(?:/\S*)?")
_NO_IP = re.compile(
    r"(?:\b(?:v|ver|versi|version|build|release|rilis|firmware|rp|idr|usd|eur)[. ]{0,2}|[$€])$", re.IGNORECASE
)
_BARE_IP6 = re.compile(r"(?<![\w:.])\[?((?:[0-9a-f]{1,4}|:)(?::[0-9a-f]{0,4}){2,8})\]?(?![\w:])", re.IGNORECASE)
_MESSENGER = (
    r"(?:telegram|tele|whatsapp|discord|skype|wechat|instagram|insta|ig|twitter|viber|threema|signal|"
    r"(?-i:LINE)|kakao(?:talk)?|"
    r"snapchat|tiktok|facebook|messenger|venmo|paypal|cash ?app)"
)
_HANDLES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b{_MESSENGER}\b[^@\n]{{0,24}}(@[A-Za-z][\w.]{{2,31}}\b)",
        rf"(?<![\w.])(@[A-Za-z][\w.]{{2,31}})[^@\n]{{0,12}}\b(?:on|in|via|di|lewat|pada) {_MESSENGER}\b",
        rf"\b{_MESSENGER} ?(?:id|user|username|akun|handle|kontak|contact) ?[:=]? ?([A-Za-z][\w.]{{3,31}}\b)",
        rf"\b{_MESSENGER} ?[:=]? ?(?=\w*(?:_|[0-9]{{2}}))([A-Za-z]\w{{3,31}}(?:#[0-9]{{4}})?)",
        r"\bcash ?(?:app|tag)\b[^$\n]{0,16}(\$[A-Za-z]\w{2,19})",
    )
)
_MESSENGER_HINTS = (
    "tele",
    "whatsapp",
    "discord",
    "skype",
    "wechat",
    "insta",
    "ig",
    "twitter",
    "viber",
    "threema",
    "signal",
    "line",
    "kakao",
    "snapchat",
    "tiktok",
    "facebook",
    "messenger",
    "venmo",
    "paypal",
    "cash",
)
_HEAD = re.compile(r"[a-z0-9+.-]*:?[/\\]*[^/?#]*", re.IGNORECASE)
_INNER_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{1,20}:[/\\])", re.IGNORECASE)
_PARTS = re.compile(r"[?&=;,|#]")
_READ_TWO_WAYS = frozenset("\u00df\u1e9e\u03c2\u200c\u200d")  # IDNA 2003 and 2008 differ in these
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
    query: str = ""


@lru_cache(maxsize=32)
def found_in(text: str) -> tuple[Found, ...]:
    """Every mail address, link and account in `text`, each once. Linear in the length of the text."""
    found: dict[Found, None] = {}
    shown = loosened(text)
    small = shown.lower()
    for pattern in _HANDLES if any(word in small for word in _MESSENGER_HINTS) else ():
        found.update((Found("name", match[1]), None) for match in pattern.finditer(shown))
    found.update((Found("account", number), None) for number in said_numbers(shown))
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
    rest = " ".join(words)
    found.update((Found("link", value), None) for value in _bare_machines(rest))
    return rest


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
    """Addresses carried inside a link, behind its host, in base64 too: `https://a.example/?next=https://b.example`."""
    behind = _HEAD.sub("", link, count=1)
    found: dict[Found, None] = {}
    for word in _PARTS.sub(" ", _INNER_SCHEME.sub(r" \1", behind)).split():
        for text in (word, *texts_encoded_in(word)):
            links = [match[0].rstrip(_TRAILING) for match in _SCHEME.finditer(text)]
            found.update((Found("link", value), None) for value in links)
            rest = _take_plain(_SCHEME.sub(" ", text), found)
            found.update((Found("link", value), None) for value in _bare_machines(rest))
    return tuple(found)


def _bare_links(text: str) -> Iterator[str]:
    for match in _BARE.finditer(text):
        last = match[2].casefold()
        deeper = bool(match[3]) or (match[4] or "").startswith("/")
        www = match[1].casefold().startswith("www.")
        if last in FILE_ENDINGS and not (deeper or match[4] or www):
            continue
        if www or _is_top_level(match[2]) or (deeper and _may_be_top_level(match[2])):
            yield match[0].rstrip(_TRAILING)


def _bare_machines(text: str) -> Iterator[str]:
    """Machines by their number: `10.0.0.5`, `10.0.0.5:8080/x`, `[2001:db8::1]`; no versions, no amounts, no clocks."""
    for match in _BARE_IP.finditer(text):
        if _NO_IP.search(text[max(0, match.start() - 12) : match.start()]) is None and _no_section(match[0]):
            yield match[0].rstrip(_TRAILING)
    for match in _BARE_IP6.finditer(text) if text.count(":") > 1 else ():
        if re.search("[0-9]", match[1]) and _ip_of(match[1]) is not None:
            yield match[0].rstrip(_TRAILING)


def _no_section(value: str) -> bool:
    """`1.2.3.4` numbers a section and `1.250.100.200` is an amount; a port or a usual net makes it a machine."""
    if value.startswith(("10.", "127.", "169.254.", "172.", "192.168.")):
        return True
    return re.fullmatch(r"[0-9]{1,2}(?:\.[0-9]{1,2}){3}|[0-9]{1,3}(?:\.[0-9]{3}){3}", value) is None


def _ip_of(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        return None


def _may_be_top_level(label: str) -> bool:
    """Letters in one case: what stands before a path or port may be a host under an ending that we don't know."""
    return len(label) >= 2 and label.isalpha() and label in {label.lower(), label.upper()}


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
    if (
        not text
        or not _READ_TWO_WAYS.isdisjoint(value)
        or any(character.isspace() or not character.isprintable() for character in text)
    ):
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
    return f"{local.lower()}@{host}" if host else None


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
    return Link(parts.scheme if "://" in value else "", host, None if port == own else port, path, parts.query)


def _segments(parts: SplitResult) -> tuple[str, ...] | None:
    """The path's names; None when one of them climbs in some server's eyes (`..`, `..;x`, encoded twice)."""
    segments = tuple(unquote(part) for part in parts.path.split("/") if part)
    read = [unicodedata.normalize("NFKC", segment).partition(";")[0].strip() for segment in segments]
    if any(part in {".", ".."} or re.search(r"[/\\%]", part) for part in read):
        return None
    return None if any(re.search(r"[/\\%]", segment) for segment in segments) else segments


def same_machine(host: str) -> str | None:
    """The number of the machine that `host` writes in decimal, octal, hexadecimal or inside IPv6; None: a name."""
    text = host.strip("[]").lower()
    whole = _ip_of(text)
    if isinstance(whole, ipaddress.IPv6Address):
        return str(whole.ipv4_mapped or whole)
    parts = text.split(".")
    if len(parts) > 4 or not all(re.fullmatch(r"0x[0-9a-f]{1,8}|[0-9]{1,11}", part) for part in parts):
        return None
    numbers = [int(part, 16 if part.startswith("0x") else 8 if re.fullmatch("0[0-7]+", part) else 10) for part in parts]
    total = numbers[-1] + sum(number << (8 * (3 - index)) for index, number in enumerate(numbers[:-1]))
    return str(ipaddress.IPv4Address(total)) if total < 2**32 else None

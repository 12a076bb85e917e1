"""Where a call would carry something, and whether the founder has named that place.

Named: what stands in the ticket, in the role's text, in files marked trusted, among signed parties, in the role's
egress hosts, and in `one_of` and `domain_in` of the tool's own rules. So writing such a rule grants, as well as
bounds. Everything else is a stranger, whatever mail, page or file praised it.
"""

import re
from collections.abc import Iterable, Sequence

import msgspec

from app.canon.accounts import compact
from app.canon.addresses import (
    Found,
    Kind,
    Link,
    found_in,
    host_of,
    link_of,
    mail_of,
    nested_in,
    same_machine,
)
from app.canon.appearance import loosened, said_numbers, with_digits
from app.canon.contract import AnyOf, Constraint, DomainIn, OneOf, ToolRule
from app.canon.facts import Fact
from app.canon.forbidden import without_forbidden
from app.canon.provenance import Provenance, Reading
from app.canon.tool import Arguments, ToolSpec
from app.canon.values import leaves_at, plain, shown, texts_at, written
from app.canon.written import stands_in

MAX_FACTS = 12
_CHANNEL = re.compile(r"(?<!\w)#[^\W\d]")
_CHANNEL_ARGUMENT = re.compile(r"channel|room|kanal", re.IGNORECASE)
_CHANNEL_WORD = r"(?:channels?|rooms?|kanal|saluran|grup|groups?)"
_CALLED_CHANNEL = re.compile(
    rf"\b{_CHANNEL_WORD} [\"'`“]?(\w[\w-]*)|(\w[\w-]*)[\"'`”]? {_CHANNEL_WORD}\b", re.IGNORECASE
)
_EVERYBODY = re.compile(
    r"[\W_]*(?:any(?:one|body)|every(?:one|body)|all(?: users)?|public|world|internet|web|link|"
    r"organi[sz]ation|domain|company|"
    r"semua(?: orang)?|publik|umum|siapa ?(?:saja|pun)|orang lain|setiap orang|seluruh \w+)\b.*|\*+",
    re.IGNORECASE | re.DOTALL,
)


_WORDS = "the this that our a an each every all both and or in on to of ini itu kami kita di ke dan atau yang for is"
_NO_CHANNELS = frozenset(_WORDS.split()) | {""}


class Named(msgspec.Struct, frozen=True):
    """Every place that the founder has named. `texts` are what was written, for payees, channels and accounts."""

    mails: frozenset[str]
    links: tuple[Link, ...]
    hosts: tuple[str, ...]
    domains: tuple[str, ...]
    values: frozenset[str]
    texts: tuple[str, ...]


class Destination(msgspec.Struct, frozen=True):
    """One place a call would reach, and the argument (or attached file) it stands in."""

    path: str
    kind: Kind
    value: str


def named_places(provenance: Provenance, rules: Sequence[ToolRule], egress_hosts: Sequence[str]) -> Named:
    """What counts as named for a tool whose rules these are."""
    trusted = provenance.trusted
    texts = (*map(without_forbidden, (*trusted.given, trusted.role)), *trusted.parties)
    places = [item for text in texts for item in found_in(text)]
    constraints = _constraints(rules)
    values = [str(value) for one in constraints if isinstance(one, OneOf) for value in one.values]
    places += [_classified(value) for value in (*values, *trusted.parties)]
    return Named(
        mails=frozenset(filter(None, (mail_of(item.value) for item in places if item.kind == "mail"))),
        links=tuple(filter(None, (link_of(item.value) for item in places if item.kind == "link"))),
        hosts=tuple(host.strip().lower() for host in egress_hosts),
        domains=tuple(domain for one in constraints if isinstance(one, DomainIn) for domain in one.domains),
        values=frozenset(map(plain, (*values, *trusted.parties))),
        texts=texts,
    )


def _constraints(rules: Sequence[ToolRule]) -> list[Constraint]:
    """Every constraint of the rules, those inside `any_of` included."""
    pending: list[Constraint] = [one for rule in rules for argument in rule.arguments for one in argument.constraints]
    found: list[Constraint] = []
    while pending:
        one = pending.pop()
        found.append(one)
        if isinstance(one, AnyOf):
            pending.extend(one.constraints)
    return found


def destinations_of(tool: ToolSpec, arguments: Arguments, documents: dict[str, str]) -> tuple[Destination, ...]:
    """Every place in the destination arguments, in prose that goes outward, in documents attached to it and in the
    names of these."""
    places: dict[Destination, None] = {}
    for path in tool.destinations:
        for leaf in leaves_at(arguments, path):
            item = _classified(written(leaf))
            places[Destination(path, item.kind, item.value)] = None
            if item.kind == "link":
                places.update((Destination(path, one.kind, one.value), None) for one in nested_in(loosened(item.value)))
    names = [(path, name) for path in tool.attachments for name in texts_at(arguments, path)]
    for path, text in (*outward_texts(tool, arguments, documents), *names):
        places.update((Destination(path, one.kind, one.value), None) for one in found_in(text))
    return tuple(places)


def outward_texts(tool: ToolSpec, arguments: Arguments, documents: dict[str, str]) -> list[tuple[str, str]]:
    """Prose that would leave with the call, each with the argument or the document's name."""
    texts = [(path, text) for path in tool.text for text in texts_at(arguments, path)]
    names = [name for path in tool.attachments for name in texts_at(arguments, path)]
    return texts + [(name, documents[name]) for name in names if name in documents]


def _classified(value: str) -> Found:
    text = value.strip()
    if mail_of(text):
        return Found("mail", text)
    if "://" in text or ((found := found_in(text)) and found[0].kind == "link" and found[0].value == text):
        return Found("link", text)
    if said_numbers(loosened(text)):
        return Found("account", text)
    digits = sum(character.isdigit() for character in text)
    if digits >= 5 and re.fullmatch(r"[\w .\-/]{5,40}", text) and digits * 2 >= len(compact(text)):
        return Found("account", text)
    return Found("name", text)


def is_named(destination: Destination, named: Named) -> bool:
    """The founder has named exactly this place."""
    match destination.kind:
        case "mail":
            return _mail_named(destination.value, named)
        case "link":
            return _link_named(destination.value, named)
        case "account":
            return plain(destination.value) in named.values or _account_named(destination.value, named)
        case "name":
            return plain(destination.value) in named.values or _name_named(destination, named)


def _name_named(destination: Destination, named: Named) -> bool:
    """No prose names everybody. Where the founder writes channels with their sign, or says which word is a channel, no
    other word of his sentences is one."""
    value = destination.value.strip()
    if _CHANNEL_ARGUMENT.search(destination.path) is None:
        return _EVERYBODY.fullmatch(value) is None and stands_in(value, named.texts)
    word = re.fullmatch(r"#?(\w[\w-]*)", value)
    if word is None:
        return stands_in(value, named.texts)
    if stands_in(f"#{word[1]}", named.texts):
        return True
    called = {
        name.casefold() for text in named.texts for match in _CALLED_CHANNEL.finditer(text) for name in match.groups("")
    }
    if word[1].casefold() in called:
        return True
    signed = any(_CHANNEL.search(text) for text in named.texts)
    return not (called - _NO_CHANNELS or signed) and stands_in(value, named.texts)


def _mail_named(value: str, named: Named) -> bool:
    mail = mail_of(value)
    if mail is None:
        return False
    return mail in named.mails or below_any(mail.rpartition("@")[2], named.domains)


def _link_named(value: str, named: Named) -> bool:
    link = link_of(value)
    if link is None or link.scheme not in {"", "http", "https"}:
        return False
    if below_any(link.host, named.domains) or host_allowed(
        link.host, link.port, named.hosts, any_port=False, scheme=link.scheme
    ):
        return True
    return any(_covers(written_link, link) for written_link in named.links)


def _covers(given: Link, asked: Link) -> bool:
    """A written host names all of its pages; a written page names itself and what lies below it; a written query only
    itself."""
    if given.host != asked.host or asked.path[: len(given.path)] != given.path:
        return False
    if given.scheme == "https" and asked.scheme == "http":
        return False
    if given.query and given.query != asked.query:
        return False
    return given.port == asked.port


def _account_named(value: str, named: Named) -> bool:
    return compact(value) in {compact(known) for known in named.values} or account_stands_in(value, named.texts)


def place_stands_in(value: object, texts: Sequence[str]) -> bool:
    """A mail address stands there however it is framed, an account however it is grouped."""
    if not isinstance(value, str):
        return False
    place = _classified(value)
    if place.kind == "mail":
        mail = mail_of(value)
        return any(mail == mail_of(one.value) for text in texts for one in found_in(text) if one.kind == "mail")
    return place.kind == "account" and account_stands_in(value, texts)


def account_stands_in(value: str, texts: Iterable[str]) -> bool:
    """The account stands in one of `texts`, whole, in whatever groups."""
    account = compact(value)
    spaced = re.compile(
        r"(?<![^\W_])(?<![0-9][-.])" + r"[ .\-]?".join(map(re.escape, account)) + r"(?![^\W_])(?![-.][0-9])",
        re.IGNORECASE,
    )
    return any(spaced.search(loosened(text)) for text in texts)


def below_any(host: str, domains: Iterable[str]) -> bool:
    """`host` is one of `domains` or below one."""
    for domain in domains:
        wanted = host_of(domain.strip().removeprefix("*."))
        if wanted and (host == wanted or host.endswith(f".{wanted}")):
            return True
    return False


def host_allowed(
    host: str, port: int | None, allowed: Iterable[str], *, any_port: bool = True, scheme: str = ""
) -> bool:
    """An entry is a host, `host:port`, or `*.host` for everything below it. Without a port it means every port, or
    only the scheme's own (`any_port` false). `port` None is the own port of `scheme` (empty: of either)."""
    for entry in allowed:
        name, colon, wanted_port = entry.strip().lower().rpartition(":")
        if not colon or not wanted_port.isdigit():
            name, wanted_port = entry.strip().lower(), ""
        if not (_port_fits(port, wanted_port, scheme) or (any_port and not wanted_port)):
            continue
        wanted = host_of(name.removeprefix("*."))
        if wanted and (host.endswith(f".{wanted}") if name.startswith("*.") else host == wanted):
            return True
    return False


def _port_fits(port: int | None, wanted: str, scheme: str) -> bool:
    own = {"http": {"80"}, "https": {"443"}}.get(scheme, {"80", "443"})
    return wanted in {"", *own} if port is None else str(port) == wanted


def hosts_of(tool: ToolSpec, arguments: Arguments) -> tuple[str, ...]:
    """`host:port` or host of every link among the destination arguments: what an allowed or approved call may reach."""
    links = (link_of(written(leaf)) for path in tool.destinations for leaf in leaves_at(arguments, path))
    return tuple(f"{link.host}:{link.port}" if link.port else link.host for link in links if link)


def stranger_facts(tool: ToolSpec, arguments: Arguments, provenance: Provenance, named: Named) -> tuple[Fact, ...]:
    """One fact for each place that the founder has not named, with the reading it came from; at most twelve."""
    facts: dict[tuple[str, str], Fact] = {}
    documents = {name: text for name, text in provenance.documents.items() if name not in provenance.asked_for}
    for place in destinations_of(tool, arguments, documents):
        if is_named(place, named):
            continue
        source = source_of(place, provenance.readings) or _source_inside(place, named, provenance.readings)
        facts.setdefault(
            (place.path, plain(place.value)),
            Fact(
                "destination",
                place.path,
                shown(place.value),
                place.kind,
                source.step if source else None,
                source.tool if source else "",
            ),
        )
    return tuple(facts.values())[:MAX_FACTS]


def source_of(place: Destination, readings: Sequence[Reading]) -> Reading | None:
    """The first answer in which the value could be read."""
    for reading in readings:
        if _read_in(place, reading.text):
            return reading
    return None


def _source_inside(place: Destination, named: Named, readings: Sequence[Reading]) -> Reading | None:
    """For a value in another form than it was read, or one that holds several places: where a piece of it that the
    founder did not write was read. The longest piece counts first."""
    inside = [Destination(place.path, one.kind, one.value) for one in found_in(place.value)]
    sources = (source_of(one, readings) for one in inside if one.value != place.value and not is_named(one, named))
    found = next(filter(None, sources), None)
    return found or next(filter(None, (_source_of_piece(piece, readings) for piece in _pieces(place, named))), None)


def _pieces(place: Destination, named: Named) -> list[str]:
    shown_value = plain(with_digits(loosened(place.value)))
    pieces = re.findall(r"[\w.+-]{5,}", shown_value)
    pieces += [_digits(shown_value)] if place.kind == "account" else []
    strange = (piece.strip(".-+") for piece in pieces if not stands_in(piece.strip(".-+"), named.texts))
    return sorted((piece for piece in strange if len(piece) >= 5), key=len, reverse=True)


def _source_of_piece(piece: str, readings: Sequence[Reading]) -> Reading | None:
    for reading in readings:
        heap = plain(with_digits(loosened(reading.text)))
        if piece in heap or (piece.isdigit() and piece in _digits(heap)):
            return reading
    return None


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())


def _read_in(place: Destination, text: str) -> bool:
    """As a reader sees `text`, or in its hidden parts, which a model reads too."""
    heap, hidden = plain(loosened(text)), plain(text)
    if place.kind == "account":
        return compact(loosened(place.value)) in compact(heap)
    if any(plain(loosened(place.value)) in read for read in (heap, hidden)):
        return True
    link = link_of(place.value.lstrip("/\\")) if place.kind == "link" else None
    if link is None:
        return False
    machine = same_machine(link.host)
    return link.host in heap or (
        machine is not None and any(same_machine(host) == machine for host in re.findall(r"[0-9a-fx:.\[\]]{7,}", heap))
    )

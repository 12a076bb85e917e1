"""What must not leave unseen: text of secret sources, in whatever disguise."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

import msgspec

from app.canon.appearance import loosened
from app.canon.encodings import decoded_in
from app.canon.facts import Fact
from app.canon.provenance import Reading
from app.canon.values import plain, shown
from app.canon.written import stands_in

OVERLAP = 24
_BLOCK = OVERLAP // 2
_OPAQUE = re.compile(r"(?<![A-Za-z0-9+/_=.-])[A-Za-z0-9+/_-]{40,}={0,2}(?![A-Za-z0-9+/_=.-])")
_MORSE = re.compile(r"(?:[.\-·–−]{1,6}[ /|]{1,3}){15,}")
_LOOK_ALIKES = {
    ord(sign): letter
    for letter, signs in {
        "a": "4@аα",
        "b": "в",
        "c": "с",
        "d": "ԁ",
        "e": "3еε",
        "h": "һн",
        "i": "1іι!",
        "j": "ј",
        "k": "кκ",
        "m": "м",
        "n": "ηп",
        "o": "0оοσ",
        "p": "рρ",
        "q": "ԛ",
        "s": "5$ѕ",
        "t": "7тτ",
        "u": "υ",
        "v": "νѵ",
        "w": "ԝω",
        "x": "хχ",
        "y": "уγ",
    }.items()
    for sign in signs
}


class _Body(msgspec.Struct, frozen=True):
    """One way to read the outward text: as it is compared, without signs between letters, as steps between letters."""

    plain: str
    squeezed: str
    steps: tuple[str, ...] = ()


def secret_facts(texts: Sequence[tuple[str, str]], readings: Sequence[Reading], given: Sequence[str]) -> list[Fact]:
    """Passages of 24 characters and more that were read from a secret source, unless the founder wrote them himself.

    Encoded, reversed and letter-shifted passages are read as well as plain ones, whatever stands between the letters,
    also when they are divided over several arguments. A block that nothing can read is told as such. Shorter secrets
    and those in other words are not seen.
    """
    secrets = [reading for reading in readings if reading.secret]
    if not secrets:
        return []
    facts = [fact for path, text in texts for fact in _passages(path, text, secrets, given)]
    if not facts and len(texts) > 1:
        whole = "\n".join(text for _, text in texts)
        facts = _passages(texts[0][0], whole, secrets, given)
    return facts or [fact for path, text in texts for fact in _unreadable(path, text, secrets[0], given)]


def _passages(path: str, text: str, secrets: Sequence[Reading], given: Sequence[str]) -> list[Fact]:
    facts: list[Fact] = []
    bodies = [_body(body, shifted=index < 1) for index, body in enumerate(dict.fromkeys(map(plain, _bodies(text))))]
    for reading in secrets:
        source = plain(reading.text)
        passage = next(filter(None, (_carried(source, body) for body in bodies)), None)
        if passage and not _stands_in(passage, given):
            facts.append(Fact("secret", path, shown(passage), "", reading.step, reading.tool))
    return facts


def _bodies(text: str) -> Iterator[str]:
    """The text as a reader's program shows it, as it stands, as a web form sends it, what is encoded inside, and
    with words and letters turned around."""
    shown_text = loosened(text)
    yield shown_text
    yield text
    yield loosened(text.replace("+", " "))
    yield from decoded_in(text)
    yield text[::-1]
    words = shown_text.split()
    yield " ".join(reversed(words))
    yield " ".join(word[::-1] for word in words)


def _body(text: str, *, shifted: bool) -> _Body:
    return _Body(text, _squeezed(text), (_steps(text), _steps(text, mirrored=True)) if shifted else ())


def _carried(source: str, body: _Body) -> str | None:
    """A passage in both: as written, without what stands between letters and digits, or with its letters shifted."""
    found = _shared(source, body.plain) or _shared(_squeezed(source), body.squeezed)
    if found or not body.steps:
        return found
    steps = _steps(source)
    for other in body.steps:
        passage = _shared(steps, other)
        if passage:
            start = steps.index(passage)
            return _letters(source)[start : start + OVERLAP + 1]
    return None


@lru_cache(maxsize=64)
def _squeezed(text: str) -> str:
    """Letters and digits alone, look-alike signs as the letters that they imitate, accents dropped."""
    if not text.isascii():
        text = "".join(sign for sign in unicodedata.normalize("NFKD", text) if unicodedata.category(sign) != "Mn")
    return "".join(filter(str.isalnum, text.translate(_LOOK_ALIKES)))


@lru_cache(maxsize=64)
def _letters(text: str) -> str:
    return re.sub(r"[^a-z]+", "", text)


@lru_cache(maxsize=64)
def _steps(text: str, *, mirrored: bool = False) -> str:
    """How far each letter is from the one before it: the same whichever alphabet shift was used."""
    codes = _letters(text).encode()
    sign = -1 if mirrored else 1
    return bytes(97 + sign * (after - before) % 26 for before, after in pairwise(codes)).decode()


def _stands_in(passage: str, given: Sequence[str]) -> bool:
    squeezed, letters = _squeezed(passage), _letters(passage)
    return stands_in(passage, given) or any(
        squeezed in _squeezed(plain(text)) or (letters == passage and letters in _letters(plain(text)))
        for text in given
    )


def _shared(source: str, body: str) -> str | None:
    """A passage of at least `OVERLAP` characters in both: it must hold a whole aligned block of the source."""
    if len(body) < OVERLAP or len(source) < OVERLAP:
        return None
    grams = {body[index : index + _BLOCK] for index in range(len(body) - _BLOCK + 1)}
    for start in range(0, len(source) - _BLOCK + 1, _BLOCK):
        if source[start : start + _BLOCK] in grams:
            passage = _grown(source, start, body)
            if passage:
                return passage
    return None


def _grown(source: str, start: int, body: str) -> str | None:
    for left in range(max(0, start + _BLOCK - OVERLAP), start + 1):
        passage = source[left : left + OVERLAP]
        if len(passage) == OVERLAP and passage in body:
            return passage
    return None


def _unreadable(path: str, text: str, secret: Reading, given: Iterable[str]) -> list[Fact]:
    """A long block that is neither words nor a number, after something secret was read."""
    for match in _OPAQUE.finditer(text):
        block = match[0]
        mixed = block != block.lower() and block != block.upper() and any(map(str.isdigit, block))
        if (mixed or re.fullmatch(r"[0-9A-Fa-f]{80,}", block)) and not any(block in one for one in given):
            return [Fact("unreadable", path, shown(block), "", secret.step, secret.tool)]
    found = _MORSE.search(text)
    return [Fact("unreadable", path, shown(found[0]), "", secret.step, secret.tool)] if found else []

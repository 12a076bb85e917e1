"""What must not leave unseen: text of secret sources, and keys or passwords."""

import base64
import binascii
import codecs
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from app.canon.addresses import loosened
from app.canon.facts import Fact
from app.canon.provenance import Reading
from app.canon.values import plain, shown
from app.canon.written import stands_in

OVERLAP = 24
_BLOCK = OVERLAP // 2
MOST_DECODED = 60
_PAIRS = re.compile(r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{2}[\s:,-]{1,2}){15,}[0-9A-Fa-f]{2}(?![0-9A-Za-z])")
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{32,}={0,2}")
_CREDENTIAL = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,}"
    r"|\bsk-[A-Za-z0-9_-]{20,}|\bxox[abposr]-[A-Za-z0-9-]{10,}|\bglpat-[\w-]{20,}|\bAIza[\w-]{35}"
    r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"
    r"|\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|\bbearer\s+[A-Za-z0-9._~+/-]{20,}"
    r"|\b(?:otp|one[- ]time (?:code|password)|verification code|kode verifikasi)\b[^\n0-9]{0,24}[0-9]{4,8}\b"
    r"|(?<![^\W_])(?:password|passwd|sandi|api[_ -]?key|secret|access[_ -]?token)\b[\"']?\s*(?:[:=]|is|adalah)\s*"
    r"[\"']?[^\s\"']{8,}",
    re.IGNORECASE,
)


def secret_facts(texts: Iterable[tuple[str, str]], readings: Sequence[Reading], given: Sequence[str]) -> list[Fact]:
    """Passages of 24 characters and more that were read from a secret source, unless the founder wrote them himself.

    Base64, hexadecimal, reversed and letter-rotated passages are read as well as plain ones, whatever stands between
    the letters. Shorter secrets and those in other words are not seen.
    """
    secrets = [(reading, plain(reading.text)) for reading in readings if reading.secret]
    facts: list[Fact] = []
    for path, text in texts if secrets else ():
        bodies = _bodies(text)
        for reading, source in secrets:
            passage = next(filter(None, (_carried(source, body) for body in bodies)), None)
            if passage and not _stands_in(passage, given):
                facts.append(Fact("secret", path, shown(passage), "", reading.step, reading.tool))
    return facts


def _bodies(text: str) -> list[str]:
    """The text as it stands, as a reader's program shows it, as a web form sends it, what is encoded inside, and the
    whole backwards and with its letters rotated."""
    shown_text = loosened(text)
    bodies = [text, shown_text, loosened(text.replace("+", " ")), *_decoded(text)]
    bodies += [text[::-1], codecs.encode(shown_text, "rot13")]
    return list(dict.fromkeys(map(plain, bodies)))


def _carried(source: str, body: str) -> str | None:
    """A passage in both, as written or without what stands between letters and digits."""
    return _shared(source, body) or _shared(_squeezed(source), _squeezed(body))


@lru_cache(maxsize=64)
def _squeezed(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _stands_in(passage: str, given: Sequence[str]) -> bool:
    return stands_in(passage, given) or any(_squeezed(passage) in _squeezed(plain(text)) for text in given)


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


def _decoded(text: str) -> list[str]:
    """What base64 and hexadecimal passages say, those broken over lines or into pairs included."""
    pairs = (re.sub(r"[^0-9A-Fa-f]", "", match[0]) for match in _PAIRS.finditer(text))
    found = [bytes.fromhex(pair).decode("utf-8", "replace") for pair in pairs]
    for match in _ENCODED.finditer(text):
        found += _decodings(match[0], (0,))
    if "\n" in text or " " in text:
        for match in _ENCODED.finditer(re.sub(r"\s+", "", text)):
            found += _decodings(match[0], (0, 1, 2, 3))
    return found[:MOST_DECODED]


def _decodings(token: str, offsets: Sequence[int]) -> list[str]:
    """As hexadecimal, and as base64 that begins at each of `offsets`."""
    found: list[str] = []
    if re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", token):
        found.append(bytes.fromhex(token).decode("utf-8", "replace"))
    for offset in offsets:
        body = token.rstrip("=")[offset:]
        body = body[: len(body) - (len(body) % 4 == 1)]
        try:
            raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_" if re.search("[-_]", body) else None)
        except (binascii.Error, ValueError):
            continue
        found.append(raw.decode("utf-8", "replace"))
    return found


def credential_facts(texts: Iterable[tuple[str, str]], given: Sequence[str]) -> list[Fact]:
    """Keys, tokens and passwords in outward text that the founder did not write."""
    facts = []
    for path, text in texts:
        found = _CREDENTIAL.search(loosened(text))
        if found and not stands_in(found[0], given):
            facts.append(Fact("credential", path, shown(found[0][:8] + "…")))
    return facts

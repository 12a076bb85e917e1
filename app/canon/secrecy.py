"""What must not leave unseen: text of secret sources, and keys or passwords."""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence

from app.canon.addresses import loosened
from app.canon.facts import Fact
from app.canon.provenance import Reading
from app.canon.values import plain, shown
from app.canon.written import stands_in

OVERLAP = 24
_BLOCK = OVERLAP // 2
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{32,}={0,2}")
_CREDENTIAL = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,}"
    r"|\bsk-[A-Za-z0-9_-]{20,}|\bxox[abposr]-[A-Za-z0-9-]{10,}|\bglpat-[\w-]{20,}|\bAIza[\w-]{35}"
    r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"
    r"|\b(?:password|passwd|sandi|api[_ -]?key|secret|access[_ -]?token)\b[\"']?\s*(?:[:=]|is|adalah)\s*"
    r"[\"']?[^\s\"']{8,}",
    re.IGNORECASE,
)


def secret_facts(texts: Iterable[tuple[str, str]], readings: Sequence[Reading], given: Sequence[str]) -> list[Fact]:
    """Passages of 24 characters and more that were read from a secret source, unless the founder wrote them himself.

    Base64 and hexadecimal passages are read as well as plain ones. Shorter secrets are not seen.
    """
    secrets = [(reading, plain(reading.text)) for reading in readings if reading.secret]
    facts: list[Fact] = []
    for path, text in texts if secrets else ():
        bodies = list(
            dict.fromkeys(
                plain(body) for body in (text, loosened(text), loosened(text.replace("+", " ")), *_decoded(text))
            )
        )
        for reading, source in secrets:
            passage = next(filter(None, (_shared(source, body) for body in bodies)), None)
            if passage and not stands_in(passage, given):
                facts.append(Fact("secret", path, shown(passage), "", reading.step, reading.tool))
    return facts


def _bodies(text: str) -> list[str]:
    """The text as it stands, as a reader's program shows it, as a web form sends it, and what is encoded inside."""
    return [text, loosened(text), loosened(text.replace("+", " ")), *_decoded(text)]


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
    found: list[str] = []
    for match in _ENCODED.finditer(text):
        token = match[0]
        if re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", token):
            found.append(bytes.fromhex(token).decode("utf-8", "replace"))
        try:
            padded = token.rstrip("=") + "=" * (-len(token.rstrip("=")) % 4)
            found.append(
                base64.b64decode(padded, altchars=b"-_" if re.search("[-_]", token) else None).decode(
                    "utf-8", "replace"
                )
            )
        except (binascii.Error, ValueError):
            continue
    return found[:50]


def credential_facts(texts: Iterable[tuple[str, str]], given: Sequence[str]) -> list[Fact]:
    """Keys, tokens and passwords in outward text that the founder did not write."""
    facts = []
    for path, text in texts:
        found = _CREDENTIAL.search(loosened(text))
        if found and not stands_in(found[0], given):
            facts.append(Fact("credential", path, shown(found[0][:8] + "…")))
    return facts

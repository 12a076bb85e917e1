"""What encoded passages say: base64, base32, base85, hexadecimal, codes of letters."""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence

MOST_DECODED = 60
MOST_CHARACTERS = 400_000
_PAIRS = re.compile(r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{2}[\s:,-]{1,2}){15,}[0-9A-Fa-f]{2}(?![0-9A-Za-z])")
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,6}")
_BASE32 = re.compile(r"(?<![A-Za-z0-9])(?:[A-Z2-7]{8}){3,}[A-Z2-7]{0,8}(?![A-Za-z0-9])")
_BASE85 = re.compile(r"(?<!\S)\S{30,}(?!\S)")
_DECIMAL = re.compile(r"(?<![0-9])(?:(?:1[0-2][0-9]|[3-9][0-9]|9|10|13)[\s,;-]{1,3}){15,}[0-9]{2,3}(?![0-9])")
_OCTAL = re.compile(r"(?<![0-9])(?:\\?[01][0-7]{2}[\s,;-]{0,3}){16,2000}(?![0-9])")
_BINARY = re.compile(r"(?<![0-9])(?:[01]{7,8}(?:[\s,;-]{1,3}[01]{7,8}){11,}|[01]{84,})(?![0-9])")
_READABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f\ufffd]{12,}")
_TOKEN = re.compile(r"[A-Za-z0-9+/_-]{12,2000}={0,2}")


def decoded_in(text: str) -> list[str]:
    """What encoded passages of `text` say where that can be read, two layers deep, those broken over lines included."""
    first = [one for one in _layer(text) if _READABLE.search(one)][:MOST_DECODED]
    return [*first, *(deeper for one in first for deeper in _layer(one) if _READABLE.search(deeper))][:MOST_DECODED]


def texts_encoded_in(word: str) -> Iterator[str]:
    """What one word says as base64 or hexadecimal, where that is plain writing: `aHR0cHM6Ly9iLmV4YW1wbGU`."""
    if _TOKEN.fullmatch(word):
        yield from (text for text in _decodings(word, (0,)) if text.isascii() and text.isprintable())


def _layer(text: str) -> Iterator[str]:
    if len(text) > MOST_CHARACTERS:
        text = text[:MOST_CHARACTERS]
    for match in _PAIRS.finditer(text):
        yield bytes.fromhex(re.sub(r"[^0-9A-Fa-f]", "", match[0])).decode("utf-8", "replace")
    for match in _ENCODED.finditer(text):
        yield from _decodings(match[0], (0,))
    if "\n" in text or " " in text:
        for match in _ENCODED.finditer(re.sub(r"\s+", "", text)):
            yield from _decodings(match[0], (0, 1, 2, 3))
    yield from _other_alphabets(text)
    yield from _codes(text)


def _other_alphabets(text: str) -> Iterator[str]:
    for match in _BASE32.finditer(text):
        body = match[0][: len(match[0]) - len(match[0]) % 8]
        yield base64.b32decode(body).decode("utf-8", "replace")
    for match in _BASE85.finditer(text):
        for decode in (base64.b85decode, base64.a85decode):
            try:
                yield decode(match[0].encode()).decode("utf-8")
            except (ValueError, binascii.Error):
                continue


def _codes(text: str) -> Iterator[str]:
    """Letters by their numbers: decimal, octal, binary."""
    for pattern, base in ((_DECIMAL, 10), (_OCTAL, 8)):
        for match in pattern.finditer(text):
            yield "".join(chr(int(code, base)) for code in re.findall("[0-9]{2,3}", match[0]))
    for match in _BINARY.finditer(text):
        codes = re.findall("[01]{8}", match[0]) or re.findall("[01]{7}", match[0])
        yield "".join(chr(int(code, 2)) for code in codes)


def _decodings(token: str, offsets: Sequence[int]) -> Iterator[str]:
    """As hexadecimal, and as base64 that begins at each of `offsets`."""
    if re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", token):
        yield bytes.fromhex(token).decode("utf-8", "replace")
    for offset in offsets:
        body = token.rstrip("=")[offset:]
        body = body[: len(body) - (len(body) % 4 == 1)]
        try:
            raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_" if re.search("[-_]", body) else None)
        except (binascii.Error, ValueError):
            continue
        yield raw.replace(b"\0", b"").decode("utf-8", "replace")

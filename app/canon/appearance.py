"""Text as its reader sees it, whatever signs, escapes and words it is written with. Only for finding places in it."""

import html
import re
import unicodedata
from functools import lru_cache
from urllib.parse import unquote

from app.canon.top_level_domains import COUNTRIES, GENERIC, SPOKEN

_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(/))")
_OVERRIDE = re.compile("\u202e([^\u202c\n]{1,500})\u202c?")
_BRACKETED = re.compile(r"\s{0,3}[\[({<]\s{0,3}(at|et|@|dot|titik|\.|:)\s{0,3}[\])}>]\s{0,3}", re.IGNORECASE)
_BRACKETED_SIGNS = {"at": "@", "et": "@", "dot": ".", "titik": "."}
_HXXP = re.compile(r"\bhxxp", re.IGNORECASE)
_SPACED = re.compile(r"(?<![\w.+-])([\w.+-]{1,64}) {0,2}@ {0,2}([\w-]{1,63}(?: ?\. ?[\w-]{1,63}){1,5})")
_SPACED_HOST = re.compile(
    r"(?<=\w)(?: \. (?=\w)|(?: \.(?=(?:com|net|org|co\.id|id|io|info|biz|xyz|example|click|top|site)\b)|"
    r"\. (?=(?:com|net)\b)))"
)
_HIDDEN = re.compile(
    r"<!--.{0,500}?-->|</?(?:b|i|u|s|em|strong|span|font|small|big|wbr|mark|sub|sup|code|tt)\s*/?>", re.IGNORECASE
)
_DOT = r"(?:dot|titik|punto|punkt)"
_SPOKEN_MAIL = re.compile(
    rf"(?<![\w.+-])([\w.+-]{{1,64}}) (?:at|et|arroba) ([\w-]{{1,63}}(?: {_DOT} [\w-]{{1,63}}){{0,4}}) {_DOT} "
    r"([a-z]{2,18})(?![\w-])",
    re.IGNORECASE,
)
_SPOKEN_HOST = re.compile(
    rf"(?<![\w.+-])([\w-]{{1,63}}(?: {_DOT} [\w-]{{1,63}}){{0,4}}) {_DOT} ([a-z]{{2,18}})(?![\w-])", re.IGNORECASE
)
_DOT_WORD = re.compile(rf"\b{_DOT}\b", re.IGNORECASE)
_DIGIT_WORDS = {
    word: str(digit)
    for digit, words in enumerate(
        (
            "zero oh nol kosong sifar null cero",
            "one satu eins uno un",
            "two dua zwei dos deux",
            "three tiga drei tres trois",
            "four empat vier cuatro quatre",
            "five lima fünf cinco cinq",
            "six enam sechs seis",
            "seven tujuh sieben siete sept",
            "eight delapan lapan acht ocho huit",
            "nine sembilan neun nueve neuf",
        )
    )
    for word in words.split()
}
_CJK = "〇零一二三四五六七八九"
_DIGIT_WORDS |= {sign: str(max(0, place - 1)) for place, sign in enumerate(_CJK)}
_DIGIT = rf"(?:[0-9]|{'|'.join(sorted((word for word in _DIGIT_WORDS if word not in _CJK), key=len, reverse=True))})"
_SAID_DIGITS = re.compile(
    rf"(?<!\w){_DIGIT}(?:[\s,./–-]{{0,3}}{_DIGIT}){{5,40}}(?!\w)|[{_CJK}](?:[\s,.·-]?[{_CJK}]){{5,40}}", re.IGNORECASE
)
_ONE_DIGIT = re.compile(rf"{_DIGIT}|[{_CJK}]")
_LEAST_WORDS = 3


class _ShownSigns(dict[int, str | None]):
    """What each sign looks like to a reader: invisible ones are nothing, every digit is 0 to 9."""

    def __missing__(self, code: int) -> str | None:
        sign = chr(code)
        shown: str | None = sign
        if unicodedata.category(sign) in {"Cf", "Mn", "Me"}:
            shown = None
        elif not sign.isascii() and sign.isdecimal():
            shown = str(unicodedata.decimal(sign))
        self[code] = shown
        return shown


_SHOWN = _ShownSigns(
    dict.fromkeys((0x115F, 0x1160, 0x3164, 0xFFA0, 0x2800))
    | dict.fromkeys((0x3002, 0xFF61, 0x2024, 0x06D4), ".")
    | dict.fromkeys((0x2215, 0x2044, 0x29F8), "/")
    | dict.fromkeys((0xA789, 0x2236, 0x02D0), ":")
    | dict.fromkeys((0x2010, 0x2011), "-")
)


@lru_cache(maxsize=64)
def loosened(text: str) -> str:
    """NFKC, no invisible signs, entities and escapes undone, `[at]` and `dot` as signs, turned runs also unturned."""
    text = html.unescape(text) if "&" in text else text
    text = _HIDDEN.sub("", text) if "<" in text else text
    for _ in range(2):
        text = unquote(text) if "%" in text else text
    text = _ESCAPE.sub(_unescaped, text) if "\\" in text else text
    if not text.isascii():
        text = _OVERRIDE.sub(lambda match: f"{match[1]} {match[1][::-1]}", text)
        text = unicodedata.normalize("NFKC", text).translate(_SHOWN)
    text = _BRACKETED.sub(lambda match: _BRACKETED_SIGNS.get(match[1].lower(), match[1]), text)
    return _HXXP.sub("http", _written_apart(text))


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    if code is None:
        return "/"
    return match[0] if 0xD800 <= int(code, 16) <= 0xDFFF else chr(int(code, 16))


def _written_apart(text: str) -> str:
    """Addresses that are kept from programs, not from readers: `ana @ kopi . example`, `ana at kopi dot example`."""
    if " @" in text or "@ " in text:
        text = _SPACED.sub(_joined_mail, text)
    if " ." in text or ". " in text:
        text = _SPACED_HOST.sub(".", text)
    if _DOT_WORD.search(text):
        text = _SPOKEN_HOST.sub(_as_host, _SPOKEN_MAIL.sub(_as_mail, text))
    return text


def _joined_mail(match: re.Match[str]) -> str:
    """`120 boxes @ Rp15.000` is a price: no host but a machine's number ends in figures."""
    labels = [label.strip() for label in match[2].split(".")]
    if labels[-1].isdigit() and not all(label.isdigit() for label in labels):
        return match[0]
    return f"{match[1]}@{'.'.join(labels)}"


def _as_mail(match: re.Match[str]) -> str:
    ending = match[3].casefold()
    if ending not in COUNTRIES and ending not in GENERIC:
        return match[0]
    return f"{match[1]}@{_dotted(match[2])}.{match[3]}"


def _as_host(match: re.Match[str]) -> str:
    if match[2].casefold() not in SPOKEN:
        return match[0]
    return f"{_dotted(match[1])}.{match[2]}"


def _dotted(words: str) -> str:
    return re.sub(f" {_DOT} ", ".", words, flags=re.IGNORECASE)


def said_numbers(text: str) -> tuple[str, ...]:
    """Numbers of six digits and more that are spelled out, wholly or in part: `five two two one ...`."""
    return tuple(filter(None, (_said(match) for match in _SAID_DIGITS.finditer(text))))


def with_digits(text: str) -> str:
    """`text` with such numbers in digits."""
    return _SAID_DIGITS.sub(lambda match: _said(match) or match[0], text)


def _said(match: re.Match[str]) -> str:
    words = _ONE_DIGIT.findall(match[0].casefold())
    if sum(word in _DIGIT_WORDS for word in words) < _LEAST_WORDS:
        return ""
    return "".join(_DIGIT_WORDS.get(word, word) for word in words)

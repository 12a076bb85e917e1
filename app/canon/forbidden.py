"""Places that the founder mentions only to forbid them: `never write to press@daily.example` names nobody.

Where a sentence may forbid a place, the place counts as not named: then the founder is asked.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

_PLACE = r"(?:[^\s@,;]+@[^\s,;]+|https?://\S+|www\.\S+|[#@][^\W\d][\w-]*|[0-9][0-9 .-]{4,38}[0-9])"
_WORD = r"[^\s.,;:!?]+"
_NOT = r"\b(?:never|not|don'?t|no longer|jangan(?: pernah)?|bukan|dilarang)"
_VERBS = (
    "to|at|the|ever|write|writing|send|mail|e-?mail|reply|contact|use|pay|cc|copy|call|visit|open|"
    "transfer|forward|share|"
    "anything|money|ke|kepada|kirim|mengirim|kirimkan|hubungi|bayar|membayar|pakai|memakai|gunakan|balas|tulis|menulis|"
    "surat|surel|uang|old|lama|rekening|account|alamat|address"
)
_ORDER = (
    r"\b(?:never|do not|don'?t|must not|mustn'?t|may not|should not|shouldn'?t|shall not|can ?not|can'?t|"
    r"not to|no longer|"
    r"stop|refuse|avoid|jangan(?: pernah)?|dilarang|tidak boleh|tak boleh|hindari)"
)
_NO_BAN = re.compile(
    r"\b(?:forget|fail|hesitate|delay|wait|miss|worry|lupa|ragu|sampai|segan|sungkan|lambat|terlambat|"
    r"tunda|menunda|than|"
    r"until|before|unless|except|but|only|other|later|lebih|hanya|sebelum|kecuali|selain|tapi|kalau|if|when|because)\b",
    re.IGNORECASE,
)
_BANS = (
    re.compile(rf"{_NOT}(?: (?:{_VERBS})){{1,5}} {_PLACE}", re.IGNORECASE),
    re.compile(rf"{_ORDER}((?: {_WORD}){{1,9}}?) {_PLACE}", re.IGNORECASE),
)
_ASIDE = re.compile(
    r"\b(?:except(?: for)?|excluding|other than|apart from|instead of|rather than|without|anyone but|anybody but|not|"
    r"any \w+ but|all \w+ but|every\w* but|kecuali|selain|tanpa|daripada|alih-alih|bukan|not|never)"
    rf"(?: (?:to|ke|kepada|untuk|the|our|my|old|lama|alamat|akun|rekening|account|address|box|di|from|"
    rf"dari)){{0,3}} {_PLACE}",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"\b(?:never|no|not|nobody|nowhere|don'?t|jangan|dilarang|tidak|hanya|only)\b[^.;:!?\n]*$", re.IGNORECASE
)
_DISOWNED = re.compile(
    rf"({_PLACE}) (?:(?:is|are|was|were|has been|have been|itu|ini) )?"
    r"(?:no longer|not (?:ours|valid|allowed|to be|safe|real|trusted)|never|must not|mustn'?t|may not|"
    r"should not|shall not|"
    r"cannot|can'?t|(?:a )?(?:fraud\w*|scam\w*|fake|phishing|spoof\w*)|blocked|banned|forbidden|closed|"
    r"compromised|hacked|"
    r"off[- ]limits|wrong|outdated|sudah tidak|sudah ditutup|tidak (?:boleh|lagi|berlaku|valid|aktif|sah)|"
    r"tak boleh|bukan|"
    r"palsu|penipu\w*|diblokir|dilarang|ditutup|salah|jangan (?:di\w+|pernah|pakai|dipakai))",
    re.IGNORECASE,
)
_EITHER = re.compile(rf"^ ?(?:,|or|nor|atau|dan|and) (?:to |ke )?{_PLACE}", re.IGNORECASE)
_HINT = re.compile(
    r"\b(?:never|not|\w+n'?t|no|cannot|stop|refuse|avoid|except|excluding|other|apart|instead|rather|"
    r"without|but|fraud|scam|"
    r"fake|phishing|blocked|banned|forbidden|closed|compromised|hacked|wrong|outdated|off|jangan|bukan|"
    r"dilarang|tidak|tak|"
    r"hindari|kecuali|selain|tanpa|daripada|alih|palsu|penipu\w*|diblokir|ditutup|salah)\b",
    re.IGNORECASE,
)
_AT_END = re.compile(rf"{_PLACE}$", re.IGNORECASE)


@lru_cache(maxsize=64)
def without_forbidden(text: str) -> str:
    """`text` without the places that it says not to use, wherever in it they stand."""
    if _HINT.search(text) is None:
        return text
    for place in dict.fromkeys(_forbidden_places(text)):
        text = re.sub(rf"(?<!\w){re.escape(place)}(?![\w@])", "\n", text, flags=re.IGNORECASE)
    return text


def _forbidden_places(text: str) -> Iterator[str]:
    for pattern in _BANS:
        for match in pattern.finditer(text):
            if pattern.groups and _NO_BAN.search(match[1]):
                continue
            yield from _with_others(text, match)
    for match in _ASIDE.finditer(text):
        if not _NEGATED.search(text[max(0, match.start() - 120) : match.start()]):
            yield from _with_others(text, match)
    for match in _DISOWNED.finditer(text):
        yield _bare(match[1])


def _with_others(text: str, match: re.Match[str]) -> Iterator[str]:
    """The place at the end of `match`, and those that follow it with `or` and `and`."""
    position, found = match.end(), _AT_END.search(match[0])
    while found is not None:
        yield _bare(found[0])
        more = _EITHER.match(text[position : position + 200])
        if more is None or "," in more[0][:2]:
            return
        position += more.end()
        found = _AT_END.search(more[0])


def _bare(place: str) -> str:
    return place.strip(".,;:!?()<>[]'\"")

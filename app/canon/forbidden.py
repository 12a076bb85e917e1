"""Places that the founder mentions only to forbid them: `never write to press@daily.example` names nobody."""

import re
from functools import lru_cache

_NOT = r"\b(?:never|not|don'?t|no longer|jangan(?: pernah)?|bukan|dilarang)"
_VERBS = (
    "to|at|the|ever|write|writing|send|mail|e-?mail|reply|contact|use|pay|cc|copy|call|visit|open|transfer|forward|share|"
    "anything|money|ke|kepada|kirim|mengirim|kirimkan|hubungi|bayar|membayar|pakai|memakai|gunakan|balas|tulis|menulis|"
    "surat|surel|uang|old|lama|rekening|account|alamat|address"
)
_PLACE = r"(?:[^\s@,;]+@[^\s,;]+|https?://\S+|www\.\S+|[0-9][0-9 .-]{4,38}[0-9])"
_FORBIDDEN = re.compile(rf"{_NOT}(?: (?:{_VERBS})){{1,5}} {_PLACE}", re.IGNORECASE)
_EITHER = re.compile(rf"^ ?(?:,|or|nor|atau|dan|and) (?:to |ke )?{_PLACE}", re.IGNORECASE)


@lru_cache(maxsize=64)
def without_forbidden(text: str) -> str:
    """`text` without the places that it says not to use; only a plain prohibition right before a place counts."""
    kept: list[str] = []
    position = 0
    for match in _FORBIDDEN.finditer(text):
        if match.start() < position:
            continue
        kept.append(text[position : match.start()])
        position = match.end()
        while (more := _EITHER.match(text[position : position + 200])) is not None and "," not in more[0][:2]:
            position += more.end()
    return "\n".join([*kept, text[position:]])

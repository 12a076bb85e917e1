"""How many words two texts share, in English and Indonesian: the whole understanding of what decides by rules."""

import re

_WORD = re.compile(r"[^\W\d_]{3,}")
_EMPTY = frozenset(
    "the and for with from that this into your you our are will who what when all any each one can has have not does "
    "yang dan untuk dengan dari pada ini itu ke di oleh akan atau juga para setiap semua kami kita anda saya ada tidak "
    "please tolong harap agar bagi per via".split()
)
_ENDINGS = ("ments", "ment", "ingly", "ings", "ing", "ies", "ers", "er", "ed", "es", "s", "kan", "an", "nya", "i", "y")
_STEM = 4


def words(text: str) -> frozenset[str]:
    """The stems of the words that carry meaning."""
    found = (match.group().lower() for match in _WORD.finditer(text))
    return frozenset(stem(word) for word in found if word not in _EMPTY)


def stem(word: str) -> str:
    """A word without its commonest endings; short words stay as they are."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _STEM:
            return word[: -len(ending)]
    return word


def overlap(one: str, other: str) -> int:
    """The number of stems in both texts."""
    return len(words(one) & words(other))

"""The console's sentences: two catalogues with the same keys."""

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from app.founder_console.model import Language

LANGUAGES: tuple[Language, ...] = ("id", "en")
_HOLE = re.compile(r"\{(\w+)\}")


class Words:
    """One catalogue. A key with `.one` beside it has a singular for `n=1`."""

    def __init__(self, language: Language, table: Mapping[str, str]) -> None:
        self.language = language
        self.table = table

    def has(self, key: str) -> bool:
        return key in self.table

    def __call__(self, key: str, **values: object) -> str:
        """The sentence of `key` with `{holes}` filled. Raises `KeyError` for a key that no catalogue has."""
        singular = values.get("n") == 1 and f"{key}.one" in self.table
        sentence = self.table[f"{key}.one" if singular else key]
        return _HOLE.sub(lambda hole: str(values.get(hole[1], hole[0])), sentence)


def load_words(folder: Path) -> dict[Language, Words]:
    """Both catalogues of `folder`."""
    return {
        language: Words(language, msgspec.json.decode((folder / f"{language}.json").read_bytes(), type=dict[str, str]))
        for language in LANGUAGES
    }


def preferred(accepted: str) -> Language:
    """The language of an `Accept-Language` header before anybody has signed in."""
    for part in accepted.lower().split(","):
        for language in LANGUAGES:
            if part.strip().startswith(language):
                return language
    return "id"

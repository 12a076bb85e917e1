"""Both catalogues say the same things, and nothing that a page asks for is missing."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.founder_console.copilot.brief import KINDS, MORE, RULES
from app.founder_console.wording import LANGUAGES, Words, load_words

ROOT = Path(__file__).parents[2]
WORDS = load_words(ROOT / "frontend" / "i18n")
TEMPLATES = sorted((ROOT / "frontend" / "templates").rglob("*.html"))
MODULES = sorted((ROOT / "frontend" / "static" / "js").glob("*.js"))
PYTHON = sorted((ROOT / "app" / "founder_console").rglob("*.py"))
APP = sorted((ROOT / "app").rglob("*.py"))
SAME_IN_BOTH = {
    "5-Layer Runtime",
    "leaf",
    "hash",
    "event_id",
    "split",
    "iPhone, iPad",
    "Android",
    "Telegram",
    "https://",
}
HOLES = re.compile(r"\{\w+\}")
BUTTONS = ("approve", "reject", "undo", "pause", "resume", "save", "remove", "see", "log_out", "login.go")


def test_both_catalogues_have_the_same_keys() -> None:
    assert WORDS["id"].table.keys() == WORDS["en"].table.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_catalogue_says_a_key_twice(language: str) -> None:
    lines = (ROOT / "frontend" / "i18n" / f"{language}.json").read_text(encoding="utf-8")
    keys = re.findall(r'^  "([^"]+)":', lines, re.MULTILINE)
    assert sorted(keys) == sorted(set(keys))


def test_both_sentences_of_a_key_have_the_same_holes() -> None:
    differing = [
        key
        for key, text in WORDS["id"].table.items()
        if set(HOLES.findall(text)) != set(HOLES.findall(WORDS["en"].table[key]))
    ]
    assert differing == []


@pytest.mark.parametrize("key", BUTTONS)
def test_a_button_is_as_short_in_one_language_as_in_the_other(key: str) -> None:
    one, other = len(WORDS["id"](key)), len(WORDS["en"](key))
    assert max(one, other) <= 1.6 * min(one, other) + 4


@pytest.mark.parametrize("path", [*TEMPLATES, *PYTHON], ids=lambda path: path.name)
def test_every_key_that_is_asked_for_is_there(path: Path) -> None:
    asked = re.findall(r"""(?:\bt|words|Words)\(\s*f?["']([\w.]+)["']\s*[,)]""", path.read_text(encoding="utf-8"))
    assert [key for key in asked if not WORDS["id"].has(key)] == []


def test_every_word_of_the_scripts_is_handed_to_them() -> None:
    asked = {name for path in MODULES for name in re.findall(r"(?:word|tell)\('(\w+)'", path.read_text("utf-8"))}
    handed = (ROOT / "frontend" / "templates" / "fragments" / "words.html").read_text(encoding="utf-8")
    assert [name for name in asked if f"'{name}'" not in handed or not WORDS["id"].has(f"js.{name}")] == []


def test_every_finding_of_the_brief_has_its_sentence() -> None:
    codes = {rule.__name__.removeprefix("_") for rule in RULES}
    assert [code for code in codes if not WORDS["id"].has(f"say.{code}")] == []
    assert codes <= MORE.keys() | KINDS.keys()


def test_no_sentence_is_left_that_nobody_asks_for() -> None:
    """A key is asked for whole, or by its beginning: `f"job.{key}.title"`, `'priority.%d'`, `'tab.' + name`."""
    source = "".join(path.read_text(encoding="utf-8") for path in [*APP, *TEMPLATES, *MODULES])
    whole = set(re.findall(r"""["']([\w.]+)["']""", source))
    begun = set(re.findall(r"""f["']([\w.]+\.)\{""", source))
    begun |= set(re.findall(r"""["'](\w+\.[\w.]*)(?:%d)?["']\s*[+~%]""", source))
    begun |= {"js."}
    unasked = [
        key
        for key in WORDS["id"].table
        if (bare := re.sub(r"\.(one|more)$", "", key)) not in whole and not bare.startswith(tuple(begun))
    ]
    assert unasked == []


@pytest.mark.parametrize("path", [*TEMPLATES, *APP], ids=lambda path: path.name)
def test_whoever_asks_for_a_sentence_brings_all_that_it_tells(path: Path) -> None:
    """`t('people.link_text', name=whose)`: a hole that nobody fills would be shown as `{name}`."""
    lacking = [
        f"{key}: {hole}"
        for key, arguments in _asked(path.read_text(encoding="utf-8"))
        for words in WORDS.values()
        for form in (key, f"{key}.one")
        for hole in re.findall(r"\{(\w+)\}", words.table.get(form, ""))
        if not re.search(rf"\b{hole}=|\*\*", arguments)
    ]
    assert lacking == []


def _asked(source: str) -> Iterator[tuple[str, str]]:
    """Each key that is asked for whole, and the rest of the call."""
    for call in re.finditer(r"""\b(?:t|words)\((["'])([\w.]+)\1""", source):
        end, depth = call.end(), 1
        while depth and end < len(source):
            depth += (source[end] == "(") - (source[end] == ")")
            end += 1
        yield call[2], source[call.end() : end]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_says_nothing_by_itself(path: Path) -> None:
    """Words stand in the catalogues; only the product's name and the ledger's own field names are the same in both."""
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "\0", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    spoken = re.findall(r"""\s(?:aria-label|title|placeholder|alt)="([^"]*)\"""", text)
    spoken += re.split(r"<[^>]*>|\0", re.sub(r"<(code|svg)\b.*?</\1>", "", text, flags=re.DOTALL))
    own = [piece.strip() for piece in spoken if re.search(r"[^\W\d_]{2,}", piece.replace("\0", ""))]
    assert [piece for piece in own if piece.strip("· ") not in SAME_IN_BOTH] == []


def test_one_is_said_in_the_singular() -> None:
    words = Words("en", {"cards": "{n} cards", "cards.one": "one card"})
    assert words("cards", n=1) == "one card"
    assert words("cards", n=2) == "2 cards"

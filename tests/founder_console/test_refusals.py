"""What a lower room refuses is said in the visitor's language: every code has both sentences, and no page shows an
error's English."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from app.canon.errors import Conflict, Invalid
from app.canon.mandate import SENTENCES
from app.canon.vocabulary import Money
from app.founder_console.formats import Formats
from app.founder_console.refusals import refusal
from app.founder_console.wording import Words, load_words

ROOT = Path(__file__).parents[2]
WORDS = load_words(ROOT / "frontend" / "i18n")
CONSOLE = sorted((ROOT / "app" / "founder_console").rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "app").rglob("*.py"))}
ROOMS = ("role_registry", "work_queue", "execution_graph", "governance_ledger", "founder_console")
FORMATS = Formats("id", ZoneInfo("Asia/Jakarta"), datetime(2026, 11, 22, 3, 0, tzinfo=UTC))

# Families that no screen is told of, each with its reason.
UNSEEN = {
    "StepSettled": "an engine is told, by the budget",
    "RuleSpent": "the gate is told, and asks",
    "CompanyExists": "whoever founds a company is at the command line",
    "PartyUnknown": "parties are proposed and removed over the API",
    "PartyKnown": "parties are proposed over the API",
    "NothingPending": "the API decides by ticket, the console by card",
    "SeveralPending": "the API decides by ticket, the console by card",
    "ApprovalUnusable": "the room that uses an approval is told",
    "IllegalMove": "an engine is told",
    "NotStartable": "runs are started by messages and over the API",
    "StillUndecided": "runs are resumed over the API",
    "Fenced": "an engine is told",
    "Diverged": "an engine is told",
    "ToolGone": "an engine is told",
    "FileUnknown": "a worker is told",
    "NotOutside": "an agent outside is told",
    "SessionLost": "an agent outside is told",
    "StillUnanswered": "an agent outside is told",
    "EventRefused": "whoever writes events is told",
    "ReceiptRefused": "whoever verifies is told",
    "BatchRefused": "whoever writes events is told",
    "SubjectUnknown": "subjects are looked at over the API",
    "SubscriberUnknown": "subscribers are set over the API",
    "SubscriberKnown": "subscribers are set over the API",
    "TreeIncomplete": "whoever verifies is told",
    "RangeRefused": "an export is asked for over the API",
    "OtherExport": "an export is made at the command line",
    "PushRefused": "a page's script says in its own words that it cannot ring",
    "ActionTokenRefused": "the service worker opens the card instead",
    "Unreadable": "its words are the visitor's",
}
# Modules whose bare families reach no screen, each with its reason.
MACHINES = {
    "budgets.py": "an engine is told, by the budget",
    "parties.py": "parties are proposed over the API",
    "idempotency.py": "our own script writes the header",
    "approvals.py": "a room that asks wrongly is told",
    "checking.py": "a boundary is tried over the API",
    "backtesting.py": "a boundary is tried over the API",
    "local_effects.py": "a worker is told",
    "outside_agents.py": "an agent outside is told",
    "repeating.py": "whoever writes events is told",
    "timestamping.py": "a process that is starting says so",
    "witnessing.py": "a process that is starting says so",
    "device_keys.py": "the command line adds them",
    "acting.py": "a worker is told",
    "numbers.py": "a process that is starting says so",
    "links.py": "a process that is starting says so",
}
# Modules of the console that hand on an error's own words, each with its reason.
RAW = {
    "refusals.py": "the one place that decides",
    "surroundings.py": "below the sentence, folded away, for an error without a code",
    "asking.py": "the model is told what it did wrong",
    "secretary.py": "recorded in the ledger as the endpoint said it",
}


class Family(NamedTuple):
    bases: tuple[str, ...]
    code: str
    own_init: bool
    codes_itself: bool


class Raised(NamedTuple):
    path: Path
    line: int
    name: str
    call: ast.Call


def _families() -> dict[str, Family]:
    found: dict[str, Family] = {}
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases = tuple(base.id for base in node.bases if isinstance(base, ast.Name))
                own = any(isinstance(part, ast.FunctionDef) and part.name == "__init__" for part in node.body)
                itself = any(isinstance(part, ast.keyword) and part.arg == "code" for part in ast.walk(node))
                found.setdefault(node.name, Family(bases, _class_code(node), own, itself))
    coded = {"Coded"}
    while more := {name for name, one in found.items() if coded & set(one.bases)} - coded:
        coded |= more
    return {name: found[name] for name in coded}


def _class_code(node: ast.ClassDef) -> str:
    for part in node.body:
        named = isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name) and part.targets[0].id == "code"
        if named and isinstance(part, ast.Assign) and isinstance(part.value, ast.Constant):
            return str(part.value.value)
    return ""


FAMILIES = _families()


def _raised() -> Iterator[Raised]:
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else ""
                inside = isinstance(node.func, ast.Attribute) and node.func.attr == "__init__"
                if name in FAMILIES or (inside and any(one.arg == "code" for one in node.keywords)):
                    yield Raised(path, node.lineno, name, node)


RAISED = tuple(_raised())


def _inherited(name: str) -> str:
    one = FAMILIES.get(name)
    if one is None:
        return ""
    return one.code or next((code for base in one.bases if (code := _inherited(base))), "")


def _brings_its_own(name: str) -> bool:
    """The family itself says which facts it has."""
    one = FAMILIES.get(name)
    return one is not None and (one.own_init or any(map(_brings_its_own, one.bases)))


def _codes(one: Raised) -> list[str]:
    """What a call says its code is; a hole stands for anything."""
    given = next((keyword.value for keyword in one.call.keywords if keyword.arg == "code"), None)
    if given is None:
        return [code] if (code := _inherited(one.name)) else []
    parts = [given.body, given.orelse] if isinstance(given, ast.IfExp) else [given]
    texts = [part for part in parts if isinstance(part, ast.Constant | ast.JoinedStr)]
    return [text for part in texts if (text := _text(part))]


def _text(part: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    return "".join(str(piece.value) if isinstance(piece, ast.Constant) else "*" for piece in part.values)


def test_every_code_has_its_sentence_in_both_languages() -> None:
    codes = {code for one in RAISED for code in _codes(one)} | {one.code for one in FAMILIES.values() if one.code}
    assert len(codes) > 100
    for words in WORDS.values():
        said = {key.removeprefix("refusal.") for key in words.table if key.startswith("refusal.")}
        forms = [re.escape(code).replace(r"\*", r"\w+") for code in codes]
        assert [code for code, form in zip(codes, forms, strict=True) if not _any(form, said)] == []
        assert [code for code in said if not any(re.fullmatch(form, code) for form in forms)] == []


def _any(form: str, said: set[str]) -> bool:
    return any(re.fullmatch(form, one) for one in said)


@pytest.mark.parametrize("beyond", [*SENTENCES, "none"])
def test_every_bound_of_a_mandate_has_its_sentence(beyond: str) -> None:
    assert WORDS["id"].has(f"refusal.mandate.beyond.{beyond}")


def test_a_sentence_asks_for_no_fact_that_the_refusal_does_not_bring() -> None:
    lacking = []
    for one in RAISED:
        if _brings_its_own(one.name):
            continue
        given = {keyword.arg for keyword in one.call.keywords}
        if None in given:
            continue
        for code in _codes(one):
            text = WORDS["id"].table.get(f"refusal.{code}", "")
            holes = set(re.findall(r"\{(\w+)\}", text))
            lacking += [f"{one.path.name}:{one.line} {code}: {hole}" for hole in holes - given]
    assert lacking == []


def test_what_a_room_refuses_has_a_code_unless_no_screen_is_told() -> None:
    """A new refusal gets a code and both sentences, or its reason above."""
    bare = [
        f"{one.path.relative_to(ROOT)}:{one.line} {one.name}"
        for one in RAISED
        if one.path.relative_to(ROOT / "app").parts[0] in ROOMS
        and one.name
        and one.name not in UNSEEN
        and one.path.name not in MACHINES
        and not one.path.name.endswith("http.py")
        and not any(keyword.arg == "code" for keyword in one.call.keywords)
        and not _inherited(one.name)
        and not FAMILIES[one.name].codes_itself
        and not _in_the_visitors_words(one.call)
    ]
    assert bare == []


def _in_the_visitors_words(call: ast.Call) -> bool:
    first = call.args[0] if call.args else None
    return isinstance(first, ast.Call) and ast.unparse(first.func).rpartition(".")[2] == "words"


@pytest.mark.parametrize("path", CONSOLE, ids=lambda path: str(path.relative_to(ROOT / "app" / "founder_console")))
def test_a_page_says_why_not_in_the_visitors_language(path: Path) -> None:
    """`visit.refused(error)`, never `str(error)` nor an f-string of it."""
    if any(str(path).endswith(name) for name in RAW):
        return
    handlers = [node for node in ast.walk(TREES[path]) if isinstance(node, ast.ExceptHandler) and node.name]
    assert [line for one in handlers for line in _lines_that_show(one, one.name or "")] == []


def _lines_that_show(node: ast.AST, name: str) -> Iterator[int]:
    """What is raised again is caught again, or has a code."""
    if isinstance(node, ast.Raise):
        return
    shown = node.value if isinstance(node, ast.FormattedValue) else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("str", "repr") and node.args:
        shown = node.args[0]
    if isinstance(shown, ast.Name) and shown.id == name:
        yield shown.lineno
    for child in ast.iter_child_nodes(node):
        yield from _lines_that_show(child, name)


def test_a_fact_is_written_as_people_write_it() -> None:
    words = Words("id", {"refusal.a.b": "{amount}, {most_bytes}, {at}, {count}, {name}"})
    error = Invalid(
        "in English",
        code="a.b",
        amount=Money(240_000),
        most_bytes=25_000_000,
        at=datetime(2026, 11, 23, 2, 30, tzinfo=UTC),
        count=12_000,
        name="Raka",
    )
    assert refusal(error, words, FORMATS).replace("\u00a0", " ") == "Rp240.000, 25 MB, 23 Nov 09.30, 12.000, Raka"


def test_an_error_without_a_code_keeps_its_own_words() -> None:
    words = Words("id", {})
    assert refusal(Conflict("as the vendor said it"), words, FORMATS) == "as the vendor said it"
    assert refusal(ValueError("neither"), words, FORMATS) == "neither"

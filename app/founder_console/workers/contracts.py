"""Contracts as lines that a founder reads, and what one version says that another does not. Pure."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Literal, TypeAlias

import msgspec

from app.canon.contract import Terms
from app.canon.sentences import boundary_sentences, budget_sentence
from app.founder_console.naming import Naming
from app.founder_console.workers.ladders import ladder_sentences

Sign: TypeAlias = Literal["same", "gone", "new"]


class ContractLine(msgspec.Struct, frozen=True):
    """One line, and whether it stands in both versions, only in the older or only in the newer."""

    sign: Sign
    text: str


class ContractPart(msgspec.Struct, frozen=True):
    """A part of the contract; `name` is a key of the catalogues."""

    name: str
    lines: tuple[ContractLine, ...]

    @property
    def changed(self) -> bool:
        return any(line.sign != "same" for line in self.lines)


def compare(older: Terms, newer: Terms, naming: Naming) -> tuple[ContractPart, ...]:
    """Every part of both contracts, line against line."""
    before, after = _parts(older, naming), _parts(newer, naming)
    return tuple(ContractPart(name, _against(before[name], after[name])) for name in before)


def _parts(terms: Terms, naming: Naming) -> dict[str, tuple[str, ...]]:
    language = naming.words.language
    return {
        "job": (f"{terms.name} · {terms.title}",),
        "job_description": tuple(terms.job_description.splitlines()),
        "boundary": boundary_sentences(terms.boundary, language, naming.labels),
        "budgets": tuple(budget_sentence(limit, language) for limit in terms.budget),
        "escalation": ladder_sentences(terms.escalation, naming),
        "engine": (engine_of(terms, naming), *(f"{step.tool}" for step in terms.engine.procedure)),
    }


def engine_of(terms: Terms, naming: Naming) -> str:
    parts = (terms.engine.worker, terms.engine.backbone, terms.engine.model)
    return " · ".join(part for part in parts if part) or naming.words("engine.default")


def _against(before: Sequence[str], after: Sequence[str]) -> tuple[ContractLine, ...]:
    lines: list[ContractLine] = []
    for what, old, old_end, new, new_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what == "equal":
            lines += [ContractLine("same", text) for text in before[old:old_end]]
        else:
            lines += [ContractLine("gone", text) for text in before[old:old_end]]
            lines += [ContractLine("new", text) for text in after[new:new_end]]
    return tuple(lines)

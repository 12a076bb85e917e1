"""Whom a worker's open questions reach while nobody answers: as a form, and as sentences. Pure."""

from collections.abc import Mapping
from typing import get_args

import msgspec

from app.canon.contract import Escalation, EscalationStep, Reached
from app.canon.errors import Invalid
from app.founder_console.naming import Naming
from app.founder_console.wording import Words

RUNGS: tuple[Reached, ...] = get_args(Reached)
AFTER = (300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200)
OPEN_FOR = (3_600, 7_200, 14_400, 28_800, 43_200, 86_400, 259_200, 604_800)


class RungField(msgspec.Struct, frozen=True):
    """One rung as it is chosen: `seconds` is None for one that the ladder leaves out."""

    to: Reached
    seconds: int | None
    choices: tuple[int, ...]


def rung_fields(escalation: Escalation) -> tuple[RungField, ...]:
    """Every rung that there is, the safe default last; a time that is no usual choice is one of its own."""
    told = {step.to: step.after_seconds for step in reversed(escalation.ladder)}
    return tuple(RungField(to, told.get(to), _with(AFTER, told.get(to))) for to in RUNGS)


def open_choices(escalation: Escalation) -> tuple[int, ...]:
    """For how long a question may stay open."""
    return _with(OPEN_FOR, escalation.expires_seconds)


def _with(usual: tuple[int, ...], chosen: int | None) -> tuple[int, ...]:
    return usual if chosen is None else tuple(sorted({*usual, chosen}))


def laddered(escalation: Escalation, data: Mapping[str, object], words: Words) -> Escalation:
    """`escalation` with what the form chooses, soonest rung first.

    Raises `Invalid` for a rung beyond the time that the question is open, and for one after the safe default.
    """
    expires = _seconds(data.get("expires")) or escalation.expires_seconds
    chosen = {to: _seconds(data.get(f"rung:{to}")) for to in RUNGS}
    steps = tuple(EscalationStep(after, to) for to, after in chosen.items() if after)
    ladder = tuple(sorted(steps, key=lambda step: step.after_seconds))
    if any(step.after_seconds >= expires for step in ladder):
        raise Invalid(words("ladder.problem.late"))
    if any(step.to == "safe_default" for step in ladder[:-1]):
        raise Invalid(words("ladder.problem.last"))
    return Escalation(ladder, expires)


def _seconds(given: object) -> int:
    text = str(given or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def ladder_sentences(escalation: Escalation, naming: Naming) -> tuple[str, ...]:
    """The ladder as it is climbed, from the phone that rings to the end of the question."""
    words, span = naming.words, naming.formats.span_of
    steps = (words(f"escalation.{step.to}", after=span(step.after_seconds)) for step in escalation.ladder)
    return (words("escalation.push"), *steps, words("escalation.expires", after=span(escalation.expires_seconds)))

"""What a signature changes in a contract, as rows that a founder reads. Nothing is left out: what no sentence says
stands as it is written."""

from contextlib import suppress
from typing import Any

import msgspec

from app.canon.canonical_json import canonical_bytes
from app.canon.contract import Boundary, BudgetLimit, EscalationStep, ToolRule
from app.canon.sentences import boundary_sentences, budget_sentence, rule_sentence
from app.founder_console.naming import Naming
from app.founder_console.wording import Words

TEXTS = ("name", "title", "job_description")


def contract_row(change: Any, naming: Naming) -> tuple[str, str, str]:
    """Name, before and after of one changed field; empty for absent."""
    field, before, after = str(change.get("field", "")), change.get("before"), change.get("after")
    said = tuple("" if value is None else _said(field, value, naming) for value in (before, after))
    if said[0] == said[1]:
        said = tuple("" if value is None else exact(value) for value in (before, after))
    return _name(field, naming), said[0], said[1]


def party_row(change: Any, words: Words) -> tuple[str, str, str]:
    """Name, before and after of a known party."""
    return words("kind.party"), _party(change.get("before")), _party(change.get("after"))


def _party(value: Any) -> str:
    return f"{value.get('name')} · {value.get('address')}" if isinstance(value, dict) else ""


def changes_boundary(changes: Any) -> bool:
    """Whether one of the changed fields is of the boundary."""
    return any(str(one.get("field", "")).startswith("boundary.") for one in changes or () if isinstance(one, dict))


def _name(field: str, naming: Naming) -> str:
    part, _, rest = field.partition(".")
    words = naming.words
    if rest.startswith("tools."):
        return f"{words('boundary')} · {naming.tool(rest.removeprefix('tools.'))}"
    key = f"changed.{field}" if words.has(f"changed.{field}") else f"changed.{part}"
    return words(key) if words.has(key) else field


def _said(field: str, value: Any, naming: Naming) -> str:
    with suppress(msgspec.ValidationError, ValueError):
        return _sentence(field, value, naming)
    return exact(value)


def _sentence(field: str, value: Any, naming: Naming) -> str:
    """Raises `ValueError`, `msgspec.ValidationError` for what no sentence says."""
    part, _, rest = field.partition(".")
    language = naming.words.language
    if field in TEXTS:
        return str(value)
    if rest.startswith("tools."):
        return rule_sentence(msgspec.convert(value, ToolRule), language, naming.labels)
    if part == "boundary":
        return " ".join(boundary_sentences(msgspec.convert({rest: value}, Boundary), language, naming.labels)[:-1])
    if part == "budget":
        unit, period, *currency = rest.split(".")
        line = {"unit": unit, "period": period, "limit": value, "currency": currency[0] if currency else None}
        return budget_sentence(msgspec.convert(line, BudgetLimit), language)
    if part == "escalation":
        return _ladder(rest, value, naming)
    raise ValueError(field)


def _ladder(name: str, value: Any, naming: Naming) -> str:
    span = naming.formats.span_of
    if name == "expires_seconds":
        return naming.words("escalation.expires", after=span(msgspec.convert(value, int)))
    steps = msgspec.convert(value, tuple[EscalationStep, ...])
    return " ".join(naming.words(f"escalation.{step.to}", after=span(step.after_seconds)) for step in steps)


def exact(value: Any) -> str:
    """As it is written in the contract."""
    return value if isinstance(value, str) else canonical_bytes(msgspec.to_builtins(value)).decode()

"""Terms as they are checked, compared and shown before anybody signs them. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from app.canon.canonical_json import canonical_bytes
from app.canon.contract import BudgetLimit, InvalidTerms, Problem, Terms
from app.canon.tool import ToolSpec
from app.canon.validation import validate_terms
from app.work_queue import ApprovalKind

LONGEST = {"name": 60, "title": 120, "job_description": 20_000}
MAX_EXPIRY_SECONDS = 30 * 86_400


def check_terms(terms: Terms, tools: Mapping[str, ToolSpec] | None) -> None:
    """Raises `InvalidTerms` with every problem. `tools` None: which tools exist is not known here, so not checked."""
    problems = [one for one in validate_terms(terms, tools or {}) if tools is not None or not one.path.endswith("tool")]
    problems += [
        Problem(name, f"must have 1 to {longest} characters, not only blanks")
        for name, longest in LONGEST.items()
        if not getattr(terms, name).strip() or len(getattr(terms, name)) > longest
    ]
    if terms.escalation.expires_seconds > MAX_EXPIRY_SECONDS:
        problems.append(Problem("escalation.expires_seconds", f"must be at most {MAX_EXPIRY_SECONDS}"))
    if problems:
        raise InvalidTerms(tuple(problems))
    canonical_bytes(msgspec.to_builtins(terms))


def name_of(line: BudgetLimit) -> str:
    """`money.month.IDR`."""
    return ".".join(part for part in (line.unit, line.period, line.currency) if part)


def with_limit(terms: Terms, line: BudgetLimit) -> Terms:
    """`terms` in which the budget line of the same name has the new limit."""
    lines = {name_of(one): one for one in terms.budget} | {name_of(line): line}
    return msgspec.structs.replace(terms, budget=tuple(lines.values()))


def changes(before: Terms | None, after: Terms) -> list[dict[str, object]]:
    """What a signature would change, one entry a field, tool or budget line; values as JSON, None for absent."""
    was, will = {} if before is None else _flat(before), _flat(after)
    names = [*will, *(name for name in was if name not in will)]
    return [
        {"field": name, "before": was.get(name), "after": will.get(name)}
        for name in names
        if was.get(name) != will.get(name)
    ]


def _flat(terms: Terms) -> dict[str, object]:
    flat: dict[str, object] = {
        "name": terms.name,
        "title": terms.title,
        "job_description": terms.job_description,
    }
    flat |= {f"boundary.tools.{rule.tool}": msgspec.to_builtins(rule) for rule in terms.boundary.tools}
    rest = msgspec.to_builtins(msgspec.structs.replace(terms.boundary, tools=()))
    flat |= {f"boundary.{name}": value for name, value in rest.items() if name != "tools" and value}
    flat |= {f"budget.{name_of(line)}": line.limit for line in terms.budget}
    flat |= {f"escalation.{name}": value for name, value in msgspec.to_builtins(terms.escalation).items() if value}
    if terms.quorum is not msgspec.UNSET:
        flat |= {f"quorum.{tier}": count for tier, count in msgspec.to_builtins(terms.quorum).items()}
    flat |= {f"engine.{name}": value for name, value in msgspec.to_builtins(terms.engine).items() if value}
    return flat


_SENTENCES: dict[ApprovalKind, tuple[str, str]] = {
    "hire": ("Pekerjakan {name} sebagai {title}?", "Hire {name} as {title}?"),
    "amend": ("Ubah kontrak {name} ({changed})?", "Change the contract of {name} ({changed})?"),
    "budget_raise": ("Ubah anggaran {name} ({changed})?", "Change the budget of {name} ({changed})?"),
}


_PARTS = {
    "name": ("nama", "name"),
    "title": ("jabatan", "job"),
    "job_description": ("uraian tugas", "job description"),
    "boundary": ("batas wewenang", "boundary"),
    "budget": ("anggaran", "budget"),
    "escalation": ("eskalasi", "escalation"),
    "quorum": ("jumlah persetujuan", "how many must agree"),
    "engine": ("mesin", "engine"),
}


def _parts(changed: Sequence[Mapping[str, object]], place: int) -> str:
    """The parts of the contract that change, each once."""
    parts = dict.fromkeys(str(change["field"]).partition(".")[0] for change in changed)
    return ", ".join(_PARTS[part][place] for part in parts)


def payload_of(
    kind: ApprovalKind,
    role_id: UUID,
    version: int,
    before: Terms | None,
    after: Terms,
    *,
    reason: str,
    expires_at: datetime,
) -> dict[str, object]:
    """All that the founder sees and signs: the terms whole, what changes, and the digest that becomes policy."""
    changed = changes(before, after)
    said_id, said_en = (
        sentence.format(name=after.name, title=after.title, changed=_parts(changed, place))
        for place, sentence in enumerate(_SENTENCES[kind])
    )
    return {
        "kind": kind,
        "role": {"id": str(role_id), "name": after.name, "version": version},
        "ticket": None,
        "tool": None,
        "arguments": None,
        "money": None,
        "left_after": None,
        "tier": "R2",
        "reason": reason,
        "facts": [],
        "policy": after.digest(),
        "expires_at": expires_at.isoformat(),
        "text": {"id": said_id, "en": said_en},
        "terms": msgspec.to_builtins(after),
        "cost_ceiling": None,
        "change": changed,
    }

"""Terms checked when they are written, so that nothing in a signed boundary is idle or unclear."""

import re
from collections.abc import Iterator, Mapping, Sequence

from app.canon.addresses import host_of
from app.canon.constraints import clock_minutes
from app.canon.contract import (
    AnyOf,
    ArgumentRule,
    Boundary,
    BudgetLimit,
    Constraint,
    Count,
    DomainIn,
    InvalidTerms,
    Length,
    Max,
    Min,
    OneOf,
    Problem,
    Regex,
    SumRule,
    Terms,
    ToolRule,
    WorkingHours,
)
from app.canon.patterns import pattern_problem
from app.canon.tool import ToolSpec
from app.canon.values import number

MAX_CALLS_PER_MINUTE = 10_000
_HOST_ENTRY = re.compile(r"(?:\*\.)?[^\s/:@*]+(?::[0-9]{1,5})?")


def validate_boundary(boundary: Boundary, known_tools: Mapping[str, ToolSpec]) -> list[Problem]:
    """All problems of a boundary, in the order of its text. Empty: it can be signed."""
    return list(_boundary_problems(boundary, known_tools))


def validate_terms(terms: Terms, known_tools: Mapping[str, ToolSpec]) -> list[Problem]:
    """All problems of a role's terms: names, boundary, budget, escalation and procedure."""
    found = [
        Problem(name, "must not be empty") for name in ("name", "title", "job_description") if not getattr(terms, name)
    ]
    found += [Problem(f"boundary.{one.path}", one.message) for one in _boundary_problems(terms.boundary, known_tools)]
    found += _budget_problems(terms.budget)
    if terms.escalation.expires_seconds < 60:
        found.append(Problem("escalation.expires_seconds", "must be at least 60"))
    if not 1 <= terms.engine.max_steps <= 1000:
        found.append(Problem("engine.max_steps", "must be between 1 and 1000"))
    for index, step in enumerate(terms.engine.procedure):
        if step.tool not in known_tools:
            found.append(Problem(f"engine.procedure[{index}].tool", _unknown(step.tool, known_tools)))
    return found


def require_valid(terms: Terms, known_tools: Mapping[str, ToolSpec]) -> None:
    """Raises `InvalidTerms` with every problem of the terms."""
    problems = validate_terms(terms, known_tools)
    if problems:
        raise InvalidTerms(tuple(problems))


def require_valid_boundary(boundary: Boundary, known_tools: Mapping[str, ToolSpec]) -> None:
    """Raises `InvalidTerms` with every problem of the boundary."""
    problems = validate_boundary(boundary, known_tools)
    if problems:
        raise InvalidTerms(tuple(Problem(f"boundary.{one.path}", one.message) for one in problems))


def _unknown(name: str, known_tools: Mapping[str, ToolSpec]) -> str:
    return f"there is no tool {name!r}; tools: {', '.join(sorted(known_tools))}"


def _boundary_problems(boundary: Boundary, known_tools: Mapping[str, ToolSpec]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, rule in enumerate(boundary.tools):
        path = f"tools[{index}]"
        if rule.tool in seen:
            yield Problem(f"{path}.tool", f"{rule.tool} has a rule already: put both into one")
        seen.add(rule.tool)
        yield from _rule_problems(rule, path, known_tools)
    for index, host in enumerate(boundary.egress_hosts):
        name = host.removeprefix("*.").rpartition(":")[0] or host.removeprefix("*.")
        if not _HOST_ENTRY.fullmatch(host.strip()) or host_of(name) is None:
            yield Problem(
                f"egress_hosts[{index}]", f"{host!r} is no host: write api.example.com, *.example.com or h:8443"
            )
    for index, scope in enumerate(boundary.data_scopes):
        if not scope.strip():
            yield Problem(f"data_scopes[{index}]", "must not be empty")
    if boundary.working_hours is not None:
        yield from _hours_problems(boundary.working_hours)
    rate = boundary.calls_per_minute
    if rate is not None and not 1 <= rate <= MAX_CALLS_PER_MINUTE:
        yield Problem("calls_per_minute", f"must be between 1 and {MAX_CALLS_PER_MINUTE}; to stop a role, pause it")


def _rule_problems(rule: ToolRule, path: str, known_tools: Mapping[str, ToolSpec]) -> Iterator[Problem]:
    tool = known_tools.get(rule.tool)
    if tool is None:
        yield Problem(f"{path}.tool", _unknown(rule.tool, known_tools))
    for index, argument in enumerate(rule.arguments):
        yield from _argument_problems(argument, f"{path}.arguments[{index}]", tool)
    for index, one in enumerate(rule.sums):
        yield from _sum_problems(one, f"{path}.sums[{index}]", tool)


def _argument_problems(argument: ArgumentRule, path: str, tool: ToolSpec | None) -> Iterator[Problem]:
    yield from _path_problems(argument.path, path, tool)
    if not argument.constraints:
        yield Problem(f"{path}.constraints", "names no constraint, so it bounds nothing")
    for index, one in enumerate(argument.constraints):
        yield from _constraint_problems(one, f"{path}.constraints[{index}]")


def _path_problems(wanted: str, path: str, tool: ToolSpec | None) -> Iterator[Problem]:
    if tool is not None and not _in_schema(tool.parameters, wanted.split(".")):
        names = tool.parameters.get("properties")
        listed = ", ".join(sorted(map(str, names))) if isinstance(names, Mapping) else "none"
        yield Problem(f"{path}.path", f"{tool.name} has no argument {wanted!r}; arguments: {listed}")


def _in_schema(schema: object, parts: Sequence[str]) -> bool:
    if not isinstance(schema, Mapping):
        return True
    if "items" in schema and "properties" not in schema:
        return _in_schema(schema["items"], parts)
    if not parts:
        return True
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return schema.get("type") not in {"string", "integer", "number", "boolean"}
    if parts[0] not in properties:
        return False
    return _in_schema(properties[parts[0]], parts[1:])


def _sum_problems(one: SumRule, path: str, tool: ToolSpec | None) -> Iterator[Problem]:
    yield from _path_problems(one.path, path, tool)
    if one.limit < 0:
        yield Problem(f"{path}.limit", "must not be negative")


def _constraint_problems(one: Constraint, path: str) -> Iterator[Problem]:
    match one:
        case Max(limit) | Min(limit) if number(limit) is None:
            yield Problem(f"{path}.limit", f"{limit!r} is no plain number: write digits and at most one point")
        case Length(limit) | Count(limit) if limit < 0:
            yield Problem(f"{path}.limit", "must not be negative")
        case OneOf(()) | DomainIn(()) | AnyOf(()):
            yield Problem(path, "names nothing, so nothing passes: use mode deny instead")
        case Regex(pattern) if problem := pattern_problem(pattern):
            yield Problem(f"{path}.pattern", f"the pattern {problem}")
        case DomainIn(domains):
            yield from _domain_problems(domains, path)
        case AnyOf(constraints):
            for index, part in enumerate(constraints):
                yield from _constraint_problems(part, f"{path}.constraints[{index}]")
        case _:
            return


def _domain_problems(domains: Sequence[str], path: str) -> Iterator[Problem]:
    for index, domain in enumerate(domains):
        name = host_of(domain.strip().removeprefix("*."))
        if name is None or ("." not in name and name != "localhost"):
            yield Problem(f"{path}.domains[{index}]", f"{domain!r} is no domain such as example.com")


def _hours_problems(hours: WorkingHours) -> Iterator[Problem]:
    if not hours.days or any(not 1 <= day <= 7 for day in hours.days):
        yield Problem("working_hours.days", "must be days from 1 (Monday) to 7 (Sunday)")
    start, end = clock_minutes(hours.start), clock_minutes(hours.end)
    for name, value in (("start", start), ("end", end)):
        if value is None:
            yield Problem(f"working_hours.{name}", "must be a time as HH:MM, from 00:00 to 24:00")
    if start is not None and start == end:
        yield Problem("working_hours.end", "equals the start, so the role could never act")


def _budget_problems(budget: Sequence[BudgetLimit]) -> Iterator[Problem]:
    seen: set[tuple[str, str, str | None]] = set()
    for index, limit in enumerate(budget):
        path = f"budget[{index}]"
        if limit.limit < 0:
            yield Problem(f"{path}.limit", "must not be negative")
        if limit.unit == "money" and not re.fullmatch(r"[A-Z]{3}", limit.currency or ""):
            yield Problem(f"{path}.currency", "must be an ISO code in capitals, for example IDR")
        if limit.unit != "money" and limit.currency is not None:
            yield Problem(f"{path}.currency", f"belongs to money only, not to {limit.unit}")
        key = (limit.unit, limit.period, limit.currency)
        if key in seen:
            yield Problem(path, f"{limit.unit} per {limit.period} has a limit already")
        seen.add(key)

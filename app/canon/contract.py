"""The contract of a role: what it may touch, what it may spend, whom it asks. Data that a founder can read."""

from typing import Annotated, Literal, TypeAlias
from uuid import UUID

import msgspec

from app.canon.canonical_json import digest
from app.canon.errors import Invalid
from app.canon.vocabulary import Risk, Tier

Mode: TypeAlias = Literal["allow", "ask", "deny"]
Otherwise: TypeAlias = Literal["ask", "deny"]
Period: TypeAlias = Literal["ticket", "day", "month"]
Reached: TypeAlias = Literal["second_channel", "deputy", "founder", "safe_default"]
Unit: TypeAlias = Literal["usd_micros", "tokens", "calls", "money", "minutes", "runs"]


class _Constraint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """What one argument must satisfy. Of a list, each leaf is checked."""


class Max(_Constraint, frozen=True, tag="max"):
    """A number no greater than `limit` (an exact decimal, written as a string or integer)."""

    limit: int | str


class Min(_Constraint, frozen=True, tag="min"):
    limit: int | str


class OneOf(_Constraint, frozen=True, tag="one_of"):
    values: tuple[str | int | bool, ...]


class Regex(_Constraint, frozen=True, tag="regex"):
    """The whole value matches `pattern` (re.fullmatch)."""

    pattern: str


class DomainIn(_Constraint, frozen=True, tag="domain_in"):
    """The domain of a mail address or URL is one of `domains` or below it."""

    domains: tuple[str, ...]


class InTicket(_Constraint, frozen=True, tag="in_ticket"):
    """The value stands in what the founder wrote in the ticket: the whole value, or each part of a date or time."""


class KnownParty(_Constraint, frozen=True, tag="known_party"):
    """The value is an address of a party that the founder has signed."""


class Length(_Constraint, frozen=True, tag="length"):
    """Text of at most `limit` characters."""

    limit: int


class Count(_Constraint, frozen=True, tag="count"):
    """A list of at most `limit` items."""

    limit: int


class AnyOf(_Constraint, frozen=True, tag="any_of"):
    """At least one of `constraints` holds."""

    constraints: tuple["Constraint", ...]


Constraint: TypeAlias = Max | Min | OneOf | Regex | DomainIn | InTicket | KnownParty | Length | Count | AnyOf


class ArgumentRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of `constraints` hold for the argument at `path` (`to`, or `lines.amount` through objects and lists)."""

    path: str
    constraints: tuple[Constraint, ...]
    otherwise: Otherwise = "ask"


class SumRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The argument at `path`, summed over all calls of the period, stays within `limit` minor units."""

    path: str
    period: Period
    limit: int
    otherwise: Otherwise = "ask"


class ToolRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tool that the role may have. A tool without a rule is denied. `risk` may only tighten the tool's own."""

    tool: str
    mode: Mode
    arguments: tuple[ArgumentRule, ...] = ()
    sums: tuple[SumRule, ...] = ()
    risk: Risk | None = None
    tier: Tier | None = None


class WorkingHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Local hours in which the role may act: `days` 1 (Monday) to 7, `start` and `end` as `HH:MM`."""

    days: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)
    start: str = "00:00"
    end: str = "24:00"


class Boundary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the role may touch. Missing means none."""

    tools: tuple[ToolRule, ...] = ()
    egress_hosts: tuple[str, ...] = ()
    data_scopes: tuple[str, ...] = ()
    working_hours: WorkingHours | None = None
    calls_per_minute: int | None = None


class BudgetLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A hard limit per period. `unit` `money` counts minor units of `currency`; missing or zero means none."""

    unit: Unit
    period: Period
    limit: int
    currency: str | None = None


class EscalationStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """After `after_seconds` without a decision, tell `to`; the safe default is not to do what was asked."""

    after_seconds: int
    to: Reached


class Escalation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom the role asks, and how long an approval stays open (`expires_seconds`)."""

    ladder: tuple[EscalationStep, ...] = ()
    expires_seconds: int = 86_400


class ProcedureStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step of a written procedure.

    `tool` is called with `arguments`, in which `{{ expressions }}` read earlier results by `save_as`, the ticket and
    loop items. `when` skips the step if false; `for_each` names a list and repeats the step for each item.
    A call that is not done (refused, rejected, failed, expired) ends the procedure unless `otherwise` says to go on.
    """

    tool: str
    arguments: dict[str, object] = {}
    save_as: str | None = None
    when: str | None = None
    for_each: str | None = None
    otherwise: Literal["stop", "go_on"] = "stop"


class EngineBinding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which commodity carries the role (Law 18). `None` means the runtime's default."""

    worker: str | None = None
    backbone: str | None = None
    model: str | None = None
    procedure: tuple[ProcedureStep, ...] = ()
    max_steps: int = 20


class Quorum(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many different founders or deputies must agree to what the role asks, by tier. Who asks has no vote."""

    r1: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1
    r2: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the founder signs when hiring or amending: everything in a role but its identity and status."""

    name: str
    title: str
    job_description: str
    boundary: Boundary
    budget: tuple[BudgetLimit, ...]
    escalation: Escalation = Escalation()
    engine: EngineBinding = EngineBinding()
    quorum: Quorum | msgspec.UnsetType = msgspec.UNSET

    def must_agree(self, tier: Tier) -> int:
        """How many must agree to a question of this tier."""
        if self.quorum is msgspec.UNSET:
            return 1
        return self.quorum.r2 if tier is Tier.R2 else self.quorum.r1

    def digest(self) -> str:
        """SHA-256 hex over the canonical form of the terms: what the founder's signature covers."""
        return digest(msgspec.to_builtins(self))


class Contract(msgspec.Struct, frozen=True):
    """The version of a role's terms that is in force. `signature` is the founder's approval JWT over it."""

    role_id: UUID
    version: int
    terms: Terms
    digest: str
    signature: str
    paused: bool = False


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a boundary or terms: where (`tools[2].arguments[0].path`), and what would do."""

    path: str
    message: str


WORDED = frozenset(("name", "title", "job_description"))


class InvalidTerms(Invalid):
    """A boundary or budget that cannot be signed. `problems` are all of them, not only the first."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        paths = dict.fromkeys(problem.path for problem in problems)
        super().__init__(
            "; ".join(f"{problem.path}: {problem.message}" for problem in problems),
            code="terms.wording" if paths.keys() <= WORDED else "terms.unsignable",
            problems=[msgspec.to_builtins(problem) for problem in problems],
            where=", ".join(paths),
        )
        self.problems = problems

"""The company, its AI employees, their budgets and parties, and what an evaluation says."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

import msgspec

from app.canon.contract import Boundary, BudgetLimit, EngineBinding, Escalation, Period, Quorum, Terms, Unit
from app.canon.tool_server import ToolServer

RoleStatus: TypeAlias = Literal["proposed", "active", "paused", "retired"]
Language: TypeAlias = Literal["id", "en"]

ROLE_MOVES: Mapping[RoleStatus, frozenset[RoleStatus]] = {
    "proposed": frozenset({"active", "retired"}),
    "active": frozenset({"paused", "retired"}),
    "paused": frozenset({"active", "retired"}),
    "retired": frozenset(),
}


def may_become(now: RoleStatus, to: RoleStatus) -> bool:
    """Whether a role may go from `now` to `to`."""
    return to in ROLE_MOVES[now]


class Company(msgspec.Struct, frozen=True, kw_only=True):
    """The tenant. `time_zone` (IANA) decides when a day and a month begin; `currency` is its own (ISO 4217)."""

    id: UUID
    name: str
    time_zone: str
    currency: str
    language: Language
    all_paused: bool
    created_at: datetime


class CompanyPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a founder may change about the company; what is absent stays."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=120)] | None = None
    time_zone: str | None = None
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")] | None = None
    language: Language | None = None


class PendingTerms(msgspec.Struct, frozen=True):
    """Terms that wait for the founder's signature."""

    approval_id: UUID
    terms: Terms


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """An AI employee. `version` is the contract in force, 0 before the first signature; `terms` are that version's."""

    id: UUID
    name: str
    status: RoleStatus
    version: int
    terms: Terms | None
    pending: PendingTerms | None
    hired_by: str
    created_at: datetime
    paused_at: datetime | None
    retired_at: datetime | None


class RoleVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One signed contract. `signature` is the founder's approval JWT; `digest` is `terms.digest()`."""

    role_id: UUID
    version: int
    terms: Terms
    digest: str
    approval_id: UUID
    signature: str
    signed_by: str
    signed_at: datetime


class TermsPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """New terms of a role, in part: what is absent stays. `version` is the one that was seen."""

    version: int
    name: str | msgspec.UnsetType = msgspec.UNSET
    title: str | msgspec.UnsetType = msgspec.UNSET
    job_description: str | msgspec.UnsetType = msgspec.UNSET
    boundary: Boundary | msgspec.UnsetType = msgspec.UNSET
    budget: tuple[BudgetLimit, ...] | msgspec.UnsetType = msgspec.UNSET
    escalation: Escalation | msgspec.UnsetType = msgspec.UNSET
    engine: EngineBinding | msgspec.UnsetType = msgspec.UNSET
    quorum: Quorum | msgspec.UnsetType = msgspec.UNSET

    def over(self, terms: Terms) -> Terms:
        """`terms` with what this patch names replaced."""
        named = {name: value for name in Terms.__struct_fields__ if (value := getattr(self, name)) is not msgspec.UNSET}
        return msgspec.structs.replace(terms, **named)


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whose `address` (mail address, host, domain or account) the founder has signed."""

    id: UUID
    name: str
    address: str
    added_by: str
    added_at: datetime


class NewParty(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
    address: Annotated[str, msgspec.Meta(min_length=3, max_length=320)]


class SignedServer(msgspec.Struct, frozen=True, kw_only=True):
    """A tool server as the founder signed it. Tools in `quarantined` are listed otherwise now, and barred."""

    id: UUID
    server: ToolServer
    quarantined: tuple[str, ...]
    approval_id: UUID
    signed_by: str
    signed_at: datetime


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a secret; its value is never shown. With `header` the HTTP tools of `role_ids` send it, after
    `prefix`, to `hosts` (`host` or `host:port`); a tool server is given it where its configuration says."""

    id: UUID
    name: str
    description: str
    header: str | None
    prefix: str
    hosts: tuple[str, ...]
    role_ids: tuple[UUID, ...]
    version: int
    set_by: str
    set_at: datetime


class NewSecret(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A secret as the founder gives it: `value` goes in and never comes out."""

    value: Annotated[str, msgspec.Meta(min_length=8, max_length=16_384)]
    description: Annotated[str, msgspec.Meta(max_length=300)] = ""
    header: Annotated[str, msgspec.Meta(pattern="^[A-Za-z][A-Za-z0-9-]{0,59}$")] | None = None
    prefix: Annotated[str, msgspec.Meta(max_length=40)] = ""
    hosts: Annotated[
        tuple[Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9.\-]+(:[0-9]+)?$")], ...], msgspec.Meta(max_length=20)
    ] = ()
    role_ids: Annotated[tuple[UUID, ...], msgspec.Meta(max_length=50)] = ()

    def __repr__(self) -> str:
        return "NewSecret(...)"


class Want(msgspec.Struct, frozen=True):
    """The most that a step may use of a unit; of `money`, minor units of `currency`. `if_limited`: only counts where
    the role limits the unit at all."""

    unit: Unit
    amount: int
    currency: str | None = None
    if_limited: bool = False


class Reserved(msgspec.Struct, frozen=True, tag="reserved"):
    """All that was wanted is set aside for the step until it is settled or released."""

    run_id: UUID
    step: int


class Short(msgspec.Struct, frozen=True, tag="short"):
    """Nothing was set aside: of `unit`, `left` of `limit` remains in the period, and `asked` is more."""

    unit: Unit
    period: Period
    currency: str | None
    limit: int
    left: int
    asked: int


class BudgetState(msgspec.Struct, frozen=True, kw_only=True):
    """One limit in its present period (`period_key`: ticket id, `YYYY-MM-DD` or `YYYY-MM` in the company's zone)."""

    unit: Unit
    period: Period
    currency: str | None
    limit: int
    spent: int
    reserved: int
    period_key: str

    @property
    def left(self) -> int:
        return max(self.limit - self.spent - self.reserved, 0)


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of an evaluation. `source` names the event types it was counted from; `value` None: nothing to say."""

    name: str
    value: int | None
    unit: str
    source: tuple[str, ...]
    of: int | None = None


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says of a role between `since` (inclusive) and `until` (exclusive)."""

    role_id: UUID
    since: datetime
    until: datetime
    metrics: tuple[Metric, ...]

    def metric(self, name: str) -> Metric:
        """The metric called `name`. Raises `KeyError`."""
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise KeyError(name)

"""Whether an argument satisfies what the role's boundary asks of it. What cannot be read does not pass."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import assert_never
from zoneinfo import ZoneInfo

import msgspec

from app.canon.accounts import compact
from app.canon.addresses import link_of, mail_of
from app.canon.contract import (
    AnyOf,
    ArgumentRule,
    Constraint,
    Count,
    DomainIn,
    InTicket,
    KnownParty,
    Length,
    Max,
    Min,
    OneOf,
    Regex,
    SumRule,
    WorkingHours,
)
from app.canon.destinations import below_any, place_stands_in
from app.canon.facts import Code, Fact
from app.canon.forbidden import without_forbidden
from app.canon.patterns import matches
from app.canon.provenance import Trusted
from app.canon.values import at, leaves, number, plain, shown, written
from app.canon.written import value_stands_in


class Ground(msgspec.Struct, frozen=True):
    """What constraints are held against. `money_path` is counted in minor units of `minor_digits` places."""

    trusted: Trusted
    zone: str
    money_path: str | None = None
    minor_digits: int = 0

    def minor(self, path: str) -> int:
        return self.minor_digits if path == self.money_path else 0


def failing(rule: ArgumentRule, arguments: object, ground: Ground) -> tuple[Fact, ...]:
    """One fact for each constraint of the rule that some value at its path does not satisfy."""
    values = at(arguments, rule.path)
    facts = (_first_failure(one, rule.path, values, ground) for one in rule.constraints)
    return tuple(fact for fact in facts if fact is not None)


def _first_failure(one: Constraint, path: str, values: Sequence[object], ground: Ground) -> Fact | None:
    if isinstance(one, Count):
        longest = max((len(value) for value in values if isinstance(value, list | tuple | Mapping)), default=0)
        return Fact("count", path, str(longest), str(one.limit)) if longest > one.limit else None
    if isinstance(one, AnyOf):
        return _any_failure(one, path, values, ground)
    for leaf in leaves(list(values)):
        if not _passes(one, leaf, path, ground):
            return Fact(_code(one), path, shown(leaf), wanted(one))
    return None


def _any_failure(one: AnyOf, path: str, values: Sequence[object], ground: Ground) -> Fact | None:
    """`any_of` is asked for each leaf: two recipients may pass by different alternatives. Counts look at the list."""
    counts = [part for part in one.constraints if isinstance(part, Count)]
    others = [part for part in one.constraints if not isinstance(part, Count)]
    if any(_first_failure(part, path, values, ground) is None for part in counts):
        return None
    for leaf in leaves(list(values)) or ([values] if counts else []):
        if not any(_first_failure(part, path, [leaf], ground) is None for part in others):
            return Fact("any_of", path, shown(leaf), wanted(one))
    return None


def _passes(one: Constraint, leaf: object, path: str, ground: Ground) -> bool:
    match one:
        case Max(limit):
            return _compare(leaf, limit, upper=True)
        case Min(limit):
            return _compare(leaf, limit, upper=False)
        case OneOf(values):
            return any(type(leaf) is type(value) and leaf == value for value in values)
        case Regex(pattern):
            return matches(pattern, written(leaf))
        case DomainIn(domains):
            host = _host(leaf)
            return host is not None and below_any(host, domains)
        case InTicket():
            given = tuple(map(without_forbidden, ground.trusted.given))
            if value_stands_in(leaf, given, zone=ground.zone, minor=ground.minor(path)):
                return True
            return path != ground.money_path and place_stands_in(leaf, given)
        case KnownParty():
            return _is_party(leaf, ground.trusted.parties)
        case Length(limit):
            return len(written(leaf)) <= limit
        case Count() | AnyOf():
            return _first_failure(one, path, [leaf], ground) is None
        case _:
            assert_never(one)


def _compare(leaf: object, limit: int | str, *, upper: bool) -> bool:
    value, bound = number(leaf), number(limit)
    if value is None or bound is None:
        return False
    return value <= bound if upper else value >= bound


def _host(leaf: object) -> str | None:
    if not isinstance(leaf, str):
        return None
    mail = mail_of(leaf)
    if mail:
        return mail.rpartition("@")[2]
    link = link_of(leaf)
    return link.host if link and "@" not in leaf and link.scheme in {"", "http", "https"} else None


def _is_party(leaf: object, parties: Sequence[str]) -> bool:
    value = written(leaf)
    mail, account = mail_of(value), compact(value)
    for party in parties:
        if plain(party) == plain(value) or (mail is not None and mail == mail_of(party)):
            return True
        if len(account) >= 5 and account == compact(party):
            return True
    return False


def _code(one: Constraint) -> Code:
    name = type(one).__struct_config__.tag
    codes: Mapping[object, Code] = {
        "max": "max",
        "min": "min",
        "one_of": "one_of",
        "regex": "regex",
        "domain_in": "domain_in",
        "in_ticket": "in_ticket",
        "known_party": "known_party",
        "length": "length",
        "count": "count",
    }
    return codes.get(name, "any_of")


def wanted(one: Constraint) -> str:
    """What would pass, as data for a sentence: a limit, a list of values, a pattern."""
    match one:
        case Max(limit) | Min(limit) | Length(limit) | Count(limit):
            return str(limit)
        case OneOf(values):
            return ", ".join(map(shown, values))
        case Regex(pattern):
            return pattern
        case DomainIn(domains):
            return ", ".join(domains)
        case InTicket() | KnownParty():
            return ""
        case AnyOf(constraints):
            return "; ".join(map(_alternative, constraints))
        case _:
            assert_never(one)


def _alternative(one: Constraint) -> str:
    """A kind without a limit is named itself, `{in_ticket}`: reasons say it in words."""
    return wanted(one) or f"{{{_code(one)}}}"


def sum_failing(rule: SumRule, tool: str, arguments: object, sums: Mapping[str, int]) -> Fact | None:
    """The sum of this call and the earlier ones is over the limit, or an amount cannot be added."""
    earlier = sums.get(sum_key(tool, rule), 0)
    amounts = [number(leaf) for leaf in leaves(at(arguments, rule.path))]
    if any(amount is None or amount < 0 for amount in amounts):
        return Fact("sum", rule.path, "an amount that cannot be added", f"{rule.limit} {rule.period}")
    total = max(0, earlier) + sum((amount for amount in amounts if amount is not None), Decimal(0))
    if total <= rule.limit:
        return None
    return Fact("sum", rule.path, f"{total:f}", f"{rule.limit} {rule.period}")


def sum_key(tool: str, rule: SumRule) -> str:
    """The key of `Spent.sums`: `tool/path/period`."""
    return f"{tool}/{rule.path}/{rule.period}"


def within_hours(hours: WorkingHours, now: datetime, zone: str) -> bool:
    """The role may act at `now`. An end before its start runs past midnight and belongs to the day it began."""
    start, end = clock_minutes(hours.start), clock_minutes(hours.end)
    try:
        local = now.astimezone(ZoneInfo(zone))
    except (ValueError, KeyError, OSError, OverflowError):
        return False
    if start is None or end is None or start == end:
        return False
    minute, day = local.hour * 60 + local.minute, local.isoweekday()
    if start < end:
        return day in hours.days and start <= minute < end
    yesterday = 7 if day == 1 else day - 1
    return (day in hours.days and minute >= start) or (yesterday in hours.days and minute < end)


def local_clock(now: datetime, zone: str) -> str:
    """The moment as the founder's wall clock shows it, `2026-11-22 03:10`; in UTC when the zone is not known."""
    try:
        return f"{now.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
    except (ValueError, KeyError, OSError, OverflowError):
        return f"{now:%Y-%m-%d %H:%M} UTC"


def clock_minutes(clock: str) -> int | None:
    """`HH:MM` from 00:00 to 24:00 as minutes of the day; None when it is anything else."""
    hour, colon, minute = clock.partition(":")
    if not (colon and len(hour) == len(minute) == 2 and (hour + minute).isascii() and (hour + minute).isdigit()):
        return None
    total = int(hour) * 60 + int(minute)
    return total if int(minute) < 60 and total <= 24 * 60 else None


def in_scope(name: str, scopes: Sequence[str]) -> bool:
    """A file or table is among the role's data. What stands above no folder belongs to the ticket itself.

    A scope names a folder (`finance` is all of `finance/...`) or is a pattern over whole names (`finance/*.csv`).
    """
    if not scopes or not re.search(r"[/\\]", name):
        return True
    if any(part in {"", ".", ".."} for part in re.split(r"[/\\]", name)):
        return False
    return any(name.startswith(f"{scope.rstrip('/')}/") or fnmatchcase(name, scope) for scope in scopes)

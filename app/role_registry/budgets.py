"""Budgets: the worst case is set aside before an act, what it really cost is booked after it.

Accounts are locked in id order before anything else, so that limits hold under any concurrency and nobody deadlocks.
"""

from collections.abc import Mapping, Sequence
from typing import Literal
from uuid import UUID

import asyncpg

from app.canon.contract import Unit
from app.canon.errors import Invalid
from app.postgres import Transaction
from app.role_registry.errors import StepSettled
from app.role_registry.model import BudgetState, Reserved, Short, Want
from app.role_registry.near_limits import warn

_ACCOUNTS = """
SELECT a.id, a.unit, a.period, a.currency, a.amount,
       CASE a.period WHEN 'ticket' THEN coalesce($2::uuid::text, '')
            WHEN 'day' THEN to_char(clock.now() AT TIME ZONE z.name, 'YYYY-MM-DD')
            ELSE to_char(clock.now() AT TIME ZONE z.name, 'YYYY-MM') END AS period_key
  FROM role_registry.budget_accounts a
 CROSS JOIN (SELECT coalesce((SELECT c.time_zone FROM role_registry.companies c LIMIT 1), 'UTC') AS name) z
 WHERE a.role_id IS NOT DISTINCT FROM $1 AND a.active
"""

_USAGE = """
SELECT u.account_id, u.reserved, u.spent
  FROM role_registry.budget_usage u
  JOIN unnest($1::uuid[], $2::text[]) AS k (account_id, period_key)
    ON k.account_id = u.account_id AND k.period_key = u.period_key
"""

_BOOK = """
SELECT verdict, unit, period, currency, amount, spent, reserved, period_key
  FROM role_registry.book_budgets($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""

_LIMITED = """
SELECT DISTINCT unit FROM role_registry.budget_accounts
 WHERE role_id IS NOT DISTINCT FROM $1 AND active AND unit = ANY($2)
"""

_LOCK_OF_STEP = """
SELECT a.id, a.unit, r.amount
  FROM role_registry.budget_reservations r JOIN role_registry.budget_accounts a ON a.id = r.account_id
 WHERE r.run_id = $1 AND ($2::int IS NULL OR r.step = $2) AND r.settled IS NULL
 ORDER BY a.id FOR NO KEY UPDATE OF a
"""

_SETTLE = """
WITH locked AS MATERIALIZED (
  SELECT a.id, a.unit
    FROM role_registry.budget_reservations r JOIN role_registry.budget_accounts a ON a.id = r.account_id
   WHERE r.run_id = $1 AND ($2::int IS NULL OR r.step = $2) AND r.settled IS NULL
   ORDER BY a.id FOR NO KEY UPDATE OF a
), done AS (
  UPDATE role_registry.budget_reservations r
     SET settled = CASE WHEN s.is_named THEN s.amount ELSE r.amount END, settled_at = clock.now()
    FROM (SELECT DISTINCT id, unit FROM locked) a
    LEFT JOIN (SELECT unit, amount, true AS is_named FROM unnest($3::text[], $4::bigint[]) AS g (unit, amount)) s
      ON s.unit = a.unit
   WHERE a.id = r.account_id AND r.run_id = $1 AND ($2::int IS NULL OR r.step = $2) AND r.settled IS NULL
  RETURNING r.account_id, r.period_key, r.amount, r.settled
), summed AS (
  SELECT account_id, period_key, sum(amount)::bigint AS amount, sum(settled)::bigint AS settled
    FROM done GROUP BY account_id, period_key
)
UPDATE role_registry.budget_usage u SET reserved = u.reserved - s.amount, spent = u.spent + s.settled
  FROM summed s WHERE u.account_id = s.account_id AND u.period_key = s.period_key
"""


async def reserve(
    tx: Transaction,
    *,
    role_id: UUID | None,
    ticket_id: UUID,
    run_id: UUID,
    step: int,
    wants: Sequence[Want],
    once_more: bool = False,
) -> Reserved | Short:
    """Set aside the worst case of a step in every limit of the role (None: the company's own, for routing), or nothing.

    Amounts are in the unit's smallest part. A unit that has no limit has none left: `Short` with limit 0. Zero is
    always granted. Holds the accounts until the caller's transaction ends; call it in the transaction of the intent.
    A step that has its reservation keeps it; `once_more` adds to it, for an act that is repeated and may be paid for
    twice. Raises `StepSettled` when it was spent already, `Invalid` for a negative amount.
    """
    booked = await _book(tx, "more" if once_more else "reserve", role_id, ticket_id, run_id, step, wants)
    return Reserved(run_id, step) if booked is None else booked


async def spend(
    tx: Transaction,
    *,
    role_id: UUID | None,
    ticket_id: UUID,
    run_id: UUID,
    step: int,
    wants: Sequence[Want],
) -> Short | None:
    """Reserve and settle in one: for a step that acts in the caller's own transaction and never reserved before.

    None when all was booked; otherwise nothing was. Holds the accounts until the transaction ends: call it late.
    """
    return await _book(tx, "spend", role_id, ticket_id, run_id, step, wants)


async def _book(
    tx: Transaction,
    how: Literal["reserve", "more", "spend"],
    role_id: UUID | None,
    ticket_id: UUID,
    run_id: UUID,
    step: int,
    wants: Sequence[Want],
) -> Short | None:
    asked = _sums(wants)
    firm = {_key(want) for want in wants if not want.if_limited}
    units, currencies = [unit for unit, _ in asked], [currency for _, currency in asked]
    counts = (list(asked.values()), [key in firm for key in asked])
    records = await tx.connection.fetch(_BOOK, how, run_id, step, role_id, ticket_id, units, currencies, *counts)
    states = [_state(record, record) for record in records if record["unit"] is not None]
    verdict = records[0]["verdict"]
    if verdict == "settled":
        raise StepSettled(f"step {step} of run {run_id} was settled already")
    if verdict == "short":
        limited = {_key(state) for state in states}
        return _first_short({key: amount for key, amount in asked.items() if key in firm | limited}, states)
    if verdict == "booked":
        await warn(tx, role_id, states, asked)
    return None


def _sums(wants: Sequence[Want]) -> dict[tuple[Unit, str], int]:
    asked: dict[tuple[Unit, str], int] = {}
    for want in wants:
        if want.amount < 0:
            raise Invalid(f"{want.unit}: {want.amount} cannot be reserved")
        if want.amount > 0:
            asked[_key(want)] = asked.get(_key(want), 0) + want.amount
    return asked


def _key(line: Want | BudgetState) -> tuple[Unit, str]:
    return line.unit, line.currency or ""


def _state(account: asyncpg.Record, usage: asyncpg.Record | None) -> BudgetState:
    return BudgetState(
        unit=account["unit"],
        period=account["period"],
        currency=account["currency"] or None,
        limit=account["amount"],
        spent=usage["spent"] if usage else 0,
        reserved=usage["reserved"] if usage else 0,
        period_key=account["period_key"],
    )


def _first_short(asked: Mapping[tuple[Unit, str], int], states: Sequence[BudgetState]) -> Short | None:
    for (unit, currency), amount in sorted(asked.items()):
        limits = [state for state in states if _key(state) == (unit, currency)]
        if not limits:
            return Short(unit, "month", currency or None, 0, 0, amount)
        tightest = min(limits, key=lambda state: state.left)
        if amount > tightest.left:
            return Short(unit, tightest.period, tightest.currency, tightest.limit, tightest.left, amount)
    return None


async def settle(tx: Transaction, *, run_id: UUID, step: int, spent: Mapping[str, int]) -> None:
    """Book what the step really used, by unit, and give the rest back. A unit not named is booked as reserved.

    Idempotent: what is settled stays as it is. More than was reserved is booked in full: it was spent.
    """
    if any(amount < 0 for amount in spent.values()):
        raise Invalid("what was spent cannot be negative")
    await tx.connection.execute(_SETTLE, run_id, step, list(spent), list(spent.values()))


async def release(tx: Transaction, run_id: UUID, step: int | None = None) -> None:
    """Give back all that is set aside for the step (None: for the whole run) and not settled. Idempotent."""
    held = await tx.connection.fetch(_LOCK_OF_STEP, run_id, step)
    if held:
        units = sorted({record["unit"] for record in held})
        await tx.connection.execute(_SETTLE, run_id, step, units, [0] * len(units))


async def limited_units(tx: Transaction, role_id: UUID | None, *units: Unit) -> frozenset[Unit]:
    """Those of `units` that the role has a limit in."""
    return frozenset(record["unit"] for record in await tx.connection.fetch(_LIMITED, role_id, list(units)))


async def budgets_of(tx: Transaction, role_id: UUID | None, ticket_id: UUID | None = None) -> tuple[BudgetState, ...]:
    """Each limit of the role in its present period; those per ticket as they stand for `ticket_id`."""
    accounts = await tx.connection.fetch(_ACCOUNTS + "ORDER BY a.unit, a.currency, a.period", role_id, ticket_id)
    ids, keys = [record["id"] for record in accounts], [record["period_key"] for record in accounts]
    usage = {record["account_id"]: record for record in await tx.connection.fetch(_USAGE, ids, keys)}
    return tuple(_state(record, usage.get(record["id"])) for record in accounts)


async def money_left(tx: Transaction, role_id: UUID, ticket_id: UUID) -> dict[str, int]:
    """Minor units that the role's tools may still spend, by currency: the tightest of its limits."""
    left: dict[str, int] = {}
    for state in await budgets_of(tx, role_id, ticket_id):
        if state.unit == "money" and state.currency:
            left[state.currency] = min(state.left, left.get(state.currency, state.left))
    return left

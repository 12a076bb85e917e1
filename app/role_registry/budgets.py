"""Budgets: the worst case is set aside before an act, what it really cost is booked after it.

Accounts are locked in id order before anything else, so that limits hold under any concurrency and nobody deadlocks.
"""

from collections.abc import Mapping, Sequence
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
SELECT false AS of_step, NULL::bigint AS settled, u.account_id, u.reserved, u.spent
  FROM role_registry.budget_usage u
  JOIN unnest($1::uuid[], $2::text[]) AS k (account_id, period_key)
    ON k.account_id = u.account_id AND k.period_key = u.period_key
"""

_USAGE_AND_STEP = f"""{_USAGE}
 UNION ALL
SELECT true, settled, account_id, NULL, NULL FROM role_registry.budget_reservations WHERE run_id = $3 AND step = $4
"""  # noqa: S608

_RESERVE = """
WITH kept AS (
  INSERT INTO role_registry.budget_reservations (tenant_id, run_id, step, account_id, period_key, amount, reserved_at)
  SELECT $1, $2, $3, account_id, period_key, amount, clock.now()
    FROM unnest($4::uuid[], $5::text[], $6::bigint[]) AS k (account_id, period_key, amount)
  ON CONFLICT (run_id, step, account_id) DO UPDATE
     SET period_key = excluded.period_key, amount = excluded.amount, settled = NULL, settled_at = NULL,
         reserved_at = excluded.reserved_at
  RETURNING account_id, period_key, amount
)
INSERT INTO role_registry.budget_usage AS u (tenant_id, account_id, period_key, reserved)
SELECT $1, account_id, period_key, amount FROM kept
ON CONFLICT (account_id, period_key) DO UPDATE SET reserved = u.reserved + excluded.reserved
"""

_RESERVE_MORE = """
WITH more AS (
  SELECT * FROM unnest($4::uuid[], $5::text[], $6::bigint[]) AS k (account_id, period_key, amount)
), kept AS (
  INSERT INTO role_registry.budget_reservations AS r (tenant_id, run_id, step, account_id, period_key, amount,
    reserved_at)
  SELECT $1, $2, $3, account_id, period_key, amount, clock.now() FROM more
  ON CONFLICT (run_id, step, account_id) DO UPDATE SET amount = r.amount + excluded.amount
  RETURNING r.account_id, r.period_key
)
INSERT INTO role_registry.budget_usage AS u (tenant_id, account_id, period_key, reserved)
SELECT $1, kept.account_id, kept.period_key, more.amount FROM kept JOIN more USING (account_id)
ON CONFLICT (account_id, period_key) DO UPDATE SET reserved = u.reserved + excluded.reserved
"""

_SPEND = """
WITH booked AS (
  INSERT INTO role_registry.budget_reservations (tenant_id, run_id, step, account_id, period_key, amount, reserved_at,
    settled, settled_at)
  SELECT $1, $2, $3, account_id, period_key, amount, clock.now(), amount, clock.now()
    FROM unnest($4::uuid[], $5::text[], $6::bigint[]) AS k (account_id, period_key, amount)
  RETURNING account_id, period_key, amount
)
INSERT INTO role_registry.budget_usage AS u (tenant_id, account_id, period_key, spent)
SELECT $1, account_id, period_key, amount FROM booked
ON CONFLICT (account_id, period_key) DO UPDATE SET spent = u.spent + excluded.spent
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
    asked = _sums(wants)
    accounts = await _locked_accounts(tx, role_id, ticket_id, asked)
    asked = _counting(wants, asked, accounts)
    known = await _usage(tx, accounts, _USAGE_AND_STEP, run_id, step)
    before = [record for record in known if record["of_step"]]
    if not once_more and any(record["settled"] is None for record in before):
        return Reserved(run_id, step)
    if any(record["settled"] for record in before):
        raise StepSettled(f"step {step} of run {run_id} was settled already")
    states = _states(accounts, known)
    short = _first_short(asked, states)
    if short is not None:
        return short
    await warn(tx, role_id, states, asked)
    await tx.connection.execute(
        _RESERVE_MORE if once_more else _RESERVE,
        tx.tenant,
        run_id,
        step,
        [record["id"] for record in accounts],
        [record["period_key"] for record in accounts],
        [asked[_key(record)] for record in accounts],
    )
    return Reserved(run_id, step)


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
    asked = _sums(wants)
    accounts = await _locked_accounts(tx, role_id, ticket_id, asked)
    asked = _counting(wants, asked, accounts)
    states = _states(accounts, await _usage(tx, accounts, _USAGE))
    short = _first_short(asked, states)
    if short is not None:
        return short
    await warn(tx, role_id, states, asked)
    await tx.connection.execute(
        _SPEND,
        tx.tenant,
        run_id,
        step,
        [record["id"] for record in accounts],
        [record["period_key"] for record in accounts],
        [asked[_key(record)] for record in accounts],
    )
    return None


def _sums(wants: Sequence[Want]) -> dict[tuple[Unit, str], int]:
    asked: dict[tuple[Unit, str], int] = {}
    for want in wants:
        if want.amount < 0:
            raise Invalid(f"{want.unit}: {want.amount} cannot be reserved")
        if want.amount > 0:
            key = (want.unit, want.currency or "")
            asked[key] = asked.get(key, 0) + want.amount
    return asked


def _counting(
    wants: Sequence[Want], asked: Mapping[tuple[Unit, str], int], accounts: Sequence[asyncpg.Record]
) -> dict[tuple[Unit, str], int]:
    """Without what only counts where there is a limit, and there is none."""
    firm = {(want.unit, want.currency or "") for want in wants if not want.if_limited}
    limited = {_key(record) for record in accounts}
    return {key: amount for key, amount in asked.items() if key in firm or key in limited}


def _key(record: asyncpg.Record) -> tuple[Unit, str]:
    return record["unit"], record["currency"]


async def _locked_accounts(
    tx: Transaction, role_id: UUID | None, ticket_id: UUID, asked: Mapping[tuple[Unit, str], int]
) -> list[asyncpg.Record]:
    statement = _ACCOUNTS + "AND (a.unit || ' ' || a.currency) = ANY($3) ORDER BY a.id FOR NO KEY UPDATE OF a"
    names = [f"{unit} {currency}" for unit, currency in asked]
    records: list[asyncpg.Record] = await tx.connection.fetch(statement, role_id, ticket_id, names)
    return records


async def _usage(
    tx: Transaction, accounts: Sequence[asyncpg.Record], statement: str, *more: object
) -> list[asyncpg.Record]:
    """Read after the accounts are locked, in a statement of its own: only that sees what others just committed."""
    ids, keys = [record["id"] for record in accounts], [record["period_key"] for record in accounts]
    records: list[asyncpg.Record] = await tx.connection.fetch(statement, ids, keys, *more)
    return records


def _states(accounts: Sequence[asyncpg.Record], known: Sequence[asyncpg.Record]) -> list[BudgetState]:
    usage = {record["account_id"]: record for record in known if not record["of_step"]}
    return [_state(record, usage.get(record["id"])) for record in accounts]


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
        limits = [state for state in states if (state.unit, state.currency or "") == (unit, currency)]
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


async def budgets_of(tx: Transaction, role_id: UUID | None, ticket_id: UUID | None = None) -> tuple[BudgetState, ...]:
    """Each limit of the role in its present period; those per ticket as they stand for `ticket_id`."""
    accounts = await tx.connection.fetch(_ACCOUNTS + "ORDER BY a.unit, a.currency, a.period", role_id, ticket_id)
    return tuple(_states(accounts, await _usage(tx, accounts, _USAGE)))


async def money_left(tx: Transaction, role_id: UUID, ticket_id: UUID) -> dict[str, int]:
    """Minor units that the role's tools may still spend, by currency: the tightest of its limits."""
    left: dict[str, int] = {}
    for state in await budgets_of(tx, role_id, ticket_id):
        if state.unit == "money" and state.currency:
            left[state.currency] = min(state.left, left.get(state.currency, state.left))
    return left

"""Budgets hold whatever happens at the same time."""

import asyncio
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.canon.contract import BudgetLimit
from app.canon.errors import Invalid
from app.canon.vocabulary import new_id
from app.postgres import Database, Transaction
from app.role_registry import (
    BudgetState,
    Reserved,
    Short,
    Want,
    budgets_of,
    money_left,
    release,
    reserve,
    settle,
)
from app.role_registry.errors import StepSettled
from tests.builders import a_company, a_role, some_terms


async def a_bound_role(tx: Transaction, *budget: BudgetLimit) -> UUID:
    return (await a_role(tx, await a_company(tx), some_terms(budget=budget))).id


async def want(
    tx: Transaction,
    role_id: UUID | None,
    *wants: Want,
    ticket_id: UUID | None = None,
    run_id: UUID | None = None,
    step: int = 1,
) -> Reserved | Short:
    return await reserve(
        tx, role_id=role_id, ticket_id=ticket_id or new_id(), run_id=run_id or new_id(), step=step, wants=wants
    )


async def only(tx: Transaction, role_id: UUID) -> BudgetState:
    (state,) = await budgets_of(tx, role_id)
    return state


async def test_what_is_reserved_is_not_left_for_others(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role_id = await a_bound_role(tx, BudgetLimit("tokens", "day", 100))
        assert isinstance(await want(tx, role_id, Want("tokens", 60)), Reserved)
        assert await want(tx, role_id, Want("tokens", 41)) == Short("tokens", "day", None, 100, 40, 41)
        assert isinstance(await want(tx, role_id, Want("tokens", 40)), Reserved)
        assert (await only(tx, role_id)).left == 0


async def test_no_limit_means_nothing(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role_id = await a_bound_role(tx, BudgetLimit("tokens", "day", 0))
        assert await want(tx, role_id, Want("calls", 1)) == Short("calls", "month", None, 0, 0, 1)
        assert await want(tx, role_id, Want("tokens", 1)) == Short("tokens", "day", None, 0, 0, 1)
        assert isinstance(await want(tx, role_id, Want("usd_micros", 0)), Reserved)


async def test_what_only_counts_where_it_is_limited_needs_no_limit(database: Database) -> None:
    tokens = Want("tokens", 6, if_limited=True)
    async with database.transaction(new_id()) as tx:
        free = await a_bound_role(tx, BudgetLimit("calls", "day", 10))
        assert isinstance(await want(tx, free, Want("calls", 1), tokens), Reserved)
    async with database.transaction(new_id()) as tx:
        bound = await a_bound_role(tx, BudgetLimit("calls", "day", 10), BudgetLimit("tokens", "day", 5))
        assert await want(tx, bound, Want("calls", 1), tokens) == Short("tokens", "day", None, 5, 5, 6)


async def test_all_is_reserved_or_nothing(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role_id = await a_bound_role(tx, BudgetLimit("calls", "day", 10), BudgetLimit("tokens", "day", 5))
        short = await want(tx, role_id, Want("calls", 1), Want("tokens", 6))
        assert isinstance(short, Short)
        assert all(state.reserved == 0 for state in await budgets_of(tx, role_id))


async def test_the_tightest_of_several_periods_decides(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role_id = await a_bound_role(
            tx,
            BudgetLimit("calls", "ticket", 2),
            BudgetLimit("calls", "day", 3),
            BudgetLimit("calls", "month", 100),
        )
        one, two = new_id(), new_id()
        for step in range(2):
            assert isinstance(await want(tx, role_id, Want("calls", 1), ticket_id=one, step=step), Reserved)
        short = await want(tx, role_id, Want("calls", 1), ticket_id=one)
        assert isinstance(short, Short)
        assert (short.period, short.limit) == ("ticket", 2)
        assert isinstance(await want(tx, role_id, Want("calls", 1), ticket_id=two), Reserved)
        short = await want(tx, role_id, Want("calls", 1), ticket_id=two)
        assert isinstance(short, Short)
        assert short.period == "day"


async def test_money_is_counted_by_currency(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role_id = await a_bound_role(
            tx, BudgetLimit("money", "month", 500, "IDR"), BudgetLimit("money", "ticket", 300, "IDR")
        )
        ticket_id = new_id()
        assert isinstance(await want(tx, role_id, Want("money", 100, "IDR"), ticket_id=ticket_id), Reserved)
        assert await want(tx, role_id, Want("money", 1, "USD")) == Short("money", "month", "USD", 0, 0, 1)
        assert await money_left(tx, role_id, ticket_id) == {"IDR": 200}
        assert await money_left(tx, role_id, new_id()) == {"IDR": 300}


async def test_what_was_not_spent_comes_back(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role_id = await a_bound_role(tx, BudgetLimit("tokens", "day", 100))
        run_id = new_id()
        await want(tx, role_id, Want("tokens", 90), run_id=run_id)
        for _ in range(2):
            await settle(tx, run_id=run_id, step=1, spent={"tokens": 30})
        state = await only(tx, role_id)
        assert (state.spent, state.reserved, state.left) == (30, 0, 70)


async def test_a_unit_that_is_not_named_was_spent_as_reserved(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role_id = await a_bound_role(tx, BudgetLimit("tokens", "day", 100))
        run_id = new_id()
        await want(tx, role_id, Want("tokens", 90), run_id=run_id)
        await settle(tx, run_id=run_id, step=1, spent={})
        assert (await only(tx, role_id)).spent == 90


async def test_a_released_step_can_be_reserved_again(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role_id = await a_bound_role(tx, BudgetLimit("tokens", "day", 100))
        run_id = new_id()
        await want(tx, role_id, Want("tokens", 90), run_id=run_id)
        for _ in range(2):
            await release(tx, run_id, 1)
        assert (await only(tx, role_id)).left == 100
        assert isinstance(await want(tx, role_id, Want("tokens", 20), run_id=run_id), Reserved)
        await settle(tx, run_id=run_id, step=1, spent={"tokens": 20})
        assert (await only(tx, role_id)).spent == 20
        with pytest.raises(StepSettled):
            await want(tx, role_id, Want("tokens", 20), run_id=run_id)


async def test_a_step_that_asks_again_keeps_its_reservation(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role_id = await a_bound_role(tx, BudgetLimit("tokens", "day", 100))
        run_id = new_id()
        for _ in range(3):
            assert isinstance(await want(tx, role_id, Want("tokens", 90), run_id=run_id), Reserved)
        assert (await only(tx, role_id)).reserved == 90


async def test_a_whole_run_is_released_at_once(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role_id = await a_bound_role(tx, BudgetLimit("tokens", "day", 100))
        run_id = new_id()
        for step in range(3):
            await want(tx, role_id, Want("tokens", 20), run_id=run_id, step=step)
        await release(tx, run_id)
        assert (await only(tx, role_id)).reserved == 0


async def test_a_day_begins_in_the_companys_own_zone(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role_id = await a_bound_role(tx, BudgetLimit("calls", "day", 1), BudgetLimit("calls", "month", 9))
        for moment, key in (("2026-03-31T16:59:59Z", "2026-03-31"), ("2026-03-31T17:00:00Z", "2026-04-01")):
            await tx.connection.execute("SELECT set_config('app.now', $1, true)", moment)
            assert isinstance(await want(tx, role_id, Want("calls", 1)), Reserved)
            assert isinstance(await want(tx, role_id, Want("calls", 1)), Short)
            day, month = await budgets_of(tx, role_id)
            assert (day.period_key, month.period_key) == (key, key[:7])


async def test_the_company_pays_for_routing(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        await a_company(tx)
        assert isinstance(await want(tx, None, Want("tokens", 500), Want("calls", 1)), Reserved)
        assert isinstance(await want(tx, None, Want("money", 1, "IDR")), Short)


async def test_nobody_reserves_less_than_nothing(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        role_id = await a_bound_role(tx, BudgetLimit("calls", "day", 1))
        with pytest.raises(Invalid):
            await want(tx, role_id, Want("calls", -1))
        with pytest.raises(Invalid):
            await settle(tx, run_id=new_id(), step=1, spent={"calls": -1})


async def test_64_at_once_spend_not_one_unit_too_much(dsn: str) -> None:
    tenant, limit, each = new_id(), 1000, 37
    async with Database(dsn, max_size=16) as database:
        async with database.transaction(tenant) as tx:
            role_id = await a_bound_role(
                tx,
                BudgetLimit("tokens", "day", limit),
                BudgetLimit("calls", "day", 64),
                BudgetLimit("tokens", "month", 5000),
            )

        async def one() -> bool:
            run_id = new_id()
            async with database.transaction(tenant) as tx:
                wants = (Want("calls", 1), Want("tokens", each))
                got = await reserve(tx, role_id=role_id, ticket_id=new_id(), run_id=run_id, step=0, wants=wants)
            if isinstance(got, Short):
                return False
            async with database.transaction(tenant) as tx:
                await settle(tx, run_id=run_id, step=0, spent={"tokens": each, "calls": 1})
            return True

        async with asyncio.timeout(60):
            done = await asyncio.gather(*(one() for _ in range(64)))
        async with database.transaction(tenant) as tx:
            states = await budgets_of(tx, role_id)
    assert sum(done) == limit // each
    for state in states:
        assert state.reserved == 0
        assert state.spent == sum(done) * (each if state.unit == "tokens" else 1)
        assert state.spent <= state.limit


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["reserve", "settle", "release"]), st.integers(0, 4), st.integers(0, 60)), max_size=14
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS)
async def test_counters_always_agree_with_the_reservations(
    database: Database, operations: list[tuple[str, int, int]]
) -> None:
    async with database.transaction(new_id()) as tx:
        role_id = await a_bound_role(tx, BudgetLimit("tokens", "month", 100))
        run_id, held, spent = new_id(), dict[int, int](), dict[int, int]()
        for what, step, amount in operations:
            if what == "reserve" and not spent.get(step):
                fits = amount <= 100 - sum(held.values()) - sum(spent.values())
                got = await want(tx, role_id, Want("tokens", amount), run_id=run_id, step=step)
                assert isinstance(got, Reserved) == (fits or step in held)
                if fits and step not in held and amount:
                    held[step] = amount
            elif what == "settle" and step in held:
                spent[step] = min(amount, held.pop(step))
                await settle(tx, run_id=run_id, step=step, spent={"tokens": spent[step]})
            elif what == "release":
                held.pop(step, None)
                await release(tx, run_id, step)
        state = await only(tx, role_id)
        assert (state.reserved, state.spent) == (sum(held.values()), sum(spent.values()))

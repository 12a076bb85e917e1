"""However transactions interleave, break off or stay open, what commits is sealed once and without a gap."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.canon.vocabulary import new_id
from app.governance_ledger import Event, append
from app.governance_ledger.sealing import seal
from app.postgres import Transaction
from tests.governance_ledger.ledgers import TENANT, connected
from tests.governance_ledger.test_sealing import chain_of

CLIENTS = 3
ACTS = ("append", "append", "append", "savepoint", "back", "commit", "rollback", "crash", "seal", "seal")
STEPS = st.lists(st.tuples(st.integers(0, CLIENTS - 1), st.sampled_from(ACTS)), max_size=40)


class Client:
    """A connection of the application; `wrote` are the events of its open transaction, `marks` its savepoints."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.connection: asyncpg.Connection | None = None
        self.wrote: list[UUID] = []
        self.marks: list[int] = []

    async def begun(self) -> asyncpg.Connection:
        if self.connection is None:
            self.connection = await asyncpg.connect(self.dsn)
            await self.connection.execute(f"BEGIN; SET LOCAL app.tenant = '{TENANT}'")
        return self.connection

    async def act(self, act: str) -> list[UUID]:
        """Do it; the events that committed."""
        connection = await self.begun()
        match act:
            case "append":
                event_id = new_id()
                event = Event(type="x.counted", actor="system")
                await append(Transaction(connection, TENANT), event, event_id=event_id)
                self.wrote.append(event_id)
            case "savepoint":
                await connection.execute(f"SAVEPOINT s{len(self.marks)}")
                self.marks.append(len(self.wrote))
            case "back":
                await self.back(connection)
            case "commit":
                await connection.execute("COMMIT")
                return await self.ended()
            case "rollback":
                await connection.execute("ROLLBACK")
                await self.ended()
            case "crash":
                connection.terminate()
                self.connection = None
                await self.ended()
            case _:
                raise AssertionError(act)
        return []

    async def back(self, connection: asyncpg.Connection) -> None:
        if self.marks:
            await connection.execute(f"ROLLBACK TO s{len(self.marks) - 1}")
            del self.wrote[self.marks[-1] :]

    async def ended(self) -> list[UUID]:
        """Begin anew; what was written until here."""
        done, self.wrote, self.marks = self.wrote, [], []
        if self.connection is not None:
            await self.connection.close()
            self.connection = None
        return done


async def play(dsn: str, sealer: asyncpg.Connection, steps: Sequence[tuple[int, str]]) -> set[UUID]:
    """The events that committed."""
    clients, committed = [Client(dsn) for _ in range(CLIENTS)], set()
    for number, act in steps:
        if act == "seal":
            await seal(sealer)
        else:
            committed.update(await clients[number].act(act))
    for client in clients:
        if client.connection is not None:
            committed.update(await client.act("commit"))
    return committed


@given(STEPS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_committed_is_sealed_once_and_without_a_gap(
    dsn: str, sealer_dsn: str, superuser_dsn: str, steps: list[tuple[int, str]]
) -> None:
    async def played() -> None:
        async with connected(sealer_dsn) as sealer, connected(superuser_dsn) as superuser:
            before = await chain_of(superuser, TENANT)
            committed = await play(dsn, sealer, steps)
            await seal(sealer)
            chain = await chain_of(superuser, TENANT)
            assert [seq for seq, _ in chain] == list(range(1, len(chain) + 1))
            assert chain[: len(before)] == before
            new = [event_id for _, event_id in chain[len(before) :]]
            assert (len(new), set(new)) == (len(committed), committed)

    asyncio.run(played())

"""Law 17 under any order of changes, events, savepoints and checks: what commits is what the Law says, and adds up."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.canon.canonical_json import canonical_bytes
from tests.laws.scratch_17 import TENANT, open_books

BOOKS = ("invoices", "shadow")
KEYS = st.integers(1, 4)
BOOK = st.sampled_from(BOOKS)
STEP = st.one_of(
    st.tuples(st.sampled_from(["insert", "update", "touch", "delete"]), BOOK, KEYS),
    st.tuples(st.just("update all"), BOOK, st.just(0)),
    st.tuples(st.just("event"), st.lists(st.tuples(BOOK, KEYS), max_size=4), st.just(0)),
    st.tuples(st.just("event for all"), st.just(""), st.just(0)),
    st.tuples(st.just("event for the table"), BOOK, st.integers(-1, 1)),
    st.tuples(st.sampled_from(["savepoint", "roll back", "release", "check", "defer"]), st.just(""), st.just(0)),
)
Change = tuple[str, int]


class Model:
    """What the Law says about one transaction."""

    def __init__(self, form: str, rows: dict[str, set[int]]) -> None:
        self.digest = form == "digest"
        self.rows = {name: set(keys) for name, keys in rows.items()}
        self.changes: list[tuple[Change, bool]] = []
        self.named: set[Change] = set()
        self.immediate = False
        self.lawful = True
        self._kept: list[tuple[Any, ...]] = []

    def change(self, *changes: Change) -> None:
        self.changes += [(change, False) for change in changes]

    def event(self, subjects: Sequence[Change]) -> None:
        self.named |= set(subjects)
        self.changes = [(change, taken or change in subjects) for change, taken in self.changes]

    def open_changes(self) -> list[Change]:
        if self.digest:
            return [change for change, taken in self.changes if not taken]
        return [change for change, _ in self.changes if change not in self.named]

    def table_event(self, book: str) -> int:
        """The count that a table-wide event must expect."""
        if not self.digest:
            return 0
        mine = [change for change in self.open_changes() if change[0] == book]
        self.event(mine)
        return len(mine)

    def checked(self) -> None:
        if self.immediate and self.open_changes():
            self.lawful = False

    def savepoint(self) -> None:
        rows = {name: set(keys) for name, keys in self.rows.items()}
        self._kept.append((rows, list(self.changes), set(self.named), self.immediate))

    def roll_back(self) -> None:
        rows, changes, named, immediate = self._kept[-1]
        self.rows = {name: set(keys) for name, keys in rows.items()}
        self.changes, self.named, self.immediate = list(changes), set(named), immediate


class Runner:
    """Does to the database what is done to the model."""

    def __init__(self, connection: asyncpg.Connection, model: Model) -> None:
        self.connection = connection
        self.model = model
        self.depth = 0
        self.value = 0

    async def run(self, kind: str, what: Any, number: int) -> None:
        await getattr(self, "_" + kind.replace(" ", "_"))(what, number)
        self.model.checked()

    async def _say(self, statement: str) -> None:
        await self.connection.execute(statement)

    async def _insert(self, book: str, key: int) -> None:
        if key in self.model.rows[book]:
            return
        self.model.rows[book].add(key)
        self.model.change((book, key))
        await self._unless_stopped(f"INSERT INTO scratch.{book} (id, tenant_id) VALUES ({key}, '{TENANT}')")

    async def _update(self, book: str, key: int) -> None:
        if key in self.model.rows[book]:
            self.model.change((book, key))
        await self._unless_stopped(f"UPDATE scratch.{book} SET note = gen_random_uuid()::text WHERE id = {key}")

    async def _touch(self, book: str, key: int) -> None:
        await self._unless_stopped(f"UPDATE scratch.{book} SET id = id WHERE id = {key}")

    async def _delete(self, book: str, key: int) -> None:
        if key in self.model.rows[book]:
            self.model.rows[book].discard(key)
            self.model.change((book, key))
        await self._unless_stopped(f"DELETE FROM scratch.{book} WHERE id = {key}")

    async def _update_all(self, book: str, _: int) -> None:
        self.model.change(*((book, key) for key in self.model.rows[book]))
        await self._unless_stopped(f"UPDATE scratch.{book} SET note = gen_random_uuid()::text")

    async def _unless_stopped(self, statement: str) -> None:
        self.model.checked()
        await self._say(statement)

    async def _event(self, subjects: list[Change], _: int) -> None:
        self.model.event(subjects)
        await self._append([f"scratch.{book}/{key}" for book, key in subjects], None)

    async def _event_for_all(self, _: str, __: int) -> None:
        await self._event(sorted(set(self.model.open_changes())), 0)

    async def _event_for_the_table(self, book: str, off: int) -> None:
        expect = self.model.table_event(book) + off
        if off:
            self.model.lawful = False
        await self._append([f"scratch.{book}"], expect)

    async def _append(self, subjects: list[str], expect: int | None) -> None:
        await self.connection.execute("SELECT scratch.ev($1, $2)", subjects, expect)

    async def _savepoint(self, *_: Any) -> None:
        self.depth += 1
        self.model.savepoint()
        await self._say(f"SAVEPOINT s{self.depth}")

    async def _roll_back(self, *_: Any) -> None:
        if self.depth:
            self.model.roll_back()
            await self._say(f"ROLLBACK TO s{self.depth}")

    async def _release(self, *_: Any) -> None:
        if self.depth:
            self.model._kept.pop()
            await self._say(f"RELEASE s{self.depth}")
            self.depth -= 1

    async def _check(self, *_: Any) -> None:
        self.model.immediate = True
        self.model.checked()
        await self._say("SET CONSTRAINTS ALL IMMEDIATE")

    async def _defer(self, *_: Any) -> None:
        self.model.immediate = False
        await self._say("SET CONSTRAINTS ALL DEFERRED")


async def rows_of(connection: asyncpg.Connection) -> dict[str, set[int]]:
    return {book: {row["id"] for row in await connection.fetch(f"SELECT id FROM scratch.{book}")} for book in BOOKS}


@pytest.mark.parametrize("form", ["digest", "presence"])
async def test_what_commits_is_what_the_law_allows(
    superuser: asyncpg.Connection, application: asyncpg.Connection, form: str
) -> None:
    await open_books(superuser, form)
    seen = {"committed": 0, "refused": 0}

    async def attempt(steps: list[tuple[str, Any, int]]) -> None:
        before = await rows_of(superuser)
        model = Model(form, before)
        runner = Runner(application, model)
        refusal = None
        try:
            async with application.transaction():
                await application.execute(f"SET LOCAL app.tenant = '{TENANT}'")
                for step in steps:
                    await runner.run(*step)
                if model.open_changes():
                    model.lawful = False
        except asyncpg.PostgresError as error:
            refusal = error.sqlstate
        assert refusal in ((None,) if model.lawful else ("GL002", "GL005")), steps
        assert await rows_of(superuser) == (model.rows if model.lawful else before)
        seen["committed" if model.lawful else "refused"] += 1

    await _examples(attempt)
    assert min(seen.values()) > 10, seen
    await audit(superuser)


async def _examples(attempt: Any) -> None:
    """Hypothesis drives an async body through a collected list, since one database serves all examples."""
    collected: list[list[tuple[str, Any, int]]] = []

    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(STEP, min_size=1, max_size=12), st.booleans())
    def collect(steps: list[tuple[str, Any, int]], tidy: bool) -> None:
        collected.append([*steps, ("event for all", "", 0)] if tidy else steps)

    collect()
    for steps in collected:
        await attempt(steps)


def h(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


async def audit(connection: asyncpg.Connection) -> None:
    """What an auditor does: recompute every image's digest, every row's own chain, every event's effect and leaf."""
    changes = await connection.fetch(
        "SELECT xid::text AS xid, n, tenant_id, rel, key, op::text AS op, old_hash, new_image, digest "
        "FROM governance_ledger.changes ORDER BY n"
    )
    last: dict[tuple[str, str], bytes | None] = {}
    for row in changes:
        image = None if row["new_image"] is None else h(row["new_image"].encode())
        parts = ["change/v1", str(row["tenant_id"]), row["rel"], row["key"], row["op"]]
        parts += [row["old_hash"].hex() if row["old_hash"] else "-", image.hex() if image else "-"]
        assert h("\n".join(parts).encode()) == row["digest"]
        assert last.get((row["rel"], row["key"])) == row["old_hash"]
        last[row["rel"], row["key"]] = image
    taken: set[int] = set()
    for event in await connection.fetch(
        "SELECT xid::text AS xid, n, subjects, effect_n, effect_digest, body, leaf "
        "FROM governance_ledger.governance_events WHERE tenant_id = $1 ORDER BY n",
        TENANT,
    ):
        mine = [
            row
            for row in changes
            if row["xid"] == event["xid"] and row["n"] < event["n"] and row["n"] not in taken
            and {row["rel"], f"{row['rel']}/{row['key']}"} & set(event["subjects"])
        ]  # fmt: skip
        taken |= {row["n"] for row in mine}
        document = json.loads(event["body"])
        assert event["effect_digest"] == h(b"".join(row["digest"] for row in mine))
        assert document["effect"] == {"digest": event["effect_digest"].hex(), "n": str(len(mine))}
        assert canonical_bytes(document) == event["body"].encode()
        assert event["leaf"] == h(b"\0" + event["body"].encode())
    assert taken == {row["n"] for row in changes}

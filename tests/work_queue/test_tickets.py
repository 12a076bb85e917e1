"""Tickets: opened, listed, changed, given files and closed."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.canon.vocabulary import new_id
from app.governance_ledger import EventFilter, RecordedEvent, read_events, read_evidence
from app.postgres import Database, Transaction
from app.work_queue import (
    NewTicket,
    TicketPatch,
    TicketStatus,
    attach_input,
    get_approval,
    get_ticket,
    inputs_of,
    list_due,
    list_tickets,
    move_ticket,
    open_ticket,
    patch_ticket,
    raise_approval,
)
from app.work_queue.cursors import read_cursor, write_cursor
from app.work_queue.errors import (
    CursorUnknown,
    InputExists,
    InputRefused,
    MoveRefused,
    TicketStale,
    TicketUnknown,
)
from app.work_queue.model import CLOSED, TICKET_MOVES, may_move
from app.work_queue.tickets import MAX_INPUT_BYTES, safe_name
from tests.builders import a_question, a_ticket, principal
from tests.evidence import NoStore


async def events(tx: Transaction, family: str) -> list[RecordedEvent]:
    page = await read_events(tx, EventFilter(type=family), limit=200, newest_first=False)
    return list(page.items)


async def queued(tx: Transaction, name: str) -> int:
    statement = "SELECT count(*) FROM work_queue.pgqueuer WHERE entrypoint = $1"
    return int(await tx.connection.fetchval(statement, name))


async def test_an_opened_ticket_is_recorded_and_announced_in_one_transaction(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        ticket = await a_ticket(tx, principal(tx.tenant), fields={"month": "2026-03"}, priority=1)
        assert await get_ticket(tx, ticket.id) == ticket
        assert (ticket.status, ticket.version, ticket.fields) == ("open", 1, {"month": "2026-03"})
        opened = await events(tx, "ticket.opened")
        assert opened[0].subjects == (f"work_queue.tickets/{ticket.id}",)
        assert opened[0].data["priority"] == 1
        assert await queued(tx, "ticket_opened") == 1


async def test_a_ticket_that_waits_for_its_files_is_not_announced(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        await a_ticket(tx, principal(tx.tenant), start=False)
        assert await queued(tx, "ticket_opened") == 0


async def open_and_fail(database: Database, tenant: UUID) -> None:
    async with database.transaction(tenant) as tx:
        await a_ticket(tx, principal(tenant))
        raise RuntimeError("changed my mind")


async def test_a_ticket_that_was_rolled_back_is_not_announced(database: Database) -> None:
    tenant = new_id()
    with pytest.raises(RuntimeError):
        await open_and_fail(database, tenant)
    async with database.transaction(tenant) as tx:
        assert (await list_tickets(tx)).items == ()
        assert await queued(tx, "ticket_opened") == 0


async def test_a_child_needs_a_parent(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        parent = await a_ticket(tx, founder)
        child = await a_ticket(tx, founder, parent_id=parent.id)
        assert (await list_tickets(tx, parent_id=parent.id)).items == (child,)
        with pytest.raises(TicketUnknown):
            await a_ticket(tx, founder, parent_id=new_id())


async def test_pages_hold_every_ticket_once_though_new_ones_come(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        made = [(await a_ticket(tx, founder, title=f"T{n}")).id for n in range(7)]
        seen, cursor = [], None
        while True:
            page = await list_tickets(tx, after=cursor, limit=3)
            seen += [ticket.id for ticket in page.items]
            await a_ticket(tx, founder, title="came meanwhile")
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == list(reversed(made))


async def test_what_is_due_is_listed_soonest_first_and_only_while_it_is_open(database: Database) -> None:
    tenant, now = new_id(), datetime.now(UTC)
    async with database.transaction(tenant) as tx:
        later, sooner, done = [
            await open_ticket(
                tx, NewTicket("T", "I", due_at=now + timedelta(hours=hours)), actor="founder:x", founder_wrote=True
            )
            for hours in (3, 1, 2)
        ]
        await open_ticket(tx, NewTicket("T", "I"), actor="founder:x", founder_wrote=True)
        await move_ticket(tx, done.id, "working", actor="worker:x")
        await move_ticket(tx, done.id, "done", actor="worker:x", result="Done.")
        assert [one.id for one in await list_due(tx, now + timedelta(days=1))] == [sooner.id, later.id]
        assert [one.id for one in await list_due(tx, now + timedelta(hours=2))] == [sooner.id]
        assert [one.id for one in await list_due(tx, now + timedelta(days=1), limit=1)] == [sooner.id]


async def test_a_list_filters_by_status_and_role(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder, role_id = principal(tx.tenant), new_id()
        one = await a_ticket(tx, founder, role_id=role_id)
        await a_ticket(tx, founder)
        await move_ticket(tx, one.id, "working", actor="worker:mira")
        working = await list_tickets(tx, status="working")
        assert [ticket.id for ticket in working.items] == [one.id]
        assert [ticket.id for ticket in (await list_tickets(tx, role_id=role_id)).items] == [one.id]
        assert len((await list_tickets(tx, status="open")).items) == 1


@given(st.uuids())
def test_a_cursor_says_where_it_was(last: object) -> None:
    cursor = write_cursor("tickets", last)  # type: ignore[arg-type]
    assert read_cursor("tickets", cursor) == last
    with pytest.raises(CursorUnknown):
        read_cursor("approvals", cursor)


@given(st.text(max_size=60))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(CursorUnknown):
        read_cursor("tickets", text)


async def test_a_stale_patch_changes_nothing(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        ticket = await a_ticket(tx, founder)
        due = datetime(2026, 4, 1, 10, tzinfo=UTC)
        changed = await patch_ticket(tx, ticket.id, TicketPatch(version=1, priority=1, due_at=due), actor=founder.actor)
        assert (changed.version, changed.priority, changed.due_at) == (2, 1, due)
        with pytest.raises(TicketStale) as stale:
            await patch_ticket(tx, ticket.id, TicketPatch(version=1, priority=4), actor=founder.actor)
        assert stale.value.data["version"] == 2
        assert await get_ticket(tx, ticket.id) == changed
        said = (await events(tx, "ticket.changed"))[0].data
        assert said["before"] == {"priority": 3, "due_at": None}
        cleared = await patch_ticket(tx, ticket.id, TicketPatch(version=2, due_at=None), actor=founder.actor)
        assert cleared.due_at is None


async def test_an_open_ticket_that_gets_a_role_is_announced_again(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        ticket = await a_ticket(tx, founder)
        role_id = new_id()
        given_ = await patch_ticket(tx, ticket.id, TicketPatch(version=1, role_id=role_id), actor=founder.actor)
        assert given_.role_id == role_id
        assert await queued(tx, "ticket_opened") == 2
        await move_ticket(tx, ticket.id, "working", actor="worker:mira")
        with pytest.raises(MoveRefused):
            await patch_ticket(tx, ticket.id, TicketPatch(version=3, role_id=new_id()), actor=founder.actor)


async def test_a_cancelled_ticket_asks_nothing_any_more(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        ticket = await a_ticket(tx, founder)
        asked = await raise_approval(tx, a_question(ticket_id=ticket.id))
        unknown = await raise_approval(tx, a_question(ticket_id=ticket.id, kind="unknown_outcome"))
        cancelled = await patch_ticket(tx, ticket.id, TicketPatch(version=1, cancel=True), actor=founder.actor)
        assert cancelled.status == "cancelled"
        assert (await get_approval(tx, asked.id)).status == "withdrawn"
        assert (await get_approval(tx, unknown.id)).status == "pending"
        with pytest.raises(MoveRefused):
            await patch_ticket(tx, ticket.id, TicketPatch(version=2, priority=1), actor=founder.actor)


@pytest.mark.made_up_events
async def test_a_closed_ticket_records_whether_its_deadline_was_met(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        soon = datetime.now(UTC) + timedelta(hours=1)
        late = await a_ticket(tx, founder, due_at=soon - timedelta(hours=2))
        timely = await a_ticket(tx, founder, due_at=soon)
        undated = await a_ticket(tx, founder)
        for ticket in (late, timely, undated):
            await move_ticket(tx, ticket.id, "working", actor="worker:mira")
            await move_ticket(tx, ticket.id, "done", actor="worker:mira", result="counted", data={"steps": 3})
        done = await events(tx, "ticket.done")
        assert [event.data["sla_met"] for event in done] == [False, True, None]
        assert all(event.data["steps"] == 3 for event in done)
        assert all(event.data["result"] == "counted" for event in done)


async def test_a_ticket_that_works_again_is_resumed_not_started(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        ticket = await a_ticket(tx, principal(tx.tenant))
        for to in ("working", "held", "working"):
            await move_ticket(tx, ticket.id, to, actor="worker:mira", run_id=new_id())
        said = [event.type for event in await events(tx, "ticket.")]
        assert said == ["ticket.opened", "ticket.started", "ticket.held", "ticket.resumed"]


async def test_routing_gives_an_open_ticket_its_role(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        ticket, role_id = await a_ticket(tx, principal(tx.tenant)), new_id()
        routed = await move_ticket(tx, ticket.id, "open", actor="system", role_id=role_id)
        assert (routed.status, routed.role_id) == ("open", role_id)
        assert [event.type for event in await events(tx, "ticket.")][-1] == "ticket.routed"


STATUSES: tuple[TicketStatus, ...] = tuple(TICKET_MOVES)


def test_what_is_closed_stays_closed() -> None:
    assert {"done", "returned", "refused", "failed", "cancelled"} == CLOSED
    assert not any(may_move(closed, to) for closed in CLOSED for to in STATUSES)


def test_every_open_state_can_end() -> None:
    for status in set(STATUSES) - CLOSED:
        assert may_move(status, "cancelled")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(walk=st.lists(st.sampled_from(STATUSES), min_size=1, max_size=8))
async def test_a_ticket_moves_along_its_map_and_nowhere_else(database: Database, walk: list[TicketStatus]) -> None:
    async with database.transaction(new_id()) as tx:
        ticket = await a_ticket(tx, principal(tx.tenant))
        status: TicketStatus = "open"
        moves = 0
        for to in walk:
            if to == status:
                same = await move_ticket(tx, ticket.id, to, actor="worker:mira")
                assert same.status == status
            elif may_move(status, to):
                status, moves = (await move_ticket(tx, ticket.id, to, actor="worker:mira")).status, moves + 1
            else:
                with pytest.raises(MoveRefused):
                    await move_ticket(tx, ticket.id, to, actor="worker:mira")
        found = await get_ticket(tx, ticket.id)
        assert (found.status, found.version) == (status, moves + 1)
        assert len(await events(tx, "ticket.")) == moves + 1
        assert (found.closed_at is not None) == (status in CLOSED)


async def test_a_file_becomes_evidence(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        ticket = await a_ticket(tx, founder)
        file = await attach_input(
            tx,
            ticket.id,
            name="statement.csv",
            media_type="text/csv",
            content=b"date,amount\n",
            trusted=False,
            actor=founder.actor,
        )
        assert await inputs_of(tx, ticket.id) == (file,)
        assert await read_evidence(tx, NoStore(), file.evidence_key) == b"date,amount\n"
        attached = (await events(tx, "ticket.input_attached"))[0]
        assert attached.evidence[0].sha256 == file.sha256


async def test_a_name_is_taken_once(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        founder = principal(tx.tenant)
        ticket = await a_ticket(tx, founder)
        for content in (b"one", b"two"):
            again = content == b"two"
            attaching = attach_input(
                tx, ticket.id, name="a.txt", media_type="text/plain", content=content, trusted=False, actor="x:y"
            )
            if again:
                with pytest.raises(InputExists):
                    await attaching
            else:
                await attaching
        assert len(await inputs_of(tx, ticket.id)) == 1


@pytest.mark.parametrize(
    "name", ["../etc/passwd", "a/b", "a\\b", ".env", "", "  ", "a\nb", "x" * 201, "a\u202eb", "c:d"]
)
def test_a_name_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(InputRefused):
        safe_name(name)


def test_a_name_is_kept_in_its_composed_form() -> None:
    assert safe_name("Re\u0301sume\u0301 Maret.pdf") == "R\u00e9sum\u00e9 Maret.pdf"


@pytest.mark.parametrize(("content", "media_type"), [(b"", "text/csv"), (b"x", "csv"), (b"x", "text/csv\r\nX: y")])
async def test_a_file_that_cannot_be_kept_is_refused(database: Database, content: bytes, media_type: str) -> None:
    async with database.transaction(new_id()) as tx:
        ticket = await a_ticket(tx, principal(tx.tenant))
        with pytest.raises(InputRefused):
            await attach_input(
                tx, ticket.id, name="a.csv", media_type=media_type, content=content, trusted=False, actor="x:y"
            )


async def test_a_file_beyond_the_limit_is_refused_with_the_limit(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        ticket = await a_ticket(tx, principal(tx.tenant))
        with pytest.raises(InputRefused, match=str(MAX_INPUT_BYTES)):
            await attach_input(
                tx,
                ticket.id,
                name="a.bin",
                media_type="application/octet-stream",
                content=bytes(MAX_INPUT_BYTES + 1),
                trusted=False,
                actor="x:y",
            )


async def test_a_closed_ticket_takes_no_file(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        ticket = await a_ticket(tx, principal(tx.tenant))
        await move_ticket(tx, ticket.id, "cancelled", actor="x:y")
        with pytest.raises(MoveRefused):
            await attach_input(
                tx, ticket.id, name="a", media_type="text/plain", content=b"x", trusted=False, actor="x:y"
            )


async def test_another_tenant_sees_no_ticket(database: Database) -> None:
    async with database.transaction(new_id()) as tx:
        ticket = await a_ticket(tx, principal(tx.tenant))
    async with database.transaction(new_id()) as tx:
        assert (await list_tickets(tx)).items == ()
        with pytest.raises(TicketUnknown):
            await get_ticket(tx, ticket.id)
        with pytest.raises(TicketUnknown):
            await patch_ticket(tx, ticket.id, TicketPatch(version=1, cancel=True), actor="founder:other")


async def test_a_ticket_without_its_event_is_rolled_back(database: Database) -> None:
    tenant = new_id()
    async with database.transaction(tenant) as tx:
        ticket = await a_ticket(tx, principal(tenant))
    with pytest.raises(asyncpg.PostgresError):
        async with database.transaction(tenant) as tx:
            await tx.connection.execute("UPDATE work_queue.tickets SET priority = 1 WHERE id = $1", ticket.id)
    async with database.transaction(tenant) as tx:
        assert (await get_ticket(tx, ticket.id)).priority == 3


def test_a_deadline_without_a_time_zone_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"title":"a","instructions":"b","due_at":"2026-04-01T10:00:00"}', type=NewTicket)


async def test_text_that_cannot_be_stored_is_refused_in_words(database: Database) -> None:
    from app.canon.errors import Invalid

    async with database.transaction(new_id()) as tx:
        with pytest.raises(Invalid, match="NUL"):
            await open_ticket(tx, NewTicket("a\x00", "b"), actor="x:y", founder_wrote=False)

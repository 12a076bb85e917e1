"""Several must agree where the role's terms say so; who asks has no vote."""

import msgspec
import pytest

from app.canon.contract import Quorum, ToolRule
from app.role_registry import amend, get_role
from app.work_queue import Approval, QuorumTooLarge, decide, get_approval
from app.work_queue.errors import VoteRefused
from tests.builders import APPROVALS, a_second_founder, approve, some_terms
from tests.execution_graph.ring import Ring


def test_terms_without_a_quorum_have_the_digest_they_always_had() -> None:
    terms = some_terms()
    assert "quorum" not in msgspec.to_builtins(terms)
    assert msgspec.structs.replace(terms, quorum=Quorum(2, 2)).digest() != terms.digest()


async def test_a_call_waits_for_as_many_as_the_role_wants(ring: Ring) -> None:
    async def write(ctx: object) -> str:
        await ctx.call_tool("write_note", {"text": "x"})  # type: ignore[attr-defined]
        return "done"

    role = await ring.hire_scribe(write, ToolRule("write_note", "ask"))
    assert role.terms is not None
    terms = msgspec.structs.replace(role.terms, quorum=Quorum(r1=2))
    async with ring.transaction() as tx:
        other = await a_second_founder(tx, ring.founder)
        changed = await amend(tx, role.id, seen_version=1, terms=terms, by=ring.founder, undo_seconds=0)
        assert changed.pending is not None
        signed = await approve(tx, changed.pending.approval_id, ring.founder)
    await ring.tell(signed)
    view = await ring.run(role)
    asked: Approval = await ring.pending(view.run)
    assert asked.quorum == 2
    async with ring.transaction() as tx:
        first = await decide(tx, asked.id, "approve", by=ring.founder, signer=APPROVALS, proof=None)
        assert first.status == "pending"
        with pytest.raises(VoteRefused):
            await decide(tx, asked.id, "approve", by=ring.founder, signer=APPROVALS, proof=None)
        second = await decide(tx, asked.id, "approve", by=other, signer=APPROVALS, proof=None)
        assert second.status == "approved"


async def test_who_asks_for_another_contract_has_no_vote_on_it(ring: Ring) -> None:
    role = await ring.hire("write_note")
    assert role.terms is not None
    terms = msgspec.structs.replace(role.terms, quorum=Quorum(r2=2))
    async with ring.transaction() as tx:
        other = await a_second_founder(tx, ring.founder)
        first = await amend(tx, role.id, seen_version=1, terms=terms, by=ring.founder, undo_seconds=0)
        assert first.pending is not None
        signed = await approve(tx, first.pending.approval_id, ring.founder)
    await ring.tell(signed)
    async with ring.transaction() as tx:
        again = msgspec.structs.replace(terms, title="Senior")
        second = await amend(tx, role.id, seen_version=2, terms=again, by=ring.founder, undo_seconds=0)
        assert second.pending is not None
        waiting = await get_approval(tx, second.pending.approval_id)
        assert (waiting.quorum, waiting.apart) == (1, True)
        with pytest.raises(VoteRefused, match="who asks may not approve"):
            await approve(tx, waiting.id, ring.founder)
        signed = await approve(tx, waiting.id, other)
    await ring.tell(signed)
    async with ring.transaction() as tx:
        assert (await get_role(tx, role.id)).version == 3


async def test_a_start_waits_for_as_many_as_the_role_wants(ring: Ring) -> None:
    role = await ring.hire("write_note")
    assert role.terms is not None
    async with ring.transaction() as tx:
        await a_second_founder(tx, ring.founder)
        terms = msgspec.structs.replace(role.terms, quorum=Quorum(r1=2))
        changed = await amend(tx, role.id, seen_version=1, terms=terms, by=ring.founder, undo_seconds=0)
        assert changed.pending is not None
        signed = await approve(tx, changed.pending.approval_id, ring.founder)
    await ring.tell(signed)
    run = await ring.start(await ring.open(role, approval_required=True))
    assert (await ring.pending(run)).quorum == 2


async def test_a_role_cannot_want_more_people_than_there_are(ring: Ring) -> None:
    role = await ring.hire("write_note")
    assert role.terms is not None
    terms = msgspec.structs.replace(role.terms, quorum=Quorum(r2=2))
    async with ring.transaction() as tx:
        with pytest.raises(QuorumTooLarge):
            await amend(tx, role.id, seen_version=1, terms=terms, by=ring.founder, undo_seconds=0)

"""An auditor finds what was asked of fewer people than the founders had signed, live and in an export."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from app.canon.quorum import CompanyQuorum, QuorumLine
from app.canon.vocabulary import Money, Tier, new_id
from app.governance_ledger import append
from app.postgres import Database
from app.verifier.canonical import canonical_bytes
from app.verifier.errors import Broken
from app.verifier.quorums import Quorums
from app.work_queue import get_approval, propose_quorum, raise_approval
from app.work_queue.approvals import event_of
from tests.builders import a_question
from tests.governance_ledger.ledgers import TENANT
from tests.verifier.decisions import Company, a_company, a_second_founder, decided, settled
from tests.verifier.test_lawful_approvals import breaks, holds

QUORUM = CompanyQuorum((QuorumLine(tier=Tier.R2, count=2, above=Money(1_000), founders=True),))
RAISED: dict[str, Any] = {
    "approval_id": "a",
    "kind": "tool_call",
    "tier": "R2",
    "quorum": 2,
    "money": {"minor": "1001", "currency": "IDR"},
    "raised_by": "worker:7",
}


def in_force(quorum: CompanyQuorum = QUORUM) -> Quorums:
    quorums = Quorums()
    terms = quorum.written()
    digest = sha256(canonical_bytes(terms)).hexdigest()
    quorums.put({"quorum": terms, "terms_digest": digest, "approval_id": "q"}, {"policy": digest, "approval": "q"})
    return quorums


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"quorum": 1, "money": {"minor": "1000", "currency": "IDR"}},
        {"quorum": 1, "money": None},
        {"quorum": 1, "tier": "R1"},
        {"quorum": 1, "kind": "unknown_outcome"},
        {"quorum": 1, "raised_by": "founder:1"},
        {"quorum": 3},
    ],
)
def test_what_was_asked_of_enough_people_holds(said: dict[str, Any]) -> None:
    in_force().meet(RAISED | said, founders=2)


@pytest.mark.parametrize(
    "said",
    [
        {"quorum": 1},
        {"quorum": 1, "money": {"minor": "1", "currency": "USD"}},
        {"quorum": 1, "raised_by": "deputy:2"},
        {"quorum": 1, "kind": "hire"},
    ],
)
def test_what_was_asked_of_too_few_breaks(said: dict[str, Any]) -> None:
    with pytest.raises(Broken, match="quorum wants 2"):
        in_force().meet(RAISED | said, founders=2)


def test_a_company_with_one_founder_left_may_change_its_quorum() -> None:
    whole = CompanyQuorum((QuorumLine(tier=Tier.R2, count=2),))
    in_force(whole).meet(RAISED | {"kind": "quorum", "quorum": 1}, founders=1)
    with pytest.raises(Broken):
        in_force(whole).meet(RAISED | {"kind": "quorum", "quorum": 1}, founders=2)


def test_a_deputys_yes_breaks_where_founders_are_wanted() -> None:
    quorums = in_force()
    quorums.meet(RAISED, founders=2)
    quorums.check_vote("a", "founder:1")
    quorums.check_vote("another", "deputy:2")
    with pytest.raises(Broken, match="by a deputy"):
        quorums.check_vote("a", "deputy:2")


def test_another_quorum_than_was_signed_breaks() -> None:
    with pytest.raises(Broken, match="not the one"):
        Quorums().put(
            {"quorum": QUORUM.written(), "terms_digest": "0" * 64, "approval_id": "q"},
            {"policy": "0" * 64, "approval": "q"},
        )


async def two_founders(database: Database) -> tuple[Company, Company]:
    """A company whose quorum of two is in force."""
    async with database.transaction(TENANT) as tx:
        company = await a_company(tx)
        other = await a_second_founder(tx, company)
    async with database.transaction(TENANT) as tx:
        asked = await propose_quorum(tx, QUORUM, by=company.by, undo_seconds=0)
        await settled(tx, await decided(tx, company, asked))
    return company, other


async def test_a_company_that_keeps_its_quorum_verifies(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    company, other = await two_founders(database)
    async with database.transaction(TENANT) as tx:
        asked = await raise_approval(tx, a_question(tier=Tier.R2))
        await decided(tx, company, asked)
        done = await decided(tx, other, await get_approval(tx, asked.id))
        assert done.status == "approved"
    await holds(database, sealer, tmp_path, signatures=4)


async def test_a_question_that_was_asked_of_one_is_found(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    await two_founders(database)
    async with database.transaction(TENANT) as tx:
        asked = await raise_approval(tx, a_question(tier=Tier.R2))
        forged = msgspec.structs.replace(asked, id=new_id(), quorum=1)
        event = event_of(forged, "raised", actor="worker:7", at=asked.raised_at, undo_seconds=0)
        await append(tx, msgspec.structs.replace(event, subjects=()))
    await breaks(database, sealer, tmp_path, reason="quorum wants 2")

"""What an auditor finds when somebody decided outside of what a founder had signed."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.canon.approval import Decision
from app.governance_ledger import Event, append
from app.postgres import Database
from app.verifier.canonical import canonical_bytes
from app.verifier.errors import Broken
from app.verifier.mandates import Mandates
from app.work_queue import mandate_of, raise_approval
from tests.builders import a_question
from tests.governance_ledger.ledgers import TENANT
from tests.verifier.decisions import a_company, a_second_founder, decided
from tests.verifier.test_lawful_approvals import breaks

TERMS: dict[str, Any] = {
    "person": "budi",
    "name": "Budi",
    "rol": "deputy",
    "tiers": ["R1"],
    "kinds": ["tool_call"],
    "roles": ["mira"],
    "cap": {"minor": 5000, "currency": "IDR"},
    "ends_at": "2026-04-02T00:00:00Z",
}
SOON = 1775001600  # 2026-04-01T00:00:00Z
SAID: dict[str, Any] = {
    "tier": "R1",
    "kind": "tool_call",
    "role_id": "mira",
    "money": {"minor": "5000", "currency": "IDR"},
}
CLAIMS: dict[str, Any] = {"mandate": "m1", "iat": SOON, "decision": "approve"}


def granted(terms: dict[str, Any], mandate_id: str = "m1") -> Mandates:
    mandates = Mandates(whole=True)
    grant(mandates, terms, mandate_id)
    return mandates


def grant(mandates: Mandates, terms: dict[str, Any], mandate_id: str) -> None:
    digest = sha256(canonical_bytes(terms)).hexdigest()
    data = {"mandate": terms, "mandate_id": mandate_id, "terms_digest": digest, "approval_id": "a"}
    mandates.grant(data, {"policy": digest, "approval": "a"})


def test_what_lies_inside_holds() -> None:
    assert granted(TERMS).covers(CLAIMS, "budi", SAID)
    assert granted(TERMS).covers(CLAIMS | {"decision": "reject"}, "budi", SAID | {"tier": "R2"})


@pytest.mark.parametrize(
    ("terms", "claims", "said"),
    [
        ({}, {"mandate": None}, {}),
        ({}, {"mandate": "m2"}, {}),
        ({}, {"iat": SOON + 90_000}, {}),
        ({"person": "ani"}, {}, {}),
        ({"rol": "founder"}, {}, {}),
        ({}, {}, {"tier": "R2"}),
        ({}, {}, {"kind": "hire"}),
        ({}, {}, {"role_id": "sari"}),
        ({}, {}, {"money": {"minor": "5001", "currency": "IDR"}}),
        ({}, {}, {"money": {"minor": "1", "currency": "USD"}}),
        ({"cap": None}, {}, {}),
    ],
)
def test_what_lies_outside_is_found(terms: dict[str, Any], claims: dict[str, Any], said: dict[str, Any]) -> None:
    with pytest.raises(Broken):
        granted(TERMS | terms).covers(CLAIMS | claims, "budi", SAID | said)


def test_an_ended_or_replaced_mandate_is_not_in_force() -> None:
    mandates = granted(TERMS)
    mandates.end({"mandate_id": "m1", "person": "budi"})
    with pytest.raises(Broken, match="not in force"):
        mandates.covers(CLAIMS, "budi", SAID)


def test_who_was_admitted_as_a_founder_is_one_until_that_is_ended() -> None:
    terms = TERMS | {"rol": "founder"}
    mandates = granted(terms)
    mandates.check_founder("budi")
    mandates.end({"mandate_id": "m1", "person": "budi"})
    mandates.check_founder("ani")
    with pytest.raises(Broken, match="no more"):
        mandates.check_founder("budi")
    grant(mandates, terms, "m2")
    mandates.check_founder("budi")


def test_terms_that_nobody_signed_are_found() -> None:
    digest = sha256(canonical_bytes(TERMS)).hexdigest()
    wider = TERMS | {"tiers": ["R1", "R2"]}
    data = {"mandate": wider, "mandate_id": "m1", "terms_digest": digest, "approval_id": "a"}
    with pytest.raises(Broken, match="signed"):
        Mandates(whole=True).grant(data, {"policy": digest, "approval": "a"})


def test_from_a_part_of_the_ledger_an_unknown_mandate_is_left_open() -> None:
    assert not Mandates(whole=False).covers(CLAIMS, "budi", SAID)


@pytest.mark.parametrize("decision", ["approve", "reject"])
async def test_a_decision_of_a_founder_who_left_is_found(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path, decision: Decision
) -> None:
    async with database.transaction(TENANT) as tx:
        company = await a_company(tx)
        other = await a_second_founder(tx, company)
        mandate = await mandate_of(tx, other.founder.id)
        assert mandate is not None
        data: dict[str, object] = {"mandate_id": str(mandate.id), "person": other.by.sub}
        await append(tx, Event(type="mandate.ended", actor=company.by.actor, data=data))
        await decided(tx, other, await raise_approval(tx, a_question()), decision)
    await breaks(database, sealer, tmp_path, reason="founder no more")

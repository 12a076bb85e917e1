"""Approval signatures are verified from an export alone: whose key it was, for what, and used once."""

from pathlib import Path

import asyncpg
import pytest

from app.canon.vocabulary import Tier
from app.postgres import Database
from app.verifier.keys import Trusted
from tests.governance_ledger.ledgers import KEY, TENANT, sign, verify
from tests.verifier.decisions import APPROVAL_KEYS, Call, a_company, a_role, decided
from tests.verifier.files import checked, exported

TRUSTED = Trusted({KEY.kid: KEY.raw_public}, APPROVAL_KEYS)


@pytest.mark.parametrize("hand", ["device", "phone"])
async def test_decisions_and_what_was_done_under_them_verify(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path, hand: str
) -> None:
    async with database.transaction(TENANT) as tx:
        company = await a_company(tx)
        contract = await a_role(tx, company, by=hand)
    async with database.transaction(TENANT) as tx:
        await Call(tx, contract, {"note": "hello"}).record(tx, "done")
        call = Call(tx, contract, {"to": "a@b.example"})
        await call.use(tx, await decided(tx, company, await call.ask(tx, Tier.R2), by=hand))
        refused = Call(tx, contract, {"to": "c@d.example"})
        no = await decided(tx, company, await refused.ask(tx), "reject", by="session")
        await refused.record(tx, "rejected", under=no)
    await sign(sealer)
    live = await verify(database, full=True, keys=TRUSTED.seal, approval_keys=APPROVAL_KEYS)
    report = checked(await exported(database, tmp_path, evidence=True), trusted=TRUSTED)
    assert live.first_break is None
    assert report.first_break is None
    assert (live.signatures, report.signatures, report.proofs, report.evidence) == (3, 3, 2, 6)
    assert report.changes > 0
    assert report.unchecked == []

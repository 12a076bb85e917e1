"""A call with a lost answer that the founder has made again: its ledger verifies, live and from an export."""

from pathlib import Path

import asyncpg

from app.adapters.evidence import FolderStore
from app.canon.contract import EngineBinding, ProcedureStep, ToolRule
from app.messages import ApprovalDecided
from app.postgres import Database
from app.role_registry import get_role, hire, on_approval_decided
from app.work_queue import get_approval
from tests.builders import APPROVALS, ROOMY_BUDGET, some_terms
from tests.execution_graph.ring import Endpoint, Outside, Ring, builtin_tools, loses_its_answer
from tests.execution_graph.test_retrying import retry, rings
from tests.governance_ledger.ledgers import TENANT
from tests.verifier.decisions import Company, a_company, decided
from tests.verifier.test_lawful_approvals import holds


async def lost_run(ring: Ring, company: Company) -> None:
    """One run whose only call is lost, made again under the founder's key, and done."""
    engine = EngineBinding(procedure=(ProcedureStep("ring_bell", {"what": "x"}),))
    terms = some_terms("Mira", tools=(ToolRule("ring_bell", "allow"),), budget=ROOMY_BUDGET, engine=engine)
    async with ring.transaction() as tx:
        role = await hire(tx, terms, by=company.by, undo_seconds=0)
        assert role.pending is not None
        hired = await decided(tx, company, await get_approval(tx, role.pending.approval_id))
        await on_approval_decided(tx, ApprovalDecided(tx.tenant, hired.id, None, None), reader=APPROVALS)
        role = await get_role(tx, role.id)
    view = await ring.run(role)
    again = await retry(ring, await ring.pending(view.run))
    ring.outside("ring_bell").answer = rings
    async with ring.transaction() as tx:
        await decided(tx, company, again)
    await ring.tell(await ring.approval(again.id))
    view = await ring.drive(view.run)
    assert view.run.status == "done"


async def test_a_call_that_was_made_again_verifies_under_the_founders_key(
    database: Database, sealer: asyncpg.Connection, tmp_path: Path
) -> None:
    bell = Outside("ring_bell")
    bell.answer = loses_its_answer
    ring = Ring(database, FolderStore(tmp_path / "evidence"), builtin_tools() | {"ring_bell": bell}, Endpoint())
    ring.tenant = TENANT
    async with ring.transaction() as tx:
        company = await a_company(tx)
    ring.founder = company.by
    await lost_run(ring, company)
    await holds(database, sealer, tmp_path, signatures=2)

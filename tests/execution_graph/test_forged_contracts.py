"""Whoever holds the application's database password can write a row. No worker takes that for a founder's signature."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from app.canon.canonical_json import canonical_bytes
from app.canon.contract import ArgumentRule, Boundary, OneOf, ProcedureStep, Terms, ToolRule
from app.canon.rule import RuleTerms
from app.canon.vocabulary import new_id
from app.governance_ledger import Event, append
from app.role_registry import Role
from app.role_registry.model import RoleVersion
from app.role_registry.rule_store import StandingRule, insert_rule
from app.role_registry.store import fetch_role, fetch_versions, insert_version, update_role
from tests.execution_graph.ring import Outside, Ring

SHIP = [ProcedureStep("ship", {"what": "gold"})]
WIDE = Boundary(tools=(ToolRule("ship", "allow"),))


async def hired(ring: Ring, mode: str = "deny") -> Role:
    ring.tools["ship"] = Outside("ship")
    return await ring.hire(ToolRule("ship", mode), procedure=SHIP)  # type: ignore[arg-type]


def widened(terms: Terms) -> Terms:
    return msgspec.structs.replace(terms, boundary=WIDE)


async def forge(ring: Ring, role: Role, version: RoleVersion) -> None:
    """What a holder of the password can do: the row, the pointer to it, and some event for Law 17."""
    async with ring.transaction() as tx:
        row = await insert_version(tx, version)
        standing = await fetch_role(tx, role.id, lock=True)
        assert standing is not None
        await update_role(tx, standing, version=version.version)
        subjects = (f"role_registry.ai_role_versions/{row}", f"role_registry.ai_roles/{role.id}")
        await append(tx, Event(type="x.forged", actor="founder:1", subjects=subjects, data={}))


async def signed_version(ring: Ring, role: Role) -> RoleVersion:
    async with ring.transaction() as tx:
        return (await fetch_versions(tx, role.id))[-1]


@pytest.mark.parametrize("how", ["copied", "empty", "old digest", "another role's"])
async def test_a_contract_that_nobody_signed_moves_no_worker(ring: Ring, how: str) -> None:
    role = await hired(ring)
    first = await signed_version(ring, role)
    forged = msgspec.structs.replace(first, version=2, terms=widened(first.terms))
    forged = msgspec.structs.replace(forged, digest=forged.terms.digest())
    if how == "empty":
        forged = msgspec.structs.replace(forged, signature="")
    if how == "old digest":
        forged = msgspec.structs.replace(forged, digest=first.digest)
    if how == "another role's":
        other = await ring.hire(ToolRule("ship", "allow"), procedure=SHIP, name="Other")
        forged = msgspec.structs.replace(await signed_version(ring, other), role_id=role.id, version=2)
    await forge(ring, role, forged)
    view = await ring.run(role)
    assert ring.outside("ship").keys == []
    assert (view.run.status, view.run.cause) == ("failed", "forged")


async def test_an_old_version_that_was_signed_once_comes_not_back_under_another_number(ring: Ring) -> None:
    role = await hired(ring, "allow")
    first = await signed_version(ring, role)
    await forge(ring, role, msgspec.structs.replace(first, version=2))
    assert (await ring.run(role)).run.cause == "forged"
    assert ring.outside("ship").keys == []


@pytest.mark.parametrize("how", ["no signature", "the contract's signature"])
async def test_a_rule_that_nobody_signed_allows_nothing(ring: Ring, how: str) -> None:
    role = await hired(ring, "ask")
    version = await signed_version(ring, role)
    bounds = (ArgumentRule("what", (OneOf(("gold",)),)),)
    until = datetime.now(UTC) + timedelta(days=1)
    terms = RuleTerms(role.id, "ship", ring.tools["ship"].spec.schema_hash, bounds, 10, until)
    await forged_rule(ring, terms, "" if how == "no signature" else version.signature, version.approval_id)
    assert (await ring.run(role)).run.status == "held"
    assert ring.outside("ship").keys == []


async def forged_rule(ring: Ring, terms: RuleTerms, signature: str, approval_id: object) -> None:
    rule = StandingRule(
        id=new_id(),
        terms=terms,
        digest=terms.digest(),
        used=0,
        approval_id=approval_id,  # type: ignore[arg-type]
        signature=signature,
        signed_by=ring.founder.actor,
        made_at=datetime.now(UTC),
        revoked_at=None,
        revoked_by=None,
    )
    async with ring.transaction() as tx:
        await insert_rule(tx, rule, canonical_bytes(terms.written()).decode())
        subjects = (f"role_registry.standing_rules/{rule.id}",)
        await append(tx, Event(type="x.forged", actor="founder:1", subjects=subjects, data={}))

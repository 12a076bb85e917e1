"""How many must agree to a question: what the company's quorum adds to what was asked for."""

import msgspec

from app.canon.mandate import Mandate
from app.canon.quorum import UNLOCKING, Agreement, CompanyQuorum, Deciders
from app.canon.vocabulary import Tier
from app.postgres import Transaction
from app.work_queue import mandate_store, quorum_store, store
from app.work_queue.model import NewApproval


async def company_quorum(tx: Transaction) -> CompanyQuorum:
    """The quorum in force; without lines where none was signed."""
    return await quorum_store.fetch(tx)


async def deciders(tx: Transaction, *, without: str | None = None) -> Deciders:
    """Who can decide now: the founder whose company it is, and everybody with a mandate in force (but `without`)."""
    at = await store.now(tx)
    granted = [one for one in await mandate_store.fetch_all(tx) if one.in_force(at) and one.terms.person != without]
    founders = 1 + sum(one.terms.rol == "founder" for one in granted)
    reach = [one.terms for one in granted if one.terms.rol == "deputy"]
    return Deciders(founders, founders + _reaching(reach, Tier.R1), founders + _reaching(reach, Tier.R2))


def _reaching(mandates: list[Mandate], tier: Tier) -> int:
    return sum(tier in mandate.tiers for mandate in mandates)


async def with_quorum(tx: Transaction, new: NewApproval) -> NewApproval:
    """`new` as the company's quorum wants it: never fewer people than it asks for itself. What is wanted stands in the
    payload, so that it is shown and signed.

    Nobody changes the quorum between this and the caller's commit. Who asks counts as one of those that agree, and has
    no vote.
    """
    await quorum_store.hold(tx, changing=False)
    wanted = (await quorum_store.fetch(tx)).wanted(new.kind, new.tier, new.money)
    if new.kind in UNLOCKING:
        wanted = Agreement(min(wanted.count, (await deciders(tx)).founders), wanted.founders)
    if wanted == Agreement():
        return new
    asks = new.actor.startswith(("founder:",) if wanted.founders else ("founder:", "deputy:"))
    payload = {**new.payload, "quorum": msgspec.to_builtins(wanted)}
    count = max(new.quorum, wanted.count - 1 if asks else wanted.count)
    return msgspec.structs.replace(new, payload=payload, quorum=count, apart=new.apart or (asks and wanted.count > 1))

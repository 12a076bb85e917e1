"""What an export will hold: its range, the checkpoint that covers it, and the state of the chain in front of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec

from app import clock
from app.auth import load_public_keys, public_jwk
from app.canon.errors import Invalid
from app.governance_ledger.document import instant
from app.governance_ledger.proving import NotCovered
from app.postgres import Database, Transaction
from app.verifier.chain import genesis
from app.verifier.tree import Frontier

BATCH = 2_000
PURPOSES = ("seal", "approval", "receipt")

_SEALED_AT = "SELECT sealed_at FROM governance_ledger.ledger_seals WHERE tenant_id = $1 AND seq = $2"

_NEWEST = """
SELECT size FROM governance_ledger.ledger_checkpoints WHERE tenant_id = $1 ORDER BY serial DESC LIMIT 1
"""

_COVER = """
SELECT size FROM governance_ledger.ledger_checkpoints WHERE tenant_id = $1 AND size >= $2 ORDER BY size LIMIT 1
"""

_BEFORE = """
SELECT size, frontier FROM governance_ledger.ledger_checkpoints WHERE tenant_id = $1 AND size <= $2
 ORDER BY size DESC LIMIT 1
"""

LEAVES = """
SELECT s.seq, s.hash, e.leaf FROM governance_ledger.ledger_seals s
  JOIN governance_ledger.governance_events e ON e.xid = s.xid AND e.n = s.n AND e.tenant_id = s.tenant_id
 WHERE s.tenant_id = $1 AND s.seq > $2 AND s.seq <= $3 ORDER BY s.seq
"""


# The transaction that an event belongs to, where the event accounts for row changes together with others; its events
# stand beside each other, since a seal takes transactions whole.
_AROUND = """
SELECT coalesce((SELECT o.seq FROM governance_ledger.ledger_seals o
                  WHERE o.tenant_id = s.tenant_id AND o.seq < s.seq AND o.xid <> s.xid
                  ORDER BY o.seq DESC LIMIT 1), 0) + 1 AS first,
       coalesce((SELECT o.seq - 1 FROM governance_ledger.ledger_seals o
                  WHERE o.tenant_id = s.tenant_id AND o.seq > s.seq AND o.xid <> s.xid
                  ORDER BY o.seq LIMIT 1),
                (SELECT max(o.seq) FROM governance_ledger.ledger_seals o WHERE o.tenant_id = s.tenant_id)) AS last
  FROM governance_ledger.ledger_seals s
 WHERE s.tenant_id = $1 AND s.seq = $2
   AND EXISTS (SELECT FROM governance_ledger.changes c WHERE c.tenant_id = $1 AND c.xid = s.xid)
"""


class RangeRefused(Invalid):
    """The range holds no event."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to export. `since` (inclusive) and `until` (exclusive) are times of sealing. Nothing given: all signed.

    A range that would cut a transaction with row changes takes all of it: which event accounts for which change shows
    in the whole alone. `changes` takes the row images of Law 17 along, `evidence` the evidence's bytes.
    """

    from_seq: int | None = None
    to_seq: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    changes: bool = True
    evidence: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """An export that was fixed: its header, and the size of the checkpoint that covers it."""

    header: Mapping[str, object]
    from_seq: int
    to_seq: int
    covered_to: int

    @property
    def receipts(self) -> bool:
        """Whether receipts are in it: not where it was begun before they were stored."""
        return bool(self.header.get("receipts"))


def public_keys(folder: Path) -> list[dict[str, str]]:
    """The installation's public keys that an auditor may need, as JWKs, from the folder of keys."""
    return [
        public_jwk(kid, public, purpose)
        for purpose in PURPOSES
        for kid, public in sorted(load_public_keys(folder, purpose).items())
    ]


async def plan_export(database: Database, tenant: UUID, wanted: Wanted, *, jwks: Sequence[Mapping[str, str]]) -> Plan:
    """Fix what an export holds, in a transaction of its own. Raises `NotCovered`, `RangeRefused`."""
    async with database.transaction(tenant) as tx:
        newest: int = await tx.connection.fetchval(_NEWEST, tenant) or 0
        first, last = await _range(tx, wanted, newest)
        if wanted.changes:
            first, last = await _whole_transactions(tx, first, last)
        covered_to: int | None = await tx.connection.fetchval(_COVER, tenant, last)
        if covered_to is None:
            raise NotCovered(f"event {last} is covered by no signed checkpoint yet: {newest} are")
        head, tree = await _state_before(tx, first)
    header = {
        "changes": wanted.changes,
        "created_at": instant(clock.now()),
        "evidence": wanted.evidence,
        "from_seq": first,
        "frontier": tree.packed().hex(),
        "head": head.hex(),
        "jwks": list(jwks),
        "kind": "range",
        "receipts": True,
        "tenant": str(tenant),
        "ticket": None,
        "to_seq": last,
    }
    return Plan(header=header, from_seq=first, to_seq=last, covered_to=covered_to)


async def plan_again(database: Database, tenant: UUID, header: Mapping[str, object]) -> Plan:
    """The plan of an export that was begun with this header, in a transaction of its own. Raises `NotCovered`."""
    first, last = int(str(header["from_seq"])), int(str(header["to_seq"]))
    async with database.transaction(tenant) as tx:
        covered_to: int | None = await tx.connection.fetchval(_COVER, tenant, last)
    if covered_to is None or header["tenant"] != str(tenant):
        raise NotCovered("what was begun is an export of another ledger: remove it and begin anew")
    return Plan(header=header, from_seq=first, to_seq=last, covered_to=covered_to)


async def _range(tx: Transaction, wanted: Wanted, newest: int) -> tuple[int, int]:
    first, last = wanted.from_seq or 1, wanted.to_seq or newest
    if wanted.since is not None:
        first = max(first, await _first_sealed(tx, wanted.since, newest))
    if wanted.until is not None:
        last = min(last, await _first_sealed(tx, wanted.until, newest) - 1)
    if not 1 <= first <= last:
        if newest == 0:
            raise NotCovered("the ledger has no signed checkpoint yet: is the sealer running?")
        raise RangeRefused(f"no signed event lies in {first} to {last}; events 1 to {newest} are signed")
    return first, last


async def _whole_transactions(tx: Transaction, first: int, last: int) -> tuple[int, int]:
    begins = await tx.connection.fetchrow(_AROUND, tx.tenant, first)
    ends = await tx.connection.fetchrow(_AROUND, tx.tenant, last)
    return first if begins is None else begins["first"], last if ends is None else ends["last"]


async def _first_sealed(tx: Transaction, moment: datetime, newest: int) -> int:
    """The first `seq` sealed at `moment` or later, `newest + 1` when there is none. Sealing times grow with `seq`."""
    low, high = 1, newest + 1
    while low < high:
        middle = (low + high) // 2
        sealed_at = await tx.connection.fetchval(_SEALED_AT, tx.tenant, middle)
        if sealed_at is not None and sealed_at >= moment:
            high = middle
        else:
            low = middle + 1
    return low


async def _state_before(tx: Transaction, first: int) -> tuple[bytes, Frontier]:
    """The chain's hash and the tree in front of event `first`."""
    row = await tx.connection.fetchrow(_BEFORE, tx.tenant, first - 1)
    tree = Frontier() if row is None else Frontier(row["size"], row["frontier"])
    head = genesis(tx.tenant)
    if first > 1:
        head = await tx.connection.fetchval(
            "SELECT hash FROM governance_ledger.ledger_seals WHERE tenant_id = $1 AND seq = $2", tx.tenant, first - 1
        )
    while tree.size < first - 1:
        rows = await tx.connection.fetch(LEAVES, tx.tenant, tree.size, min(tree.size + BATCH, first - 1))
        if not rows:
            raise NotCovered(f"event {tree.size + 1} is missing: `chain-verify` says more")
        for leaf in rows:
            tree.append(leaf["leaf"])
    return head, tree

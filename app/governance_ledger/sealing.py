"""What the sealer does with the committed events: link, sign, and move evidence. Each function owns its transaction.

All of it runs over all tenants, on a connection of the role `flr_sealer`.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec

from app import clock
from app.auth import SigningKey
from app.canon.evidence import AlreadyStored, EvidenceStore
from app.governance_ledger import notes
from app.governance_ledger.chain import genesis, leaf_of, link
from app.governance_ledger.merkle import Frontier

LOG = logging.getLogger(__name__)
CHECKPOINT_EVERY = timedelta(seconds=5)
BATCH = 5_000
MOVE_BYTES = 32 * 1024 * 1024
MOVE_OBJECTS = 32

_DUE = """
SELECT h.tenant_id AS tenant, h.seq AS size, coalesce(c.serial, 0) AS serial, coalesce(c.size, 0) AS from_size,
       c.head_hash, coalesce(c.frontier, '') AS frontier
  FROM governance_ledger.ledger_heads h
  LEFT JOIN LATERAL (
    SELECT * FROM governance_ledger.ledger_checkpoints c WHERE c.tenant_id = h.tenant_id ORDER BY serial DESC LIMIT 1
  ) c ON true
 WHERE c.serial IS NULL OR (h.seq > c.size AND c.signed_at <= $1)
"""

_DOCUMENTS = """
SELECT s.seq, s.hash, textsend(e.body) AS document
  FROM governance_ledger.ledger_seals s
  LEFT JOIN governance_ledger.governance_events e ON e.xid = s.xid AND e.n = s.n AND e.tenant_id = s.tenant_id
 WHERE s.tenant_id = $1 AND s.seq > $2 AND s.seq <= $3 ORDER BY s.seq
"""

_CHECKPOINT = """
WITH checkpoint AS (
  INSERT INTO governance_ledger.ledger_checkpoints
    (tenant_id, serial, size, head_hash, root_hash, frontier, kid, signed_at, note, key)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
), subtrees AS (
  INSERT INTO governance_ledger.ledger_subtrees (tenant_id, height, place, hash)
  SELECT $1, * FROM unnest($12::smallint[], $13::bigint[], $14::bytea[])
)
INSERT INTO governance_ledger.evidence_spool (tenant_id, key, sha256, media_type, content)
VALUES ($1, $10, encode(sha256(convert_to($9, 'UTF8')), 'hex'), $11, convert_to($9, 'UTF8'))
"""

_WAITING = """
SELECT w.id, w.tenant_id, w.key, w.sha256, w.media_type, s.content
  FROM (
    SELECT id, tenant_id, key, sha256, media_type, sum(octet_length(content)) OVER (ORDER BY id) AS total_bytes,
           row_number() OVER (ORDER BY id) AS place
      FROM (SELECT * FROM governance_ledger.evidence_spool WHERE id <> ALL ($1) ORDER BY id LIMIT $2) oldest
  ) w
  JOIN governance_ledger.evidence_spool s USING (id)
 WHERE w.total_bytes <= $3 OR w.place = 1
 ORDER BY w.id
"""


class CannotSign(Exception):
    """A tenant's ledger does not recompute, so it gets no checkpoint; the message says where."""


class _Due(msgspec.Struct, frozen=True):
    """A tenant whose chain has grown since its last checkpoint (`serial` 0: it has none)."""

    tenant: UUID
    size: int
    serial: int
    from_size: int
    head_hash: bytes | None
    frontier: bytes


async def seal(connection: asyncpg.Connection) -> int:
    """Link all events committed since the last seal, over all tenants; how many. Also notifies channel `console`."""
    return int(await connection.fetchval("SELECT governance_ledger.seal()"))


async def publish_key(connection: asyncpg.Connection, key: SigningKey) -> None:
    """Write the public key down, so that checkpoints name a key that can be found."""
    await connection.execute(
        "INSERT INTO governance_ledger.ledger_keys (kid, public_key) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        key.kid,
        key.raw_public,
    )


async def sign_checkpoints(
    connection: asyncpg.Connection,
    key: SigningKey,
    *,
    also: Sequence[SigningKey] = (),
    every: timedelta = CHECKPOINT_EVERY,
    refused: Callable[[UUID, CannotSign], None] | None = None,
) -> int:
    """A checkpoint for each tenant whose chain grew and whose last one is older than `every`; how many were signed.

    Signs with `key`, and with `also` while a key is being replaced. Signs only what was recomputed from the stored
    bytes; a tenant for which that fails is left out and reported.
    """
    rows = await connection.fetch(_DUE, clock.now() - every)
    signed = 0
    for due in (_Due(**dict(row)) for row in rows):
        try:
            await _sign(connection, (key, *also), due)
            signed += 1
        except CannotSign as error:
            LOG.error("no checkpoint for tenant %s: %s", due.tenant, error)
            if refused is not None:
                refused(due.tenant, error)
    return signed


async def _sign(connection: asyncpg.Connection, keys: Sequence[SigningKey], due: _Due) -> None:
    head, tree = await _recompute(connection, due)
    now = clock.now()
    checkpoint = notes.Checkpoint(due.tenant, due.size, tree.root(), head, now)
    note = notes.sign(checkpoint, *((key.raw_public, key.sign) for key in keys))
    await connection.execute(
        _CHECKPOINT,
        due.tenant,
        due.serial + 1,
        due.size,
        head,
        checkpoint.root_hash,
        tree.packed(),
        keys[0].kid,
        now,
        note,
        notes.object_key(due.tenant, due.serial + 1),
        notes.MEDIA_TYPE,
        [subtree.height for subtree, _ in tree.kept],
        [subtree.place for subtree, _ in tree.kept],
        [root for _, root in tree.kept],
    )


async def _recompute(connection: asyncpg.Connection, due: _Due) -> tuple[bytes, Frontier]:
    """The head and the tree at `due.size`, from the last checkpoint on."""
    head, tree = due.head_hash or genesis(due.tenant), Frontier(due.from_size, due.frontier)
    while tree.size < due.size:
        rows = await connection.fetch(_DOCUMENTS, due.tenant, tree.size, min(tree.size + BATCH, due.size))
        if not rows:
            raise CannotSign(f"the seal {tree.size + 1} is missing")
        head = _extend(head, tree, rows)
        await asyncio.sleep(0)
    return head, tree


def _extend(head: bytes, tree: Frontier, rows: Sequence[asyncpg.Record]) -> bytes:
    """The head after `rows`, which the tree grows by. Raises `CannotSign`."""
    leaves: list[bytes] = []
    for seq, (number, stored, document) in enumerate(rows, tree.size + 1):
        if number != seq or document is None:
            raise CannotSign(f"the event or the seal {seq} is missing")
        leaf = leaf_of(document)
        head = link(head, seq, leaf)
        if head != stored:
            raise CannotSign(f"the hash of event {seq} does not follow from its bytes")
        leaves.append(leaf)
    tree.extend(leaves)
    return head


class Mover:
    """Moves spooled bytes to the store: put, confirm, delete. At least once; the store is write-once by key."""

    def __init__(self, store: EvidenceStore) -> None:
        self._store = store
        self._stuck: set[int] = set()

    async def move(self, connection: asyncpg.Connection) -> int:
        """Move one batch; how many objects left the spool. Raises `StoreUnavailable`: nothing is lost, try later."""
        rows = await connection.fetch(_WAITING, sorted(self._stuck), MOVE_OBJECTS, MOVE_BYTES)
        # At once: a bucket answers each put after a tenth of a second, but many in the same tenth.
        answers = await asyncio.gather(*map(self._put, rows), return_exceptions=True)
        moved = [row["id"] for row, answer in zip(rows, answers, strict=True) if answer is True]
        await self._delete(connection, moved)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return len(moved)

    async def _put(self, row: asyncpg.Record) -> bool:
        try:
            await self._store.put_once(row["key"], row["content"], row["media_type"])
        except AlreadyStored:
            # The bytes themselves: what the store says about them is only as good as who put them.
            if await self._store.get(row["key"]) != row["content"]:
                self._stuck.add(row["id"])
                LOG.error("the store holds other bytes under %s (tenant %s)", row["key"], row["tenant_id"])
                return False
        return True

    async def _delete(self, connection: asyncpg.Connection, moved: Sequence[int]) -> None:
        if moved:
            await connection.execute("DELETE FROM governance_ledger.evidence_spool WHERE id = ANY ($1)", moved)


async def oldest_spooled_at(connection: asyncpg.Connection) -> datetime | None:
    """When the oldest bytes that still wait were spooled; None when none wait."""
    found: datetime | None = await connection.fetchval("SELECT min(spooled_at) FROM governance_ledger.evidence_spool")
    return found

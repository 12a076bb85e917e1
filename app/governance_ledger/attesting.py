"""Having checkpoints attested from outside, in the sealer's process, beside its loops: whoever is away stops nothing.

Only the newest checkpoint of each tenant is offered; what came before it is in it. Each function owns its transactions.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Protocol, TypeAlias
from uuid import UUID

import asyncpg
import msgspec

from app import clock
from app.canon.errors import Fault
from app.governance_ledger import timestamping, witnessing
from app.governance_ledger.notes import object_key
from app.governance_ledger.proving import prove_consistency
from app.governance_ledger.witnessing import Witness
from app.postgres import Transaction

LOG = logging.getLogger(__name__)
RETRY = timedelta(seconds=30)
WITNESS_EVERY = timedelta(seconds=30)
MOST_TENANTS = 20
MOST_PROOF_LINES = 63

Answer: TypeAlias = tuple[int, str, bytes]
Send: TypeAlias = Callable[[str, str, bytes], Awaitable[Answer | str]]
"""Posts a body of a media type to an address: status, media type and body of the answer, or why there was none."""
Prove: TypeAlias = Callable[[int], Awaitable[Sequence[str]]]
"""The consistency proof (hex) from a size to the offered checkpoint's."""

_DUE = """
SELECT c.tenant_id AS tenant, c.serial, c.size, c.note, coalesce(a.size, 0) AS attested
  FROM governance_ledger.ledger_heads h
 CROSS JOIN LATERAL (
   SELECT * FROM governance_ledger.ledger_checkpoints c WHERE c.tenant_id = h.tenant_id ORDER BY serial DESC LIMIT 1) c
  LEFT JOIN governance_ledger.ledger_attestors a ON a.tenant_id = c.tenant_id AND a.kind = $1 AND a.name = $2
 WHERE coalesce(a.size, 0) < c.size AND coalesce(a.next_try_at <= $3, true)
 ORDER BY a.next_try_at NULLS FIRST LIMIT $4
"""

_KEPT = """
WITH kept AS (
  INSERT INTO governance_ledger.ledger_attestations (tenant_id, serial, size, kind, name, attested_at, content)
  VALUES ($1, $2, $3, $4, $5, $6, $7)
), told AS (
  INSERT INTO governance_ledger.ledger_attestors (tenant_id, kind, name, size, next_try_at)
  VALUES ($1, $4, $5, $3, $8)
  ON CONFLICT (tenant_id, kind, name) DO UPDATE
     SET size = excluded.size, next_try_at = excluded.next_try_at, refused = false, error = NULL
)
INSERT INTO governance_ledger.evidence_spool (tenant_id, key, sha256, media_type, content)
VALUES ($1, $9, encode(sha256($7), 'hex'), $10, $7)
"""

_FAILED = """
INSERT INTO governance_ledger.ledger_attestors (tenant_id, kind, name, next_try_at, refused, error)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant_id, kind, name) DO UPDATE
   SET next_try_at = excluded.next_try_at, refused = excluded.refused, error = excluded.error
"""


class Due(msgspec.Struct, frozen=True):
    """A tenant's newest checkpoint, and the size that this attestor has attested."""

    tenant: UUID
    serial: int
    size: int
    note: str
    attested: int


class Attested(msgspec.Struct, frozen=True):
    content: bytes
    at: datetime
    media_type: str


class NotAttested(Exception):
    """It gave nothing; the message says why. `refused`: because it has seen another history of this ledger."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


class Attestor(Protocol):
    """Somebody outside. `every` is how long to wait after one attestation of a tenant before the next."""

    kind: str
    name: str
    every: timedelta

    async def attest(self, due: Due, prove: Prove) -> Attested:
        """Raises `NotAttested`."""
        ...


class Authority:
    """A time stamping authority (RFC 3161) at `url`."""

    kind = "timestamp"

    def __init__(self, url: str, send: Send, every: timedelta) -> None:
        self.name = timestamping.authority_name(url)
        self.every = every
        self._url, self._send = url, send

    async def attest(self, due: Due, prove: Prove) -> Attested:
        request = timestamping.new_request(due.note)
        status, media_type, body = _heard(await self._send(self._url, timestamping.QUERY, request.as_bytes()))
        if status != 200 or media_type != timestamping.REPLY:
            raise NotAttested(f"answered {status} {media_type}")
        try:
            return Attested(body, timestamping.check_answer(body, due.note, request), timestamping.REPLY)
        except timestamping.StampRefused as error:
            raise NotAttested(str(error)) from error


class WitnessClient:
    """A witness (C2SP tlog-witness)."""

    kind = "witness"

    def __init__(self, witness: Witness, send: Send, every: timedelta = WITNESS_EVERY) -> None:
        self.name = witness.name
        self.every = every
        self._witness, self._send = witness, send

    async def attest(self, due: Due, prove: Prove) -> Attested:
        old = due.attested
        for _ in range(2):
            status, media_type, body = await self._add(due, old, prove)
            if status != 409:
                return self._cosigned(due, status, body)
            old = self._old_size(due, media_type, body)
        raise NotAttested(f"has cosigned another tree of {due.size} events under this name", refused=True)

    async def _add(self, due: Due, old: int, prove: Prove) -> Answer:
        proof = await prove(old) if 0 < old < due.size else ()
        if len(proof) > MOST_PROOF_LINES:
            raise NotAttested(f"the proof has {len(proof)} lines, the protocol allows {MOST_PROOF_LINES}")
        body = witnessing.request_body(old, proof, due.note)
        return _heard(await self._send(f"{self._witness.url}/add-checkpoint", "text/plain; charset=utf-8", body))

    def _old_size(self, due: Due, media_type: str, body: bytes) -> int:
        """What the witness saw last, to prove from."""
        digits = body.strip()
        if media_type != witnessing.SIZE_MEDIA_TYPE or not digits.isdigit():
            raise NotAttested(f"has cosigned another tree of {due.size} events under this name", refused=True)
        known = int(digits)
        if known > due.size:
            raise NotAttested(f"has cosigned {known} events of this ledger, which has {due.size}: cut", refused=True)
        return known

    def _cosigned(self, due: Due, status: int, body: bytes) -> Attested:
        if status == 422:
            raise NotAttested("says that this ledger does not follow from what it saw before", refused=True)
        if status == 404:
            raise NotAttested("does not know this ledger (404): give its operator the verifier key (`flr doctor`)")
        if status != 200:
            raise NotAttested(f"answered {status}")
        try:
            line, at = witnessing.check_cosignature(self._witness, body.decode("utf-8", "replace"), due.note)
        except witnessing.CosignatureRefused as error:
            raise NotAttested(str(error)) from error
        return Attested(line.encode(), at, "text/plain; charset=utf-8")


async def attest(connection: asyncpg.Connection, attestors: Sequence[Attestor]) -> int:
    """Offer each attestor what is due; how many attestations were kept. Never raises for what the others do."""
    kept = 0
    for attestor in attestors:
        rows = await connection.fetch(_DUE, attestor.kind, attestor.name, clock.now(), MOST_TENANTS)
        for due in (Due(**dict(row)) for row in rows):
            kept += await _attest(connection, attestor, due)
    return kept


async def _attest(connection: asyncpg.Connection, attestor: Attestor, due: Due) -> bool:
    async def prove(old: int) -> Sequence[str]:
        async with connection.transaction(readonly=True):
            return (await prove_consistency(Transaction(connection, due.tenant), old, due.size)).hashes

    try:
        attested = await attestor.attest(due, prove)
    except (NotAttested, Fault) as error:
        refused = isinstance(error, NotAttested) and error.refused
        LOG.log(
            logging.ERROR if refused else logging.WARNING,
            "%s %s of tenant %s: %s",
            attestor.kind,
            attestor.name,
            due.tenant,
            error,
        )
        await connection.execute(
            _FAILED, due.tenant, attestor.kind, attestor.name, clock.now() + RETRY, refused, str(error)[:500]
        )
        return False
    key = f"{object_key(due.tenant, due.serial)}.{attestor.kind}.{sha256(attestor.name.encode()).hexdigest()[:16]}"
    await connection.execute(
        _KEPT,
        due.tenant,
        due.serial,
        due.size,
        attestor.kind,
        attestor.name,
        attested.at,
        attested.content,
        clock.now() + attestor.every,
        key,
        attested.media_type,
    )
    return True


def _heard(answer: Answer | str) -> Answer:
    if isinstance(answer, str):
        raise NotAttested(answer)
    return answer

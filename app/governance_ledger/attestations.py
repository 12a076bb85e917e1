"""What attestors have said, read back and verified."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import asyncpg
import msgspec
from cryptography import x509

from app.governance_ledger import timestamping, witnessing
from app.governance_ledger.model import Attestation
from app.governance_ledger.replaying import Broken
from app.governance_ledger.witnessing import Witness
from app.postgres import Transaction

_COLUMNS = "a.kind, a.name, a.serial, a.size, a.attested_at, a.content, c.note, c.signed_at"
_ALL = f"""
SELECT {_COLUMNS} FROM governance_ledger.ledger_attestations a
  LEFT JOIN governance_ledger.ledger_checkpoints c
    ON c.tenant_id = a.tenant_id AND c.serial = a.serial AND c.size = a.size
 WHERE a.tenant_id = $1 ORDER BY a.serial, a.kind, a.name
"""  # noqa: S608
_NEWEST = f"""
SELECT {_COLUMNS} FROM governance_ledger.ledger_attestors s
 CROSS JOIN LATERAL (
   SELECT * FROM governance_ledger.ledger_attestations n
    WHERE n.tenant_id = s.tenant_id AND n.kind = s.kind AND n.name = s.name ORDER BY n.serial DESC LIMIT 1) a
  LEFT JOIN governance_ledger.ledger_checkpoints c
    ON c.tenant_id = a.tenant_id AND c.serial = a.serial AND c.size = a.size
 WHERE s.tenant_id = $1 ORDER BY a.serial, a.kind, a.name
"""  # noqa: S608

_STATES = """
SELECT kind, name, size, refused, error FROM governance_ledger.ledger_attestors WHERE tenant_id = $1 ORDER BY kind, name
"""


class Trust(msgspec.Struct, frozen=True):
    """Whose attestations are verified: the witnesses, and the certificates that time stamps must lead to."""

    witnesses: tuple[Witness, ...] = ()
    roots: tuple[x509.Certificate, ...] = ()


def load_trust(witnesses: str | None, certificates: Path | None) -> Trust:
    """From the settings `FLR_WITNESSES` and `FLR_TIMESTAMP_CERTIFICATES`. Raises `Misconfigured`."""
    return Trust(
        witnessing.parse_witnesses(witnesses or ""),
        () if certificates is None else timestamping.load_roots(certificates),
    )


async def hold_attestations(tx: Transaction, trust: Trust, *, full: bool) -> tuple[Attestation, ...]:
    """Verify the newest attestation of each attestor, or with `full` all of them; the newest of each come back.

    Those of witnesses that are not named in `trust`, and time stamps without certificates, are not `verified`. Raises
    `Broken` for one that does not hold, for one whose checkpoint is gone, and when a witness refuses this history.
    """
    rows = await tx.connection.fetch(_ALL if full else _NEWEST, tx.tenant)
    found: dict[tuple[str, str], Attestation] = {}
    for row in rows:
        found[row["kind"], row["name"]] = _held(row, trust)
    for state in await tx.connection.fetch(_STATES, tx.tenant):
        if state["refused"]:
            raise Broken(f"{state['kind']} {state['name']} refuses this ledger: it {state['error']}", state["size"])
        empty = Attestation(state["kind"], state["name"], 0, state["size"], None, verified=False)
        kept = found.get((state["kind"], state["name"]), empty)
        found[state["kind"], state["name"]] = msgspec.structs.replace(kept, error=state["error"])
    return tuple(found.values())


def _held(row: asyncpg.Record, trust: Trust) -> Attestation:
    what = f"{row['kind']} {row['name']}"
    if row["note"] is None:
        raise Broken(f"truncated: {what} attested {row['size']} events, that checkpoint is gone", row["size"])
    try:
        at = _checked(row, trust)
    except (timestamping.StampRefused, witnessing.CosignatureRefused) as error:
        raise Broken(f"checkpoint {row['serial']}: {what}: {error}", row["size"]) from error
    if at is not None and at != row["attested_at"]:
        raise Broken(f"checkpoint {row['serial']}: {what} says another time than its column", row["size"])
    if at is not None and at < row["signed_at"] - timestamping.CLOCKS_APART:
        raise Broken(f"checkpoint {row['serial']} says a later time than {what}, which came after it", row["size"])
    return Attestation(
        row["kind"], row["name"], row["serial"], row["size"], row["attested_at"], verified=at is not None
    )


def _checked(row: asyncpg.Record, trust: Trust) -> datetime | None:
    """The attested time; None when nobody here can verify it."""
    if row["kind"] == "timestamp":
        at = timestamping.check_stamp(row["content"], row["note"], trust.roots)
        return at if trust.roots else None
    witnesses: Sequence[Witness] = [one for one in trust.witnesses if one.name == row["name"]]
    if not witnesses:
        return None
    return witnessing.check_cosignature(witnesses[0], row["content"].decode("utf-8", "replace"), row["note"])[1]

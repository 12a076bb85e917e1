"""The founder's own machine: an Ed25519 key with which the command line signs decisions."""

from uuid import UUID

from app.auth import key_id
from app.canon.errors import Invalid
from app.founder_console import store
from app.governance_ledger import Event, append
from app.postgres import Transaction

RAW_BYTES = 32


async def register_device_key(tx: Transaction, founder_id: UUID, *, public_key: bytes, label: str) -> str:
    """Let the key decide for the founder; its `kid`. Idempotent. Event `founder.device_key_added`.

    `public_key` is 32 raw bytes (Ed25519, RFC 8032). Raises `Invalid`.
    """
    if len(public_key) != RAW_BYTES:
        raise Invalid(f"an Ed25519 public key has {RAW_BYTES} bytes, not {len(public_key)}")
    kid = key_id(public_key)
    if await store.insert_device_key(tx, kid, founder_id, public_key, label):
        data: dict[str, object] = {"kid": kid, "label": label, "public_key": public_key.hex()}
        await append(tx, Event(type="founder.device_key_added", actor=f"founder:{founder_id}", data=data))
    return kid

"""Secrets of the founder's: sealed under a key that never enters the database, used by the gate, shown to nobody."""

import os
import re
import secrets
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.auth import require
from app.canon.errors import Invalid, Misconfigured
from app.canon.vocabulary import Principal, Rol, new_id
from app.governance_ledger import Event, append
from app.postgres import Transaction
from app.role_registry import secret_rows, store
from app.role_registry.errors import SecretUnknown
from app.role_registry.model import NewSecret, Secret

KEY_BYTES = 32
NONCE_BYTES = 12
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")


class VaultKeys:
    """The keys that seal. The newest seals, all open."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)

    def seal(self, tenant: UUID, secret_id: UUID, version: int, value: str) -> tuple[str, bytes]:
        """The key's name, and the sealed value. Raises `Misconfigured`."""
        if not self._keys:
            said = "there is no keys/vault-*.key in FLR_HOME: run `flr migrate` before secrets are set"
            raise Misconfigured(said, code="vault.no_key")
        kid = next(reversed(self._keys))
        nonce = secrets.token_bytes(NONCE_BYTES)
        context = _context(tenant, secret_id, version)
        return kid, nonce + AESGCM(self._keys[kid]).encrypt(nonce, value.encode(), context)

    def open(self, tenant: UUID, secret_id: UUID, version: int, kid: str, sealed: bytes) -> str:
        """The value again. Raises `Misconfigured` when the key is not here or the bytes are not what was sealed."""
        key = self._keys.get(kid)
        if key is None:
            said = f"keys/vault-{kid}.key is missing in FLR_HOME: bring it from the first host"
            raise Misconfigured(said, code="vault.key_missing", kid=kid)
        try:
            context = _context(tenant, secret_id, version)
            return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context).decode()
        except InvalidTag as error:
            raise Misconfigured(
                "a sealed secret was changed in the database: set it anew", code="vault.altered"
            ) from error


def _context(tenant: UUID, secret_id: UUID, version: int) -> bytes:
    return f"flr vault v1\n{tenant}\n{secret_id}\n{version}".encode()


def vault_keys(folder: Path) -> VaultKeys:
    """The keys of a folder; read once, and again when a key comes or goes."""
    return _load(folder, folder.stat().st_mtime_ns if folder.exists() else 0)


@lru_cache(maxsize=4)
def _load(folder: Path, changed_at: int) -> VaultKeys:
    del changed_at
    paths = sorted(folder.glob("vault-*.key"), key=lambda path: path.stat().st_mtime_ns)
    return VaultKeys({path.stem.removeprefix("vault-"): path.read_bytes() for path in paths})


def ensure_vault_key(folder: Path) -> None:
    """Make the first key when there is none: 32 random bytes, mode 0600."""
    if any(folder.glob("vault-*.key")):
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = secrets.token_bytes(KEY_BYTES)
    path = folder / f"vault-{sha256(key).hexdigest()[:16]}.key"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)


async def set_secret(tx: Transaction, name: str, new: NewSecret, keys: VaultKeys, by: Principal) -> Secret:
    """Seal a secret; one of this name is replaced, and its old value is gone. Event `secret.set`, without the value.

    Raises `Forbidden` (founder only), `Invalid`, `Misconfigured`.
    """
    require(by, Rol.FOUNDER)
    _check(name, new)
    before = await secret_rows.fetch(tx, name, lock=True)
    secret = Secret(
        id=new_id() if before is None else before.id,
        name=name,
        description=new.description,
        header=new.header,
        prefix=new.prefix,
        hosts=new.hosts,
        role_ids=new.role_ids,
        version=1 if before is None else before.version + 1,
        set_by=by.actor,
        set_at=await store.now(tx),
    )
    kid, sealed = keys.seal(tx.tenant, secret.id, secret.version, new.value)
    await secret_rows.put(tx, secret, kid, sealed)
    await _record(tx, "set", secret, by)
    return secret


def _check(name: str, new: NewSecret) -> None:
    if not _NAME.fullmatch(name):
        said = "a secret's name has small letters, digits and _, and begins with a letter: stripe_key"
        raise Invalid(said, code="secret.name")
    if "\0" in new.value or (new.header is not None and not (new.prefix + new.value).isprintable()):
        said = "a secret that is sent as a header has printable signs only, and no secret has NUL"
        raise Invalid(said, code="secret.value")
    if (new.header is None) != (not new.hosts):
        said = "`header` and `hosts` belong together: which header, and to which hosts"
        raise Invalid(said, code="secret.header")
    if new.header is not None and not new.role_ids:
        raise Invalid("say with `role_ids` whose HTTP tools send the header", code="secret.roles")


async def remove_secret(tx: Transaction, name: str, by: Principal) -> Secret:
    """Forget a secret at once: the value is deleted. Event `secret.removed`. Raises `Forbidden`, `SecretUnknown`."""
    require(by, Rol.FOUNDER)
    secret = await secret_rows.fetch(tx, name, lock=True)
    if secret is None:
        raise SecretUnknown(f"there is no secret {name!r}", name=name)
    await secret_rows.remove(tx, secret, await store.now(tx))
    await _record(tx, "removed", secret, by)
    return secret


async def list_secrets(tx: Transaction) -> tuple[Secret, ...]:
    """What is known of each, by name."""
    return await secret_rows.fetch_all(tx)


async def open_secret(tx: Transaction, name: str, keys: VaultKeys, *, role_id: UUID) -> str:
    """The value, for one call. A secret that names roles is opened for these alone. Raises `SecretUnknown`."""
    secret = await secret_rows.fetch(tx, name)
    if secret is None or (secret.role_ids and role_id not in secret.role_ids):
        said = f"there is no secret {name!r} for this role: the founder sets it with `flr secret set`"
        raise SecretUnknown(said, name=name)
    return await _open(tx, secret, keys)


async def secret_headers(
    tx: Transaction, keys: VaultKeys, *, role_id: UUID, host: str, port: int | None
) -> Mapping[str, tuple[str, str]]:
    """Header to (prefix, value), of the secrets that the founder wants sent to this host for this role."""
    found: dict[str, tuple[str, str]] = {}
    for secret in await secret_rows.fetch_all(tx):
        places = (host, f"{host}:{port}") if port is not None else (host,)
        if secret.header and role_id in secret.role_ids and any(place in secret.hosts for place in places):
            found[secret.header] = (secret.prefix, await _open(tx, secret, keys))
    return found


async def _open(tx: Transaction, secret: Secret, keys: VaultKeys) -> str:
    kid, sealed = await secret_rows.fetch_value(tx, secret.id)
    return keys.open(tx.tenant, secret.id, secret.version, kid, sealed)


async def _record(tx: Transaction, what: str, secret: Secret, by: Principal) -> None:
    data: dict[str, object] = {
        "name": secret.name,
        "version": secret.version,
        "description": secret.description,
        "header": secret.header,
        "hosts": list(secret.hosts),
        "role_ids": [str(role_id) for role_id in secret.role_ids],
    }
    subject = f"role_registry.secrets/{secret.id}"
    await append(tx, Event(type=f"secret.{what}", actor=by.actor, subjects=(subject,), data=data))
